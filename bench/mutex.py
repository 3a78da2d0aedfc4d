# SPDX-License-Identifier: MIT
"""Locks that are free: ns of CPU time that a pair (lock and unlock, wait and post) takes more with waits watched
than without the shim. Two processes a figure, in turns A B B A; each tells its median. `barrier` is a barrier of
one, where nobody waits: what it costs to count an arrival."""

import json
import statistics

from figures import WARM_UP, main, put

BUDGET_NS = {"mutex": 6, "rwlock-read": 6, "rwlock-write": 6, "spinlock": 6, "semaphore": 6, "barrier": None}
PAIRS = 10


def medians(s, preload):
    run = s.run([s.built("bench/locks"), "15", *BUDGET_NS], preload=preload)
    return {way: statistics.median(of["cpu"][WARM_UP:]) for way, of in json.loads(run.stdout).items()}


def measure(s):
    s.daemon_start("--stay")
    own, watched = [], []
    for i in range(PAIRS):
        for preload in (False, True) if i % 2 else (True, False):
            (watched if preload else own).append(medians(s, preload))
    for way, budget in BUDGET_NS.items():
        put("mutex", "ns added a pair", [w[way] - o[way] for w, o in zip(watched, own)], budget, what=way,
            own_ns=statistics.median(o[way] for o in own), watched_ns=statistics.median(w[way] for w in watched))


main(measure)
