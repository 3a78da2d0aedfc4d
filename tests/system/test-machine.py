# SPDX-License-Identifier: MIT
"""infprof machine: what it says of this machine, and what it does with what was kept."""

import glob
import json
import os
import re

from harness import between, case, check, equal, main, one_line, skip

QUICK = ["machine", "--quick", "--force"]
TIERS = {"scalar": {"f32": 1, "f64": 1}, "sse2": {"f32": 4, "f64": 2}, "avx2": {"f32": 8, "f64": 4}, "avx512": {"f32": 16, "f64": 8}}


def kept(s):
    return glob.glob(s.path("state/infprof/machine-*.json"))


def best(doc, kind, unit, **names):
    return max(x[unit] for x in doc["ceilings"][kind] if all(x[k] == v for k, v in names.items()))


@case
def is_measured_kept_and_shown_again(s):
    first = json.loads(s.infprof(*QUICK, "--json").stdout)
    s.validate(first, "doc/machine.schema.json")
    equal(len(kept(s)), 1, "files")
    again = s.infprof("machine", "--json")
    equal((json.loads(again.stdout), again.stderr), (first, ""), "shown again")
    text = s.infprof("machine").stdout
    check(first["model"] in text and "avx2" in text or "sse2" in text, text)
    check(max(len(line) for line in text.splitlines()) <= 120, text)
    anew = json.loads(s.infprof(*QUICK, "--measure", "--json").stdout)
    check(anew["ceilings"] != first["ceilings"], "measured anew")


@case
def what_threads_make_slower_is_said(s):
    doc = json.loads(s.infprof(*QUICK, "--json").stdout)
    if len(os.sched_getaffinity(0)) < 2:
        skip("one CPU")
    path, = kept(s)
    for x in doc["ceilings"]["compute"] + doc["ceilings"]["bandwidth"]:
        unit = "gflops" if "gflops" in x else "gbps"
        slow = (x.get("type"), x.get("isa")) == ("f64", "scalar") and x["threads"] > 1
        x[unit] = x[f"median_{unit}"] = 1 if slow else x["threads"] * 100
    with open(path, "w", encoding="utf-8") as f:
        json.dump(doc, f)
    text = s.infprof("machine").stdout
    said, = [line for line in text.splitlines() if line.startswith("slower with more threads")]
    check("f64 scalar at 2 threads" in said, said)
    isa = next(line for line in text.splitlines() if line.startswith("ISA"))
    for feature in ("avx512vnni", "avx512bf16", "avxvnni", "amx-int8"):
        equal(feature in isa, feature in doc["isa"]["features"], feature)


@case
def what_it_is_made_of(s):
    doc = json.loads(s.infprof(*QUICK, "--json").stdout)
    equal(doc["topology"]["usable_cpus"], len(os.sched_getaffinity(0)), "CPUs that may be used")
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        text = f.read()
    equal(doc["topology"]["cpus"], len(re.findall(r"^processor", text, re.M)), "CPUs")
    check(doc["model"] in text or doc["model"] == "unknown", doc["model"])
    flags = set(re.search(r"^flags\s*:(.*)$", text, re.M).group(1).split())
    equal("avx2" in doc["isa"]["features"], "avx2" in flags, "AVX2")
    equal("avx512" in doc["isa"]["tiers"], "avx512f" in flags, "AVX-512")
    one = json.loads(s.run(["taskset", "-c", str(min(os.sched_getaffinity(0))), s.cli, *QUICK, "--json"], preload=False).stdout)
    equal({x["threads"] for x in one["ceilings"]["compute"]}, {1}, "threads where one CPU may be used")


@case
def figures_are_such_as_can_be(s):
    """By cycles x width: no core of today does more than two vectors of multiply-adds a cycle, nor runs at more than 6.5 GHz."""
    doc = json.loads(s.infprof(*QUICK, "--json").stdout)
    for tier in doc["isa"]["tiers"]:
        for t, width in TIERS[tier].items():
            one = best(doc, "compute", "gflops", isa=tier, type=t, threads=1)
            between(0.05 * width, one, 2 * 2 * width * 6.5, f"GFLOP/s of {t} with {tier}")
    widest = [t for t in TIERS if t in doc["isa"]["tiers"]][-1]
    for t in ("f32", "f64"):
        check(best(doc, "compute", "gflops", isa=widest, type=t) > best(doc, "compute", "gflops", isa="scalar", type=t),
              f"{widest} does more than one at a time")
    levels = [c["level"] for c in doc["topology"]["caches"]]
    for op in ("read", "copy", "triad"):
        memory = best(doc, "bandwidth", "gbps", level="memory", op=op)
        between(0.1, memory, 5000, f"GB/s from memory, {op}")
        if 1 in levels:
            check(best(doc, "bandwidth", "gbps", level="L1", op=op) > memory, f"L1 is faster, {op}")
    for x in doc["ceilings"]["compute"] + doc["ceilings"]["bandwidth"]:
        check(x.get("median_gflops", x.get("median_gbps")) <= x.get("gflops", x.get("gbps")), x)


@case
def a_busy_machine_is_refused(s):
    run = s.infprof("machine", "--quick", "--max-spread", "0", code=1)
    equal(run.stdout, "", "stdout")
    one_line(run.stderr, "stderr")
    check("too busy" in run.stderr and "--force" in run.stderr, run.stderr)
    equal(kept(s), [], "nothing is kept")
    forced = json.loads(s.infprof("machine", "--quick", "--max-spread", "0", "--force", "--json").stdout)
    equal((forced["noisy"], len(kept(s))), (True, 1), "kept all the same")
    check("busy" in s.infprof("machine").stdout, "and said")


@case
def what_was_kept_may_be_damaged(s):
    good = json.loads(s.infprof(*QUICK, "--json").stdout)
    path, = kept(s)

    def with_file(text):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        run = s.infprof(*QUICK, "--json")
        one_line(run.stderr, text[:40])
        check("measuring anew" in run.stderr and path in run.stderr, run.stderr)
        s.validate(json.loads(run.stdout), "doc/machine.schema.json")

    with_file("")
    with_file("{")
    with_file("[]")
    with_file(json.dumps(good)[:-200])
    with_file(json.dumps({**good, "schema": "infprof.machine/9"}))
    with_file(json.dumps({**good, "fingerprint": "0"}))
    with_file(json.dumps({**good, "ceilings": {"compute": [{"type": "f32"}], "bandwidth": []}}))
    bad = json.loads(json.dumps(good))
    bad["ceilings"]["compute"][0]["gflops"] = -1
    with_file(json.dumps(bad))
    with_file(" " * (5 << 20))
    os.unlink(path)
    os.mkfifo(path)
    run = s.infprof(*QUICK, "--json")
    one_line(run.stderr, "a pipe")
    check("is no file" in run.stderr, run.stderr)


@case
def wrong_options(s):
    for args in (["--max-spread", "much"], ["--max-spread", "101"], ["--frobnicate"], ["operand"]):
        run = s.infprof("machine", *args, code=2)
        one_line(run.stderr, f"stderr of {args}")


main()
