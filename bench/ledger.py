# SPDX-License-Identifier: MIT
"""The ledger against the engine's own. `ledger-unaccounted`: share of the decode steps' wall time that is said to be
nothing known, on tinyengine at 1 and 2 threads and on the real llama.cpp at 1; one figure a run. `ledger-row`: how
far a row is from what tinyengine stamped itself, in per cent of that, for rows of at least a hundredth of the
time; what the kernel says it was instead is taken out of both (the engine cannot tell that it did not run).

Its stamps lie outside of ours: what a hook costs is in its rows, and in our row `profiler`.
"""

import json

from figures import main, put
from harness import Skip
from threads import KERNELS as TRACED

KERNELS = TRACED + ",libtinykernels.so:tk_softmax,libtinykernels.so:tk_gather"
CASES = {
    "one": ["--threads", "1"],
    "pool": ["--threads", "2"],
    "pace": ["--threads", "1", "--pace", "1"],
    "lock": ["--threads", "2", "--lock", "100"],
    "alloc": ["--threads", "1", "--alloc", "op", "--alloc-bytes", "400000"],
    "spawn": ["--threads", "2", "--spawn", "op"],
}
RUNS = 7
BUDGET_SHARE, BUDGET_PERCENT = 0.03, 5
NAMES = {"compute": ("compute",), "barrier": ("barrier",), "lock": ("lock",), "wait": ("join", "sleep"), "alloc": ("alloc",),
         "spawn": ("spawn",), "outside": ("outside", "pass")}


def rows(doc, who):
    return {r["row"]: r["total_ns"] or 0 for r in doc[who]}


def one_run(s, args):
    """(the document, the engine's own)"""
    run = s.run([s.tinyengine, "--dim", "512", "--layers", "2", "--tokens", "120", "--ledger", s.path("own.json"), *args],
                kernels=KERNELS, env={"INFPROF_HEAP_INTERVAL": "0"})
    s.report(run)
    doc = json.loads(s.infprof("ledger", "--json").stdout)
    return doc, s.json("own.json")


def off_by(doc, own, who):
    """{row: per cent}"""
    got, theirs = rows(doc, who), own[who]
    wall = own[f"{who}_ns"]
    hidden = got["runnable"] + got["fault"] + got["syscall"] + got["profiler"]
    off = {}
    for row, parts in NAMES.items():
        mine = sum(theirs[p] for p in parts)
        if mine < wall / 100:
            continue
        ours = got.get(row, 0)
        if who == "all" and row == "outside":
            ours += got["unaccounted"]
        # what was hidden may have been any row's
        off[row] = 0 if ours <= mine <= ours + hidden else (min(abs(ours - mine), abs(ours + hidden - mine))) / mine * 100
    return off


def of_tinyengine(s):
    unaccounted, off = {}, {}
    for _ in range(RUNS):
        for name, args in CASES.items():
            doc, own = one_run(s, args)
            unaccounted.setdefault(name, []).append(rows(doc, "own")["unaccounted"] / doc["wall"]["total_ns"])
            for row, percent in off_by(doc, own, "all").items():
                off.setdefault((name, row), []).append(percent)
    for name, shares in unaccounted.items():
        put("ledger-unaccounted", "share", shares, BUDGET_SHARE, digits=5, engine="tinyengine", case=name)
    for (name, row), percents in off.items():
        put("ledger-row", "% off", percents, BUDGET_PERCENT, case=name, row=row)


def of_llama(s):
    model, shares = s.model("small"), []
    for _ in range(RUNS):
        run = s.run(s.llama("--model", model, "--tokens", 200, "--threads", 1, "--quiet"), timeout=60)
        s.report(run)
        doc = json.loads(s.infprof("ledger", "--json").stdout)
        shares.append(rows(doc, "own")["unaccounted"] / doc["wall"]["total_ns"])
    put("ledger-unaccounted", "share", shares, BUDGET_SHARE, digits=5, engine="llama.cpp", steps=doc["steps"],
        overhead_factor=doc["overhead_factor"])


def measure(s):
    of_tinyengine(s)
    try:
        of_llama(s)
    except Skip as why:
        print(f"llama.cpp: {why}", flush=True)


if __name__ == "__main__":
    main(measure)
