# SPDX-License-Identifier: MIT
"""Where memory comes from and what stays of it, held against programs that count for themselves."""

import json
import math

from harness import case, check, equal, main, near
from heap import difference, expected, names, profiled, sums, through, total
from victims import victim

KERNELS = "libtinykernels.so:tk_*"
KERNEL_FIELDS = {"calls": "alloc_calls", "asked_bytes": "alloc_bytes", "usable_bytes": "usable_bytes",
                 "frees": "free_calls", "freed_bytes": "freed_bytes", "failed_calls": "failed_calls"}


def engine(s, *args, **options):
    _, doc = profiled(s, [s.tinyengine, "--truth", s.path("truth.json"), *args], kernels=KERNELS, **options)
    return doc, s.json("truth.json")


def kernel_rows(doc):
    return {op["name"]: {f: op[f] for f in KERNEL_FIELDS} for op in doc["ops"]
            if op["name"].startswith("tk_") and op["calls"] + op["failed_calls"]}


def kernel_truth(truth):
    return {name: {f: k[own] for f, own in KERNEL_FIELDS.items()} for name, k in truth["kernels"].items()
            if k["alloc_calls"]}


@case
def every_kernel_by_call_and_byte(s):
    for interval in (None, 1):
        doc, truth = engine(s, "--threads", 2, "--alloc", "op", "--keep", "7", "--fail", "13", interval=interval)
        equal(kernel_rows(doc), kernel_truth(truth), f"memory of kernels at interval {interval}")


@case
def every_kernels_stacks_at_interval_1(s):
    doc, truth = engine(s, "--threads", 2, "--alloc", "op", "--keep", "7")
    for name, k in truth["kernels"].items():
        own = [stack for stack in doc["stacks"] if stack["op"] == name]
        equal(sums(own), {"alloc_objects": k["alloc_calls"], "alloc_bytes": k["usable_bytes"],
                          "inuse_objects": k["live_objects"], "inuse_bytes": k["live_bytes"]}, f"stacks of {name}")
        check(all(name in names(stack) for stack in own), f"stacks of {name} go through it")


@case
def by_thread(s):
    doc, truth = engine(s, "--threads", 4, "--alloc", "op", "--keep", "7", "--fail", "13")
    # the first worker is the engine's own thread, which does other things as well
    got = sorted((t["calls"], t["usable_bytes"], t["frees"], t["failed_calls"]) for t in doc["threads"])
    wanted = [(w["alloc_calls"], w["usable_bytes"], w["free_calls"], w["failed_calls"]) for w in truth["workers"]]
    for w in wanted[1:]:
        check(w in got, f"no thread is like the worker {w}: {got}")
    most = max(doc["threads"], key=lambda t: t["asked_bytes"])
    check(most["calls"] > wanted[0][0], "the engine's own")


@case
def by_size_class(s):
    docs = [engine(s, "--threads", 2, "--alloc", "mixed", "--kv", "grow", "--mixed", n, interval=0) for n in (900, 200)]
    fields = ("calls", "asked_bytes", "usable_bytes", "frees")

    def classes(rows):
        return {row["from_bytes"]: [row[f] for f in fields] for row in rows}

    def less(a, b):
        return {k: [x - y for x, y in zip(v, b.get(k, [0] * 4))] for k, v in a.items()}

    (doc_a, truth_a), (doc_b, truth_b) = docs
    equal(less(classes(doc_a["size_classes"]), classes(doc_b["size_classes"])),
          {**dict.fromkeys(classes(doc_a["size_classes"]), [0] * 4),
           **less(classes(truth_a["size_classes"]), classes(truth_b["size_classes"]))}, "size classes")


@case
def one_function_exactly_at_interval_1(s):
    doc, truth = engine(s, "--alloc", "mixed", "--mixed", "300", "--tokens", "20")
    k = truth["functions"]["tiny_mixed_alloc"]
    mixed = through(doc, "tiny_mixed_alloc")
    equal(sums(mixed), {"alloc_objects": k["alloc_calls"], "alloc_bytes": k["usable_bytes"],
                        "inuse_objects": k["live_objects"], "inuse_bytes": k["live_bytes"]}, "through tiny_mixed_alloc")
    equal(len({len(stack["frames"]) for stack in mixed}), 24, "depths of calls")
    equal(doc["samples"]["other"], 0, "stacks without room")


SEEDS = 30
INTERVAL = 8192


