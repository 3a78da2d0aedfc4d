# SPDX-License-Identifier: MIT
"""What engines tell of themselves (infprof.h): counts equal what they did, and what they get wrong is counted and said."""

import glob
import json
import os
import re
import shutil
import sqlite3

from harness import case, check, equal, main, near, skip

LEFT = "left open"
UNMATCHED = "were not open on their thread"


def victim(s, *args, name="markers", code=0, record=()):
    return s.run([s.cli, "record", *record, "--", s.built(f"tests/victims/{name}"), *args], preload=False, code=code,
                 env={"INFPROF_SHIM": s.shim})


def told(s, *args, **how):
    victim(s, *args, **how)
    return s.report()


def calls(doc):
    return {op["name"]: op["calls"] for op in doc["ops"] if op["kind"] == "marker"}


def counters(doc):
    return {c["name"]: (c["total"], c["calls"]) for c in doc["counters"]}


def note(doc, words):
    found = [n for n in doc["notes"] if words in n]
    equal(len(found), 1, f"notes with '{words}' in {doc['notes']}")
    return int(found[0].split()[0].replace(",", ""))


def silent(doc):
    equal([n for n in doc["notes"] if LEFT in n or UNMATCHED in n], [], "complaints")


@case
def nested_and_counted(s):
    doc = told(s, "nest", 100)
    equal(calls(doc), {"outer": 100, "inner": 300, "by hand": 100}, "calls")
    equal(counters(doc), {"things": (500, 100)}, "counters")
    ops = {op["name"]: op for op in doc["ops"]}
    equal(ops["inner"]["alloc_calls"], 300, "allocations belong to the innermost marker")
    check(ops["outer"]["self_ns"] + ops["inner"]["total_ns"] + ops["by hand"]["total_ns"] == ops["outer"]["total_ns"],
          "self and children are the whole")
    silent(doc)


@case
def on_many_threads(s):
    doc = told(s, "threads", 50)
    equal(calls(doc), {"outer": 200, "inner": 600, "by hand": 200}, "calls")
    equal(counters(doc), {"things": (1000, 200)}, "counters")
    silent(doc)


@case
def at_a_fixed_address_and_by_name(s):
    equal(calls(told(s, "nest", 20, name="markers-nopie")), {"outer": 20, "inner": 60, "by hand": 20}, "without PIE")
    equal(victim(s, "by-name", 30).stdout, "found\n", "what it says")
    equal(calls(s.report()), {"found by name": 30}, "by dlsym")
    for name in ("markers", "markers-nopie"):
        equal(s.run([s.built(f"tests/victims/{name}"), "by-name"], preload=False).stdout, "absent\n", "without infprof")


@case
def exceptions_leave_scopes(s):
    doc = told(s, name="markers-cpp")
    # of 100 every second throws in the first of three, the others go down to the third
    equal(calls(doc), {"outer": 100, "tried": 100, "lambda": 100, "template": 200, "caught": 50, "by hand": 1}, "calls")
    equal(counters(doc), {"caught": (50, 50)}, "counters")
    silent(doc)


@case
def left_open(s):
    doc = told(s, "left", 100)
    equal(calls(doc)["forgotten"], 100, "closed with what was around them")
    equal(note(doc, LEFT), 100, "told")
    equal(doc["self"]["open"], 1, "open at the end")


@case
def ended_twice_and_elsewhere(s):
    doc = told(s, "twice", 100)
    equal(calls(doc), {"once": 100}, "calls")
    equal(note(doc, UNMATCHED), 101, "told")
    doc = told(s, "other-thread")
    equal(note(doc, UNMATCHED), 1, "told")
    equal(doc["self"]["open"], 1, "open on the thread that began it")


@case
def across_fork(s):
    doc = told(s, "fork", 40)
    equal(calls(doc), {"around fork": 1, "in the child": 40, "in the parent": 40}, "calls")
    equal(counters(doc), {"things": (80, 40)}, "counters")
    silent(doc)  # what the child inherits open it may end


@case
def longjmp_out_of_a_scope(s):
    doc = told(s, "jump", 30)
    equal(calls(doc), {"outer": 30, "jumped out of": 30}, "calls")
    equal(note(doc, LEFT), 30, "told")


