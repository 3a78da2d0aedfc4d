# SPDX-License-Identifier: MIT
"""The small engine's own counts, which other tests take for the truth: held against formulas."""

from harness import between, case, check, equal, main, near, one_line

VOCAB, HEAD = 512, 16

# It keeps blocks to the end and asks for more than there is, on purpose; a sanitizer would end it.
SANITIZED = {"ASAN_OPTIONS": "allocator_may_return_null=1:detect_leaks=0"}


def engine(s, *args, truth="truth.json", **more):
    run = s.run([s.tinyengine, "--truth", s.path(truth), *args], preload=False, env=SANITIZED, **more)
    return run, s.json(truth)


def expected(threads, tokens, prompt, layers, dim, alloc=False):
    """All counts, from the shape of the model alone. `passes` are (position, tokens) of each pass."""
    hidden, heads = 3 * dim, dim // HEAD
    passes = [(0, prompt)] + [(prompt + i, 1) for i in range(tokens - 1)]
    n_tok = sum(n for _, n in passes)
    scores = sum(pos + t + 1 for pos, n in passes for t in range(n))  # (query, key) pairs of one head
    rows = layers * (5 * dim + 2 * hidden) * n_tok + VOCAB * tokens
    weights = layers * (4 * dim * dim + 3 * dim * hidden)
    share = {"free_calls": 0, "alloc_calls": 0, "alloc_bytes": 0, "failed_calls": 0, "live_objects": 0,
             "live_bytes": 0}

    def kernel(calls, flops, floats, alloc_floats=None):
        k = dict(share, calls=calls, flops=flops, bytes=4 * floats)
        if alloc and alloc_floats is not None:
            k.update(alloc_calls=calls, free_calls=calls, alloc_bytes=4 * alloc_floats)
        return k

    def each(ops):  # of ops in a pass: every worker calls each
        return ops * threads * tokens

    norm_elements = 2 * layers * dim * n_tok + dim * n_tok
    inputs = layers * (6 * dim + hidden) * n_tok + dim * tokens  # floats read by all matmuls
    keys = sum(pos + n for pos, n in passes)
    softmax_floats = layers * heads * scores + VOCAB * tokens
    return {
        "tk_matmul": kernel(
            each(7 * layers + 1), 2 * (weights * n_tok + VOCAB * dim * tokens),
            (weights + VOCAB * dim) * tokens + inputs * threads + rows, inputs * threads),
        "tk_rmsnorm": kernel(each(2 * layers + 1), 4 * norm_elements, 3 * norm_elements),
        "tk_softmax": kernel(layers * heads * n_tok + tokens, 4 * softmax_floats, 2 * softmax_floats,
                             softmax_floats),
        "tk_attention": kernel(each(layers), layers * heads * scores * (4 * HEAD + 5),
                               layers * heads * (2 * HEAD * scores + 2 * HEAD * n_tok),
                               layers * threads * keys),
        "tk_rope": kernel(each(2 * layers), 3 * 2 * layers * dim * n_tok, 2 * 2 * layers * dim * n_tok,
                          HEAD * each(2 * layers)),
        "tk_swiglu": kernel(each(layers), 5 * layers * hidden * n_tok, 3 * layers * hidden * n_tok,
                            hidden * each(layers)),
        "tk_add": kernel(each(2 * layers), 2 * layers * dim * n_tok, 3 * 2 * layers * dim * n_tok),
        "tk_vec_dot": kernel(rows + layers * heads * scores,
                             2 * (weights * n_tok + VOCAB * dim * tokens + layers * heads * scores * HEAD),
                             2 * (weights * n_tok + VOCAB * dim * tokens + layers * heads * scores * HEAD)),
        "tk_vec_mad": kernel(layers * heads * scores, 2 * layers * heads * scores * HEAD,
                             3 * layers * heads * scores * HEAD),
    }


USABLE = ("usable_bytes", "freed_bytes")  # what the allocator gave: no formula of the shape


def check_counts(got, wanted):
    for name in sorted({**got, **wanted}):
        k = got.get(name, {})
        equal({f: v for f, v in k.items() if f not in USABLE}, wanted.get(name), f"counts of {name}")
        check_usable(k, name)


def check_usable(k, name):
    between(k["alloc_bytes"], k["usable_bytes"], k["alloc_bytes"] + 4096 * k["alloc_calls"], f"usable of {name}")
    equal(k["live_bytes"], k["usable_bytes"] - k["freed_bytes"], f"live bytes of {name}")
    equal(k["live_objects"], k["alloc_calls"] - k["free_calls"], f"live objects of {name}")


