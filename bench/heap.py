# SPDX-License-Identifier: MIT
"""What a profiler of the heap adds to a pair of malloc and free: ours, at the default interval and at
interval 1, against jemalloc's own (prof:true, one sample in 512 KiB on average) and against heaptrack, which
records every allocation. All in turns; one ratio a turn.

What is added is the difference to the same allocator without its profiler: glibc's for us and for heaptrack,
jemalloc's for its own. Against jemalloc it is CPU time of the thread. heaptrack hands its records to a second
process through a pipe, and holds a lock meanwhile. Against heaptrack there are two lines, each judged: `cpu`
is CPU time of the thread, which leaves out what threads wait; `elapsed` is by the clock on the wall, waits
included, as who runs it sees it. On a machine that is busy with something else the second tells more of
that than of us (heaptrack's other process waits for a core, and the engine for it): then believe `cpu`.

`heap-sample` is a sample with all that belongs to it: 20 frames taken and interned, the block followed
until it is freed; what counting takes is not in it.
"""

import json
import os
import shutil
import statistics

from figures import WARM_UP, main, put
from harness import Failed, skip

JEMALLOC = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"
SIZES = {"uniform": "64 B to 4 KiB", "small": "16 to 256 B", "octaves": "16 B to 64 KiB by octave",
         "window": "64 B to 4 KiB, 64 alive"}
TURNS = 7
JUDGED = ("uniform", "uniform-20")


def blocks(s, how, threads, rounds, pairs, ways=()):
    """{clock: {way: figures}} of one run."""
    cmd = [s.built("bench/blocks"), str(threads), str(rounds), str(pairs), *ways]
    if how in ("ours", "every", "counts"):
        interval = {"ours": None, "every": "1", "counts": "0"}[how]
        run = s.run(cmd, env={"INFPROF_HEAP_INTERVAL": interval}, timeout=120)
    elif how == "heaptrack":
        run = s.run(["heaptrack", "-o", s.path("heaptrack"), *cmd], preload=False, timeout=120)
    else:
        env = {"glibc": {}, "jemalloc": {"LD_PRELOAD": JEMALLOC},
               "prof": {"LD_PRELOAD": JEMALLOC, "MALLOC_CONF": "prof:true,lg_prof_sample:19"}}[how]
        run = s.run(cmd, preload=False, env=env, timeout=120)
    if "<jemalloc>" in run.stderr:
        raise Failed(f"jemalloc here has no profiler: {run.stderr}")
    return json.loads(next(line for line in run.stdout.splitlines() if line.startswith("{")))


def turns(s, hows, threads, rounds, pairs, ways=(), n=TURNS):
    """{how: [blocks of each turn]}; each turn begins with another."""
    got = {how: [] for how in hows}
    for i in range(n):
        for how in hows[i % len(hows):] + hows[:i % len(hows)]:
            got[how].append(blocks(s, how, threads, rounds, pairs, ways))
    return got


def added(got, how, base, clock, way, of=statistics.median):
    """ns a pair that `how` adds, of each turn."""
    return [of(a[clock][way][WARM_UP:]) - of(b[clock][way][WARM_UP:]) for a, b in zip(got[how], got[base])]


def ratios(ours, theirs):
    return [a / b for a, b in zip(ours, theirs)]


def case(way, threads):
    name, _, depth = way.partition("-")
    return {"threads": threads, "sizes": SIZES[name], "depth": int(depth or 0)}


def against_jemalloc(s, threads):
    got = turns(s, ["glibc", "ours", "jemalloc", "prof"], threads, 12, 65536)
    ways = [way for way in got["ours"][0]["cpu"] if not way.startswith("frames")]
    for way in sorted(ways, key=lambda w: w not in JUDGED):
        ours, theirs = added(got, "ours", "glibc", "cpu", way), added(got, "prof", "jemalloc", "cpu", way)
        detail = case(way, threads)
        put("heap", "ns added a pair", ours, 7 if way == "uniform" else None, **detail,
            jemalloc_adds=statistics.median(theirs))
        put("heap-jemalloc", "added / jemalloc's profiler", ratios(ours, theirs), 1.0 if way in JUDGED else None, **detail)


def against_heaptrack(s, threads):
    got = turns(s, ["glibc", "ours", "every", "heaptrack"], threads, 16, 65536, JUDGED, n=5)
    for clock, of in (("cpu", statistics.median), ("elapsed", statistics.mean)):
        for way in JUDGED:
            theirs = added(got, "heaptrack", "glibc", clock, way, of)
            for how, bench, budget in (("ours", "heap-heaptrack", 1 / 20), ("every", "heap-every", 1 / 3)):
                ours = added(got, how, "glibc", clock, way, of)
                put(bench, "added / heaptrack", ratios(ours, theirs), round(budget, 3), **case(way, threads), clock=clock,
                    added_ns=statistics.median(ours), heaptrack_ns=statistics.median(theirs))


def one_sample(s):
    got = turns(s, ["counts", "every"], 1, 12, 65536, ["frames-20"])
    put("heap-sample", "ns", added(got, "every", "counts", "cpu", "frames-20"), 200)


def measure(s):
    if not os.path.exists(JEMALLOC) or not shutil.which("heaptrack"):
        skip("wants libjemalloc2 and heaptrack")
    one_sample(s)
    for threads in (1, 2):
        against_jemalloc(s, threads)
    for threads in (1, 2):
        against_heaptrack(s, threads)


main(measure)
