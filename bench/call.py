# SPDX-License-Identifier: MIT
"""A timed call: the CPU time of the calling thread with stub, stamps, ring and a daemon that reads,
less the same call of a twin that is not hooked, over what two rdtsc take in a loop. Slices of the
three take turns in one process; one ratio a round. Between slices the thread naps, so that the ring
has room: `folded` says how many found none.

Beside it: uftrace, which hooks the same calls at the PLT, with the same twin as its measure.
"""

import json
import shutil
import statistics

from figures import KERNELS, WARM_UP, calls, exact, main, op, put

BUDGET = 1.2


def timed_calls(s, threads):
    run, got = calls(s, "--threads", threads, "tsc", "empty_bare", "empty_plain", "empty_args",
                     kernels=f"{KERNELS}empty_plain/0,{KERNELS}empty_args")
    doc = s.report(run)
    exact(doc, got, ["empty_plain", "empty_args"])
    tsc, bare = got["tsc"]["ns"], got["empty_bare"]["ns"]
    for name, stack in (("empty_plain", 0), ("empty_args", 256)):
        added = [a - b for a, b in zip(got[name]["ns"], bare)]
        put("call", "times two rdtsc", [a / t for a, t in zip(added, tsc)], BUDGET, threads=threads, stack_bytes=stack,
            added_ns=statistics.median(added), least_added_ns=min(added), two_rdtsc_ns=statistics.median(tsc),
            folded=op(doc, name)["folded"], calls=got[name]["calls"])


def uftrace(s):
    """Of the same program; only the PLT call of the twin is traced."""
    if not shutil.which("uftrace"):
        return
    args = ["--rounds", "17", "empty_bare"]
    _, alone = calls(s, *args)
    run = s.run(["uftrace", "record", "--force", "--no-sched", "-d", s.path("uftrace"), "-F", "empty_bare",
                 s.built("bench/calls"), *args], preload=False, timeout=120, code=None)
    if run.returncode != 0:
        return
    traced = json.loads(run.stdout.splitlines()[-1])["empty_bare"]["ns"]
    bare = statistics.median(alone["empty_bare"]["ns"])
    put("call-uftrace", "ns added", [t - bare for t in traced[WARM_UP:]], None, threads=1)


def measure(s):
    for threads in (1, 2):
        timed_calls(s, threads)
    uftrace(s)


main(measure)
