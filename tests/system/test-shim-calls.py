# SPDX-License-Identifier: MIT
"""A stub in the way must be nothing to a kernel: whatever it takes, gives back, and finds in the
processor is as it is without."""

from harness import case, check, equal, main, skip
from victims import counted, same

# what has more than 256 bytes of arguments on the stack says so
KERNELS = "libcalls.so:ints_48/336 libcalls.so:vec*_variadic/1024 libcalls.so:*"


def width():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        flags = next(line for line in f if line.startswith("flags")).split()
    return "512" if "avx512f" in flags else "256" if "avx" in flags else "128"


def state_is_kept(truth, calls):
    equal((truth["values"]["differs"], truth["values"]["rsp modulo 64"]), (0, 0),
          "registers, flags and stack words that differ, and the stack's place")
    equal(truth["kernels"]["probe_seen"], calls, "calls of the probe")
    equal(truth["values"]["errno kept"], 6, "errno")


@case
def every_way_to_pass_and_return_works(s):
    _, truth = same(s, "calls", width(), kernels=KERNELS)
    state_is_kept(truth, 24)


@case
def on_another_thread_too(s):
    for where in ("thread", "stack"):  # of libc's making, of the program's
        _, truth = same(s, "calls", width(), where, kernels=KERNELS)
        state_is_kept(truth, 24)


@case
def the_words_of_avx512_pass(s):
    if width() != "512":
        skip("this processor has no AVX-512")
    _, truth = same(s, "calls", "512", kernels=KERNELS)
    check(truth["kernels"]["vec512_12"], "calls with 512-bit arguments")


@case
def when_switched_off_or_sampled_too(s):
    # nothing to count with: the shim is off, the stubs are not
    alone = s.run([s.built("tests/victims/calls"), width()], preload=False)
    for env in ({"INFPROF_DAEMON": "off"}, {"INFPROF_DAEMON": "/nonexistent"}):
        run = s.run([s.built("tests/victims/calls"), width()], kernels=KERNELS, env=env)
        equal(run.stdout, alone.stdout, f"output with {env}")


@case
def hot_kernels_too(s):
    hot = " ".join(item + "~" for item in KERNELS.split())
    for interval in ("1", "2", "64"):
        doc, truth = same(s, "calls", width(), kernels=hot, env={"INFPROF_HOT_INTERVAL": interval})
        state_is_kept(truth, 24)
        timed = sum(op["timed_calls"] for op in doc["ops"])
        check(timed > 0 if interval == "64" else timed > 50, f"timed with one in {interval}: {timed}")


@case
def handlers_leave_the_red_zone_alone(s):
    _, truth = counted(s, "calls", "128", "signals", kernels=KERNELS)
    equal(truth["values"]["red zone broken"], 0, "words written below the stack pointer")
    check(truth["kernels"]["ints_48"] >= 50, "kernels called by handlers")


main()
