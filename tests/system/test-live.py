# SPDX-License-Identifier: MIT
"""The command with the real daemon, the real shim and an engine that runs."""

import json
import os
import re
import signal

from harness import case, check, equal, main, near, wait_until
from terminal import Terminal

KERNELS = "libtinykernels.so:tk_*"


def engine(s, *args, tokens=100000, pace=2):
    """The engine under infprof record; it runs until it is killed, or all tokens are there."""
    run = s.start([s.cli, "record", "--kernels", KERNELS, s.tinyengine, "--tokens", str(tokens), "--pace",
                   str(pace), *args], preload=False)
    wait_until(lambda: run.returncode is not None or top(s, code=None), 15, "the engine is seen")
    check(run.returncode is None, run.stderr)
    return run


def end(run):
    """Ends the engine under record, and record with it."""
    run.kill(signal.SIGTERM)
    equal(run.wait(20), -signal.SIGTERM, "end of record")


def top(s, *args, code=0):
    """The document, once there are ops in it; None where there is none."""
    run = s.infprof("top", "--once", "--json", *args, code=code)
    document = json.loads(run.stdout) if run.returncode == 0 else None
    return document if document and document["ops"] else None


def calls(document):
    return {op["name"]: op["calls"] for op in document["ops"]}


@case
def top_shows_what_runs(s):
    run = engine(s, "--threads", "2")
    first = top(s)
    then = wait_until(lambda: (lambda d: d if d["now"]["at_ns"] > first["now"]["at_ns"] + 2e9 else None)(top(s)),
                      15, "two seconds later")
    check(then["run"]["live"] and then["run"]["exit"] is None, then["run"])
    check("tinyengine" in then["run"]["command"] and then["run"]["id"].endswith(f"-{then['run']['pid']}"), then["run"])
    check(set(calls(then)) >= {"tk_matmul", "tk_rmsnorm", "tk_attention", "tk_swiglu"}, calls(then))
    for name, n in calls(first).items():
        check(calls(then)[name] >= n, f"calls of {name} never go backwards")
    near(sum(op["self_share"] for op in then["ops"]), 1, 0.01, "sum of self shares")
    for op in then["ops"]:
        check(len(op["spark"]) == 60 and sum(op["spark"]) <= op["calls"], f"sparkline of {op['name']}")
        check(op["p50_ns"] <= op["p95_ns"] <= op["p99_ns"] <= op["max_ns"], f"quantiles of {op['name']}")
        check(op["self_ns"] <= op["total_ns"], f"self of {op['name']}")
        equal(sum(t["calls"] for t in op["threads"]), op["calls"], f"calls of {op['name']}, by thread")
    live = [t for t in then["threads"] if t["state"] == "live"]
    equal(len(live), then["now"]["threads_live"], "threads that live")
    check(then["now"]["spans_per_second"] > 0 and then["now"]["live_bytes"] > 0, then["now"])
    # by pid and by id it is the same
    equal(top(s, str(then["run"]["pid"]))["run"]["id"], then["run"]["id"], "by pid")
    equal(top(s, then["run"]["id"])["run"]["pid"], then["run"]["pid"], "by id")
    text = s.infprof("top", "--once").stdout
    check("tk_matmul" in text and "tinyengine" in text, text)
    end(run)


