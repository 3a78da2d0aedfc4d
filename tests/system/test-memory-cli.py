# SPDX-License-Identifier: MIT
"""infprof memory, diff --memory, mark and record's options for memory: on run files that make-run wrote,
against a fake daemon, and on real programs.

The pictures are in screens/. INFPROF_TEST_PAINT=1 paints them anew: look at the difference before it is
committed."""

import json
import os
import sqlite3
import subprocess

import memory_docs
from fake_api import FakeApi
from harness import case, check, equal, main, one_line, skip, wait_until
from pictures import on_terminal, picture

RUN = "20261121-090000-5001"
PACKAGES = {"jemalloc": "libjemalloc.so.2", "mimalloc": "libmimalloc.so.2", "tcmalloc": "libtcmalloc"}


def made(s, kind="--memory", name=RUN):
    os.makedirs(s.path("state/infprof/runs"), exist_ok=True)
    path = s.path(f"state/infprof/runs/{name}.infprof")
    s.run([s.built("tests/unit/make-run"), kind, path], preload=False)
    return path


def memory(s, *args, **more):
    return s.infprof("memory", *args, env={"TZ": "UTC", **more.pop("env", {})}, **more)


def document(s, *args):
    doc = json.loads(memory(s, "--json", *args).stdout)
    s.validate(doc, "doc/memory.schema.json")
    return doc


def refused(s, code, *args, env=None):
    run = s.infprof(*args, code=code, env=env)
    one_line(run.stderr, " ".join(args))
    equal(run.stdout, "", "stdout")
    return run.stderr


# What is printed.

@case
def whole_view_as_printed(s):
    made(s)
    picture(s, "memory-piped", memory(s).stdout)
    picture(s, "memory-80", on_terminal(s, 80, "memory"))
    picture(s, "memory-80-ascii", on_terminal(s, 80, "memory", LC_ALL="C"))
    picture(s, "memory-80-decode", on_terminal(s, 80, "memory", "--phase", "decode", "--by", "inuse"))
    picture(s, "memory-80-window", on_terminal(s, 80, "memory", "--from", "steady", "--to", "warm"))
    equal(memory(s, RUN).stdout, memory(s, "latest").stdout, "by id")


@case
def it_fits_a_terminal(s):
    """Long C++ names, deep stacks, as llama.cpp has them."""
    api = FakeApi(s.path("run/infprof/api.sock"))
    path = made(s)
    doc = document(s, path)
    doc.update(memory_docs.llama())
    api.answers["GET /v1/runs/elsewhere/memory"] = doc
    picture(s, "memory-80-llama", on_terminal(s, 80, "memory", "--sections", "stacks,leaks", "-n", "8", "elsewhere"))
    for columns in (40, 60, 80, 100, 132, 200):
        for more in ([], ["--full"], ["--by", "inuse-objects"]):
            lines = on_terminal(s, columns, "memory", *more, "elsewhere").splitlines()
            widest = max(lines, key=len)
            if columns >= 80:
                check(len(widest) <= columns, f"{len(widest)} columns on {columns}: {widest}")
    api.close()


@case
def frames_are_cut_and_full_shows_all(s):
    frames = [memory_docs.frame("operator new(unsigned long)"), memory_docs.frame("std::vector<int>::reserve()")]
    frames += [memory_docs.frame(f"f{i}", line=i + 1, file=f"/src/f{i}.c") for i in range(20)]
    doc = document(s, made(s))
    doc["stacks"] = [memory_docs.stack(frames, 1 << 20, 10, 0.5)]
    api = FakeApi(s.path("run/infprof/api.sock"))
    api.answers["GET /v1/runs/deep/memory"] = doc
    short = memory(s, "--sections", "stacks", "deep").stdout
    check("std::vector<int>::reserve() (llama-driver)  +1 inside" in short, short)
    check("operator new" not in short, "the library's own frames are one line")
    check("f6 (llama-driver) f6.c:7" in short and "f7 " not in short, short)
    check("and 13 outer frames" in short, short)
    full = memory(s, "--full", "--sections", "stacks", "deep").stdout
    for name in ("operator new(unsigned long)", *(f"f{i} " for i in range(20))):
        check(name in full, f"{name} in {full}")
    check("outer frames" not in full, full)
    api.close()


