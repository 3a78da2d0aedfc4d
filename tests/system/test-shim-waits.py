# SPDX-License-Identifier: MIT
"""Waits and spawns: victims that look into their own segment and hold what the shim wrote there
against what they did. No daemon takes part; what it makes of it is tested elsewhere."""

from harness import case, check, equal, main
from victims import victim


def looks(s, name, *cases, **options):
    """Each line the victim prints must be ok."""
    env = {"INFPROF_DAEMON": "off", **options.pop("env", {})}
    run = s.run([victim(s, name), *cases], env=env, code=None, **options)
    lines = run.stdout.splitlines()
    bad = [line for line in lines if not line.startswith("ok - ")]
    equal((run.returncode, bad, run.stderr), (0, [], ""), f"{name}: what is not so")
    check(lines, f"{name} ran no case")


@case
def each_function_once(s):
    looks(s, "waits")


main()
