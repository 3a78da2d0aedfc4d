# SPDX-License-Identifier: MIT
"""A guest's manners: whatever is wrong around it, the engine runs as it would without; what is
wrong is said in one line on stderr, and never on stdout. And what the library is made of."""

import contextlib
import errno
import json
import os
import re
import signal
import struct
import subprocess
import time

from harness import between, case, check, equal, main, wait_until
from victims import calls, sound, victim

KERNELS = "callback:step_*"
MEMFD_CREATE, SOCKET, CONNECT, MADVISE, CLONE, FORK, CLOSE_RANGE = 319, 41, 42, 28, 56, 57, 436


def alone(s, *args, **options):
    return s.run([victim(s, "callback"), *args], preload=False, **options)


def untouched(s, run, what, lines=1):
    """The victim's output is as without us; so many lines on stderr, each ours."""
    equal(run.stdout, alone(s).stdout, f"output, {what}")
    equal(run.stderr.count("\n"), lines, f"lines said, {what}: {run.stderr!r}")
    for line in run.stderr.splitlines():
        check(re.match(r"infprof: \w.{20,}", line), f"what is said, {what}: {line!r}")


def through_shell(s, script, **options):
    return s.run(["/bin/sh", "-c", script + '; exec "$0"', victim(s, "callback")], preload=False,
                 env={"SHIM": s.shim, "INFPROF_KERNELS": KERNELS}, **options)


@case
def no_daemon_wanted_or_to_be_had(s):
    run = s.run([victim(s, "callback")], kernels=KERNELS, env={"INFPROF_DAEMON": "off"})
    untouched(s, run, "INFPROF_DAEMON=off", lines=0)
    run = s.run([victim(s, "callback")], kernels=KERNELS, env={"INFPROF_DAEMON": "/nonexistent"})
    untouched(s, run, "INFPROF_DAEMON=/nonexistent")
    run = s.run([victim(s, "callback")], kernels=KERNELS, env={"INFPROF_DAEMON": "/bin/false"})
    untouched(s, run, "a daemon that ends at once")
    run = s.run([victim(s, "callback")], kernels=KERNELS, env={"INFPROF_DAEMON": "no"})
    untouched(s, run, "INFPROF_DAEMON=no")
    equal(s.daemons(), [], "daemons")


@case
def bad_kernels_are_said_and_the_others_count(s):
    for bad in ("nonsense", ":step", "callback:", "callback:step_one/x", "callback:step_one/99999",
                "callback:step_one/", "callback:step_one=fill", "callback:step_one="):
        run = s.run([victim(s, "callback")], kernels=f"{bad},{KERNELS}")
        untouched(s, run, bad)
        equal(calls(s.report(run)), {"step_one": 1000, "step_two": 1000}, f"calls beside {bad}")
    run = s.run([victim(s, "callback")], kernels=", ,," + KERNELS + ",, ,")
    untouched(s, run, "empty items", lines=0)
    equal(calls(s.report(run)), {"step_one": 1000, "step_two": 1000}, "calls beside empty items")


@case
def too_many_kernels_are_said_once(s):
    run = s.run([victim(s, "callback")], kernels=KERNELS + "," + ",".join(f"lib{i}:x" for i in range(400)))
    untouched(s, run, "400 patterns")
    equal(calls(s.report(run)), {"step_one": 1000, "step_two": 1000}, "calls")
    run = s.run([victim(s, "callback")], kernels=KERNELS + "," + "a" * 9000)
    untouched(s, run, "9000 characters")


@case
def bad_settings_are_said(s):
    for name, value in (("INFPROF_KERNELS_LEVEL", "middle"), ("INFPROF_HOT_INTERVAL", "many"),
                        ("INFPROF_HOT_INTERVAL", "0"), ("INFPROF_WAITS", "maybe"), ("INFPROF_SHAPES", "0"), ("INFPROF_KERNEL", "1"),
                        ("INFPROF_OFFCPU", "yes")):
        run = s.run([victim(s, "callback")], kernels=KERNELS, env={name: value})
        untouched(s, run, f"{name}={value}")
        equal(calls(s.report(run)), {"step_one": 1000, "step_two": 1000}, f"calls with {name}={value}")


@case
def a_runtime_directory_that_is_not_ours_alone(s):
    folder = s.path("run/infprof")

    def refused(what):
        run = s.run([victim(s, "callback")], kernels=KERNELS)
        untouched(s, run, what)
        equal(s.daemons(), [], f"daemons, {what}")

    os.mkdir(folder, 0o755)
    refused("open to others")
    os.rmdir(folder)
    os.symlink(s.path("tmp"), folder)
    refused("a link")
    os.unlink(folder)
    with open(folder, "w", encoding="utf-8"):
        pass
    refused("a file")
    os.unlink(folder)
    if os.getuid() == 0:
        os.mkdir(folder, 0o700)
        os.chown(folder, 12345, 12345)
        refused("another user's")
        os.rmdir(folder)
    run = s.run([victim(s, "callback")], kernels=KERNELS, env={"XDG_RUNTIME_DIR": s.path("no/such/place")})
    untouched(s, run, "no such directory")


