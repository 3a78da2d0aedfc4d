# SPDX-License-Identifier: MIT
"""infprof bench beside hyperfine, in turns, on a command of one second.

bench-adds       how much longer the command takes under infprof bench than under hyperfine, in percent: of its wall
                 time (a command that sleeps: nothing else moves it), and of its CPU time as it tells itself (one that
                 computes: who disturbs it takes its cache and its CPU)
bench-agrees     the mean that infprof bench tells against hyperfine's, in percent: of either command
bench-a-run      what passes between two runs, in ms: forks, looks at the machine, statistics"""

import json
import os
import time

from figures import main, put
from harness import skip

ROUNDS, RUNS = 5, 2
SLEEP = ["sleep", "1"]
# about a second; its last line is its own CPU time
BUSY = """
import time
a = time.process_time()
x = 0
for i in range(%d):
    x += i * i
open('%s', 'a').write(f'{time.process_time() - a}\\n')
"""


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


def told(path):
    with open(path, encoding="utf-8") as f:
        values = [float(line) for line in f]
    os.unlink(path)
    return sum(values) / len(values)


def script(s, n, name):
    path = s.path(name + ".py")
    with open(path, "w", encoding="utf-8") as f:
        f.write(BUSY % (n, s.path(name)))
    return ["python3", "-S", path]


def loops(s):
    """So many that the command takes a second."""
    n = 2000000
    s.run(script(s, n, "try"), preload=False)
    return int(n / told(s.path("try")))


def measure(s):
    if not any(os.access(os.path.join(d, "hyperfine"), os.X_OK) for d in os.environ["PATH"].split(":")):
        skip("no hyperfine here")
    adds, between, agrees, cpu = [], [], [], []
    theirs, ours = script(s, n := loops(s), "theirs"), script(s, n, "ours")
    for turn in range(ROUNDS):
        order = (hyperfine, infprof) if turn % 2 else (infprof, hyperfine)
        got = {f: f(s, SLEEP) for f in order}
        adds.append(100 * (got[infprof][0] / got[hyperfine][0] - 1))
        between.append(1000 * (got[infprof][1] - RUNS * got[infprof][0]) / RUNS)
        got = {f: f(s, ours if f is infprof else theirs) for f in order}
        agrees.append(100 * (got[infprof][0] / got[hyperfine][0] - 1))
        cpu.append(100 * (told(s.path("ours")) / told(s.path("theirs")) - 1))
    put("bench-adds", "%", adds, 0.5, value="wall")
    put("bench-adds", "%", cpu, 0.5, value="cpu")
    put("bench-agrees", "%", adds, 2, either=True, value="sleeps")
    put("bench-agrees", "%", agrees, 2, either=True, value="computes")
    put("bench-a-run", "ms", between, None)


main(measure)
