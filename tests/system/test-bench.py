# SPDX-License-Identifier: MIT
"""infprof bench on commands that behave and on those that do not: without the shim."""

import json
import os
import pty
import re
import select
import signal
import time

from harness import Failed, between, case, check, equal, main, one_line, parents, wait_until


def bench(s, *args, code=0, **more):
    run = s.infprof("bench", "--json", *args, code=code, **more)
    doc = json.loads(run.stdout)
    s.validate(doc, "doc/bench.schema.json")
    equal(len(doc["each"]), doc["runs"], "each run")
    equal(doc["time_ns"]["count"], doc["succeeded"], "those that succeeded are in the figures")
    return doc, run.stderr


def refused(s, code, *args):
    run = s.infprof("bench", *args, code=code)
    one_line(run.stderr, " ".join(args))
    equal(run.stdout, "", "stdout")
    return run.stderr


def alive(pid):
    return parents().get(pid, (0, "Z"))[1] not in "ZX"


def pid_in(s, name):
    """The pid that a command wrote into a file."""
    def read():
        try:
            with open(s.path(name), encoding="utf-8") as f:
                return int(f.read() or 0)
        except FileNotFoundError:
            return 0
    return wait_until(read, 10, f"a pid in {name}")


@case
def figures_are_of_the_runs(s):
    doc, err = bench(s, "--runs", "8", "--warmup", "2", "--work", "tokens=16,batches=2", "sleep", "0.02")
    equal(err, "", "stderr")
    equal((doc["runs"], doc["succeeded"], doc["warmup"]["left_out"], doc["success_rate"]), (8, 8, 2, 1), "runs")
    walls = sorted(r["wall_ns"] for r in doc["each"])
    t = doc["time_ns"]
    equal((t["min"], t["max"], t["mean"], t["median"]),
          (walls[0], walls[-1], sum(walls) / 8, (walls[3] + walls[4]) / 2), "figures")
    between(20e6, t["median"], 400e6, "time of sleep 0.02")
    i = t["intervals"]
    check(i["mean"]["low"] <= t["mean"] <= i["mean"]["high"], i)
    equal((i["p95"], i["p99"]), (None, None), "eight values do not tell how high p95 is")
    rate = doc["throughput"]
    between(0.999, rate["requests"]["per_second"] * sum(walls) / 8e9, 1.001, "requests a second")
    between(15.99, rate["tokens"]["per_second"] / rate["requests"]["per_second"], 16.01, "tokens a request")
    equal((rate["batches"]["total"], rate["characters"]), (16, None), "what is not known is null")
    m = doc["memory"]
    check(0 < m["average_bytes"] <= m["peak_bytes"] < 64 << 20 and 0 < m["efficiency"] <= 1.001, m)


@case
def memory_is_that_of_all_processes(s):
    one = "x = bytearray(60 << 20)\nimport time\ntime.sleep(1)"
    doc, _ = bench(s, "-r", "1", "-w", "0", "python3", "-c",
                   f"import os\nos.fork()\n{one}")
    between(120 << 20, doc["memory"]["peak_bytes"], 200 << 20, "peak of two processes")
    check(doc["memory"]["average_bytes"] > 30 << 20, doc["memory"])
    equal(doc["memory"]["per_request_bytes"], doc["memory"]["peak_bytes"], "a run is a request")


