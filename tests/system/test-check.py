# SPDX-License-Identifier: MIT
"""infprof check: conditions on runs that make-run wrote, on the real llama.cpp, and those that make no sense."""

import json
import os
import sqlite3
import xml.etree.ElementTree as ET

from harness import case, check, equal, main, near, one_line


def make_run(s, name="run", kind=None):
    os.makedirs(s.path("state/infprof/runs"), exist_ok=True)
    path = s.path(f"{name}.infprof")
    s.run([s.built("tests/unit/make-run"), *([kind] if kind else []), path], preload=False)
    return path


def held(s, code, *args):
    run = s.infprof("check", "--json", *args, code=code)
    equal(run.stderr == "", code != 2, f"stderr: {run.stderr}")
    doc = json.loads(run.stdout)
    s.validate(doc, "doc/check.schema.json")
    counts = {v: doc[k] for v, k in (("pass", "passed"), ("fail", "failed"), ("unknown", "unknown"), ("malformed", "malformed"))}
    equal(counts, {v: sum(c["verdict"] == v for c in doc["conditions"]) for v in counts}, "counts")
    return doc


def refused(s, code, *args):
    run = s.infprof("check", *args, code=code)
    one_line(run.stderr, " ".join(args))
    equal(run.stdout, "", "stdout")
    return run.stderr


@case
def values_are_those_of_the_documents(s):
    path = make_run(s)
    report = json.loads(s.infprof("report", "--json", path).stdout)
    op = report["ops"][0]
    doc = held(s, 1, path, "wall > 0s", f"calls('{op['name']}') == {op['calls']}", f"p99('{op['name']}') < 1ns",
               "tokens_per_second > 1000000", "lost == 0")
    equal([c["verdict"] for c in doc["conditions"]][:3], ["pass", "pass", "fail"], "verdicts")
    equal(doc["conditions"][0]["value"], report["run"]["duration_ns"], "wall")
    equal(doc["conditions"][2]["value"], op["p99_ns"], "p99")
    equal([c["unit"] for c in doc["conditions"]], ["ns", None, "ns", None, None], "units")
    memory = make_run(s, "memory", "--memory")
    totals = json.loads(s.infprof("memory", "--json", memory).stdout)["totals"]
    doc = held(s, 0, memory, "memory.peak > 1B", "memory.totals.live_bytes <= memory.peak")
    equal(doc["conditions"][0]["value"], totals["peak_bytes"], "peak")


@case
def a_table_and_the_exit_code(s):
    path = make_run(s)
    run = s.infprof("check", path, "wall > 0s", "lost == 0")
    lines = run.stdout.splitlines()
    equal([line.split()[0] for line in lines[1:]], ["pass", "pass"], "verdicts")
    run = s.infprof("check", path, "wall > 0s", "lost != 0", code=1)
    equal([line.split()[0] for line in run.stdout.splitlines()[1:]], ["pass", "FAIL"], "verdicts")
    check("lost != 0" in run.stdout, run.stdout)


@case
def a_baseline(s):
    a, b = make_run(s, "a", "--memory"), make_run(s, "b", "--memory-improved")
    doc = held(s, 1, "--baseline", a, b, "memory.totals.calls < baseline", "memory.totals.calls >= baseline * 1.5",
               "baseline(memory.peak) / memory.peak > 0")
    calls = [json.loads(s.infprof("memory", "--json", x).stdout)["totals"]["calls"] for x in (a, b)]
    equal([doc["conditions"][0]["limit"], doc["conditions"][0]["value"]], calls, "of the baseline, and of the run")
    near(doc["conditions"][1]["limit"], calls[0] * 1.5, 1e-9, "times")
    check(doc["baseline"], "whose it was")


