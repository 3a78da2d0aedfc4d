# SPDX-License-Identifier: MIT
"""The real llama.cpp under the shim, with nothing but LD_PRELOAD."""

import json
import os
import statistics
from xml.etree import ElementTree

from harness import between, case, check, equal, main, near, one_line, wait_until
from pictures import fits_a_screen
from work import work


def profile(s, *args, preset="tiny", **more):
    run = s.run(s.llama("--model", s.model(preset), "--stats", s.path("stats.json"), *args), timeout=150, **more)
    return run, s.json("stats.json"), s.report(run)


def ops(doc):
    return {op["name"]: op for op in doc["ops"]}


@case
def the_text_is_byte_identical(s):
    for threads in (1, 2):
        cmd = s.llama("--model", s.model("small"), "--threads", threads, "--tokens", 40)
        bare, with_shim = s.run(cmd, preload=False, timeout=150), s.run(cmd, timeout=150)
        equal(with_shim.stdout, bare.stdout, "text")


@case
def tokens_come_out_without_the_engines_help(s):
    _, stats, doc = profile(s, "--tokens", 100, preset="small")
    tokens = doc["tokens"]
    equal((tokens["prompt"], tokens["generated"]), (stats["prompt_tokens"], stats["generated_tokens"]), "tokens")
    near(tokens["ttft_ns"], stats["ttft_ns"], 0.1, "time to first token")
    near(tokens["per_second"], stats["tokens_per_second"], 0.1, "tokens per second")
    check(tokens["p50_ns"] <= tokens["p95_ns"] <= tokens["p99_ns"], "order of quantiles")


@case
def nodes_have_the_engines_names_for_them(s):
    _, stats, doc = profile(s, "--tokens", 30)
    got = ops(doc)
    decodes = stats["prefill_calls"] + stats["decode_calls"]
    equal(got["llama_decode"]["calls"], decodes, "calls of llama_decode")
    for name in ("MUL_MAT", "RMS_NORM+MUL", "ROPE", "SWIGLU", "ADD"):
        check(name in got and got[name]["calls"] >= decodes, f"{name} is there, once a pass at least")
        equal(got[name]["calls"] % decodes, 0, f"calls of {name}: as many in each pass")
    equal({k for k in got["MUL_MAT"]["phases"]} - {"load"}, {"prefill", "decode"}, "phases of MUL_MAT")


@case
def ops_explain_the_time_of_a_pass(s):
    _, stats, doc = profile(s, "--tokens", 100, preset="small")
    got = ops(doc)
    whole = stats["prefill_ns"] + stats["decode_ns"]
    near(got["llama_decode"]["total_ns"], whole, 0.05, "time in llama_decode, theirs and ours")
    inside = sum(op["self_ns"] for op in doc["ops"] if op["kind"] in ("node", "wait"))
    between(0.7 * whole, inside, whole, "time in nodes")
    equal(doc["self"]["lost"], 0, "lost spans")