@case
def commands_that_fail(s):
    doc, err = bench(s, "-r", "3", "sh", "-c", "echo oh dear >&2; exit 3", code=1)
    one_line(err, "no run succeeded")
    check("exit code 3" in err and "oh dear" in err, err)
    equal([(f["why"], f["runs"], f["last_words"]) for f in doc["failures"]], [("exit code 3", 3, "oh dear")], "failures")
    equal((doc["success_rate"], doc["time_ns"]["median"], doc["throughput"]["requests"]), (0, None, None), "nothing is known")
    doc, err = bench(s, "-r", "2", "sh", "-c", "kill -SEGV $$", code=1)
    equal(doc["failures"][0]["why"], "killed by SIGSEGV", "a signal")
    # one in two: the others count
    doc, err = bench(s, "-r", "6", "-w", "0", "sh", "-c", f"test -e {s.path('odd')} && rm {s.path('odd')} || ! touch {s.path('odd')}")
    equal((doc["runs"], doc["succeeded"], doc["success_rate"], err), (6, 3, 0.5, ""), "half of them")
    check("3 succeeded" in s.infprof("bench", "-r", "6", "-w", "0", "sh", "-c", f"test -e {s.path('odd')} && rm {s.path('odd')} || ! touch {s.path('odd')}").stdout,
          "and that is said")


@case
def commands_that_are_not_there(s):
    check("cannot run nosuch-command: no such command" in refused(s, 3, "nosuch-command"), "name")
    check("Permission denied" in refused(s, 3, s.path("home")), "a folder")
    with open(s.path("script"), "w", encoding="utf-8") as f:
        f.write("#!/no/such/interpreter\n")
    os.chmod(s.path("script"), 0o755)
    check("its interpreter" in refused(s, 3, s.path("script")), "a script")
    for args, code, env in ((["--per", "token", "true"], 1, {"INFPROF_SHIM": "/no"}),
                            (["--profile", "true"], 1, {"TMPDIR": "/nonexistent"}),
                            (["--profile", "--kernels", "bogus", "true"], 2, {})):
        one_line(s.infprof("bench", *args, code=code, env=env).stderr, " ".join(args))


@case
def commands_that_hang(s):
    began = time.monotonic()
    script = f"trap '' TERM; sleep 60 & echo $! > {s.path('pid')}; wait; sleep 60"
    doc, err = bench(s, "-r", "1", "-w", "0", "--max-time", "300ms", "sh", "-c", script, code=1)
    one_line(err, "why")
    equal(doc["each"][0]["end"], "time", "end")
    check("over its time" in doc["failures"][0]["why"], doc["failures"])
    between(0.3, time.monotonic() - began, 20, "stopped, though SIGTERM was ignored")
    equal(alive(pid_in(s, "pid")), False, "and all that it started")
    # those that are in time count
    script = f"test -e {s.path('second')} || {{ touch {s.path('second')}; sleep 60; }}"
    doc, _ = bench(s, "-r", "3", "-w", "0", "--max-time", "1s", "sh", "-c", script)
    equal([r["end"] for r in doc["each"]], ["time", "exit", "exit"], "the rest goes on")
    equal(doc["succeeded"], 2, "succeeded")


@case
def commands_that_take_too_much_memory(s):
    doc, err = bench(s, "-r", "1", "-w", "0", "--memory-limit", "100M", "python3", "-c",
                     "x = []\nwhile len(x) < 4000: x.append(bytearray(1 << 20))", code=1)
    equal(doc["each"][0]["end"], "memory", "end")
    check("over its memory" in err, err)
    # each stopped elsewhere, all for the same: one line
    run = s.infprof("bench", "-r", "3", "-w", "0", "--memory-limit", "64M", "-o", s.path("over.json"), "sh", "-c",
                    f"echo >> {s.path('n')}; exec python3 -c \"x = bytearray((80 + 30 * $(wc -l < {s.path('n')})) << 20); "
                    "import time; time.sleep(60)\"", code=1)
    failures = s.json("over.json")["failures"]
    equal([f["runs"] for f in failures], [3], "one kind of failure")
    check(re.fullmatch(r"stopped at [\d.]+MiB( to [\d.]+MiB)?: over its memory limit of 64.0MiB", failures[0]["why"]), failures)
    equal(run.stdout.count("over its memory"), 1, run.stdout)
    doc, _ = bench(s, "-r", "1", "-w", "0", "--memory-limit", "1G", "sleep", "0.1")
    equal(doc["succeeded"], 1, "below it")


