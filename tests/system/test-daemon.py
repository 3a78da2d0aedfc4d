# SPDX-License-Identifier: MIT
"""infprofd: engines that come, go, lie and die; other daemons; its API; its disk."""

import contextlib
import ctypes
import http.client
import json
import os
import signal
import socket
import subprocess
import time
import urllib.parse

from harness import case, check, equal, main, near, one_line, skip, wait_until

KERNELS = "libtinykernels.so:tk_*"


class Http(http.client.HTTPConnection):
    """One request to the daemon."""

    def __init__(self, s):
        super().__init__("localhost", timeout=20)
        self.path = s.path("run/infprof/api.sock")

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def ask(s, method, path, body=None, headers=None):
    """(status, document, headers)"""
    http_ = Http(s)
    if body is not None and not isinstance(body, (str, bytes)):
        body = json.dumps(body)
        headers = {"Content-Type": "application/json", **(headers or {})}
    http_.request(method, path, body, headers or {})
    answer = http_.getresponse()
    text = answer.read()
    http_.close()
    check(answer.headers["Content-Type"] == "application/json",
          f"{method} {path}: {answer.status} is {answer.headers['Content-Type']}: {text[:200]}")
    return answer.status, json.loads(text), answer.headers


def get(s, path):
    status, document, _ = ask(s, "GET", path)
    check(status == 200, f"GET {path}: {status} {document}")
    return document


def daemon(s, *args, **more):
    """A daemon that serves, also where an earlier one left its socket."""
    run = s.start([s.daemon, *args], preload=False, **more)

    def serves():
        check(run.returncode is None, f"infprofd ended with {run.returncode}: {run.stderr}")
        with contextlib.suppress(OSError):
            return get(s, "/v1/status")["daemon"]["pid"] == run.pid

    wait_until(serves, 10, "infprofd serves")
    return run


def fake(s):
    return s.built("tests/system/fake-engine")


def lies(s, kind):
    return s.run([fake(s), "lies", kind], preload=False).stdout.split()


def status_of(s, run):
    return next((p for p in get(s, "/v1/status")["processes"] if p["pid"] == run.pid), None)


def live(s, run):
    wait_until(lambda: (status_of(s, run) or {}).get("state") == "live", 10, f"{run.pid} is live")


def report_of(s, run):
    """The report on a run that is over, by the pid of its first process."""
    def over():
        status, document, _ = ask(s, "GET", f"/v1/runs/pid:{run.pid}/report")
        return document if status == 200 and document["run"]["end"] != "live" else None

    document = wait_until(over, 20, f"report on {run.pid}")
    s.validate(document, "doc/report.schema.json")
    return document


def calls_by_op(document):
    return {op["name"]: op["calls"] for op in document["ops"]}


def truth_calls(s, name="truth.json"):
    return {op: k["calls"] for op, k in s.json(name)["kernels"].items()}


def own_kernels(document, names):
    return {op: n for op, n in calls_by_op(document).items() if op in names}


def same_as_truth(s, document, name="truth.json"):
    truth = truth_calls(s, name)
    equal(own_kernels(document, truth), truth, "calls")
    equal(document["self"]["lost"], 0, "lost")
    equal(sum(t["spans"] for t in document["threads"]), document["self"]["spans"], "spans by thread")


# Engines as they should be.

@case
def four_fast_writers_lose_nothing(s):
    daemon(s, "--stay")
    run = s.run([fake(s), "write", "4", "2"], preload=False)
    wrote = json.loads(run.stdout)
    document = report_of(s, run)
    equal(calls_by_op(document), {op: k["calls"] for op, k in wrote["ops"].items()}, "calls")
    equal(document["self"]["spans"], wrote["spans"], "spans")
    equal(document["self"]["folded"], wrote["folded"], "folded")
    equal(document["self"]["lost"], 0, "lost")
    rates = [wrote["ops"][op["name"]]["ticks"] / op["total_ns"] for op in document["ops"]]
    near(min(rates), max(rates), 1e-5, "ticks in a nanosecond")
    for op in document["ops"]:
        check(op["min_ns"] <= op["p50_ns"] <= op["p95_ns"] <= op["p99_ns"] <= op["max_ns"], op)
        near(op["p50_ns"] * rates[0], 2600, 0.02, "median")
    resident = get(s, "/v1/status")["daemon"]["resident_bytes"]
    check(resident <= 64 << 20, f"{resident} bytes resident")


