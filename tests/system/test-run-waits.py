# SPDX-License-Identifier: MIT
"""Waits, spawns and decode steps as they come through the daemon: the rows of the run file, what top shows of
them, and what is left of them after a daemon was killed."""

import contextlib
import json
import signal
import sqlite3

from harness import case, check, equal, main, near, wait_until

KERNELS = "libtinykernels.so:tk_*,libtinykernels.so:tp_decode=decode,libtinykernels.so:tp_prefill=prefill"
ROWS = 12  # of a ledger
COMPUTE, BARRIER = 0, 5  # a row of the ledger, a kind of wait


def record(s, *args, **more):
    return s.start([s.cli, "record", "-o", s.path("run.infprof"), "--kernels", KERNELS, s.tinyengine, *args],
                   preload=False, **more)


def rows(s, sql):
    with sqlite3.connect(f"file:{s.path('run.infprof')}?mode=ro", uri=True) as db:
        return db.execute(sql).fetchall()


def row(s, sql):
    (found,) = rows(s, sql)
    return found


def values_in(hist):
    """How many values a histogram of the run file has."""
    numbers, number, shift = [], 0, 0
    for byte in hist or b"":
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            numbers.append(number)
            number = shift = 0
    return sum(numbers[1::2])


def ledger_is_whole(s):
    """What is divided adds up to the whole, to the ns."""
    wall, everyone = row(s, "SELECT wall_ns, all_ns FROM ledger")
    equal(rows(s, "SELECT who, sum(total_ns), count(*) FROM ledger_row GROUP BY who"),
          [(0, wall, ROWS), (1, wall, ROWS), (2, everyone, ROWS)], "rows of the ledger")
    for wall_ns, all_ns, slot in rows(s, "SELECT wall_ns, all_ns, slot FROM slow_token"):
        equal(rows(s, f"SELECT who, sum(ns) FROM slow_token_row WHERE slot = {slot} GROUP BY who"),
              [(0, wall_ns), (1, wall_ns), (2, all_ns)], f"rows of the slow step {slot}")


def waits_are_whole(s):
    """Each way to the sum of waits is the same."""
    equal(rows(s, "SELECT kind, sum(count) FROM wait WHERE count > 0 GROUP BY kind"),
          rows(s, "SELECT kind, sum(count) FROM thread_wait WHERE count > 0 GROUP BY kind"),
          "waits, by entry and by thread")
    for wait, count, by in rows(s, "SELECT w.wait, w.count, w.unknown + w.others + ifnull((SELECT sum(b.count) FROM "
                                   "wait_by b WHERE b.process = w.process AND b.wait = w.wait), 0) FROM wait w"):
        equal(by, count, f"waits of entry {wait}, by whom they were for")


def top(s):
    run = s.infprof("top", "--once", "--json", code=None)
    return json.loads(run.stdout) if run.returncode == 0 else None


@case
def a_pool_that_meets_at_barriers(s):
    run = record(s, "--threads", "2", "--tokens", "150")
    equal(run.wait(60), 0, "exit")
    steps, tokens, dropped, hist = row(s, "SELECT steps, tokens, dropped, hist FROM ledger")
    equal((steps, tokens, dropped, values_in(hist)), (149, 149, 0, 149), "steps")  # the first comes out of the prompt
    equal([values_in(h) for (h,) in rows(s, "SELECT hist FROM ledger_row WHERE total_ns > 0")],
          [149] * row(s, "SELECT count(*) FROM ledger_row WHERE total_ns > 0")[0], "values of a row")
    ledger_is_whole(s)
    waits_are_whole(s)
    # two threads meet: one is last and the other waits, or both are there in time
    waited, last, threads = row(s, f"SELECT sum(count), sum(last), count(DISTINCT thread) FROM wait WHERE kind = {BARRIER}")
    check(threads == 2 and waited > 1000 and last >= waited, (waited, last, threads))
    for wait, count, total, least, most, hist in rows(s, "SELECT wait, count, total_ns, min_ns, max_ns, hist FROM wait "
                                                         "WHERE count > 0"):
        equal(values_in(hist), count, f"values of wait {wait}")
        check(least * count <= total + count and most * count >= total - count, (wait, count, total, least, most))
    # each waits for the other
    equal(rows(s, f"SELECT DISTINCT w.thread, b.thread FROM wait w JOIN wait_by b USING (process, wait) "
                  f"WHERE w.kind = {BARRIER} ORDER BY 1"), [(0, 1), (1, 0)], "who waited for whom")
    functions = {f for (f,) in rows(s, "SELECT functions FROM v_waits")}
    check(any("meet < run_list < pool_thread" in f for f in functions), functions)
    check(any("tp_decode" in f for f in functions), functions)
    # no memory was sampled at those stacks
    memory = json.loads(s.infprof("report", "--json", s.path("run.infprof")).stdout)
    equal(memory["self"]["lost"], 0, "lost spans")
    check(all(row_[0] > 0 for row_ in rows(s, "SELECT samples + samples_freed + inherited_objects FROM stack")),
          "a stack without a sample")
    kind, count, live, ended, cost, life, function = row(
        s, "SELECT kind, p.count, live, ended, cost_ns, life_ns, function FROM spawn p JOIN site USING (process, site)")
    equal((kind, count, live, ended), (0, 1, 0, 1), "the pool's thread")
    check(cost > 0 and life > cost, (cost, life, function))


