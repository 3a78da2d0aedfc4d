# SPDX-License-Identifier: MIT
"""Each rule of infprof explain on a run made to show it, where it is found, and on one made not to, where it was looked
for and is not: tinyengine with options, the real ggml with graphs of tests/victims/ggml-steps.c, BLAS, llama.cpp.

What is found goes by times, and others may take the CPU in the midst of a run: one of a few is enough.
"""

import os

from harness import Failed, case, llama_libraries, main, skip
from work import OUTER, PHASES, work

TRIES = 6
ALONE = {"OPENBLAS_NUM_THREADS": "1"}
AT_CEILING = ("memory-bound", "compute-bound")
MEETS = ["--dim", "512", "--layers", "2"]
LONG = ["--dim", "1024", "--layers", "2", "--tokens", "110"]  # tokens so long that a time slice of others is no tail


def looked_at(s, command, kernels, env):
    run = s.run(command, kernels=kernels, env=env, timeout=120)
    return {x["id"]: x for x in work(s, "explain", run)["looked_at"]}


def comes_out(s, found, rule, command, kernels=PHASES + OUTER, env=None):
    why, disturbed = [], 0
    for i in range(TRIES):
        if i and rule in AT_CEILING:  # the machine may have been another one, with less to share, when it was measured
            measured(s, "--measure")
        looked = looked_at(s, command, kernels, env)
        x = looked[rule]
        if x["found"] is found:
            return
        why.append(f"found: {x['found']}: {x['why']}")
        disturbed += looked["preempted"]["found"] is True or looked["oversubscribed"]["found"] is True
    if disturbed == TRIES:
        skip(f"others take the CPU, in each of {TRIES} runs: " + why[0])
    raise Failed(f"{rule} should be {'found' if found else 'looked for, and not found'}: " + "; ".join(why))


def tiny(s, rule, shows, does_not):
    comes_out(s, True, rule, [s.tinyengine, *map(str, shows)])
    comes_out(s, False, rule, [s.tinyengine, *map(str, does_not)])


def ggml(s, way, steps, lies_at=0, variant="haswell"):
    folder = llama_libraries()
    if variant == "haswell" and "avx2" not in flags():
        skip("the CPU has no AVX2")
    return [s.built("tests/victims/ggml-steps"), f"{folder}/libggml-base.so", f"{folder}/libggml-cpu-{variant}.so", way,
            str(steps), str(lies_at)]


def steps(s, rule, shows, does_not):
    """Of ggml; pairs of a way and a number of steps."""
    comes_out(s, True, rule, ggml(s, *shows), kernels=PHASES.rstrip(","))
    comes_out(s, False, rule, ggml(s, *does_not), kernels=PHASES.rstrip(","))


def blas(s):
    program = s.built("tests/victims/blas-loop")
    if not os.path.exists(program):
        skip("OpenBLAS is not installed")
    return program


def flags():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        return next((line.split() for line in f if line.startswith("flags")), [])


def measured(s, *args):
    s.infprof("machine", "--quick", "--force", *args, timeout=120)


@case
def thread_overhead(s):
    # one thread allocates, between tokens, while the others wait
    tiny(s, "thread-overhead",
         ["--dim", 256, "--layers", 1, "--tokens", 30, "--threads", 3, "--alloc", "mixed", "--mixed", 20000],
         [*MEETS, "--tokens", 60, "--threads", 1])


@case
def tail_latency(s):
    tiny(s, "tail-latency", [*LONG, "--hiccup", "40:1500"], LONG)


@case
def variable_latency(s):
    tiny(s, "variable-latency", [*LONG, "--hiccup", "8:150"], LONG)


@case
def slow_first_token(s):
    tiny(s, "slow-first-token", ["--tokens", 40, "--prompt", 400], ["--tokens", 40])


@case
def decode_allocations(s):
    tiny(s, "decode-allocations", ["--tokens", 100, "--alloc", "mixed", "--mixed", 2000], [*MEETS, "--tokens", 100])


@case
def memory_grows(s):
    tiny(s, "memory-grows", ["--tokens", 2000, "--kv", "grow"],
         # what it grows by is little beside what is there from the beginning
         ["--tokens", 500, "--layers", 1, "--kv", "grow"])


@case
def batch(s):
    steps(s, "batch", ("alone-and-together", 40), ("together-both", 100))


@case
def far_from_roof(s):
    measured(s)
    comes_out(s, True, "far-from-roof", ggml(s, "attention", 60), kernels=PHASES.rstrip(","))
    comes_out(s, False, "far-from-roof", [blas(s), "gemm", "1024", "60"], env=ALONE)


@case
def memory_bound(s):
    measured(s)
    steps(s, "memory-bound", ("copy-in-memory", 40), ("many-columns", 40))


@case
def beyond_cache(s):
    measured(s)
    steps(s, "beyond-cache", ("weights-from-memory", 60), ("weights-from-l2", 300))


@case
def compute_bound(s):
    measured(s)
    comes_out(s, True, "compute-bound", [blas(s), "gemm", "1024", "60"], env=ALONE)
    comes_out(s, False, "compute-bound", [blas(s), "gemv", "4096", "100"], env=ALONE)


@case
def batch_overflow(s):
    measured(s)
    steps(s, "batch-overflow", ("wide-prompt", 100), ("narrow-prompt", 100))


@case
def context_overflow(s):
    measured(s)
    steps(s, "context-overflow", ("long-context", 200), ("short-context", 200))


@case
def weights_overflow(s):
    measured(s)
    steps(s, "weights-overflow", ("weights-from-l3", 400), ("weights-from-l2", 200))


@case
def unaligned(s):
    if "avx512f" not in flags():
        skip("the CPU has no AVX-512")
    steps(s, "unaligned", ("no-gate", 200, 32), ("no-gate", 200, 0))


@case
def slower_variant(s):
    if "avx" not in flags():
        skip("the CPU has nothing wider than 128 bits")
    comes_out(s, True, "slower-variant", ggml(s, "no-gate", 50, 0, "x64"), kernels=PHASES.rstrip(","))
    comes_out(s, False, "slower-variant", s.llama("--model", s.model("tiny"), "--tokens", "10"), kernels=None)


@case
def slower_variant_of_a_blas(s):
    best = next((core for flag, core in (("avx512bw", "SkylakeX"), ("avx2", "Haswell")) if flag in flags()), None)
    if not best:
        skip("the CPU has no AVX2")
    for found, core in ((True, "Nehalem"), (False, best)):
        comes_out(s, found, "slower-variant", [blas(s), "gemm", "256", "20"], env={"OPENBLAS_CORETYPE": core})


@case
def fusion(s):
    steps(s, "fusion", ("gate", 200), ("no-gate", 200))


main()
