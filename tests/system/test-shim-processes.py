# SPDX-License-Identifier: MIT
"""Engines that fork, become others, spawn threads by the thousand, wait for whoever comes, close
what they did not open, and die: each of their processes is in the run, with what it did."""

import json
import os
import signal
import struct

from harness import case, check, equal, main, wait_until
from victims import calls, sound, victim

KERNELS = "libprocess.so:k_work"


class Shared:
    """The file in which all processes of a victim count together."""

    def __init__(self, s):
        self.path = s.path("shared")
        if os.path.exists(self.path):
            os.unlink(self.path)

    def words(self):
        with open(self.path, "rb") as f:
            return struct.unpack("3q", f.read(24))

    def calls(self):
        return self.words()[0]

    def children(self):
        return self.words()[1] if os.path.exists(self.path) and os.path.getsize(self.path) else 0

    def go(self):
        with open(self.path, "r+b") as f:
            f.seek(16)
            f.write(struct.pack("q", 1))


def lives(s, how, code=0, stderr="", **options):
    """Runs it to its end; the counts of all processes together must be ours. (document, calls)"""
    shared = Shared(s)
    run = s.run([victim(s, "process"), how], kernels=KERNELS, code=code,
                env={"VICTIM_SHARED": shared.path}, **options)
    equal((run.stdout, run.stderr), ("", stderr), f"output of {how}")
    doc = s.report(run)
    sound(doc)
    equal(calls(doc).get("k_work", 0), shared.calls(), f"calls in all processes, {how}")
    return doc, shared.calls()


def processes(doc):
    """(spans, end, exit) of each."""
    return sorted((p["spans"], p["end"], tuple((p["exit"] or {}).values())) for p in doc["run"]["processes"])


@case
def fork(s):
    doc, _ = lives(s, "fork", code=2)
    equal(processes(doc), [(15, "code", (2,)), (20, "code", (3,))], "processes")
    doc, _ = lives(s, "fork-return")
    equal(processes(doc), [(7, "code", (0,)), (9, "code", (0,))], "processes")


@case
def what_children_began_with_is_not_summed(s):
    doc, _ = lives(s, "fork-memory")
    equal(len(doc["run"]["processes"]), 21, "processes")
    memory = doc["memory"]
    check(1 << 20 <= memory["peak_bytes"] < 3 << 19, f"peak: {memory['peak_bytes']}")
    check(memory["live_bytes"] <= memory["peak_bytes"], f"live {memory['live_bytes']}, peak {memory['peak_bytes']}")
    check(sum(p["live_bytes"] for p in doc["run"]["processes"]) > 20 << 20, "by process, each has it")
    largest = max(doc["run"]["processes"], key=lambda p: p["peak_bytes"])
    equal((memory["live_bytes"], memory["peak_bytes"]), (largest["live_bytes"], largest["peak_bytes"]), "of one process")
    totals = json.loads(s.infprof("memory", "--json").stdout)["totals"]
    equal((totals["live_bytes"], totals["peak_bytes"]), (memory["live_bytes"], memory["peak_bytes"]), "infprof memory")


@case
def fork_of_a_fork(s):
    doc, _ = lives(s, "double-fork")
    equal(processes(doc), [(1, "code", (0,)), (30, "code", (0,))], "processes")


@case
def fork_and_exec(s):
    doc, _ = lives(s, "fork-exec")
    equal(processes(doc), [(3, "code", (0,)), (25, "code", (0,))], "processes")


@case
def exec_in_place(s):
    doc, _ = lives(s, "exec")
    equal(sorted(p["spans"] for p in doc["run"]["processes"]), [4, 25], "spans of the two images")
    equal(len({p["pid"] for p in doc["run"]["processes"]}), 1, "pids")
    equal(sorted(p["end"] for p in doc["run"]["processes"]), ["code", "exec"], "ends")


@case
def exec_that_fails(s):
    doc, _ = lives(s, "exec-nothing", code=8)
    equal(processes(doc), [(10, "code", (8,))], "processes")


@case
def vfork(s):
    doc, _ = lives(s, "vfork", code=6)
    equal(processes(doc), [(5, "code", (6,)), (25, "code", (0,))], "processes")


@case
def a_vfork_childs_exit_is_not_its_parents(s):
    doc, _ = lives(s, "vfork-killed", code=-signal.SIGKILL)
    equal(doc["run"]["exit"]["signal"], signal.SIGKILL, "how it ended")


@case
def posix_spawn_system_and_popen(s):
    doc, _ = lives(s, "spawn")
    check((25, "code", (0,)) in processes(doc), f"processes: {processes(doc)}")


