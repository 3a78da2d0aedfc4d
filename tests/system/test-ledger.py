# SPDX-License-Identifier: MIT
"""The ledger of decode steps against the engine's own: where each thread's time went."""

from harness import between, case, check, equal, main
from work import OUTER, PHASES, engine_rows, ledger_rows as rows, ordered, work

WAIT_ROWS = ("barrier", "lock", "wait")


def ledgers(s, *args, tokens=60, dim=512, env=None):
    """(the document, the engine's own ledger)"""
    run = s.run([s.tinyengine, "--tokens", tokens, "--dim", dim, "--ledger", s.path("ledger.json"),
                 "--truth", s.path("truth.json"), *args], kernels=PHASES + OUTER, env=env)
    doc, own = work(s, "ledger", run), s.json("ledger.json")
    adds_up(doc)
    equal((doc["steps"], doc["tokens"]), (own["steps"], own["steps"]), "steps, tokens")
    return doc, own


def adds_up(doc):
    """The rows of each sum up to its wall time, always and exactly."""
    ordered(doc["wall"], "wall time of a step")
    wall = doc["wall"]["total_ns"]
    for who, total in (("own", wall), ("critical", wall), ("all", doc["thread_ns"])):
        equal(sum(rows(doc, who).values()), total, f"rows of {who}")
    for t in doc["threads"]:
        equal(sum(ns or 0 for ns in t["rows"].values()), t["wall_ns"], f"rows of thread {t['tid']}")
    for slow in doc["slow"]:
        for who in ("own", "critical"):
            equal(sum(ns or 0 for ns in slow[who].values()), slow["wall_ns"], f"{who} of step {slow['number']}")
    if not doc["kernel"]:
        for row in ("runnable", "fault", "syscall"):
            equal([r["total_ns"] for r in doc["own"] if r["row"] == row], [None], f"{row} without the kernel's view")


def held(doc, own, who="own", but=()):
    """Each row is the engine's within 5 %, and 1 % of the whole. What the kernel says it was instead is taken out
    of rows that the engine cannot take it out of: they may be less by so much. Stamps of ours are inside
    of the engine's: when a thread was put off its CPU between the two, they differ by as long as it stood for one."""
    got, mine = rows(doc, who), engine_rows(own[who])
    wall, delay = sum(got.values()), own[f"{who}_delay_ns"]
    kernels = got["runnable"] + got["fault"] + got["syscall"]
    for row, ns in mine.items():
        if row in but:
            continue
        slack = 0.05 * ns + 0.01 * wall + delay
        between(ns - slack - kernels - got["profiler"], got.get(row, 0), ns + slack,
                f"{row} of {who}, of {wall} ns, of which {delay} for a CPU")
    near_wall = own[f"{who}_ns"]
    between(0.98 * near_wall, wall, 1.02 * near_wall, f"wall time of {who}")


@case
def one_thread(s):
    doc, own = ledgers(s)
    held(doc, own)
    got = rows(doc, "own")
    check(got["unaccounted"] <= 0.03 * doc["wall"]["total_ns"], f"unaccounted: {got}")
    check(doc["overhead_factor"] >= 1, f"overhead {doc['overhead_factor']}")


@case
def without_the_kernels_view(s):
    doc, own = ledgers(s, env={"INFPROF_KERNEL": "off"})
    equal(doc["kernel"], False, "is there a kernel's view")
    held(doc, own)


@case
def a_pool(s):
    doc, own = ledgers(s, "--threads", "2")
    held(doc, own)
    held(doc, own, who="all")
    equal(len(doc["threads"]), 2, "threads")


@case
def sleep_between_tokens(s):
    doc, own = ledgers(s, "--pace", "3", tokens=20)
    held(doc, own)
    got = rows(doc, "own")
    # a thread may be put off the CPU within the call, before it sleeps: then the time it asked for runs while it is runnable
    check(got["wait"] + got["runnable"] > 19 * 3e6, f"it slept so long: {got}")
    check(got["wait"] > 0.97 * 19 * 3e6, f"most of it asleep: {got}")
    doc, own = ledgers(s, "--pace", "3", tokens=20, env={"INFPROF_KERNEL": "off"})
    check(rows(doc, "own")["wait"] > 19 * 3e6, f"it slept so long: {rows(doc, 'own')}")


