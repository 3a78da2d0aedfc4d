# SPDX-License-Identifier: MIT
"""infprof threads, waits, spawns, ledger and explain: how they print documents that wait_docs made up, and what
they say when something is typed wrongly or is not there.

The pictures are in screens/. INFPROF_TEST_PAINT=1 paints them anew: look at the difference before it is
committed."""

import copy
import json
import os
import re
import sqlite3
import subprocess

import wait_docs
from fake_api import FakeApi
from harness import case, check, equal, main, one_line
from pictures import fits_a_screen, on_terminal, picture

VERBS = ("threads", "waits", "spawns", "ledger", "explain")


def fake(s, **documents):
    """A daemon that has the run x, and others: name_verb=document."""
    api = FakeApi(s.path("run/infprof/api.sock"), wait_docs.answers("x"))
    for key, document in documents.items():
        name, verb = key.rsplit("_", 1)
        api.answers[f"GET /v1/runs/{name}/{verb}"] = document
    return api


def printed(s, *args):
    return s.infprof(*args, env={"TZ": "UTC"}).stdout


def refused(s, code, *args, env=None):
    run = s.infprof(*args, code=code, env=env)
    one_line(run.stderr, " ".join(args))
    equal(run.stdout, "", "stdout")
    return run.stderr


# What is printed.

@case
def what_is_shown_here_could_be(s):
    """The documents that are made up for these tests are as their schemas say."""
    for verb in VERBS:
        s.validate(getattr(wait_docs, verb)(), f"doc/{verb}.schema.json")
    for doc in (wait_docs.threads(kernel="proc"), wait_docs.threads(kernel="none"), wait_docs.threads(live=True)):
        s.validate(doc, "doc/threads.schema.json")
    s.validate(wait_docs.ledger(kernel=False), "doc/ledger.schema.json")
    s.validate(wait_docs.waits(live=True), "doc/waits.schema.json")
    s.validate(wait_docs.explain(found=False), "doc/explain.schema.json")


@case
def whole_views_as_printed(s):
    api = fake(s)
    for verb in VERBS:
        picture(s, f"{verb}-80", on_terminal(s, 80, verb, "x"))
        picture(s, f"{verb}-160", on_terminal(s, 160, verb, "x"))
    picture(s, "explain-80-whole", on_terminal(s, 80, "explain", "-n", "0", "x"))
    picture(s, "ledger-piped", printed(s, "ledger", "x"))
    picture(s, "waits-80-ascii", on_terminal(s, 80, "waits", "x", LC_ALL="C"))
    api.close()


@case
def without_the_kernels_view(s):
    api = fake(s, poor_threads=wait_docs.threads(kernel="proc"), poor_ledger=wait_docs.ledger(kernel=False))
    picture(s, "threads-80-no-kernel", on_terminal(s, 80, "threads", "poor"))
    api.answers["GET /v1/runs/blind/threads"] = wait_docs.threads(kernel="none")
    text = printed(s, "threads", "blind")
    check("runnable" in text and "could have run" not in text.split("threads of one name")[0], text)
    row = next(line for line in text.splitlines() if line.startswith("4711 "))
    equal(row.split()[:4], ["4711", "13.25s", "68.7%", "-"], "by its CPU time; runnable is not known")
    picture(s, "ledger-80-no-kernel", on_terminal(s, 80, "ledger", "poor"))
    doc = wait_docs.threads()
    doc["kernel"].update(events=None, cost_ns=None, cost_share=None)
    api.answers["GET /v1/runs/unmeasured/threads"] = doc
    text = " ".join(printed(s, "threads", "unmeasured").split())
    check("its view was there" in text and "no events lost; how many there were and what they cost is not known" in text, text)
    api.close()