@case
def layers_hold_what_was_done(s):
    """Small has 6 layers, each with 4 products in attention and 3 in its MLP; two threads are as one."""
    for threads in (1, 2):
        run, stats, report = profile(s, "--tokens", 40, "--threads", threads, preset="small")
        doc = work(s, "layers")
        calls = threads * stats["decode_calls"]
        decode = doc["phases"]["decode"]
        equal(decode["tokens"], stats["decode_calls"], "tokens")
        equal([layer["layer"] for layer in decode["layers"]], [0, 1, 2, 3, 4, 5, None], "layers, in order")
        for layer in decode["layers"][:-1]:
            products = {op["part"]: op["calls"] for op in layer["ops"] if op["op"] == "MUL_MAT"}
            equal(products, {"attention": 4 * calls, "mlp": 3 * calls}, f"products in layer {layer['layer']}")
            near(sum(part["total_ns"] for part in layer["parts"]), layer["total_ns"], 1e-9, "parts of a layer")
        products = {op["part"]: op["calls"] for op in decode["layers"][-1]["ops"] if op["op"] == "MUL_MAT"}
        equal(products, {"output": calls}, "products outside of layers")
        sums = {}
        for phase in doc["phases"].values():
            near(sum(layer["share"] for layer in phase["layers"]), 1, 1e-6, "shares")
            near(sum(part["share"] for part in phase["parts"]), 1, 1e-6, "shares of parts")
            for op in (op for layer in phase["layers"] for op in layer["ops"]):
                n, ns = sums.get(op["op"], (0, 0))
                sums[op["op"]] = (n + op["calls"], ns + op["total_ns"])
        nodes = {op["name"]: op for op in report["ops"] if op["kind"] == "node"}
        equal({name: n for name, (n, _) in sums.items()}, {name: op["calls"] for name, op in nodes.items()}, "calls by op")
        for name, (_, ns) in sums.items():
            near(ns, nodes[name]["total_ns"], 0.001, f"time of {name}")
    picture = ElementTree.fromstring(s.infprof("layers", "--svg", "-").stdout)
    text = "".join(picture.itertext())
    check("layer 5" in text and "FLASH_ATTN_EXT" in text and "decode" in text, "the picture has layers and ops")
    lines = s.infprof("layers", "-n", "0").stdout
    check("attention" in lines and "outside" in lines, lines)
    for args in (["report"], ["report", "--by", "shape"], ["report", "--by", "phase"], ["roofline"], ["roofline", "--levels"],
                 ["roofline", "--cache"], ["layers"], ["tokens"], ["explain"]):
        fits_a_screen(s, *args)
    profile(s, "--tokens", 5, env={"INFPROF_SHAPES": "off"})
    doc = work(s, "layers")
    equal(doc["phases"], {}, "switched off")
    check(any("no op was seen in a layer" in note for note in doc["notes"]), doc["notes"])
    for verb in ("layers", "roofline"):
        got = s.infprof(verb, "--svg", s.path("none.svg"), code=1)
        one_line(got.stderr, verb)
        check(not os.path.exists(s.path("none.svg")), f"{verb}: no picture of nothing")


def product_flops(shape):
    """2mnp of q8_0[k,m] x f32[k,n], by the text alone."""
    a, b = ([int(n) for n in operand.split("[")[1].rstrip("]").split(",")] for operand in shape.split(" x "))
    equal(a[0], b[0], f"inner extents of {shape}")
    return 2 * a[0] * a[1] * b[1] * (b[2] if len(b) > 2 else 1) * (b[3] if len(b) > 3 else 1)


