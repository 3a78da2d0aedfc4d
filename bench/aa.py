# SPDX-License-Identifier: MIT
"""How often infprof diff takes chance for a difference, and how often it finds one that is there.

A pool of short runs of tinyengine, plain ones and ones with a kernel (tk_matmul) that does 5 % more, in turns
(infprof ab). 200 times samples of 10 runs a side are drawn from it and compared by infprof diff: plain
against plain, where any verdict and any op that is named is a false one, and plain against slow, where
tk_matmul is to be named. INFPROF_AA_POOL=DIR keeps the pool there, or takes the one that is there.
"""

import json
import os
import random

from figures import main, put

POOL, COMPARISONS, SIDE, SLOW = 80, 200, 10, 5
KERNELS = ["tk_matmul", "tk_attention", "tk_softmax", "tk_rmsnorm", "tk_rope", "tk_swiglu", "tk_add",
           "tp_decode=decode", "tp_prefill=prefill"]


def make_pool(s, folder):
    # as many bytes on the stack on both sides: where it lies makes some kernels quicker
    def engine(percent):
        return [s.tinyengine, "--tokens", "600", "--dim", "256", "--layers", "2", "--slow", f"tk_matmul:{percent}"]

    s.infprof("ab", "--runs", POOL, "-o", folder, "--json", "-k", ",".join(f"libtinykernels.so:{k}" for k in KERNELS),
              "--", *engine(0), "---", *engine(SLOW), timeout=200)


def files(folder, side):
    at = os.path.join(folder, side)
    return sorted(os.path.join(at, name) for name in os.listdir(at) if name.endswith(".infprof"))


def compare(s, a, b):
    doc = json.loads(s.infprof("diff", "--json", ",".join(a), ",".join(b)).stdout)
    return doc["verdict"], [o["op"] for o in doc["ops"] if o["changed"]]


def measure(s):
    folder = os.environ.get("INFPROF_AA_POOL") or s.path("pool")
    if not os.path.isdir(folder):
        make_pool(s, folder)
    plain, slow = files(folder, "a"), files(folder, "b")
    lots = random.Random(1)
    said = named = found = slower = 0
    others = {}
    for _ in range(COMPARISONS):
        drawn = lots.sample(plain, 2 * SIDE)
        verdict, ops = compare(s, drawn[:SIDE], drawn[SIDE:])
        said += verdict in ("faster", "slower")
        named += bool(ops)
        verdict, ops = compare(s, lots.sample(plain, SIDE), lots.sample(slow, SIDE))
        slower += verdict == "slower"
        found += "tk_matmul" in ops
        for op in ops:
            others[op] = others.get(op, 0) + 1
    put("aa-verdicts", f"of {COMPARISONS}", [said], budget=16)
    put("aa-ops-named", f"of {COMPARISONS}", [named], budget=16)
    put("aa-planted-found", f"of {COMPARISONS}", [found], budget=0.9 * COMPARISONS, least=True, slower=slower, named=others)


main(measure)
