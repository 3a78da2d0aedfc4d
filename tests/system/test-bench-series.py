# SPDX-License-Identifier: MIT
"""infprof bench on what a command does again and again within one run: against the engine's own count and stamps."""

import json
import os
import signal
import statistics
import time

from harness import between, case, check, equal, main, one_line, wait_until

KERNELS = ["--kernels", "libtinykernels.so:tk_matmul,libtinykernels.so:tk_softmax"]


def bench(s, *args, code=0, **more):
    run = s.infprof("bench", "--json", *args, code=code, **more)
    doc = json.loads(run.stdout)
    s.validate(doc, "doc/bench.schema.json")
    return doc


def nothing_is_left(s):
    equal(json.loads(s.infprof("runs", "--json", code=None).stdout or '{"runs": []}')["runs"], [], "runs that are kept")
    equal(os.listdir(s.path("tmp")), [], "files")
    folder = s.path("state/infprof/runs")
    equal([f for f in os.listdir(folder)] if os.path.isdir(folder) else [], [], "in the state directory")


@case
def each_call_of_an_op_in_time(s):
    doc = bench(s, "--per", "op", "tk_matmul", *KERNELS, "--warmup", "0", s.tinyengine, "--tokens", "12",
                "--truth", s.path("truth.json"), "--spans", s.path("spans.json"))
    calls = s.json("truth.json")["kernels"]["tk_matmul"]["calls"]
    series = doc["series"]
    equal(len(series["durations_ns"]) + series["other_phases"] + series["not_in_time"], calls, "calls")
    equal((series["not_in_time"], doc["per"], doc["time_ns"]["count"]), (0, "op tk_matmul", calls), "all have a place in time")
    nothing_is_left(s)
    doc = bench(s, "--per", "op:tk_matmul", *KERNELS, "--warmup", "10", "--runs", "50", s.tinyengine, "--tokens", "12")
    equal((doc["time_ns"]["count"], doc["warmup"]["left_out"]), (50, 10), "those asked for")
    check(doc["time_ns"]["intervals"]["median"], "an interval")
    check(doc["memory"]["peak_bytes"] > 0, doc["memory"])


@case
def what_found_no_room_is_told(s):
    # all kernels, also the smallest: far more than the ring holds
    doc = bench(s, "--per", "op", "tk_matmul", "--kernels", "libtinykernels.so:tk_*", "--warmup", "0", s.tinyengine,
                "--tokens", "200", "--truth", s.path("truth.json"))
    series = doc["series"]
    equal(len(series["durations_ns"]) + series["other_phases"] + series["not_in_time"],
          s.json("truth.json")["kernels"]["tk_matmul"]["calls"], "calls")
    equal(any("no place in time" in n for n in doc["notes"]), series["not_in_time"] > 0, "and is said")


@case
def it_is_stopped_when_there_are_enough(s):
    began = time.monotonic()
    doc = bench(s, "--per", "op", "tk_softmax", *KERNELS, "--runs", "40", s.tinyengine, "--tokens", "1000000", "--pace", "5")
    between(0, time.monotonic() - began, 40, "seconds")
    equal((doc["time_ns"]["count"], doc["each"][0]["end"], doc["succeeded"]), (40, "enough", 1), "end")
    check(doc["memory"]["peak_bytes"], "its memory is known")
    nothing_is_left(s)


@case
def it_is_stopped_when_it_is_stable(s):
    doc = bench(s, "--per", "op", "tk_softmax", *KERNELS, "--until-stable=95%", s.tinyengine, "--tokens", "1000000", "--pace", "2")
    equal((doc["stable"]["reached"], doc["each"][0]["end"]), (True, "enough"), "end")


@case
def limits(s):
    doc = bench(s, "--per", "op", "tk_softmax", *KERNELS, "--max-time", "1500ms", s.tinyengine, "--tokens", "1000000", "--pace", "5")
    equal((doc["each"][0]["end"], doc["succeeded"]), ("time", 0), "the run failed")
    check(doc["time_ns"]["count"] > 5, "what was measured until then stands")
    check(any("over its time" in n for n in doc["notes"]), doc["notes"])