@case
def every_thread_of_two_thousand_is_kept(s):
    daemon(s, "--stay")
    run = s.run([s.tinyengine, "--threads", "4", "--spawn", "op", "--tokens", "9",
                 "--truth", s.path("truth.json")], kernels=KERNELS, timeout=120)
    document = report_of(s, run)
    same_as_truth(s, document)
    truth = s.json("truth.json")
    check(truth["spawns"] >= 2000, f"only {truth['spawns']} spawns")
    equal(document["spawns"]["total"], truth["spawns"], "spawns")
    equal(len(document["threads"]), truth["spawns"] + 1, "threads")
    check(all(t["name"] for t in document["threads"]), "each has a name")
    resident = get(s, "/v1/status")["daemon"]["resident_bytes"]
    check(resident <= 64 << 20, f"{resident} bytes resident")


@case
def threads_beyond_four_thousand_share_a_row(s):
    daemon(s, "--stay")
    run = s.run([s.tinyengine, "--threads", "4", "--spawn", "op", "--tokens", "20",
                 "--truth", s.path("truth.json")], kernels=KERNELS, timeout=120)
    document = report_of(s, run)
    same_as_truth(s, document)
    equal(len(document["threads"]), 4097, "threads")
    equal(document["spawns"]["total"], s.json("truth.json")["spawns"], "spawns")
    later = next(t for t in document["threads"] if t["name"] == "(later threads)")
    check(later["spans"] > 0, later)


@case
def several_engines_at_once(s):
    daemon(s, "--stay")
    runs = [s.start([s.tinyengine, "--tokens", "40", "--pace", "10", "--truth", s.path(f"truth{i}.json")],
                    kernels=KERNELS) for i in range(4)]
    for i, run in enumerate(runs):
        equal(run.wait(), 0, "exit")
        same_as_truth(s, report_of(s, run), f"truth{i}.json")


@case
def top_and_status_while_it_runs(s):
    daemon(s, "--stay")
    run = s.start([s.tinyengine, "--tokens", "900", "--pace", "10"], kernels=KERNELS)
    live(s, run)
    time.sleep(3.2)
    document = get(s, f"/v1/runs/pid:{run.pid}/top")
    equal(document["schema"], "infprof.top/1", "schema")
    equal(document["run"]["live"], True, "live")
    matmul = next(op for op in document["ops"] if op["name"] == "tk_matmul")
    check(matmul["calls_per_second"] > 100, matmul)
    check(sum(matmul["spark"][-2:]) > 100 and len(matmul["spark"]) == 60, matmul["spark"])
    check(sum(matmul["spark"]) <= matmul["calls"], "sparks are of its calls")
    check(matmul["p50_ns"] <= matmul["p95_ns"] <= matmul["p99_ns"] <= matmul["max_ns"], matmul)
    near(sum(op["self_share"] for op in document["ops"]), 1, 1e-6, "shares of self")
    equal(sum(t["calls"] for t in matmul["threads"]), matmul["calls"], "calls by thread")
    check(document["now"]["spans_per_second"] > 1000, document["now"])
    first = get(s, "/v1/runs/latest/report")
    second = get(s, "/v1/runs/latest/report")
    equal(first["run"]["end"], "live", "end")
    check(second["self"]["spans"] >= first["self"]["spans"], "spans go on")
    runs = get(s, "/v1/runs")["runs"]
    equal([(r["pid"], r["live"]) for r in runs], [(run.pid, True)], "runs")
    run.kill(signal.SIGKILL)
    run.wait()
    document = report_of(s, run)
    equal(document["run"]["exit"]["signal"], 9, "signal")
    equal(document["self"]["lost"], 0, "lost")


@case
def how_it_ended_is_known(s):
    daemon(s, "--stay")
    for number in (signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV):
        run = s.start([fake(s), "idle", "20"], preload=False)
        live(s, run)
        # one that ends before it has spans is not worth a run
        wait_until(lambda: (status_of(s, run) or {}).get("spans") == 800, 10, "spans")
        run.kill(number)
        run.wait()
        equal(report_of(s, run)["run"]["exit"]["signal"], number, "signal")
    run = s.run(["/bin/sh", "-c", f"LD_PRELOAD= {fake(s)} idle 0.2; exit 7"], preload=True, code=7)
    equal(report_of(s, run)["run"]["exit"], {"code": 7}, "exit of the shell")


@case
def a_process_that_becomes_another_stays_in_its_run(s):
    daemon(s, "--stay")
    run = s.run(["/bin/sh", "-c", f"{s.tinyengine} --tokens 4; exec {s.tinyengine} --tokens 4 "
                 f"--truth {s.path('truth.json')}"], kernels=KERNELS)
    document = report_of(s, run)
    equal(document["run"]["exit"], {"code": 0}, "exit")
    ends = sorted(p["end"] for p in document["run"]["processes"])
    check("exec" in ends and ends.count("code") == 2, ends)
    truth = truth_calls(s)
    equal(own_kernels(document, truth), {op: 2 * n for op, n in truth.items()}, "calls of both")