MEMORY = ("alloc_calls", "alloc_bytes", "usable_bytes", "free_calls", "freed_bytes", "failed_calls")


def check_sums(truth):
    """One sum, whichever way it is made."""
    inside = {f: sum(k[f] for k in truth["kernels"].values()) for f in MEMORY}
    equal({f: sum(w[f] for w in truth["workers"]) for f in MEMORY}, inside, "workers against kernels")
    equal({f: inside[f] + truth["outside"][f] for f in MEMORY}, {f: truth["memory"][f] for f in MEMORY}, "total")
    for f, of in (("alloc_calls", "calls"), ("alloc_bytes", "asked_bytes"), ("usable_bytes", "usable_bytes"),
                  ("free_calls", "frees")):
        equal(sum(c[of] for c in truth["size_classes"]), truth["memory"][f], f"{of} of all size classes")
    for c in truth["size_classes"]:
        between(c["calls"] * c["from_bytes"], c["usable_bytes"], c["calls"] * (2 * c["from_bytes"] - 1),
                f"usable in the class from {c['from_bytes']}")
    check_usable(truth["memory"], "all")


@case
def counts_are_what_the_shape_says(s):
    for threads, tokens, prompt, layers, dim in ((1, 5, 3, 2, 32), (2, 7, 4, 1, 64), (3, 4, 9, 3, 48)):
        _, truth = engine(s, "--threads", threads, "--tokens", tokens, "--prompt", prompt,
                          "--layers", layers, "--dim", dim)
        check_counts(truth["kernels"], expected(threads, tokens, prompt, layers, dim))
        equal((truth["tokens"], truth["prompt_tokens"], truth["threads"]), (tokens, prompt, threads),
              "tokens, prompt, threads")


@case
def allocations_are_counted_where_they_are_made(s):
    shape = {"threads": 2, "tokens": 6, "prompt": 5, "layers": 2, "dim": 64}
    args = [f"--{k}={v}" for k, v in shape.items()]
    _, truth = engine(s, *args, "--alloc", "op")
    check_counts(truth["kernels"], expected(**shape, alloc=True))
    _, truth = engine(s, *args, "--alloc", "arena")
    check_counts(truth["kernels"], expected(**shape))


