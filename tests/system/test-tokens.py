# SPDX-License-Identifier: MIT
"""Prompts and tokens, and a token's time by the length of its KV cache: against the engine's own figures."""

import json
import sqlite3

from harness import between, case, check, equal, main, near, wait_until
from work import OUTER, PHASES

AT = [8192, 32768, 131072]


def tokens(s, *args):
    doc = json.loads(s.infprof("tokens", "--json", *args).stdout)
    equal(doc["schema"], "infprof.tokens/1", "schema")
    s.validate(doc, "doc/tokens.schema.json")
    sound(doc)
    return doc


def sound(doc):
    """What holds for every document."""
    for phase in ("prefill", "decode"):
        shares = [op["share"] for op in doc[phase]["ops"] if op["share"] is not None]
        check(sum(shares) <= 1 + 1e-9, f"shares of {phase}: {sum(shares)}")
        equal(doc[phase]["bound"], None, f"bound of {phase}")
    kv = doc["kv"]
    if not kv:
        return
    equal(sum(b["tokens"] for b in kv["bins"]), kv["tokens"], "tokens in bins")
    for b in kv["bins"]:
        between(b["from"], b["length"], b["to"], "mean length of a bin")
    for what, fit in [("a token", kv["token"])] + [(op["name"], op) for op in kv["ops"]]:
        equal([f["length"] for f in fit["forecasts"]], AT, f"lengths that are foretold for {what}")
        for f in fit["forecasts"]:
            equal(f["ns"] is None, f["why"] is not None, f"{what}: a forecast or a reason")
            if f["ns"] is not None:
                check((f["low_ns"] or 0) <= f["ns"] <= (f["high_ns"] or f["ns"]), f"{what}: interval {f}")


def profile(s, *args, preset="small", kernel="off"):
    run = s.run(s.llama("--model", s.model(preset), "--stats", s.path("stats.json"), *args), timeout=200,
                env={"INFPROF_KERNEL": kernel})
    s.report(run)
    return tokens(s), s.json("stats.json")


def run_file(s):
    return json.loads(s.infprof("runs", "--json").stdout)["runs"][0]["file"]


def rows(s, sql):
    with sqlite3.connect(f"file:{run_file(s)}?mode=ro", uri=True) as db:
        return db.execute(sql).fetchall()


def agrees(doc, stats):
    """With the engine's own figures."""
    prefill, decode = doc["prefill"], doc["decode"]
    equal((prefill["calls"], prefill["tokens"]), (stats["prefill_calls"], stats["prompt_tokens"]), "prompts")
    equal((decode["tokens"], decode["token"]["count"]), (stats["decode_calls"], stats["decode_calls"]), "tokens")
    # our own stamps lie inside of the engine's: what the shim does at the end of a call is in theirs only
    between(0.95 * stats["prefill_ns"] - 200000 * stats["prefill_calls"], prefill["time_ns"], 1.01 * stats["prefill_ns"],
            "time of prefill")
    near(prefill["per_second"], stats["prompt_tokens"] * 1e9 / prefill["time_ns"], 1e-9, "prefill tokens/s")
    near(decode["per_second"], stats["tokens_per_second"], 0.03, "decode tokens/s")
    equal(prefill["first_token"]["count"], stats["prefill_calls"], "first tokens")
    equal((sum(p["prompt"] for p in doc["course"]["pieces"]), sum(p["generated"] for p in doc["course"]["pieces"])),
          (stats["prompt_tokens"], stats["decode_calls"]), "tokens in time")