@case
def commands_that_fork_daemons(s):
    # it holds the standard streams, and has a session of its own
    script = f"setsid sh -c 'echo $$ > {s.path('pid')}; exec sleep 30' & while ! test -s {s.path('pid')}; do sleep 0.01; done"
    began = time.monotonic()
    doc, _ = bench(s, "-r", "1", "-w", "0", "sh", "-c", script)
    check(time.monotonic() - began < 20, "not held up by it")
    pid = pid_in(s, "pid")
    equal((doc["succeeded"], doc["noise"]["left_behind"], alive(pid)), (1, 1, True), "it goes on, and is counted")
    check(any("behind" in n for n in doc["notes"]), doc["notes"])
    os.kill(pid, signal.SIGKILL)
    # of one that is stopped nothing is left, however it hides
    os.unlink(s.path("pid"))
    bench(s, "-r", "1", "-w", "0", "--max-time", "1s", "sh", "-c", script + "; sleep 60", code=1)
    equal(alive(pid_in(s, "pid")), False, "the daemon of a command that was stopped")


@case
def commands_that_want_a_terminal(s):
    doc, err = bench(s, "-r", "1", "-w", "0", "sh", "-c", ": < /dev/tty || exit 4", code=1)
    one_line(err, "why")
    check(any("no terminal" in n for n in doc["notes"]), doc["notes"])
    equal(bench(s, "-r", "1", "-w", "0", "sh", "-c", "cat; exit 0")[0]["succeeded"], 1, "standard input is empty")


@case
def until_it_is_stable(s):
    doc, _ = bench(s, "--until-stable=90%", "--runs", "40", "sleep", "0.01")
    check(doc["stable"]["reached"] and 10 <= doc["runs"] < 40, (doc["stable"], doc["runs"]))
    check(doc["stable"]["width"] < 0.9, doc["stable"])
    doc, _ = bench(s, "--until-stable=0.0001%", "--runs", "12", "sleep", "0.01")
    equal((doc["stable"]["reached"], doc["runs"]), (False, 12), "no further than --runs")
    check(any("--runs" in n for n in doc["notes"]), doc["notes"])


@case
def a_budget(s):
    doc, _ = bench(s, "--budget", "500ms", "--runs", "1000", "sleep", "0.1")
    between(1, doc["runs"], 6, "runs in half a second")


@case
def warm_up_is_found(s):
    # the first ten of forty take longer
    count = s.path("count")
    script = f"echo >> {count}; if test $(wc -l < {count}) -le 10; then sleep 0.12; else sleep 0.02; fi"
    for attempt in range(3):
        if os.path.exists(count):
            os.unlink(count)
        doc, _ = bench(s, "--runs", "40", "--warmup", "0", "sh", "-c", script)
        w = doc["warmup"]
        if 9 <= w["found"] <= 11:
            break
    between(9, w["found"], 11, "found")
    check(w["before_ns"] > 2 * w["after_ns"], w)
    check(any("--warmup" in n for n in doc["notes"]), doc["notes"])


@case
def outliers_are_told(s):
    count = s.path("count")
    script = f"echo >> {count}; if test $(wc -l < {count}) -eq 13; then sleep 0.5; else sleep 0.02; fi"
    doc, _ = bench(s, "--runs", "20", "--warmup", "0", "sh", "-c", script)
    check(12 in doc["outliers"]["at"], doc["outliers"])
    equal(doc["outliers"]["count"], len(doc["outliers"]["at"]), "count")
    check(any("far from the rest" in n for n in doc["notes"]), doc["notes"])


