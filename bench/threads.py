# SPDX-License-Identifier: MIT
"""What it costs an engine that its threads, waits and spawns are watched: tokens a second of tinyengine with a
pool, in turns, one ratio a turn. `threads`: all of it over none of it (INFPROF_WAITS=off), ops traced in both;
`threads-kernel`: the kernel's view too, over none; `threads-all`: over no shim at all, for information.

Tokens a second are the engine's own. `cpu_ratio` is the same of CPU time, whole processes.
"""

import resource
import statistics

from figures import main, put

OUTER = ",".join(f"libtinykernels.so:tk_{name}" for name in ("matmul", "rmsnorm", "attention", "rope", "swiglu", "add"))
KERNELS = f"libtinykernels.so:tp_decode=decode,libtinykernels.so:tp_prefill=prefill,{OUTER}"
WAYS = {"none": None, "off": {"INFPROF_WAITS": "off", "INFPROF_KERNEL": "off"}, "on": {"INFPROF_KERNEL": "off"}, "kernel": {}}
TURNS = 9
TOKENS = {1: 400, 2: 300}


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def tokens_per_second(s, way, threads):
    """(tokens a second, CPU seconds)"""
    before = cpu_seconds()
    s.run([s.tinyengine, "--threads", threads, "--dim", "512", "--layers", "2", "--tokens", TOKENS[threads],
           "--truth", s.path("truth.json")], preload=way != "none", kernels=KERNELS, env=WAYS[way])
    truth = s.json("truth.json")
    return truth["tokens"] * 1e9 / truth["wall_ns"], cpu_seconds() - before


def measure(s):
    s.daemon_start("--stay")
    for threads in TOKENS:
        got = {way: [] for way in WAYS}
        for i in range(-1, TURNS):
            for way in sorted(WAYS, key=lambda w: (list(WAYS).index(w) + i) % len(WAYS)):
                figures = tokens_per_second(s, way, threads)
                if i >= 0:
                    got[way].append(figures)
        for bench, a, b, budget in (("threads", "on", "off", 0.98), ("threads-kernel", "kernel", "off", 0.97),
                                    ("threads-all", "kernel", "none", None)):
            put(bench, "tokens/s with / without", [x / y for (x, _), (y, _) in zip(got[a], got[b])], budget, least=True,
                threads=threads, cpu_ratio=statistics.median(y / x for (_, x), (_, y) in zip(got[a], got[b])),
                with_per_second=statistics.median(x for x, _ in got[a]),
                without_per_second=statistics.median(x for x, _ in got[b]))


if __name__ == "__main__":
    main(measure)