@case
def values_order_the_stacks(s):
    path = made(s)
    for by, member in (("alloc", "alloc_bytes"), ("inuse", "inuse_bytes"), ("alloc-objects", "alloc_objects"),
                       ("inuse-objects", "inuse_objects")):
        values = [stack[member] for stack in document(s, "--by", by, path)["stacks"]]
        equal(values, sorted(values, reverse=True), by)
        check(len(set(values)) > 2, "they differ")
    equal(len(document(s, "-n", "2", path)["stacks"]), 2, "-n")
    whole = document(s, path)
    equal(document(s, "-n", "0", path), whole, "-n 0 is all")
    text = memory(s, "-n", "2", "--sections", "stacks,threads", path).stdout
    check("2 of 5" in text and "(1 more; -n 0 shows all)" in text, text)


@case
def a_phase_is_its_own(s):
    whole = document(s, made(s))
    for phase in ("load", "decode", "unknown", "idle"):
        doc = document(s, "--phase", phase)
        equal(doc["stacks"], [t for t in whole["stacks"] if t["phase"] == phase], f"stacks of {phase}")
        wanted = {op["name"]: op["phases"][phase] for op in whole["ops"] if phase in op["phases"]}
        equal({op["name"]: {key: op[key] for key in wanted[op["name"]]} for op in doc["ops"]}, wanted, f"ops of {phase}")
        equal(sum(c["alloc_bytes"] for c in doc["categories"]), sum(t["alloc_bytes"] for t in doc["stacks"]),
              f"categories of {phase}")
        equal(doc["totals"], whole["totals"], "totals are the run's")
    check("no op allocated in phase idle" in memory(s, "-p", "idle").stdout, "said")


@case
def between_marks(s):
    made(s)
    whole, doc = document(s), document(s, "--from", "warm")
    equal((doc["window"]["from"], doc["window"]["to"]), ("warm", None), "window")
    check(0 < doc["totals"]["calls"] < whole["totals"]["calls"], "less than all")
    first = document(s, "--to", "steady")
    equal(first["window"]["from_ns"], 0, "from the start")
    text = memory(s, "--from", "warm", "--sections", "totals").stdout
    check("window     from warm (4.000s) to the end (6.000s)" in text, text)


@case
def categories_of_ones_own(s):
    path = made(s)
    with open(s.path("my.rules"), "w", encoding="utf-8") as f:
        f.write("# mine\nweights = ggml_aligned_malloc\neverything else = main phase:decode\n")
    doc = document(s, "--categories", s.path("my.rules"), path)
    equal(sorted(c["name"] or "" for c in doc["categories"]), ["", "everything else", "weights"], "names")  # those stacks beside the full table have no frames
    decode = document(s, "--categories", s.path("my.rules"), "--phase", "decode", path)
    equal([c["name"] for c in decode["categories"]], ["everything else"], "of a phase")
    # of a run that lives, whose document the daemon makes by its own rules
    api = FakeApi(s.path("run/infprof/api.sock"))
    api.answers["GET /v1/runs/elsewhere/memory"] = document(s, path)
    equal(document(s, "--categories", s.path("my.rules"), "elsewhere")["categories"], doc["categories"], "live")
    api.close()


@case
def a_live_run_is_asked_of_the_daemon(s):
    doc = document(s, made(s))
    api = FakeApi(s.path("run/infprof/api.sock"))
    api.answers["GET /v1/runs/pid:4711/memory"] = doc
    equal(document(s, "4711"), doc, "by pid")
    api.answers["GET /v1/runs/x/memory?from=a b&to=c&d"] = doc
    equal(document(s, "--from", "a b", "--to", "c&d", "x"), doc, "marks")
    api.answers["GET /v1/runs/y/memory?from=nix"] = (400, {"error": {"status": 400, "message": "no mark 'nix'"}})
    check("no mark 'nix'" in refused(s, 3, "memory", "--from", "nix", "y"), "the daemon's word")
    api.close()


@case
def what_is_not_known_is_not_shown_as_nothing(s):
    path = made(s)
    doc = document(s, path)
    api = FakeApi(s.path("run/infprof/api.sock"))
    doc.update(heap_interval_bytes=None, estimates=False, stacks=[], categories=[], per_token=None, kv=None,
               allocator=None, outside=None, timeline=[], mapped_files=[], threads=None, marks=[], notes=[],
               leaks={"ended": True, "objects": None, "bytes": None, "stderr_bytes": None})
    api.answers["GET /v1/runs/poor/memory"] = doc
    text = memory(s, "poor").stdout
    check("nothing was sampled (heap interval 0)" in text, text)
    for word in ("allocator  ", "timeline", "categories", "threads", "resident", "nan", "(null)"):
        check(word not in text, f"{word} in {text}")
    api.close()


