# SPDX-License-Identifier: MIT
"""infprof sweep without the profiler: commands that sleep, fail, hang, or are not there; sweeps that were interrupted;
state files that somebody altered; what is seen of it."""

import json
import os
import signal
import time
from xml.etree import ElementTree

from harness import between, case, check, equal, main, one_line, wait_until
from pictures import fits_a_screen, on_terminal, picture
from sweeps import measured, rows, state, sweep, write

# "threads" of two CPUs, in seconds
ENGINE = 'case $1 in 1) sleep 0.3;; 2) sleep 0.1;; *) sleep 0.35;; esac'
FINE = 'case $1 in fine) sleep 0.$(printf %03d $(($2 * 20)));; *) sleep 0.$(printf %03d $((100 + $2 * 4)));; esac'


def sh(script, *args):
    return ["sh", "-c", script, "engine", *args]


def refused(s, code, *args, **more):
    run = s.infprof("sweep", *args, code=code, **more)
    one_line(run.stderr, " ".join(args))
    equal(run.stdout, "", "stdout")
    return run.stderr


@case
def one_that_takes_forever_does_not_hold_up_the_rest(s):
    """No limit is given; whichever is run first, nothing is known by then to hold it against."""
    for seed in ("1", "2", "3"):
        doc, _ = sweep(s, "--bare", "--runs", 1, "--warmup", 0, "--seed", seed, "-o", s.path("x" + seed), "--threads",
                       "1,2", "--", *sh('case $1 in 1) sleep 0.05;; *) exec sleep 3600;; esac', "{threads}"))
        got = rows(doc)
        equal((got["1"]["runs"], got["2"]["runs"]), (1, 0), "runs that ended")
        equal((doc["complete"], doc["rows"][doc["best"]]["values"]), (True, {"threads": "1"}), "best")


@case
def the_best_and_the_knee_are_found(s):
    doc, _ = sweep(s, "--bare", "--runs", 4, "--warmup", 0, "-o", s.path("x"), "--threads", "1,2,4,8", "--",
                   *sh(ENGINE, "{threads}"))
    equal((doc["complete"], doc["rows"][doc["best"]]["values"]), (True, {"threads": "2"}), "best")
    knee, = doc["knees"]
    equal((knee["axis"], knee["at"], knee["row"], knee["best"]), ("threads", "2", 1, 1), "knee")
    check("not recorded" in knee["why"]["text"], knee)
    equal(doc["metric"]["name"], "wall", "metric")
    check(doc["runs_made"] < doc["runs_at_most"] == 16, f"{doc['runs_made']} runs")
    got = rows(doc)
    between(2, got["2"]["speedup"], 4, "speed-up")
    between(0.999, got["2"]["efficiency"] * 2 / got["2"]["speedup"], 1.001, "efficiency")
    equal(got["2"]["runs"], 4, "runs of the best")
    low, high = got["2"]["interval"]
    check(low <= got["2"]["throughput"] <= high, got["2"])
    again, _ = sweep(s, "--show", s.path("x"))
    equal(again, doc, "what is shown of it later")


@case
def variants_cross(s):
    doc, _ = sweep(s, "--bare", "--runs", 3, "-P", "work=fine,coarse", "-P", "n=1,2,4,...,16", "--compare", "work",
                   "--", *sh(FINE, "{work}", "{n}"))
    crossover, = doc["crossovers"]
    equal((crossover["winner"], crossover["loser"], crossover["from"]), ("coarse", "fine", "8"), "crossover")
    between(4, crossover["at"], 8, "both alike (6.25)")
    equal(doc["axis"], "n", "axis")


@case
def words_and_variables_are_filled_in(s):
    out = s.path("out")
    doc, _ = sweep(s, "--bare", "--runs", 1, "--warmup", 0, "-P", "a=x,y z", "-P", "b=,--on now", "-E", "FROM_OPTION={a}",
                   "--", "FROM_WORD=<{a}>", *sh('echo "$FROM_OPTION$FROM_WORD$#$1$2$3" >> ' + out, "{a}", "{b...}",
                                                '{"j": {{a}}'))
    equal(len(doc["rows"]), 4, "rows")
    with open(out, encoding="utf-8") as f:
        equal(sorted(f.read().splitlines()),
              sorted(['x<x>2x{"j": {a}}', 'y z<y z>2y z{"j": {a}}',
                      'x<x>4x--onnow', 'y z<y z>4y z--onnow']), "what the command got")