# Bad engines.

@case
def segments_that_lie_are_refused(s):
    daemon(s, "--stay")
    good = s.start([s.tinyengine, "--tokens", "60", "--pace", "20", "--truth", s.path("truth.json")],
                   kernels=KERNELS)
    live(s, good)
    for lie in lies(s, "refused"):
        run = s.run([fake(s), "refused", lie], preload=False)
        refused = [r["reason"] for r in get(s, "/v1/status")["refused"] if r["pid"] == run.pid]
        equal(len(refused), 1, f"refusals for {lie}")
        check(refused[0], f"{lie}: a reason is given")
    equal(good.wait(), 0, "exit")
    same_as_truth(s, report_of(s, good))


@case
def segments_that_lie_later_are_cut_off(s):
    daemon(s, "--stay")
    good = s.start([s.tinyengine, "--tokens", "200", "--pace", "20", "--truth", s.path("truth.json")],
                   kernels=KERNELS)
    live(s, good)
    runs = {lie: s.start([fake(s), "cut", lie], preload=False) for lie in lies(s, "cut")}
    for lie, run in runs.items():
        equal(run.wait(), 0, f"exit of {lie}")
        told = wait_until(lambda: status_of(s, run), 5, f"status of {lie}")
        equal(told["state"], "cut", f"state of {lie}")
        check(told["reason"], f"{lie}: a reason is given")
        equal(get(s, f"/v1/runs/pid:{run.pid}/report")["run"]["end"], "cut", f"end of {lie}")
    equal(good.wait(), 0, "exit")
    same_as_truth(s, report_of(s, good))


@case
def who_says_nothing_keeps_nobody_waiting(s):
    daemon(s, "--stay")
    mute = [s.start([fake(s), "mute"], preload=False) for _ in range(3)]
    time.sleep(0.2)
    begin = time.monotonic()
    run = s.run([fake(s), "idle", "0.1"], preload=False)
    check(time.monotonic() - begin < 1.5, "was kept waiting")
    equal(report_of(s, run)["self"]["spans"], 800, "spans")
    wait_until(lambda: len(get(s, "/v1/status")["refused"]) == 3, 5, "the mute are dropped")
    for m in mute:
        m.wait()


@case
def another_user_is_refused(s):
    if os.geteuid() != 0:
        skip("needs root, to become another user")
    daemon(s, "--stay")
    for path in (s.folder, s.path("run"), s.path("run/infprof")):
        os.chmod(path, 0o755)
    for name in ("api.sock", "shim.sock"):
        os.chmod(s.path(f"run/infprof/{name}"), 0o666)
    script = ("import os, socket, sys\n"
              "os.setuid(65534)\n"
              "a = socket.socket(socket.AF_UNIX)\n"
              "a.connect(sys.argv[1] + '/api.sock')\n"
              "a.sendall(b'GET /v1/status HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n')\n"
              "print(a.makefile().readline().split()[1])\n"
              "b = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
              "b.connect(sys.argv[1] + '/shim.sock')\n"
              "try: print(len(b.recv(1)))\n"
              "except OSError: print(0)\n")
    got = s.run(["/usr/bin/python3", "-c", script, s.path("run/infprof")], preload=False)
    equal(got.stdout.split(), ["403", "0"], "answers to another user")
    equal(len(get(s, "/v1/status")["refused"]), 1, "refused")


# Daemons.

@case
def a_second_daemon_goes_at_once(s):
    first = daemon(s, "--stay")
    second = s.run([s.daemon], preload=False, code=1)
    one_line(second.stderr, "what the second one says")
    check(str(first.pid) in second.stderr, second.stderr)
    equal(get(s, "/v1/status")["daemon"]["pid"], first.pid, "who serves")


@case
def what_a_dead_daemon_left_is_replaced(s):
    first = daemon(s, "--stay")
    first.kill(signal.SIGKILL)
    first.wait()
    check(os.path.exists(s.path("run/infprof/api.sock")), "the socket is left behind")
    daemon(s, "--stay")


@case
def it_leaves_when_idle(s):
    begin = time.monotonic()
    collector = daemon(s, "--idle-timeout", "1")
    run = s.run([fake(s), "idle", "1.5"], preload=False)
    equal(collector.returncode, None, "stays while an engine lives")
    check(run.returncode == 0, "engine")
    equal(collector.wait(10), 0, "exit")
    check(time.monotonic() - begin > 2.4, "left too early")
    equal(os.listdir(s.path("run/infprof")), ["daemon.lock"], "what is left")


