# SPDX-License-Identifier: MIT
"""Victims and their truth: what tests/victims/ counts for itself, held against our report.

`same(s, "calls", "512", kernels=...)` runs a victim without the shim and with it: same output, same
exit code; then its own counts must be those of the report, all of them and none more. Returns
(report, truth). `counted` is the same for victims whose counts differ from run to run: one run.
"""

import json

from harness import check, equal


def victim(s, name):
    return s.built("tests/victims/" + name)


def calls(doc):
    """Calls by name: libraries and processes together."""
    total = {}
    for op in doc["ops"]:
        if not op["name"].startswith("("):
            total[op["name"]] = total.get(op["name"], 0) + op["calls"]
    return total


def sound(doc):
    """What holds for every report."""
    equal(doc["self"]["lost"], 0, "lost spans")
    for op in doc["ops"]:
        what = op["name"]
        check(op["timed_calls"] <= op["calls"], f"timed of {what}")
        for key in ("total_ns", "self_ns", "min_ns", "mean_ns", "max_ns"):
            check(op[key] is None or op[key] >= 0, f"{key} of {what} is {op[key]}")
        if op["total_ns"] is not None and op["self_ns"] is not None:
            check(op["self_ns"] <= op["total_ns"], f"self {op['self_ns']} > total {op['total_ns']} of {what}")
        if op["min_ns"] is not None and op["max_ns"] is not None:
            check(op["min_ns"] <= op["p50_ns"] <= op["p95_ns"] <= op["p99_ns"] <= op["max_ns"],
                  f"order of quantiles of {what}")


def counted(s, name, *args, kernels, code=0, more=(), **options):
    """Under the shim only. `more`: ops whose calls the case checks itself."""
    run = s.run([victim(s, name), *args], kernels=kernels, code=code, **options)
    equal(run.stderr, "", f"stderr of {name}")
    truth = json.loads(run.stdout)
    doc = s.report(run)
    sound(doc)
    equal({k: v for k, v in calls(doc).items() if v and k not in more},
          {k: v for k, v in truth["kernels"].items() if v and k not in more}, "calls")
    return doc, truth


def same(s, name, *args, kernels, code=0, more=(), **options):
    alone = s.run([victim(s, name), *args], preload=False, code=code, **options)
    doc, truth = counted(s, name, *args, kernels=kernels, code=code, more=more, **options)
    equal(json.dumps(truth), alone.stdout.strip(), "output with and without the shim")
    return doc, truth


def op(doc, name):
    found = [o for o in doc["ops"] if o["name"] == name]
    equal(len(found), 1, f"ops named {name}")
    return found[0]


def notes(doc, words):
    return [n for n in doc["notes"] if words in n]