@case
def a_run_that_lives_shows_who_waits(s):
    api = fake(s, live_waits=wait_docs.waits(live=True), live_threads=wait_docs.threads(live=True))
    picture(s, "waits-80-live", on_terminal(s, 80, "waits", "live"))
    check("waiting at this moment" in printed(s, "waits", "live"), "said")
    check("loader (4712), in a condition for 12.40s\n      std::condition_variable::wait" in printed(s, "waits", "--full", "live"),
          printed(s, "waits", "--full", "live"))
    doc = wait_docs.threads(live=True) # a wait that goes on is one
    before = next(line for line in printed(s, "threads", "live").splitlines() if line.startswith("4711 "))
    doc["threads"][0]["waiting"] = {"kind": "mutex", "object": None, "for_ns": doc["threads"][0]["lifetime_ns"] // 2}
    api.answers["GET /v1/runs/live/threads"] = doc
    after = next(line for line in printed(s, "threads", "live").splitlines() if line.startswith("4711 "))
    equal((before.split()[5], after.split()[5]), ("0.0%", "50.0%"), "lock")
    check("0.50 for a lock" in printed(s, "threads", "live"), printed(s, "threads", "live"))
    check("waiting at this moment" not in printed(s, "waits", "x"), "nobody waits")
    api.close()


@case
def nothing_found_is_said_with_what_was_looked_at(s):
    api = fake(s, healthy_explain=wait_docs.explain(found=False))
    picture(s, "explain-80-healthy", on_terminal(s, 80, "explain", "healthy"))
    api.close()


@case
def findings_fit_a_screen(s):
    doc = wait_docs.explain()
    doc["findings"] = [{**f, "title": f"{f['title']}, {i}"} for i in range(6) for f in doc["findings"]]
    api = fake(s, healthy_explain=wait_docs.explain(found=False), sick_explain=doc)
    fits_a_screen(s, "explain", "x")
    fits_a_screen(s, "explain", "healthy", cut=False)
    text = on_terminal(s, 80, "explain", "sick")
    check(all(f"{i + 1}. [" in text for i in range(len(doc["findings"]))), f"each has its line: {text}")
    fits_a_screen(s, "explain", "sick", cut=True)
    api.close()


@case
def it_fits_a_terminal(s):
    api = fake(s, poor_threads=wait_docs.threads(kernel="proc"), poor_ledger=wait_docs.ledger(kernel=False),
               live_waits=wait_docs.waits(live=True))
    for columns in (80, 100, 132, 160, 200):
        for args in (*((verb, "x") for verb in VERBS), ("threads", "poor"), ("ledger", "poor"), ("waits", "live"),
                     ("waits", "--full", "x"), ("threads", "-n", "0", "x")):
            widest = max(on_terminal(s, columns, *args).splitlines(), key=len)
            check(len(widest) <= columns, f"{len(widest)} columns on {columns} by {' '.join(args)}: {widest}")
    api.close()


@case
def rows_are_counted(s):
    api = fake(s)
    text = printed(s, "threads", "-n", "3", "x")
    check("(99 more; -n 0 shows all)" in text, text)
    text = printed(s, "threads", "--rows", "0", "x")
    check("more; -n 0" not in text and text.count("ggml_graph_compute") > 100, "all")
    check("(2 more; -n 0 shows all)" in printed(s, "waits", "-n", "2", "x"), "of waits")
    check("(1 more; -n 0 shows all)" in printed(s, "ledger", "-n", "1", "x"), "of slow tokens")
    api.close()


@case
def the_rows_of_the_ledger_add_up(s):
    """What is printed as the whole is the sum of what is printed above it."""
    doc = wait_docs.ledger()
    api = fake(s)
    lines = printed(s, "ledger", "x").splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("compute "))
    shares = [float(line.split()[2]) for line in lines[first:first + len(wait_docs.ROWS)]]
    equal([line.split()[0] for line in lines[first:first + len(wait_docs.ROWS)]], wait_docs.ROWS, "rows")
    check(abs(sum(shares) - 100) < 0.6, f"{shares}")
    check(lines[first + len(wait_docs.ROWS)].startswith("all of it"), lines[first + len(wait_docs.ROWS)])
    for who in ("own", "critical"):
        equal(sum(row["total_ns"] for row in doc[who]), doc["wall"]["total_ns"], f"of {who}, in the document")
    api.close()


@case
def json_is_the_document(s):
    api = fake(s)
    for verb in VERBS:
        equal(json.loads(s.infprof(verb, "--json", "x").stdout), getattr(wait_docs, verb)(), verb)
        equal(s.infprof(verb, "-j", "x").stdout, s.infprof(verb, "--json", "x").stdout, "-j")
    api.answers["GET /v1/runs/pid:4711/waits"] = wait_docs.waits()
    equal(json.loads(s.infprof("waits", "--json", "4711").stdout), wait_docs.waits(), "by pid")
    api.close()


def emptied(document):
    """Every list empty, every figure null; what a run without anything has."""
    doc = copy.deepcopy(document)
    for key, value in doc.items():
        if key in ("schema", "run"):
            continue
        doc[key] = [] if isinstance(value, list) else None
    return doc