@case
def other_load_is_told(s):
    beside = s.start(["python3", "-c", "import time\nend = time.monotonic() + 20\nwhile time.monotonic() < end: pass"], preload=False)
    doc, _ = bench(s, "--runs", "3", "--warmup", "0", "sleep", "0.5")
    beside.kill(signal.SIGKILL)
    beside.wait()
    check(doc["noise"]["others_cpus"] > 0.3, doc["noise"])
    check(any("Other processes took" in n for n in doc["notes"]), doc["notes"])
    doc, _ = bench(s, "--runs", "2", "--warmup", "0", "python3", "-c",
                   "import time\nend = time.process_time() + 0.4\nwhile time.process_time() < end: pass")
    between(0.35e9, doc["user_ns"] + doc["system_ns"], 2e9, "its own time is its own")


@case
def interrupted_it_tells_what_it_has(s):
    for number, code, args in ((signal.SIGINT, 130, ["--json"]), (signal.SIGTERM, 143, ["--json"]), (signal.SIGINT, 130, [])):
        folder = s.path("began")
        if os.path.exists(folder):
            os.unlink(folder)
        run = s.start([s.cli, "bench", "--runs", "1000", *args, "sh", "-c", f"echo >> {folder}; sleep 0.02"], preload=False)
        wait_until(lambda: os.path.exists(folder) and os.path.getsize(folder) > 6, 20, "some runs")
        run.kill(number)
        equal(run.wait(20), code, "exit code")
        if not args:
            check("interrupted by SIGINT" in run.stdout and "median" in run.stdout, run.stdout)
            continue
        doc = json.loads(run.stdout)
        s.validate(doc, "doc/bench.schema.json")
        equal(doc["interrupted"], number.name, "by")
        check(doc["runs"] >= 3 and doc["succeeded"] == doc["runs"], doc["runs"])


@case
def signals_that_are_ignored_stay_so(s):
    run = s.start(["sh", "-c", f"trap '' HUP; exec {s.cli} bench --json --runs 1000 sh -c 'echo >> {s.path('began')}; sleep 0.02'"],
                  preload=False)

    def runs():
        return os.path.getsize(s.path("began")) if os.path.exists(s.path("began")) else 0

    wait_until(runs, 20, "a run")
    run.kill(signal.SIGHUP)
    before = runs()
    wait_until(lambda: runs() > before + 3, 20, "it goes on")
    run.kill(signal.SIGINT)
    equal((run.wait(20), json.loads(run.stdout)["interrupted"]), (130, "SIGINT"), "until it is interrupted")


@case
def interrupted_at_once(s):
    """However early it comes: a document or nothing, but never a command that goes on."""
    for pause in (0.0, 0.01, 0.03, 0.06, 0.1):
        run = s.start([s.cli, "bench", "--json", "sh", "-c", f"echo $$ > {s.path('pid')}; exec sleep 30"], preload=False)
        time.sleep(pause)
        run.kill(signal.SIGINT)
        run.wait(20)
        check(run.returncode in (130, -signal.SIGINT), f"ended with {run.returncode}")
        if run.returncode == 130:
            doc = json.loads(run.stdout)
            s.validate(doc, "doc/bench.schema.json")
            equal((doc["interrupted"], doc["runs"]), ("SIGINT", 0), "of no run")
        if os.path.exists(s.path("pid")):
            with open(s.path("pid"), encoding="utf-8") as f:
                text = f.read()
            check(not text or not alive(int(text)), "the command is over")


@case
def interrupted_before_anything_was_measured(s):
    run = s.start([s.cli, "bench", "-w", "0", "sh", "-c", f"echo $$ > {s.path('pid')}; exec sleep 30"], preload=False)
    pid_in(s, "pid")
    run.kill(signal.SIGINT)
    equal(run.wait(20), 130, "exit code")
    check("nothing was measured" in run.stdout and "interrupted by SIGINT" in run.stdout, run.stdout)
    check("succeeded" not in run.stdout, run.stdout)


@case
def killed_it_takes_the_command_along(s):
    run = s.start([s.cli, "bench", "sh", "-c", f"echo $$ > {s.path('pid')}; exec sleep 30"], preload=False)
    pid = pid_in(s, "pid")
    run.kill(signal.SIGKILL)
    run.wait(10)
    wait_until(lambda: not alive(pid), 10, "the command is over, too")


