# SPDX-License-Identifier: MIT
"""The kernel's view, held against what a victim counts and what the kernel tells it itself. For real as root; elsewhere
these cases say why they are skipped. Read from the run file, where all of it is."""

import contextlib
import json
import os
import re
import shutil
import sqlite3
import subprocess

from harness import Failed, between, case, check, equal, main, near, skip, wait_until
from kernel_view import rows, run_files, view_is_up, watched
from victims import victim

GETPPID, CLOSE, PREAD64, BPF, PERF_EVENT_OPEN = 110, 3, 17, 321, 298
BLOCKS = ("futex", "io", "fault", "sleep", "poll", "other")
LATE = 3  # what a thread still does between its own last look and its end


def file_of(s, pid):
    """The run file that has the process, once it has ended."""
    def found():
        for path in run_files(s):
            with contextlib.suppress(sqlite3.Error):
                if rows(path, "SELECT 1 FROM process WHERE pid = ? AND end != 0", pid):
                    return path
        return None
    return wait_until(found, 20, f"run file of process {pid}")


class View:
    """The kernel's view of one process that has ended."""

    def __init__(self, s, pid):
        self.path = file_of(s, pid)
        self.process = rows(self.path, "SELECT process FROM process WHERE pid = ?", pid)[0]["process"]
        self.kernel = self.of("kernel")[0]
        self.threads = self.of("thread")
        self.syscalls = {row["number"]: row for row in self.of("syscall")}
        self.ops = self.of("kernel_op")
        self.preempts = self.of("preempt")

    def of(self, table):
        return rows(self.path, f'SELECT * FROM "{table}" WHERE process = ?', self.process)

    def thread(self, name):
        found = [t for t in self.threads if t["name"] == name]
        equal(len(found), 1, f"threads of the name {name} among {[t['name'] for t in self.threads]}")
        return found[0]

    def count(self, number):
        return self.syscalls.get(number, {"count": 0})["count"]


def blocked(thread):
    return sum(thread[f"blocked_{kind}_ns"] for kind in BLOCKS)


def whole(view, fraction=0.01, at_least_ns=100_000_000):
    """Where a thread's time went is its life."""
    for t in view.threads:
        life = t["ended_ns"] - t["started_ns"]
        if life < at_least_ns:
            continue
        check(t["running_ns"] is not None, f"nothing is told of {t['name']}")
        told = t["running_ns"] + t["runnable_ns"] + blocked(t)
        if t["thread"] == 0 and life - 20_000_000 < told < life:
            continue  # before it said hello nobody looked
        near(told, life, fraction,
             f"running {t['running_ns']} + runnable {t['runnable_ns']} + blocked {blocked(t)} of {t['name']}")


def profiled(s, *args, env=None, timeout=120, before=()):
    """Runs a part with the programs attached from its first moment. Returns (view, truth, told)."""
    with watched(s):
        run = s.run([*before, victim(s, "kernel-days"), *map(str, args)], env=env, timeout=timeout)
        lines = [json.loads(line) for line in run.stdout.splitlines()]
        view = View(s, run.pid)
    equal(view.kernel["view"], 2, f"view ({view.kernel['why']})")
    equal(view.kernel["lost"], 0, "lost")
    return view, lines[-1], {line["thread"]: line for line in lines[:-1]}


@case
def system_calls_are_counted_exactly(s):
    view, truth, _ = profiled(s, "syscalls", 20000)
    # the shim's own are engine's too: it makes no getppid but one at the start
    between = view.count(GETPPID) - truth["getppid"]
    check(0 <= between <= 1, f"getppid: {view.count(GETPPID)}, made {truth['getppid']}")
    equal(view.syscalls[CLOSE]["failed"], truth["failed"], "close(-1)")
    equal(view.syscalls[GETPPID]["failed"], 0, "getppid that failed")
    row = view.syscalls[GETPPID]
    check(0 < row["total_ns"] / row["count"] < 1e6, f"mean of getppid: {row}")
    check(row["max_ns"] >= row["total_ns"] / row["count"], f"max of getppid: {row}")
    main_thread = view.thread("kernel-days")
    check(main_thread["syscalls"] >= truth["getppid"] + truth["failed"], f"of the thread: {main_thread['syscalls']}")
    check(main_thread["syscall_ns"] >= row["total_ns"], f"time: {main_thread['syscall_ns']}, {row['total_ns']}")
    equal(sum(r["count"] for r in view.syscalls.values()) >= main_thread["syscalls"], True, "sum by number")