@case
def what_is_kept_and_what_fails(s):
    for threads in (1, 3):
        args = ["--tokens", "6", "--threads", threads, "--alloc", "op"]
        _, plain = engine(s, *args)
        _, truth = engine(s, *args, "--keep", "10", "--fail", "7")
        check_sums(plain)
        check_sums(truth)
        equal(plain["memory"]["live_objects"], 0, "blocks that stay")
        blocks = [w["alloc_calls"] for w in plain["workers"]]
        equal([w["alloc_calls"] for w in truth["workers"]], blocks, "blocks of each worker")
        equal([w["live_objects"] for w in truth["workers"]], [n // 10 for n in blocks], "blocks kept by each")
        equal([w["failed_calls"] for w in truth["workers"]], [n // 7 for n in blocks], "failures of each")
        equal(truth["memory"]["live_objects"], sum(n // 10 for n in blocks), "blocks that stay")


@case
def a_cache_that_grows(s):
    for layers, dim in ((2, 32), (3, 64)):
        args = ["--layers", layers, "--dim", dim, "--prompt", "5"]
        truths = [engine(s, *args, "--tokens", n, "--kv", "grow")[1] for n in (4, 10)]
        block = 2 * layers * dim * 4 + 8
        for n, truth in zip((4, 10), truths):
            check_sums(truth)
            equal(truth["kv_bytes_per_token"], block, "bytes a token")
            equal(truth["memory"]["live_bytes"], 0, "what stays when it has gone")
            fixed = engine(s, *args, "--tokens", n)[1]
            # a pass has a buffer for one token's rows, and a block for each of its tokens
            equal(truth["memory"]["alloc_calls"] - fixed["memory"]["alloc_calls"], n + 5 + n - 1, "calls")
            equal(truth["memory"]["alloc_bytes"] - fixed["memory"]["alloc_bytes"],
                  n * (block - 8) + (5 + n - 1) * block, "bytes")


@case
def blocks_of_all_sizes(s):
    def mixed(*args):
        truth = engine(s, "--alloc", "mixed", *args)[1]
        check_sums(truth)
        return truth["functions"]["tiny_mixed_alloc"]

    one = mixed("--tokens", "20", "--mixed", "500")
    equal(one["alloc_calls"], 20 * 500, "blocks")
    between(500, one["live_objects"], 750, "one in 16 stays")
    # as many in each of twelve octaves, uniform within: 1.5 times the octave's begin, on average
    mean = sum(1.5 * 2**octave for octave in range(4, 16)) / 12
    between(0.93 * mean, one["alloc_bytes"] / one["alloc_calls"], 1.07 * mean, "bytes a block")
    equal(mixed("--tokens", "20", "--mixed", "500"), one, "the same again")
    equal(mixed("--tokens", "20", "--mixed", "500", "--threads", "2"), one, "the same with two workers")
    check(mixed("--tokens", "20", "--mixed", "500", "--seed", "2") != one, "another seed gives other blocks")
    equal(mixed("--tokens", "2")["alloc_calls"], 400, "blocks by default")


@case
def spawns_are_counted(s):
    _, truth = engine(s, "--threads", "3", "--tokens", "4", "--layers", "2")
    equal(truth["spawns"], 2, "workers of a pool, the caller being one")
    _, truth = engine(s, "--threads", "3", "--tokens", "4", "--layers", "2", "--spawn", "op")
    equal(truth["spawns"], 4 * (2 * 15 + 2) * 3, "a thread for each op and worker")


@case
def the_text_depends_on_the_seed_alone(s):
    def text(*args):
        return engine(s, "--tokens", "24", "--layers", "2", "--dim", "64", *args)[0].stdout

    first = text("--threads", "1")
    equal(len(first.split()), 24, "tokens printed")
    for args in (["--threads", "2"], ["--threads", "4"], ["--threads", "2", "--spawn", "op"],
                 ["--alloc", "op"], ["--alloc", "arena", "--threads", "2"], ["--kv", "grow"],
                 ["--alloc", "mixed"], ["--alloc", "op", "--keep", "3", "--fail", "5"],
                 ["--spans", s.path("spans.json")]):
        equal(text(*args), first, f"text with {args}")
    check(text("--seed", "2") != first, "another seed gives another text")
    several = text("--texts", "5")
    equal(several.splitlines()[0] + "\n", first, "the first of several texts")
    equal(len(set(several.splitlines())), 5, "texts")
    for args in (["--threads", "2"], ["--work", "coarse"], ["--work", "coarse", "--threads", "2"],
                 ["--work", "coarse", "--threads", "8", "--alloc", "op"], ["--threads", "2", "--spawn", "op"],
                 ["--threads", "2", "--lock", "3", "--imbalance", "3"], ["--alloc", "op", "--alloc-bytes", "70000"],
                 ["--threads", "2", "--slow", "tk_matmul:30"], ["--work", "coarse", "--threads", "3", "--weights", "own"],
                 ["--ledger", s.path("ledger.json"), "--threads", "3"]):
        equal(text("--texts", "5", *args), several, f"texts with {args}")


@case
def texts_side_by_side_are_the_same_work(s):
    args = ["--texts", "6", "--tokens", "7", "--prompt", "3", "--layers", "2", "--dim", "64"]
    _, one = engine(s, *args)
    for threads, spawns in ((1, 0), (2, 1), (4, 3), (8, 7)):
        _, truth = engine(s, *args, "--work", "coarse", "--threads", threads)
        check_counts(truth["kernels"], {k: {f: v for f, v in c.items() if f not in USABLE}
                                        for k, c in one["kernels"].items()})
        equal((truth["spawns"], truth["tokens"], truth["prompt_tokens"]), (spawns, 42, 18), "spawns, tokens")
        equal(truth["waits"], {"barrier": 3 * threads, "join": spawns, "sleep": 0, "mutex": 0}, "waits")
    _, shared = engine(s, *args, "--work", "coarse", "--threads", "3")
    _, own = engine(s, *args, "--work", "coarse", "--threads", "3", "--weights", "own")
    weights = 4 * (2 * (2 * 64 + 4 * 64 * 64 + 3 * 64 * 192) + 2 * 512 * 64 + 64)
    equal(own["outside"]["alloc_calls"] - shared["outside"]["alloc_calls"], 3, "copies of the weights")
    equal(own["outside"]["alloc_bytes"] - shared["outside"]["alloc_bytes"], 3 * weights, "their bytes")
    _, fine = engine(s, *args, "--threads", "2", "--spawn", "op")
    equal(fine["spawns"], 6 * 7 * (2 * 15 + 2) * 2, "spawns, fine-grained")
    equal(fine["waits"], {"barrier": 0, "join": fine["spawns"], "sleep": 0, "mutex": 0}, "waits, fine-grained")


@case
def waits_are_counted(s):
    args = ["--tokens", "5", "--layers", "2", "--dim", "32", "--threads", "3"]
    ops = 5 * (2 * 15 + 2)
    for _ in range(5):  # on one CPU nobody may come while another holds it
        _, truth = engine(s, *args, "--lock", "20")
        if truth["waits"]["mutex"]:
            break
    equal(truth["locks"], ops * 3 * 20, "locks taken")
    equal(truth["kernels"]["tk_gather"]["calls"], ops * 3, "gatherings")
    between(1, truth["waits"].pop("mutex"), truth["locks"], "locks not to be had at once")
    # before each list, after each op, at the end
    equal(truth["waits"], {"barrier": 3 * (5 + ops + 1), "join": 2, "sleep": 0}, "waits")
    _, truth = engine(s, "--tokens", "5", "--pace", "1")
    equal(truth["waits"]["sleep"], 5, "sleeps")


@case
def a_worker_that_has_more_to_do(s):
    args = ["--tokens", "6", "--layers", "2", "--dim", "64", "--threads", "2"]
    _, even = engine(s, *args)
    _, odd = engine(s, *args, "--imbalance", "5")
    was, now = even["kernels"]["tk_matmul"], odd["kernels"]["tk_matmul"]
    equal(now["calls"], was["calls"], "calls")
    equal(now["flops"], 3 * was["flops"], "work: half of it five times over")
    for name in set(even["kernels"]) - {"tk_matmul", "tk_vec_dot"}:
        equal(odd["kernels"][name], even["kernels"][name], f"work of {name}")


@case
def a_kernel_that_is_slower(s):
    args = ["--tokens", "6", "--layers", "2", "--dim", "64", "--threads", "2"]
    _, even = engine(s, *args)
    run, slow = engine(s, *args, "--slow", "tk_matmul:5")
    was, now = even["kernels"]["tk_matmul"], slow["kernels"]["tk_matmul"]
    equal(now["calls"], was["calls"], "calls")
    between(1.045 * was["flops"], now["flops"], 1.055 * was["flops"], "work of tk_matmul: 5 % more")
    for name in set(even["kernels"]) - {"tk_matmul", "tk_vec_dot"}:
        equal(slow["kernels"][name], even["kernels"][name], f"work of {name}")


def rows_are_sound(ledger, coarse=False):
    """Whichever way the rows are summed, they are the same; a thread that lives through a step has all of it."""
    n = len(ledger["each"])
    equal(n, ledger["steps"], "steps")
    for who in ("own", "all"):
        near(sum(ledger[who].values()), ledger[f"{who}_ns"], 1e-6, f"rows of {who}")
        for row, ns in ledger[who].items():
            between(ns - n, sum(each[who][row] for each in ledger["each"]), ns + n, f"{row} of {who}, step by step")
    for row, ns in ledger["all"].items():
        between(ns - 9, sum(t["rows"][row] for t in ledger["threads"]), ns + 9, f"{row}, thread by thread")
    if coarse:
        equal(ledger["own"], ledger["all"], "whoever writes a text decides")
    else:
        equal(ledger["own"], ledger["threads"][0]["rows"], "the first thread decides")


@case
def the_ledger_has_all_of_the_time(s):
    def ledger(*args):
        _, truth = engine(s, "--ledger", s.path("ledger.json"), "--tokens", "20", "--texts", "2", *args)
        doc = s.json("ledger.json")
        rows_are_sound(doc, "coarse" in args)
        equal(doc["steps"], 38, "steps")
        between(1, doc["own_ns"], truth["wall_ns"] * (2 if "coarse" in args else 1), "their time")
        return doc, truth

    doc, _ = ledger("--threads", "3")
    for t in doc["threads"][1:]:
        near(t["rows_ns"], doc["own_ns"], 0.02, "a worker of a pool lives through all steps")
    equal({r for r, ns in doc["own"].items() if ns}, {"compute", "barrier", "outside", "pass"}, "rows")
    doc, truth = ledger("--threads", "2", "--spawn", "op")
    check(doc["own"]["spawn"] > 0 < doc["own"]["join"], "spawns and joins take time")
    equal(sum(each["spawns"] for each in doc["each"]), truth["spawns"] * 38 // 40, "spawns in steps")
    ledger("--threads", "2", "--work", "coarse")
    doc, _ = ledger("--threads", "2", "--lock", "100")
    check(doc["all"]["lock"] > 0, "a lock takes time")
    doc, _ = ledger("--alloc", "op", "--alloc-bytes", "200000")
    check(doc["own"]["alloc"] > 0, "so do blocks")
    doc, _ = ledger("--pace", "2")
    between(38 * 2e6, doc["own"]["sleep"], 38 * 9e6, "sleep")
    doc, _ = ledger("--threads", "2", "--dim", "512", "--layers", "1", "--imbalance", "20")
    mine, other = (w["tk_matmul"] for w in doc["workers"])
    check(mine["compute_ns"] > 4 * other["compute_ns"], "one computes")  # a busy machine stretches both
    equal(mine["last"] + other["last"], mine["barriers"], "at each barrier one is the last")
    check(mine["last"] > 0.8 * mine["barriers"], "and is the last to come")


@case
def spans_cover_every_call(s):
    _, truth = engine(s, "--threads", "2", "--tokens", "8", "--spans", s.path("spans.json"))
    spans = s.json("spans.json")["kernels"]
    equal({k: v["count"] for k, v in spans.items()},
          {k: v["calls"] for k, v in truth["kernels"].items()}, "spans")
    for name, k in spans.items():
        check(k["min_ns"] <= k["p50_ns"] <= k["p95_ns"] <= k["p99_ns"] <= k["max_ns"], f"order in {name}")
        between(k["count"] * k["min_ns"], k["total_ns"], k["count"] * k["max_ns"], f"total of {name}")
    outer = sum(v["total_ns"] for k, v in spans.items() if not k.startswith("tk_vec_"))
    between(1, outer, 2 * truth["wall_ns"] + spans["tk_softmax"]["total_ns"], "time in kernels")


@case
def one_kernel_can_be_repeated(s):
    for name in ("nop", "matmul", "rmsnorm", "softmax", "attention", "rope", "swiglu", "add", "vec_dot",
                 "vec_mad", "gather"):
        run, truth = engine(s, "--threads", "2", "--repeat-kernel", f"tk_{name}:1000")
        equal(truth["kernels"][f"tk_{name}"]["calls"], 2000, f"calls of tk_{name}")
        equal((run.stdout, truth["tokens"]), ("", 0), "no tokens")


@case
def a_hiccup_does_ops_again_and_changes_nothing(s):
    plain, before = engine(s, "--tokens", "9", "--threads", "2")
    again, after = engine(s, "--tokens", "9", "--threads", "2", "--hiccup", "4:200")
    equal(again.stdout, plain.stdout, "output")
    calls = {k: (after["kernels"][k]["calls"], before["kernels"][k]["calls"]) for k in ("tk_rmsnorm", "tk_add", "tk_matmul")}
    # of nine passes two, the fourth and the eighth token's, are done twice more
    equal({k: a * 9 for k, (a, b) in calls.items()}, {k: b * (9 + 4) for k, (a, b) in calls.items()}, "calls")


@case
def bad_options_get_one_line(s):
    for args in (["--threads", "0"], ["--threads", "two"], ["--tokens", "-1"], ["--dim", "40"], ["--dim"],
                 ["--spawn", "fork"], ["--alloc", "none "], ["--what"], ["--keep", "0"],
                 ["--kv", "shrink"], ["--fail", "x"], ["--mixed", "-3"], ["more"],
                 ["--repeat-kernel", "tk_nop"], ["--repeat-kernel", "tk_none:1"], ["--seed", "1x"],
                 ["--repeat-kernel", "tk_nop:0"], ["--texts", "0"], ["--work", "some"], ["--imbalance", "0"],
                 ["--work", "coarse", "--spawn", "op"], ["--work", "coarse", "--kv", "grow"], ["--lock", "-1"],
                 ["--weights", "own"], ["--weights", "his"],
                 ["--hiccup", "8"], ["--hiccup", "0:100"], ["--hiccup", "8:x"]):
        run = s.run([s.tinyengine, *args], preload=False, code=2)
        one_line(run.stderr, f"message for {args}")
        equal(run.stdout, "", f"output for {args}")


@case
def a_file_that_cannot_be_written_is_said(s):
    run = s.run([s.tinyengine, "--tokens", "1", "--truth", s.path("no/such/file")], preload=False, code=1)
    check("no/such/file" in run.stderr, run.stderr)


main()
