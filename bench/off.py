# SPDX-License-Identifier: MIT
"""A hooked op that `infprof pause --op` switched off: ns of CPU time that a call takes more than its
twin that is not hooked. None of the calls may be counted."""

from figures import KERNELS, calls, main, op, put
from harness import Failed, wait_until

BUDGET_NS = 3


def measure(s):
    def pause(run):
        wait_until(lambda: run.stdout, 10, "the first call")
        s.infprof("pause", "--op", "empty_off", run.pid)

    run, got = calls(s, "--slice", 65536, "empty_bare", "empty_off", kernels=f"{KERNELS}empty_off", before=pause)
    counted = op(s.report(run), "empty_off")["calls"]
    if counted != 1:
        raise Failed(f"{counted} calls were counted: 1 was made before the op was switched off")
    put("off", "ns added a call", [o - b for o, b in zip(got["empty_off"]["ns"], got["empty_bare"]["ns"])], BUDGET_NS)


main(measure)