@case
def memory_of_what_runs(s):
    run = engine(s, "--alloc", "op", pace=5)
    wait_until(lambda: top(s)["memory"]["live_spark"][-3] is not None, 15, "three seconds")
    document = top(s)
    memory = document["memory"]
    for member in ("calls", "asked_bytes", "frees", "failed_calls", "calls_per_second", "bytes_per_second",
                   "frees_per_second", "net_bytes_per_second"):
        for table in ("ops", "phases"):
            near(sum(row[member] for row in memory[table]), memory[member], 1e-9, f"{member}, by {table}")
        if not member.endswith("_second"):
            for op in memory["ops"]:
                equal(sum(part[member] for part in op["phases"]), op[member], f"{member} of {op['name']}, by phase")
    for table in ("ops", "phases"):
        equal(sum(row["net_bytes"] for row in memory[table]), document["now"]["live_bytes"], f"live, by {table}")
    # each kernel takes its scratch memory and gives it back; a block a call
    matmul = next(op for op in memory["ops"] if op["name"] == "tk_matmul")
    timed = next(op for op in document["ops"] if op["name"] == "tk_matmul")
    check(matmul["calls_per_second"] > 100, matmul)
    near(matmul["calls_per_second"], timed["calls_per_second"], 0.02, "allocations and calls a second")
    near(matmul["calls"], matmul["frees"], 0.02, "frees")
    check(sum(matmul["spark"]) <= matmul["calls"] and len(matmul["spark"]) == 60, matmul["spark"])
    equal(len(memory["live_spark"]), 60, "seconds")
    # the places: of an op as it is open, in use no more than was sampled there
    equal(memory["heap_interval_bytes"], 512 << 10, "interval")
    wait_until(lambda: any(site["op"] == "tk_softmax" for site in top(s)["memory"]["sites"]), 20, "a sample in an op")
    for site in top(s)["memory"]["sites"]:
        check(site["name"] and site["samples"] > 0 and site["inuse_bytes"] <= site["alloc_bytes"], site)
    known = [n for n in memory["live_spark"] if n is not None]
    check(max(known) <= memory["peak_bytes"] + (64 << 10), (max(known), memory["peak_bytes"]))
    end(run)


@case
def sites_of_every_allocation_are_what_ops_count(s):
    s.daemon_start("--stay")
    run = s.run([s.cli, "record", "--heap-interval", "1", "--kernels", KERNELS, s.tinyengine, "--tokens", "60",
                 "--alloc", "op", "--threads", "2"], preload=False)
    equal(run.returncode, 0, "exit")
    memory = top(s, json.loads(s.infprof("runs", "--json").stdout)["runs"][0]["id"])["memory"]
    equal(memory["heap_interval_bytes"], 1, "interval")
    objects, bytes_in_use = {}, {}
    for site in memory["sites"]:
        name = site["op"] or "(not in any op)"
        objects[name] = objects.get(name, 0) + site["alloc_objects"]
        bytes_in_use[name] = bytes_in_use.get(name, 0) + site["inuse_bytes"]
    kernels = {op["name"]: op for op in memory["ops"] if op["name"].startswith("tk_")}
    check(len(kernels) >= 4, sorted(kernels))
    equal({name: objects.get(name) for name in kernels}, {name: op["calls"] for name, op in kernels.items()},
          "allocations by op, of sites and of ops")
    equal({name: bytes_in_use.get(name) for name in kernels}, {name: op["net_bytes"] for name, op in kernels.items()},
          "bytes in use")


@case
def the_memory_tab_of_what_runs(s):
    run = engine(s, "--alloc", "op")
    terminal = Terminal(s, 80, 24)
    try:
        terminal.infprof("top", "-d", "0.2")
        terminal.shows("tk_matmul")
        terminal.type("4")
        terminal.shows("live, last minute", "by op", "tk_matmul", "(not in any op)", "one sample in 512K")
        terminal.type("v")
        terminal.shows("PHASE")
        terminal.type("v")
        terminal.shows("SITE", "tk_softmax", seconds=20)
        terminal.type("q")
        terminal.shows("exit=0")
    finally:
        terminal.close()
    end(run)


@case
def the_screen_follows_an_engine_to_its_end(s):
    run = engine(s)
    terminal = Terminal(s, 100, 30)
    try:
        terminal.infprof("top", "-d", "0.2")
        terminal.shows("tk_matmul", "tinyengine", "q quit")
        terminal.type("t")
        terminal.shows("└")
        terminal.type("2")
        terminal.shows("THREAD", "live")
        terminal.type("1")
        os.kill(top(s)["run"]["pid"], signal.SIGKILL)
        equal(run.wait(20), -signal.SIGKILL, "end of record")
        terminal.shows("ended: killed by SIGKILL", "tk_matmul")
        terminal.type("q")
        terminal.shows("exit=0")
    finally:
        terminal.close()