@case
def raw_clone(s):
    doc, _ = lives(s, "clone")
    equal(processes(doc), [(4, "code", (0,)), (11, "code", (4,))], "processes")


@case
def a_hundred_children(s):
    _, n = lives(s, "breed")
    equal(n, 1000, "calls")


@case
def fork_from_threads_in_the_midst_of_everything(s):
    doc, _ = lives(s, "fork-threads")
    equal([p["spans"] for p in doc["run"]["processes"]].count(6), 4, "children")


@case
def fork_while_others_spawn(s):
    lives(s, "fork-storm")


@case
def none_of_our_children_is_seen(s):
    lives(s, "wait-any")


@case
def the_engines_descriptors_are_its_own(s):
    lives(s, "descriptors")
    lives(s, "close-first")
    lives(s, "close-midway")
    lives(s, "take-all")


@case
def the_same_without_a_daemon_running(s):
    # the first of a session starts one: no trace of that either
    s.daemon_stop()
    lives(s, "wait-any")
    s.daemon_stop()
    lives(s, "descriptors")


@case
def deaths_are_named_and_complete(s):
    for how, number in (("abort", signal.SIGABRT), ("segv", signal.SIGSEGV), ("kill", signal.SIGKILL),
                        ("term", signal.SIGTERM)):
        doc, n = lives(s, how, code=-number)
        equal((doc["run"]["end"], doc["run"]["exit"]["signal"], n), ("signal", number, 100), how)


@case
def killed_from_outside_in_the_midst(s):
    shared = Shared(s)
    run = s.start([victim(s, "process"), "wait-kill"], kernels=KERNELS, env={"VICTIM_SHARED": shared.path})
    wait_until(shared.children, 10, "the victim has worked")
    run.kill(signal.SIGKILL)
    run.wait()
    doc = s.report(run)
    equal((calls(doc)["k_work"], doc["run"]["exit"]["signal"]), (1000, signal.SIGKILL), "calls, end")


@case
def exit_by_system_call(s):
    doc, _ = lives(s, "syscall", code=33)
    equal(doc["run"]["exit"], {"code": 33}, "exit")


@case
def two_thousand_threads_one_after_another(s):
    doc, n = lives(s, "one-after-another")
    equal((n, doc["spawns"]["total"]), (2001, 2000), "calls, spawns")
    check(doc["spawns"]["peak_live"] <= 3, f"peak: {doc['spawns']['peak_live']}")
    equal([site["count"] for site in doc["spawns"]["sites"]], [2000], "sites")
    equal(doc["spawns"]["sites"][0]["function"], "one_after_another", "site")


@case
def five_hundred_threads_at_once(s):
    shared = Shared(s)
    run = s.start([victim(s, "process"), "all-at-once"], kernels=KERNELS, env={"VICTIM_SHARED": shared.path})
    wait_until(lambda: os.path.exists(shared.path) and os.path.getsize(shared.path)
               and shared.calls() == 2001, 20, "all threads have worked")

    def settled():
        got = s.infprof("report", "--json", code=None)
        doc = json.loads(got.stdout) if got.returncode == 0 else None
        return doc if doc and calls(doc).get("k_work") == 2001 and doc["spawns"]["live"] == 1 else None

    doc = wait_until(settled, 10, "one thread live, all calls counted")
    shared.go()
    equal(run.wait(), 0, "exit code")
    doc = s.report(run)
    equal((calls(doc)["k_work"], doc["spawns"]["total"], doc["spawns"]["peak_live"]), (2001, 2000, 501),
          "calls, spawns, peak")
    equal(sum(t["spans"] for t in doc["threads"]), 2001, "spans of all threads")


@case
def names_sites_and_threads_that_outlive_main(s):
    doc, n = lives(s, "names")
    equal(n, 56, "calls")
    names = {t["name"]: t["spans"] for t in doc["threads"] if t["name"].startswith("worker")}
    equal(names, {f"worker-{i}": i for i in range(1, 11)}, "threads by name, and their spans")
    equal({site["function"]: site["count"] for site in doc["spawns"]["sites"]},
          {"spawn_even": 5, "spawn_odd": 5}, "sites")


@case
def a_thread_that_cannot_be_is_no_spawn(s):
    doc, _ = lives(s, "too-many")
    equal((doc["spawns"]["total"], sum(x["count"] for x in doc["spawns"]["sites"])), (1, 1), "spawns")


@case
def destructors_of_threads_and_of_the_process(s):
    doc, n = lives(s, "destructors")
    equal(n, 10 * (1 + 12) + 3 + 2, "calls")
    equal((doc["self"]["left"], doc["self"]["open"]), (0, 0), "left, open")


main()
