# SPDX-License-Identifier: MIT
"""What a run says of its surroundings, and what it must not say; bundles of runs that go on or were left behind."""

import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import tarfile
import time

from harness import case, check, equal, main, skip, wait_until

KERNELS = "libtinykernels.so:tk_*"
SECRET = "geheim4711xyz"


def build_id(path):
    text = subprocess.run(["readelf", "-n", path], capture_output=True, text=True, check=True).stdout
    return re.search(r"Build ID: (\w+)", text).group(1)


def unpacked(path):
    """All that is in a bundle."""
    done = subprocess.run(["zstd", "-qdc", path], capture_output=True, check=False)
    if done.returncode:
        skip(f"no zstd here: {done.stderr.decode()}")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        return {os.path.basename(m.name): tar.extractfile(m).read() for m in tar.getmembers()}


@case
def a_run_says_what_it_ran_in(s):
    env = {"OMP_NUM_THREADS": "3", "GOMAXPROCS": "", "MALLOC_ARENA_MAX": "2", "HOME_ADDRESS": "private-street",
           "LLAMA_ARG_API_KEY": SECRET, "HF_TOKEN": SECRET, "LLAMA_ARG_HF_REPO": f"https://me:{SECRET}@host/x"}
    engine = f"'{s.tinyengine}' --tokens 20; true"
    s.run(["taskset", "-c", "0", s.cli, "record", "--kernels", KERNELS, "--", "sh", "-c", engine, "sh", "--api-key", SECRET,
           f"--hf-token={SECRET}", f"HF_TOKEN={SECRET}", f"http://u:{SECRET}@h/"], preload=False, env=env)
    doc = s.report()
    around = doc["surroundings"]
    kept = around["environment"]
    equal({n: kept.get(n, "?") for n in env}, {
        "OMP_NUM_THREADS": "3", "GOMAXPROCS": "", "MALLOC_ARENA_MAX": "2", "HOME_ADDRESS": "?", "LLAMA_ARG_API_KEY": None,
        "HF_TOKEN": "?", "LLAMA_ARG_HF_REPO": None}, "environment")
    equal(around["cpus"], "0", "CPUs")
    engine = next(p for p in doc["run"]["processes"] if p["spans"])
    equal(around["pid"], engine["pid"], "it is the engine's")
    found = {os.path.basename(lib["path"]): lib["build_id"] for lib in around["libraries"]}
    for path in (s.tinyengine, s.built("examples/libtinykernels.so"), s.shim):
        equal(found.get(os.path.basename(path)), build_id(path), f"build-id of {path}")
    check("dash" in found or "sh" in found or "bash" in found, "the shell, too")
    equal(around["daemon_build_id"], build_id(s.daemon), "build-id of the daemon")
    equal(around["kernel"], " ".join([os.uname().sysname, os.uname().release]), "kernel")
    check(around["load_1"] is not None and around["memory_bytes"] > 1 << 20, around)
    check("--api-key ***" in doc["run"]["command"], doc["run"]["command"])
    s.infprof("report", "--bundle", s.path("b.tar.zst"))
    files = unpacked(s.path("b.tar.zst"))
    equal(json.loads(files["surroundings.json"]), around, "in the bundle")
    equal(json.loads(files["machine.json"])["fingerprint"], around["machine"], "machine")
    check(json.loads(files["machine.json"])["layout"]["cores"], "which CPUs share a core")
    for name, data in files.items():
        check(SECRET.encode() not in data, f"a secret is in {name}")
        check(b"private-street" not in data, f"what nobody listed is in {name}")
    s.daemon_stop()
    for folder, _, names in os.walk(s.path("state")):
        for name in names:
            with open(os.path.join(folder, name), "rb") as f:
                check(SECRET.encode() not in f.read(), f"a secret is in {name}")


