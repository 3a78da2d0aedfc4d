# SPDX-License-Identifier: MIT
"""The figures of the last `meson test --benchmark`, as a table: summary.py [BUILD-FOLDER]"""

import json
import os
import sys

# What tells lines of one benchmark apart is shown first, the rest behind.
CASE = ("threads", "stack_bytes", "sizes", "depth", "ops", "work_ns", "value", "clock")


def figures(log):
    """Lines of JSON that benchmarks printed, and the names of those that printed none."""
    lines, without = [], []
    with open(log, encoding="utf-8") as f:
        for test in map(json.loads, f):
            got = [json.loads(x) for x in test.get("stdout", "").splitlines() if x.startswith("{")]
            lines += got
            if not got or test["result"] not in ("OK", "SKIP"):
                why = (test.get("stderr", "").strip().splitlines() or [""])[-1]
                without.append(f"{test['name']}: {test['result']} {why}")
    return lines, without


def kept(line):
    ok = line.get("ok", line["median"] >= line["budget"] if line["bench"] == "drain" else None)
    return "-" if ok is None else "kept" if ok else "MISSED"


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else "build"
    log = os.path.join(build, "meson-logs/testlog.json")
    lines, without = figures(log) if os.path.exists(log) else ([], [])
    if not lines:
        sys.exit(f"summary: no figures in {log}: run `meson test --benchmark -C {build}` first")
    rows = [("figure", "median", "min", "max", "budget", "", "unit")]
    for line in lines:
        case = " ".join(f"{k}={line[k]:.0f}" if isinstance(line[k], float) else f"{k}={line[k]}"
                        for k in CASE if k in line)
        budget = "-" if line["budget"] is None else f"{line['budget']:g}"
        rows.append((f"{line['bench']} {case}".strip(), *(f"{line[k]:g}" for k in ("median", "min", "max")), budget,
                     kept(line), line["unit"]))
    widths = [max(len(row[i]) for row in rows) for i in range(6)]
    for row in rows:
        numbers = [row[i].rjust(widths[i]) for i in range(1, 5)]
        print("  ".join([row[0].ljust(widths[0]), *numbers, row[5].ljust(widths[5]), row[6]]).rstrip())
    for line in without:
        print(line)
    missed = sum(row[5] == "MISSED" for row in rows)
    print(f"{len(lines)} figures, {missed} missed their budget, {len(without)} benchmarks gave none")


if __name__ == "__main__":
    main()
