# SPDX-License-Identifier: MIT
"""The same texts by threads that are made for each op, and by a pool over texts, in turns; one figure a turn.

`grain-spawns`: spawns that are reported over those that the engine counted, which must be equal, or the
benchmark fails. `grain`: the speed-up as the ledgers of the two runs have it (tokens a second of decode steps), less
that by the engine's own clock (of whole runs: prompts are short). `grain-promised`: what `infprof explain` says to
the first run that it would gain, less that by the engine's clock.

`oversubscribed`: is it said at 1, 2, 4, 8 threads on this machine's CPUs? 1 where the answer is right.
"""

import json
import os
import statistics

from figures import main, put
from harness import equal
from threads import KERNELS

TURNS = 7
SHAPE = ["--dim", "128", "--layers", "2", "--texts", "4", "--tokens", "100", "--prompt", "2"]


def documents(s, run):
    s.report(run)
    return {verb: json.loads(s.infprof(verb, "--json").stdout) for verb in ("spawns", "ledger", "explain")}


def decode_rate(doc):
    """Tokens a second of decode steps: sequences side by side share them."""
    return doc["ledger"]["tokens"] * 1e9 / doc["ledger"]["wall"]["total_ns"]


def one(s, more):
    run = s.run([s.tinyengine, *SHAPE, "--threads", "2", "--truth", s.path("truth.json"), *more], kernels=KERNELS)
    own = s.json("truth.json")
    doc = documents(s, run)
    equal(sum(site["count"] for site in doc["spawns"]["sites"]), own["spawns"], f"spawns, {more}")
    return doc, own


def grain(s):
    promised, reported, measured, spawns = [], [], [], {}
    for _ in range(TURNS):
        fine, fine_own = one(s, ["--spawn", "op"])
        coarse, coarse_own = one(s, ["--work", "coarse"])
        spawns = {"fine": fine_own["spawns"], "coarse": coarse_own["spawns"]}
        reported.append(decode_rate(coarse) / decode_rate(fine))
        measured.append(coarse_own["tokens"] / coarse_own["wall_ns"] / (fine_own["tokens"] / fine_own["wall_ns"]))
        said = [f for f in fine["explain"]["findings"] if f["id"] == "small-work-units"]
        equal(len(said), 1, "the verdict on the fine-grained run")
        promised.append(said[0]["gain"]["factor"])
        wrong = [f["id"] for f in coarse["explain"]["findings"] if f["id"] in ("small-work-units", "spawn-churn")]
        equal(wrong, [], "the verdict on the coarse-grained run")
    put("grain-spawns", "reported / counted", [1] * TURNS, 1, **spawns)
    for bench, of in (("grain", reported), ("grain-promised", promised)):
        put(bench, "factor / measured factor - 1", [p / m - 1 for p, m in zip(of, measured)], 0.05, either=True,
            factor=statistics.median(of), measured_factor=statistics.median(measured))


def oversubscribed(s):
    cpus = len(os.sched_getaffinity(0))
    for threads in (1, 2, 4, 8):
        right = []
        for _ in range(3):
            run = s.run([s.tinyengine, "--dim", "512", "--layers", "2", "--tokens", "100", "--threads", threads], kernels=KERNELS)
            found = [f["id"] for f in documents(s, run)["explain"]["findings"]]
            right.append(("oversubscribed" in found) == (threads > cpus))
        put("oversubscribed", "right", map(int, right), 1 if threads != cpus else None, least=True, threads=threads, cpus=cpus)


def measure(s):
    s.daemon_start("--stay")
    grain(s)
    oversubscribed(s)


main(measure)