@case
def page_faults(s):
    view, truth, told = profiled(s, "faults", 5000)
    t = view.thread("kernel-days")
    kernel = told["main"]["minor"]
    check(kernel >= truth["minor"], f"the kernel itself tells {kernel}")
    # and what the program and its libraries touch at the start and the end
    check(kernel <= t["minor_faults"] <= kernel + 400, f"{t['minor_faults']} of {kernel}")
    check(t["minor_faults"] * 50 < t["fault_ns"] < t["running_ns"] + t["runnable_ns"] + blocked(t),
          f"fault time: {t['fault_ns']}")
    near(sum(o["minor_faults"] for o in view.ops), t["minor_faults"], 0.02, "by op")


@case
def sleeping_is_blocked(s):
    view, truth, _ = profiled(s, "sleeps", 500)
    t = view.thread("kernel-days")
    whole(view)
    check(t["blocked_sleep_ns"] >= truth["sleeps"] * 1_000_000, f"asleep for {t['blocked_sleep_ns']}")
    check(t["blocked_sleep_ns"] > 0.9 * blocked(t), f"{t['blocked_sleep_ns']} of {blocked(t)}")
    check(truth["sleeps"] <= t["voluntary"] <= truth["sleeps"] + 50, f"{t['voluntary']} voluntary switches")
    check(t["syscall_ns"] < 0.1 * t["blocked_sleep_ns"], f"a sleep is no system call's work: {t['syscall_ns']}")


@case
def threads_that_wait_for_each_other(s):
    view, truth, told = profiled(s, "futexes", 1000)
    whole(view)
    t = view.thread("partner")
    check(t["blocked_futex_ns"] >= truth["turns"] * 150_000, f"in futex for {t['blocked_futex_ns']}")
    kernel = told["partner"]
    for ours in ("voluntary", "involuntary"):
        check(kernel[ours] - LATE <= t[ours] <= kernel[ours] + 2 * LATE, f"{ours}: {t[ours]}, the kernel {kernel[ours]}")
    # The kernel spares itself a look at the clock when a wakeup is followed by a switch: then the way to the CPU is running
    # to it, which is runnable to us.
    # What it was in the midst of when the programs found it, the kernel has counted up to its last tick only.
    whole_ns = kernel["running"] + kernel["runnable"]
    slack = 0.1 * whole_ns + 5_000_000
    between(whole_ns - slack, t["running_ns"] + t["runnable_ns"], whole_ns + slack, "on the CPU or on the way there, by the kernel itself")
    check(t["running_ns"] < 1.1 * kernel["running"], f"on the CPU: {t['running_ns']}, the kernel {kernel['running']}")
    check(t["runnable_ns"] > 0.9 * kernel["runnable"] - 5_000_000, f"on the way: {t['runnable_ns']}, the kernel {kernel['runnable']}")


