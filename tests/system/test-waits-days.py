# SPDX-License-Identifier: MIT
"""Waits on bad days: the victim goes on as it would alone, and what can be known is told."""

import json
import os
import time

from harness import between, case, check, equal, main, near, skip, wait_until
from victims import victim
from work import agrees, by_whom, kinds, objects, sound_waits, waited, work


@case
def a_mutex_and_a_condition_in_shared_memory(s):
    doc, truth = waited(s, "waits-days", "shared")
    agrees(doc, truth)
    for kind, at in (("mutex", "object"), ("condition", "cond")):
        o, = objects(doc, kind, truth["values"][at])
        check(o["shared"], f"the {kind} is shared between processes")
        equal(o["by"], [], f"who had the {kind} is in another process: not known")
        equal(o["unknown"]["count"], o["count"], "waits for somebody unknown")


@case
def a_robust_mutex_whose_owner_dies(s):
    for way in ("robust", "robust-thread"):
        doc, truth = waited(s, "waits-days", way)
        agrees(doc, truth)


@case
def what_never_comes_is_shown_while_it_is_awaited(s):
    read, write = os.pipe()
    run = s.start([victim(s, "waits-days"), "never"], stdin=read)
    os.close(read)
    try:
        wait_until(lambda: run.stdout.endswith("\n"), 20, "it waits")
        truth = json.loads(run.stdout)

        def waiting():
            got = s.infprof("waits", "--json", code=None)
            doc = json.loads(got.stdout) if got.returncode == 0 else {"waiting": []}
            return [w for w in doc["waiting"] if w["tid"] == truth["tid"]]

        first, = wait_until(waiting, 10, "the wait in progress")
        equal((first["kind"], first["object"], first["name"]), ("condition", f"{truth['object']:#x}", "hopeful"),
              "what it waits for")
        time.sleep(0.5)
        then, = wait_until(lambda: [w for w in waiting() if w["for_ns"] > first["for_ns"] + 400e6], 5, "it grows")
        between(0.4e9, then["for_ns"], 30e9, "for how long")

        def where():
            doc = json.loads(s.infprof("waits", "--json").stdout)
            wait, = [w for w in doc["waiting"] if w["tid"] == truth["tid"]]
            return wait["site"] is not None and [f["function"] for f in doc["sites"][wait["site"]]["frames"]]

        wait_until(lambda: "await_what_never_comes" in (where() or []), 20, "where it waits")
        threads = json.loads(s.infprof("threads", "--json").stdout)["threads"]
        mine, = [t for t in threads if t["tid"] == truth["tid"]]
        equal(mine["waiting"]["kind"], "condition", "the thread says so, too")
    finally:
        os.close(write)
    equal(run.wait(), 0, "exit code")
    # it never came back, and is not forgotten
    doc = work(s, "waits", run)
    sound_waits(doc)


@case
def who_holds_it_is_said_while_it_is_waited_for(s):
    read, write = os.pipe()
    run = s.start([victim(s, "waits-days"), "held"], stdin=read)
    os.close(read)
    try:
        wait_until(lambda: run.stdout.endswith("\n"), 20, "they wait")
        truth = json.loads(run.stdout)

        def waiting():
            got = s.infprof("waits", "--json", code=None)
            doc = json.loads(got.stdout) if got.returncode == 0 else {"waiting": []}
            found = {w["tid"]: w for w in doc["waiting"]}
            return found if all(found.get(truth[who], {"by": None})["by"] for who in ("main", "blocked")) else None

        found = wait_until(waiting, 10, "both waits and whom they are for")
        equal((found[truth["blocked"]]["kind"], found[truth["main"]]["kind"]), ("mutex", "join"), "kinds")
        by = {who: found[truth[who]]["by"] for who in ("main", "blocked")}
        equal((by["blocked"]["tid"], by["blocked"]["name"]), (truth["holder"], "holder"), "who holds the lock")
        equal((by["main"]["tid"], by["main"]["name"]), (truth["blocked"], "blocked"), "who is joined")
        equal(os.path.basename(found[truth["blocked"]]["library"]), "waits-days", "where the lock lies")
        text = s.infprof("waits").stdout
        line = next(line for line in text.splitlines() if f" {truth['blocked']} " in line)
        check("held by" in text and f"holder ({truth['holder']})" in line and "waits-days+0x" in line, text)
        doc = json.loads(s.infprof("waits", "--json").stdout)
        now = {k["kind"]: k["now"] for k in doc["kinds"]}
        equal((now["mutex"]["waits"], now["join"]["waits"]), (1, 1), "what goes on, by kind")
        lock, = objects(doc, "mutex")
        equal((lock["count"], lock["now"]["waits"], lock["now"]["total_ns"]), (0, 1, now["mutex"]["total_ns"]), "and by object")
        check("in progress" in text and "so far" in text, text)
        now = s.infprof("top", "--once", "--json").stdout
        now = {w["tid"]: w for w in json.loads(now)["waits"]["now"]}
        equal(now[truth["blocked"]]["holder"]["tid"], truth["holder"], "top says it, too")
        equal(now[truth["main"]]["holder"]["tid"], truth["blocked"], "and who is joined")
    finally:
        os.close(write)
    equal(run.wait(), 0, "exit code")


