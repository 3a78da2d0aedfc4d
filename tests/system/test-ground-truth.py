# SPDX-License-Identifier: MIT
"""What infprof says of the small engine, held against what the engine itself counted: equal, not close."""

import os

from harness import between, case, check, equal, main, near

KERNELS = "libtinykernels.so:tk_*"
# exported too, and no kernels
OTHERS = {"tk_now_ns", "tk_spans_add", "tk_kernel_names"}


def profile(s, *args, kernels=KERNELS):
    run = s.run([s.tinyengine, "--truth", s.path("truth.json"), *args], kernels=kernels)
    return run, s.json("truth.json"), s.report(run)


def ops(doc):
    return {op["name"]: op for op in doc["ops"] if op["name"] not in OTHERS}


def compare(doc, truth, keys):
    got = ops(doc)
    for key in keys:
        equal({name: got[name][key] for name in got},
              {name: k[key] for name, k in truth["kernels"].items()}, key)


@case
def every_call_is_counted(s):
    for threads in (1, 2, 4):
        for mode in ("pool", "op"):
            _, truth, doc = profile(s, "--threads", threads, "--spawn", mode, "--tokens", 16)
            compare(doc, truth, ["calls"])
            equal(doc["self"]["lost"], 0, "lost spans")


@case
def every_spawn_is_counted_at_its_site(s):
    for mode in ("pool", "op"):
        _, truth, doc = profile(s, "--threads", 3, "--spawn", mode, "--tokens", 6)
        spawns = doc["spawns"]
        equal(spawns["total"], truth["spawns"], "spawns")
        equal(spawns["live"], 0, "live threads after the end")
        equal(sum(site["count"] for site in spawns["sites"]), truth["spawns"], "spawns by site")
        equal({os.path.basename(site["library"]) for site in spawns["sites"]}, {"tinyengine"},
              "where they were asked for")


@case
def allocations_belong_to_the_op_that_made_them(s):
    for mode in ("none", "op", "arena"):
        _, truth, doc = profile(s, "--threads", 2, "--alloc", mode, "--tokens", 10)
        compare(doc, truth, ["calls", "alloc_calls", "alloc_bytes"])
        equal({name: op["net_bytes"] for name, op in ops(doc).items()},
              {name: 0 for name in truth["kernels"]}, "bytes left by kernels that free what they take")
        inside = sum(k["alloc_calls"] for k in truth["kernels"].values())
        check(doc["memory"]["alloc_calls"] >= inside, "the process made no fewer than its kernels")


ROWS = ("alloc_calls", "alloc_bytes", "usable_bytes", "free_calls", "freed_bytes")


@case
def every_byte_that_came_and_went_by_kernel(s):
    for threads in (1, 3):
        _, truth, doc = profile(s, "--threads", threads, "--alloc", "op", "--keep", "9", "--fail", "11", "--tokens", 8)
        compare(doc, truth, ["calls", *ROWS])
        equal({name: op["net_bytes"] for name, op in ops(doc).items()},
              {name: k["live_bytes"] for name, k in truth["kernels"].items()}, "bytes kept by kernels")
        equal(doc["memory"]["failed_calls"], truth["memory"]["failed_calls"], "failed calls")
        check(truth["memory"]["failed_calls"] > 0 and truth["memory"]["live_bytes"] > 0, "something to see")


@case
def outside_of_kernels_more_of_the_same_is_the_difference(s):
    # what libc takes for itself is the same in both
    more, less = (profile(s, "--alloc", "mixed", "--kv", "grow", "--mixed", n)[1:] for n in (700, 300))
    for f in (*ROWS, "live_bytes"):
        equal(more[1]["memory"][f] - less[1]["memory"][f], more[0]["memory"][f] - less[0]["memory"][f], f)
        if f != "live_bytes":
            equal(more[1]["not_in_any_op"][f] - less[1]["not_in_any_op"][f],
                  more[0]["outside"][f] - less[0]["outside"][f], f"{f} outside of kernels")


@case
def the_engine_is_not_disturbed(s):
    args = ["--threads", "2", "--tokens", "24", "--alloc", "op"]
    bare = s.run([s.tinyengine, *args], preload=False)
    run, _, _ = profile(s, *args)
    equal(run.stdout, bare.stdout, "text")
    equal(run.stderr.count("\n"), bare.stderr.count("\n"), "lines on stderr")


@case
def times_are_those_of_the_engines_own_stopwatch(s):
    _, _, doc = profile(s, "--threads", 1, "--tokens", 48, "--spans", s.path("spans.json"))
    own, got = s.json("spans.json")["kernels"], ops(doc)
    for name in ("tk_matmul", "tk_attention"):
        mine, theirs = got[name], own[name]
        # its stopwatch is outside ours and takes some tens of ns each time
        if not doc["self"]["folded"]:
            near(mine["p50_ns"], theirs["p50_ns"], 0.03, f"median of {name}")
        near(mine["total_ns"], theirs["total_ns"], 0.05, f"total of {name}")
        between(0, mine["total_ns"], theirs["total_ns"] * 1.001, f"total of {name}")
        check(mine["min_ns"] <= mine["p50_ns"] <= mine["p95_ns"] <= mine["p99_ns"] <= mine["max_ns"],
              f"order in {name}")


@case
def self_and_total_add_up(s):
    _, truth, doc = profile(s, "--repeat-kernel", "tk_attention:20000")
    got = ops(doc)
    compare(doc, truth, ["calls"])
    inner = sum(got[name]["total_ns"] for name in ("tk_softmax", "tk_vec_dot", "tk_vec_mad"))
    near(got["tk_attention"]["total_ns"], got["tk_attention"]["self_ns"] + inner, 0.02,
         "total of an op against its own time and that of the ops inside")
    for name in ("tk_softmax", "tk_vec_dot", "tk_vec_mad"):
        near(got[name]["self_ns"], got[name]["total_ns"], 1e-6, f"self of {name}, which calls no other op")


@case
def only_the_named_kernels_are_ops(s):
    _, truth, doc = profile(s, "--tokens", 8, kernels="libtinykernels.so:tk_matmul,*:tk_r?pe")
    equal({name: op["calls"] for name, op in ops(doc).items()},
          {name: truth["kernels"][name]["calls"] for name in ("tk_matmul", "tk_rope")}, "ops")
    equal({os.path.basename(op["library"]) for op in doc["ops"]}, {"libtinykernels.so"}, "library")


@case
def a_hot_kernel_is_counted_always_and_timed_now_and_then(s):
    kernels = "libtinykernels.so:tk_vec_dot~,libtinykernels.so:tk_softmax/0~,libtinykernels.so:tk_matmul"
    _, truth, doc = profile(s, "--threads", 2, "--tokens", 48, kernels=kernels)
    got = ops(doc)
    equal({name: op["calls"] for name, op in got.items()},
          {name: truth["kernels"][name]["calls"] for name in ("tk_vec_dot", "tk_softmax", "tk_matmul")}, "calls")
    dot = got["tk_vec_dot"]
    near(dot["timed_calls"] * 64, dot["calls"], 0.1, "one call in 64 is timed")
    equal([got[name].get("estimated", False) for name in ("tk_vec_dot", "tk_softmax", "tk_matmul")],
          [True, True, False], "estimates")


@case
def millions_of_calls_are_all_counted(s):
    _, truth, doc = profile(s, "--threads", 2, "--repeat-kernel", "tk_nop:3000000")
    equal({name: op["calls"] for name, op in ops(doc).items()}, {"tk_nop": 6000000}, "calls")
    equal(doc["self"]["lost"], 0, "lost spans")


main()
