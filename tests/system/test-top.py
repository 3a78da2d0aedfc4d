# SPDX-License-Identifier: MIT
"""infprof top against fake_api: the plain form, and the screen in a tmux of its own.

The pictures are in screens/. INFPROF_TEST_PAINT=1 paints them anew: look at the difference before it is
committed."""

import contextlib
import json
import os
import signal
import time

from fake_api import RUN, sample_api, sample_status, sample_top
from harness import case, check, equal, main, one_line, wait_until
from terminal import Terminal


def picture(s, name, got):
    path = s.source(f"tests/system/screens/{name}.txt")
    again, got = getattr(got, "again", None), bare(got)
    if os.environ.get("INFPROF_TEST_PAINT"):
        with open(path, "w", encoding="utf-8") as f:
            f.write(got)
    with open(path, encoding="utf-8") as f:
        wanted = f.read()
    # a terminal that has just become wider is painted once in between
    for _ in range(50 if again else 0):
        if got == wanted:
            break
        time.sleep(0.1)
        got = bare(again())
    check(got == wanted, f"{name} is not as in {path}:\n{got}")


def bare(text):
    return "\n".join(line.rstrip() for line in text.splitlines()).rstrip("\n") + "\n"


def fake(s):
    return sample_api(s.path("run/infprof/api.sock"))


@contextlib.contextmanager
def screen(s, width=80, height=24, args=("top",), lang="C.UTF-8"):
    """infprof top on a terminal: (terminal, api)."""
    api = fake(s)
    terminal = Terminal(s, width, height, lang)
    try:
        terminal.infprof(*args)
        yield terminal, api
    finally:
        terminal.close()
        with contextlib.suppress(FileNotFoundError):
            api.close()


# For scripts.

@case
def once_prints_the_table(s):
    api = fake(s)
    picture(s, "once", s.infprof("top", "--once").stdout)
    picture(s, "once-ascii", s.infprof("top", "--once", "4711", env={"LANG": "C"}).stdout)
    picture(s, "once-threads", s.infprof("top", "--once", "--tab", "threads", RUN).stdout)
    picture(s, "once-spawns", s.infprof("top", "--once", "--tab", "spawns", "--sort", "spawned by").stdout)
    picture(s, "once-memory", s.infprof("top", "--once", "--tab", "memory", "--sort", "net").stdout)
    picture(s, "once-waits", s.infprof("top", "--once", "--tab", "waits").stdout)
    picture(s, "once-ledger", s.infprof("top", "--once", "--tab", "ledger", "--sort", "critical").stdout)
    picture(s, "once-filter", s.infprof("top", "--once", "--filter", "ggml", "--sort", "p99").stdout)
    api.close()


@case
def json_is_the_document(s):
    api = fake(s)
    equal(json.loads(s.infprof("top", "--once", "--json").stdout), sample_top(), "document")
    run = s.infprof("top", "--json", "-n", "3", "-d", "0.1")
    equal([json.loads(line) for line in run.stdout.splitlines()], 3 * [sample_top()], "documents")
    api.close()


@case
def unknown_figures_are_not_zero_and_estimates_are_marked(s):
    api = fake(s)
    top = sample_top()
    top["now"].update(tokens_per_second=None, tokens_per_second_mean=None, generated=0, rss_bytes=None,
                      overhead_fraction=None, phase="unknown")
    top["ops"] = top["ops"][:2]
    top["ops"][0].update(p50_ns=None, self_share=None, spark=[])
    top["ops"][1].update(estimated=True)
    api.answers[f"GET /v1/runs/{RUN}/top"] = top
    picture(s, "once-unknown", s.infprof("top", "--once").stdout)
    api.close()


@case
def control_characters_do_not_reach_the_terminal(s):
    api = fake(s)
    top = sample_top()
    top["run"]["command"] = "evil\033[2J\n"
    top["ops"][0]["name"] = "\033]0;owned\007\u009b2J"
    api.answers[f"GET /v1/runs/{RUN}/top"] = top
    text = s.infprof("top", "--once").stdout
    check(not set(text) & {"\033", "\007", "\u009b"}, repr(text[:200]))
    api.close()


@case
def printing_ends_with_the_engine(s):
    api = fake(s)
    run = s.start([s.cli, "top", "-d", "0.1"], preload=False)
    wait_until(lambda: run.stdout.count("MUL_MAT") >= 2, 10, "two tables")
    api.answers[f"GET /v1/runs/{RUN}/top"] = sample_top(live=False, exit={"signal": 11})
    equal(run.wait(10), 0, "exit code")
    check("ended: killed by SIGSEGV" in run.stdout, run.stdout[-2000:])
    api.close()