@case
def a_run_that_was_killed_in_a_hang_says_so(s):
    read, write = os.pipe()
    run = s.start([victim(s, "waits-days"), "held"], stdin=read)
    os.close(read)
    try:
        wait_until(lambda: run.stdout.endswith("\n"), 20, "they wait")

        def explained():
            got = s.infprof("explain", "--json", code=None)
            notes = json.loads(got.stdout)["notes"] if got.returncode == 0 else []
            return [n for n in notes if "infprof waits shows where" in n]

        note, = wait_until(explained, 20, "a note while it hangs")
        check("2 threads had been in one wait" in note and "(mutex, join)" in note, note)
        run.popen.kill()
        run.popen.wait()
    finally:
        os.close(write)
    doc = work(s, "waits", run)
    sound_waits(doc)
    now = {k["kind"]: k["now"]["waits"] for k in doc["kinds"]}
    equal((now["mutex"], now["join"]), (1, 1), "waits that were in progress")
    check("infprof waits shows where" in s.infprof("explain").stdout.replace("\n", " "), "said")


@case
def who_is_joined_before_it_begins(s):
    for _ in range(5):
        read, write = os.pipe()
        run = s.start([victim(s, "waits-days"), "joined-at-once"], stdin=read)
        os.close(read)
        try:
            def joins():
                got = s.infprof("waits", "--json", code=None)
                doc = json.loads(got.stdout) if got.returncode == 0 else {"waiting": []}
                return [w for w in doc["waiting"] if w["kind"] == "join" and w["by"] and w["pid"] == run.popen.pid]
            join, = wait_until(joins, 10, "the join")
            equal(join["by"]["name"], "holder", "who is joined")
        finally:
            os.close(write)
        equal(run.wait(), 0, "exit code")


@case
def cancelled_in_a_wait(s):
    doc, truth = waited(s, "waits-days", "cancel")
    agrees(doc, truth)
    equal(sum(o["left"] for o in doc["objects"]), truth["values"]["left"], "waits that did not return")


@case
def left_by_a_jump(s):
    doc, truth = waited(s, "waits-days", "jump")
    agrees(doc, truth)
    equal(sum(o["left"] for o in doc["objects"]), truth["values"]["left"], "waits that did not return")


@case
def a_wait_in_a_handler_in_a_wait(s):
    doc, truth = waited(s, "waits-days", "handler")
    got, own = kinds(doc), truth["waits"]
    equal({k: v["count"] for k, v in got.items()}, {k: v["count"] for k, v in own.items()}, "waits")
    near(got["mutex"]["total_ns"], own["mutex"]["total_ns"], 0.05, "time in the inner ones")
    near(got["condition"]["total_ns"], own["condition"]["total_ns"] - own["mutex"]["total_ns"], 0.05,
         "time in the outer ones, without")


@case
def a_handler_that_locks_in_the_midst_of_everything(s):
    doc, _ = waited(s, "waits-days", "storm")
    equal(kinds(doc).get("mutex"), None, "nobody waited for a mutex")


@case
def a_lock_in_the_allocator(s):
    for name, env in (("waits-malloc-inside", {}),
                      ("waits-malloc", {"LD_PRELOAD": f"{s.shim}:{s.built('tests/victims/libwaits-heap.so')}"}),
                      ("waits-malloc", {"LD_PRELOAD": f"{s.built('tests/victims/libwaits-heap.so')}:{s.shim}"})):
        for interval in (None, "1"):
            run = s.run([victim(s, name)], env={"INFPROF_HEAP_INTERVAL": interval, **env}, timeout=50)
            equal((run.stdout, run.stderr), ("80000\n", ""), f"output of {name}")
            doc = work(s, "waits", run)
            sound_waits(doc)
            between(1, kinds(doc)["join"]["count"], 4, "joins that waited")


@case
def mutexes_of_all_kinds(s):
    for way in ("inherit", "recursive", "errors"):
        doc, truth = waited(s, "waits-days", way)
        agrees(doc, truth)
        o, = objects(doc, "mutex", truth["values"]["object"])
        equal(by_whom(o), {truth["values"]["for_tid"]: 5}, f"who held it, {way}")