@case
def secrets_by_many_names_are_never_written_down(s):
    args = ["-k", "40", '{"n": 4, "api_key":"' + SECRET + '"}', f"https://h/x?token={SECRET}&b=1", f"https://h/x?sig={SECRET}",
            "-u", f"user:{SECRET}", "--header", f"X-Api-Key: {SECRET}", "--cred", SECRET, "--token-count", "5", "--cache-type-k", "q8_0"]
    s.run([s.cli, "record", "--", s.tinyengine, "--tokens", "5", "--help", *args], preload=False, code=None,
          env={"GGML_AUTH": SECRET, "GGML_N": "1"})
    doc = s.report()
    check("-k 40" in doc["run"]["command"] and "--token-count 5 --cache-type-k q8_0" in doc["run"]["command"], doc["run"]["command"])
    check("--cred ***" in doc["run"]["command"], doc["run"]["command"])
    equal([doc["surroundings"]["environment"].get(n, "?") for n in ("GGML_AUTH", "GGML_N")], [None, "1"], "environment")
    check(SECRET not in s.infprof("runs").stdout, "infprof runs")
    s.infprof("report", "--bundle", s.path("b.tar.zst"))
    for name, data in unpacked(s.path("b.tar.zst")).items():
        check(SECRET.encode() not in data, f"a secret is in {name}")
    s.daemon_stop()
    for folder, _, names in os.walk(s.path("state")):
        for name in names:
            with open(os.path.join(folder, name), "rb") as f:
                check(SECRET.encode() not in f.read(), f"a secret is in {name}")


@case
def preloaded_by_hand_it_is_known_too(s):
    run = s.run([s.tinyengine, "--tokens", "300"], kernels=KERNELS, env={"OMP_NUM_THREADS": "2"})
    around = s.report(run)["surroundings"]
    equal(around["environment"]["OMP_NUM_THREADS"], "2", "environment")
    equal(around["environment"]["INFPROF_KERNELS"], KERNELS, "what the shim was told")
    check(any(lib["path"].endswith("/libtinykernels.so") for lib in around["libraries"]), "libraries")


@case
def many_processes_are_bounded(s):
    s.infprof("record", "--", "sh", "-c", "i=0; while [ $i -lt 100 ]; do /bin/true; i=$((i+1)); done", env={"OMP_NUM_THREADS": "2"})
    doc = s.report()
    n = sum(lib["processes"] for lib in doc["surroundings"]["libraries"] if lib["path"].endswith("/libinfprof.so"))
    check(1 <= n <= 8, f"{n} processes are told of")


@case
def of_one_that_goes_on(s):
    run = s.start([s.tinyengine, "--tokens", "2000", "--pace", "5"], kernels=KERNELS)
    wait_until(lambda: s.infprof("report", "--json", str(run.pid), code=None).returncode == 0, 20, "it is seen")
    time.sleep(0.3)
    s.infprof("report", "--bundle", s.path("b.tar.zst"), str(run.pid))
    now = json.loads(s.infprof("report", "--json", str(run.pid)).stdout)
    doc = json.loads(s.infprof("report", "--json", s.path("b.tar.zst")).stdout)
    s.validate(doc, "doc/report.schema.json")
    check(0 < doc["self"]["spans"] <= now["self"]["spans"], f"{doc['self']['spans']} spans, {now['self']['spans']} later")
    equal(doc["run"]["id"], now["run"]["id"], "run")
    with open(s.path("x.infprof"), "wb") as f:
        f.write(unpacked(s.path("b.tar.zst"))["run.infprof"])
    with sqlite3.connect(f"file:{s.path('x.infprof')}?mode=ro&immutable=1", uri=True) as db:
        equal(db.execute("PRAGMA integrity_check").fetchone()[0], "ok", "the run file is whole, without anything beside it")
        equal(db.execute("PRAGMA journal_mode").fetchone()[0], "delete", "and plain")
    check(run.returncode is None, "the engine goes on")
    # the daemon is killed, and leaves its last part beside the file
    for pid in s.daemons():
        os.kill(pid, signal.SIGKILL)
    run.kill(signal.SIGKILL)
    run.wait()
    wait_until(lambda: not s.daemons(), 10, "the daemon has gone")
    s.infprof("report", "--force", "--bundle", s.path("b.tar.zst"))
    left = json.loads(s.infprof("report", "--json", s.path("b.tar.zst")).stdout)
    equal(left["run"]["id"], doc["run"]["id"], "the same run")
    check(left["self"]["spans"] >= doc["self"]["spans"], "no less of it")


main()
