# SPDX-License-Identifier: MIT
"""The command without its daemon and its shim: arguments, exit codes, what it asks of the API, and what
it does to the command that it runs. The daemon is fake_api; any library serves as the shim."""

import json
import os
import signal
import stat
import struct
import time

from fake_api import RUN, FakeApi, sample_api, sample_status
from harness import case, check, equal, main, one_line, wait_until

VERBS = ["record", "top", "memory", "diff", "mark", "pause", "resume", "status", "stop", "doctor"]


def fake(s):
    api = sample_api(s.path("run/infprof/api.sock"))
    registered = []

    def register(document):
        registered.append(document)
        run = document["id"]
        api.answers[f"PUT /v1/runs/{run}/exit"] = {"id": run}
        return 201, {"id": run, "file": document.get("file") or s.path(f"state/infprof/runs/{run}.infprof")}

    api.answers["POST /v1/runs"] = register
    return api


def any_library():
    """A library that every program can load: the one beside libc (none of ours, which may be built with a sanitizer)."""
    with open("/proc/self/maps", encoding="utf-8") as f:
        libc = next(line.split()[-1] for line in f if "/libc.so.6" in line)
    return os.path.join(os.path.dirname(os.path.realpath(libc)), "libm.so.6")


def shim():
    return {"INFPROF_SHIM": any_library()}


def record(s, *args, code=0, env=None, **more):
    return s.run([s.cli, "record", *args], preload=False, code=code, env={**shim(), **(env or {})}, **more)


# What is typed wrongly.

@case
def wrong_usage_is_one_line_and_exit_2(s):
    for args in (["bogus"], ["--bogus"], ["record"], ["record", "--bogus", "true"], ["record", "-o"],
                 ["record", "--kernels-level", "deep", "true"], ["record", "--waits", "maybe", "true"],
                 ["record", "--heap-interval", "x", "true"], ["record", "--allocator", "x", "true"], ["top", "--sort", "bogus"], ["top", "-n", "0"],
                 ["top", "-d", "x"], ["top", "a", "b"], ["top", "--tab", "x"], ["status", "x"], ["stop", "-x"],
                 ["pause", "--op"], ["resume", "a", "b"], ["doctor", "--json=1"], ["help", "bogus"]):
        run = s.infprof(*args, code=2)
        one_line(run.stderr, " ".join(args))
        equal(run.stdout, "", "stdout")


@case
def every_verb_has_help(s):
    for verb in VERBS:
        text = s.infprof(verb, "--help").stdout
        check(text.startswith(f"usage: infprof {verb} "), f"{verb} --help begins with its usage")
        equal(s.infprof("help", verb).stdout, text, f"help {verb}")
        check(max(map(len, text.splitlines())) <= 100, f"{verb} --help fits 100 columns")
        check(f"    {verb} " in s.infprof("--help").stdout, f"--help lists {verb}")
    check(s.infprof("--version").stdout.startswith("infprof "), "--version")


@case
def nothing_to_answer_from_is_exit_3(s):
    off = {"INFPROF_DAEMON": "off"}
    for args in (["status"], ["top", "--once"], ["pause"]):
        one_line(s.infprof(*args, code=3, env=off).stderr, " ".join(args))
    with_api = fake(s)
    one_line(s.infprof("top", "--once", "nonexistent", code=3).stderr, "top of no run")
    said = s.infprof("top", s.path("x.infprof"), code=3).stderr
    one_line(said, "top of a file")
    check("/v1/" not in said and "infprof report" in said, said)
    one_line(s.infprof("top", "--once", "99", code=3).stderr, "top of no process")
    with_api.answers["GET /v1/status"] = sample_status(live=False)
    one_line(s.infprof("top", "--once", code=3).stderr, "top of nothing")
    with_api.close()


@case
def an_answer_that_is_none_is_said(s):
    api = FakeApi(s.path("run/infprof/api.sock"))
    for answer in (b"", b"<html>", b'{"a":', (500, {"error": {"status": 500, "message": "a bad day"}}),
                   (503, b"no")):
        api.answers["GET /v1/status"] = answer
        run = s.infprof("status", code=None)
        check(run.returncode in (1, 3), f"exit code {run.returncode}")
        one_line(run.stderr, "status")
    api.close()