@case
def paused_ops_are_not_counted(s):
    run = engine(s)
    off = json.loads(s.infprof("pause", "--op", "tk_rms*", "--json").stdout)
    equal((off["changed"], off["ops"]), (1, 1), "switched off")
    before = wait_until(lambda: top(s), 5, "top")
    wait_until(lambda: calls(top(s))["tk_matmul"] > calls(before)["tk_matmul"] + 100, 15, "matmul goes on")
    before = top(s)
    wait_until(lambda: calls(top(s))["tk_matmul"] > calls(before)["tk_matmul"] + 100, 15, "matmul goes on")
    equal(calls(top(s))["tk_rmsnorm"], calls(before)["tk_rmsnorm"], "rmsnorm")
    status = json.loads(s.infprof("status", "--json").stdout)
    equal([p["paused_ops"] for p in status["processes"] if p["state"] == "live"], [1], "paused ops")
    check("(1 op paused)" in s.infprof("status").stdout, "status says so")
    equal(s.infprof("resume").stdout.split()[0], "1", "switched on")
    wait_until(lambda: calls(top(s))["tk_rmsnorm"] > calls(before)["tk_rmsnorm"], 15, "rmsnorm goes on")
    equal(s.infprof("pause", "--op", "nothing_*", code=1).stdout, "", "no such op")
    s.infprof("pause", "1", code=3)
    end(run)
    notes = [n for n in s.report()["notes"] if "switched off" in n]
    equal(len(notes), 1, "the report says that ops were paused")
    s.infprof("pause", code=3)


@case
def top_outlives_a_crash_of_the_daemon(s):
    run = engine(s)
    terminal = Terminal(s, 100, 30)
    try:
        terminal.infprof("top", "-d", "0.2")
        terminal.shows("tk_matmul", "q quit")
        before = top(s)
        for pid in s.daemons():
            os.kill(pid, signal.SIGKILL)
        after = wait_until(lambda: top(s, before["run"]["id"], code=None), 15, "another daemon has the engine")
        equal(after["run"]["pid"], before["run"]["pid"], "pid")
        terminal.shows("tk_matmul", "q quit", gone=["crashed", "broke off"])
    finally:
        terminal.close()
    for name, n in calls(before).items():
        check(calls(after)[name] >= n, f"calls of {name} never go backwards")
    end(run)
    last = run.stderr.strip().splitlines()[-1]
    check("the run is kept in" in last, run.stderr)
    report = s.report(None, before["run"]["id"])
    equal(report["run"]["exit"]["signal"], signal.SIGTERM, "how it ended")


@case
def stop_and_start_again(s):
    run = engine(s)
    before = top(s)
    equal(s.infprof("stop").stdout, "infprofd has ended\n", "stop")
    equal(s.daemons(), [], "daemons")
    equal([n for n in s.strangers(but=()).values() if n in ("infprofd", "infprof-load", "infprof-symbols")], [], "children of one")
    s.infprof("status", code=3)
    after = wait_until(lambda: top(s, before["run"]["id"], code=None), 15, "another daemon has the engine")
    for name, n in calls(before).items():
        check(calls(after)[name] >= n, f"calls of {name} never go backwards")
    end(run)


@case
def record_tells_where_and_how(s):
    run = s.infprof("record", "-o", s.path("x.infprof"), "--kernels", KERNELS, s.tinyengine, "--tokens", "5")
    check(run.stderr.strip().splitlines()[-1].endswith("infprof report " + s.path("x.infprof")), run.stderr)
    report = s.report(None, s.path("x.infprof"))
    equal(report["run"]["exit"], {"code": 0}, "exit")
    check(report["ops"], "ops")
    run = s.infprof("record", "sh", "-c", f"{s.tinyengine} --tokens 3; exit 4", code=4)
    path = re.search(r"kept in (\S+);", run.stderr).group(1)
    report = s.report(None, path)
    equal(report["run"]["exit"], {"code": 4}, "exit of the shell")
    equal(report["run"]["command"], f"sh -c '{s.tinyengine} --tokens 3; exit 4'", "command")


@case
def a_file_that_is_replaced_is_one_run(s):
    for _ in range(2):
        s.infprof("record", "-f", "-o", s.path("x.infprof"), s.tinyengine, "--tokens", "3")
    names = sorted(os.listdir(s.path("state/infprof/runs")))
    equal(len(names), 2, "links")
    runs = json.loads(s.infprof("runs", "--json").stdout)["runs"]
    equal([r["id"] + ".infprof" for r in runs], names[1:], "runs")
    s.infprof("report", names[1][:-8])
    s.infprof("report", names[0][:-8], code=3)
    s.infprof("stop")
    s.infprof("report", names[0][:-8], code=3)


