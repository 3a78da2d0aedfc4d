# SPDX-License-Identifier: MIT
"""infprofd as a service of the user: the unit, what it tells its manager, and who else may be there."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess

from harness import case, check, equal, main, one_line, skip, wait_until


def unit(s):
    """The unit as it is installed, but with the daemon that was built; and its command."""
    with open(s.built("data/systemd/infprofd.service"), encoding="utf-8") as f:
        text = f.read()
    command = re.findall(r"^ExecStart=(.*)$", text, re.M)
    equal(len(command), 1, "ExecStart lines")
    program, *args = command[0].split()
    check(program.startswith("/") and program.endswith("/infprofd"), program)
    return text.replace(program, s.daemon), [s.daemon, *args]


class Manager:
    """As much of systemd as sd_notify(3) needs."""

    def __init__(self, s, name="notify", abstract=False):
        self.name = f"@{s.folder}" if abstract else s.path(name)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.name.replace("@", "\0"))
        self.socket.settimeout(10)

    def start(self, s, command, ours=True):
        """$$ is the pid that infprofd will have."""
        pid = "$$" if ours else "1"
        return s.start(["sh", "-c", f'SYSTEMD_EXEC_PID={pid} exec "$@"', "sh", *command], preload=False,
                       env={"NOTIFY_SOCKET": self.name})

    def told(self):
        return self.socket.recv(1000).decode()

    def nothing(self):
        self.socket.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            check(False, f"told {self.socket.recv(1000)!r}")
        self.socket.settimeout(10)


def daemon_pid(s):
    return json.loads(s.infprof("status", "--json").stdout)["daemon"]["pid"]


@case
def systemd_finds_no_fault_in_the_unit(s):
    analyze = shutil.which("systemd-analyze")
    if not analyze:
        skip("there is no systemd-analyze here")
    text, _ = unit(s)
    path = s.path("infprofd.service")

    def verify(what):
        with open(path, "w", encoding="utf-8") as f:
            f.write(what)
        run = subprocess.run([analyze, "--user", "--man=no", "verify", path], capture_output=True, text=True,
                             timeout=60, check=False, env=s.env())
        return [line for line in run.stderr.splitlines() if "infprofd.service" in line]

    if not verify(text.replace("Type=notify", "Type=nonsense")):
        skip("systemd-analyze verifies nothing here")
    equal(verify(text), [], "what systemd-analyze says")


@case
def the_unit_keeps_the_users_namespaces(s):
    """What would put infprofd into a user namespace keeps it from /proc/PID/fd of the engines."""
    text, _ = unit(s)
    keys = set(re.findall(r"^(\w+)=", text, re.M))
    check(keys >= {"Type", "ExecStart", "Nice", "Restart", "NoNewPrivileges", "WantedBy"}, keys)
    bad = {k for k in keys if k.startswith(("Protect", "Private", "ReadOnly", "ReadWrite", "Inaccessible",
                                            "Bind", "Root", "Temporary", "RuntimeDirectory", "DynamicUser"))}
    equal(bad, set(), "settings that need a namespace")


def members(analyze, name):
    """The system calls of systemd's group, with those of groups in it."""
    run = subprocess.run([analyze, "syscall-filter", name], capture_output=True, text=True, timeout=60, check=True)
    found = set()
    for word in (line.split()[0] for line in run.stdout.splitlines()[1:] if line.strip()):
        if word.startswith("@"):
            found |= members(analyze, word)
        elif not word.startswith("#"):
            found.add(word)
    return found


