# SPDX-License-Identifier: MIT
"""How the work is cut: the documents of a run on threads, waits, spawns and the ledger, and what holds for
each; victims that count their own waits, held against them.

`waited(s, "waits-kinds", "mutex")` runs a victim without the shim and with it: the same but for times. Then its
waits are those of the document, no more and no fewer. Returns (document, truth).
"""

import json

from harness import between, check, equal
from victims import victim

PHASES = "libtinykernels.so:tp_decode=decode,libtinykernels.so:tp_prefill=prefill,"
# those that the engine itself calls; the small ones that they call are left to them
OUTER = ",".join(f"libtinykernels.so:tk_{name}" for name in
                 ("matmul", "rmsnorm", "attention", "rope", "swiglu", "add", "softmax", "gather"))
KINDS = ("mutex", "rwlock", "spinlock", "condition", "barrier", "semaphore", "join", "futex", "sleep", "yield", "poll")


def work(s, verb, run=None, *args):
    """The document `verb` of a run that is over: the latest, unless args name another."""
    if run is not None:
        s.report(run)
    doc = json.loads(s.infprof(verb, "--json", *args).stdout)
    equal(doc["schema"], f"infprof.{verb}/1", "schema")
    s.validate(doc, f"doc/{verb}.schema.json")
    return doc


def kinds(doc):
    return {k["kind"]: k for k in doc["kinds"] if k["count"]}


def objects(doc, kind, address=None):
    """Those of a kind, at an address if one is given; the most waited for first."""
    found = [o for o in doc["objects"] if o["kind"] == kind and
             (address is None or o["object"] == f"{address:#x}")]
    return sorted(found, key=lambda o: -o["total_ns"])


def ledger_rows(doc, who):
    """The rows of the ledger: what is not known is no time."""
    return {r["row"]: r["total_ns"] or 0 for r in doc[who]}


def engine_rows(own):
    """Those that tinyengine stamps itself, by the same names."""
    return {"compute": own["compute"], "barrier": own["barrier"], "lock": own["lock"],
            "wait": own["join"] + own["sleep"], "alloc": own["alloc"], "spawn": own["spawn"],
            "outside": own["outside"] + own["pass"]}


def ordered(q, what):
    """A quantile object is one."""
    known = [q[k] for k in ("min_ns", "p50_ns", "p95_ns", "p99_ns", "max_ns") if q[k] is not None]
    equal(known, sorted(known), f"order of quantiles of {what}")


def sound_waits(doc):
    """What holds for every document of waits: the sums agree whichever way they are made."""
    for k in doc["kinds"]:
        check(k["kind"] in KINDS, f"kind {k['kind']}")
    for o in doc["objects"]:
        what = f"{o['kind']} {o['object']}"
        ordered(o, what)
        blamed = sum(b["total_ns"] for b in o["by"]) + o["unknown"]["total_ns"] + o["others"]["total_ns"]
        between(0.99 * o["total_ns"] - 1000, blamed, 1.01 * o["total_ns"] + 1000, f"waits for somebody or nobody, of {what}")
        equal(sum(b["count"] for b in o["by"]) + o["unknown"]["count"] + o["others"]["count"], o["count"],
              f"count, of {what}")
    for site in doc["sites"]:
        ordered(site, f"a site of {site['kind']}")
    for b in doc["barriers"]:
        if b["imbalance"] is not None:
            check(b["imbalance"] >= 0.999, f"imbalance {b['imbalance']}")
        if b["efficiency"] is not None:
            between(0, b["efficiency"], 1.001, "efficiency")


def agrees(doc, truth, each_ns=2000, fraction=0.03):
    """Counts are equal; times are those of the victim's stopwatch, which is outside of ours: what it takes to
    note a wait is in it, and something more where it is the first (the library that unwinds is loaded). So is what a
    thread that has been woken still stands in line for a CPU, if that is before it can stop its watch."""
    got = kinds(doc)
    equal({k: v["count"] for k, v in got.items()}, {k: v["count"] for k, v in truth["waits"].items()}, "waits")
    for kind, own in truth["waits"].items():
        slack = own["count"] * each_ns + fraction * own["total_ns"] + 400000
        late = own.get("in_line_ns", 0)
        between(own["total_ns"] - slack - late, got[kind]["total_ns"], own["total_ns"] + slack, f"time in {kind}")


def waited(s, name, *args, alone=True, **more):
    if alone:
        bare = json.loads(s.run([victim(s, name), *args], preload=False, **more).stdout)
    run = s.run([victim(s, name), *args], **more)
    equal(run.stderr, "", f"stderr of {name}")
    truth = json.loads(run.stdout)
    if alone:
        equal({k: v["count"] for k, v in truth["waits"].items()}, {k: v["count"] for k, v in bare["waits"].items()},
              "its own count of waits, with the shim and without")
    doc = work(s, "waits", run)
    sound_waits(doc)
    return doc, truth


def by_whom(o):
    """{tid: count} of those who were waited for."""
    return {b["tid"]: b["count"] for b in o["by"]}
