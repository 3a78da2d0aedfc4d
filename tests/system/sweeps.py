# SPDX-License-Identifier: MIT
"""Sweeps, and sweeps that were: a state file made by hand is shown as if it had been measured."""

import json
import os

from harness import equal


def sweep(s, *args, code=0, **more):
    """(document, what was said on stderr)"""
    run = s.infprof("sweep", "--json", *map(str, args), code=code, **more)
    doc = json.loads(run.stdout)
    equal(doc["schema"], "infprof.sweep/1", "schema")
    s.validate(doc, "doc/sweep.schema.json")
    return doc, run.stderr


def rows(doc):
    """{values, in the order of the parameters: row}; of one parameter, its value."""
    names = [p["name"] for p in doc["parameters"]]
    found = {tuple(r["values"][n] for n in names): r for r in doc["rows"]}
    return found if len(names) > 1 else {k[0]: r for k, r in found.items()}


def measured(point, round_, seconds, **figures):
    """A run of a state file."""
    run = {"point": point, "round": round_, "end": "exited", "code": 0, "cut": False, "recorded": False, "why": None,
           "limit_ns": 0, "wall_ns": seconds * 1e9, "cpu_ns": seconds * 1e9, "peak_bytes": 32e6, "tokens": None,
           "tokens_per_second": None, "requests": None, "p50_ns": None, "p95_ns": None, "spawns": None, "waits": None,
           "allocations": None, "others": None}
    run.update(figures)
    return run


def state(s, name, parameters, done, **more):
    """A folder with a sweep in it; `parameters`: {name: values}."""
    os.makedirs(s.path(name), exist_ok=True)
    doc = {"schema": "infprof.sweep-state/1", "started_at": "2026-11-20T19:45:00.000000Z", "machine": "a machine, 2 CPUs",
           "argv": ["engine", *(f"--{p}={{{p}}}" for p in parameters)], "env": [], "record": [],
           "parameters": [{"name": n, "kind": "plain", "values": [str(v) for v in values]}
                          for n, values in parameters.items()],
           "runs": 5, "warmup": 1, "seed": 7, "max_time_ns": 0, "memory_limit_bytes": 0, "full": False, "bare": False,
           "complete": True, "cut": 4.0, "within": 0.05, "metric": "auto", "compare": None, "units": None,
           "measured": done, **more}
    write(s, name, json.dumps(doc))
    return name


def write(s, name, text):
    path = s.path(f"{name}/sweep.json")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, 0o600)