@case
def control_characters_do_not_reach_the_terminal(s):
    evil = "evil\x1b[2J\n\x9bx"
    frames = [memory_docs.frame(evil, evil, 1, evil, 7), memory_docs.frame(None, evil)]
    doc = document(s, made(s))
    doc["stacks"] = [memory_docs.stack(frames, 1 << 20, 10, 0.5, op=evil, category=evil)]
    doc["ops"][0]["name"] = doc["threads"][0]["name"] = doc["categories"][0]["name"] = evil
    doc["allocator"].update(kind=evil, library=evil)
    doc["mapped_files"][0].update(path=evil, nodes=evil)
    doc["marks"][0]["name"] = doc["run"]["command"] = doc["notes"][0] = evil
    api = FakeApi(s.path("run/infprof/api.sock"))
    api.answers["GET /v1/runs/evil/memory"] = doc
    for more in ([], ["--full"], ["--by", "inuse"]):
        text = memory(s, *more, "evil").stdout
        check(not any(ord(c) < 32 and c != "\n" or 0x7f <= ord(c) < 0xa0 for c in text), "clean")
    api.close()


# Two runs.

@case
def two_runs_beside_each_other(s):
    a, b = made(s), made(s, "--memory-improved", "20261121-100000-5001")
    doc = json.loads(s.infprof("diff", "--memory", "--json", a, b).stdout)
    s.validate(doc, "doc/diff-memory.schema.json")
    calls = doc["memory"]["totals"]["calls"]
    equal((calls["a"], calls["b"]), (document(s, a)["totals"]["calls"], document(s, b)["totals"]["calls"]), "calls")
    picture(s, "diff-memory-80", on_terminal(s, 80, "diff", "--memory", RUN, "20261121-100000-5001"))
    same = s.infprof("diff", "--memory", a, a).stdout
    for word in ("categories,", "ops,", "stacks,"):
        check(word not in same, f"nothing differs: {same}")
    check("(no rule matches)" not in s.infprof("diff", "--memory", "-n", "1", a, b).stdout, "-n")


@case
def stacks_meet_over_another_allocator(s):
    """libstdc++'s operator new is on the stack with one, and not with the other."""
    api = FakeApi(s.path("run/infprof/api.sock"))
    frames = [memory_docs.frame("operator new(unsigned long)", memory_docs.LIBSTD), memory_docs.frame("grow"),
              memory_docs.frame("main")]
    for run, stack in (("a", frames), ("b", frames[1:]), ("c", frames[2:])):
        doc = document(s, made(s, name=run))
        doc["stacks"] = [memory_docs.stack(stack, 1 << 20, 10, 0.5)]
        api.answers[f"GET /v1/runs/live-{run}/memory"] = doc
    got = json.loads(s.infprof("diff", "--memory", "--json", "live-a", "live-b").stdout)["memory"]["stacks"]
    equal([(t["in"], t["alloc_bytes"]["delta"]) for t in got], [("both", 0)], "one stack")
    got = json.loads(s.infprof("diff", "--memory", "--json", "live-a", "live-c").stdout)["memory"]["stacks"]
    equal(sorted(t["in"] for t in got), ["a", "b"], "another caller is another stack")
    api.close()


# What is typed wrongly, and what is not there.

@case
def wrong_usage(s):
    made(s)
    for args in (["--by", "bogus"], ["--phase", "bogus"], ["-n", "x"], ["-n", "-1"], ["-n", ""], ["a", "b"],
                 ["--sections", "bogus"], ["--sections", ""], ["--from"], ["--bogus"]):
        refused(s, 2, "memory", *args)
    for args in ([], [RUN], ["--memory"], ["--memory", RUN], ["--memory", RUN, RUN, RUN], ["--memory", "-n", "x"],
                 ["--by", "x", RUN, RUN], ["--memory", f"{RUN},{RUN}", RUN], ["--memory", RUN, "."]):
        refused(s, 2, "diff", *args)
    for args in ([], [""], ["a", "b"], ["--run", "x", "--pid", "1", "a"], ["--pid", "x", "a"], ["--pid", "", "a"]):
        refused(s, 2, "mark", *args)


@case
def what_is_not_there(s):
    check("no run yet" in refused(s, 3, "memory"), "no run")
    made(s)
    check("nonesuch" in refused(s, 3, "memory", "nonesuch"), "no such run")
    check("nonesuch" in refused(s, 3, "diff", "--memory", RUN, "nonesuch"), "no such run")
    check("no mark 'nix'" in refused(s, 3, "memory", "--from", "nix"), "no such mark")
    check("'warm'" in refused(s, 3, "memory", "--to", "nix"), "those that are there")
    refused(s, 3, "memory", "--from", "warm", "--to", "steady")
    check("nix.rules" in refused(s, 3, "memory", "--categories", s.path("nix.rules")), "no such file")