@case
def cpus_and_memory_are_given(s):
    allowed = sorted(os.sched_getaffinity(0))
    first = str(allowed[0])
    out = s.path("out")
    doc, _ = sweep(s, "--bare", "--runs", 1, "--warmup", 0, "--cpus", first, "--numa", "local,bind:0", "--",
                   *sh('taskset -cp $$ >> ' + out))
    equal([r["fate"] for r in doc["rows"]], ["measured"] * 2, "fates")
    with open(out, encoding="utf-8") as f:
        equal({line.split(":")[1].strip() for line in f}, {first}, "CPUs")
    check("none that we may use" in refused(s, 2, "--cpus", "0,1023", "--", "true"), "a CPU that is not there")
    check("has no node 63" in refused(s, 2, "--numa", "bind:63", "--", "true"), "a node that is not there")
    check("over one node" in refused(s, 2, "--numa", "interleave:0", "--", "true"), "one node")


@case
def what_makes_no_sense_is_said(s):
    for part, code, *args in (
            ("which command", 2, "--threads", "1,2"),
            ("over what", 2, "--", "true"),
            ("did you mean {threads}", 2, "--threads", "1", "--", "echo", "{thread}"),
            ("-P batch=", 2, "--threads", "1", "--", "echo", "{threads}", "{batch}"),
            ("nothing uses {threads}", 2, "--threads", "1,2", "--", "true"),
            ("given twice", 2, "--threads", "1", "-P", "threads=2", "--", "echo", "{threads}"),
            ("has no values", 2, "-P", "threads", "--", "true"),
            ("twice", 2, "--threads", "1,1", "--", "echo", "{threads}"),
            ("no such command", 3, "--threads", "1,2", "--", "/no/such/engine", "{threads}"),
            ("1 to 10000", 2, "--runs", "0", "--threads", "1", "--", "echo", "{threads}"),
            ("--max-time cannot be", 2, "--max-time", "0", "--threads", "1", "--", "echo", "{threads}"),
            ("--cut cannot be", 2, "--cut", "1", "--threads", "1", "--", "echo", "{threads}"),
            ("no parameter is named x", 2, "--compare", "x", "--threads", "1,2", "--", "echo", "{threads}"),
            ("two are needed", 2, "--compare", "threads", "--threads", "1", "--", "echo", "{threads}"),
            ("--units", 2, "--units", "a", "-P", "a=x,y", "--", "echo", "{a}"),
            ("--bare", 2, "--bare", "--metric", "tokens", "--threads", "1", "--", "echo", "{threads}"),
            ("--bare has none", 2, "--bare", "--offcpu", "--threads", "1", "--", "echo", "{threads}"),
            ("OBJECT:SYMBOL", 2, "--kernels", "x", "--threads", "1", "--", "echo", "{threads}"),
            ("--show FOLDER runs nothing", 2, "--show", "x", "--", "true"),
            ("cannot read", 3, "--show", s.path("nothing")),
            ("cannot read", 3, "--resume", s.path("nothing")),
            ("more than 4096 points", 2, "-P", "a=1,2,...,100", "-P", "b=1,2,...,100", "--", "echo", "{a}{b}"),
            ("want stdout", 2, "--json", "--svg", "-", "--threads", "1", "--", "echo", "{threads}")):
        check(part in (said := refused(s, code, *args)), f"'{said}' says '{part}'")


@case
def broken_configurations_are_rows(s):
    script = ('case $1 in ok) sleep 0.05;; code) echo "no room" >&2; exit 3;; signal) kill -SEGV $$;; '
              'hang) sleep 60;; tty) exec 3</dev/tty;; esac')
    doc, _ = sweep(s, "--bare", "--runs", 2, "--warmup", 0, "--max-time", "1.5s", "-P", "how=ok,code,signal,hang,tty",
                   "--", *sh(script, "{how}"))
    got = rows(doc)
    equal({k: r["fate"] for k, r in got.items() if k != "hang"},
          {"ok": "measured", "code": "broken", "signal": "broken", "tty": "broken"}, "fates")
    check(got["hang"]["fate"] in ("broken", "cut"), got["hang"])
    equal(got["code"]["why"], "exit code 3: no room", "why")
    check("SIGSEGV" in got["signal"]["why"], got["signal"])
    check("/dev/tty" in got["tty"]["why"], got["tty"])
    equal((doc["rows"][doc["best"]]["values"]["how"], got["code"]["throughput"]), ("ok", None), "best")
    # a program that is there for some values only
    doc, _ = sweep(s, "--bare", "--runs", 1, "--warmup", 0, "-P", "what=true,/no/such", "--", "{what}")
    equal(rows(doc)["/no/such"]["why"], "not run: no such command", "why")
    # none works
    doc, _ = sweep(s, "--bare", "--warmup", 0, "--threads", "1,2", "--", *sh("exit 1", "{threads}"), code=1)
    equal((doc["best"], doc["knees"], doc["runs_made"]), (None, [], 2), "nothing")
    check("no run of any configuration succeeded" in doc["notes"], doc["notes"])