@case
def all_it_calls_is_allowed(s):
    strace, analyze = shutil.which("strace"), shutil.which("systemd-analyze")
    if not strace or not analyze:
        skip("there is no strace or no systemd-analyze here")
    text, command = unit(s)
    allowed = set()
    for word in re.findall(r"^SystemCallFilter=(.*)$", text, re.M)[0].split():
        allowed |= members(analyze, word) if word.startswith("@") else {word}
    tracer = s.start([strace, "-f", "-qq", "-o", s.path("trace"), *command], preload=False)
    wait_until(lambda: tracer.returncode is not None or s.infprof("status", code=None).returncode == 0, 10,
               "it serves")
    if tracer.returncode is not None:
        skip(f"strace traces nothing here: {tracer.stderr.strip()}")
    engine = s.run([s.cli, "record", "--kernels", "libtinykernels.so:tk_*", s.tinyengine, "--tokens", "300",
                    "--pace", "5", "--alloc", "op", "--spawn", "op"], preload=False)
    equal(engine.returncode, 0, "exit")
    for verb in ("report", "runs", "status"):
        s.infprof(verb)
    s.infprof("stop")
    equal(tracer.wait(), 0, "exit")
    with open(s.path("trace"), encoding="utf-8", errors="replace") as f:
        lines = f.read().splitlines()
    called = {m.group(1) for m in (re.match(r"\d+ +(\w+)\(", line) for line in lines) if m}
    check({"recvmsg", "mmap", "openat", "execve"} <= called, called)
    equal(called - allowed, set(), "system calls that the unit refuses")
    equal([line for line in lines if "PROT_WRITE|PROT_EXEC" in line], [], "memory written and executed")
    families = {m.group(1) for m in (re.search(r" socket\((\w+)", line) for line in lines) if m}
    equal(families, {"AF_UNIX"}, "sockets")


@case
def it_is_ready_when_it_says_so(s):
    _, command = unit(s)
    for abstract in (False, True):
        manager = Manager(s, abstract=abstract)
        run = manager.start(s, command)
        equal(manager.told(), "READY=1", "first word")
        check(os.path.exists(s.path("run/infprof/api.sock")), "the socket on demand and the service's are one")
        equal(daemon_pid(s), run.pid, "who answers")
        engine = s.run([s.tinyengine, "--tokens", "4"], kernels="libtinykernels.so:tk_*")
        check(s.report(engine)["ops"], "ops")
        equal(s.daemons(), [run.pid], "daemons")
        manager.nothing()
        run.kill()
        equal(manager.told(), "STOPPING=1", "last word")
        equal(run.wait(), 0, "exit")
        manager.socket.close()


@case
def it_stays(s):
    _, command = unit(s)
    check("--stay" in command, command)
    run = s.start([*command, "--idle-timeout", "0.2"], preload=False)
    wait_until(lambda: os.path.exists(s.path("run/infprof/api.sock")), 10, "its socket")
    with contextlib.suppress(subprocess.TimeoutExpired):
        check(run.popen.wait(1.5) is None, f"it left: {run.returncode}")


@case
def the_second_says_who_is_there_and_leaves(s):
    _, command = unit(s)
    # on demand first
    engine = s.start([s.tinyengine, "--tokens", "100000", "--pace", "5"])
    wait_until(lambda: s.infprof("status", code=None).returncode == 0, 10, "a daemon that serves")
    first = s.daemons()
    manager = Manager(s)
    run = manager.start(s, command)
    equal(run.wait(), 1, "exit")
    one_line(run.stderr, "stderr")
    check(f"pid {first[0]}" in run.stderr, run.stderr)
    manager.nothing()
    equal(s.daemons(), first, "who serves")
    # and the service after it, with the engine taken over
    manager = Manager(s, "notify2")
    s.infprof("stop")
    run = manager.start(s, command)
    equal(manager.told(), "READY=1", "first word")
    pids = [p["pid"] for p in json.loads(s.infprof("status", "--json").stdout)["processes"]]
    check(engine.pid in pids, pids)
    # service first: whoever needs a daemon has one
    equal(daemon_pid(s), run.pid, "who answers")
    second = s.run([s.daemon], preload=False, code=1)
    check(f"pid {run.pid}" in second.stderr, second.stderr)
    engine.kill()
    engine.wait()


@case
def the_socket_of_an_engines_manager_is_left_alone(s):
    """An engine that is a service hands NOTIFY_SOCKET down to the daemon it starts."""
    manager = Manager(s)
    run = manager.start(s, [s.daemon, "--stay"], ours=False)
    wait_until(lambda: os.path.exists(s.path("run/infprof/api.sock")), 10, "its socket")
    equal(daemon_pid(s), run.pid, "who answers")
    run.kill()
    equal(run.wait(), 0, "exit")
    manager.nothing()


main()
