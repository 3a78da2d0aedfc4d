#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How often infprof diff takes chance for a difference, and how often it finds one that is there.

    bench/aa.py [--pool N] [--comparisons N] [--runs N] [--slow PERCENT] [--dir DIR]

Makes a pool of short runs of tinyengine, plain and with one kernel (tk_matmul) that does so many percent more,
in turns (infprof ab). Then it draws samples from the pool and has infprof diff compare them: plain
against plain, where any difference is a false one, and plain against slow, where tk_matmul is to be named.
Prints JSON: of how many comparisons a verdict was said, an op named, the planted one found. The figures
that have to hold for 200 comparisons of 10 runs a side: 16 at most, 16 at most, 90 % at least.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile

SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
BUILD = os.path.abspath(os.environ.get("INFPROF_BUILD_ROOT") or os.path.join(SOURCE, "build"))
INFPROF, ENGINE = os.path.join(BUILD, "cli/infprof"), os.path.join(BUILD, "examples/tinyengine")
KERNELS = ["tk_matmul", "tk_attention", "tk_softmax", "tk_rmsnorm", "tk_rope", "tk_swiglu", "tk_add",
           "tp_decode=decode", "tp_prefill=prefill"]


def environment(folder):
    env = {k: v for k, v in os.environ.items() if not k.startswith("INFPROF_")}
    for name in ("run", "state"):
        os.makedirs(os.path.join(folder, name), mode=0o700, exist_ok=True)
    return {**env, "XDG_RUNTIME_DIR": os.path.join(folder, "run"), "XDG_STATE_HOME": os.path.join(folder, "state"),
            "INFPROF_DAEMON": os.path.join(BUILD, "daemon/infprofd"),
            "INFPROF_SHIM": os.path.join(BUILD, "preload/libinfprof.so")}


def make_pool(folder, env, n, slow, tokens):
    plain = [ENGINE, "--tokens", str(tokens), "--dim", "256", "--layers", "2"]
    subprocess.run([INFPROF, "ab", "--runs", str(n), "-o", os.path.join(folder, "pool"), "--json",
                    "-k", ",".join(f"libtinykernels.so:{k}" for k in KERNELS),
                    "--", *plain, "---", *plain, "--slow", f"tk_matmul:{slow}"],
                   env=env, check=True, stdout=subprocess.DEVNULL)
    subprocess.run([INFPROF, "stop"], env=env, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def files(folder, side):
    at = os.path.join(folder, "pool", side)
    return sorted(os.path.join(at, name) for name in os.listdir(at) if name.endswith(".infprof"))


def compare(env, a, b):
    got = subprocess.run([INFPROF, "diff", "--json", ",".join(a), ",".join(b)], env=env, check=True, capture_output=True)
    doc = json.loads(got.stdout)
    return doc["verdict"], [o["op"] for o in doc["ops"] if o["changed"]]


def main():
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("--pool", type=int, default=80, help="runs of each kind")
    args.add_argument("--comparisons", type=int, default=200)
    args.add_argument("--runs", type=int, default=10, help="a side")
    args.add_argument("--slow", type=int, default=5, help="percent")
    args.add_argument("--tokens", type=int, default=600, help="of a run: 0.2 s")
    args.add_argument("--dir", help="a pool that is there")
    args.add_argument("--seed", type=int, default=1)
    o = args.parse_args()
    with tempfile.TemporaryDirectory(prefix="infprof-aa-") as temporary:
        folder = o.dir or temporary
        env = environment(temporary)
        if not os.path.isdir(os.path.join(folder, "pool")):
            make_pool(folder, env, o.pool, o.slow, o.tokens)
        plain, slow = files(folder, "a"), files(folder, "b")
        lots = random.Random(o.seed)
        said = named = found = slower = 0
        others = {}
        for _ in range(o.comparisons):
            drawn = lots.sample(plain, 2 * o.runs)
            verdict, ops = compare(env, drawn[:o.runs], drawn[o.runs:])
            said += verdict in ("faster", "slower")
            named += bool(ops)
            verdict, ops = compare(env, lots.sample(plain, o.runs), lots.sample(slow, o.runs))
            slower += verdict == "slower"
            found += "tk_matmul" in ops
            for op in ops:
                others[op] = others.get(op, 0) + 1
        print(json.dumps({"comparisons": o.comparisons, "runs_a_side": o.runs, "pool": len(plain), "slow_percent": o.slow,
                          "same": {"faster_or_slower": said, "an_op_named": named},
                          "planted": {"found_and_named": found, "slower": slower, "named": others}}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