@case
def what_is_left_behind_is_said(s):
    doc, _ = sweep(s, "--bare", "--runs", 1, "--warmup", 0, "--threads", "1,2", "--",
                   *sh("setsid sleep 2 & exit 0", "{threads}"))
    check(any("left 1 process behind" in n for n in doc["notes"]), doc["notes"])
    wait_until(lambda: not s.strangers(), 10, "they have gone")


@case
def slow_runs_are_cut(s):
    doc, _ = sweep(s, "--bare", "--runs", 2, "--warmup", 0, "--seed", 1, "--cut", 3, "--threads", "1,2,4,8", "--",
                   *sh("case $1 in 8) sleep 4;; *) sleep 0.1;; esac", "{threads}"))
    row = rows(doc)["8"]
    if row["fate"] == "cut":  # unless it came first
        check("others take a fraction" in row["why"] and row["at_most"] < 10, row)
    check(row["runs"] <= 1, row)


def starts(s, name, *options):
    run = s.start([s.cli, "sweep", "--bare", "--full", "--runs", "4", "--warmup", "0", "--seed", "3", "-o", s.path(name),
                   *options, "--threads", "1,2", "--", *sh("sleep 0.1", "{threads}")], preload=False)

    def some():
        try:
            return len(s.json(f"{name}/sweep.json")["measured"]) >= 2
        except (FileNotFoundError, json.JSONDecodeError):
            return False

    wait_until(some, 20, "two runs")
    return run


@case
def interrupted_sweeps_go_on(s):
    whole, _ = sweep(s, "--bare", "--full", "--runs", 4, "--warmup", 0, "--seed", 3, "-o", s.path("whole"), "--threads",
                     "1,2", "--", *sh("sleep 0.1", "{threads}"))
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)):
        name = f"cut{number}"
        run = starts(s, name)
        run.kill(number)
        run.wait()
        equal(run.returncode, code, "exit code")
        if number != signal.SIGKILL:
            check("--resume" in run.stderr and "NOT COMPLETE" in run.stdout, run.stdout + run.stderr)
        shown, _ = sweep(s, "--show", s.path(name))
        between(2, shown["runs_made"], 7, "runs that were kept")
        check(not shown["complete"] and any("not complete" in n for n in shown["notes"]), shown["notes"])
        doc, _ = sweep(s, "--resume", s.path(name))
        equal((doc["complete"], doc["runs_made"]), (True, 8), "afterwards")
        runs = [(r["point"], r["round"]) for r in s.json(f"{name}/sweep.json")["measured"]]
        equal(runs, [(r["point"], r["round"]) for r in s.json("whole/sweep.json")["measured"]], "order of runs")
        equal(sweep(s, "--resume", s.path(name))[0]["runs_made"], 8, "of one that is complete nothing is left")
    wait_until(lambda: not s.strangers(), 10, "nothing of it runs on")
    equal(whole["runs_made"], 8, "runs")


@case
def a_folder_is_of_one_sweep(s):
    run = starts(s, "x")
    said = refused(s, 1, "--resume", s.path("x"))
    check("another infprof sweep" in said, said)
    run.wait()
    said = refused(s, 2, "--bare", "-o", s.path("x"), "--threads", "1,2", "--", "echo", "{threads}")
    check("--resume" in said, said)
    said = refused(s, 2, "--bare", "--resume", s.path("x"), "--threads", "1,2", "--", "echo", "{threads}")
    check("another command" in said and "sleep" in said, said)
    command = s.json("x/sweep.json")["argv"]
    equal(sweep(s, "--resume", s.path("x"), "--", *command)[0]["complete"], True, "the same command again")
    refused(s, 2, "--resume", s.path("x"), "--", *command[:-1], "another")


@case
def altered_state_is_refused(s):
    state(s, "x", {"threads": [1, 2]}, [measured(0, 0, 1)])
    good = s.json("x/sweep.json")
    texts = [("cut off", json.dumps(good)[:300], "line"), ("empty", "", "line"), ("no JSON", "\0\1\2", "line"),
             ("another document", '{"schema": "infprof.report/1"}', "infprof.sweep-state/1"),
             ("twice", '{"schema": 1, "schema": 2}', "duplicate"),
             ("points", json.dumps({**good, "measured": [measured(9, 0, 1)]}), "point"),
             ("command", json.dumps({**good, "argv": ["{other}"]}), "other"),
             ("deep", "[" * 100000, "line")]
    for what, text, part in texts:
        write(s, "x", text)
        check(part in (said := refused(s, 3, "--resume", s.path("x"))), f"{what}: {said}")
    write(s, "x", json.dumps(good))
    os.chmod(s.path("x/sweep.json"), 0o666)
    said = refused(s, 3, "--resume", s.path("x"))
    check("somebody else" in said, said)
    os.unlink(s.path("x/sweep.json"))
    os.symlink("/etc/passwd", s.path("x/sweep.json"))
    refused(s, 3, "--resume", s.path("x"))