@case
def another_process_takes_the_cpu(s):
    view, truth, told = profiled(s, "hog", 2000)
    whole(view)
    t = view.thread("kernel-days")
    kernel = told["main"]
    near(t["running_ns"], kernel["running"], 0.05, "on the CPU")
    near(t["runnable_ns"], kernel["runnable"], 0.05, "could run and did not")
    check(t["runnable_ns"] > 400_000_000, f"runnable {t['runnable_ns']}")
    near(t["involuntary"], kernel["involuntary"], 0.1, "involuntary switches")
    taken = {row["pid"]: row for row in view.preempts}
    check(truth["hog"] in taken, f"who took the CPU: {view.preempts}")
    row = taken[truth["hog"]]
    equal((row["own"], row["name"]), (0, "sh"), "whose, and its name after exec")
    check(row["count"] >= 1 and row["total_ns"] > 1_000_000, f"what the hog took: {row}")
    # it never waits, so all it stood in the queue for was taken from it
    near(sum(row["total_ns"] for row in view.preempts), t["runnable_ns"], 0.1, "all that took the CPU")


@case
def reads_from_a_disk(s):
    path = s.path("file")
    with open(path, "wb") as f:
        f.write(os.urandom(16 * 4096 * 64))
        os.fsync(f.fileno())
    view, truth, _ = profiled(s, "reads", 64, path)
    equal(view.count(PREAD64) >= 64, True, "pread")
    if truth["reads"] != 64:
        skip("no direct I/O on this file system")
    k = view.kernel
    if not k["io_count"]:
        skip("this file system is on no block device, or the kernel has no block_io_start")
    check(k["io_count"] >= 64 and k["io_bytes"] >= truth["bytes"], f"{k['io_count']} requests, {k['io_bytes']} bytes")
    check(k["io_ns"] / k["io_count"] > 1000, f"time of a request: {k['io_ns'] / k['io_count']}")
    check(view.thread("kernel-days")["blocked_io_ns"] > 0, "blocked in I/O")


@case
def two_thousand_threads(s):
    view, truth, _ = profiled(s, "threads", 2000, timeout=240)
    between = view.count(GETPPID) - truth["getppid"]
    check(0 <= between <= 1, f"getppid: {view.count(GETPPID)}, made {truth['getppid']}")
    check(truth["threads"] >= 1900, f"only {truth['threads']} threads came to be")
    # they wait for the locks of their common memory, and read nothing
    io = sum(t["blocked_io_ns"] or 0 for t in view.threads)
    check(io < 50_000_000, f"blocked in I/O: {io}")


@case
def lanes_that_are_used_again(s):
    view, truth, _ = profiled(s, "churn", 200)
    between = view.count(GETPPID) - truth["getppid"]
    check(0 <= between <= 1, f"getppid: {view.count(GETPPID)}, made {truth['getppid']}")
    short = [t for t in view.threads if t["tid"] != view.threads[0]["tid"]]
    equal(len(short), truth["threads"] + 1, "threads")
    short = short[1:]
    whole(view, fraction=0.25, at_least_ns=10_000_000)  # 10 ms each: a tenth before its lane is its own
    for t in short:
        check(t["voluntary"] is not None and 9 <= t["voluntary"] <= 20, f"voluntary switches of a thread: {t['voluntary']}")


@case
def a_lane_that_is_none(s):
    with watched(s) as keeper:
        tls, top = header_offsets(keeper.pid)
        run = s.run([victim(s, "kernel-days"), "hostile", "1000", str(tls), str(top)])
        truth = json.loads(run.stdout.splitlines()[-1])
        view = View(s, run.pid)
    equal(view.kernel["lost"], 0, "lost")
    between = view.count(GETPPID) - truth["getppid"]
    check(0 <= between <= 1, f"getppid: {view.count(GETPPID)}, made {truth['getppid']}")
    for o in view.ops:
        check(o["op"] < 2048 and o["phase"] < 5, f"an op that is none: {o}")


