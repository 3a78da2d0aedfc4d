# SPDX-License-Identifier: MIT
"""What the drivers of figures stand on. A driver is a function that takes figures and a last line:

    from figures import main, put

    def measure(s):
        put("call", "ns", [17.9, 18.1, 17.7], budget=20)

    main(measure)

`s` is a Session as system tests have it: a folder, a daemon and runs of its own. `put` prints one
line of JSON: the median of what was measured, its extremes, the budget, and whether the median keeps
it. A missed budget is not a failure, since machines are noisy: only who cannot measure fails. Exit
codes: 0 measured, 77 cannot be had here, 1 failed.
"""

import ctypes
import json
import os
import statistics
import sys
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/system"))

from harness import PR_SET_CHILD_SUBREAPER, Failed, Session, Skip  # noqa: E402

KERNELS = "libbenchkernels.so:"
WARM_UP = 3  # rounds: rings are touched for the first time, clocks rise


def put(bench, unit, values, budget, least=False, either=False, digits=3, **detail):
    """budget: the most the median may be, or with `least` the least, or with `either` the most to
    either side of 0; None: there is none."""
    values = list(values)
    if not values:
        raise Failed(f"{bench}: nothing was measured")
    median = statistics.median(values)
    line = {"bench": bench, "unit": unit, "median": round(median, digits), "min": round(min(values), digits),
            "max": round(max(values), digits), "budget": budget,
            "ok": None if budget is None else median >= budget if least else (abs(median) if either else median) <= budget,
            "measured": len(values)}
    line.update({k: round(v, digits) if isinstance(v, float) else v for k, v in detail.items()})
    print(json.dumps(line), flush=True)


def calls(s, *args, kernels=None, env=None, before=None):
    """Runs bench/calls: (its run, {kernel: {"calls": n, "ns": [of each slice]}}), warm-up left out.
    `before`, if given, is called with the run when each kernel was called once."""
    cmd = [s.built("bench/calls"), *map(str, args)]
    if before:
        read, write = os.pipe()
        run = s.start([*cmd, "--wait"], preload=kernels is not None, kernels=kernels, env=env, stdin=read)
        os.close(read)
        try:
            before(run)
            os.write(write, b"\n")
        finally:
            os.close(write)
        if run.wait(60) != 0:
            raise Failed(f"calls ended with {run.returncode}: {run.stderr}")
    else:
        run = s.run(cmd, preload=kernels is not None, kernels=kernels, env=env)
    got = json.loads(run.stdout.splitlines()[-1])
    for of in got.values():
        of["ns"] = of["ns"][WARM_UP:]
    return run, got


def op(doc, name):
    found = [o for o in doc["ops"] if o["name"] == name]
    if len(found) != 1:
        raise Failed(f"{len(found)} ops named {name}")
    return found[0]


def exact(doc, got, names):
    """The report's count of calls must be the program's own: true, or a failed measurement."""
    for name in names:
        if op(doc, name)["calls"] != got[name]["calls"]:
            raise Failed(f"{name}: {op(doc, name)['calls']} calls in the report, {got[name]['calls']} in truth")
    return True


def main(measure):
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    session = Session()
    code = 0
    try:
        measure(session)
    except Skip as why:
        print(why, file=sys.stderr)
        code = 77
    except Exception:  # whatever it is, nothing was measured
        traceback.print_exc()
        code = 1
    for complaint in session.close():
        print(complaint, file=sys.stderr)
        code = code or 1
    sys.exit(code)
