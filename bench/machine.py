# SPDX-License-Identifier: MIT
"""The ceilings against what others reach, at one thread: dgemm of OpenBLAS at 1024^3 over our f64 ceiling (0.70 to 1.05),
and a copy of 256 MiB over our copy ceiling of memory (0.80 to 1.05). One ratio for each measuring of the ceilings.
Skipped where it was built without OpenBLAS."""

import json
import os

from figures import main, put
from harness import Skip

TURNS = 5


def measure(s):
    if not os.path.exists(s.built("bench/gemm")):
        raise Skip("built without OpenBLAS")
    gemm, copy = [], []
    for _ in range(TURNS):
        doc = json.loads(s.infprof("machine", "--measure", "--force", "--json").stdout)["ceilings"]
        own = json.loads(s.run([s.built("bench/gemm"), 1024], preload=False, env={"OPENBLAS_NUM_THREADS": "1"}).stdout)
        peak = max(x["gflops"] for x in doc["compute"] if x["type"] == "f64" and x["threads"] == 1)
        memory = max(x["gbps"] for x in doc["bandwidth"] if (x["level"], x["op"], x["threads"]) == ("memory", "copy", 1))
        gemm.append(own["gflops"] / peak)
        copy.append(own["gbps"] / memory)
    put("machine-gemm", "dgemm / f64 ceiling", gemm, 0.70, least=True, ceiling=peak, gflops=own["gflops"])
    put("machine-gemm", "dgemm / f64 ceiling", gemm, 1.05, ceiling=peak, gflops=own["gflops"])
    put("machine-copy", "copy / copy ceiling", copy, 0.80, least=True, ceiling=memory, gbps=own["gbps"])
    put("machine-copy", "copy / copy ceiling", copy, 1.05, ceiling=memory, gbps=own["gbps"])


main(measure)