@case
def system_calls_that_are_not_allowed(s):
    for what, number, numbers in (("no memfd", errno.ENOSYS, [MEMFD_CREATE]),
                                  ("no sockets", errno.EPERM, [SOCKET]),
                                  ("no connection", errno.EACCES, [CONNECT]),
                                  ("no wiping on fork", errno.EINVAL, [MADVISE]),
                                  ("no other process", errno.EPERM, [CLONE, FORK])):
        run = s.run([victim(s, "deny"), str(number), *map(str, numbers), "--", victim(s, "callback")],
                    preload=False, env={"INFPROF_KERNELS": KERNELS})
        equal(run.stdout, alone(s).stdout, f"output of the victim alone, {what}")
        # the preload is put in where deny has done its work, so that it is the victim's only
        run = s.run([victim(s, "deny"), str(number), *map(str, numbers), "--", "/usr/bin/env",
                     f"LD_PRELOAD={s.shim}", victim(s, "callback")], preload=False,
                    env={"INFPROF_KERNELS": KERNELS})
        untouched(s, run, what)


@case
def little_room(s):
    # with a hard limit the daemon, which inherits it, may have too little; that is said then
    for limit, lines in (("-S -v 600000", 0), ("-v 600000", None), ("-v 100000", 1),
                         ("-n 4", 1), ("-s unlimited", 0), ("-s 200", 0), ("-c 0", 0)):
        run = through_shell(s, f'ulimit {limit}; export LD_PRELOAD="$SHIM"')
        equal(run.stdout, alone(s).stdout, f"output with ulimit {limit}")
        if lines is not None:
            untouched(s, run, f"ulimit {limit}", lines=lines)
        if lines == 0:
            equal(calls(s.report(run)), {"step_one": 1000, "step_two": 1000}, f"calls with ulimit {limit}")
        s.daemon_stop()


@case
def a_limit_of_file_size_does_not_kill(s):
    for limit, lines in (("-S -f 1000", 0), ("-f 1000", 1)):
        run = s.run(["/bin/sh", "-c", f'ulimit {limit}; LD_PRELOAD="$SHIM" "$0" | cat', victim(s, "callback")],
                    preload=False, env={"SHIM": s.shim, "INFPROF_KERNELS": KERNELS})
        untouched(s, run, f"ulimit {limit}", lines=lines)
        if not lines:
            equal(calls(json.loads(s.infprof("report", "--json").stdout)), {"step_one": 1000, "step_two": 1000},
                  f"calls with ulimit {limit}")
        s.daemon_stop()


@case
def an_engine_without_stderr_or_stdout(s):
    out = s.path("out")
    for closed in ("2>&-", "<&-", "0<&- 2>&-"):
        run = s.run(["/bin/sh", "-c", f'LD_PRELOAD="$SHIM" exec "$0" > "$OUT" {closed}', victim(s, "callback")],
                    preload=False, env={"SHIM": s.shim, "OUT": out, "INFPROF_KERNELS": f"bad,{KERNELS}"})
        with open(out, encoding="utf-8") as f:
            equal(f.read(), alone(s).stdout, f"output with {closed}")
        equal(calls(s.report(run)), {"step_one": 1000, "step_two": 1000}, f"calls with {closed}")


@case
def a_program_that_cannot_be_entered(s):
    run = s.run([victim(s, "static")], code=5)
    equal((run.stdout, run.stderr), ("static 1\n", ""), "output of a static program")


@case
def the_daemon_sheds_what_was_the_engines(s):
    run = s.run(["/bin/sh", "-c", 'cd "$TMPDIR"; umask 077; ulimit -S -n 99; trap "" HUP; exec 7</etc/passwd; '
                 'LD_PRELOAD="$SHIM" LD_BIND_NOW=1 MALLOC_CHECK_=1 exec taskset 1 "$0"', victim(s, "callback")],
                preload=False, env={"SHIM": s.shim, "INFPROF_KERNELS": KERNELS})
    equal(run.stderr, "", "stderr")
    pids = s.daemons()
    equal(len(pids), 1, "daemons")
    proc = f"/proc/{pids[0]}"
    equal(os.readlink(f"{proc}/cwd"), "/", "directory")
    links = set()
    for fd in os.listdir(f"{proc}/fd"):
        with contextlib.suppress(FileNotFoundError):  # it opens and closes some as it goes
            links.add(os.readlink(f"{proc}/fd/{fd}"))
    check("/etc/passwd" not in links and not any(x.startswith(s.path("out.")) for x in links),
          f"descriptors: {links}")
    equal({os.readlink(f"{proc}/fd/{i}") for i in range(3)}, {"/dev/null"}, "standard descriptors")
    with open(f"{proc}/environ", encoding="utf-8") as f:
        names = {v.split("=")[0] for v in f.read().split("\0") if v}
    check(not names & {"LD_PRELOAD", "LD_BIND_NOW", "MALLOC_CHECK_", "INFPROF_KERNELS"}, f"environment: {names}")
    with open(f"{proc}/status", encoding="utf-8") as f:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
    check(int(status["SigIgn"], 16) & 1 == 0, f"ignored signals: {status['SigIgn']}")
    check(os.getsid(pids[0]) not in (os.getsid(0), run.pid), "session")
    with open(f"{proc}/limits", encoding="utf-8") as f:
        files = next(line for line in f if line.startswith("Max open files")).split()
    equal(files[3], files[4], "limit of open files")