@case
def a_contended_lock(s):
    doc, own = ledgers(s, "--threads", "2", "--lock", "60", tokens=30)
    held(doc, own, who="all")
    check(own["all"]["lock"] > 0, "somebody waited")


@case
def the_allocator(s):
    # without samples of stacks: of blocks as large as these each second one would be one
    doc, own = ledgers(s, "--alloc", "op", "--alloc-bytes", "4000000", dim=256,
                       env={"INFPROF_HEAP_INTERVAL": "0"})
    got, mine = rows(doc, "own"), engine_rows(own["own"])
    check(mine["alloc"] > 0.02 * own["own_ns"], f"something to see: {mine}")
    # large blocks are all timed; what of it the kernel took is in its rows
    kernels = got["fault"] + got["syscall"] + got["runnable"]
    between(0.9 * mine["alloc"] - own["own_delay_ns"] - kernels, got["alloc"], 1.05 * mine["alloc"] + own["own_delay_ns"],
            "time in the allocator")


@case
def threads_for_each_op(s):
    doc, own = ledgers(s, "--threads", "2", "--spawn", "op", tokens=12)
    held(doc, own, but=("compute",))
    check(doc["overhead_factor"] > 1.5, f"overhead factor {doc['overhead_factor']}")


@case
def a_worker_with_more_to_do(s):
    doc, own = ledgers(s, "--threads", "2", "--imbalance", "6", "--dim", "512", "--layers", "1", tokens=20)
    held(doc, own)
    held(doc, own, who="all")
    # what the first does, the other waits for: on the critical path there is next to no waiting
    critical = rows(doc, "critical")
    check(critical["barrier"] <= rows(doc, "all")["barrier"], "the critical path waits less than all do")


@case
def texts_side_by_side(s):
    run = s.run([s.tinyengine, "--threads", "2", "--work", "coarse", "--texts", "4", "--tokens", "20"],
                kernels=PHASES + OUTER)
    doc = work(s, "ledger", run)
    adds_up(doc)
    equal((doc["steps"], doc["tokens"]), (4 * 19, 4 * 19), "steps, tokens")


@case
def tokens_of_texts_side_by_side(s):
    texts, tokens = 40, 40
    run = s.run([s.tinyengine, "--threads", "2", "--work", "coarse", "--texts", str(texts), "--tokens", str(tokens)],
                kernels=PHASES + OUTER, env={"INFPROF_UNWIND": "off"})
    doc = s.report(run)["tokens"]
    equal((doc["generated"], doc["sequences"], doc["prompt"]), (texts * tokens, texts, None), "tokens")
    ledger = work(s, "ledger")
    decoded = texts * (tokens - 1)
    equal((ledger["steps"], ledger["tokens"]), (decoded, decoded), "steps and tokens")
    # What two threads do at one time takes that time once: the ledger's steps leave out what is before the end
    # of a prefill, while the other thread decoded.
    seconds = decoded / doc["per_second"]
    between(0.95 * ledger["wall"]["total_ns"] / 1e9, seconds, 1.25 * ledger["wall"]["total_ns"] / 1e9, "time of tokens")
    check(seconds < 0.9 * decoded * doc["mean_ns"] / 1e9, "tokens of two threads do not overlap")


@case
def slow_steps_are_kept_with_what_was_different(s):
    run = s.run([s.tinyengine, "--tokens", "400", "--alloc", "mixed", "--mixed", "1"], kernels=PHASES + OUTER)
    doc = work(s, "ledger", run)
    adds_up(doc)
    check(len(doc["slow"]) <= 16, "no more than 16 are kept")
    for step in doc["slow"]:
        check(step["times_median"] >= 1.5, f"slow: {step['times_median']} times the median of all")  # 3 times that of those before


main()
