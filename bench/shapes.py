# SPDX-License-Identifier: MIT
"""What reading the operands of an op costs: CPU time of a call, traced, less the same with INFPROF_SHAPES=off; one
difference a pair, in turns. Of ggml's own addition (three operands, over the tensors of 300 nodes), skipped where llama.cpp
cannot be had; and of a cblas_sgemm that computes nothing (nine integers)."""

import glob
import os
import statistics

from figures import main, put
from harness import llama_libraries

BUDGET = 15
PAIRS = 15
CALLS = 2_000_000


def differences(s, name, command, **more):
    got = {"off": [], "on": []}
    for i in range(-1, PAIRS):
        for shapes in ("on", "off") if i % 2 else ("off", "on"):
            run = s.run(command, env={"INFPROF_SHAPES": shapes, "INFPROF_KERNEL": "off"})
            if i >= 0:
                got[shapes].append(float(run.stdout))
    bare = float(s.run(command, preload=False).stdout)
    put(name, "ns a span", [a - b for a, b in zip(got["on"], got["off"])], BUDGET, bare_ns=bare,
        with_ns=statistics.median(got["on"]), without_ns=statistics.median(got["off"]), **more)


def measure(s):
    differences(s, "shapes-blas", [s.built("bench/blas"), CALLS], integers=9)
    folder = llama_libraries()
    base, cpu = (sorted(glob.glob(os.path.join(folder, name)))[0] for name in ("libggml-base.so*", "libggml-cpu-x64.so*"))
    differences(s, "shapes", [s.built("bench/nodes"), base, cpu, CALLS], operands=3)


main(measure)