@case
def a_daemon_that_hangs_holds_nobody_up(s):
    daemon = s.daemon_start()
    daemon.kill(signal.SIGSTOP)
    try:
        start = time.monotonic()
        run = s.run([victim(s, "callback")], kernels=KERNELS)
        between(1, time.monotonic() - start, 4, "seconds that the engine waited")
        untouched(s, run, "a daemon that hangs")
    finally:
        daemon.kill(signal.SIGCONT)


@case
def a_daemon_that_was_killed_is_started_again(s):
    s.run([victim(s, "callback")], kernels=KERNELS)
    s.daemon_stop(signal.SIGKILL)
    run = s.run([victim(s, "callback")], kernels=KERNELS)
    untouched(s, run, "a stale socket", lines=0)
    equal(calls(s.report(run)), {"step_one": 1000, "step_two": 1000}, "calls")


@case
def what_is_switched_off_does_not_count(s):
    shared = s.path("shared")
    run = s.start([victim(s, "process"), "stages"], kernels="libprocess.so:k_work", env={"VICTIM_SHARED": shared})

    def word(i):
        if not os.path.exists(shared) or os.path.getsize(shared) < 24:
            return 0
        with open(shared, "rb") as f:
            return struct.unpack("3q", f.read(24))[i]

    def go(stage):
        with open(shared, "r+b") as f:
            f.seek(16)
            f.write(struct.pack("q", stage))

    wait_until(lambda: word(1) == 1, 10, "the first stretch")
    s.infprof("pause", str(run.pid))
    go(1)
    wait_until(lambda: word(1) == 2, 10, "the second stretch")
    s.infprof("resume", str(run.pid))
    go(2)
    equal(run.wait(), 0, "exit code")
    doc = s.report(run)
    sound(doc)
    equal((word(0), calls(doc)["k_work"]), (300, 200), "calls, calls counted")


# What the library is.

def tool(*args):
    return subprocess.run(args, capture_output=True, text=True, check=True).stdout


@case
def it_exports_what_the_map_says(s):
    with open(s.source("preload/libinfprof.map"), encoding="utf-8") as f:
        wanted = {name for part in re.findall(r"global:(.*?)(?:end\n|local:|})", f.read(), re.S)
                  for name in re.findall(r"\b(\w+);", part)}
    exported = {line.split()[-1].split("@")[0] for line in tool("nm", "-D", "--defined-only", s.shim).splitlines()
                if line.split()[1] != "A"}  # the names of versions
    equal(exported, wanted, "symbols")


@case
def it_needs_libc_alone_and_no_tls_calls(s):
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", tool("readelf", "-dW", s.shim))
    equal(needed, ["libc.so.6"], "libraries needed")
    check("__tls_get_addr" not in tool("nm", "-D", "--undefined-only", s.shim), "__tls_get_addr is called")
    headers = tool("readelf", "-lW", s.shim)
    tls = next(line.split() for line in headers.splitlines() if line.split()[:1] == ["TLS"])
    check(int(tls[5], 16) <= 160, f"bytes of TLS: {tls[5]}")
    check(not re.search(r"LOAD.*RWE|GNU_STACK.*RWE", headers), "memory both writable and executable")
    flags = tool("readelf", "-dW", s.shim)
    check("NODELETE" in flags and "INITFIRST" in flags and "NOW" in flags, "flags")


@case
def it_changes_no_vector_register(s):
    function, found, reads = "?", set(), set()
    for line in tool("objdump", "-d", "--no-show-raw-insn", s.shim).splitlines():
        start = re.match(r"[0-9a-f]+ <(.*)>:", line)
        if start:
            function = start.group(1)
        elif re.search(r"\bmovq +%xmm[01],%r", line):
            reads.add(function)  # the scalars of a BLAS
        elif re.search(r"%[xyz]mm|%st\b|%mm[0-7]|%k[0-7]\b|\bf(ld|st|x)|xsave|xrstor", line.split("#")[0]):
            found.add(function)
    equal(found, {"ifp_call_saved"}, "functions that do")
    check(all(re.match(r"ifp_call_enter|is_one|is_zero|scaled_by", name) for name in reads), f"functions that look at one: {reads}")


main()