@case
def options_it_does_not_know(s):
    for args in (["--no-such"], ["--idle-timeout", "soon"], ["argument"]):
        one_line(s.run([s.daemon, *args], preload=False, code=2).stderr, str(args))
    check("infprofd" in s.run([s.daemon, "--version"], preload=False).stdout, "version")
    check("--stay" in s.run([s.daemon, "--help"], preload=False).stdout, "help")


@case
def a_runtime_directory_that_is_not_ours_is_refused(s):
    os.symlink(s.path("tmp"), s.path("run/infprof"))
    got = s.run([s.daemon], preload=False, code=3)
    one_line(got.stderr, "refusal of a link")
    os.unlink(s.path("run/infprof"))
    os.mkdir(s.path("run/infprof"), 0o755)
    got = s.run([s.daemon], preload=False, code=3)
    one_line(got.stderr, "refusal of an open directory")


@case
def the_next_daemon_goes_on_where_one_was_killed(s):
    first = daemon(s, "--stay")
    run = s.start([s.tinyengine, "--threads", "2", "--tokens", "150", "--pace", "20",
                   "--truth", s.path("truth.json")], kernels=KERNELS)
    live(s, run)
    time.sleep(1.5)
    first.kill(signal.SIGKILL)
    first.wait()
    time.sleep(0.7)
    daemon(s, "--stay")
    live(s, run)
    equal(run.wait(), 0, "exit")
    document = report_of(s, run)
    same_as_truth(s, document)
    equal(document["self"]["adoptions"], 1, "adoptions")
    equal(document["run"]["exit"], {"code": 0}, "exit")
    equal(len(document["run"]["processes"]), 1, "processes")
    equal(len(os.listdir(s.path("state/infprof/runs"))), 1, "files")


@case
def the_next_daemon_goes_on_where_nothing_was_written_yet(s):
    """Nor is a run misread through the link to its file, while the last part of it is in the -wal beside it."""
    first = daemon(s, "--stay")
    run = s.start([s.cli, "record", "-o", s.path("run.infprof"), "--kernels", KERNELS, s.tinyengine, "--threads", "2",
                   "--tokens", "120", "--pace", "25", "--truth", s.path("truth.json")], preload=False)
    wait_until(lambda: get(s, "/v1/status")["processes"], 10, "an engine")
    first.kill(signal.SIGKILL)
    first.wait()
    daemon(s, "--stay")
    wait_until(lambda: get(s, "/v1/status")["processes"], 10, "adoption")
    document = get(s, "/v1/runs/latest/report")
    check(document["run"]["duration_ns"] > 50e6, document["run"])
    equal([p["end"] for p in document["run"]["processes"]], ["live"], "processes")
    equal(document["self"]["adoptions"], 1, "adoptions")
    check(json.loads(s.infprof("report", "--json").stdout)["run"]["duration_ns"] > 50e6, "duration by the link")
    equal(run.wait(), 0, "exit")
    document = json.loads(s.infprof("report", "--json", s.path("run.infprof")).stdout)
    same_as_truth(s, document)
    equal((document["run"]["exit"], len(document["run"]["processes"])), ({"code": 0}, 1), "exit, processes")
    check(document["self"]["daemon_cpu_ns"] > 1e6, "CPU time of the daemon")


@case
def what_the_daemon_took_is_told_of_short_runs_too(s):
    daemon(s, "--stay")
    before = get(s, "/v1/status")["daemon"]["cpu_ns"]
    run = s.run([s.tinyengine, "--tokens", "30"], kernels=KERNELS)
    cpu = report_of(s, run)["self"]["daemon_cpu_ns"]
    took = get(s, "/v1/status")["daemon"]["cpu_ns"] - before
    check(took / 3 <= cpu <= took, f"{cpu} ns of {took}")


@case
def the_next_daemon_with_threads_that_come_and_go(s):
    first = daemon(s, "--stay")
    run = s.start([s.tinyengine, "--threads", "3", "--spawn", "op", "--tokens", "250", "--pace", "20",
                   "--truth", s.path("truth.json")], kernels=KERNELS)
    live(s, run)
    time.sleep(1.3)
    first.kill(signal.SIGKILL)
    first.wait()
    time.sleep(0.4)
    second = daemon(s, "--stay")
    time.sleep(0.6)
    second.kill(signal.SIGTERM)
    equal(second.wait(), 0, "exit of a daemon that was told to end")
    daemon(s, "--stay")
    equal(run.wait(), 0, "exit")
    document = report_of(s, run)
    same_as_truth(s, document)
    equal(document["self"]["adoptions"], 2, "adoptions")
    equal(document["spawns"]["total"], s.json("truth.json")["spawns"], "spawns")


