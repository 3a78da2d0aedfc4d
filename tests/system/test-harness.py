# SPDX-License-Identifier: MIT
"""The harness itself: nothing a test starts gets away, and what it says is true."""

import json
import os
import signal

import harness
from harness import Failed, Session, case, check, equal, main, near, one_line, wait_until


def fails(function, *args):
    try:
        function(*args)
    except Failed:
        return True
    return False


@case
def a_process_that_forks_twice_is_found_and_ended(s):
    inner = Session()
    inner.run(["/bin/sh", "-c", "setsid sh -c 'sleep 600 & echo $! >pid; sleep 600' & sleep 0.2"],
              preload=False)
    wait_until(lambda: os.path.getsize(inner.path("pid")) > 1, 5, "pid")
    with open(inner.path("pid"), encoding="ascii") as f:
        pid = int(f.read())
    check(pid in harness.descendants(os.getpid()), "the sleeper is a descendant")
    complaints = inner.close()
    check(any(f"({pid})" in c for c in complaints), f"the sleeper is named: {complaints}")
    check(pid not in harness.descendants(os.getpid()), "the sleeper is gone")


@case
def each_case_has_a_world_of_its_own(s):
    got = s.run(["/usr/bin/env", "-0"], preload=False, env={"X": 1, "TERM": None}).stdout
    env = dict(e.split("=", 1) for e in got.split("\0") if e)
    for key in ("HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "TMPDIR"):
        check(env[key].startswith(s.folder), f"{key} is in the case's folder")
    equal((env["X"], env.get("TERM")), ("1", None), "variables set and removed")
    equal(os.stat(env["XDG_RUNTIME_DIR"]).st_mode & 0o777, 0o700, "mode of the runtime folder")


@case
def a_wrong_end_is_a_failure(s):
    check(fails(s.run, ["/bin/false"], False), "exit code 1 where 0 is wanted")
    equal(s.run(["/bin/sh", "-c", "exit 7"], preload=False, code=7).returncode, 7, "exit code")
    run = s.start(["/bin/sleep", "600"], preload=False)
    run.kill(signal.SIGKILL)
    equal(run.wait(), -signal.SIGKILL, "end by a signal")


@case
def assertions_tell_true_from_false(s):
    equal({"a": 1}, {"a": 1}, "same")
    near(101, 100, 0.02, "near")
    one_line("x: y\n", "line")
    check(fails(equal, {"a": 1}, {"a": 2}, ""), "different dicts")
    check(fails(near, 103, 100, 0.02, ""), "too far")
    check(fails(one_line, "a\nb\n", ""), "two lines")
    check(fails(one_line, "", ""), "no line")


@case
def schemas_are_held_against_documents(s):
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    with open(s.path("schema.json"), "w", encoding="utf-8") as f:
        json.dump(schema, f)
    s.validate({"n": 1}, s.path("schema.json"))
    check(fails(s.validate, {"n": "1"}, s.path("schema.json")), "a wrong document")


main()