@case
def conditions_from_a_file(s):
    path = make_run(s)
    with open(s.path("gate"), "w", encoding="utf-8") as f:
        f.write("# a gate\n\n  wall > 0s   # always\nlost == 0\n")
    equal(held(s, 0, path, "--file", s.path("gate"), "exit_code == 0")["passed"], 3, "passed")
    with open(s.path("gate"), "a", encoding="utf-8") as f:
        f.write("wal > 0s\n")
    run = s.infprof("check", path, "--file", s.path("gate"), code=2)
    text = run.stderr
    one_line(text, "of the third")
    equal([line.split()[0] for line in run.stdout.splitlines()[1:]], ["pass", "pass"], "the others")
    check("gate:5: " in text and "column 1" in text and "near: wall" in text, text)
    check("No such file" in refused(s, 2, path, "--file", s.path("no")), "a file that is not there")


@case
def junit(s):
    path = make_run(s)
    s.infprof("check", path, "--junit", s.path("j.xml"), "wall > 0s", "p99('a<b') < 1", "lost != 0", code=2)
    suite = ET.parse(s.path("j.xml")).getroot()
    equal({k: suite.get(k) for k in ("tests", "failures", "errors")}, {"tests": "3", "failures": "1", "errors": "1"}, "counts")
    equal([[e.tag for e in t] for t in suite.iter("testcase")], [[], ["error"], ["failure"]], "of each")
    equal(suite.find(".//error").get("message"), "column 1: there is no op 'a<b'", "message")
    s.infprof("check", path, "--junit", s.path("j.xml"), "wall > 0s", "lost < 0", "mean(decode) < 1ns", code=1)
    suite = ET.parse(s.path("j.xml")).getroot()
    cases = {t.get("name"): t.find("failure") for t in suite.iter("testcase")}
    equal((suite.get("tests"), int(suite.get("failures")) >= 1), ("3", True), "counts")
    equal((cases["wall > 0s"], cases["lost < 0"] is not None), (None, True), "failures")
    out = s.infprof("check", path, "--junit", "-", "wall > 0s").stdout
    equal(ET.fromstring(out).get("failures"), "0", "on stdout")


@case
def one_that_makes_no_sense_hides_no_other(s):
    path = make_run(s)
    with open(s.path("gate"), "w", encoding="utf-8") as f:
        f.write("lost == 0\nwall <\n" + "x" * 5000 + "\nexit_code == 0\n")
    args = (path, "wall > 0s", "nosuch(x) < 1", "lost != 0", "--file", s.path("gate"))
    run = s.infprof("check", *args, code=2)
    equal([line.split()[0] for line in run.stdout.splitlines()[1:]], ["pass", "pass", "pass", "FAIL"], "verdicts")
    errors = run.stderr.splitlines()
    equal(len(errors), 3, run.stderr)
    for line, words in zip(errors, ("gate:2: wall <: column 7", "gate:3: xxx", "condition 2: nosuch(x) < 1: column 1: ")):
        check(words in line, line)
    doc = held(s, 2, *args)
    equal([c["verdict"] for c in doc["conditions"]],
          ["pass", "malformed", "malformed", "pass", "pass", "malformed", "fail"], "verdicts")
    check("too long" in doc["conditions"][2]["why"] and "nosuch" in doc["conditions"][5]["why"], "why")


@case
def what_is_told_is_short(s):
    path = make_run(s)
    for condition in ("(" * 20000, "wall < 1s + " + "é" * 20000 + " + 1", "a" * 20000 + " < 1", "wall < 1" + "q" * 20000):
        line = refused(s, 2, path, "wall < " + condition)
        check(len(line) < 400, f"{len(line)} cells")
        check("..." in line and "column " in line and "\ufffd" not in line, line)


@case
def a_mistyped_member_of_what_the_run_has_not_is_refused(s):
    path = make_run(s)
    report = json.loads(s.infprof("report", "--json", path).stdout)
    equal(report["requests"], None, "this run has no requests")
    check("near: success_rate" in refused(s, 2, path, "requests.sucess_rate >= 0.99"), "near")
    equal(held(s, 1, path, "requests.success_rate >= 0.99")["unknown"], 1, "not known")
    check("near: total" in refused(s, 2, path, "ledger.wall.totl_ns > 0"), "of other documents")