@case
def a_runtime_directory_of_somebody_else_is_refused(s):
    os.mkdir(s.path("run/infprof"), 0o755)
    os.chmod(s.path("run/infprof"), 0o755)
    run = s.infprof("status", code=3)
    one_line(run.stderr, "status")
    check("chmod 700" in run.stderr, run.stderr)
    os.rmdir(s.path("run/infprof"))
    os.symlink(s.path("tmp"), s.path("run/infprof"))
    check("link" in s.infprof("status", code=3).stderr, "a link is refused")


# record

@case
def record_passes_the_exit_on(s):
    api = fake(s)
    record(s, "sh", "-c", "exit 7", code=7)
    record(s, "true", code=0)
    record(s, "sh", "-c", "kill -TERM $$", code=-signal.SIGTERM)
    record(s, "sh", "-c", "kill -SEGV $$", code=-signal.SIGSEGV)
    puts = [r[2] for r in api.requests if r[0] == "PUT"]
    equal(puts, [{"code": 7}, {"code": 0}, {"signal": 15}, {"signal": 11}], "what the daemon was told")
    api.close()


@case
def record_own_failures_are_125_to_127(s):
    api = fake(s)
    for code, args in ((127, ["nonexistent"]), (127, [s.path("nonexistent")]), (126, [s.path()]),
                       (126, [s.source("meson.build")]), (125, ["-o", "/nonexistent/x", "true"])):
        one_line(record(s, *args, code=code).stderr, " ".join(args))
    one_line(s.infprof("record", "true", code=125, env={"INFPROF_SHIM": s.path("no.so")}).stderr, "no shim")
    with open(s.path("there"), "w") as f:
        f.write("mine")
    one_line(record(s, "-o", s.path("there"), "true", code=125).stderr, "-o of a file that exists")
    with open(s.path("there")) as f:
        equal(f.read(), "mine", "the file that exists")
    equal([r for r in api.requests if r[0] == "POST"], [], "runs that were registered")
    api.close()


@case
def record_sets_the_environment_and_registers(s):
    api = fake(s)
    script = 'echo "$LD_PRELOAD|$INFPROF_RUN|$INFPROF_KERNELS|$INFPROF_KERNELS_LEVEL|$$|$1"; cat'
    run = record(s, "--kernels", "libfoo.so*:conv_*", "--kernels-level=inner", "-o", "out.infprof", "--",
                 "sh", "-c", script, "sh", "it's",
                 env={"LD_PRELOAD": any_library() + ".not"})
    preload, run_id, kernels, level, pid, arg = run.stdout.strip().split("|")
    equal((kernels, level, arg), ("libfoo.so*:conv_*", "inner", "it's"), "environment")
    library = any_library()
    check(preload.split(":") in ([library, library + ".not"], [library + ".not"]), f"LD_PRELOAD={preload}")
    check(run_id.endswith("-" + pid), f"the run {run_id} of process {pid}")
    post = next(r[2] for r in api.requests if r[0] == "POST")
    equal((post["id"], post["pid"], post["file"]), (run_id, int(pid), s.path("out.infprof")), "registered")
    check(post["command"].endswith(" sh 'it'\\''s'"), post["command"])
    lines = [l for l in run.stderr.splitlines() if l.startswith("infprof")]
    equal(lines, [f"infprof: the run is kept in {s.path('out.infprof')}; read it with: infprof report out.infprof"],
          "what it says at the end")
    check(record(s, "-o", "it's mine", "true").stderr.endswith("report 'it'\\''s mine'\n"), "as a shell takes it")
    api.close()


@case
def record_is_not_there_for_the_command(s):
    """Standard streams, signal mask, dispositions and descriptors are as they would be without."""
    api = fake(s)
    script = "cat; grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status; ls /proc/self/fd; echo err >&2"
    with open(s.path("in"), "w") as f:
        f.write("input\n")
    with open(s.path("in")) as f:
        plain = s.run(["sh", "-c", script], preload=False, stdin=f)
    with open(s.path("in")) as f:
        run = record(s, "sh", "-c", script, stdin=f)
    equal(run.stdout, plain.stdout, "stdout")
    check(run.stderr.startswith(plain.stderr), "stderr")
    api.close()