def header_offsets(pid):
    """Where the lane's address is from the thread pointer (the same in all that load the shim first), and `top` in it."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as f:
        at = next(int(line.split("-")[0], 16) for line in f if "/memfd:infprof-segment" in line)
    with open(f"/proc/{pid}/mem", "rb") as f:
        f.seek(at)
        header = f.read(4096)
    # tls_lane_offset follows mapped_at, which is the address itself
    where = header.index(at.to_bytes(8, "little")) + 8
    return int.from_bytes(header[where:where + 8], "little"), 112


@case
def in_a_pid_namespace_of_its_own(s):
    unshare = shutil.which("unshare")
    if not unshare or os.geteuid() != 0:
        skip("unshare is not there, or may not make a pid namespace")
    with watched(s):
        run = s.run([unshare, "--pid", "--fork", "--kill-child", "env", f"LD_PRELOAD={s.shim}", victim(s, "kernel-days"),
                     "syscalls", "5000"], preload=False)
        truth = json.loads(run.stdout.splitlines()[-1])

        def inner():
            for path in run_files(s):
                with contextlib.suppress(sqlite3.Error):
                    for row in rows(path, "SELECT pid FROM process WHERE exe LIKE '%kernel-days' AND end = 1"):
                        return row["pid"]
            return None
        view = View(s, wait_until(inner, 20, "the process in the namespace"))
    equal(view.kernel["view"], 2, f"view ({view.kernel['why']})")
    between = view.count(GETPPID) - truth["getppid"]
    check(0 <= between <= 1, f"getppid: {view.count(GETPPID)}, made {truth['getppid']}")
    check(view.threads[0]["syscalls"] >= truth["getppid"], f"of its thread {view.threads[0]['syscalls']}")


@case
def maps_that_are_full(s):
    # an engine of its own daemon, whose maps have place for four
    with watched(s, env={"INFPROF_DEBUG_KERNEL_MAPS": "4"}):
        run = s.run([victim(s, "kernel-days"), "futexes", "200"])
        view = View(s, run.pid)
    check(view.kernel["lost"] > 0, f"lost {view.kernel['lost']}")
    check(len(view.syscalls) <= 4, f"{len(view.syscalls)} system calls found room")
    whole(view)  # what is in the array does not depend on it


@case
def stacks_of_blocked_time(s):
    env = {"INFPROF_OFFCPU": "1"}
    with watched(s, env=env):
        run = s.run([victim(s, "kernel-days"), "futexes", "300"], env=env)
        view = View(s, run.pid)
        offs = view.of("off_cpu")
        frames = {row["frame"]: row for row in view.of("frame")}
    check(offs, "no stack")
    futex = [o for o in offs if o["block"] == 0]
    t = [t["blocked_futex_ns"] for t in view.threads]
    near(sum(o["total_ns"] for o in futex), sum(t), 0.1, "time in futexes, by stack")
    for o in offs:
        for number in filter(None, o["frames"].split(",")):
            check(int(number) in frames, f"a frame that is not there: {number}")
    check(not [f for f in frames.values() if "libinfprof" in (f["library"] or "")], "frames of the shim")


def stacks_kept(daemon, bpftool):
    """How many stacks the daemon's map has."""
    for fd in os.listdir(f"/proc/{daemon}/fdinfo"):
        with contextlib.suppress(OSError), open(f"/proc/{daemon}/fdinfo/{fd}", encoding="utf-8") as f:
            info = dict(line.split(":", 1) for line in f if ":" in line)
            if int(info.get("map_type", 0)) == 7:  # BPF_MAP_TYPE_STACK_TRACE
                dump = subprocess.run([bpftool, "-j", "map", "dump", "id", info["map_id"].strip()], check=True, capture_output=True)
                return len(json.loads(dump.stdout))
    raise Failed("no map of stacks")


@case
def stacks_make_room_for_others(s):
    bpftool = shutil.which("bpftool") or "/usr/sbin/bpftool"
    if not os.path.exists(bpftool):
        skip("no bpftool")
    env = {"INFPROF_OFFCPU": "1"}
    with watched(s, env=env) as keeper:
        daemon = s.daemons()[0]
        run = s.run([victim(s, "kernel-days"), "futexes", "300"], env=env)
        view = View(s, run.pid)
        check(len({o["stack"] for o in view.of("off_cpu")}) >= 3, "stacks of the process that is over")
        ours = stacks_kept(daemon, bpftool)
    kept = View(s, keeper.pid).of("off_cpu")
    check(ours <= len(kept) + 2, f"{ours} stacks in the map, {len(kept)} of who lives")