@case
def a_million_names(s):
    doc = told(s, "names", 1000000)
    got = calls(doc)
    equal(sum(got.values()), 1000010, "none is lost")
    equal(len([n for n in got if n.startswith("request ")]), 1024, "names of their own")
    equal(note(doc, "had names beyond the first 1024"), got["(other markers)"], "told")
    equal(len(doc["counters"]), 256, "counters")
    equal(note(doc, "had names beyond the first 256"), 1000000 - 256, "told")


@case
def too_deep(s):
    doc = told(s, "deep", 1000)
    equal(calls(doc), {"deep": 1000}, "calls")
    silent(doc)


@case
def memory_of_the_process(s):
    doc = told(s, "memory", 20)
    got = {m["name"]: m for m in doc["markers"]}
    MiB = 1 << 20
    grows, shrinks = got["grows"], got["shrinks"]
    for m, sign in ((grows, 1), (shrinks, -1)):
        equal(m["calls"], 20, "calls")
        near(m["change_bytes"], sign * MiB, 0.01, "a call changes")
        near(m["most_change_bytes"], sign * MiB, 0.01, "at most")
    near(grows["last_bytes"] - grows["first_bytes"], 20 * MiB, 0.01, "all of them")
    check(35 * MiB <= grows["highest_bytes"] <= 37 * MiB, f"the highest within: {grows['highest_bytes']}")
    equal(shrinks["last_bytes"], grows["first_bytes"], "nothing stays")


@case
def tokens_and_requests(s):
    doc = told(s, "tokens", 20)
    tokens = doc["tokens"]
    equal((tokens["prompt"], tokens["generated"], tokens["sequences"]), (21, 60, 3), "tokens")
    check(4.9e6 <= tokens["ttft_ns"] < 50e6, f"time to first token {tokens['ttft_ns']}")
    check(tokens["p50_ns"] >= 0.99e6, "a token spends a millisecond")
    equal(doc["requests"]["total"], 3, "requests")
    equal(doc["requests"]["failed"], 1, "of them failed")
    equal(counters(doc), {"tokens": (60, 60), "prompt_tokens": (21, 3)}, "counters")
    equal([i["text"] for i in doc["instants"]], ["prompt of seven", "request over"] * 3, "instants")
    equal([i["kind"] for i in doc["instants"][:2]], ["text", "mark"], "kinds")
    ledger = s.infprof("ledger", "--json", "latest").stdout
    check('"steps"' in ledger, "there is a ledger")


@case
def steps_of_several_tokens(s):
    doc = told(s, "steps", 10)
    tokens = doc["tokens"]
    equal((tokens["prompt"], tokens["generated"], tokens["sequences"], tokens["steps"]), (200, 80, 2, 20), "tokens")
    check(tokens["p50_ns"] >= 1.99e6, "a step takes two milliseconds")
    near(tokens["per_second"], 4e9 / tokens["mean_ns"], 0.01, "and makes four tokens")
    check("per step" in s.infprof("report", "latest").stdout, "it is called a step")
    prefill = json.loads(s.infprof("tokens", "--json", "latest").stdout)["prefill"]
    check(prefill["time_ns"] >= 19.9e6 and prefill["tokens"] == 200, f"the prompt's time is that of its phase: {prefill}")
    equal(counters(doc)["many"], (2**63 - 1, 2), "a counter does not wrap")


@case
def nobody_tells_when(s):
    doc = told(s, "bare", 20)
    tokens = doc["tokens"]
    equal((tokens["generated"], tokens["steps"], tokens["ttft_ns"]), (20, 19, None), "the first one has no time")
    check(0.99e6 <= tokens["p50_ns"] < 10e6, "a token takes a millisecond")
    equal(note(doc, "that nobody told"), 1, "told")
    name = [n for n in calls(doc)]
    equal(name, ["x" * 255], "a name is cut")
    equal([n for n in doc["notes"] if "names beyond" in n or "table of ops" in n], [], "and is none too many")