@case
def spawns_are_counted_by_site(s):
    run = record(s, "--threads", "3", "--spawn", "op", "--tokens", "6", "--truth", s.path("truth.json"))
    equal(run.wait(60), 0, "exit")
    spawned = s.json("truth.json")["spawns"]
    equal(row(s, "SELECT sum(count), sum(ended), sum(live) FROM spawn"), (spawned, spawned, 0), "spawns")
    for count, cost, life in rows(s, "SELECT count, cost_hist, life_hist FROM spawn"):
        equal((values_in(cost), values_in(life)), (count, count), "values of a site")
    equal(rows(s, "SELECT site, count FROM spawn"), rows(s, "SELECT site, count FROM site"), "both tables")
    waits_are_whole(s)
    ledger_is_whole(s)


@case
def top_shows_who_waits(s):
    run = record(s, "--threads", "2", "--tokens", "100000", "--pace", "3")
    wait_until(lambda: (lambda d: d and d["ledger"] and d["ledger"]["interval"] and len(d["threads"]) == 2 and
                        all(t["split"] for t in d["threads"]) and
                        "meet" in [site["function"] for site in d["waits"]["sites"]])(top(s)), 20, "an interval and names")
    document = top(s)
    for thread in document["threads"]:
        split = thread["split"]
        near(sum(split[part] or 0 for part in ("running", "runnable", "waiting", "other")), 1, 1e-6, "parts of an interval")
        near(sum(split["waits"].values()), split["waiting"], 1e-6, "kinds of waits")
        check(thread["now"] in ("running", "runnable", "waiting", "blocked"), thread)
    # one sleeps between tokens, the other waits for it at the barrier
    main_, worker = sorted(document["threads"], key=lambda t: t["tid"])
    check(main_["split"]["waits"].get("sleep", 0) > 0.2, main_)
    check(worker["split"]["waits"].get("barrier", 0) > 0.2, worker)
    waits = document["waits"]
    check(waits["on"] and {"sleep", "barrier"} <= {k["kind"] for k in waits["kinds"]}, waits["kinds"])
    barrier = next(o for o in waits["objects"] if o["kind"] == "barrier")
    equal(barrier["threads"], 2, "threads at the barrier")
    equal({b["tid"] for b in barrier["by"]}, {main_["tid"], worker["tid"]}, "whom they wait for")
    near(sum(b["share"] for b in barrier["by"]), 1, 1e-6, "shares")
    check({site["function"] for site in waits["sites"]} >= {"meet"}, waits["sites"])
    for kind in waits["kinds"]:  # by kind, by object and by place it is the same
        for table in ("objects", "sites"):
            near(sum(x["count"] for x in waits[table] if x["kind"] == kind["kind"]), kind["count"], 0.02,
                 f"{kind['kind']} in {table}")
    ledger = document["ledger"]
    equal(len(ledger["rows"]), ROWS, "rows")
    for who in ("own", "critical", "all"):
        near(sum((r[who] or {"share": 0})["share"] for r in ledger["rows"]), 1, 1e-6, f"shares of {who}")
    near(sum((r["own"] or {"mean_ns": 0})["mean_ns"] for r in ledger["rows"]), ledger["mean_ns"], 1e-3, "a mean step")
    check(ledger["steps"] >= ledger["interval"]["steps"] > 50 and ledger["p50_ns"] <= ledger["p99_ns"] <= ledger["max_ns"],
          ledger)
    run.kill(signal.SIGTERM)
    run.wait(20)


@case
def threads_that_come_and_go_are_in_the_rates_by_kind(s):
    run = record(s, "--threads", "3", "--spawn", "op", "--tokens", "100000", "--pace", "5", "--lock", "2000")

    def rates(document, table):
        return {figure: sum(x[figure] for x in document["waits"][table] if x["kind"] == "mutex")
                for figure in ("count_per_second", "ns_per_second")}

    wait_until(lambda: (lambda d: d and rates(d, "objects")["ns_per_second"] > 0)(top(s)), 20, "an interval with a wait")
    document = top(s)
    for figure, value in rates(document, "objects").items():
        near(rates(document, "kinds")[figure], value, 0.2, figure)  # the two are not read at one instant
    run.kill(signal.SIGTERM)
    run.wait(20)


def steps_in_file(s):
    with contextlib.suppress(sqlite3.OperationalError):  # there is no file yet, or no table in it
        return sum(n for (n,) in rows(s, "SELECT steps FROM ledger"))
    return 0


@case
def another_daemon_goes_on(s):
    s.daemon_start("--stay")
    run = record(s, "--threads", "2", "--tokens", "900", "--pace", "4", "--truth", s.path("truth.json"))
    wait_until(lambda: steps_in_file(s) > 200, 30, "steps in the file")
    s.daemon_stop(signal.SIGKILL)
    s.daemon_start("--stay")
    equal(run.wait(60), 0, "exit")
    equal(row(s, "SELECT steps, tokens, dropped FROM ledger")[:2], (899, 899), "steps")
    ledger_is_whole(s)
    waits_are_whole(s)
    equal(rows(s, "SELECT tid, count(*) FROM thread WHERE ended_ns IS NOT NULL AND spans > 0 GROUP BY tid HAVING count(*) > 1"),
          [], "threads that are there twice")
    hist, = row(s, "SELECT hist FROM ledger")
    check(200 < values_in(hist) <= 899, values_in(hist))  # what the first had read and not written, is missing
    for wait, count, hist in rows(s, "SELECT wait, count, hist FROM wait"):
        equal(values_in(hist), count, f"values of wait {wait}")
    equal(rows(s, "SELECT thread FROM wait_now WHERE kind > 0"), [], "waits that are over")


main()