@case
def errors_of_category_files_have_line_and_column(s):
    made(s)
    path = s.path("bad.rules")
    for text, line, column in (("a = b\nno equals sign\n", 2, None), ("\n\n = x\n", 3, None), ("a =\n", 1, None),
                               ('x = "open\n', 1, 5), ("include nothing\n", 1, None)):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        said = refused(s, 2, "memory", "--categories", path)
        check(f"bad.rules:{line}:{column or ''}" in said, f"{text!r}: {said}")
        check(said.split("bad.rules:")[1].split(":")[1].isdigit(), said)


@case
def marks_are_sent(s):
    off = {"INFPROF_DAEMON": "off"}
    refused(s, 3, "mark", "x", env=off)
    api = FakeApi(s.path("run/infprof/api.sock"))
    none = (404, {"error": {"status": 404, "message": "no engine is being profiled"}})
    api.answers["POST /v1/mark?name=x"] = none
    check("no engine" in refused(s, 3, "mark", "x"), "nothing lives")
    api.answers["POST /v1/mark?name=x"] = {"schema": "infprof.mark/1", "marked": []}
    refused(s, 3, "mark", "x")
    answer = {"schema": "infprof.mark/1",
              "marked": [{"run": RUN, "process": 0, "pid": 5001, "name": "a b&c", "at_ns": 1500000000}]}
    for args, query in ((["a b&c"], ""), (["--run", RUN, "a b&c"], f"&run={RUN}"),
                        (["a b&c", "--pid", "5001"], "&run=pid:5001")):
        api.answers = {f"POST /v1/mark?name=a b&c{query}": answer}
        equal(json.loads(s.infprof("mark", "--json", *args).stdout), answer, " ".join(args))
        equal(s.infprof("mark", *args).stdout, f"a b&c in run {RUN}, pid 5001, after 1.500s\n", "in words")
    api.close()


# record

def shown_environment(s, *args, env=None, code=0):
    """The variables that a recorded command sees."""
    run = s.infprof("record", *args, "--", "env", code=code, env={"INFPROF_DAEMON": "off", **(env or {})})
    return dict(line.split("=", 1) for line in run.stdout.splitlines() if "=" in line), run.stderr


@case
def heap_interval_is_given_to_the_shim(s):
    for given, wanted in (("1", "1"), ("0", "0"), ("512K", "524288"), ("4k", "4096"), ("2M", "2097152"),
                          ("1G", "1073741824"), ("00010", "10")):
        equal(shown_environment(s, "--heap-interval", given)[0]["INFPROF_HEAP_INTERVAL"], wanted, given)
    check("INFPROF_HEAP_INTERVAL" not in shown_environment(s)[0], "not given: not set")
    for bad in ("", "x", "-1", "1.5", "1KB", "2G", "1T", "99999999999999999999", "18446744073709551616", "1K ", "K"):
        said = shown_environment(s, "--heap-interval", bad, code=2)[1]
        one_line(said, f"--heap-interval {bad}")
        check("--heap-interval" in said and "512K" in said, said)


@case
def an_allocator_comes_behind_the_shim(s):
    found = json.loads(s.infprof("doctor", "--json", code=None).stdout)["checks"]
    found = next(c["text"] for c in found if c["check"] == "allocators")
    n = 0
    for name, library in PACKAGES.items():
        if name not in found:
            continue
        n += 1
        for old, rest in (("", []), ("/lib/other.so", ["/lib/other.so"]), (f"/x.so:{s.shim}:/y.so", ["/y.so"])):
            got = shown_environment(s, "--allocator", name, env={"LD_PRELOAD": old})[0]["LD_PRELOAD"].split(":")
            at = got.index(s.shim)
            equal(got.count(s.shim), 1, f"the shim once: {got}")
            check(library in got[at + 1] and got[at + 1].startswith("/"), f"{name} behind the shim: {got}")
            equal(got[at + 2:], rest, "what was there")
    preload = shown_environment(s, "--allocator", "system")[0]["LD_PRELOAD"]
    equal(preload, s.shim, "system is none")
    if not n:
        skip("no other allocator is installed")