@case
def tokens_count_once(s):
    """Where the function that makes them is known, too, it is believed; the counter stays what it is."""
    program = s.built("tests/victims/markers-known")
    for kernels, generated, prompt in (("libtinykernels.so:tp_decode=decode", 50, None), ("", 50, 5)):
        s.run([program], kernels=kernels)
        doc = s.report()
        equal((doc["tokens"]["generated"], doc["tokens"]["prompt"]), (generated, prompt), kernels)
        equal(counters(doc), {"tokens": (50, 50), "prompt_tokens": (5, 1)}, "counters")


@case
def across_a_kernel(s):
    """One that ends in a kernel that was called within it leaves that open; one that begins in a kernel ends with it."""
    s.run([s.built("tests/victims/markers-known"), "x"], kernels="libtinykernels.so:tp_decode")
    doc = s.report()
    equal(calls(doc), {"outer": 10, "ended within": 10, "begun within": 10}, "calls")
    ops = {op["name"]: op for op in doc["ops"]}
    equal(ops["tp_decode"]["calls"], 70, "kernels")
    equal(ops["tp_decode"]["left"] + ops["ended within"]["left"] + ops["outer"]["left"], 0, "none of these is left")
    check(ops["tp_decode"]["total_ns"] >= 20e6, "kernels go on behind the end of the marker they were called in")
    check(ops["outer"]["total_ns"] - ops["outer"]["self_ns"] >= 20e6, f"and are of what is around them: {ops['outer']}")
    equal(note(doc, LEFT), 10, "left with the kernel")
    equal(note(doc, UNMATCHED), 10, "ended behind it")


@case
def tiles(s):
    doc = told(s, "tiles")
    got = {t["level"]: t for t in doc["tiles"]}
    equal(set(got), {"macro", "micro"}, "levels")
    micro, macro = got["micro"], got["macro"]
    equal((micro["tiles"], micro["rows"], micro["cols"], micro["elements"], micro["flops"]), (32, 4, 8, 32 * 64, 32 * 128),
          "micro")
    equal((micro["slowest"]["row"], micro["slowest"]["col"]), (2, 5), "the slowest")
    equal((macro["tiles"], macro["rows"], macro["cols"], macro["flops"]), (4, 4, 1, 4096), "macro")
    near(micro["intensity"], 0.5, 1e-9, "FLOPs a byte")
    near(micro["gflops"], micro["flops"] / micro["duration_ns"], 1e-6, "GFLOP/s")
    equal(note(doc, "ends of tiles had no beginning"), 1, "told")
    equal(note(doc, "begun and not ended"), 2, "told")
    out = s.infprof("report", "--tiles", "latest").stdout
    check("micro" in out and "2,5" in out, out)
    check("marks no tiles" in s.infprof("report", "--tiles", run_without(s)).stdout, "none is said")


def run_without(s):
    victim(s, "nest", 1)
    return "latest"


@case
def handlers_in_the_midst(s):
    ended, handled = map(int, victim(s, "signals", 300000).stdout.split())
    doc = s.report()
    got, counted = calls(doc), counters(doc)
    equal((got["outer"], got["inner"]), (ended, ended), "what was interrupted")
    equal(counted["things"], (ended, ended), "counters")
    check(handled > 0 and got.get("in a handler", 0) <= handled, f"{got} of {handled}")
    silent(doc)


@case
def instants_faster_than_they_are_read(s):
    doc = told(s, "instants", 50000)
    equal(note(doc, "marks and texts came faster") + all_instants(s), 50003, "kept and not kept")
    last = doc["instants"][-3:]
    check(last[0]["text"].startswith("\ufffd\ufffd is not UTF-8") and len(last[0]["text"].encode()) < 110, last)
    equal([i["text"] for i in last[1:]], ["", ""], "empty ones")
    equal(calls(doc), {"(no name)": 1}, "a name that is none")
    equal(counters(doc), {"(no name)": (3, 1)}, "a counter likewise")


def all_instants(s):
    files = sorted(glob.glob(s.path("state/infprof/runs/*.infprof")), key=os.path.getmtime)
    with sqlite3.connect(files[-1]) as db:
        return db.execute("SELECT count(*) FROM instant").fetchone()[0]