@case
def a_cache_that_grows(s):
    """As far as the model was made for, and then some: from 19 positions to 1,500."""
    for _ in range(4):  # a machine that is busy with other things leaves too little to tell
        doc, stats = profile(s, "--tokens", 1500, "--prompt", "the quick brown fox jumps over the lazy dog. " * 4)
        agrees(doc, stats)
        if doc["kv"]["token"]["forecasts"][0]["ns"]:
            break
    near(doc["prefill"]["first_token"]["min_ns"], stats["ttft_ns"], 0.05, "time to first token")
    near(doc["prefill"]["per_second"], stats["prompt_tokens"] * 1e9 / stats["prefill_ns"], 0.05, "prefill tokens/s")
    kv = doc["kv"]
    equal((kv["counts"], kv["tokens"], kv["beside"], kv["no_length"]), ("all", stats["decode_calls"], 0, 0), "tokens by length")
    lengths = sum(b["tokens"] * b["length"] for b in kv["bins"])
    first, n = stats["prompt_tokens"] + 1, stats["decode_calls"]
    near(lengths, n * first + n * (n - 1) / 2, 1e-9, "lengths, summed")
    near(sum(b["tokens"] * b["mean_ns"] for b in kv["bins"]), doc["decode"]["time_ns"], 0.01, "time in bins")
    # attention looks at all of the cache, and everything else at one token
    ops = {op["name"]: op for op in kv["ops"]}
    attention = ops["FLASH_ATTN_EXT"]
    check(attention["depends"] and attention["b_ns"] > 4 * attention["b_error_ns"], attention)
    check(attention["r2"] > 0.4, f"R2 of attention: {attention['r2']}")
    token = kv["token"]
    check(token["depends"] and token["b_ns"] > 0, token)
    near(token["b_ns"], sum(op["b_ns"] for op in kv["ops"]), 0.25, "growth of a token, and of its ops together")
    at = token["forecasts"][0]
    check(at["ns"] and at["ns"] > kv["bins"][-1]["mean_ns"], f"at 8k, 5 times what was seen: {at}")
    known = [op for op in kv["ops"] if op["forecasts"][0]["ns"] and op["forecasts"][1]["ns"] and not op["bends"]]
    for op in known:
        wide = [f["high_ns"] - f["low_ns"] for f in op["forecasts"] if f["ns"]]
        equal(wide, sorted(wide), f"{op['name']}: intervals grow")
    # what ops did is that of those tokens, all of it
    for name in ("MUL_MAT", "FLASH_ATTN_EXT", "ROPE"):
        ((mine,),) = rows(s, f"SELECT sum(k.timed) FROM kv_op k JOIN op o USING (process, op) WHERE o.name = '{name}'")
        ((all_of_it,),) = rows(s, f"SELECT sum(r.timed) FROM op_phase r JOIN op o USING (process, op) "
                                  f"WHERE o.name = '{name}' AND r.phase = 3")
        equal(mine, all_of_it, f"calls of {name} in tokens, and in decode")


@case
def several_rounds_begin_anew(s):
    """The driver clears its memory between them: whoever counted on would be at 180."""
    for args in ((), ("--positions",)):
        doc, stats = profile(s, "--tokens", 50, "--rounds", 3, *args, preset="tiny")
        agrees(doc, stats)
        kv, prompt = doc["kv"], stats["prompt_tokens"] // 3
        equal((kv["tokens"], kv["no_length"], kv["beside"]), (stats["decode_calls"], 0, 0), "tokens by length")
        near(sum(b["tokens"] * b["length"] for b in kv["bins"]), sum(3 * (prompt + 1 + i) for i in range(49)), 1e-9,
             f"lengths with {args}")
        check(not any("one sequence" in n for n in doc["notes"]), doc["notes"])


@case
def two_threads_are_both_counted(s):
    doc, stats = profile(s, "--tokens", 60, "--threads", 2, preset="tiny")
    agrees(doc, stats)
    for name in ("MUL_MAT", "ggml_barrier"):
        ((mine,),) = rows(s, f"SELECT sum(k.timed) FROM kv_op k JOIN op o USING (process, op) WHERE o.name = '{name}'")
        ((all_of_it,),) = rows(s, f"SELECT sum(r.timed) FROM op_phase r JOIN op o USING (process, op) "
                                  f"WHERE o.name = '{name}' AND r.phase = 3")
        # a worker may leave the last barrier of a pass behind the thread that decodes
        between(0.99 * all_of_it, mine, all_of_it, f"calls of {name}")
    check(doc["kv"]["tokens"] == stats["decode_calls"], doc["kv"])


@case
def too_few_lengths_foretell_nothing(s):
    doc, _ = profile(s, "--tokens", 4, preset="tiny")
    token = doc["kv"]["token"]
    equal((token["a_ns"], token["b_ns"], token["depends"]), (None, None, None), "a line")
    equal((token["why"], {f["why"] for f in token["forecasts"]}), ("few-lengths", {"few-lengths"}), "why not")
    check("fewer than 3 lengths" in s.infprof("tokens").stdout, "said")
    # as many as it takes, but from so short a stretch nothing follows for 128k
    doc, _ = profile(s, "--tokens", 60, preset="tiny")
    check(doc["kv"]["token"]["forecasts"][2]["why"] in ("too-far", "too-vague"), doc["kv"]["token"])


def tiny(s, *args, kernels=PHASES + OUTER):
    run = s.run([s.tinyengine, "--truth", s.path("truth.json"), *args], kernels=kernels, env={"INFPROF_KERNEL": "off"})
    s.report(run)
    return tokens(s), s.json("truth.json")