# Memory and marks.

def remembers(s):
    """An engine that takes memory when it is told to, step by step."""
    run = s.start([fake(s), "memory"], preload=False, stdin=subprocess.PIPE)
    live(s, run)
    run.steps = 0
    return run


def step(run, n=1):
    for _ in range(n):
        run.popen.stdin.write(b"\n")
    run.popen.stdin.flush()
    run.steps += n
    wait_until(lambda: f"step {run.steps}\n" in run.stdout, 10, f"step {run.steps}")


def mark(s, name, run=None):
    query = "name=" + urllib.parse.quote(name) + (f"&run={run}" if run else "")
    status, document, _ = ask(s, "POST", "/v1/mark?" + query)
    check(status == 200, f"mark {name}: {status} {document}")
    equal(document["schema"], "infprof.mark/1", "schema")
    return document["marked"]


def memory_of(s, run, **window):
    query = urllib.parse.urlencode(window)
    return get(s, f"/v1/runs/pid:{run.pid}/memory" + ("?" + query if query else ""))


def same_as_steps(document, n):
    """All figures of a document about `n` steps."""
    totals = document["totals"]
    equal({k: totals[k] for k in ("calls", "asked_bytes", "usable_bytes", "frees", "freed_bytes")},
          {"calls": 100 * n, "asked_bytes": 10000 * n, "usable_bytes": 11200 * n, "frees": 40 * n,
           "freed_bytes": 4480 * n}, "totals")
    equal([(c["from_bytes"], c["calls"], c["frees"]) for c in document["size_classes"]],
          [(64, 100 * n, 40 * n)] if n else [], "size classes")
    equal([(x["op"], x["samples"], x["alloc_bytes"], x["inuse_bytes"], len(x["frames"]))
           for x in document["stacks"]],
          [("op_0", 10 * n, 11200 * n, 6720 * n, 3)] if n else [], "stacks")


@case
def memory_between_marks(s):
    daemon(s, "--stay")
    run = remembers(s)
    step(run, 2)
    told = mark(s, "one")
    equal([(m["pid"], m["process"], m["name"]) for m in told], [(run.pid, 0, "one")], "marked")
    step(run, 3)
    second = mark(s, "two words/ä")
    check(second[0]["at_ns"] > told[0]["at_ns"], "time goes on")
    step(run)

    def all_of_them():
        same_as_steps(memory_of(s, run), 6)
        same_as_steps(memory_of(s, run, to="one"), 2)
        same_as_steps(memory_of(s, run, **{"from": "one", "to": "two words/ä"}), 3)
        same_as_steps(memory_of(s, run, **{"from": "two words/ä"}), 1)
        equal([(m["name"], m["live_bytes"]) for m in memory_of(s, run)["marks"]],
              [("one", 2 * 6720), ("two words/ä", 5 * 6720)], "marks")

    all_of_them()
    run.popen.stdin.close()
    equal(run.wait(), 0, "exit")
    report_of(s, run)
    all_of_them()


@case
def of_two_marks_with_one_name_the_later_wins(s):
    daemon(s, "--stay")
    run = remembers(s)
    step(run)
    mark(s, "again")
    step(run, 2)
    mark(s, "again", "latest")
    step(run)
    same_as_steps(memory_of(s, run, to="again"), 3)
    equal(len(memory_of(s, run)["marks"]), 2, "marks")
    run.popen.stdin.close()
    run.wait()


@case
def a_mark_is_of_the_run_it_is_meant_for(s):
    daemon(s, "--stay")
    a, b = remembers(s), remembers(s)
    both = mark(s, "both")
    equal(sorted(m["pid"] for m in both), sorted((a.pid, b.pid)), "marked in all")
    equal(len({m["run"] for m in both}), 2, "runs")
    run_of_b = next(m["run"] for m in both if m["pid"] == b.pid)
    equal([m["pid"] for m in mark(s, "b", run_of_b)], [b.pid], "marked in one run")
    equal([m["pid"] for m in mark(s, "a", f"pid:{a.pid}")], [a.pid], "marked in one process")
    equal([m["name"] for m in memory_of(s, a)["marks"]], ["both", "a"], "of the one")
    equal([m["name"] for m in memory_of(s, b)["marks"]], ["both", "b"], "of the other")
    for run in a, b:
        run.popen.stdin.close()
        run.wait()