@case
def a_lock_freed_while_it_was_held(s):
    doc, truth = waited(s, "waits-days", "freed")
    agrees(doc, truth, fraction=0.05, each_ns=50000)
    own = truth["values"]
    o, = objects(doc, "mutex", own["object"])
    if own["same_place"]:
        equal(by_whom(o), {own["for_tid"]: 5}, "who holds the new one; not who held the old")


@case
def two_thousand_threads(s):
    doc, truth = waited(s, "waits-days", "crowd")
    own = truth["values"]
    got = kinds(doc)
    equal(got["condition"]["count"], own["conditions"], "waits")
    between(0, got.get("join", {"count": 0})["count"], own["joins"], "joins that waited")
    spawns = work(s, "spawns")
    equal(sum(x["count"] for x in spawns["sites"]), own["threads"], "spawns")
    equal(max(x["peak"] for x in spawns["sites"]), own["threads"], "alive at a time")


@case
def forty_thousand_threads_one_after_the_other(s):
    doc, truth = waited(s, "waits-days", "brief", alone=False)
    own = truth["values"]
    between(1, kinds(doc)["join"]["count"], own["joins"], "joins that waited")
    # whom a wait was for that began before that thread had its lane, or after it, is known all the same
    unknown = sum(o["unknown"]["count"] for o in objects(doc, "join"))
    between(0, unknown / kinds(doc)["join"]["count"], 0.05, "joins of somebody who was not seen")
    spawns = work(s, "spawns")
    equal([(x["count"], x["ended"], x["live"]) for x in spawns["sites"]], [(own["threads"], own["threads"], 0)], "spawns")


@case
def each_is_joined_as_it_was_made(s):
    doc, truth = waited(s, "waits-days", "join-each")
    agrees(doc, truth)
    o, = objects(doc, "join")
    own = truth["values"]
    equal(o["unknown"]["count"], 0, "joins of somebody who was not seen")
    equal(by_whom(o), {own[f"tid{i}"]: 1 for i in range(own["joins"])}, "who was joined")


def unshared(s, script, *more):
    """A command in a pid namespace of its own."""
    cmd = ["unshare", "--pid", "--fork", "--mount-proc", *more, "sh", "-c", script]
    if os.getuid() or s.run([*cmd[:-1], "true"], preload=False, code=None).returncode:
        skip("no pid namespaces here")
    return cmd


@case
def thread_ids_that_wrap_and_are_used_again(s):
    cmd = unshared(s, f"echo 400 > /proc/sys/kernel/pid_max && LD_PRELOAD={s.shim} exec {victim(s, 'waits-days')} brief")
    limit = s.run([*cmd[:-1], "echo 400 > /proc/sys/kernel/pid_max && cat /proc/sys/kernel/pid_max; true"], preload=False)
    outside = open("/proc/sys/kernel/pid_max", encoding="utf-8").read()
    if limit.stdout.strip() != "400" or int(outside) < 1000:
        skip("no limit of pids of a namespace's own here")
    s.daemon_start("--stay")
    run = s.run(cmd, preload=False)
    own = json.loads(run.stdout)["values"]
    doc = work(s, "waits")
    between(1, kinds(doc)["join"]["count"], own["joins"], "joins that waited")
    spawns = work(s, "spawns")
    equal([(x["count"], x["ended"], x["live"]) for x in spawns["sites"]], [(own["threads"], own["threads"], 0)], "spawns")


@case
def an_engine_in_a_pid_namespace_of_its_own(s):
    truth = s.path("truth.json")
    cmd = unshared(s, f"LD_PRELOAD={s.shim} exec {s.tinyengine} --threads 3 --tokens 12 --pace 1 --truth {truth}")
    s.daemon_start("--stay")
    s.run(cmd, preload=False, env={"INFPROF_KERNELS": "libtinykernels.so:tk_*"})
    wait_until(lambda: json.loads(s.infprof("report", "--json").stdout)["run"].get("exit"), 20, "it ended")
    own = s.json("truth.json")
    waits, spawns, threads = (work(s, verb) for verb in ("waits", "spawns", "threads"))
    sound_waits(waits)
    equal(kinds(waits)["sleep"]["count"], own["waits"]["sleep"], "sleeps")
    equal(sum(x["count"] for x in spawns["sites"]), own["spawns"], "spawns")
    equal(len(threads["threads"]), 3, "threads")
    names = sorted(t["name"] for t in threads["threads"])
    equal(names, ["tiny-1", "tiny-2", "tinyengine"], "their names")


@case
def futexes_and_threads_that_libc_knows_nothing_about(s):
    doc, truth = waited(s, "waits-raw", "bare", alone=False)
    equal(kinds(doc), {}, "waits that can be seen")
    doc, truth = waited(s, "waits-raw", "syscall", alone=False)
    check("futex" in truth["waits"], "it waited")
    agrees(doc, truth)
    waited(s, "waits-raw", "numbers")


main()
