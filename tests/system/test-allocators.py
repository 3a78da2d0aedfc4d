# SPDX-License-Identifier: MIT
"""Engines on other allocators: their own names, what they say of themselves, and maps."""

import json
import os

from harness import case, check, equal, main, skip
from victims import calls, sound, victim

FIELDS = {"alloc_calls": "calls", "alloc_bytes": "asked_bytes", "usable_bytes": "usable_bytes",
          "free_calls": "frees", "freed_bytes": "freed_bytes"}


def names(s, allocator, n=20, **options):
    """Each kernel's own count of what it took is ours, and nothing is counted twice."""
    program = victim(s, "heap-names-" + allocator)
    if not os.path.exists(program):
        skip(f"no {allocator} to link to")
    run = s.run([program, str(n)], kernels=f"libheap-names-{allocator}.so:k_*", **options)
    truth, doc = json.loads(run.stdout), s.report(run)
    sound(doc)
    equal(calls(doc), {name: 1 for name in truth}, "calls")
    for name, wanted in truth.items():
        op = next(o for o in doc["ops"] if o["name"] == name)
        equal({f: op[f] for f in FIELDS}, {f: wanted[w] for f, w in FIELDS.items()}, f"memory of {name}")
    equal(doc["memory"]["failed_calls"], sum(k["failed_calls"] for k in truth.values()), "failed calls")
    return doc, run


@case
def own_names_of_jemalloc(s):
    names(s, "jemalloc")


@case
def own_names_of_mimalloc(s):
    names(s, "mimalloc")


@case
def own_names_of_tcmalloc(s):
    names(s, "tcmalloc", env={"TCMALLOC_LARGE_ALLOC_REPORT_THRESHOLD": str(1 << 63)})


main()
