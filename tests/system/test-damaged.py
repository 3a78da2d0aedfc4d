# SPDX-License-Identifier: MIT
"""Every verb that reads a run, on files with something wrong with them: an answer, or one line that says what and
which, with the exit code for it; never both, never a signal. INFPROF_TEST_ALL=1 asks each verb about each spoilt table
(some minutes), else each table is asked of some of them in turn."""

import contextlib
import os
import random
import re
import shutil
import sqlite3

from harness import Failed, case, check, equal, main, one_line

GOOD = "good.infprof"
# what verbs want besides the run
WAYS = {
    "flame": [["--heap"], ["--alloc", "--folded"], ["--waits"], ["--offcpu"]],
    "export": [["--pprof", "heap", "-o", "out"]],
    "memory": [[], ["--from", "warm"]],
    "diff": [[], ["--memory"]],
    "report": [[], ["--by", "thread"], ["--by", "shape"], ["--tiles"], ["--bundle", "out", "--force"]],
    "roofline": [[], ["--levels"], ["--cache"]],
}
# of what runs, or of no run
OTHERS = {"record", "top", "bench", "sweep", "ab", "mark", "pause", "resume", "status", "stop", "machine", "doctor", "help",
          "version", "runs"}


def made(s, *kind):
    s.run([s.built("tests/unit/make-run"), *kind, s.path(GOOD)], preload=False)
    with open(s.path(GOOD), "rb") as f:
        return f.read()


def readers(s):
    """Those that take a RUN: a new one is among them by itself."""
    text = s.infprof("help").stdout
    names = set(re.findall(r"^    (\S+) +\S", text[text.index("\nVerbs:"):], re.M))
    return sorted(names - OTHERS)


def ways(s):
    for verb in readers(s):
        for more in WAYS.get(verb, [[]]):
            yield [verb, *more]


def ask(s, way, name):
    """Exit code and what was said."""
    verb = way[0]
    operands = {"diff": [s.path(name), s.path(GOOD)], "check": [s.path(name), "p50(decode) >= 0ns"]}
    run = s.infprof(*way, *operands.get(verb, [s.path(name)]), code=None)
    what = f"{' '.join(way)} {name}"
    check(run.returncode in (0, 1, 3), f"{what}: ended with {run.returncode}: {run.stderr[-500:]}")
    if run.returncode == 3 or (run.returncode == 1 and not run.stdout):
        one_line(run.stderr, what)
        equal(run.stdout, "", f"stdout of {what}")
    if run.returncode == 3: # what is wrong with the file, by its name, or what its run has not
        check((name in run.stderr or "run" in run.stderr) and len(run.stderr) < 600, f"{what}: {run.stderr}")
    if re.search("damaged|impossible", run.stderr):
        check(name in run.stderr, f"{what}: {run.stderr}")
    check("\x1b" not in run.stderr, what)
    return run.returncode, run.stderr


def put(s, name, data):
    with open(s.path(name), "wb") as f:
        f.write(data)


@contextlib.contextmanager
def changed(s, name):
    shutil.copy(s.path(GOOD), s.path(name))
    with contextlib.closing(sqlite3.connect(s.path(name))) as db, db:
        yield db