@case
def what_is_not_known_is_not_shown_as_nothing(s):
    api = fake(s, **{f"empty_{verb}": emptied(getattr(wait_docs, verb)()) for verb in VERBS})
    for verb in VERBS:
        text = printed(s, verb, "empty")
        check("nan" not in text and "(null)" not in text, text)
    for verb, said in (("threads", "no thread was seen"), ("waits", "no thread waited"), ("spawns", "nothing was created"),
                       ("ledger", "no token was decoded"), ("explain", "nothing wrong was found")):
        check(said in printed(s, verb, "empty"), f"{verb}: {printed(s, verb, 'empty')}")
    api.close()


def nulled(value):
    """Every number in it unknown."""
    if isinstance(value, dict):
        return {k: nulled(v) for k, v in value.items()}
    if isinstance(value, list):
        return [nulled(v) for v in value]
    return value if isinstance(value, (str, bool)) else None


@case
def figures_that_are_null_are_dashes(s):
    api = fake(s, **{f"null_{verb}": {**nulled(getattr(wait_docs, verb)()), "run": wait_docs.run(), "steps": 1} for verb in VERBS})
    for verb in VERBS:
        for columns in (80, 160):
            text = on_terminal(s, columns, verb, "null").replace("-n 0", "").replace("exit code 0", "")
            check(not re.search(r"nan|\(null\)|18446744|(?<![\w.-])0(\.0+)?(?![\w.])", text), f"{verb}: {text}")
    api.close()


def evil_of(value, evil):
    if isinstance(value, dict):
        return {k: v if k in ("schema", "row", "end", "started_at") else evil_of(v, evil) for k, v in value.items()}
    if isinstance(value, list):
        return [evil_of(v, evil) for v in value]
    return evil if isinstance(value, str) else value


@case
def control_characters_do_not_reach_the_terminal(s):
    evil = "evil\x1b[2J\n\x9bx"
    api = fake(s, **{f"evil_{verb}": evil_of(getattr(wait_docs, verb)(), evil) for verb in VERBS})
    for verb in VERBS:
        text = printed(s, verb, "evil")
        check("evil" in text, verb)
        check(not any(ord(c) < 32 and c != "\n" or 0x7f <= ord(c) < 0xa0 for c in text), f"{verb} is clean: {text!r}")
    api.close()


# What is typed wrongly, and what is not there.

@case
def wrong_usage(s):
    for verb in VERBS:
        for args in (["--bogus"], ["-x"], ["a", "b"], ["--json=1"]):
            refused(s, 2, verb, *args)
        check(f"usage: infprof {verb}" in s.infprof(verb, "--help").stdout, "--help")
        check(f"infprof.{verb}/1" in s.infprof("help", verb).stdout, "help")
    for verb in VERBS:
        for bad in ("x", "-1", "", "1.5", "99999999999"):
            check("-n cannot be" in refused(s, 2, verb, "-n", bad), bad)
        refused(s, 2, verb, "-n")
    refused(s, 2, "ledger", "--full")


@case
def what_is_not_there(s):
    for verb in VERBS:
        check("no run yet" in refused(s, 3, verb), verb)
        check("nonesuch" in refused(s, 3, verb, "nonesuch"), verb)
        check("nonesuch.infprof" in refused(s, 3, verb, "./nonesuch.infprof"), verb)
        check("no engine with pid 4711" in refused(s, 3, verb, "4711"), verb)
    with open(s.path("text.infprof"), "w", encoding="utf-8") as f:
        f.write("no run\n")
    for verb in VERBS:
        check("text.infprof" in refused(s, 3, verb, s.path("text.infprof")), verb)


@case
def unwritable_output_is_said(s):
    api = fake(s)
    with open("/dev/full", "w", encoding="utf-8") as full:
        for verb in VERBS:
            for more in ([], ["--json"]):
                got = subprocess.run([s.cli, verb, *more, "x"], env=s.env(), stdout=full, stderr=subprocess.PIPE, text=True,
                                     check=False)
                equal(got.returncode, 1, verb)
                one_line(got.stderr, verb)
    api.close()


# Of run files.

def made(s, name="20261121-090000-5001"):
    os.makedirs(s.path("state/infprof/runs"), exist_ok=True)
    path = s.path(f"state/infprof/runs/{name}.infprof")
    s.run([s.built("tests/unit/make-run"), "--memory", path], preload=False)
    return path


def change(path, *statements):
    with sqlite3.connect(path) as db:
        for statement in statements:
            db.execute(*statement)
    db.close()


