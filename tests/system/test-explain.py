# SPDX-License-Identifier: MIT
"""What infprof explain makes of runs that are known to be well or badly cut: the right finding, with numbers that are
the engine's own, and none on a healthy run."""

import contextlib
import json
import os
import signal
import subprocess

from harness import case, check, equal, main, near, skip
from kernel_view import watched
from work import OUTER, PHASES, work

# what the machine does beside the test may well be found, and rightly
OTHERS = ("preempted", "migrations")
CPUS = len(os.sched_getaffinity(0))
MEETS = ["--dim", "512", "--layers", "2"]  # ops of some size


def explained(s, *args, before=(), env=None, attached=None):
    """(findings by id, document, the engine's own counts)"""
    with attached(s) if attached else contextlib.nullcontext():
        run = s.run([*before, s.tinyengine, "--truth", s.path("truth.json"), "--ledger", s.path("ledger.json"), *args],
                    kernels=PHASES + OUTER, env=env)
    doc = work(s, "explain", run)
    return sound(doc), doc, s.json("truth.json")


def sound(doc):
    found = {f["id"]: f for f in doc["findings"]}
    equal(len(found), len(doc["findings"]), "one finding of a kind")
    for f in doc["findings"]:
        check(f["evidence"] and all(e["value"] is not None for e in f["evidence"]), f"numbers behind {f['id']}: {f['evidence']}")
        for key in ("title", "cause", "remedy"):
            check(f[key] and "\n" not in f[key], f"{key} of {f['id']}: {f[key]!r}")
        check(f["confidence"] in ("high", "medium", "low"), f["confidence"])
    looked = {x["id"]: x["found"] for x in doc["looked_at"]}
    small = [f.get("small", False) for f in doc["findings"]]
    equal(small, sorted(small), "what is small comes last")
    equal({f["id"] for f in doc["findings"] if f.get("small")} - {"spawn-churn"}, set(), "told for how often it happens")
    for x in doc["looked_at"]:
        if x.get("small") and not x["found"]:
            check(x["found"] is False and "%, less than 3 %" in x["why"], f"found, and too small: {x}")
    for name, there in looked.items():
        equal(there is True, name in found, f"{name}: looked at, and found")
    return found


def none_of(found, *ids):
    equal([i for i in ids if i in found], [], "findings that are none")


def none_in_a_calm_run(s, ids, *args):
    """Where others take the CPUs in the midst of it, a healthy run is none; so one of four is looked for."""
    for _ in range(4):
        found, _, _ = explained(s, *args)
        if not set(ids) & set(found):
            return
    none_of(found, *ids)


@case
def a_healthy_run(s):
    found, doc, _ = explained(s, "--threads", "1", "--tokens", "100", *MEETS)
    equal(set(found) - set(OTHERS), set(), "findings")
    equal(len(doc["looked_at"]), 25, "what was looked at")


@case
def more_threads_than_cpus(s):
    for threads in (4 * CPUS, 2 * CPUS, 1):
        found, doc, _ = explained(s, "--threads", threads, "--tokens", "200", *MEETS, attached=watched)
        why = next(x["why"] for x in doc["looked_at"] if x["id"] == "oversubscribed")
        equal("oversubscribed" in found, threads > 1, f"oversubscribed at {threads} threads on {CPUS} CPUs: {why}")
        none_of(found, "spawn-churn", "lock-convoy")


@case
def more_threads_than_cpus_without_the_kernels_view(s):
    for threads in (4 * CPUS, 1):
        found, doc, _ = explained(s, "--threads", threads, "--tokens", "100", *MEETS, env={"INFPROF_KERNEL": "off"})
        looked = {x["id"]: x["found"] for x in doc["looked_at"]}
        equal(looked["preempted"], None, "who preempts is not known")
        check(looked["oversubscribed"] is not (threads == 1), "what only the kernel knows is unknown, not denied")
        if threads == 1:
            none_of(found, "oversubscribed")


@case
def threads_for_each_op(s):
    found, _, own = explained(s, "--threads", "2", "--spawn", "op", "--tokens", "30")
    check("spawn-churn" in found, f"found: {list(found)}")
    per_token = next(e["value"] for e in found["spawn-churn"]["evidence"] if e["unit"] == "1/token")
    near(per_token, own["spawns"] / own["tokens"], 0.01, "threads made a token")
    check(found["spawn-churn"]["gain"]["factor"] > 2, "it pays")


@case
def texts_side_by_side_are_no_churn(s):
    none_in_a_calm_run(s, ("spawn-churn", "small-work-units", "lock-convoy", "imbalance", "spin-wait"),
                       "--threads", "2", "--work", "coarse", "--texts", "8", "--tokens", "40")