@case
def names_that_documents_and_the_report_share(s):
    path = make_run(s, "memory", "--memory")
    report = json.loads(s.infprof("report", "--json", path).stdout)
    doc = held(s, 0, path, "memory.peak_bytes > 0", "memory.totals.peak_bytes == memory.peak_bytes", "spawns.total >= 0",
               "memory.alloc_calls == report.memory.alloc_calls")
    equal([doc["conditions"][i]["value"] for i in (0, 2)], [report["memory"]["peak_bytes"], report["spawns"]["total"]], "values")
    check("near: peak_bytes" in refused(s, 2, path, "memory.peek_bytes > 0"), "near")
    path = make_run(s)
    report = json.loads(s.infprof("report", "--json", path).stdout)
    doc = held(s, 0, path, "threads[0].calls == threads[0].calls" if "calls" in report["threads"][0] else
               "threads[0].tid == report.threads[0].tid")
    check(doc["conditions"][0]["value"] is not None, "of a thread")


@case
def a_counter_at_its_end_is_at_least_so_much(s):
    path = make_run(s)
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO counter VALUES (0, 0, 'full', 9223372036854775807, 3)")
    db.close()
    doc = held(s, 1, path, "counters[full].total > 5", "counters[full].total < 5", "counters[full].total < 1e30")
    equal([c["verdict"] for c in doc["conditions"]], ["pass", "fail", "unknown"], "verdicts")
    equal({c["value_is"] for c in doc["conditions"]}, {"at least"}, "what the value is")
    check("at least 9.2" in s.infprof("check", path, "counters[full].total > 5").stdout, "for people")


@case
def an_op_that_the_baseline_has_not(s):
    a, b = make_run(s, "a", "--memory"), make_run(s)
    line = refused(s, 2, "--baseline", a, b, "p99('MUL_MAT') < baseline * 1.1")
    check("column 18: there is no op 'MUL_MAT' in the baseline run" in line, line)


@case
def what_makes_no_sense_is_refused(s):
    path = make_run(s)
    for args, words in (
            ((path,), "which conditions?"),
            ((path, "wall"), "a comparison is expected"),
            ((path, "wall <"), "column 7"),
            ((path, "wall < 3"), "a time is compared with a number without unit"),
            ((path, "spwns.per_token < 1"), "near: spawns.per_token"),
            ((path, "p99(decode) < baseline"), "--baseline RUN"),
            ((path, "--json", "--junit", "-", "wall > 0s"), "both want stdout"),
            ((path, "wall > 0s", "--frobnicate"), "unknown option"),
    ):
        check(words in refused(s, 2, *args), f"{words} of {args}")
    refused(s, 3, s.path("no.infprof"), "wall > 0s")
    refused(s, 3, "--baseline", "nobody", path, "wall > baseline")


@case
def of_the_real_llama(s):
    run = s.run(s.llama("--model", s.model("tiny"), "--tokens", "40"), timeout=100)
    s.report(run)
    report = json.loads(s.infprof("report", "--json").stdout)
    doc = held(s, 1, "p99(decode) < 1 min", "p50(decode) <= p99(decode)", "alloc.per_token == 0", "spawns.per_token < 0.01",
               "tokens_per_second > 0", "share(MUL_MAT) < 100 %", "ledger.own[compute].share > 0")
    equal([c["verdict"] for c in doc["conditions"]], ["pass", "pass", "fail", "pass", "pass", "pass", "pass"], "verdicts")
    near(doc["conditions"][4]["value"], report["tokens"]["per_second"], 1e-9, "tokens/s")
    near(doc["conditions"][0]["value"], report["tokens"]["p99_ns"], 1e-9, "p99")
    equal(held(s, 0, "--baseline", "latest", "tokens_per_second >= baseline * 0.97")["passed"], 1, "against itself")


main()