def made(s):
    """A sweep over threads, one over variants: as they are seen."""
    runs, rate = [], {0: 250, 1: 480, 2: 455, 3: 120}
    for point, n in ((0, 2), (1, 5), (2, 5), (3, 1)):
        for i in range(n):
            tps = rate[point] * (1 + 0.01 * i)
            runs.append(measured(point, i, 32 / tps, tokens=32, tokens_per_second=tps, p50_ns=1e9 / tps, p95_ns=1.2e9 / tps,
                                 spawns=(0, 0.03, 0.09, 0.2)[point], waits=(0, 64, 190, 400)[point], allocations=0.5,
                                 cpu_ns=1e9 * 2 ** point / 8))
    runs.append(measured(4, 0, 0.1, code=1, why="exit code 1: engine: no more than 8 threads"))
    state(s, "threads", {"threads": [1, 2, 4, 8, 16]}, runs)
    runs = []
    for point in range(16):
        for i in range(3):
            n = 2 ** (point % 8)
            runs.append(measured(point, i, (0.01 * n if point < 8 else 0.05 + 0.004 * n) * (1 + 0.01 * i),
                                 spawns=4 * n if point < 8 else 4, waits=n))
    state(s, "work", {"work": ["fine", "coarse"], "n": [2 ** i for i in range(8)]}, runs, compare="work", runs=3)


@case
def it_is_seen(s):
    made(s)
    for name in ("threads", "work"):
        show = ("sweep", "--show", name)
        os.chdir(s.folder)
        picture(s, f"sweep-{name}-80", on_terminal(s, 80, *show))
        picture(s, f"sweep-{name}-132", on_terminal(s, 132, *show, lines=50))
        for run in (s.infprof("sweep", "--show", s.path(name)), s.infprof("sweep", "--show", s.path(name), "-n", "0")):
            equal(run.stderr, "", "stderr")
    picture(s, "sweep-threads-80-ascii", on_terminal(s, 80, "sweep", "--show", "threads", LC_ALL="C"))
    fits_a_screen(s, "sweep", "--show", s.path("work"))


@case
def who_else_was_there_is_said(s):
    for others, said in ((0.05, False), (None, False), (1.5, True)):
        state(s, "x", {"threads": [1, 2]}, [measured(i, 0, 1 / (i + 1), others=others) for i in range(2)])
        notes = sweep(s, "--show", s.path("x"))[0]["notes"]
        equal(any("other processes took 1.50 CPUs" in n for n in notes), said, f"notes where others took {others}: {notes}")


@case
def it_is_drawn(s):
    made(s)
    for name, points, knees in (("threads", 4 * 4, 4), ("work", 16 * 2, 0)):
        s.infprof("sweep", "--show", s.path(name), "--svg", s.path("x.svg"))
        svg = ElementTree.parse(s.path("x.svg")).getroot()
        circles = [c for c in svg.iter("{http://www.w3.org/2000/svg}circle") if c.get("r") == "4"]
        equal(len(circles), points, f"points in the picture of {name}")
        for c in circles:
            between(0, float(c.get("cx")), 1200, "x")
            between(0, float(c.get("cy")), 820, "y")
        equal(len([c for c in svg.iter("{http://www.w3.org/2000/svg}circle") if c.get("class") == "knee"]), knees, "knees")
    piped = s.infprof("sweep", "--show", s.path("work"), "--svg", "-").stdout
    check(piped.startswith("<?xml") and piped.rstrip().endswith("</svg>"), piped[:80])
    state(s, "none", {"threads": [1, 2]}, [measured(0, 0, 1, code=1)])
    one_line(s.infprof("sweep", "--show", s.path("none"), "--svg", "-", code=1).stderr, "nothing to draw")


@case
def what_was_measured_is_kept_when_the_folder_goes(s):
    """A disk that is full, or a folder that is gone: said in one line, and over."""
    run = starts(s, "x")
    os.rename(s.path("x"), s.path("y"))
    run.wait()
    equal(run.returncode, 1, "exit code")
    check("cannot write" in run.stderr, run.stderr)
    check(len(s.json("y/sweep.json")["measured"]) >= 2, "runs that were kept")
    time.sleep(0.01)


main()