@case
def probes_for_bpftrace(s):
    if not shutil.which("readelf"):
        skip("no readelf here")
    notes = s.run(["readelf", "-n", s.built("tests/victims/markers")], preload=False).stdout
    for which in ("begin", "end"):
        check(f"Name: {which}" in notes and "Provider: infprof" in notes, f"probe {which}")


@case
def bpftrace_reads_them(s):
    if not shutil.which("bpftrace") or os.geteuid() != 0:
        skip("bpftrace wants to be there, and root")
    out = s.run(["bpftrace", "-e", "usdt:%s:infprof:begin { @[str(arg0)] = count(); }" % s.built("tests/victims/markers"),
                 "-c", s.built("tests/victims/markers") + " nest 10"], preload=False, code=None, timeout=60)
    if out.returncode and "Parse error" not in out.stderr:
        skip("bpftrace: " + out.stderr.strip().splitlines()[-1])
    for name, n in (("outer", 10), ("inner", 30), ("by hand", 10)):
        check(f"@[{name}]: {n}\n" in out.stdout, out.stdout)


def examples(s):
    """The examples of the manual page: {language: code}."""
    with open(s.source("doc/infprof.h.3.scd"), encoding="utf-8") as f:
        text = f.read().split("# EXAMPLES")[1].replace("\\\\", "\\")  # as scdoc reads it
    return {name.split(",")[0]: code for name, code in re.findall(r"^## (.*?)$.*?^```\n(.*?)^```$", text, re.M | re.S)}


def write(s, name, code):
    with open(s.path(name), "w", encoding="utf-8") as f:
        f.write(code)
    return s.path(name)


def told_by_example(s, program):
    s.run([program], preload=False)
    s.run([s.cli, "record", "--", program], preload=False, env={"INFPROF_SHIM": s.shim})
    doc = s.report()
    equal(calls(doc), {"request": 3, "token": 12}, "calls")
    equal(counters(doc), {"tokens": (12, 12)}, "counters")
    equal(doc["requests"]["succeeded"], 3, "requests")
    equal([i["text"] for i in doc["instants"]], ["a prompt", "answered"] * 3, "instants")
    equal([(t["level"], t["tiles"], t["rows"]) for t in doc["tiles"]], [("micro", 12, 4)], "tiles")
    silent(doc)


@case
def examples_in_c(s):
    for name, tool in (("C", ["gcc", "-std=c11", "-xc"]), ("C", ["clang", "-std=c11", "-xc"]),
                       ("C++", ["g++", "-std=c++17", "-xc++"]), ("C++", ["clang++", "-std=c++17", "-xc++"])):
        if not shutil.which(tool[0]):
            continue
        source = write(s, "example", examples(s)[name])
        for more in ([], ["-DINFPROF_OFF"], ["-DINFPROF_NO_SDT"]):
            s.run([*tool, "-Wall", "-Wextra", "-Werror", "-fsyntax-only", *more, "-I", s.source("include"), source],
                  preload=False)


@case
def example_in_go(s):
    if not shutil.which("go"):
        skip("no Go here")
    source = write(s, "example.go", examples(s)["Go"])
    s.run(["go", "build", "-o", s.path("example"), source], preload=False, timeout=120,
          env={"CGO_CFLAGS": "-I" + s.source("include"), "GOCACHE": s.path("cache"), "HOME": s.path(), "GO111MODULE": "off"})
    told_by_example(s, s.path("example"))


@case
def example_in_rust(s):
    if not shutil.which("rustc") or s.run(["rustc", "--version"], preload=False, code=None).returncode:
        skip("no Rust here")
    source = write(s, "example.rs", examples(s)["Rust"])
    s.run(["rustc", "-O", "-o", s.path("example"), source], preload=False, timeout=120)
    told_by_example(s, s.path("example"))


@case
def example_in_zig(s):
    if not shutil.which("zig"):
        skip("no Zig here")
    source = write(s, "example.zig", examples(s)["Zig"])
    s.run(["zig", "build-exe", "-lc", "-fPIE", "-femit-bin=" + s.path("example"), source], preload=False, timeout=180,
          env={"HOME": s.path(), "ZIG_GLOBAL_CACHE_DIR": s.path("zig"), "ZIG_LOCAL_CACHE_DIR": s.path("zig-here")})
    told_by_example(s, s.path("example"))


main()
