# SPDX-License-Identifier: MIT
"""What tests of the heap share: a run with its memory document, and what must hold in each.

`profiled(s, [PROGRAM, ARG...], interval=1)` records a program and returns (what it printed, document),
the document being `infprof memory --json`, checked. With interval 1 every allocation has its stack, so
that sums over stacks are the exact totals. libc allocates for itself as well, as much in one run as in
the next: what a victim counts is held against the `difference` of two runs of other size.
"""

import json

from harness import check, equal

SCHEMA = "doc/memory.schema.json"
VALIDATED = 4 << 20  # characters; more than that takes the checker minutes
TOTALS = ("calls", "asked_bytes", "usable_bytes", "frees", "freed_bytes", "failed_calls")
KEPT = "infprof: the run is kept in "  # the last line that record itself prints


class Printed:
    """Of a recorded program, without what record says at the end."""

    def __init__(self, run):
        self.stdout, self.returncode = run.stdout, run.returncode
        self.stderr = "".join(line for line in run.stderr.splitlines(True) if not line.startswith(KEPT))


def profiled(s, cmd, interval=1, kernels=None, env=None, behind=None, **options):
    """(what it printed, document). `interval` None: as it is by default. `behind`: a library to be
    loaded after the shim."""
    path = s.path("heap.infprof")
    args = ["-o", path, "-f"]
    if interval is not None:
        args += ["--heap-interval", str(interval)]
    if kernels is not None:
        args += ["--kernels", kernels]
    env = {**(env or {}), **({"LD_PRELOAD": behind} if behind else {})}
    run = s.run([s.cli, "record", *args, "--", *cmd], preload=False, env=env, **options)
    doc = memory(s, path)
    sound(doc)
    equal(doc["heap_interval_bytes"], {None: 512 << 10, 0: None}.get(interval, interval), "interval")
    if interval == 1:
        exact(doc)
    return Printed(run), doc


def memory(s, path, *args):
    text = s.infprof("memory", "--json", *args, path).stdout
    doc = json.loads(text)
    equal(doc["schema"], "infprof.memory/1", "schema")
    if len(text) < VALIDATED:
        s.validate(doc, SCHEMA)
    return doc


def total(rows, field):
    return sum(row[field] for row in rows)


def sound(doc):
    """What holds for every run: each sum can be made in several ways."""
    totals = doc["totals"]
    for field in TOTALS:
        equal(total(doc["ops"], field), totals[field], f"{field} of all ops")
        equal(total(doc["threads"], field), totals[field], f"{field} of all threads")
        equal(total(doc["phases"].values(), field), totals[field], f"{field} of all phases")
        for op in doc["ops"]:
            equal(total(op["phases"].values(), field), op[field], f"{field} of {op['name']} in all phases")
    for field in ("calls", "asked_bytes", "usable_bytes", "frees"):
        equal(total(doc["size_classes"], field), totals[field], f"{field} of all size classes")
    for c in doc["size_classes"]:
        check(c["calls"] * c["from_bytes"] <= c["usable_bytes"] <= c["calls"] * c["to_bytes"],
              f"bytes in the size class {c}")
    for stack in doc["stacks"]:
        check(stack["inuse_objects"] >= -1e-6 and stack["inuse_bytes"] >= -1e-6, f"in use of {stack}")


def exact(doc):
    """Interval 1: stacks add up to the totals, whatever became of them."""
    totals, stacks = doc["totals"], doc["stacks"]
    equal(doc["samples"]["taken"], totals["calls"], "samples taken")
    for field, wanted in (("alloc_objects", totals["calls"]), ("alloc_bytes", totals["usable_bytes"]),
                          ("asked_bytes", totals["asked_bytes"]), ("samples", totals["calls"])):
        equal(total(stacks, field), wanted, f"{field} of all stacks")
    equal(total(doc["size_classes"], "calls"), total(stacks, "alloc_objects"), "objects of all size classes")


def difference(more, less):
    """Of two documents' totals."""
    return {f: more["totals"][f] - less["totals"][f] for f in TOTALS}


def names(stack):
    return [f["function"] for f in stack["frames"]]


def through(doc, function):
    """Stacks through a function."""
    return [stack for stack in doc["stacks"] if function in names(stack)]


def sums(stacks):
    return {f: total(stacks, f) for f in ("alloc_objects", "alloc_bytes", "inuse_objects", "inuse_bytes")}


def expected(truth):
    """The same of a victim's truth."""
    return {"alloc_objects": truth["calls"], "alloc_bytes": truth["usable_bytes"],
            "inuse_objects": truth["calls"] - truth["frees"],
            "inuse_bytes": truth["usable_bytes"] - truth["freed_bytes"]}
