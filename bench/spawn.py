# SPDX-License-Identifier: MIT
"""pthread_create and join of a thread that does nothing: with spawns and waits watched over without the shim, in
turns; one ratio a turn. `spawn-kernel`: with the kernel's view as well, for information: each system call and each
switch of a thread is seen there, and a thread that does nothing consists of these. `cpu` is CPU time of the process, both threads' part together; `elapsed` by the clock on the
wall, where a busy machine tells more of itself."""

import json
import statistics

from figures import WARM_UP, main, put

BUDGET = 1.03
TURNS = 15


def medians(s, preload, env):
    run = s.run([s.built("bench/locks"), "23", "spawn"], preload=preload, env=env)
    return {clock: statistics.median(ns[WARM_UP:]) for clock, ns in json.loads(run.stdout)["spawn"].items()}


def ratios(s, bench, budget, env):
    own, watched = [], []
    for i in range(TURNS):
        for preload in (False, True) if i % 2 else (True, False):
            (watched if preload else own).append(medians(s, preload, env))
    for clock in ("cpu", "elapsed"):
        put(bench, "with / without", [w[clock] / o[clock] for w, o in zip(watched, own)], budget, clock=clock,
            own_ns=statistics.median(o[clock] for o in own), watched_ns=statistics.median(w[clock] for w in watched))


def measure(s):
    s.daemon_start("--stay")
    ratios(s, "spawn", BUDGET, {"INFPROF_KERNEL": "off"})
    ratios(s, "spawn-kernel", None, {})


main(measure)
