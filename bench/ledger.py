# SPDX-License-Identifier: MIT
"""The ledger against the engine's own. `ledger-unaccounted`: share of the decode steps' wall time of which nothing
is known, by the thread that decodes and (`all`) by all threads, on tinyengine and on the real llama.cpp at 1
thread; one figure a run. `ledger-row`: how far a row of all threads' time is from what tinyengine stamped
itself, in per cent of that, for rows that are at least a fiftieth of the time in each run; where threads are made for
each op, not what lies outside of all, since the engine's clocks begin and end within their lives.

The rows are compared without the kernel's view: that takes time when a thread did not run out of the row in which
it did not, which the engine cannot. Its stamps lie outside of ours: what our hooks take is in its rows, and in ours
under `profiler`, or nowhere.
"""

import json
import statistics

from figures import main, put
from harness import Skip
from work import OUTER, PHASES, engine_rows, ledger_rows

CASES = {
    "one": ["--threads", "1"],
    "pool": ["--threads", "2"],
    "pace": ["--threads", "1", "--pace", "1"],
    "lock": ["--threads", "2", "--lock", "100"],
    "alloc": ["--threads", "1", "--alloc", "op", "--alloc-bytes", "4000000"],
    "spawn": ["--threads", "2", "--spawn", "op"],
}
RUNS = 7
BUDGET_SHARE, BUDGET_PERCENT = 0.03, 5


def one_run(s, args, kernel):
    """(the document, the engine's own)"""
    run = s.run([s.tinyengine, "--dim", "512", "--layers", "2", "--tokens", "120", "--ledger", s.path("own.json"), *args],
                kernels=PHASES + OUTER, env={"INFPROF_HEAP_INTERVAL": "0", "INFPROF_KERNEL": None if kernel else "off"})
    s.report(run)
    doc = json.loads(s.infprof("ledger", "--json").stdout)
    return doc, s.json("own.json")


def off_by(doc, own, who="all"):
    """{row: per cent}"""
    got, off = ledger_rows(doc, who), {}
    got["outside"] += got["unaccounted"]  # of threads that do not decode
    for row, mine in engine_rows(own[who]).items():
        if mine >= own[f"{who}_ns"] / 50:
            off[row] = (got[row] - mine) / mine * 100
    return off


def of_tinyengine(s):
    unaccounted, of_all, off = {}, {}, {}
    for _ in range(RUNS):
        for name, args in CASES.items():
            doc, _ = one_run(s, args, True)
            unaccounted.setdefault(name, []).append(ledger_rows(doc, "own")["unaccounted"] / doc["wall"]["total_ns"])
            of_all.setdefault(name, []).append(ledger_rows(doc, "all")["unaccounted"] / doc["thread_ns"])
            for row, percent in off_by(*one_run(s, args, False)).items():
                off.setdefault((name, row), []).append(percent)
    for name, shares in unaccounted.items():
        put("ledger-unaccounted", "share", shares, BUDGET_SHARE, digits=5, engine="tinyengine", case=name,
            all=statistics.median(of_all[name]))
    for (name, row), percents in off.items():
        if len(percents) < RUNS or (name, row) == ("spawn", "outside"):
            continue
        put("ledger-row", "% off", percents, BUDGET_PERCENT, either=True, case=name, row=row)


def of_llama(s):
    model, shares = s.model("small"), []
    for _ in range(RUNS):
        run = s.run(s.llama("--model", model, "--tokens", 200, "--threads", 1, "--quiet"), timeout=60)
        s.report(run)
        doc = json.loads(s.infprof("ledger", "--json").stdout)
        shares.append(ledger_rows(doc, "own")["unaccounted"] / doc["wall"]["total_ns"])
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