@case
def marks_that_cannot_be_made(s):
    daemon(s, "--stay")
    for query, wanted in (("name=x", 404), ("name=x&run=none", 404), ("name=", 400), ("", 400),
                          ("name=" + "x" * 101, 400), ("name=x&run=latest", 404)):
        status, document, _ = ask(s, "POST", "/v1/mark?" + query)
        equal(status, wanted, query)
        one_line(document["error"]["message"] + "\n", query)
    run = remembers(s)
    equal(mark(s, "a\x01\nb")[0]["name"], "a??b", "what cannot be printed")
    equal(mark(s, "x" * 100)[0]["name"], "x" * 100, "the longest")
    status, document, _ = ask(s, "GET", f"/v1/runs/pid:{run.pid}/memory?from=nothing")
    equal(status, 400, "a mark that is not there")
    one_line(document["error"]["message"] + "\n", "a mark that is not there")
    for i in range(2, 1000):
        mark(s, f"m{i}")
    status, document, _ = ask(s, "POST", "/v1/mark?name=toomany")
    equal(status, 409, "the 1001st")
    equal(len(memory_of(s, run)["marks"]), 1000, "marks")
    run.popen.stdin.close()
    run.wait()
    status, document, _ = ask(s, "POST", f"/v1/mark?name=late&run=pid:{run.pid}")
    equal(status, 404, "a run that has ended")


@case
def memory_goes_on_under_the_next_daemon(s):
    first = daemon(s, "--stay")
    run = remembers(s)
    step(run, 2)
    mark(s, "first")
    time.sleep(2.2)
    before = memory_of(s, run)
    first.kill(signal.SIGKILL)
    first.wait()
    step(run, 3)
    daemon(s, "--stay")
    live(s, run)
    mark(s, "second")
    step(run)
    same_as_steps(memory_of(s, run), 6)
    same_as_steps(memory_of(s, run, to="first"), 2)
    same_as_steps(memory_of(s, run, **{"from": "first", "to": "second"}), 3)
    run.popen.stdin.close()
    equal(run.wait(), 0, "exit")
    report_of(s, run)
    after = memory_of(s, run)
    same_as_steps(after, 6)
    equal([m["name"] for m in after["marks"]], ["first", "second"], "marks")
    seconds = [x["second"] for x in after["timeline"]]
    check(seconds == sorted(set(seconds)), f"seconds {seconds}")
    for row in before["timeline"][:-1]:
        check(row in after["timeline"], f"second {row['second']} stays as it was written")


@case
def a_daemon_that_is_told_to_end_leaves_a_readable_file(s):
    collector = daemon(s, "--stay")
    run = s.start([s.tinyengine, "--tokens", "400", "--pace", "10"], kernels=KERNELS)
    live(s, run)
    time.sleep(1.2)
    equal(ask(s, "POST", "/v1/stop")[1], {"stopping": True}, "answer")
    equal(collector.wait(10), 0, "exit")
    equal(run.returncode, None, "the engine goes on")
    files = os.listdir(s.path("state/infprof/runs"))
    equal(len(files), 1, f"files: {files}")
    rows = subprocess.run(["sqlite3", s.path(f"state/infprof/runs/{files[0]}"),
                           "SELECT sum(timed) FROM op_phase"], capture_output=True, text=True, check=True)
    check(int(rows.stdout) > 1000, f"{rows.stdout} spans in the file")
    run.kill()
    run.wait()


@case
def a_run_that_ended_while_nobody_watched(s):
    first = daemon(s, "--stay")
    run = s.start([s.tinyengine, "--tokens", "400", "--pace", "10"], kernels=KERNELS)
    live(s, run)
    time.sleep(1.3)
    first.kill(signal.SIGKILL)
    first.wait()
    run.kill(signal.SIGKILL)
    run.wait()
    daemon(s, "--stay")
    runs = get(s, "/v1/runs")["runs"]
    equal([(r["end"], r["live"]) for r in runs], [("unknown", False)], "how it ended")
    document = get(s, "/v1/runs/latest/report")
    equal((document["run"]["end"], document["run"]["exit"]), ("unknown", None), "how it ended")
    check(document["self"]["spans"] > 1000, "what was written is there")
    equal(len(os.listdir(s.path("state/infprof/runs"))), 1, "one plain file")


@case
def the_end_is_told_to_the_next_daemon(s):
    first = daemon(s, "--stay")
    sleeper = s.start(["sleep", "30"], preload=False)
    q = {"id": "20260101-000000-1", "command": "sleep 30", "pid": sleeper.pid, "file": None}
    equal(ask(s, "POST", "/v1/runs", q)[0], 201, "registered")
    first.kill(signal.SIGKILL)
    first.wait()
    daemon(s, "--stay")
    equal(ask(s, "PUT", f"/v1/runs/{q['id']}/exit", {"code": 3})[0], 200, "told the end")
    equal(get(s, f"/v1/runs/{q['id']}/report")["run"]["exit"], {"code": 3}, "exit")
    sleeper.kill()
    sleeper.wait()


