# SPDX-License-Identifier: MIT
"""The real llama.cpp, one thread, a small q8_0 model: tokens a second with all ops traced over tokens
a second without, in turns A B B A; one ratio a pair. Tokens a second are the driver's own. The text
must be byte-identical. Skipped where llama.cpp cannot be had."""

import statistics

from figures import main, put
from harness import equal

BUDGET = 0.98
PAIRS = 11
TOKENS = 400


def tokens_per_second(s, model, preload):
    stats = s.path("stats.json")
    run = s.run(s.llama("--model", model, "--tokens", TOKENS, "--stats", stats, "--quiet"), preload=preload, timeout=60)
    got = s.json("stats.json")
    return run, got["decode_calls"] * 1e9 / got["decode_ns"]


def measure(s):
    model = s.model("small")
    bare, traced, text = [], [], None
    for i in range(-1, PAIRS):  # the first pair warms the page cache
        for preload in (False, True) if i % 2 else (True, False):
            run, rate = tokens_per_second(s, model, preload)
            text = text or run.stdout
            equal(run.stdout == text, True, "the text is the same")
            if i >= 0:
                (traced if preload else bare).append(rate)
            if preload:
                last = run
    doc = s.report(last)
    put("llama", "tokens/s with / without", [t / b for t, b in zip(traced, bare)], BUDGET, least=True, tokens=TOKENS,
        bare_per_second=statistics.median(bare), traced_per_second=statistics.median(traced),
        best_over_best=max(traced) / max(bare), spans_per_token=doc["self"]["spans"] / TOKENS,
        folded=doc["self"]["folded"], lost=doc["self"]["lost"], text_identical=True)


main(measure)
