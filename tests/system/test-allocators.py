# SPDX-License-Identifier: MIT
"""Engines on other allocators: their own names, what they say of themselves, and maps."""

import json
import os

from harness import between, case, check, equal, main, near, skip
from heap import TOTALS, profiled
from victims import calls, notes, sound, victim


def counted_by_name(s, cmd, library, **options):
    """Each kernel's own count of what it took is ours, and nothing is counted twice."""
    if not os.path.exists(cmd[0]) or not os.path.exists(victim(s, library)):
        skip(f"no allocator for {library}")
    run, doc = profiled(s, cmd, kernels=f"{library}:k_*", **options)
    truth, report = json.loads(run.stdout), s.report()
    sound(report)
    equal(calls(report), {name: 1 for name in truth}, "calls")
    ops = {op["name"]: {f: op[f] for f in TOTALS} for op in doc["ops"]}
    for name, wanted in truth.items():
        equal(ops[name], wanted, f"memory of {name}")


def names(s, allocator):
    counted_by_name(s, [victim(s, "heap-names-" + allocator), "20"], f"libheap-names-{allocator}.so")


def corners(s, allocator, *args, program=None):
    library = f"libown-corners-{allocator}.so"
    cmd = [victim(s, program or "own-corners-" + allocator), *([victim(s, library)] if program else []), "20", *args]
    counted_by_name(s, cmd, library)


@case
def own_names_of_jemalloc(s):
    names(s, "jemalloc")


@case
def own_names_of_mimalloc(s):
    names(s, "mimalloc")


@case
def own_names_of_tcmalloc(s):
    names(s, "tcmalloc")


@case
def what_only_jemalloc_can(s):
    corners(s, "jemalloc")


@case
def what_only_mimalloc_can(s):
    corners(s, "mimalloc")
    corners(s, "mimalloc", program="own-late")  # beside libc's malloc


@case
def tcmalloc_throws(s):
    corners(s, "tcmalloc")


@case
def an_allocator_that_only_a_plugin_has(s):
    """Opened with RTLD_DEEPBIND: its malloc is the allocator's, that of all others is libc's."""
    env = {"GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=65536"}
    for allocator in ("mimalloc", "jemalloc", "tcmalloc"):
        library = f"libheap-names-{allocator}.so"
        counted_by_name(s, [victim(s, "own-late"), victim(s, library), "20", "deep"], library, env=env)


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