# The API.

@case
def questions_it_cannot_answer(s):
    daemon(s, "--stay")
    js = {"Content-Type": "application/json"}
    for wanted, method, path, body, headers in (
            (404, "GET", "/", None, None),
            (404, "GET", "/v1/nothing", None, None),
            (404, "GET", "/v1/runs/none/report", None, None),
            (404, "GET", "/v1/runs/latest/report", None, None),
            (404, "GET", "/v1/runs/none/memory", None, None),
            (404, "GET", "/v1/runs/latest/memory?from=a", None, None),
            (405, "GET", "/v1/mark?name=x", None, None),
            (404, "POST", "/v1/mark?name=x", None, None),
            (404, "GET", "/v1/runs/..%2f..%2fetc/report", None, None),
            (404, "GET", "/v1/runs/pid:1/top", None, None),
            (404, "PUT", "/v1/runs/none/exit", '{"code": 0}', js),
            (404, "POST", "/v1/switch", '{"on": false, "pid": 1}', js),
            (405, "DELETE", "/v1/status", None, None),
            (405, "POST", "/v1/status", "{}", js),
            (405, "GET", "/v1/stop", None, None),
            (405, "GET", "/v1/switch", None, None),
            (413, "POST", "/v1/switch", "x" * 100_000, js),
            (414, "GET", "/v1/" + "x" * 100_000, None, None),
            (415, "POST", "/v1/switch", '{"on": true}', {"Content-Type": "text/plain"}),
            (415, "POST", "/v1/switch", '{"on": true}', None),
            (400, "POST", "/v1/switch", "{", js),
            (400, "POST", "/v1/switch", "{}", js),
            (400, "POST", "/v1/switch", '{"on": true, "more": 1}', js),
            (400, "POST", "/v1/switch", "", None),
            (400, "POST", "/v1/runs", '{"id": "../x", "command": "x", "pid": 1}', js),
            (400, "POST", "/v1/runs", '{"id": "x", "command": "x", "pid": 0}', js),
            (400, "POST", "/v1/runs", '{"id": "x", "command": "x", "pid": 5, "file": "rel"}', js)):
        status, document, got = ask(s, method, path, body, headers)
        what = f"{method} {path[:40]} {(body or '')[:40]}"
        equal(status, wanted, what)
        equal(document["error"]["status"], wanted, what)
        check(document["error"]["message"], what)
        if status == 405:
            check(got["Allow"], f"{what}: Allow")
    equal(get(s, "/v1/status")["processes"], [], "it serves on")


@case
def runs_that_are_registered(s):
    daemon(s, "--stay")
    sleeper = s.start(["sleep", "30"], preload=False)
    q = {"id": "20260101-000000-1", "command": "sleep 30", "pid": sleeper.pid, "file": None}
    status, document, _ = ask(s, "POST", "/v1/runs", q)
    equal((status, document["id"]), (201, q["id"]), "registered")
    check(os.path.exists(document["file"]), "its file is there")
    equal(ask(s, "POST", "/v1/runs", q)[0], 409, "once more")
    run = s.run([fake(s), "idle", "0.1"], preload=False, env={"INFPROF_RUN": q["id"]})
    equal(get(s, f"/v1/runs/{q['id']}/report")["run"]["end"], "live", "end")
    equal(ask(s, "PUT", f"/v1/runs/{q['id']}/exit", {"code": 3})[0], 200, "told the end")
    document = get(s, f"/v1/runs/{q['id']}/report")
    equal(document["run"]["exit"], {"code": 3}, "exit")
    equal([p["pid"] for p in document["run"]["processes"]], [run.pid], "processes")
    # in a file of one's own
    q.update(id="20260101-000000-2", file=s.path("own.infprof"))
    equal(ask(s, "POST", "/v1/runs", q)[0], 201, "registered")
    ask(s, "PUT", f"/v1/runs/{q['id']}/exit", {"signal": 15})
    equal(get(s, f"/v1/runs/{q['id']}/report")["run"]["exit"]["signal"], 15, "signal")
    check(os.path.exists(q["file"]), "its file is there")
    equal([r["id"] for r in get(s, "/v1/runs")["runs"]], ["20260101-000000-2", "20260101-000000-1"],
          "runs, newest first")
    sleeper.kill()
    sleeper.wait()