@case
def stacks_of_blocked_time_without_the_shim(s):
    env = {"INFPROF_OFFCPU": "1", "INFPROF_KERNELS": "libtinykernels.so:tk_*"}
    with watched(s, env=env):
        run = s.run([s.tinyengine, "--threads", "2", "--tokens", "60", "--lock", "60"], env=env)
        view = View(s, run.pid)
        libraries = {row["library"] for row in view.of("frame")}
    offs = json.loads(s.infprof("threads", "--json").stdout)["off_cpu"]
    check(offs, "no stack")
    check(not any("libinfprof" in (library or "") for library in libraries), f"frames of the shim: {libraries}")
    for o in offs:
        check(o["frames"], "a stack of nothing")
        check(not any(f["library"] == "[jit]" for f in o["frames"]), f"generated code: {o['frames']}")
        outermost = o["frames"][-1]
        check(outermost["library"] == "[unknown]" or outermost["function"] == "main" or "libc" in outermost["library"],
              f"a stack that ends at {outermost}")


def unprivileged(s, launcher, says):
    """Everything else works, and one line says why."""
    daemon = s.start([*launcher, s.daemon], preload=False)
    wait_until(lambda: os.path.exists(s.path("run/infprof/shim.sock")) or daemon.returncode is not None, 10, "the daemon")
    if daemon.returncode is not None:
        skip(f"{launcher[0]}: {daemon.stderr.strip()}")
    run = s.run([victim(s, "kernel-days"), "spin", "2500"])
    view = View(s, run.pid)
    equal(view.kernel["view"], 1, "view")
    check(re.search(says, view.kernel["why"]) and "\n" not in view.kernel["why"], f"why: {view.kernel['why']}")
    t = view.thread("kernel-days")
    check(t["running_ns"] and t["running_ns"] > 10_000_000, f"running, by /proc: {t['running_ns']}")
    check(t["runnable_ns"] is not None and t["voluntary"] is not None, f"by /proc: {t}")
    equal((t["blocked_futex_ns"], t["syscalls"]), (None, None), "what /proc does not tell")
    equal(view.of("syscall"), [], "system calls")
    s.report(run)


@case
def without_the_capabilities(s):
    setpriv = shutil.which("setpriv")
    if not setpriv or os.geteuid() != 0:
        skip("not root, or no setpriv")
    drop = "-bpf,-perfmon,-sys_admin"
    unprivileged(s, [setpriv, f"--bounding-set={drop}", f"--inh-caps={drop}"],
                 "CAP_BPF and CAP_PERFMON.*ep " + re.escape(os.path.realpath(s.daemon)))


@case
def without_the_right_to_measure(s):
    """With the two capabilities only, all is seen but what the programs themselves cost."""
    setpriv = shutil.which("setpriv")
    if not setpriv or os.geteuid() != 0:
        skip("not root, or no setpriv")
    drop = "-sys_admin"
    daemon = s.start([setpriv, f"--bounding-set={drop}", f"--inh-caps={drop}", s.daemon], preload=False)
    wait_until(lambda: os.path.exists(s.path("run/infprof/shim.sock")) or daemon.returncode is not None, 10, "the daemon")
    if daemon.returncode is not None:
        skip(f"setpriv: {daemon.stderr.strip()}")
    run = s.run([victim(s, "kernel-days"), "spin", "2500"])
    view = View(s, run.pid)
    if view.kernel["view"] != 2:
        skip(view.kernel["why"])
    check(view.thread("kernel-days")["running_ns"] > 10_000_000, "it is seen")
    equal((view.kernel["events"], view.kernel["cost_ns"]), (None, None), "what nobody could measure")
    told = json.loads(s.infprof("threads", "--json").stdout)["kernel"]
    equal((told["view"], told["lost"], told["events"], told["cost_ns"], told["cost_share"]), ("bpf", 0, None, None, None),
          "the document")


