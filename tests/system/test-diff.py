# SPDX-License-Identifier: MIT
"""infprof diff, on run files that make-run wrote: what is typed wrongly, what is missing, that it fits the screen."""

import itertools
import json
import os
import shutil
import sqlite3
from xml.etree import ElementTree

from harness import check, case, equal, main, near, one_line
from pictures import fits_a_screen


NUMBERS = itertools.count(5000)


def made(s, name, **columns):
    """The file of a run of its own; `columns` of its process are changed."""
    path = s.path(f"{name}.infprof")
    s.run([s.built("tests/unit/make-run"), path], preload=False)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE run SET id = ?", (f"20261120-194500-{next(NUMBERS)}",))
        for column, value in columns.items():
            db.execute(f"UPDATE process SET {column} = ?", (value,))
    db.close()
    return path


def diff(s, *args, **more):
    doc = json.loads(s.infprof("diff", "--json", *args, **more).stdout)
    s.validate(doc, "doc/diff.schema.json")
    return doc


def sums_up(doc):
    for rows in ("ops", "rows"):
        for key in ("a", "b", "delta"):
            near(sum(r["self_ns"][key] for r in doc[rows]), doc["whole"][key], 1e-9, f"{rows}: {key}")


@case
def a_run_and_itself(s):
    run = made(s, "a")
    doc = diff(s, run, run)
    equal(doc["verdict"], "no difference shown", "verdict")
    equal(doc["surroundings"], [], "what is different around it")
    equal({o["self_ns"]["delta"] for o in doc["ops"]}, {0}, "differences of ops")
    sums_up(doc)


@case
def sides_are_runs_folders_and_lists(s):
    a, b = made(s, "a"), made(s, "b")
    os.makedirs(s.path("set"))
    for i in range(4):
        made(s, f"set/{i}")
    for side, n in ((a, 1), (f"{a},{b}", 2), (s.path("set"), 4), (f"{s.path('set')},{b}", 5), (f"{a},", 1)):
        doc = diff(s, side, b)
        equal(len(doc["a"]["runs"]), n, f"runs of {side}")
    comma = s.path("x,y.infprof")
    shutil.copy(a, comma)
    equal(len(diff(s, comma, b)["a"]["runs"]), 1, "a name with a comma that is there")
    doc = diff(s, s.path("set"), s.path("set"))
    equal(doc["verdict"], "no difference shown", "a set and itself")
    check(not any(o["changed"] for o in doc["ops"] + doc["figures"]), "nothing has changed")
    sums_up(doc)


@case
def a_run_named_twice_counts_once(s):
    a, b = made(s, "a"), made(s, "b")
    os.makedirs(s.path("set"))
    for i in range(2):
        made(s, f"set/{i}")
    shutil.copy(a, s.path("set/copy.infprof"))
    for side, n, again in ((f"{a},{a}", 1, "A has 1 run that is"), (f"{s.path('set')},{s.path('set')}/,{a}", 3, "A has 4 runs that are")):
        doc = diff(s, side, b)
        equal(len(doc["a"]["runs"]), n, f"runs of {side}")
        check(any(again in note for note in doc["notes"]), f"it is said: {doc['notes']}")
    doc = diff(s, f"{a},{b}", b)
    check(any("1 run is on both sides" in note for note in doc["notes"]), f"both sides: {doc['notes']}")
    check(not any("both sides" in note or "once" in note for note in diff(s, a, b)["notes"]), "nothing of it else")


@case
def what_cannot_be_read_is_left_out_of_a_set(s):
    a, b = made(s, "a"), made(s, "b")
    os.makedirs(s.path("set"))
    shutil.copy(a, s.path("set/1.infprof"))
    with open(s.path("set/2.infprof"), "w", encoding="utf-8") as f:
        f.write("no run")
    doc = diff(s, s.path("set"), b)
    equal(len(doc["a"]["runs"]), 1, "those that can be read")
    equal([os.path.basename(o["file"]) for o in doc["a"]["left_out"]], ["2.infprof"], "left out")
    check(any("left out" in note for note in doc["notes"]), "it is said")
    one_line(s.infprof("diff", s.path("set/2.infprof"), b, code=3).stderr, "alone it is an error")


