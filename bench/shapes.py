# SPDX-License-Identifier: MIT
"""What reading the operands of a node costs: CPU time of a call of ggml's own addition (three operands, over the
tensors of 300 nodes), traced, less the same with INFPROF_SHAPES=off; one difference a pair, in turns.
Skipped where llama.cpp cannot be had."""

import glob
import os
import statistics

from figures import main, put
from harness import llama_libraries

BUDGET = 15
PAIRS = 15
CALLS = 2_000_000


def measure(s):
    folder = llama_libraries()
    base, cpu = (sorted(glob.glob(os.path.join(folder, name)))[0] for name in ("libggml-base.so*", "libggml-cpu-x64.so*"))
    got = {"off": [], "on": []}
    for i in range(-1, PAIRS):
        for shapes in ("on", "off") if i % 2 else ("off", "on"):
            run = s.run([s.built("bench/nodes"), base, cpu, CALLS], env={"INFPROF_SHAPES": shapes, "INFPROF_KERNEL": "off"})
            if i >= 0:
                got[shapes].append(float(run.stdout))
    bare = float(s.run([s.built("bench/nodes"), base, cpu, CALLS], preload=False).stdout)
    put("shapes", "ns a span", [a - b for a, b in zip(got["on"], got["off"])], BUDGET, operands=3, bare_ns=bare,
        with_ns=statistics.median(got["on"]), without_ns=statistics.median(got["off"]))


main(measure)
