# SPDX-License-Identifier: MIT
"""The real llama.cpp on its own, without the shim: the ground that other tests stand on."""

from harness import between, case, check, equal, main, near, one_line


def drive(s, *args, preset="tiny", **more):
    run = s.run(s.llama("--model", s.model(preset), "--stats", s.path("stats.json"), *args),
                preload=False, timeout=120, **more)
    return run, s.json("stats.json")


@case
def it_generates_what_is_asked_for(s):
    run, stats = drive(s, "--prompt", "XYZXYZ", "--tokens", "20", "--ids")
    ids = run.stdout.split()
    equal((len(ids), stats["generated_tokens"]), (20, 20), "tokens")
    # one for the beginning, one for the blank that SPM puts in front (three bytes), six letters that are in no word
    equal(stats["prompt_tokens"], 1 + 3 + 6, "prompt tokens")
    equal((stats["prefill_calls"], stats["decode_calls"]), (1, 19), "calls of llama_decode")
    one_line(run.stderr, "the line of figures")


@case
def the_text_is_the_same_each_time_and_for_any_threads(s):
    first, _ = drive(s, "--tokens", "30", preset="small")
    again, _ = drive(s, "--tokens", "30", preset="small")
    two, _ = drive(s, "--tokens", "30", "--threads", "2", preset="small")
    check(len(first.stdout) > 30, "there is text")
    equal(again.stdout, first.stdout, "text, again")
    equal(two.stdout, first.stdout, "text with two threads")


@case
def a_seed_decides_what_the_sampler_draws(s):
    def text(*args):
        return drive(s, "--tokens", "30", "--sampler", *args)[0].stdout

    equal(text("--seed", "7"), text("--seed", "7"), "text for a seed")
    check(text("--seed", "7") != text("--seed", "8"), "another seed, another text")


@case
def rounds_repeat(s):
    run, stats = drive(s, "--tokens", "8", "--rounds", "3", "--ids")
    lines = run.stdout.splitlines()
    equal((len(lines), len({*lines})), (3, 1), "lines, distinct lines")
    equal((stats["generated_tokens"], stats["prefill_calls"], stats["decode_calls"]), (24, 3, 21), "counts")


@case
def more_positions_than_the_default_context(s):
    run, stats = drive(s, "--tokens", "700", "--ids")
    equal(len(run.stdout.split()), 700, "tokens")
    between(1, stats["decode_ns"], stats["generate_ns"], "time in llama_decode")
    near(stats["tokens_per_second"], 699e9 / stats["generate_ns"], 0.001, "tokens per second")


@case
def block_quantised_models_run(s):
    for kind in ("q8_0", "q4_0"):
        run = s.run(s.llama("--model", s.model("tiny", "--type", kind), "--ids", "--tokens", "5"),
                    preload=False)
        equal(len(run.stdout.split()), 5, f"tokens in {kind}")


@case
def what_is_wrong_is_said_in_one_line(s):
    model = s.model("tiny")
    for args in ([], ["--lib", "x"], ["--model", model], ["--lib", "x", "--model", model, "--threads", "0"],
                 ["--lib", "x", "--model", model, "more"], ["--what"], ["--tokens"]):
        one_line(s.run([s.llama_driver, *args], preload=False, code=2).stderr, f"message for {args}")
    one_line(s.run([s.llama_driver, "--lib", s.folder, "--model", model], preload=False, code=1).stderr,
             "message for a folder without libraries")
    run = s.run(s.llama("--model", s.path("none.gguf")), preload=False, code=1)
    one_line(run.stderr, "message for a missing model")


main()
