# SPDX-License-Identifier: MIT
"""The real llama.cpp, one thread, a small q8_0 model: tokens a second with all ops traced over tokens
a second without, in turns A B B A; one ratio a pair. Tokens a second are the driver's own. The text
must be byte-identical. Skipped where llama.cpp cannot be had.

`cpu_ratio` is the same of CPU time, whole processes, start and loading included: what a busy machine
does to the clock it does not do to that."""

import resource
import statistics

from figures import main, put
from harness import equal

BUDGET = 0.98
PAIRS = 11
TOKENS = 400


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def tokens_per_second(s, model, preload):
    """(its run, tokens a second, CPU seconds of the process)"""
    stats, before = s.path("stats.json"), cpu_seconds()
    run = s.run(s.llama("--model", model, "--tokens", TOKENS, "--stats", stats, "--quiet"), preload=preload, timeout=60)
    got = s.json("stats.json")
    return run, got["decode_calls"] * 1e9 / got["decode_ns"], cpu_seconds() - before


def measure(s):
    model = s.model("small")
    bare, traced, text = [], [], None  # lists of (tokens a second, CPU seconds)
    for i in range(-1, PAIRS):  # the first pair warms the page cache
        for preload in (False, True) if i % 2 else (True, False):
            run, *figures = tokens_per_second(s, model, preload)
            text = text or run.stdout
            equal(run.stdout == text, True, "the text is the same")
            if i >= 0:
                (traced if preload else bare).append(figures)
            if preload:
                last = run
    doc = s.report(last)
    put("llama", "tokens/s with / without", [t / b for (t, _), (b, _) in zip(traced, bare)], BUDGET, least=True,
        cpu_ratio=statistics.median(b / t for (_, t), (_, b) in zip(traced, bare)), tokens=TOKENS,
        bare_per_second=statistics.median(b for b, _ in bare), traced_per_second=statistics.median(t for t, _ in traced),
        spans_per_token=doc["self"]["spans"] / TOKENS, folded=doc["self"]["folded"], lost=doc["self"]["lost"],
        text_identical=True)


main(measure)
