# SPDX-License-Identifier: MIT
"""infprof ab: two commands in turns, kept and compared; with the real shim, on tinyengine and on the real llama.cpp."""

import json
import os
import signal
import time

from harness import case, check, equal, main, near, one_line, wait_until

DECODE = "libtinykernels.so:tk_matmul,libtinykernels.so:tk_attention,libtinykernels.so:tp_decode=decode"


def ab(s, *args, code=0, **more):
    run = s.infprof("ab", *args, code=code, **more)
    if code or "--json" not in args:
        return run
    doc = json.loads(run.stdout)
    s.validate(doc, "doc/diff.schema.json")
    return doc


def slower_sooner_or_later(s, *args):
    """The document of what is much slower. On a machine that has other things to do, some runs take many times as
    long: then it may take another set of them."""
    for attempt in range(4):
        doc = ab(s, "--json", "-o", s.path(f"set{attempt}"), *args)
        if doc["verdict"] == "slower":
            break
    equal(doc["verdict"], "slower", doc["because"])
    return doc, s.path(f"set{attempt}")


def trials(s, folder):
    with open(s.path(f"{folder}/trials.json"), encoding="utf-8") as f:
        return json.load(f)["trials"]


@case
def bare_commands_are_about_wall_time(s):
    doc, folder = slower_sooner_or_later(s, "--bare", "--runs", "5", "--", "sleep", "0.01", "---", "sleep", "0.3")
    equal(doc["measure"]["name"], "wall time", "measure")
    check(0.2e9 < doc["measure"]["b"] < 5e9, f"wall time: {doc['measure']}")
    equal(doc["whole"], None, "nothing explains it")
    equal([len(doc[side]["runs"]) for side in "ab"], [5, 5], "runs")
    equal(os.listdir(f"{folder}/a"), ["trials.json"], "no run files")
    equal([o["what"] for o in doc["surroundings"]], ["command"], "what is different around them")
    again = json.loads(s.infprof("diff", "--json", f"{folder}/b", f"{folder}/a").stdout)
    equal(again["verdict"], "faster", "the other way round, read again")


@case
def they_run_in_turns(s):
    log = s.path("log")
    ab(s, "--bare", "--runs", "4", "--warmup", "0", "-o", s.path("set"), "--", "sh", "-c", f"printf a >> {log}", "---",
       "sh", "-c", f"printf b >> {log}")
    with open(log, encoding="utf-8") as f:
        equal(f.read(), "abbaabba", "turns")


@case
def runs_are_kept_and_compared(s):
    engine = [s.tinyengine, "--tokens", "60", "--dim", "128", "--layers", "2"]
    doc, folder = slower_sooner_or_later(s, "--runs", "5", "-k", DECODE, "--", *engine, "---", *engine, "--slow", "tk_matmul:200")
    check(doc["measure"]["name"] in ("time a token", "undisturbed time a token"), f"measure: {doc['measure']['name']}")
    matmul = next(o for o in doc["ops"] if o["op"] == "tk_matmul")
    check(matmul["changed"] and matmul["effect"] > 0.9, f"named: {matmul}")
    for key in ("a", "b", "delta"):
        near(sum(o["self_ns"][key] for o in doc["ops"]), doc["whole"][key], 1e-9, key)
    for key in ("a", "b"):
        near(sum(o[key] for o in doc["figures"] if o["group"] == "ledger"), doc["whole"][key], 1e-6, f"rows of the ledger, {key}")
    equal(len([f for f in os.listdir(f"{folder}/a") if f.endswith(".infprof")]), 5, "run files")
    check(not [f for f in os.listdir(f"{folder}/a") if f.startswith(".")], "nothing else")
    check("command" in [o["what"] for o in doc["surroundings"]], "the commands differ")
    one = json.loads(s.infprof("diff", "--json", f"{folder}/a/0001.infprof", f"{folder}/b/0001.infprof").stdout)
    check("nothing of how runs vary" in " ".join(one["notes"]), "single runs tell nothing of runs")


@case
def an_environment_that_differs_is_said(s):
    engine = [s.tinyengine, "--tokens", "5"]
    doc = ab(s, "--runs", "4", "--json", "-o", s.path("set"), "--", "env", "OMP_NUM_THREADS=1", "API_TOKEN=abc", *engine, "---",
             "env", "OMP_NUM_THREADS=2", "API_TOKEN=xyz", *engine)
    around = {o["what"]: (o["a"], o["b"]) for o in doc["surroundings"]}
    equal(around.get("environment OMP_NUM_THREADS"), (["1"], ["2"]), f"environment: {around}")
    text = json.dumps(doc)
    check("API_TOKEN=abc" not in text and '"xyz"' not in text, "secrets are not kept")


@case
def commands_that_fail_are_counted(s):
    flag = s.path("flag")
    half = ["sh", "-c", f"if test -e {flag}; then rm {flag}; exit 3; else touch {flag}; fi"]
    run = ab(s, "--bare", "--runs", "8", "--warmup", "0", "-o", s.path("set"), "--", "true", "---", *half)
    check("4 of 8 runs of B failed" in run.stderr, run.stderr)
    equal(sum(t["failed"] is not None for t in trials(s, "set/b")), 4, "failures")
    doc = json.loads(s.infprof("diff", "--json", s.path("set/a"), s.path("set/b")).stdout)
    equal((len(doc["b"]["runs"]), len(doc["b"]["left_out"])), (4, 4), "left out")
    run = ab(s, "--bare", "--runs", "3", "-o", s.path("none"), "--", "true", "---", "sh", "-c", "echo oops >&2; exit 3", code=1)
    one_line(run.stderr, "no run succeeded")
    check("exit code 3" in run.stderr and "oops" in run.stderr, run.stderr)
    run = ab(s, "--bare", "--runs", "2", "--warmup", "0", "--max-time", "200ms", "-o", s.path("long"), "--", "true", "---", "sleep", "60", code=1)
    check("over its time" in run.stderr, run.stderr)


