# SPDX-License-Identifier: MIT
"""Kernels are left and entered in every way: counts stay exact, times stay sound, and the program
goes where it would go without us."""

import json

from harness import between, case, check, equal, main, near
from victims import counted, notes, op, same, victim

KERNELS = "libflow.so:k_*"


def left_is(doc, truth):
    equal((doc["self"]["left"], doc["self"]["open"]), (truth["values"].get("left", 0), 0), "left, open")


@case
def exceptions_pass_and_are_counted_once(s):
    left_is(*same(s, "flow", "exceptions", kernels=KERNELS))


@case
def longjmp_and_siglongjmp(s):
    left_is(*same(s, "flow", "jumps", kernels=KERNELS))


@case
def threads_that_are_cancelled_or_exit_inside(s):
    doc, truth = same(s, "flow", "ends", kernels=KERNELS)
    left_is(doc, truth)
    equal(doc["spawns"]["total"], truth["values"]["spawns"], "spawns")


@case
def exit_inside_a_kernel(s):
    for how, code in (("exit", 3), ("_exit", 4)):
        doc, truth = same(s, "flow", how, kernels=KERNELS, code=code)
        equal(doc["run"]["exit"], {"code": code}, "exit")
        equal(doc["self"]["open"], truth["values"]["open"], "calls that were open then")


@case
def recursion_is_counted_however_deep(s):
    doc, truth = same(s, "flow", "deep", kernels=KERNELS)
    left_is(doc, truth)
    recurse = op(doc, "k_recurse")
    # of 2001, 2 and 601 calls within one another, all are timed up to a depth, the same each time
    deepest, odd = divmod(recurse["timed_calls"] - 201 - 2, 2)
    equal(odd, 0, "timed beyond the depth")
    between(201, deepest, 600, "calls timed within one another")
    equal(len(notes(doc, "nested too deep")), 1, "notes")


@case
def handlers_that_call_kernels_in_the_midst_of_kernels(s):
    for how in ("signals", "altstack"):
        doc, truth = counted(s, "flow", how, kernels=KERNELS)
        check(truth["kernels"]["k_call"] >= 400, "handlers ran")
        left_is(doc, truth)


@case
def unwinders_see_through(s):
    _, truth = same(s, "flow", "unwinding", kernels=KERNELS)
    equal(set(truth["values"].values()), {3}, "walks that found the outermost caller")


@case
def coroutines_on_stacks_side_by_side(s):
    left_is(*same(s, "flow", "coroutines", kernels=KERNELS))


@case
def a_thousand_abandoned_coroutines(s):
    doc, truth = same(s, "flow", "abandoned", kernels=KERNELS)
    equal(doc["self"]["open"], 0, "open")
    check(doc["self"]["left"] + doc["self"]["untimed"] >= 1000, "left, or too many to be timed")


@case
def jumps_from_another_stack(s):
    left_is(*same(s, "flow", "far-jumps", kernels=KERNELS))


@case
def handlers_while_threads_and_libraries_come_and_go(s):
    doc, truth = counted(s, "flow", "storm", kernels=KERNELS + " libobj-*.so:k_step",
                         env={"VICTIM_LIBRARY": victim(s, "libobj-bfd-lazy.so")})
    equal(doc["spawns"]["total"], truth["values"]["spawns"], "spawns")


@case
def hot_kernels_are_counted_exactly(s):
    doc, truth = counted(s, "hot", "300000", kernels=None, env={"INFPROF_KERNELS_LEVEL": "inner"})
    alone = s.run([victim(s, "hot"), "300000"], preload=False)
    equal(truth["values"], json.loads(alone.stdout)["values"], "what came of it")
    for name in ("ggml_vec_dot_sum", "quantize_row_hop"):
        hot = op(doc, name)
        check(hot["estimated"], f"times of {name} are said to be estimates")
        between(hot["calls"] / 64 / 1.5, hot["timed_calls"], hot["calls"] / 64 * 1.5, f"timed of {name}")


@case
def self_and_total_of_what_is_nested(s):
    """The program's stopwatch also has what others took of the CPU between it and the stub: some run is free of that."""
    for last in (False, False, False, True):
        doc, truth = counted(s, "flow", "times", kernels=KERNELS)
        parent, child, times = op(doc, "k_parent"), op(doc, "k_busy"), truth["values"]
        check(parent["total_ns"] <= times["parent_ns"] and child["total_ns"] <= times["child_ns"], f"{parent} {child} {times}")
        if last or (parent["total_ns"] >= 0.98 * times["parent_ns"] and child["total_ns"] >= 0.98 * times["child_ns"]):
            break
    between(0.98 * times["parent_ns"], parent["total_ns"], times["parent_ns"], "total of the parent")
    between(0.98 * times["child_ns"], child["total_ns"], times["child_ns"], "total of the child")
    near(parent["self_ns"] + child["total_ns"], parent["total_ns"], 1e-6, "self and children")
    equal(child["self_ns"], child["total_ns"], "self of a leaf")
    between(20 * 2e6, parent["self_ns"], parent["total_ns"] - 20 * 3e6, "self of the parent")


@case
def names_are_demangled(s):
    doc, _ = same(s, "flow", "names", kernels="libflow.so:_ZN4conv*")
    equal(op(doc, "conv::apply(int, double)")["kernel"], "_ZN4conv5applyEid", "symbol")


main()
