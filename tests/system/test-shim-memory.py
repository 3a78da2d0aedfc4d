# SPDX-License-Identifier: MIT
"""Each call of the malloc family counts once, for the process and for the op it was made in."""

import json
import os

from harness import between, case, check, equal, main, skip
from victims import calls, counted, sound, victim

KERNELS = "libmemory.so:k_*"
FIELDS = ("alloc_calls", "alloc_bytes", "usable_bytes", "free_calls", "freed_bytes")
JEMALLOC = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"


def kernels_agree(doc, truth):
    for name, wanted in truth["memory"].items():
        op = next(o for o in doc["ops"] if o["name"] == name)
        equal({f: op[f] for f in FIELDS}, {f: wanted[f] for f in FIELDS}, f"memory of {name}")
        equal(op["net_bytes"], wanted["usable_bytes"] - wanted["freed_bytes"], f"net bytes of {name}")
    equal(doc["memory"]["failed_calls"], sum(k["failed_calls"] for k in truth["memory"].values()), "failed")
    for f in FIELDS:
        equal(doc["memory"][f], doc["not_in_any_op"][f] + sum(op[f] for op in doc["ops"]), f"sum of {f}")
    memory = doc["memory"]
    equal(memory["live_bytes"], memory["usable_bytes"] - memory["freed_bytes"], "live bytes")
    check(memory["live_bytes"] >= 0 and memory["peak_bytes"] + (64 << 10) * 65 >= memory["live_bytes"],
          f"live {memory['live_bytes']}, peak {memory['peak_bytes']}")


def memory(s, *args, **options):
    doc, truth = counted(s, "memory", *args, kernels=KERNELS, **options)
    kernels_agree(doc, truth)
    return doc, truth


@case
def each_function_in_the_op_that_called_it(s):
    memory(s, "40", "1")


@case
def threads_and_blocks_freed_by_another(s):
    memory(s, "20", "8")


@case
def another_allocator_behind_us(s):
    if not os.path.exists(JEMALLOC):
        skip("no libjemalloc.so.2 here")
    env = {"LD_PRELOAD": f"{s.shim} {JEMALLOC}"}
    run = s.run([victim(s, "memory"), "20", "4", "portable"], kernels=KERNELS, env=env)
    equal(run.stderr, "", "stderr")
    truth, doc = json.loads(run.stdout), s.report(run)
    sound(doc)
    equal(calls(doc), truth["kernels"], "calls")
    for name, wanted in truth["memory"].items():
        op = next(o for o in doc["ops"] if o["name"] == name)
        equal({f: op[f] for f in FIELDS}, {f: wanted[f] for f in FIELDS}, f"memory of {name}")


@case
def more_of_the_same_is_the_difference(s):
    docs = [memory(s, "10", "1", env={"VICTIM_EARLY": early})[0] for early in ("0", "16", "1016")]
    for f in ("alloc_calls", "alloc_bytes", "free_calls", "freed_bytes", "usable_bytes"):
        per = {"alloc_bytes": 1000, "freed_bytes": 1000 + 8, "usable_bytes": 1000 + 8}.get(f, 1)
        # what kernels take is left out: how much of an aligned block is usable differs from run to run
        got = docs[2]["not_in_any_op"][f] - docs[1]["not_in_any_op"][f]
        # and the vector that holds them, which doubles six times and a bit
        grown = {"alloc_calls": 6, "free_calls": 6}.get(f, 6 * 1024 * 8 * 2)
        between(1000 * per, got, 1000 * per + grown, f"{f} of 1,000 blocks before main")
    equal(docs[1]["memory"]["alloc_calls"] - docs[0]["memory"]["alloc_calls"], 16 + 5,
          "16 blocks before main, and a vector of 1, 2, 4, 8, 16")


@case
def the_peak(s):
    doc, truth = counted(s, "memory", "1", "1", "peak", kernels=KERNELS)
    peak, wanted = doc["memory"]["peak_bytes"], truth["values"]["peak"]
    # libstdc++ takes 72 KB before main; the peak is exact within 64 KiB a thread
    between(wanted - (64 << 10), peak, wanted + (200 << 10), "peak")


@case
def the_output_does_not_change(s):
    alone = s.run([victim(s, "memory"), "5", "1", "peak"], preload=False)
    run = s.run([victim(s, "memory"), "5", "1", "peak"], kernels=KERNELS)
    equal(run.stdout, alone.stdout, "output")


main()