@case
def shares_of_hot_ops_that_nest_are_parts_of_a_whole(s):
    s.infprof("record", "--kernels", KERNELS + "~", s.tinyengine, "--tokens", "30")
    report = s.report()
    check(any(op.get("estimated") for op in report["ops"]), "hot ops")
    near(sum(op["share"] or 0 for op in report["ops"]), 1, 1e-6, "shares")


@case
def nobody_saw_the_end(s):
    run = s.start([s.tinyengine, "--tokens", "100000"], kernels=KERNELS)
    wait_until(lambda: top(s, str(run.pid), code=None), 15, "the engine is seen")
    wait_until(lambda: json.loads(s.infprof("runs", "--json").stdout)["runs"], 15, "its file is written")
    for pid in s.daemons():
        os.kill(pid, signal.SIGKILL)
    run.kill(signal.SIGKILL)
    run.wait(10)
    report = json.loads(s.infprof("report", "--json").stdout)
    equal((report["run"]["end"], report["run"]["exit"]), ("unknown", None), "how it ended")
    check(any("not known" in n for n in report["notes"]), report["notes"])


@case
def a_state_directory_that_cannot_be_written_is_said(s):
    os.rmdir(s.path("state"))
    with open(s.path("state"), "w") as f:
        f.write("a file")
    run = s.infprof("record", s.tinyengine, "--tokens", "3")
    lines = [l for l in run.stderr.splitlines() if l.startswith("infprof")]
    check(len(lines) == 1 and "no run will be kept" in lines[0], run.stderr)


@case
def without_a_daemon_there_is_one_line(s):
    for how in ("off", "/nonexistent/infprofd"):
        run = s.infprof("record", s.tinyengine, "--tokens", "3", env={"INFPROF_DAEMON": how})
        lines = [l for l in run.stderr.splitlines() if l.startswith("infprof")]
        check(len(lines) == 1 and "no run will be kept" in lines[0], run.stderr)


@case
def doctor_finds_all_in_order(s):
    doc = json.loads(s.infprof("doctor", "--json", s.tinyengine, code=None).stdout)
    bad = [c for c in doc["checks"] if c["level"] == "no"]
    equal(bad, [], "what is missing")
    check(doc["works"], "works")


@case
def every_endpoint_of_the_manual_is_there(s):
    with open(s.source("doc/infprof-api.7.scd"), encoding="utf-8") as f:
        endpoints = re.findall(r"^## (GET|POST|PUT) (\S+)$", f.read(), re.M)
    check(len(endpoints) >= 8, endpoints)
    s.daemon_start()
    for method, path in endpoints:
        if path == "/v1/stop":
            continue
        got = s.run(["curl", "-sS", "-X", method, "--unix-socket", s.path("run/infprof/api.sock"),
                     "-H", "Content-Type: application/json", *(["-d", "[]"] if method != "GET" else []),
                     "http://infprof" + path.replace("ID", "no-such-run")], preload=False)
        error = json.loads(got.stdout).get("error")
        wanted = 404 if "ID" in path else 400 if method != "GET" else None
        if method == "PUT":
            wanted = 404
        equal(error and error["status"], wanted, f"{method} {path}: {error}")
    s.daemon_stop()


@case
def the_manual_has_every_verb_and_option(s):
    with open(s.source("doc/infprof.1.scd"), encoding="utf-8") as f:
        manual = f.read()
    verbs = re.findall(r"^    (\w+)  +\S", s.infprof("--help").stdout.split("Verbs:")[1], re.M)
    check(len(verbs) > 8, verbs)
    for verb in verbs:
        check(f"*{verb}*" in manual, f"infprof(1) has {verb}")
        if verb in ("help", "version"):
            continue
        for option in re.findall(r"^ +(?:-\w, +)?(--[\w-]+)", s.infprof(verb, "--help").stdout, re.M):
            check(option in manual, f"infprof(1) has {verb} {option}")


main()