@case
def a_view_of_the_document(s):
    run = s.infprof("bench", "--runs", "5", "--export", s.path("b.json"), "--work", "tokens=8", "sleep", "0.01")
    doc = s.json("b.json")
    s.validate(doc, "doc/bench.schema.json")
    text = run.stdout
    for word in ("sleep 0.01", "5 after 1 to warm up, all succeeded", "median", "tokens/s", "requests/s", "at its peak"):
        check(word in text, f"{word} in {text}")
    check(f"{doc['time_ns']['median'] / 1e6:.2f}ms" in text, "the median is that of the document")
    check(" a request" not in text, "its peak is told once")
    run = s.infprof("bench", "--runs", "1", "--work", "requests=4", "sleep", "0.05")
    check("% of a run's own peak)" in run.stdout and " a request" in run.stdout, run.stdout)
    equal(run.stderr, "", "no bar where there is no terminal")
    out = s.infprof("bench", "--runs", "1", "--export", "-", "true").stdout
    equal(json.loads(out)["runs"], 1, "on stdout")


@case
def where_nothing_can_be_written_nothing_is_run(s):
    with open(s.path("file"), "w", encoding="utf-8"):
        pass
    for path in (s.path("no/where.json"), s.path("home"), s.path("file/b.json"), s.path("new/"), ""):
        run = s.infprof("bench", "--runs", "1", "--export", path, "touch", s.path("ran"), code=1)
        one_line(run.stderr, f"-o {path}")
        check("cannot write" in run.stderr, run.stderr)
    equal(os.path.exists(s.path("ran")), False, "the command was run")
    os.symlink(s.path("target.json"), s.path("link.json"))
    for path in ("link.json", "file", "fresh.json"):
        s.infprof("bench", "--runs", "1", "--export", s.path(path), "true")
        equal(s.json(path)["runs"], 1, path)


@case
def a_bar_on_a_terminal(s):
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(s.cli, [s.cli, "bench", "--runs", "10", "sleep", "0.15"], s.env())
    text, end = b"", time.monotonic() + 30
    while time.monotonic() < end:
        if not select.select([fd], [], [], 1)[0]:
            continue
        try:
            got = os.read(fd, 65536)
        except OSError:
            break
        if not got:
            break
        text += got
    _, status = os.waitpid(pid, 0)
    os.close(fd)
    text = text.decode("utf-8", "replace")
    if status != 0:
        raise Failed(f"ended with {status}: {text[-500:]}")
    check("run 3" in text and " left" in text, text[:500])
    last = text[text.rindex("\r\x1b[K") + 4:]
    check("median" in last and "] run" not in last, f"the bar is gone before the table: {last!r}")
    check(all(len(line) <= 80 for line in last.replace("\r", "").splitlines()), last)


@case
def what_makes_no_sense_is_refused(s):
    for args, words in (
            ((), "which command?"),
            (("--runs", "0", "true"), "--runs cannot be '0'"),
            (("--runs", "ten", "true"), "--runs cannot be 'ten'"),
            (("--warmup", "-1", "true"), "--warmup"),
            (("--max-time", "0", "true"), "--max-time"),
            (("--max-time", "10parsecs", "true"), "--max-time"),
            (("--memory-limit", "much", "true"), "--memory-limit"),
            (("--budget", "-3s", "true"), "--budget"),
            (("--until-stable=2", "true"), "--until-stable"),
            (("--work", "tokens", "true"), "--work"),
            (("--work", "bananas=3", "true"), "--work"),
            (("--per", "day", "true"), "--per cannot be 'day'"),
            (("--per", "op", "--", "true"), "which?"),
            (("--frobnicate", "true"), "unknown option"),
    ):
        check(words in refused(s, 2, *args), f"{words} of {args}")


main()
