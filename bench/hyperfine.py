# SPDX-License-Identifier: MIT
"""infprof bench beside hyperfine, in turns, on a command of one second.

bench-adds       how much longer the command takes under infprof bench than under hyperfine, in percent: of its wall
                 time (a command that sleeps: nothing else moves it), and of its CPU time as it tells itself (one that
                 computes: who disturbs it takes its cache and its CPU)
bench-takes      CPU time of infprof bench itself while the command goes on, in percent of a CPU: the most that it can
                 take from a command that has no other CPU
bench-agrees     the mean that infprof bench tells against hyperfine's, in percent: of either command
bench-a-run      what passes between two runs, in ms: forks, looks at the machine, statistics"""

import json
import os
import resource
import time

from figures import main, put
from harness import skip

ROUNDS, RUNS, FEW = 9, 1, 3
SLEEP = ["sleep", "1"]


def hyperfine(s, cmd):
    path = s.path("hyperfine.json")
    began = time.monotonic()
    # a session has a share of a busy machine (sched_autogroup); infprof bench gives the command one
    s.run(["setsid", "-w", "hyperfine", "-N", "--runs", str(RUNS), "--style", "none", "--export-json", path, " ".join(cmd)], preload=False)
    return s.json("hyperfine.json")["results"][0]["mean"], time.monotonic() - began


def infprof(s, cmd):
    began = time.monotonic()
    run = s.infprof("bench", "--json", "--warmup", "0", "--runs", str(RUNS), "--", *cmd)
    return json.loads(run.stdout)["time_ns"]["mean"] / 1e9, time.monotonic() - began


def cpu_time(s, runs):
    """Of infprof bench and the commands, which sleep."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    s.infprof("bench", "--json", "--warmup", "0", "--runs", str(runs), "--", *SLEEP)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def told(path):
    with open(path, encoding="utf-8") as f:
        values = [float(line) for line in f]
    os.unlink(path)
    return sum(values) / len(values)


def spin(s, n, name):
    return [s.built("bench/spin"), str(n), s.path(name)]


def steps(s):
    """So many that the command takes a second."""
    n = 100000000
    s.run(spin(s, n, "try"), preload=False)
    return int(n / told(s.path("try")))


def measure(s):
    if not any(os.access(os.path.join(d, "hyperfine"), os.X_OK) for d in os.environ["PATH"].split(":")):
        skip("no hyperfine here")
    adds, between, agrees, cpu, takes = [], [], [], [], []
    theirs, ours = spin(s, n := steps(s), "theirs"), spin(s, n, "ours")
    for turn in range(ROUNDS):
        order = (hyperfine, infprof) if turn % 2 else (infprof, hyperfine)
        got = {f: f(s, SLEEP) for f in order}
        adds.append(100 * (got[infprof][0] / got[hyperfine][0] - 1))
        between.append(1000 * (got[infprof][1] - RUNS * got[infprof][0]) / RUNS)
        got = {f: f(s, ours if f is infprof else theirs) for f in order}
        agrees.append(100 * (got[infprof][0] / got[hyperfine][0] - 1))
        if turn < FEW:
            takes.append(100 * (cpu_time(s, 5) - cpu_time(s, 1)) / 4)
        cpu.append(100 * (told(s.path("ours")) / told(s.path("theirs")) - 1))
    put("bench-adds", "%", adds, 0.5, value="wall")
    put("bench-adds", "%", cpu, 0.5, value="cpu")
    put("bench-takes", "%", takes, 0.5)
    put("bench-agrees", "%", adds, 2, either=True, value="sleeps")
    put("bench-agrees", "%", agrees, 2, either=True, value="computes")
    put("bench-a-run", "ms", between, None)


main(measure)