@case
def record_passes_signals_on(s):
    api = fake(s)
    script = 'for s in TERM HUP USR1 USR2 QUIT INT; do trap "echo $s" $s; done; echo up; ' \
             'i=0; while [ $i -lt 400 ]; do i=$((i+1)); sleep 0.05; done'
    run = s.start([s.cli, "record", "bash", "-c", script], preload=False, env=shim())
    wait_until(lambda: "up" in run.stdout, 10, "command runs")
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT, signal.SIGINT):
        run.kill(number)
        name = number.name[3:]
        wait_until(lambda: name in run.stdout.split(), 10, f"{name} arrives")
    api.close()
    pid = int(run.popen.pid)
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        os.kill(int(f.read().split()[0]), signal.SIGKILL)
    equal(run.wait(), -signal.SIGKILL, "end")


@case
def record_without_a_daemon_runs_the_command(s):
    run = record(s, "sh", "-c", "echo out; exit 3", code=3, env={"INFPROF_DAEMON": "off"})
    equal(run.stdout, "out\n", "stdout")
    one_line(run.stderr, "stderr")
    run = record(s, "sh", "-c", "exit 4", code=4, env={"INFPROF_DAEMON": "/nonexistent/infprofd"})
    one_line(run.stderr, "stderr")
    check("/nonexistent/infprofd" in run.stderr, run.stderr)


@case
def why_a_daemon_does_not_start_is_said(s):
    with open(s.path("infprofd"), "w") as f:
        f.write("#!/bin/sh\necho infprofd: the moon is full >&2\nexit 1\n")
    os.chmod(s.path("infprofd"), 0o755)
    run = s.infprof("top", "--once", code=3, env={"INFPROF_DAEMON": s.path("infprofd")})
    equal(run.stderr, "infprof top: infprofd: the moon is full\n", "stderr")


@case
def a_started_daemon_inherits_nothing(s):
    told = s.path("told")
    with open(s.path("infprofd"), "w") as f:
        f.write(f"""#!/bin/bash
        {{ echo "${{LD_PRELOAD-none}} $PWD $(umask)"; ls /proc/$$/fd; readlink /proc/$$/fd/0
        cut -d' ' -f6,7 /proc/$$/stat; grep -E '^Sig(Blk|Ign)' /proc/self/status; }} > {told}
        echo $$ >> {told}; exit 1""")
    os.chmod(s.path("infprofd"), 0o755)
    with open(s.path("in"), "w") as f:
        record(s, "true", env={"INFPROF_DAEMON": s.path("infprofd"),
                               "LD_PRELOAD": any_library(),
                               "ASAN_OPTIONS": "verify_asan_link_order=0"}, stdin=f)
    with open(told) as f:
        lines = f.read().splitlines()
    equal(lines[0], "none / 0077", "preload, directory, umask")
    fds = set(lines[1:lines.index("/dev/null")])
    check(fds <= {"0", "1", "2", "10", "255"}, f"descriptors {fds}")  # the last two are bash's own
    session, tty = lines[lines.index("/dev/null") + 1].split()
    check(session != str(os.getsid(0)) and tty == "0", "a session of its own, without a terminal")
    equal([l.split()[1].strip("0") for l in lines if l.startswith("Sig")], ["", ""], "signals")


# What a preload cannot enter.