@case
def a_worker_that_has_more_to_do(s):
    for _ in range(4):  # where others take the CPUs, and the kernel's view is not there to tell by how much, it is unknown
        found, doc, _ = explained(s, "--threads", "2", "--imbalance", "6", "--tokens", "60", *MEETS)
        why = next(x["why"] for x in doc["looked_at"] if x["id"] == "imbalance")
        if "imbalance" in found:
            break
    check("imbalance" in found, f"found: {list(found)}; {why}")
    f = found["imbalance"]
    check("tk_matmul" in f["title"] and "tinyengine" in f["title"], f"op and thread are named: {f['title']}")
    busy = [w["tk_matmul"]["compute_ns"] for w in s.json("ledger.json")["workers"]]
    told = next(e["value"] for e in f["evidence"] if e["unit"] == "factor")
    near(told, max(busy) / (sum(busy) / len(busy)), 0.07, "the longest over the mean")
    none_in_a_calm_run(s, ("imbalance",), "--threads", "2", "--tokens", "60", *MEETS)


@case
def a_lock_that_all_want(s):
    # on a machine that has no CPU for both at a time nobody comes while another holds it: the engine's own word
    # on how long it waited says what is right
    found, _, _ = explained(s, "--threads", "2", "--lock", "2000", "--layers", "1", "--tokens", "20")
    own = s.json("ledger.json")
    share = own["all"]["lock"] / own["all_ns"]
    if share > 0.08:
        check("lock-convoy" in found, f"a lock that takes {share:.1%} of the time is found: {list(found)}")
        check("take" in found["lock-convoy"]["title"], f"where it is asked for: {found['lock-convoy']['title']}")
    elif share < 0.03:
        none_of(found, "lock-convoy")
    found, _, _ = explained(s, "--threads", "1", "--lock", "2000", "--layers", "1", "--tokens", "20")
    none_of(found, "lock-convoy")


@case
def parts_that_are_too_small(s):
    found, _, _ = explained(s, "--threads", "2", "--dim", "32", "--tokens", "400")
    check("small-work-units" in found, f"found: {list(found)}")
    none_in_a_calm_run(s, ("small-work-units",),
                       "--threads", "2", "--dim", "2048", "--layers", "1", "--tokens", "10", "--prompt", "2")


@case
def another_process_takes_the_cpu(s):
    cpu = str(min(os.sched_getaffinity(0)))
    greedy = subprocess.Popen(["taskset", "-c", cpu, "sh", "-c", "while :; do :; done"])
    try:
        found, doc, _ = explained(s, "--threads", "1", "--tokens", "300", *MEETS, before=["taskset", "-c", cpu])
    finally:
        greedy.send_signal(signal.SIGKILL)
        greedy.wait()
    looked = {x["id"]: x for x in doc["looked_at"]}
    if looked["preempted"]["found"] is None:
        skip(f"no kernel's view here: {looked['preempted']['why']}")
    check("preempted" in found, f"found: {list(found)}, {looked['preempted']}")
    by = {x["pid"]: x["total_ns"] for x in work(s, "threads")["preempted_by"]}
    check(greedy.pid in by, f"by whom: {by}")
    if by[greedy.pid] == max(by.values()):
        check(str(greedy.pid) in json.dumps(found["preempted"]), f"it is named: {found['preempted']['title']}")


@case
def llama_cpp_at_two_threads_and_at_one(s):
    model = s.model("small")
    for threads, before in ((2, []), (2, ["taskset", "-c", "0"]), (1, [])):
        tokens = 40 if before else 100
        run = s.run([*before, *s.llama("--model", model, "--tokens", tokens, "--threads", threads, "--quiet")], timeout=120)
        doc = work(s, "explain", run)
        found = sound(doc)
        if threads == 1:
            none_of(found, "spawn-churn", "spin-wait", "oversubscribed")
            continue
        check("spawn-churn" in found, f"a thread for each token is found: {list(found)}")
        near(next(e["value"] for e in found["spawn-churn"]["evidence"] if e["unit"] == "1/token"), 1, 0.1, "threads a token")
        if before:
            check("spin-wait" in found, f"on one CPU two threads spin for each other: {list(found)}")
            check("ggml_barrier" in json.dumps(found["spin-wait"]), f"where: {found['spin-wait']['title']}")


@case
def a_library_for_older_cpus(s):
    """With all but one variant of ggml's library put away, that one computes."""
    engine = s.llama("--model", s.model("tiny"), "--tokens", 20, "--quiet")
    given = engine[engine.index("--lib") + 1]
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        wider = "avx512f" in f.read().split()
    if not os.path.exists(os.path.join(given, "libggml-cpu-haswell.so")):
        skip("these libraries have no variants")
    os.mkdir(s.path("lib"))
    for name in os.listdir(given):
        if "libggml-cpu-" not in name or "haswell" in name:
            os.symlink(os.path.join(given, name), s.path(f"lib/{name}"))
    engine[engine.index("--lib") + 1] = s.path("lib")
    found = sound(work(s, "explain", s.run(engine, timeout=60)))
    equal("slower-variant" in found, wider, f"found, where the CPU has more: {list(found)}")
    if wider:
        check("haswell" in found["slower-variant"]["title"], found["slower-variant"]["title"])
        none_of(sound(work(s, "explain", s.run(s.llama("--model", s.model("tiny"), "--tokens", 20, "--quiet"), timeout=60))),
                "slower-variant")


main()