@case
def a_folder_of_bundles(s):
    b = made(s, "b")
    os.makedirs(s.path("set"))
    one_line(s.infprof("diff", s.path("set"), b, code=3).stderr, "no bundle is in it")
    for i in range(2):
        s.infprof("report", "--bundle", s.path(f"set/{i}.tar.zst"), made(s, f"run{i}"))
    with open(s.path("set/damaged.tar.zst"), "wb") as f:
        f.write(b"\x28\xb5\x2f\xfd no archive")
    with open(s.path("set/notes.txt"), "w", encoding="utf-8") as f:
        f.write("no run")
    doc = diff(s, s.path("set"), b)
    equal(sorted(os.path.basename(r["file"]) for r in doc["a"]["runs"]), ["0.tar.zst", "1.tar.zst"], "runs")
    equal([os.path.basename(o["file"]) for o in doc["a"]["left_out"]], ["damaged.tar.zst"], "left out")


@case
def parts_of_a_file_that_are_missing(s):
    """Rows gone from a table: what they told is not known, all else is."""
    b = made(s, "b")
    for tables in (["ledger", "ledger_row"], ["op_phase", "thread_op"], ["thread", "thread_op"], ["token_point"], ["machine"],
                   ["process", "op", "op_phase", "thread", "thread_op", "site", "second", "size_class", "note"]):
        a = made(s, "a")
        with sqlite3.connect(a) as db:
            for table in tables:
                db.execute(f"DELETE FROM {table}")
        db.close()
        doc = diff(s, a, b)
        if "process" in tables:
            equal((doc["verdict"], doc["measure"]), ("not comparable", None), "verdict of a run without anything")
        if doc["whole"]:
            sums_up(doc)
        s.infprof("diff", a, b)
        os.unlink(a)
    a = made(s, "a")
    with sqlite3.connect(a) as db:
        db.execute("DROP TABLE ledger")
    db.close()
    text = s.infprof("diff", a, b, code=3).stderr
    one_line(text, "without a table")
    check("damaged" in text, text)


@case
def other_engines_and_machines_come_first(s):
    a, b = made(s, "a"), made(s, "b", exe="/opt/other/motor")
    equal(diff(s, a, b)["first"], [], "one program by two names")
    with sqlite3.connect(b) as db:
        db.execute("UPDATE library SET build_id = 'ee' || build_id")
    equal(diff(s, a, b)["first"], [], "another program with the same ops")
    with sqlite3.connect(b) as db:
        db.execute("UPDATE op SET name = 'step ' || name")
    db.close()
    doc = diff(s, a, b)
    check("different engines" in doc["first"][0] and "motor" in doc["first"][0], f"first: {doc['first']}")
    text = s.infprof("diff", a, b).stdout
    check(text.startswith("beware"), f"said first: {text[:80]}")
    with sqlite3.connect(b) as db:
        db.execute("DELETE FROM machine")
        db.execute("INSERT INTO machine VALUES ('fedcba9876543210', '{}')")
    db.close()
    with sqlite3.connect(a) as db:
        db.execute("DELETE FROM machine")
        db.execute("INSERT INTO machine VALUES ('0123456789abcdef', '{}')")
    db.close()
    doc = diff(s, a, b)
    equal(doc["verdict"], "not comparable", "verdict")
    check("machines" in doc["because"] and "machines" in doc["first"][0], f"because {doc['because']}")


@case
def what_is_not_known_is_no_difference(s):
    a, b = made(s, "a"), made(s, "b")
    with sqlite3.connect(a) as db:
        db.execute("DELETE FROM environment WHERE name = 'OMP_NUM_THREADS'")
    doc = diff(s, a, b)
    check("environment OMP_NUM_THREADS" in [o["what"] for o in doc["surroundings"]], f"not set is a difference: {doc['surroundings']}")
    check(not any("not known" in note for note in doc["notes"]), "nothing is unknown")
    with sqlite3.connect(a) as db:
        for table in ("machine", "library", "environment", "confines", "surroundings"):
            db.execute(f"DELETE FROM {table}")
    db.close()
    for sides, name in (((a, b), "A"), ((b, a), "B")):
        doc = diff(s, *sides)
        equal([o["what"] for o in doc["surroundings"]], [], "nothing is known to differ")
        notes = [note for note in doc["notes"] if note.startswith("not known")]
        equal(len(notes), 1, f"one note: {doc['notes']}")
        check(notes[0].startswith(f"not known in {name}: ") and all(w in notes[0] for w in ("libraries", "environment", "kernel and system")), notes[0])


