# SPDX-License-Identifier: MIT
"""Sweeps that stop losers early against exhaustive ones (--full), in turns. `sweep-time`: wall time of all runs of the
first over that of the second, on the real llama.cpp over 1, 2, 4 and 8 threads, with whether both name the same best
and how much throughput the choice of the first has of the other's best, as the exhaustive one measured it.
`sweep-crossover`: the same ratio on tinyengine's fine-grained against coarse-grained work, over 1 to 128 texts,
with the values from which on coarse wins, found by each, and how often that of the second lies in the first's interval.

Threads that spin, more of them than CPUs, take a hundred times as long on a busy machine: in both sweeps a run may
take 20 s at most, and is counted so.
"""

import json
import os

from figures import main, put
from harness import Skip

ROUNDS = int(os.environ.get("SWEEP_ROUNDS", "3"))
LIMIT = "20s"
FINE, COARSE = "fine --spawn op --alloc op", "coarse --weights own"


def sweep(s, *args):
    return json.loads(s.infprof("sweep", "--json", *map(str, args), timeout=1500).stdout)


def pair(s, i, *args):
    """(stopping losers, all): who is first changes."""
    made = {}
    for full in ((False, True), (True, False))[i % 2]:
        made[full] = sweep(s, *(["--full"] if full else []), "--seed", i, *args)
    return made[False], made[True]


def of_llama(s):
    cmd = s.llama("--model", s.model("small"), "--tokens", "24", "--threads", "{threads}")
    ratios, same, regret = [], 0, []
    for i in range(ROUNDS):
        early, full = pair(s, i, "--max-time", LIMIT, "--threads", "1,2,4,8", "--", *cmd)
        ratios.append(early["took_ns"] / full["took_ns"])
        same += early["best"] == full["best"]
        regret.append(full["rows"][early["best"]]["throughput"] / full["rows"][full["best"]]["throughput"])
    put("sweep-time", "share", ratios, budget=0.6, same_best=same, of=ROUNDS, least_of_best=min(regret))


def of_tinyengine(s):
    cmd = [s.tinyengine, "--threads", "2", "--dim", "512", "--layers", "2", "--tokens", "2", "--prompt", "2", "--work",
           "{work...}", "--texts", "{texts}"]
    ratios, found, agree, inside = [], [], 0, 0
    for i in range(ROUNDS):
        early, full = pair(s, i, "--metric", "wall", "-P", f"work={FINE},{COARSE}", "-P", "texts=1,2,4,...,128", "--compare",
                           "work", "--cut", "off", "--", *cmd)
        a, b = early["crossovers"][0], full["crossovers"][0]
        ratios.append(early["took_ns"] / full["took_ns"])
        found.append([a["from"], b["from"], a["interval"], b["interval"]])
        agree += a["from"] == b["from"] and a["winner"] == b["winner"]
        low, high, at = (int(v or 256) for v in [*(a["interval"] or (a["from"], a["from"])), b["from"]])  # None: never
        inside += low <= at <= high
    put("sweep-crossover", "share", ratios, budget=1, same_crossover=agree, in_interval=inside, of=ROUNDS, found=found)


def measure(s):
    of_tinyengine(s)
    try:
        of_llama(s)
    except Skip as why:
        print(why)


main(measure)
