# SPDX-License-Identifier: MIT
"""The real llama.cpp with models whose layers have experts: which of them its tokens were sent to."""

import json
from xml.etree import ElementTree

from harness import between, case, check, equal, main, near, wait_until
from terminal import Terminal
from work import work

EXPERTS, USED, LAYERS = 8, 2, 4  # of the preset moe


def profile(s, model, *args, **more):
    """(document, what the driver says of itself, the ids of each round)"""
    run = s.run(s.llama("--model", model, "--stats", s.path("stats.json"), "--ids", "--sampler", *args), timeout=150, **more)
    return work(s, "layers", run), s.json("stats.json"), [[int(i) for i in line.split()] for line in run.stdout.splitlines()]


def layers(doc, phase):
    return {layer["layer"]: layer["experts"] for layer in doc["phases"][phase]["layers"] if layer["layer"] is not None}


def notes(doc):
    return [note for note in doc["notes"] if "expert" in note]


def sound(e, used=USED):
    """What holds for the experts of every layer."""
    equal(len(e["counts"]), e["n_experts"], "a count for each expert")
    equal((e["choices"], e["unknown"]), (used * e["tokens"], 0), "choices: all tokens by experts used")
    equal(sum(e["counts"]), e["choices"], "counts, summed")
    equal((e["used_per_token"], e["tokens_to_all"]), (used, 0), "experts of a token")
    equal(e["n_used"], sum(n > 0 for n in e["counts"]), "experts that were used")
    near(e["max_over_mean"], max(e["counts"]) * e["n_experts"] / e["choices"], 1e-4, "how uneven")
    between(used, e["distinct_per_step"], e["n_used"], "distinct experts of a step")


def of_parity(layer, even, odd):
    """Tokens of each expert where so many had even and odd ids: see make-gguf."""
    counts = [0] * EXPERTS
    for i in range(USED):
        counts[(layer + i) % EXPERTS] += even
        counts[(layer - 1 - i) % EXPERTS] += odd
    return counts


@case
def each_token_went_to_the_experts_of_its_parity(s):
    """The model says by a token's id where it is sent, and the driver which ids there were."""
    for threads, kind in ((1, "f32"), (2, "q8_0"), (1, "q4_0")):
        model = s.model("moe", "--router", "parity", "--type", kind)
        doc, stats, rounds = profile(s, model, "--tokens", 60, "--rounds", 2, "--threads", threads, "--seed", threads)
        decoded = [token for ids in rounds for token in ids[:-1]]  # the last is never worked on
        even = sum(token % 2 == 0 for token in decoded)
        equal(len(decoded), stats["decode_calls"], "tokens decoded")
        check(0 < even < len(decoded), "both kinds were there")
        equal(list(layers(doc, "decode")), list(range(LAYERS)), "layers")
        for layer, e in layers(doc, "decode").items():
            sound(e)
            equal((e["steps"], e["tokens"], e["distinct_per_step"]), (len(decoded), len(decoded), USED), f"steps of layer {layer}")
            equal(e["counts"], of_parity(layer, even, len(decoded) - even), f"layer {layer} at {threads} threads")
        prompt = layers(doc, "prefill")
        even = prompt[0]["counts"][0]
        for layer in range(LAYERS - 1):
            sound(prompt[layer])
            equal((prompt[layer]["steps"], prompt[layer]["tokens"]), (2, stats["prompt_tokens"]), "prompts")
            equal(prompt[layer]["counts"], of_parity(layer, even, stats["prompt_tokens"] - even), f"prompt in layer {layer}")
        # of a prompt, its last token alone goes through the last layer's MLP
        last = prompt[LAYERS - 1]
        sound(last)
        equal(last["tokens"], 2, "tokens in the last layer")
        check(last["counts"] in (of_parity(LAYERS - 1, 2, 0), of_parity(LAYERS - 1, 0, 2)), last["counts"])
        of_all = doc["phases"]["decode"]["experts"]
        equal((of_all["layers"], of_all["n_experts"], of_all["used_per_token"]), (LAYERS, LAYERS * EXPERTS, USED), "of all layers")
        equal(of_all["n_used"], sum(e["n_used"] for e in layers(doc, "decode").values()), "used in all layers")
        near(of_all["max_over_mean"], max(e["max_over_mean"] for e in layers(doc, "decode").values()), 1e-6, "the least even")
        equal(notes(doc), [], "notes")