@case
def printing_ends_with_the_daemon(s):
    api = fake(s)
    run = s.start([s.cli, "top", "-d", "0.1"], preload=False, env={"INFPROF_DAEMON": "off"})
    wait_until(lambda: "MUL_MAT" in run.stdout, 10, "a table")
    api.close()
    equal(run.wait(10), 3, "exit code")
    one_line(run.stderr, "stderr")


# The screen.

@case
def the_screen_at_80x24(s):
    with screen(s) as (terminal, _):
        picture(s, "80x24", terminal.shows("GET_ROWS", "q quit"))
        terminal.type("2")
        picture(s, "80x24-threads", terminal.shows("loader", "condition"))
        terminal.type("Tab")
        picture(s, "80x24-spawns", terminal.shows("not resolved"))
        terminal.type("h")
        picture(s, "80x24-help", terminal.shows("any key goes back"))


@case
def the_memory_tab(s):
    with screen(s) as (terminal, _):
        terminal.shows("GET_ROWS")
        terminal.type("4")
        picture(s, "80x24-memory", terminal.shows("ALLOC/S"))
        terminal.type("s")
        terminal.shows("by FREE/S")
        terminal.type("Down", "t")
        picture(s, "80x24-memory-split", terminal.shows("└ decode", "└ load"))
        terminal.type("v")
        picture(s, "80x24-memory-phases", terminal.shows("PHASE", "by BYTES/S"))
        terminal.type("v")
        picture(s, "80x24-memory-sites", terminal.shows("SITE", "ggml_graph_plan"))
        terminal.type("/", "build_l", "Enter") # a caller
        terminal.shows("llama_decode", "filter: build_l", gone=["ggml_graph_plan"])
        terminal.type("Escape")
        # what is selected stays so, wherever it goes
        terminal.type("End", "s")
        terminal.shows("by IN USE", "ggml_graph_plan")
        # each table keeps its order, each tab its table
        terminal.type("v")
        terminal.shows("by FREE/S", "└ decode")
        terminal.type("v", "1")
        terminal.shows("by SELF%", gone=["└"])
        terminal.type("BTab", "BTab", "BTab")
        terminal.shows("PHASE")
        terminal.type("v")
        terminal.resize(132, 43)
        picture(s, "132x43-memory-sites", terminal.shows("SITE", "(1.45M)   frees/s"))
        terminal.resize(40, 12)
        picture(s, "40x12-memory-sites", terminal.shows("SITE", gone=["ALLOC/S"]))
        terminal.type("v")
        terminal.resize(132, 43)
        picture(s, "132x43-memory", terminal.shows("└ decode", "13.6k (1.45M)   frees/s"))
        terminal.resize(40, 12)
        picture(s, "40x12-memory", terminal.shows("└ decode", gone=["FREE/S"]))


@case
def the_tabs_on_threads_waits_and_the_ledger(s):
    with screen(s) as (terminal, api):
        terminal.shows("GET_ROWS")
        terminal.type("2")
        terminal.shows("RUN%", "loader", "running 1, runnable 0, waiting 2")
        terminal.type("/", "server", "Enter")
        terminal.shows("filter: server", "by RUN%", "condition", gone=["worker-1"])
        terminal.type("Escape", "5")
        picture(s, "80x24-waits", terminal.shows("WAITED/S", "condition", gone=["filter:"]))
        terminal.type("v")
        picture(s, "80x24-waits-sites", terminal.shows("SITE", "ggml_barrier"))
        terminal.type("v")
        picture(s, "80x24-waits-now", terminal.shows("HELD BY", "92.4s"))
        terminal.type("v")
        terminal.shows("by kind 3")
        terminal.type("6")
        picture(s, "80x24-ledger", terminal.shows("DECODING", "overhead 3.31x", "lock             0ns"))
        terminal.type("v")
        picture(s, "80x24-ledger-slow", terminal.shows("X MEDIAN", "8211"))
        terminal.resize(160, 50)
        terminal.type("v")
        picture(s, "160x50-ledger", terminal.shows("DECODING", "lock             0ns"))  # its last row
        terminal.type("5", "v")
        picture(s, "160x50-waits", terminal.shows("FOR WHOM", "condition", gone=["lock             0ns"]))
        terminal.type("2")
        picture(s, "160x50-threads", terminal.shows("SPAWNED BY", "loader", gone=["FOR WHOM"]))
        terminal.resize(40, 12)
        picture(s, "40x12-threads", terminal.shows("THREAD", gone=["SPAWNED"]))
        terminal.type("6")
        terminal.shows("ROW")
        # what is not there yet
        top = sample_top()
        top.update(ledger=None, waits={"on": False, "interval_ns": None, "kinds": [], "objects": [], "sites": [], "now": []})
        api.answers[f"GET /v1/runs/{RUN}/top"] = top
        terminal.resize(80, 24)
        terminal.shows("no token was decoded yet")
        terminal.type("5")
        terminal.shows("waits are off", "nothing was waited for yet")
        del top["waits"], top["ledger"] # of a daemon that has no such members
        terminal.shows("nothing was waited for yet", gone=["waits are off"])


