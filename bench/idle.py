# SPDX-License-Identifier: MIT
"""What is there when nothing goes on.

idle: the daemon's CPU time while an engine that wrote spans sleeps, in per cent of a core; one figure
a second. asleep: the same, and how often the daemon woke up, when there is no engine any more.
shim-memory: what the shim has resident in an engine of eight threads that used forty ops.
"""

import os
import re
import time

from figures import KERNELS, main, put
from harness import Failed, wait_until

BUDGET_PERCENT = 0.5
BUDGET_MIB = 8
THREADS = 8
SECONDS = 10
TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """Of all its threads, ended ones too; /proc/PID/schedstat is finer but of the first thread alone."""
    total = 0
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/schedstat", encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total / 1e9


def wakeups(pid):
    total = 0
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/status", encoding="ascii") as f:
            total += sum(int(n) for n in re.findall(r"ctxt_switches:\s+(\d+)", f.read()))
    return total


def watch(pid, seconds):
    """Per cent of a core in each second, and wakeups in all."""
    shares, woke = [], wakeups(pid)
    for _ in range(seconds):
        cpu, at = cpu_seconds(pid), time.monotonic()
        time.sleep(1)
        shares.append((cpu_seconds(pid) - cpu) / (time.monotonic() - at) * 100)
    return shares, wakeups(pid) - woke


def resident_kib(pid, wanted):
    """Resident in mappings whose name fits, and in the unnamed ones that go on behind them (.bss)."""
    sizes, name, end, inside = {}, "", 0, False
    with open(f"/proc/{pid}/smaps", encoding="utf-8") as f:
        for line in f:
            head = re.match(r"([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \S+\s*(.*)", line)
            if head:
                inside = bool(wanted.search(head[3])) or (inside and not head[3] and int(head[1], 16) == end)
                name, end = head[3] or name, int(head[2], 16)
            elif inside and line.startswith("Rss:"):
                sizes[os.path.basename(name)] = sizes.get(os.path.basename(name), 0) + int(line.split()[1])
    return sizes


def measure(s):
    read, write = os.pipe()
    run = s.start([s.built("bench/flood"), str(THREADS), "0"], kernels=f"{KERNELS}op_*/0", stdin=read)
    os.close(read)
    wait_until(lambda: run.stdout, 20, "eight threads wrote")
    parts = resident_kib(run.pid, re.compile(r"libinfprof\.so|infprof-segment"))
    if len(parts) < 2:
        raise Failed(f"the shim's mappings are not all found: {parts}")
    put("shim-memory", "MiB", [sum(parts.values()) / 1024], BUDGET_MIB, threads=THREADS, ops=40,
        parts={name: f"{kib} KiB" for name, kib in parts.items()})
    daemon, = s.daemons()
    time.sleep(2)
    shares, woke = watch(daemon, SECONDS)
    put("idle", "% of a core", shares, BUDGET_PERCENT, wakeups_per_second=woke / SECONDS)
    os.close(write)
    s.report(run)
    time.sleep(3)
    shares, woke = watch(daemon, SECONDS)
    put("asleep", "% of a core", shares, 0, wakeups_per_second=woke / SECONDS)


main(measure)