@case
def what_is_typed_wrongly(s):
    for code, args in ((2, []), (2, ["true"]), (2, ["--", "true", "---"]), (2, ["---", "true"]), (2, ["--runs", "0", "true", "---", "true"]),
                       (2, ["--runs", "x", "true", "---", "true"]), (2, ["true", "---", "true", "---", "true"]),
                       (2, ["--bare", "-k", "x:y", "true", "---", "true"]), (2, ["--max-time", "0", "true", "---", "true"]),
                       (2, ["--by", "x", "true", "---", "true"]), (2, ["--bogus", "true", "---", "true"]), (2, ["-o", "", "true", "---", "true"]),
                       (1, ["-o", s.path("nonesuch/set"), "true", "---", "true"]), (1, ["-o", s.path("run"), "true", "---", "true"]),
                       (3, ["--bare", "-o", s.path("set"), "/nonesuch/command", "---", "true"]),
                       (3, ["--bare", "-o", s.path("set"), "true", "---", "/nonesuch/command"]),
                       (3, ["--bare", "--warmup", "0", "-o", s.path("set"), "true", "---", "/nonesuch/command"]),
                       (3, ["-o", s.path("set"), "true", "---", "/nonesuch/command"])):
        run = ab(s, *args, code=code)
        one_line(run.stderr, f"ab {args}")
        equal(run.stdout, "", "stdout")
        check(not os.path.exists(s.path("set")), f"nothing is left behind by {args}")


@case
def what_can_no_longer_be_run_leaves_what_was_measured(s):
    gone, count = s.path("gone"), s.path("count")
    with open(gone, "w", encoding="utf-8") as f:
        f.write(f'#!/bin/sh\necho x >> {count}\ntest $(wc -l < {count}) -lt 3 || rm "$0"\n')
    os.chmod(gone, 0o755)
    folder = s.path("set")
    run = ab(s, "--bare", "--warmup", "1", "--runs", "8", "-o", folder, "--", "true", "---", gone, code=3)
    one_line(run.stderr, "cannot run")
    check(f"{folder}/a {folder}/b" in run.stderr and "2 runs are kept" in run.stderr, run.stderr)
    doc = json.loads(s.infprof("diff", "--json", f"{folder}/a", f"{folder}/b").stdout)
    equal(len(doc["b"]["runs"]), 2, "runs of what is gone")


@case
def an_interrupt_leaves_what_was_measured(s):
    for bare in (["--bare"], []):
        folder = s.path("set" + str(len(bare)))
        engine = ["sleep", "0.1"] if bare else [s.tinyengine, "--tokens", "20"]
        run = s.start([s.cli, "ab", *bare, "--runs", "200", "-o", folder, "--", *engine, "---", *engine], preload=False)

        def enough():
            try:
                with open(f"{folder}/b/trials.json", encoding="utf-8") as f:
                    return len(json.load(f)["trials"]) >= 2
            except OSError:
                return False
        wait_until(enough, 60, "two runs of B")
        time.sleep(0.05)
        os.kill(run.pid, signal.SIGINT)
        run.wait(60)
        equal(run.returncode, 130, "exit code")
        check("are kept" in run.stderr, run.stderr)
        doc = json.loads(s.infprof("diff", "--json", f"{folder}/a", f"{folder}/b").stdout)
        s.validate(doc, "doc/diff.schema.json")
        check(len(doc["b"]["runs"]) >= 2 and not doc["b"]["left_out"], f"readable: {doc['b']}")


@case
def the_real_llama_is_compared(s):
    llama = s.llama("--model", s.model("small"), "--threads", 1, "--quiet")
    doc, folder = slower_sooner_or_later(s, "--runs", "5", "--by", "wall", "--", *llama, "--tokens", 8, "---", *llama, "--tokens", 250)
    for rows in ("ops", "rows"):
        for key in ("a", "b", "delta"):
            near(sum(o["self_ns"][key] for o in doc[rows]), doc["whole"][key], 1e-9, f"{rows}, {key}")
    products = [o for o in doc["rows"] if o["op"] == "MUL_MAT" and o["layer"] == 3 and o["part"] == "mlp" and o["shape"]]
    check(products, "a product on a shape in a layer")
    check(max(o["calls"]["ratio"] or 0 for o in products) > 5, f"more calls: {products}")
    tokens = next(o for o in doc["figures"] if o["name"] == "tokens generated")
    equal((tokens["a"], tokens["b"], tokens["effect"]), (8, 250, 1), "tokens")
    token = json.loads(s.infprof("diff", "--json", f"{folder}/a", f"{folder}/b").stdout)
    equal([o["what"] for o in token["surroundings"]], ["command"], "what is different around them")
    equal(token["whole"]["of"], "token", "by the time of a token, unless told")
    check(any("decoded" in note for note in token["notes"]), f"more tokens: {token['notes']}")


main()
