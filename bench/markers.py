# SPDX-License-Identifier: MIT
"""Markers of infprof.h: ns of CPU time that a call in one takes more than the same call alone. Without infprof, switched
off, and on; on, it is held against a timed call of the same kind, in turns in one process. `named` looks its name up
with each call; `counter` is infprof_count()."""

import statistics

from figures import KERNELS, calls, exact, main, op, put
from harness import Failed, wait_until

BUDGET_ABSENT_NS = 1
BUDGET_OFF_NS = 3
BUDGET_ON = 1.2  # a timed call's


def added(got, name):
    return [m - b for m, b in zip(got[name]["ns"], got["empty_bare"]["ns"])]


def absent(s):
    _, got = calls(s, "--slice", 65536, "empty_bare", "marker", "named", "counter")
    for name in ("marker", "named", "counter"):
        put("markers-absent", "ns added", added(got, name), BUDGET_ABSENT_NS, what=name)


def off(s):
    def pause(run):
        wait_until(lambda: run.stdout, 10, "the first call")
        s.infprof("pause", "--op", "marker_off", run.pid)

    run, got = calls(s, "--slice", 65536, "empty_bare", "marker_off", kernels=f"{KERNELS}empty_off", before=pause)
    counted = op(s.report(run), "marker_off")["calls"]
    if counted != 1:
        raise Failed(f"{counted} markers were counted: 1 was set before they were switched off")
    put("markers-off", "ns added", added(got, "marker_off"), BUDGET_OFF_NS)


def on(s):
    run, got = calls(s, "--slice", 4096, "tsc", "empty_bare", "empty_plain", "marker", "named", "counter",
                     kernels=f"{KERNELS}empty_plain/0")
    doc = s.report(run)
    exact(doc, got, ["empty_plain", "marker", "named"])
    span, tsc = added(got, "empty_plain"), got["tsc"]["ns"]
    for name in ("marker", "named"):
        put("markers-on", "times two rdtsc", [m / t for m, t in zip(added(got, name), tsc)],
            BUDGET_ON if name == "marker" else None, what=name, added_ns=statistics.median(added(got, name)),
            span_ns=statistics.median(span), two_rdtsc_ns=statistics.median(tsc), folded=op(doc, name)["folded"])
    put("markers-on", "ns added", added(got, "counter"), None, what="counter")


def measure(s):
    absent(s)
    off(s)
    on(s)


main(measure)