@case
def sums_are_exact_whatever_the_router_says(s):
    for threads, (n, used) in ((1, (8, 2)), (2, (8, 2)), (2, (100, 7))):
        model = s.model("moe", "--experts", str(n), "--experts-used", str(used))
        prompt = "the quick brown fox jumps over the lazy dog " * 20
        doc, stats, _ = profile(s, model, "--tokens", 50, "--threads", threads, "--prompt", prompt)
        for layer, e in layers(doc, "decode").items():
            sound(e, used)
            equal((e["n_experts"], e["tokens"]), (n, stats["decode_calls"]), f"layer {layer} in decode")
            equal(e["distinct_per_step"], used, "a token's experts are different ones")
        for layer, e in layers(doc, "prefill").items():
            sound(e, used)
            whole = (-(-stats["prompt_tokens"] // 512), stats["prompt_tokens"])  # llama.cpp's batches are of 512
            check(whole[0] > 1, "there are several")
            equal((e["steps"], e["tokens"]), whole if layer < LAYERS - 1 else (1, 1), f"layer {layer} in prefill")
    lines = s.infprof("layers").stdout
    picture = "".join(ElementTree.fromstring(s.infprof("layers", "--svg", "-").stdout).itertext())
    check("expert 99 of layer 3" in picture and "tokens by expert" in picture, "the picture has them")
    check("experts of a layer: 7 a token, 7 a step" in lines and "tokens, from expert 0" in lines, lines)


@case
def where_there_is_nothing_to_tell(s):
    def none(doc):
        for phase in doc["phases"].values():
            equal(phase["experts"], None, "of a phase")
            check(all(layer["experts"] is None for layer in phase["layers"]), "of its layers")
        equal(notes(doc), [], "notes")

    none(profile(s, s.model("tiny"), "--tokens", 10)[0])
    check("expert" not in s.infprof("layers").stdout, "nothing is said")
    doc, stats, _ = profile(s, s.model("moe", "--experts-used", "8"), "--tokens", 10)
    for e in layers(doc, "decode").values():
        equal((e["tokens_to_all"], e["tokens"], sum(e["counts"])), (stats["decode_calls"], 0, 0), "to all")
        equal((e["used_per_token"], e["max_over_mean"], e["distinct_per_step"]), (None, None, None), "no choice")
    check("all experts" in notes(doc)[0], notes(doc))
    doc = profile(s, s.model("moe"), "--tokens", 10, env={"INFPROF_SHAPES": "off"})[0]
    equal(doc["phases"], {}, "switched off")


@case
def it_fits_the_screen(s):
    profile(s, s.model("moe", "--layers", "20", "--experts", "64", "--experts-used", "6"), "--tokens", 20)
    for width, height, rows in ((80, 24, False), (80, 50, True)):
        terminal = Terminal(s, width, height)
        terminal.infprof("layers")
        text = terminal.shows("exit=0", "command ", "experts of a layer: 6 a token, 6 a step", "more with -n 0")
        equal("tokens, from expert 0" in text, rows, f"rows at {height} lines")
        terminal.close()


@case
def a_run_that_goes_on_has_them(s):
    run = s.start(s.llama("--model", s.model("moe"), "--tokens", 1500, "--rounds", 1000, "--ids"))

    def decoding():
        got = s.infprof("layers", "--json", code=None)
        doc = json.loads(got.stdout) if got.returncode == 0 else {"phases": {}}
        if not doc["phases"].get("decode", {}).get("experts"):
            return None
        return doc if all(layers(doc, "decode").values()) else None  # each layer's first token has been looked at

    doc = wait_until(decoding, 60, "experts of a run that goes on")
    s.validate(doc, "doc/layers.schema.json")
    before = layers(doc, "decode")
    run.kill()
    run.wait()
    doc = work(s, "layers", run)
    for layer, e in layers(doc, "decode").items():
        equal(e["choices"], USED * e["tokens"], f"choices in layer {layer}")
        check(all(end >= early for end, early in zip(e["counts"], before[layer]["counts"])), "counts only grow")
        between(e["choices"], sum(e["counts"]), e["choices"] + USED, "a step was cut short at most")


main()