@case
def a_function_that_the_user_named(s):
    doc, _ = tiny(s, "--tokens", 1000, "--layers", 4, "--dim", 128)
    kv = doc["kv"]
    equal((doc["decode"]["tokens"], kv["tokens"], kv["counts"]), (999, 999, "generated"), "tokens")
    equal((doc["prefill"]["tokens"], doc["prefill"]["per_second"]), (None, None), "of a prompt nothing is known")
    check(doc["prefill"]["calls"] >= 1 and doc["prefill"]["time_ns"] > 0, doc["prefill"])
    check(any("prompts have is not known" in n for n in doc["notes"]), doc["notes"])
    near(sum(b["tokens"] * b["length"] for b in kv["bins"]), 999 * 1000 / 2, 1e-9, "lengths")
    attention = {op["name"]: op for op in kv["ops"]}["tk_attention"]
    check(attention["depends"] and attention["b_ns"] > 0, attention)
    ((mine,),) = rows(s, "SELECT sum(k.timed) FROM kv_op k JOIN op o USING (process, op) WHERE o.name = 'tk_attention'")
    equal(mine, 4 * 999, "calls of attention: one a layer and token")


@case
def texts_side_by_side_are_in_no_bin(s):
    doc, _ = tiny(s, "--threads", 2, "--work", "coarse", "--texts", 6, "--tokens", 60)
    kv = doc["kv"]
    equal(kv["tokens"] + kv["beside"] + kv["no_length"], doc["decode"]["tokens"], "all tokens")
    check(kv["beside"] > 0.5 * doc["decode"]["tokens"], kv["beside"])
    check(any("in the same time" in n for n in doc["notes"]), doc["notes"])


@case
def an_engine_without_tokens(s):
    doc, _ = tiny(s, "--tokens", 5, kernels="libtinykernels.so:tk_*")
    equal((doc["kv"], doc["course"], doc["decode"]["tokens"], doc["decode"]["per_second"], doc["decode"]["token"]),
          (None, None, 0, None, None), "nothing is known")
    equal((doc["prefill"]["tokens"], doc["prefill"]["first_token"]), (None, None), "nor of prompts")
    text = s.infprof("tokens").stdout
    check("this run has no tokens" in text and "=decode" in text, text)


@case
def a_run_that_goes_on(s):
    run = s.start(s.llama("--model", s.model("tiny"), "--tokens", 100000), env={"INFPROF_KERNEL": "off"})

    def grown():
        check(run.returncode is None, run.stderr)
        got = s.infprof("tokens", "--json", code=None)
        doc = json.loads(got.stdout) if got.returncode == 0 else {"kv": None}
        return doc if doc["kv"] and len(doc["kv"]["bins"]) > 5 else None

    doc = wait_until(grown, 60, "tokens")
    s.validate(doc, "doc/tokens.schema.json")
    sound(doc)
    run.kill()
    run.wait()


@case
def damage_is_said(s):
    tiny(s, "--tokens", 60)
    path = s.path("copy.infprof")
    for sql, says in (("UPDATE kv_bin SET lengths = lengths * 1000", "lengths"),
                      ("UPDATE kv_op SET op = 250 WHERE op = (SELECT max(op) FROM kv_op)", "kv_op speaks of op 250"),
                      ("DELETE FROM kv_bin", "kv_op speaks of bin"),
                      ("UPDATE kv_bin SET bin = 4000 WHERE bin = 1", "impossible value"),
                      ("UPDATE kv SET process = 9", "process 9"),
                      ("UPDATE kv_bin SET total_ns = -1", "impossible value")):
        with sqlite3.connect(run_file(s)) as db, sqlite3.connect(path) as to:
            db.backup(to)
            to.executescript(sql)
        got = s.infprof("tokens", path, code=3)
        equal(len(got.stderr.strip().splitlines()), 1, f"lines for {sql}: {got.stderr}")
        check(says in got.stderr, f"{sql}: {got.stderr}")
    # sums that no run has: no crash, and figures that are none are null
    for sql in ("UPDATE kv_bin SET total_ns = 9223372036854775807", "UPDATE kv SET prefill_ns = 9223372036854775807, width_ns = 1",
                "UPDATE kv SET from_ns = 9223372036854775807, width_ns = 9223372036854775807",
                "UPDATE kv_op SET total_ns = 9223372036854775807, untimed = 9223372036854775807",
                "DELETE FROM kv_op", "DELETE FROM kv_piece", "DELETE FROM kv", "DELETE FROM kv_op; DELETE FROM kv_bin; DELETE FROM kv"):
        with sqlite3.connect(run_file(s)) as db, sqlite3.connect(path) as to:
            db.backup(to)
            to.executescript(sql)
        tokens(s, path)


main()