@case
def memory_that_is_not_known_is_not_zero(s):
    api = fake(s)
    top = sample_top()
    top["now"]["rss_bytes"] = None
    top["memory"].update(calls_per_token=None, bytes_per_token=None, failed_calls=0, live_spark=60 * [None], ops=[],
                         heap_interval_bytes=None, sites=[])
    api.answers[f"GET /v1/runs/{RUN}/top"] = top
    picture(s, "once-memory-unknown", s.infprof("top", "--once", "--tab", "memory").stdout)
    # of a daemon that has no such member
    del top["memory"]
    text = s.infprof("top", "--once", "--tab", "memory").stdout
    check("allocs/s - (-)" in text and text.count("(nothing was allocated yet)") == 2, text)
    equal(s.infprof("top", "--once", "--tab", "memory", "--sort", "p99", code=2).stdout, "", "no such column")
    api.close()


@case
def the_screen_at_other_sizes(s):
    with screen(s, 132, 43) as (terminal, _):
        picture(s, "132x43", terminal.shows("GET_ROWS"))
        terminal.resize(40, 10)
        picture(s, "40x10", terminal.shows("llama-dr", gone=["TOTAL%"]))
        for width, height in ((20, 4), (10, 2), (3, 1), (200, 60)):
            terminal.resize(width, height)
            terminal.shows("llama-d"[:width - 2])
        terminal.shows("GET_ROWS")
        terminal.resize(80, 24)
        picture(s, "80x24", terminal.shows("GET_ROWS", "freeze"))


@case
def the_screen_without_utf8(s):
    with screen(s, lang="C") as (terminal, _):
        picture(s, "80x24-ascii", terminal.shows("GET_ROWS"))


@case
def keys_move_sort_and_filter(s):
    with screen(s) as (terminal, _):
        terminal.shows("GET_ROWS", "by SELF%")
        terminal.type("s")
        terminal.shows("by MEAN")
        check(terminal.screen().splitlines()[5].startswith("llama_decode"), "the longest mean is first")
        terminal.type("<", "<", "<", "<", "<")
        terminal.shows("by LAST MIN")
        terminal.type(">", "I")
        text = terminal.shows("by OP, reversed").splitlines()
        check(text[5].startswith("SWIGLU"), "the last name is first")
        terminal.type("r", "/", "mul")
        text = terminal.shows("filter: mul", "RMS_NORM+MUL", gone=["SWIGLU"])
        terminal.type("BSpace", "BSpace", "BSpace", "zz")
        terminal.shows("nothing matches the filter")
        terminal.type("Escape")
        terminal.shows("SWIGLU", "q quit", gone=["filter: "])
        terminal.type("\\", "ggml_b", "Enter")
        terminal.shows("filter: ggml_b", "q quit", gone=["SWIGLU"])
        terminal.type("t")
        text = terminal.shows("└ 4711", "└ 4712")
        terminal.type("t")
        terminal.shows(gone=["└"])
        terminal.type("d", "0.2", "Enter", "d")
        terminal.shows("now 0.2")
        terminal.type("0", "Enter")
        terminal.shows("from 0.1 to 3600")
        terminal.type("F10")
        terminal.shows("exit=0")


@case
def freezing_holds_the_screen_and_not_the_collecting(s):
    with screen(s, args=("top", "-d", "0.1")) as (terminal, api):
        terminal.shows("GET_ROWS")
        terminal.type("Space")
        terminal.shows("FROZEN")
        top = sample_top()
        top["ops"][0]["name"] = "NEWCOMER"
        api.answers[f"GET /v1/runs/{RUN}/top"] = top
        n = len(api.requests)
        wait_until(lambda: len(api.requests) > n + 3, 10, "still collecting")
        check("NEWCOMER" not in terminal.screen(), "frozen")
        terminal.type("f")
        terminal.shows("NEWCOMER", gone=["FROZEN", "MUL_MAT"])


