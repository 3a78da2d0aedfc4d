# SPDX-License-Identifier: MIT
"""Other allocators under us, by the names that all have and by their own; and another profiler beside
us, which must come to the same figures."""

import json
import os
import shutil
import subprocess

from harness import between, case, equal, main, skip
from heap import TOTALS, difference, profiled, total
from victims import victim

HEAPTRACK = "/usr/lib/heaptrack/libheaptrack_preload.so"
INTERPRET = "/usr/lib/heaptrack/libexec/heaptrack_interpret"


def asked(truth):
    return {name: {f: t[f] for f in ("calls", "asked_bytes", "frees", "failed_calls")} for name, t in truth.items()}


def by_its_own_names(s, name, interval=1):
    program = victim(s, "heap-names-" + name)
    if not os.path.exists(program):
        skip(f"no {name} to link to here")
    alone = s.run([program, "100"], preload=False)
    run, doc = profiled(s, [program, "100"], interval=interval, kernels="libheap-names-*.so:k_*")
    equal(run.stderr, "", "stderr")
    truth = json.loads(run.stdout)
    # what is usable of a block may be more by chance, where it lies elsewhere
    equal(asked(truth), asked(json.loads(alone.stdout)), "what the kernels did, with us and without")
    got = {op["name"]: {f: op[f] for f in TOTALS} for op in doc["ops"] if op["name"].startswith("k_")}
    equal(got, truth, f"kernels linked to {name}")
    if interval == 1:
        for op, t in truth.items():
            own = [x for x in doc["stacks"] if x["op"] == op]
            equal((total(own, "alloc_objects"), total(own, "inuse_bytes")), (t["calls"], 0), f"stacks of {op}")


@case
def linked_to_glibc(s):
    by_its_own_names(s, "glibc")


@case
def linked_to_jemalloc(s):
    by_its_own_names(s, "jemalloc")
    by_its_own_names(s, "jemalloc", interval=None)


@case
def linked_to_mimalloc(s):
    by_its_own_names(s, "mimalloc")
    by_its_own_names(s, "mimalloc", interval=None)


@case
def linked_to_tcmalloc(s):
    by_its_own_names(s, "tcmalloc")
    by_its_own_names(s, "tcmalloc", interval=None)


def heaptrack(s, n):
    """(calls, bytes, frees, peak, blocks left) by heaptrack's own record of a run."""
    raw, data = s.path(f"heaptrack.{n}.raw"), s.path(f"heaptrack.{n}")
    s.run([victim(s, "heap-even"), str(n)], preload=False, env={"LD_PRELOAD": HEAPTRACK, "DUMP_HEAPTRACK_OUTPUT": raw})
    live, now, peak, calls_, asked, frees = {}, 0, 0, 0, 0, 0
    with open(raw, encoding="utf-8", errors="replace") as f:
        for line in f:
            if line.startswith("+ "):
                size, _, block = (int(x, 16) for x in line.split()[1:4])
                live[block] = size
                calls_, asked, now = calls_ + 1, asked + size, now + size
                peak = max(peak, now)
            elif line.startswith("- "):
                size = live.pop(int(line.split()[1], 16), None)
                if size is not None:
                    frees, now = frees + 1, now - size
    with open(raw, "rb") as source, open(data, "wb") as to:
        subprocess.run([INTERPRET], stdin=source, stdout=to, stderr=subprocess.DEVNULL, timeout=60, check=True)
    text = s.run(["heaptrack_print", "-f", data], preload=False).stdout
    printed = next(line for line in text.splitlines() if line.startswith("calls to allocation functions"))
    equal(int(printed.split(":")[1].split()[0]), calls_, "calls, as heaptrack_print has them")
    return {"calls": calls_, "asked_bytes": asked, "frees": frees}, peak


@case
def heaptrack_comes_to_the_same(s):
    """Sizes are usable to the last byte: what is asked for is what is usable. Each of the two, and libc under
    it, makes some calls of its own at the start, the same in each run: they go out in the difference."""
    if not shutil.which("heaptrack_print") or not os.path.exists(HEAPTRACK) or not os.path.exists(INTERPRET):
        skip("no heaptrack here")
    for interval in (1, None):
        theirs, ours = [], []
        for n in (12000, 0):
            theirs.append(heaptrack(s, n))
            run, doc = profiled(s, [victim(s, "heap-even"), str(n)], interval=interval)
            ours.append(doc)
        got = difference(*ours)
        for field in ("calls", "asked_bytes", "frees"):
            equal(got[field], theirs[0][0][field] - theirs[1][0][field], f"{field}, ours against heaptrack's")
        equal(got["usable_bytes"], got["asked_bytes"], "usable bytes")
        # heaptrack brings libstdc++ along, whose 72 KB are there from the start
        peak = theirs[0][1] - theirs[1][1]
        between(peak - (64 << 10), ours[0]["totals"]["peak_bytes"], peak + (64 << 10), "peak against heaptrack's")


main()