@case
def sampled_estimates_are_unbiased(s):
    """Each within 5 of its own standard errors, and the mean within 2 %."""
    runs = [engine(s, "--alloc", "mixed", "--mixed", "400", "--tokens", "40", "--layers", "1", "--dim", "16", "--seed", seed,
                   interval=INTERVAL) for seed in range(1, SEEDS + 1)]
    for what, field in (("usable_bytes", "alloc_bytes"), ("live_bytes", "inuse_bytes")):
        ratios = []
        for doc, truth in runs:
            check(doc["estimates"], "estimates")
            wanted = truth["functions"]["tiny_mixed_alloc"][what]
            mixed = through(doc, "tiny_mixed_alloc")
            got = total(mixed, field)
            sigma = math.sqrt(sum(stack[field + "_stderr"]**2 for stack in mixed))
            check(0 < sigma < got / 4, f"{field}: {got}, standard error {sigma}")
            check(abs(got - wanted) <= 5 * sigma, f"{field}: {got} of {wanted}, standard error {sigma}")
            ratios.append(got / wanted)
        near(sum(ratios) / SEEDS, 1, 0.02, f"mean of {field} over truth in {SEEDS} runs")


@case
def chains_of_calls_by_name(s):
    run, doc = profiled(s, [victim(s, "heap-stacks"), "chain", "300"])
    truth = json.loads(run.stdout)["memory"]
    leaf = through(doc, "stacks_leaf")
    equal(sums(leaf), expected(truth), "through stacks_leaf")
    ways = {tuple(names(stack)[:4]) for stack in leaf}
    equal(ways, {("stacks_leaf", "stacks_middle", side, "chain") for side in ("stacks_left", "stacks_right")},
          "ways there, innermost first, nothing of ours before")
    for stack in leaf:
        check("main" in names(stack), f"no main in {names(stack)}")
        check(not stack["cut"] and not stack["one"], "whole")
        equal(stack["alloc_objects"], 300, "objects of each way")
        equal(stack["inuse_objects"], 100, "one in three stays")
    for stack in doc["stacks"]:
        check(not any("infprof" in (f["library"] or "") for f in stack["frames"]), f"a frame of ours: {stack}")


@case
def counts_stay_exact_where_nothing_is_sampled(s):
    docs = [profiled(s, [victim(s, "heap-stacks"), "steps", n], interval=0) for n in ("1000", "0")]
    truth = json.loads(docs[0][0].stdout)["memory"]
    equal(difference(docs[0][1], docs[1][1]), truth, "totals")
    equal((docs[0][1]["samples"]["taken"], docs[0][1]["stacks"]), (0, []), "samples")


@case
def phases_and_ops(s):
    run, doc = profiled(s, [victim(s, "heap-phases"), "400"], kernels="libllama-heap.so:k_*")
    truth = json.loads(run.stdout)
    for name in ("llama_decode", "k_inner"):
        op = next(o for o in doc["ops"] if o["name"] == name)
        for phase in ("prefill", "decode"):
            equal({f: op["phases"][phase][f] for f in truth[name][phase]}, truth[name][phase], f"{name} in {phase}")
            own = [x for x in doc["stacks"] if x["op"] == name and x["phase"] == phase]
            equal((total(own, "alloc_objects"), total(own, "alloc_bytes")),
                  (truth[name][phase]["calls"], truth[name][phase]["usable_bytes"]), f"stacks of {name} in {phase}")


@case
def each_token(s):
    n = 400
    _, doc = profiled(s, [victim(s, "heap-phases"), str(n)], interval=None)
    tokens = doc["per_token"]
    # token i makes i % 4 blocks of 120 bytes and two of 300
    equal((tokens["tokens"], tokens["tokens_without_allocation"]), (n, 0), "tokens")
    near(tokens["calls"]["mean"], 2 + 1.5, 1e-9, "calls a token")
    near(tokens["bytes"]["mean"], 600 + 1.5 * 120, 1e-9, "bytes a token")
    for of, unit, base in (("calls", 1, 2), ("bytes", 120, 600)):
        near(tokens[of]["max"], base + 3 * unit, 0.01, f"most {of}")
        near(tokens[of]["p99"], base + 3 * unit, 0.01, f"p99 of {of}")


@case
def a_cache_that_grows_with_each_token(s):
    for kept in (4104, 100008):
        _, doc = profiled(s, [victim(s, "heap-phases"), "600", str(kept)], interval=None)
        # what churns besides stays within 1,000 blocks: a few hundred bytes a token at first
        near(doc["kv"]["bytes_per_token"], kept, 0.2 if kept < 10000 else 0.01, "bytes a token")
        check(doc["kv"]["r2"] > 0.99, f"fit {doc['kv']}")


main()
