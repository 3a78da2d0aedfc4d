# SPDX-License-Identifier: MIT
"""infprof threads, waits, spawns, ledger, explain and flame --waits of real runs: of an engine with a pool, and of
one that hangs; and what record tells the shim about them."""

import json
import os
import shutil
import subprocess

from harness import case, check, equal, main, one_line, skip, wait_until

VERBS = ("threads", "waits", "spawns", "ledger", "explain")
KERNELS = "libtinykernels.so:tk_*,libtinykernels.so:tp_decode=decode,libtinykernels.so:tp_prefill=prefill"
HANGS = r"""
#include <condition_variable>
#include <mutex>
#include <thread>
#include <cstdio>

std::mutex mutex;
std::condition_variable condition;
bool done;

__attribute__((noinline)) void wait_for_work()
{
        std::unique_lock<std::mutex> lock(mutex);
        condition.wait(lock, [] { return done; });
}

int main()
{
        std::thread worker([] { wait_for_work(); });
        getchar();
        { std::lock_guard<std::mutex> lock(mutex); done = true; }
        condition.notify_all();
        worker.join();
}
"""


def document(s, verb, *args):
    doc = json.loads(s.infprof(verb, "--json", *args).stdout)
    s.validate(doc, f"doc/{verb}.schema.json")
    return doc


@case
def an_engine_with_a_pool(s):
    s.infprof("record", "-k", KERNELS, s.tinyengine, "--threads", "2", "--tokens", "60", "--lock", "2")
    docs = {verb: document(s, verb) for verb in VERBS}
    for verb in VERBS:
        text = s.infprof(verb).stdout
        check("nan" not in text and "(null)" not in text and len(text.splitlines()) > 6, text)
    equal(docs["ledger"]["tokens"] > 50, True, "tokens were seen")
    for who in ("own", "critical", "all"):
        whole = docs["ledger"]["thread_ns"] if who == "all" else docs["ledger"]["wall"]["total_ns"]
        equal(sum(row["total_ns"] or 0 for row in docs["ledger"][who]), whole, f"rows of {who} are the whole")
    equal(sum(site["count"] for site in docs["spawns"]["sites"]), 1, "one worker was made")
    lines = s.infprof("flame", "--waits", "--folded").stdout.splitlines()
    drawn = sum(int(line.rsplit(" ", 1)[1]) for line in lines)
    equal(drawn, sum(site["total_ns"] for site in docs["waits"]["sites"]), "all that was waited is drawn")
    check(any(line.rsplit(" ", 1)[0].endswith("[barrier]") for line in lines), f"barriers are: {lines}")
    s.infprof("flame", "--waits", "-o", s.path("waits.svg"))
    check(os.path.getsize(s.path("waits.svg")) > 1000, "a picture")


@case
def what_was_not_asked_for_is_not_there(s):
    s.infprof("record", "--waits", "off", "--kernel", "off", s.tinyengine, "--threads", "2", "--tokens", "20")
    equal(document(s, "waits")["kinds"], [], "no waits")
    equal(document(s, "threads")["kernel"]["view"] != "bpf", True, "no kernel's view")
    for verb in VERBS:
        s.infprof(verb)
    check("--waits off" in s.infprof("flame", "--waits", "--folded", code=3).stderr, "said")


@case
def an_engine_that_hangs_shows_where(s):
    compiler = shutil.which("c++") or shutil.which("g++")
    if not compiler:
        skip("there is no C++ compiler here")
    with open(s.path("hangs.cpp"), "w", encoding="utf-8") as f:
        f.write(HANGS)
    subprocess.run([compiler, "-O1", "-g", "-pthread", s.path("hangs.cpp"), "-o", s.path("hangs")], check=True)
    run = s.start([s.cli, "record", s.path("hangs")], preload=False, stdin=subprocess.PIPE)

    def hangs():
        got = s.infprof("waits", "--json", code=None)
        waiting = json.loads(got.stdout)["waiting"] if got.returncode == 0 else []
        found = [w for w in waiting if w["kind"] == "condition" and w["for_ns"] > 1_000_000_000]
        return found[0] if found else None
    wait = wait_until(hangs, 30, "a wait in progress")
    text = s.infprof("waits", str(wait["pid"])).stdout
    line = next(line for line in text.splitlines() if f" {wait['tid']} " in line)
    check("waiting at this moment" in text and "condition" in line and "wait_for_work" in line, text)
    check("condition" in s.infprof("top", "--once", "--tab", "waits").stdout, "top has it")
    run.popen.stdin.write(b"\n")
    run.popen.stdin.close()
    run.wait(20)
    doc = document(s, "waits")
    equal(doc["waiting"], [], "it is over")
    check(any(k["kind"] == "condition" and k["total_ns"] > 1_000_000_000 for k in doc["kinds"]), f"{doc['kinds']}")


# record

def shown_environment(s, *args, env=None, code=0):
    """The variables that a recorded command sees."""
    run = s.infprof("record", *args, "--", "env", code=code, env={"INFPROF_DAEMON": "off", **(env or {})})
    return dict(line.split("=", 1) for line in run.stdout.splitlines() if "=" in line), run.stderr


@case
def record_tells_the_shim_what_to_keep(s):
    names = ("INFPROF_WAITS", "INFPROF_KERNEL", "INFPROF_OFFCPU")
    for args, wanted in (([], (None, None, None)), (["--waits", "off"], ("off", None, None)),
                         (["--waits=on", "--kernel=off"], ("on", "off", None)), (["--offcpu"], (None, None, "1")),
                         (["--offcpu", "--kernel", "on"], (None, "on", "1"))):
        got = shown_environment(s, *args)[0]
        equal(tuple(got.get(name) for name in names), wanted, " ".join(args))
    equal(shown_environment(s, "--waits", "on", env={"INFPROF_WAITS": "off"})[0]["INFPROF_WAITS"], "on", "the option wins")
    spec = "a.so:f*=decode,b.so:g/0=prefill,c.so:h~"
    equal(shown_environment(s, "-k", spec)[0]["INFPROF_KERNELS"], spec, "phases are the shim's to read")
    for args, said in ((["--waits", "maybe"], "on or off"), (["-k", "a.so:f=idle"], "decode or prefill"), (["--kernel", "libfoo.so:f"], "--kernels"), 
                       (["--offcpu", "--kernel", "off"], "--kernel off"), (["--offcpu=1"], "no value")):
        text = shown_environment(s, *args, code=2)[1]
        one_line(text, " ".join(args))
        check(said in text, text)


main()
