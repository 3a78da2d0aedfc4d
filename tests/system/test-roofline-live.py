# SPDX-License-Identifier: MIT
"""infprof roofline of the real llama.cpp, against ceilings that were measured here: before the run, after it, and
while it goes on."""

import json
import os
import re

from harness import between, case, check, equal, main, near, wait_until

QUICK = ["machine", "--quick", "--force"]
BOUNDS = {"compute", "memory", "L3", "L2", "L1", "overhead", "waiting"}


def document(s, *args):
    doc = json.loads(s.infprof("roofline", "--json", *args).stdout)
    s.validate(doc, "doc/roofline.schema.json")
    return doc


def judged(doc):
    return [r for r in doc["rows"] if r["bound"]]


@case
def of_the_real_llama(s):
    s.infprof(*QUICK, timeout=120)
    prompt = "the quick brown fox jumps over the lazy dog " * 4
    for threads in (1, 2):
        run = s.run(s.llama("--model", s.model("small"), "--tokens", 40, "--threads", threads, "--prompt", prompt), timeout=150)
        report = s.report(run)
        doc = document(s)
        equal(doc["machine"]["ceilings_from"], "run", "ceilings are in the run's file")
        equal(doc["notes"], [n for n in doc["notes"] if "hurry" in n or "above their roof" in n], "notes")
        near(doc["decode"]["tokens_per_second"], report["tokens"]["per_second"], 1e-9, "tokens/s")
        products = [r for r in judged(doc) if r["op"] == "MUL_MAT"]
        shaped = [x for op in report["ops"] for x in op["shapes"]]
        equal(sum(r["calls"] for r in doc["rows"]), sum(x["calls"] for x in shaped), "calls")
        equal(sum(r["flops"] or 0 for r in doc["rows"]), sum(x["flops"] or 0 for x in shaped), "flops")
        equal({r["threads"] for r in products}, {threads}, "threads")
        equal({r["compute_type"] for r in products}, {"int8"}, "products of q8_0")
        check(all(r["bound"] in BOUNDS for r in judged(doc)), "bounds")
        head = next(r for r in products if r["shape"].startswith("q8_0[288,32000]") and r["phase"] == "decode")
        between(0.005, head["roof_share"], 1.1, "the largest product, of its roof")
        check(head["bound"] in ("L3", "memory", "L2", "compute", "waiting"), head["bound"])
        equal(head["working_set"]["bytes"] > 9e6, True, "9 MB of weights")
        for r in judged(doc):
            check(abs(r["at_roof_ns"] - r["roof_share"] * r["wall_ns"]) <= 2, r)
            if r["roof_gflops"] and r["gflops"]:
                near(r["gflops"] / r["roof_gflops"], r["roof_share"], 0.001, "share of GFLOP/s")
            if r["phase"] == "decode":
                check(r["tokens_per_second_at_roof"] >= 0.999 * doc["decode"]["tokens_per_second"], r)
            check(r["roof_share"] <= 1 or r.get("over_roof"), r)
        prefill = [r for r in products if r["phase"] == "prefill" and r["intensity"] > 20]
        check(prefill and all(r["bound"] in ("compute", "waiting", "overhead", "L2", "L3") for r in prefill), [r["bound"] for r in prefill])
        op = next(op for op in report["ops"] if op["name"] == "MUL_MAT")
        check(op["bound"] in BOUNDS and 0 < op["roof_share"] <= 1.1, (op["bound"], op["roof_share"]))
    tokens = json.loads(s.infprof("tokens", "--json").stdout)
    s.validate(tokens, "doc/tokens.schema.json")
    for phase in ("prefill", "decode"):
        rows, bound = [r for r in doc["rows"] if r["phase"] == phase], tokens[phase]["bound"]
        by = {}
        for r in judged({"rows": rows}):
            by[r["bound"]] = by.get(r["bound"], 0) + r["wall_ns"]
        equal(bound["by"], max(by, key=by.get), f"what binds {phase}")
        near(bound["share"], by[bound["by"]] / sum(r["wall_ns"] for r in rows), 1e-6, f"for how much of {phase}")
    text = s.infprof("report", "--by", "shape").stdout
    check("of roof" in text and "bound" in text, text)


@case
def measured_afterwards(s):
    run = s.run(s.llama("--model", s.model("tiny"), "--tokens", 10), timeout=100)
    doc = s.report(run)
    check(any("infprof machine" in n for n in doc["notes"]), doc["notes"])
    equal({op["bound"] for op in doc["ops"]}, {None}, "not judged")
    equal((document(s)["machine"]["ceilings_from"], judged(document(s))), (None, []), "not measured")
    check(document(s)["machine"]["caches"], "what it is made of is known")
    check(any("without ceilings" in n for n in json.loads(s.infprof("tokens", "--json").stdout)["notes"]), "what binds a phase is not known")
    s.infprof(*QUICK, timeout=120)
    doc = document(s)
    equal(doc["machine"]["ceilings_from"], "kept", "of this machine")
    check(judged(doc), "judged now")
    equal(len(re.findall("machine-", " ".join(os.listdir(s.path("state/infprof"))))), 1, "kept file")


@case
def while_it_goes_on(s):
    s.infprof(*QUICK, timeout=120)
    run = s.start(s.llama("--model", s.model("tiny"), "--tokens", 100000))
    doc = wait_until(lambda: (lambda got: got.returncode == 0 and judged(json.loads(got.stdout)) and json.loads(got.stdout))(
        s.infprof("roofline", "--json", str(run.pid), code=None)), 60, "rows")
    s.validate(doc, "doc/roofline.schema.json")
    equal((doc["run"]["end"], doc["machine"]["ceilings_from"]), ("live", "run"), "from the daemon")
    run.kill()
    run.wait()


main()