@case
def an_engine_that_ends_stays_on_the_screen(s):
    with screen(s, args=("top", "-d", "0.1")) as (terminal, api):
        terminal.shows("phase decode")
        api.answers[f"GET /v1/runs/{RUN}/top"] = sample_top(live=False, exit={"code": 3})
        terminal.shows("ended: exit code 3", "GET_ROWS")
        api.answers[f"GET /v1/runs/{RUN}/top"] = (404, {"error": {"status": 404, "message": "no such run"}})
        terminal.shows("no such run", "ended: exit code 3", "GET_ROWS")


@case
def an_engine_may_come_later(s):
    with screen(s) as (terminal, api):
        terminal.shows("GET_ROWS")
        terminal.type("q")
        terminal.shows("exit=0")
        api.answers["GET /v1/status"] = {**sample_status(), "processes": []}
        terminal.infprof("top", "-d", "0.1")
        picture(s, "80x24-waiting", terminal.shows("waiting for one"))
        api.answers["GET /v1/status"] = sample_status()
        terminal.shows("GET_ROWS", gone=["waiting"])


@case
def a_daemon_may_go_and_come_back(s):
    with screen(s, args=("top", "-d", "0.1")) as (terminal, api):
        terminal.shows("GET_ROWS")
        api.close()
        terminal.shows("infprofd has ended", "GET_ROWS")
        again = fake(s)
        terminal.shows("q quit", gone=["infprofd has ended"])
        again.close()
        terminal.type("q")
        terminal.shows("exit=0")


@case
def a_daemon_that_crashes_is_started_again(s):
    with open(s.path("infprofd"), "w", encoding="utf-8") as f:
        f.write(f"#!/bin/sh\necho started >> {s.path('started')}\necho infprofd: no luck >&2\nexit 1\n")
    os.chmod(s.path("infprofd"), 0o755)
    api = fake(s)
    terminal = Terminal(s, 80, 24)
    try:
        terminal.type(f"INFPROF_DAEMON={s.path('infprofd')} {s.cli} top -d 0.1; echo exit=$?", "Enter")
        terminal.shows("GET_ROWS")
        api.close(keep_socket=True)
        terminal.shows("infprofd has crashed", "no luck", "GET_ROWS")
        check(os.path.exists(s.path("started")), "another was started")
        api = fake(s)
        terminal.shows("q quit", gone=["crashed"])
    finally:
        terminal.close()
        api.close()


@case
def the_terminal_is_left_as_it_was(s):
    with screen(s, args=("top", "-d", "0.1")) as (terminal, _):
        terminal.shows("GET_ROWS")
        terminal.type("q")
        terminal.shows("exit=0", gone=["GET_ROWS"])
        terminal.type(f"cd {s.path()}; clear; stty -g > before; echo ready", "Enter")
        terminal.shows("ready")
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            terminal.infprof("top")
            terminal.shows("GET_ROWS")
            os.kill(terminal.infprof_pid(), number)
            wanted = 0 if number == signal.SIGINT else 128 + number
            terminal.shows(f"exit={wanted}", gone=["GET_ROWS"])
            terminal.type("clear; stty -g | diff before - && echo the same", "Enter")
            terminal.shows("the same")
            equal(terminal("display-message", "-p", "#{alternate_on} #{cursor_flag}").strip(), "0 1",
                  "alternate screen, cursor")
            terminal.type("clear", "Enter")


@case
def a_terminal_that_is_not_known_is_said(s):
    with screen(s, args=("status",)) as (terminal, _):
        # ncurses keeps what it had begun to make
        terminal.type(f"ASAN_OPTIONS=detect_leaks=0 TERM=bogus {s.cli} top; echo exit=$?", "Enter")
        terminal.shows("the terminal bogus is not known", "exit=3")


@case
def a_slow_daemon_keeps_no_key_waiting(s):
    with screen(s, args=("top", "-d", "0.1")) as (terminal, api):
        terminal.shows("GET_ROWS")
        api.answers[f"GET /v1/runs/{RUN}/top"] = lambda _: time.sleep(8) or sample_top()
        n = len(api.requests)
        wait_until(lambda: len(api.requests) > n, 10, "asked again")
        terminal.type("h")
        terminal.shows("any key goes back", seconds=4)
        terminal.type("x", "q")
        terminal.shows("exit=0", seconds=4)


main()