@case
def nothing_to_see(s):
    for args, code, words in (
            (["--per", "op", "nosuch", *KERNELS, s.tinyengine], 3, "no op nosuch was seen"),
            (["--per", "token", *KERNELS, s.tinyengine], 3, "no token was seen"),
            (["--per", "marker", "x", s.tinyengine], 3, "no marker x was seen"),
            (["--per", "op", "tk_softmax", *KERNELS, "--warmup", "9999", s.tinyengine, "--tokens", "1"], 3, "less --warmup"),
            (["--per", "token", "false"], 1, "exit code 1"),
            (["--per", "token", "nosuch-command"], 3, "no such command")):
        run = s.infprof("bench", *args, code=code)
        one_line(run.stderr, " ".join(args))
        check(words in run.stderr, run.stderr)
        equal(run.stdout, "", "stdout")


@case
def without_a_daemon(s):
    run = s.infprof("bench", "--per", "token", "true", code=3, env={"INFPROF_DAEMON": "off"})
    one_line(run.stderr, "without a daemon")
    doc = bench(s, "--profile", "--runs", "2", "true", env={"INFPROF_DAEMON": "off"})
    equal(doc["succeeded"], 2, "the command runs in any case")
    check(any("The profiler" in n for n in doc["notes"]), doc["notes"])


@case
def interrupted(s):
    run = s.start([s.cli, "bench", "--json", "--per", "op", "tk_softmax", *KERNELS, s.tinyengine, "--tokens", "1000000",
                   "--pace", "5", "--truth", s.path("truth.json")], preload=False)
    wait_until(lambda: any(name == "tinyengine" for name in s.strangers().values()), 20, "the engine")
    time.sleep(1)
    run.kill(signal.SIGINT)
    equal(run.wait(20), 130, "exit code")
    doc = json.loads(run.stdout)
    s.validate(doc, "doc/bench.schema.json")
    equal((doc["interrupted"], doc["runs"]), ("SIGINT", 0), "by")
    check(doc["time_ns"]["count"] > 5, "what was measured until then")
    wait_until(lambda: not s.strangers(but=("infprofd", "infprof-symbols", "infprof-load")), 10, "nothing goes on")
    nothing_is_left(s)


@case
def wishes_that_make_no_sense(s):
    run = s.infprof("record", "--series", "bogus", "true", code=2)
    one_line(run.stderr, "record --series bogus")


@case
def markers_of_the_command(s):
    victim = s.built("tests/victims/markers")
    doc = bench(s, "--per", "marker", "inner", "--warmup", "20", victim, "nest", "100")
    series = doc["series"]
    equal(len(series["durations_ns"]) + series["not_in_time"] + 20, 300, "three in each of a hundred")
    doc = bench(s, "--per", "marker", "by hand", "--runs", "30", "--work", "characters=5", victim, "nest", "100")
    equal((doc["per"], doc["time_ns"]["count"], doc["throughput"]["characters"]["total"]), ("marker by hand", 30, 150), "iterations")
    run = s.infprof("bench", "--per", "op", "inner", victim, "nest", code=3)
    one_line(run.stderr, "a marker is no op")
    doc = bench(s, "--profile", "--runs", "2", victim, "tokens", "10")
    check(doc["requests"] and doc["requests"]["total"] > doc["requests"]["succeeded"] > 0, doc["requests"])
    equal(doc["throughput"]["requests"]["total"], doc["requests"]["total"], "requests that it told of")


@case
def tokens_of_the_real_llama(s):
    cmd = s.llama("--model", s.model("tiny"), "--tokens", "60")
    doc = bench(s, "--per", "token", "--warmup", "5", *cmd, timeout=100)
    series = doc["series"]
    # the first of the sequence comes from its prefill
    equal(len(series["durations_ns"]) + series["not_in_time"] + 5, 59, "tokens")
    equal(series["phase"], "decode", "phase")
    rate = doc["throughput"]["tokens"]["per_second"]
    between(0.2, rate * statistics.mean(series["durations_ns"]) / 1e9, 1.05, "tokens a second, next to each other")
    doc = bench(s, "--per", "graph", *cmd, timeout=100)
    check(doc["time_ns"]["count"] > 30, doc["time_ns"])
    doc = bench(s, "--profile", "--runs", "2", *cmd, timeout=100)
    equal((doc["throughput"]["tokens"]["total"], doc["throughput"]["characters"]), (120, None), "counted by the run")
    nothing_is_left(s)


main()
