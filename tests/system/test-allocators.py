# SPDX-License-Identifier: MIT
"""Engines on other allocators: their own names, what they say of themselves, and maps."""

import json
import os

from harness import between, case, check, equal, main, near, skip
from heap import profiled
from victims import calls, notes, sound, victim

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


LIBRARIES = "/usr/lib/x86_64-linux-gnu/"
SAYS = {  # what each can say; the rest is null
    "glibc": ("allocated", "active", "mapped", "free_bytes", "releasable"),
    "jemalloc": ("allocated", "active", "metadata", "resident", "mapped", "retained"),
    "mimalloc": ("mapped",),
    "tcmalloc": ("allocated", "active", "metadata", "resident", "mapped", "retained", "free_bytes", "releasable"),
}


def says(s, kind, library=None, rounds=4):
    """It says of itself what it can, while it runs and at its end, and what it says fits what we counted."""
    env = {}
    if library:
        if not os.path.exists(LIBRARIES + library):
            skip(f"no {library} here")
        env["LD_PRELOAD"] = f"{s.shim} {LIBRARIES}{library}"
    run, doc = profiled(s, [victim(s, "allocator"), str(rounds)], interval=None, env=env)
    truth, told = json.loads(run.stdout), doc["allocator"]
    equal(told["kind"], kind, "kind")
    check(os.path.basename(told["library"]) == (library or "libc.so.6"), f"library {told['library']}")
    equal({f for f in SAYS["tcmalloc"] if told[f] is not None}, set(SAYS[kind]), "what it says")
    check(told["looks"] >= 3, f"{told['looks']} looks in {truth['seconds']} s")
    between(1, told["cost_ns"], 2e-3 * truth["seconds"] * 1e9, "what the looks cost")
    if told["allocated"] is not None:  # more or less: caches of threads are in it, with some
        between(0.9 * truth["held"], told["allocated"], 1.2 * truth["held"] + (4 << 20), "allocated, of bytes held")
        check(told["allocated"] <= told["active"] <= told["mapped"], f"not one within the other: {told}")
        seen = [row["allocated"] for row in doc["timeline"] if row["allocated"] is not None]
        check(len(set(seen)) >= 3 and seen == sorted(seen), f"allocated over time: {seen}")
    return told


@case
def what_glibc_says(s):
    says(s, "glibc")


@case
def what_jemalloc_says(s):
    told = says(s, "jemalloc", "libjemalloc.so.2")
    for field in ("allocated", "active", "mapped"):
        near(sum(a[field] for a in told["arenas"]), told[field], 0.5, f"{field} of all arenas")


@case
def what_mimalloc_says(s):
    says(s, "mimalloc", "libmimalloc.so.2")


@case
def what_tcmalloc_says(s):
    says(s, "tcmalloc", "libtcmalloc_minimal.so.4")


@case
def an_exit_from_a_handler_asks_nobody(s):
    """The handler came while the allocator's lock may have been held: to ask it then may hang."""
    run, doc = profiled(s, [victim(s, "allocator"), "exit-in-handler"], interval=None)
    equal(doc["allocator"]["looks"], int(json.loads(run.stdout)["looked"]), "looks")


@case
def a_malloc_inside_the_program_is_said(s):
    run = s.run([victim(s, "allocator-inside"), "1.5"])
    equal(run.stderr, "", "stderr")
    doc = s.report(run)
    equal(len(notes(doc, "malloc is defined by")), 1, f"a note of it in {doc['notes']}")
    equal(notes(s.report(s.run([victim(s, "allocator"), "1.5"])), "malloc is defined by"), [], "notes elsewhere")


main()
