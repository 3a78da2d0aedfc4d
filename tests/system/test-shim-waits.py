# SPDX-License-Identifier: MIT
"""Waits and spawns: victims that look into their own segment and hold what the shim wrote there
against what they did. No daemon takes part; what it makes of it is tested elsewhere."""

import os

from harness import case, check, equal, main, skip
from victims import victim


def looks(s, name, *cases, **options):
    """Each line the victim prints must be ok."""
    env = {"INFPROF_DAEMON": "off", **options.pop("env", {})}
    run = s.run([victim(s, name), *cases], env=env, code=None, **options)
    lines = run.stdout.splitlines()
    bad = [line for line in lines if not line.startswith("ok - ") and "came again" not in line]
    equal((run.returncode, bad, run.stderr), (0, [], ""), f"{name}: what is not so")
    check(lines, f"{name} ran no case")


@case
def each_function_once(s):
    for name in ("locks", "conditions", "sleeps", "spawns"):
        looks(s, f"segment-waits-{name}")


@case
def bad_days(s):
    for name in ("locks", "left", "many"):
        looks(s, f"segment-waits-days-{name}")


@case
def handlers_that_jump_at_any_moment(s):
    looks(s, "segment-waits-days-left", "jumps")


@case
def as_cpp_has_it(s):
    looks(s, "segment-waits-cpp")


@case
def openmp(s):
    if not os.path.exists(s.built("tests/victims/segment-waits-omp")):
        skip("built without libgomp")
    looks(s, "segment-waits-omp")


@case
def switched_off(s):
    looks(s, "segment-waits-spawns", "off", env={"INFPROF_WAITS": "off"})


@case
def without_libunwind_and_without_samples(s):
    # stacks are wanted for waits alone, too; where they cannot be had the caller is
    for name, *cases in (("locks", "a_mutex"), ("spawns", "a_spawn_site")):
        looks(s, f"segment-waits-{name}", *cases, env={"INFPROF_HEAP_INTERVAL": "0"})
    for name, *cases in (("conditions", "a_condition_that_never_comes", "a_semaphore"),
                         ("sleeps", "sleeps_and_yields", "polls", "a_futex"),
                         ("days-left", "threads_cancelled_in_a_wait", "a_storm_of_signals")):
        looks(s, f"segment-waits-{name}", *cases, env={"INFPROF_UNWIND": "off"})


main()