@case
def shapes_tell_the_work(s):
    """Small: dim 288, 6 layers, ffn 768, vocabulary 32,000; keys and values are as many as queries."""
    for threads in (1, 2):
        _, stats, doc = profile(s, "--tokens", 40, "--threads", threads, preset="small")
        op = ops(doc)["MUL_MAT"]
        equal((op["shaped_calls"], sum(x["calls"] for x in op["shapes"])), (op["calls"], op["calls"]), "calls with shapes")
        near(sum(x["total_ns"] for x in op["shapes"]), op["total_ns"], 0.001, "time by shape")
        equal(op["flops"], sum(product_flops(x["shape"]) * x["calls"] // threads for x in op["shapes"]), "2mnp, summed")
        a_token = 2 * (6 * (4 * 288 * 288 + 3 * 288 * 768) + 288 * 32000)
        decoded = sum(x["phases"].get("decode", {}).get("flops", 0) for x in op["shapes"])
        equal(decoded, a_token * stats["decode_calls"], "of the model's matrices, in decode")
        for x in op["shapes"]:
            check(x["bytes"] > 0 and x["gflops"] > 0 and x["gbps"] > 0, x)
            near(x["gflops"] / x["gbps"], x["intensity"], 0.001, "intensity")
    for name in ("llama_decode", "ggml_barrier"):
        op = ops(doc)[name]
        equal((op["shapes"], op["flops"], op["bytes"], op["gflops"]), ([], None, None, None), f"of {name} nothing is known")
    for op, shape in ((op, shape) for op in ops(doc).values() for shape in op["shapes"]):
        for x in shape["operands"]:
            check(x["alignment"] in (32, 64), f"GGUF and ggml align by 32 at the least: {op['name']} {x}")
            # of keys and values, a head's rows lie apart; they are all that this model scatters in decode
            apart = op["name"] == "FLASH_ATTN_EXT" and x["extents"][1] == 256 and x["type"] == "f16" and x["extents"][0] == 48
            if "decode" in shape["phases"]:
                equal(x["contiguous"], not apart, f"contiguous: {op['name']} {x}")
    lines = s.infprof("report", "--by", "shape").stdout
    check("q8_0[288,32000] x f32[288,1]" in lines, lines)
    doc = profile(s, "--tokens", 5, env={"INFPROF_SHAPES": "off"})[2]
    equal((ops(doc)["MUL_MAT"]["shaped_calls"], ops(doc)["MUL_MAT"]["flops"]), (0, None), "switched off")


@case
def top_tells_what_a_token_allocates(s):
    run = s.start(s.llama("--model", s.model("tiny"), "--tokens", 100000))

    def memory():
        got = s.infprof("top", "--once", "--json", code=None)
        check(run.returncode is None, run.stderr)
        document = json.loads(got.stdout) if got.returncode == 0 else None
        return document["memory"] if document and document["memory"]["calls_per_token"] else None

    got = wait_until(memory, 60, "tokens")
    decode = wait_until(lambda: next((p for p in memory()["phases"] if p["name"] == "decode" and
                                      p["calls_per_second"] > 0), None), 20, "allocations in decode")
    # llama.cpp allocates some in each token, most of them in llama_decode itself
    check(got["calls_per_token"] >= 1 and got["bytes_per_token"] >= got["calls_per_token"], got["calls_per_token"])
    check(decode["calls"] > 0 and decode["frees"] > 0, decode)
    ops = {op["name"]: op for op in memory()["ops"]}
    check(ops["llama_decode"]["calls"] > 0.5 * decode["calls"], sorted(ops))
    run.kill()
    run.wait()


@case
def prefill_and_decode_are_told_apart(s):
    _, stats, doc = profile(s, "--tokens", 20, "--rounds", 3)
    phases = ops(doc)["llama_decode"]["phases"]
    equal({k: phases[k]["calls"] for k in ("prefill", "decode")},
          {"prefill": stats["prefill_calls"], "decode": stats["decode_calls"]}, "calls by phase")


@case
def paired_spans_agree_with_direct_ones(s):
    """As if a version's per-op functions were static: from the marks around a node comes the same time."""
    names = ("MUL_MAT", "FLASH_ATTN_EXT", "ADD")
    prompt = "the quick brown fox jumps over the lazy dog " * 4
    for threads in (1, 2):
        ratios = {name: [] for name in names}
        for attempt in range(40):  # in turns, for the machine is shared; the median settles
            rows = {}
            for paired in (None, "1") if attempt % 2 else ("1", None):
                _, _, doc = profile(s, "--threads", threads, "--prompt", prompt, "--tokens", 2, "--rounds", 4,
                                    preset="small", env={"INFPROF_GGML_PAIRED": paired})
                rows[paired] = {name: ops(doc)[name]["phases"]["prefill"] for name in names}
            for name in names:
                equal(rows["1"][name]["calls"], rows[None][name]["calls"], f"nodes {name}")
                ratios[name].append(rows["1"][name]["total_ns"] / rows[None][name]["total_ns"])
            off = {name: statistics.median(r) - 1 for name, r in ratios.items()}
            if attempt >= 6 and all(abs(x) <= 0.1 for x in off.values()):
                break
        check(all(abs(x) <= 0.1 for x in off.values()), f"paired against direct at {threads} threads: {off}")


main()
