# SPDX-License-Identifier: MIT
"""malloc and free, counted: ns of CPU time that a pair takes more under the shim than the allocator's
own. Two processes a figure, without the shim and with it, in turns A B B A; each tells its median."""

import json
import statistics

from figures import WARM_UP, main, put

BUDGET_NS = 7  # by phase and size class, with the countdown to the next sample
PAIRS = 10
WAYS = {"fixed": "64 B", "uniform": "64 B to 4 KiB", "window": "64 B to 4 KiB, 64 alive"}


def medians(s, preload, threads):
    run = s.run([s.built("bench/pairs"), str(threads), "12"], preload=preload)
    return {way: statistics.median(ns[WARM_UP:]) for way, ns in json.loads(run.stdout).items()}


def measure(s):
    for threads in (1, 2):
        own, counted = [], []
        for i in range(PAIRS):
            for preload in (False, True) if i % 2 else (True, False):
                (counted if preload else own).append(medians(s, preload, threads))
        for way, sizes in WAYS.items():
            put("malloc", "ns added a pair", [c[way] - o[way] for c, o in zip(counted, own)], BUDGET_NS, threads=threads,
                sizes=sizes, own_ns=statistics.median(o[way] for o in own),
                counted_ns=statistics.median(c[way] for c in counted))


main(measure)
