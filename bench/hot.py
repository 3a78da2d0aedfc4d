# SPDX-License-Identifier: MIT
"""A hot op: counted always, timed one time in N.

hot: ns of CPU time that a call of one takes more than its twin that is not hooked; counts of more
than ten million calls, which must be exact. hot-mean: how far the mean of some 100 to 200 ns of work
is from that of its twin of which each call is timed, in per cent; one figure a process, since what
disturbs a process disturbs both, and not by the same amount. Spans are times on the clock: the thread
asks not to be interrupted by others. The twin that is not hooked says what the work took in CPU time.

Work of less than some 150 ns may lie in the processor's window as a whole; its end is then stamped
before it is over, and what is seen depends on what surrounds the call, stamped or not.
"""

import statistics

from figures import KERNELS, calls, exact, main, op, put

BUDGET_NS = 6
BUDGET_PERCENT = 2
PROCESSES = 9


def added(s):
    run, got = calls(s, "--rounds", 43, "--slice", 250000, "empty_bare", "empty_hot", kernels=f"{KERNELS}empty_hot~")
    doc = s.report(run)
    exact(doc, got, ["empty_hot"])
    put("hot", "ns added a call", [h - b for h, b in zip(got["empty_hot"]["ns"], got["empty_bare"]["ns"])], BUDGET_NS,
        calls=got["empty_hot"]["calls"], timed=op(doc, "empty_hot")["timed_calls"], counts_exact=True)


def mean(s, steps):
    off, n, truths, means = [], 0, [], []
    for _ in range(PROCESSES):
        run, got = calls(s, "--rounds", 147, "--slice", 8192, "--nap-us", 1000, "--steps", steps,
                         "--alone", "work_bare", "work_hot", "work_full", kernels=f"{KERNELS}work_hot~,{KERNELS}work_full/0")
        doc = s.report(run)
        exact(doc, got, ["work_hot", "work_full"])
        hot, full = op(doc, "work_hot"), op(doc, "work_full")
        n += hot["calls"]
        off.append((hot["total_ns"] / hot["calls"]) / (full["total_ns"] / full["calls"]) * 100 - 100)
        means.append((hot["p50_ns"], full["p50_ns"], hot["total_ns"] / hot["calls"], full["total_ns"] / full["calls"]))
        truths.append(statistics.median(got["work_bare"]["ns"]))
    hot_median, full_median, hot_mean, full_mean = (statistics.median(m) for m in zip(*means))
    put("hot-mean", "% off fully timed", off, BUDGET_PERCENT, either=True, calls=n, counts_exact=True,
        work_ns=statistics.median(truths), hot_mean_ns=hot_mean, full_mean_ns=full_mean,
        hot_median_ns=hot_median, full_median_ns=full_median)


def measure(s):
    added(s)
    for steps in (100, 200):
        mean(s, steps)


main(measure)