def elf(interpreter=None, bits=64, machine=62):
    if bits == 32:
        return b"\x7fELF\x01\x01\x01" + bytes(9) + struct.pack("<HHI", 2, 3, 1) + bytes(28)
    interp = interpreter.encode() + b"\0" if interpreter else b""
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack(
        "<HHIQQQIHHHHHH", 2, machine, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    kind = 3 if interp else 1
    return header + struct.pack("<IIQQQQQQ", kind, 4, 120, 0, 0, len(interp), len(interp), 1) + interp


@case
def programs_that_a_preload_cannot_enter_are_told(s):
    kinds = {
        "static": (elf(), 0o755), "musl": (elf("/lib/ld-musl-x86_64.so.1"), 0o755),
        "32-bit": (elf(bits=32), 0o755), "another processor": (elf("/lib/ld-linux-aarch64.so.1", machine=183), 0o755),
        "neither": (b"\x7fELF", 0o755), "statically": (elf(), 0o755),
        "script": (b"#!" + s.path("static").encode() + b" -x\n", 0o755),
    }
    if os.geteuid() == 0:
        kinds["gains privileges"] = (elf("/lib64/ld-linux-x86-64.so.2"), 0o4755)
    for name, (data, mode) in kinds.items():
        with open(s.path(name), "wb") as f:
            f.write(data)
        if mode & stat.S_ISUID:
            os.chown(s.path(name), 65534, 65534)
        os.chmod(s.path(name), mode)
        doc = json.loads(s.infprof("doctor", "--json", s.path(name), code=1).stdout)
        found = next(c for c in doc["checks"] if c["check"] == "command")
        wanted = {"static": "statically", "script": "statically"}.get(name, name)
        equal(found["level"], "no", name)
        check(wanted in found["text"] and found["remedy"], f"{name}: {found}")
    api = fake(s)
    run = record(s, s.path("static"), code=None)
    check("nothing of it will be seen" in run.stderr.splitlines()[0], run.stderr)
    api.close()


@case
def doctor_looks_at_everything(s):
    run = s.infprof("doctor", "--json", "sh", code=None)
    doc = json.loads(run.stdout)
    equal(doc["schema"], "infprof.doctor/1", "schema")
    levels = {c["check"]: c["level"] for c in doc["checks"]}
    equal(set(levels), {"preload", "infprofd", "sockets", "runs", "memfd", "limits", "fork", "clock", "cores",
                        "adoption", "perf", "bpf", "btf", "faults", "stacks", "allocators", "command"}, "checks")
    equal(levels["command"], "ok", "sh")
    equal(run.returncode, 0 if "no" not in levels.values() else 1, "exit code")
    equal(doc["works"], "no" not in levels.values(), "works")
    for c in doc["checks"]:
        check(c["level"] == "ok" or c["remedy"], f"{c['check']} says what to do")
    plain = s.infprof("doctor", code=None).stdout
    check("\033" not in plain and "works here" in plain.replace("does not work", "works"), plain)
    os.chmod(s.path("state"), 0o500)
    if os.geteuid() != 0:
        s.infprof("doctor", code=1)
    os.chmod(s.path("state"), 0o700)


# Questions to the daemon.

@case
def pause_and_resume_ask_for_a_switch(s):
    api = fake(s)
    api.answers["POST /v1/switch"] = lambda d: {"changed": 2, "ops": 3}
    equal(s.infprof("pause").stdout, "2 of 3 ops switched off\n", "pause")
    equal(s.infprof("resume", "--op", "MUL_*", "4711").stdout, "2 of 3 ops switched on\n", "resume")
    equal(json.loads(s.infprof("pause", "--json", RUN).stdout), {"changed": 2, "ops": 3}, "pause --json")
    equal([r[2] for r in api.requests if r[1] == "/v1/switch"],
          [{"op": "*", "on": False}, {"op": "MUL_*", "on": True, "pid": 4711},
           {"op": "*", "on": False, "run": RUN}], "what was asked")
    api.answers["POST /v1/switch"] = {"changed": 0, "ops": 0}
    one_line(s.infprof("pause", "--op", "none", code=1).stderr, "no such op")
    api.close()


@case
def status_is_a_view_of_its_document(s):
    api = fake(s)
    api.answers["GET /v1/status"] = {
        **sample_status(), "not_adoptable": [{"pid": 12, "reason": "closed its descriptors"}],
        "refused": [{"pid": 13, "reason": "wrong magic"}]}
    equal(json.loads(s.infprof("status", "--json").stdout), api.answers["GET /v1/status"], "document")
    equal(s.infprof("status").stdout, """\
infprofd 0.1.0, pid 4000, up 2.08m, 1.2 % of a core, 21.9MB resident, 2.50M spans drained
runs are kept in /home/u/.local/state/infprof/runs

     PID  STATE  PHASE       SPANS  RUN                       COMMAND
    4711  live   decode      2.50M  20261120-194500-4711      ./llama-driver -m model.gguf
pid 12 cannot be adopted: closed its descriptors
pid 13 was refused: wrong magic
""", "status")
    api.close()


@case
def stop_waits_until_it_has_gone(s):
    api = fake(s)
    process = s.start(["sleep", "60"], preload=False)
    api.answers["GET /v1/status"]["daemon"]["pid"] = process.pid
    run = s.start([s.cli, "stop"], preload=False)
    wait_until(lambda: any(r[1] == "/v1/stop" for r in api.requests), 10, "stop was asked for")
    time.sleep(0.2)
    equal(run.returncode, None, "still waits")
    api.close()
    time.sleep(0.2)
    equal(run.returncode, None, "still waits: its socket is gone, its process is not")
    process.kill()
    equal(run.wait(10), 0, "exit code")
    equal(run.stdout, "infprofd has ended\n", "what it says")
    equal(s.infprof("stop").stdout, "no infprofd was running\n", "again")


main()