@case
def refused_by_seccomp(s):
    unprivileged(s, ["/usr/bin/python3", s.source("tests/system/deny-call.py"), str(BPF)], "seccomp")


@case
def without_the_end_of_faults(s):
    """Where perf is refused, all is seen but page faults."""
    daemon = s.start(["/usr/bin/python3", s.source("tests/system/deny-call.py"), str(PERF_EVENT_OPEN), s.daemon], preload=False)
    wait_until(lambda: os.path.exists(s.path("run/infprof/shim.sock")) or daemon.returncode is not None, 10, "the daemon")
    if daemon.returncode is not None:
        skip(f"seccomp: {daemon.stderr.strip()}")
    with watched(s):
        run = s.run([victim(s, "kernel-days"), "faults", "5000"])
        view = View(s, run.pid)
    equal(view.kernel["view"], 2, f"view ({view.kernel['why']})")
    t = view.thread("kernel-days")
    check(t["running_ns"] > 0 and t["voluntary"] is not None, f"all else is seen: {t}")
    equal((t["minor_faults"], t["major_faults"], t["fault_ns"]), (None, None, None), "faults, which nobody told the end of")


@case
def not_wanted(s):
    run = s.run([victim(s, "kernel-days"), "spin", "1500"], env={"INFPROF_KERNEL": "off"})
    view = View(s, run.pid)
    equal((view.kernel["view"], view.kernel["why"]), (1, "INFPROF_KERNEL=off"), "view")


@case
def another_daemon_goes_on(s):
    keeper = view_is_up(s)
    run = s.start([victim(s, "kernel-days"), "sleeps", "5000"])

    def slept():
        for path in run_files(s):
            with contextlib.suppress(sqlite3.Error):
                for row in rows(path, "SELECT sum(count) AS n FROM syscall JOIN process USING (process) WHERE pid = ? "
                                      "AND number IN (35, 230)", run.pid):
                    if row["n"]:
                        return row["n"]
        return 0
    before = wait_until(lambda: slept() > 500 and slept(), 30, "sleeps that are counted")
    daemon = s.daemons()[0]
    os.kill(daemon, 9)
    wait_until(lambda: s.collect() or daemon not in s.daemons(), 10, "the daemon is gone")
    s.daemon_start()
    run.wait()
    truth = json.loads(run.stdout.splitlines()[-1])
    view = View(s, run.pid)
    keeper.kill()
    keeper.wait()
    equal(view.kernel["view"], 2, f"view ({view.kernel['why']})")
    n = sum(view.count(number) for number in (35, 230))
    check(before < n <= truth["sleeps"], f"before the crash {before}, in the end {n} of {truth['sleeps']}")
    t = view.thread("kernel-days")
    life = t["ended_ns"] - t["started_ns"]
    told = t["running_ns"] + t["runnable_ns"] + blocked(t)
    check(0.5 * life < told < 1.01 * life, f"{told} of {life}")
    check(0.9 * n <= t["voluntary"] <= truth["sleeps"] + 50, f"{t['voluntary']} voluntary switches")


@case
def detached_when_nobody_is_watched(s):
    bpftool = shutil.which("bpftool") or "/usr/sbin/bpftool"
    if not os.path.exists(bpftool):
        skip("no bpftool")
    with watched(s):
        daemon = s.daemons()[0]
        check(links_of(daemon), "no program is attached")
    wait_until(lambda: not links_of(daemon), 10, "detached")


def links_of(pid):
    """Descriptors of the daemon that keep programs attached."""
    found = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
            if target in ("anon_inode:bpf_link", "anon_inode:bpf-link", "anon_inode:[perf_event]", "anon_inode:bpf_link\n"):
                found.append(target)
    return found


main()