def tables(s):
    with contextlib.closing(sqlite3.connect(s.path(GOOD))) as db:
        return [r[0] for r in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")]


# The file as a whole.

@case
def files_that_are_no_run(s):
    good = made(s, "--work", "whole")
    noise = random.Random(1).randbytes(8192)
    bad = {"empty": (b"", "empty"), "text": (b"hello, this is text\n" * 100, "not an infprof run file"),
           "noise": (noise, "not an infprof run file"), "short": (good[:600], "truncated"),
           "half": (good[:len(good) // 2], "truncated"), "ragged": (good[:-100], "truncated"),
           "noisy": (good[:4096] + noise + good[12288:], "damaged"), "magic": (b"SQLite format 3\0", "")}
    for name, (data, _) in bad.items():
        put(s, name, data)
    for name, pragma, word in (("older", "user_version = 6", "version 6"), ("newer", "user_version = 99", "version 99"),
                               ("never", "user_version = -4", "version -4"), ("none", "user_version = 0", "version 0"),
                               ("foreign", "application_id = 1", "not an infprof run file")):
        with changed(s, name) as db:
            db.execute(f"PRAGMA {pragma}")
        bad[name] = (None, word)
    os.mkdir(s.path("folder"))
    os.mkfifo(s.path("pipe"))
    bad["pipe"] = (None, "not a file")
    for i, way in enumerate(ways(s)):
        some = list(bad.items()) * 2
        if not os.environ.get("INFPROF_TEST_ALL"):
            some = some[i * 4 % len(bad):][:4]
        for name, (_, word) in some:
            code, said = ask(s, way, name)
            if name == "noisy" and code == 0: # what was spoilt is not read for it
                continue
            equal(code, 3, f"{way} {name}: {said}")
            check(word in said, f"{way} {name}: {said}")
        if way[0] != "diff": # to which a folder is a set
            equal(ask(s, way, "folder")[0], 3, f"{way} folder")
        check(not os.path.exists(s.path("out")), f"{way} made a file of nothing")


@case
def runs_that_cannot_be_read_are_listed(s):
    good = made(s, "--work", "whole")
    os.makedirs(s.path("state/infprof/runs"))
    for i, data in enumerate((b"", b"text", good[:600], good)):
        put(s, f"state/infprof/runs/2026010{i}-000000-1.infprof", data)
    run = s.infprof("runs")
    check(len(run.stdout.splitlines()) >= 1, run.stdout)
    for i in range(3):
        check(f"2026010{i}-000000-1" in run.stdout + run.stderr, f"the {i}th is told of: {run.stdout}{run.stderr}")
        s.infprof("report", f"2026010{i}-000000-1", code=3)


# Its parts.

def walk(s, spoil):
    """Spoils a table at a time, and asks all verbs. How many answered, how many refused, and
    how many of these named what is missing."""
    answered = refused = named = 0
    failures = []
    everything = list(ways(s))
    some = len(everything) if os.environ.get("INFPROF_TEST_ALL") else 2
    for i, table in enumerate(tables(s)):
        name = f"without-{table}"
        with changed(s, name) as db:
            if not spoil(db, table):
                continue
        for k in range(some):
            way = everything[(i * 2 + k) % len(everything)]
            try:
                code, said = ask(s, way, name)
            except Failed as failure:
                failures.append(str(failure))
                continue
            if table in said and "missing" in said:
                named += 1
            answered += code != 3
            refused += code == 3
        os.unlink(s.path(name))
    check(not failures, "\n".join(failures[:10]) + f"\n{len(failures)} in all")
    return answered, refused, named


def drop(db, table):
    db.execute(f'DROP TABLE "{table}"')
    return True


def empty(db, table):
    return db.execute(f'DELETE FROM "{table}"').rowcount > 0


def spoil_values(db, table):
    """A text where a number has to be, or the other way round, in the last column that is no key."""
    columns = [r for r in db.execute(f'PRAGMA table_info("{table}")') if not r[5]]
    if not columns or not db.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]:
        return False
    name, kind = columns[-1][1], columns[-1][2]
    db.execute(f'UPDATE "{table}" SET "{name}" = ' + ("x'ff00'" if kind == "BLOB" else "-7" if kind != "TEXT" else "x'00ff'"))
    return True


@case
def a_table_is_missing(s):
    made(s, "--work", "whole")
    answered, refused, named = walk(s, drop)
    check(answered > 10 and refused > 10 and named > 10, f"{answered} answered, {refused} refused, {named} of these named it")


@case
def a_table_of_memory_is_missing(s):
    made(s, "--memory")
    answered, refused, named = walk(s, drop)
    check(answered > 10 and refused > 10 and named > 10, f"{answered} answered, {refused} refused, {named} of these named it")


@case
def a_table_is_empty(s):
    made(s, "--work", "whole")
    answered, *_ = walk(s, empty)
    check(answered > 10, f"{answered} answered")


@case
def values_are_what_they_cannot_be(s):
    made(s, "--work", "whole")
    _, refused, _ = walk(s, spoil_values)
    check(refused > 10, f"{refused} refused")


main()