@case
def an_allocator_that_is_not_there(s):
    said = shown_environment(s, "--allocator", "bogus", code=2)[1]
    one_line(said, "bogus")
    check("system, jemalloc, mimalloc, tcmalloc" in said, said)
    # a file of that name which is no library hides the one that may be there
    os.makedirs(s.path("lib"), exist_ok=True)
    for name in ("libmimalloc.so.2",):
        with open(s.path(f"lib/{name}"), "w", encoding="utf-8") as f:
            f.write("no library\n")
    run = shown_environment(s, "--allocator", "mimalloc", code=None, env={"LD_LIBRARY_PATH": s.path("lib")})
    if run[0]:
        skip("the loader looks on behind a file that is no library")
    check("libmimalloc2.0" in run[1], run[1])
    # and a file to be replaced stays
    with open(s.path("keep.infprof"), "w", encoding="utf-8") as f:
        f.write("old")
    s.infprof("record", "-f", "-o", s.path("keep.infprof"), "--allocator", "mimalloc", "true", code=125,
              env={"LD_LIBRARY_PATH": s.path("lib")})
    check(os.path.exists(s.path("keep.infprof")), "the old run is still there")


# Real programs.

@case
def another_allocator_serves(s):
    s.infprof("record", "--allocator", "system", s.tinyengine)
    system = document(s)["allocator"]
    if not system:
        skip("who serves is not told")
    kinds = {"system": system["kind"]}
    found = json.loads(s.infprof("doctor", "--json", code=None).stdout)["checks"]
    found = next(c["text"] for c in found if c["check"] == "allocators")
    for name in PACKAGES:
        if name in found:
            s.infprof("record", "--allocator", name, s.tinyengine)
            doc = document(s)
            check(doc["totals"]["calls"] > 0, f"{name}: calls are counted")
            kinds[name] = doc["allocator"] and doc["allocator"]["kind"]
    equal(kinds, {"system": "glibc", **{name: name for name in kinds if name != "system"}}, "who served")


@case
def every_allocation_has_its_stack(s):
    s.infprof("record", "--heap-interval", "1", s.tinyengine)
    doc = document(s)
    equal(doc["heap_interval_bytes"], 1, "interval")
    check(not doc["estimates"], "no estimates")
    check("each allocation counted" in memory(s).stdout, "said")
    equal(sum(t["alloc_objects"] for t in doc["stacks"]), doc["totals"]["calls"] - doc["totals"]["failed_calls"],
          "objects of the stacks are the calls")
    s.infprof("record", "--heap-interval", "0", s.tinyengine)
    doc = document(s)
    equal((doc["heap_interval_bytes"], doc["stacks"]), (None, []), "none")
    check(doc["totals"]["calls"] > 0, "counts are there")


@case
def a_mark_in_a_run(s):
    script = "echo ready; read x; for i in 1 2 3; do :; done; read x"
    run = s.start([s.cli, "record", "sh", "-c", script], preload=False, stdin=subprocess.PIPE)
    wait_until(lambda: "ready" in run.stdout, 20, "the command runs")
    wait_until(lambda: s.infprof("mark", "one", code=None).returncode == 0, 20, "a mark is taken")
    doc = json.loads(s.infprof("mark", "two", "--json").stdout)
    equal([m["name"] for m in doc["marked"]], ["two"], "marked")
    refused(s, 3, "mark", "--run", "nonesuch", "x")
    refused(s, 3, "mark", "--pid", "1", "x")
    live = document(s, "--from", "one", "--to", "two")
    equal((live["window"]["from"], live["window"]["to"]), ("one", "two"), "window of a run that lives")
    check("'one', 'two'" in refused(s, 3, "memory", "--from", "nix"), "those that are there")
    check("'one', 'two'" in refused(s, 3, "memory", "--from", "nix", str(doc["marked"][0]["pid"])), "by pid")
    run.popen.stdin.write(b"\n\n")
    run.popen.stdin.close()
    run.wait(20)
    equal([m["name"] for m in document(s)["marks"]], ["one", "two"], "kept")
    equal(document(s, "--from", "one", "--to", "two")["totals"], live["totals"], "the same afterwards")


@case
def the_daemon_is_not_needed_for_kept_runs(s):
    path = made(s)
    with sqlite3.connect(path) as db:
        equal(db.execute("SELECT count(*) FROM mark").fetchone()[0] > 0, True, "marks in the file")
    db.close()
    document(s, path)
    equal(s.daemons(), [], "no daemon was started")


@case
def unwritable_output_is_said(s):
    path = made(s)
    with open("/dev/full", "w", encoding="utf-8") as full:
        for args in (["memory", path], ["memory", "--json", path], ["diff", "--memory", path, path]):
            got = subprocess.run([s.cli, *args], env=s.env(), stdout=full, stderr=subprocess.PIPE, text=True,
                                 check=False)
            equal(got.returncode, 1, " ".join(args))
            one_line(got.stderr, " ".join(args))


main()
