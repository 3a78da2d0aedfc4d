# SPDX-License-Identifier: MIT
"""What sampling says of bytes, against what the engine counted: 30 seeded runs at the default interval,
the estimate of all stacks through one function over that function's truth, less 1. The mean keeps the
budget; `worst_sigmas` is how many of its own standard errors the worst single run was off: more than 5
is a failure."""

import json
import math
import statistics

from figures import main, put
from harness import check

RUNS = 30
FUNCTION = "tiny_mixed_alloc"


def recorded(s, *cmd):
    """Stacks through the function."""
    path = s.path("estimates.infprof")
    s.run([s.cli, "record", "-o", path, "-f", "--", *cmd], preload=False)
    doc = json.loads(s.infprof("memory", "--json", path).stdout)
    return [x for x in doc["stacks"] if FUNCTION in [f["function"] for f in x["frames"]]]


def measure(s):
    off = {"alloc_bytes": [], "inuse_bytes": []}
    sigmas = {field: [] for field in off}
    for seed in range(1, RUNS + 1):
        got = recorded(s, s.tinyengine, "--alloc", "mixed", "--mixed", "10000", "--tokens", "50", "--layers", "1", "--dim",
                       "16", "--seed", str(seed), "--truth", s.path("truth.json"))
        truth = s.json("truth.json")["functions"][FUNCTION]
        for field, wanted in (("alloc_bytes", truth["usable_bytes"]), ("inuse_bytes", truth["live_bytes"])):
            estimate = sum(x[field] for x in got)
            error = math.sqrt(sum(x[field + "_stderr"]**2 for x in got))
            off[field].append(estimate / wanted - 1)
            sigmas[field].append(abs(estimate - wanted) / error)
            check(sigmas[field][-1] <= 5, f"seed {seed}: {field} {estimate}, truth {wanted}, standard error {error}")
    for field, values in off.items():
        put("estimates", "mean of estimate / truth - 1", [statistics.mean(values)], 0.02, either=True, digits=4, value=field,
            runs=RUNS, lowest=min(values), highest=max(values), worst_sigmas=max(sigmas[field]))


main(measure)
