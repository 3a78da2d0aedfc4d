# SPDX-License-Identifier: MIT
"""infprof sweep under the profiler: tinyengine, whose counts are known, and the real llama.cpp."""

import os

from harness import between, case, check, equal, main, near
from sweeps import rows, sweep
from victims import victim
from work import OUTER, PHASES

TINY = ["--dim", "64", "--layers", "2", "--tokens", "16", "--prompt", "4"]
OPS_PER_TOKEN = 2 * 15 + 2


def recorded(s, *args, **more):
    doc, err = sweep(s, "-o", s.path("x"), "--kernels", PHASES + OUTER, *args, **more)
    for row in doc["rows"]:
        if row["file"]:
            report = s.infprof("report", "--json", s.path(f"x/{row['file']}"))
            check(report.stdout.startswith("{"), "a run that can be read")
    return doc, err


@case
def counts_are_the_engines_own(s):
    doc, _ = recorded(s, "--full", "--runs", 2, "--threads", "1,2,3", "-P", "spawn=pool,op", "--", s.tinyengine, *TINY,
                      "--threads", "{threads}", "--spawn", "{spawn}")
    equal((doc["metric"]["name"], doc["counts_per"], doc["latency_of"]), ("tokens", "token", "token"), "of what")
    for (threads, spawn), row in rows(doc).items():
        n = int(threads)
        equal((row["runs"], row["fate"]), (2, "measured"), "runs")
        near(row["spawns"], (n - 1) / 16 if spawn == "pool" else OPS_PER_TOKEN * n, 1e-9, f"spawns at {threads} {spawn}")
        if spawn == "pool" and n > 1:
            check(row["waits"] > OPS_PER_TOKEN / 2, f"barriers were waited at: {row['waits']}")
        check(row["p50_ns"] > 0 and row["p95_ns"] >= row["p50_ns"], "latency")
        check(row["throughput"] > 0 and row["peak_bytes"] > 1e5, row)
    equal({k["others"]["spawn"] for k in doc["knees"]}, {"pool", "op"}, "knees")


@case
def a_knee_has_a_reason(s):
    """Eight threads on one CPU: more than one brings nothing."""
    cpu = str(min(os.sched_getaffinity(0)))
    doc, _ = recorded(s, "--runs", 2, "--threads", "1,8", "--cpus", cpu, "--", s.tinyengine, "--dim", "128", "--layers",
                      "2", "--tokens", "60", "--threads", "{threads}")
    knee, = doc["knees"]
    equal(knee["at"], "1", "knee")
    why = knee["why"]
    check(why["sentences"], why)
    check(any(f["id"] in ("oversubscribed", "small-work-units", "thread-overhead") and not f["at_knee"]
              for f in why["findings"]), f"found beyond the knee: {why}")
    check(any("a token takes" in line for line in why["sentences"]), why)
    check(any(f["title"] in why["text"] for f in why["findings"]), why["text"])


@case
def fine_against_coarse(s):
    """Which of the two makes threads for each op, and waits at each, is seen beside each other."""
    doc, _ = recorded(s, "--runs", 2, "-P", "work=fine --spawn op,coarse", "-P", "texts=1,4", "--compare", "work", "--cut",
                      "off", "--",
                      s.tinyengine, *TINY, "--threads", "2", "--work", "{work...}", "--texts", "{texts}")
    got = rows(doc)
    near(got[("fine --spawn op", "4")]["spawns"], 2 * OPS_PER_TOKEN, 1e-9, "spawns of fine")
    near(got[("coarse", "4")]["spawns"], 1 / 64, 1e-9, "spawns of coarse")
    crossover, = doc["crossovers"]
    equal(crossover["winner"], "coarse", "winner with four texts")


@case
def what_a_program_counts_is_a_rate(s):
    """Of three requests two succeed; their tokens are known by markers alone."""
    args = ("--runs", 1, "--warmup", 0, "-P", "n=5,20", "--", victim(s, "markers"), "tokens", "{n}")
    doc, _ = sweep(s, "--metric", "requests", "-o", s.path("x"), *args)
    equal(doc["metric"]["unit"], "requests/s", "unit")
    for row in doc["rows"]:
        near(row["throughput"], 2e9 / row["wall_ns"], 1e-6, "requests a second")
    equal([m["tokens"] for m in sorted(s.json("x/sweep.json")["measured"], key=lambda m: m["point"])], [15, 60], "tokens")
    equal(sweep(s, *args)[0]["metric"]["name"], "tokens", "what throughput is, unless it is said")


@case
def llama_is_swept(s):
    """Threads that spin are cut where CPUs are few, or others use them."""
    doc, _ = sweep(s, "-o", s.path("x"), "--runs", 2, "--max-time", "20s", "--threads", "1,2,16", "--",
                   *s.llama("--model", s.model("tiny"), "--tokens", "8", "--threads", "{threads}"), timeout=150)
    got = rows(doc)
    best = doc["rows"][doc["best"]]
    check(best["values"]["threads"] in ("1", "2"), f"best: {best}")
    equal(doc["metric"]["name"], "tokens", "metric")
    check(best["file"] and best["p50_ns"] > 0, best)
    check(got["16"]["fate"] in ("cut", "lost", "broken"), f"16 threads on few CPUs: {got['16']}")
    knee, = doc["knees"]
    check(knee["at"] in ("1", "2") and knee["why"]["text"], knee)


@case
def llama_s_variables(s):
    """What is set by a variable, and a token's rate that only the profiler knows."""
    doc, _ = sweep(s, "--runs", 1, "--warmup", 0, "-P", "n=4,8", "--metric", "tokens", "--", "OMP_NUM_THREADS={n}",
                   *s.llama("--model", s.model("tiny"), "--tokens", "{n}"), timeout=100)
    between(2, len([r for r in doc["rows"] if r["throughput"]]), 2, "rows with tokens")
    equal(doc["env"], ["OMP_NUM_THREADS={n}"], "variables")


main()