@case
def stacks_off_the_cpu_are_of_the_run_file(s):
    path = made(s)
    row = "INSERT INTO off_cpu VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    equal(json.loads(s.infprof("threads", "--json", path).stdout)["off_cpu"], [], "none")
    change(path, (row, (0, 0, 3, 3, 6, "1,2,3", 7, 1_000)), (row, (0, 1, 0, 1, 1, "4,3", 2, 3_000)))
    got = json.loads(s.infprof("threads", "--json", path).stdout)["off_cpu"]
    equal([(o["block"], o["op"], o["phase"], [f["function"] for f in o["frames"]], o["count"], o["total_ns"]) for o in got],
          [("io", None, "load", ["ggml_aligned_malloc", "main"], 2, 3_000),
           ("preempted", "graph", "decode", ["ggml_new_graph_custom", "llama_decode", "main"], 7, 1_000)], "longest first")
    equal(s.infprof("flame", "--offcpu", "--folded", path).stdout,
          "main;ggml_aligned_malloc_[i];[io] 3000\nmain;llama_decode;ggml_new_graph_custom;[op graph];[preempted] 1000\n", "drawn")
    for given, wanted in (("1,2,2,2,3", "1,2,2,2,3"), ("1,3,3,3", "1,3,3,3"), ("1,2" + 60 * ",3", "1,2,3"), ("2" + 63 * ",2", "2,0"), ("3", "3"), ("1,2", "1,2,0")):
        change(path, ("DELETE FROM off_cpu", ()), (row, (0, 5, 0, 3, 6, given, 1, 10)))
        names = {0: None, 1: "ggml_new_graph_custom", 2: "llama_decode", 3: "main"}
        got = json.loads(s.infprof("threads", "--json", path).stdout)["off_cpu"][0]["frames"]
        equal([f["function"] for f in got], [names[int(n)] for n in wanted.split(",")], f"a chain that leads to itself: {given}")
    change(path, ("CREATE TEMP TABLE odd AS SELECT * FROM frame WHERE frame = 1", ()),
           ("UPDATE odd SET frame = 900, function = NULL, library = NULL, offset = 8397279064376737792", ()),
           ("INSERT INTO frame SELECT * FROM odd", ()), ("UPDATE odd SET frame = 901, offset = 0x7f0011223344", ()),
           ("INSERT INTO frame SELECT * FROM odd", ()), ("DELETE FROM off_cpu", ()), (row, (0, 5, 0, 3, 6, "1,901,2,900,3", 1, 10)))
    got = json.loads(s.infprof("threads", "--json", path).stdout)["off_cpu"][0]["frames"]
    equal([f["function"] for f in got], [names[1], None, names[2], None], "what is no address, and what it led to")
    for bad in ((0, 2, 0, 1, 1, "4,99999", 2, 3_000), (0, 2, 77, 1, 1, "4", 2, 3_000), (9, 2, 0, 1, 1, "4", 2, 3_000)):
        change(path, ("DELETE FROM off_cpu WHERE stack = 2", ()), (row, bad))
        said = refused(s, 3, "threads", path)
        check("off_cpu" in said, f"{bad}: {said}")


@case
def runs_that_cut_their_work_well_and_badly(s):
    """Those by which the documents are tested, as they are printed."""
    found = 0
    for kind in ("bare", "convoy", "crowded", "fine", "healthy", "lone", "ousted", "pinned", "small", "uneven", "whole"):
        path = s.path(f"{kind}.infprof")
        s.run([s.built("tests/unit/make-run"), "--work", kind, path], preload=False)
        for verb in VERBS:
            text = on_terminal(s, 80, verb, path)
            widest = max(text.splitlines(), key=len)
            check(len(widest) <= 80, f"{verb} of {kind}: {widest}")
            check(not re.search(r"nan\b|\(null\)|18446744| -\d", text), f"{verb} of {kind}: {text}")
        findings = json.loads(s.infprof("explain", "--json", path).stdout)["findings"]
        text = printed(s, "explain", "-n", "0", path)
        for i, finding in enumerate(findings):
            check(f"{i + 1}. {finding['title']} [{finding['id']}]" in text, f"{finding['title']} of {kind}: {text}")
            found += 1
        equal("nothing wrong was found" in text, not findings, kind)
    check(found >= 5, f"{found} findings were printed")


@case
def a_run_of_nothing_but_memory(s):
    """Such as an older infprof kept, or one with --waits off."""
    path = made(s)
    for verb in VERBS:
        text = printed(s, verb, path)
        check("nan" not in text and "(null)" not in text, text)


main()