@case
def ops_are_paused_and_resumed(s):
    daemon(s, "--stay")
    run = s.start([s.tinyengine, "--tokens", "500", "--pace", "5"], kernels=KERNELS)
    live(s, run)
    time.sleep(0.5)

    def calls(name):
        return calls_by_op(get(s, f"/v1/runs/pid:{run.pid}/report")).get(name, 0)

    _, document, _ = ask(s, "POST", "/v1/switch", {"pid": run.pid, "op": "tk_mat*", "on": False})
    equal(document, {"changed": 1, "ops": 1}, "answer")
    time.sleep(0.2)
    first, other = calls("tk_matmul"), calls("tk_rope")
    time.sleep(0.5)
    equal(calls("tk_matmul"), first, "calls of a paused op")
    check(calls("tk_rope") > other, "others go on")
    equal(status_of(s, run)["paused_ops"], 1, "paused")
    equal(ask(s, "POST", "/v1/switch", {"on": True})[1]["changed"], 1, "changed")
    time.sleep(0.5)
    check(calls("tk_matmul") > first, "it goes on")
    run.kill(signal.SIGKILL)
    run.wait()


# Where it writes.

@case
def a_state_directory_that_cannot_be_written(s):
    with open(s.path("state/infprof"), "w", encoding="utf-8"):
        pass
    collector = daemon(s, "--stay")
    run = s.run([s.tinyengine, "--tokens", "5", "--truth", s.path("truth.json")], kernels=KERNELS)
    check(s.path("state/infprof") in collector.stderr, f"stderr: {collector.stderr}")
    status, document, _ = ask(s, "GET", f"/v1/runs/pid:{run.pid}/report")
    equal(status, 503, "status")
    check("state/infprof" in document["error"]["message"], document)
    top = get(s, f"/v1/runs/pid:{run.pid}/top")  # in memory it is all there
    truth = truth_calls(s)
    equal({op["name"]: op["calls"] for op in top["ops"] if op["name"] in truth}, truth, "calls")


@contextlib.contextmanager
def small_disk(s, kib):
    folder = s.path("small")
    os.mkdir(folder)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", folder.encode(), b"tmpfs", 0, f"size={kib}k".encode()) != 0:
        skip("cannot mount a small tmpfs")
    try:
        yield folder
    finally:
        libc.umount2(folder.encode(), 2)


@case
def a_full_disk(s):
    with small_disk(s, 512) as folder:
        collector = daemon(s, "--stay", env={"XDG_STATE_HOME": folder})
        run = s.start([s.tinyengine, "--tokens", "300", "--pace", "10", "--truth", s.path("truth.json")],
                      kernels=KERNELS)
        live(s, run)
        time.sleep(1.5)
        with contextlib.suppress(OSError), open(f"{folder}/filler", "wb", buffering=0) as f:
            while f.write(b"x" * 4096):
                pass
        wait_until(lambda: get(s, "/v1/status")["not_written"], 10, "status says so")
        wait_until(lambda: "no room" in collector.stderr, 5, "stderr says so")
        time.sleep(1.5)
        check(collector.stderr.count("no room") <= 2, f"said more than once: {collector.stderr}")
        path = next(f"{folder}/infprof/runs/{f}" for f in os.listdir(f"{folder}/infprof/runs")
                    if f.endswith(".infprof"))
        got = s.infprof("report", "--json", path)
        check(json.loads(got.stdout)["self"]["spans"] > 0, "what was written stays readable")
        os.unlink(f"{folder}/filler")
        equal(run.wait(), 0, "exit of the engine")
        same_as_truth(s, report_of(s, run))
        s.daemon_stop()


@case
def next_to_nothing_for_an_idle_engine(s):
    daemon(s, "--stay")
    run = s.start([fake(s), "idle", "9"], preload=False)
    live(s, run)
    time.sleep(2)

    def share():
        before, begin = get(s, "/v1/status")["daemon"]["cpu_ns"], time.monotonic()
        time.sleep(1.5)
        after, end = get(s, "/v1/status")["daemon"]["cpu_ns"], time.monotonic()
        return (after - before) / 1e9 / (end - begin)

    shares = [share() for _ in range(4)]
    print("# idle:", ", ".join(f"{x:.3%}" for x in shares), "of a core", flush=True)
    check(min(shares) <= 0.005, f"{min(shares):.3%} of a core")  # others may disturb our caches
    run.wait()
    pid = get(s, "/v1/status")["daemon"]["pid"]

    def switches():
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            return sum(int(line.split()[1]) for line in f if "ctxt_switches" in line)

    time.sleep(1)
    count = switches()
    time.sleep(2)
    equal(switches(), count, "wake-ups without an engine")


main()