@case
def what_is_typed_wrongly(s):
    a = made(s, "a")
    os.makedirs(s.path("empty"))
    for code, args in ((2, []), (2, [a]), (2, [a, a, a]), (2, ["--by", "x", a, a]), (2, ["-n", "x", a, a]), (2, ["--bogus"]),
                       (2, ["--memory", s.path("empty"), a]), (2, ["--memory", f"{a},{a}", a]),
                       (3, ["nonesuch", a]), (3, [a, "/nonesuch"]), (3, ["", a]), (3, [",", a]), (3, [s.path("empty"), a]),
                       (3, ["4294967", a])):
        run = s.infprof("diff", *args, code=code)
        one_line(run.stderr, f"diff {args}")
        equal(run.stdout, "", "stdout")
    check("latest" in s.infprof("diff", "--help").stdout, "help")


def frames(svg):
    """(name, colour, title) of each."""
    root = ElementTree.fromstring(svg)
    ns = "{http://www.w3.org/2000/svg}"
    return [(g.find(f"{ns}title").text.split("\n")[0], g.find(f"{ns}rect").get("fill"), g.find(f"{ns}title").text)
            for g in root.iter(f"{ns}g") if g.get("data-v")]


def is_red(colour):
    return int(colour[1:3], 16) > int(colour[5:7], 16)


@case
def as_a_flame_graph(s):
    a, b = made(s, "a"), made(s, "b")
    with sqlite3.connect(b) as db:
        db.execute("UPDATE op_phase SET total_ns = total_ns * 3 WHERE op = (SELECT op FROM op WHERE name = 'SOFT_MAX')")
        db.execute("UPDATE op_phase SET total_ns = total_ns / 3 WHERE op = (SELECT op FROM op WHERE name = 'RMS_NORM')")
    db.close()
    s.infprof("diff", "--by", "wall", "--flame", s.path("d.svg"), a, b)
    with open(s.path("d.svg"), encoding="utf-8") as f:
        drawn = frames(f.read())
    colours = {name: colour for name, colour, _ in drawn}
    check(is_red(colours["[op SOFT_MAX]"]), f"more is red: {colours}")
    check(not is_red(colours["[op RMS_NORM]"]), f"less is blue: {colours}")
    title = next(title for name, _, title in drawn if name == "[op SOFT_MAX]")
    check("before " in title and "+200.0 %" in title, title)
    out = s.infprof("diff", "--flame", "-", a, a).stdout
    equal({colour for _, colour, _ in frames(out)}, {"#f2f2f2"}, "nothing differs: no colour")
    one_line(s.infprof("diff", "--memory", "--flame", "-", a, b, code=2).stderr, "of memory")
    one_line(s.infprof("diff", "--flame", s.path("nonesuch/x.svg"), a, b, code=1).stderr, "a folder that is not there")


@case
def stacks_of_two_runs_as_a_flame_graph(s):
    def written(name, *args):
        path = s.path(f"{name}.infprof")
        s.run([s.built("tests/unit/make-run"), *args, path], preload=False)
        return path
    a, b = written("a", "--memory"), written("b", "--memory-improved")
    drawn = frames(s.infprof("flame", "--alloc", "--diff", a, b).stdout)
    check({is_red(c) for _, c, _ in drawn if c != "#f2f2f2"}, f"colours: {drawn}")
    sums = [0, 0]
    for line in s.infprof("flame", "--alloc", "--diff", "--folded", a, b).stdout.splitlines():
        for i, count in enumerate(line.split(" ")[-2:]):
            sums[i] += int(count)
    plain = [sum(int(line.split(" ")[-1]) for line in s.infprof("flame", "--alloc", "--folded", run).stdout.splitlines())
             for run in (a, b)]
    equal(sums, plain, "counts before and now are those of the two")
    one_line(s.infprof("flame", "--alloc", "--diff", a, code=2).stderr, "against what?")
    one_line(s.infprof("flame", "--alloc", "--diff", a, "/nonesuch", code=3).stderr, "no such run")


@case
def it_fits_the_screen(s):
    a, b = made(s, "a"), made(s, "b", exe="/opt/other/motor")
    fits_a_screen(s, "diff", a, b)


main()
