# SPDX-License-Identifier: MIT
"""Completion: what infprof offers, held against what the verbs say of themselves, and in real shells."""

import contextlib
import os
import re
import shutil
import socket
import sqlite3
import threading
import time

from fake_api import FakeApi
from harness import BUILD, case, check, equal, main, skip
from shells import Bash, Zsh

RUN = "20261120-194500-4711"
OLD = "20251120-194500-4711"
# what an op may be called, if somebody tries
NAMES = ["MUL_MAT (a:b)", "a b", "it's", 'say "x"', "$HOME", "`id`", "x;y", "k=v:w", "back\\slash", "star*"]


def made(s, name=RUN, *kind):
    os.makedirs(s.path("state/infprof/runs"), exist_ok=True)
    path = s.path(f"state/infprof/runs/{name}.infprof")
    s.run([s.built("tests/unit/make-run"), *kind, path], preload=False)
    return path


def complete(s, *words, env=None):
    """Candidates, and what the shell has to do."""
    run = s.infprof("complete", "--", *words, env=env)
    equal(run.stderr, "", "stderr")
    lines = run.stdout.splitlines()
    check(lines and lines[-1].startswith(":"), f"{words}: {run.stdout!r}")
    return [line.split("\t")[0] for line in lines[:-1]], lines[-1]


def verbs(s):
    text = s.infprof("help").stdout
    return re.findall(r"^    (\S+) +\S", text[text.index("\nVerbs:"):], re.M)


def options(s, verb):
    """By its --help: {long: value}, and the letters."""
    found, letters = {}, {}
    for line in s.infprof(verb, "--help", code=None).stdout.splitlines():
        if not re.match(r"^  +(-\w, )?--[a-z]", line):
            continue
        # some lines have several: --op DECLARATION, --op-file FILE
        for part in re.split(r", (?=--)", re.split(r"(?<=\S)   ?", re.sub(r"^ +(-\w), ", r"\1=", line), maxsplit=1)[0].strip()):
            m = re.match(r"^(?:-(\w)=)?--([a-z-]+)(?:\[?=(\w+)\]?)?(?: ([^ ,]+))?", part)
            found[m.group(2)] = m.group(3) or m.group(4)
            if m.group(1):
                letters[m.group(2)] = m.group(1)
    return found, letters


# What infprof offers.

@case
def every_verb_and_every_option(s):
    made(s)
    names = verbs(s)
    check(len(names) > 20, names)
    with open(s.source("doc/infprof.1.scd"), encoding="utf-8") as f:
        manual = f.read()
    equal(sorted(complete(s, "")[0]), sorted(names), "verbs")
    equal(sorted(complete(s, "help", "")[0]), sorted(names), "help VERB")
    for verb in names:
        said, _ = options(s, verb)
        offered, _ = complete(s, verb, "--")
        if verb in ("help", "version"):
            continue
        check("help" in said, f"{verb} --help")
        check(re.search(rf"^\*infprof\* .*\*{verb}\*", manual, re.M), f"{verb} is not in the synopsis of infprof(1)")
        for option in offered:
            check(option == "--help" or option in manual, f"{verb} {option} is not in infprof(1)")
        missing = {"--" + o for o in said} - set(offered)
        check(not missing, f"{verb} --help has {missing}, which are not offered")
        # some are listed in a sentence: "Options of infprof record: ..."
        text = s.infprof(verb, "--help", code=None).stdout
        for option in offered:
            check(re.search(rf"(?<![\w-]){option}(?![\w-])", text), f"{verb} {option} is not in its --help")


@case
def values_that_are_known(s):
    made(s)
    s.run([s.built("tests/unit/make-run"), "--memory", s.path(f"state/infprof/runs/{OLD}.infprof")], preload=False)
    n = 0
    for verb in verbs(s):
        said, letters = options(s, verb)
        for option, value in said.items():
            ways = [("--" + option, "")] + ([("-" + letters[option], "")] if option in letters else [])
            for way in ways:
                offered, todo = complete(s, verb, *way)
                if value == "RUN":
                    check(RUN in offered and "latest" in offered, f"{verb} {way}: {offered}")
                elif value == "GLOB":
                    check("MUL_MAT" in offered, f"{verb} {way}: {offered}")
                elif value == "FILE":
                    equal(todo, ":files", f"{verb} {way}")
                elif value == "PHASE":
                    check("decode" in offered, f"{verb} {way}: {offered}")
                elif value == "on|off":
                    equal(offered, ["on", "off"], f"{verb} {way}")
                else:
                    continue
                n += 1
    check(n > 20, f"{n} values")
    equal(complete(s, "report", "--by=sh"), (["--by=shape"], ":none"), "--by=sh")
    equal(complete(s, "memory", "--sections", "stacks,le"), (["stacks,leaks"], ":none"), "a list")
    check("steady" in complete(s, "memory", OLD, "--from", "")[0], "marks of the run that is named")
    equal(complete(s, "memory", "--from", "")[0], [], "the latest has none")
    for verb, option in (("report", "sort"), ("report", "by"), ("memory", "by"), ("memory", "sections"),
                         ("roofline", "by"), ("roofline", "phase"), ("flame", "kind"), ("flame", "phase"),
                         ("export", "pprof"), ("diff", "by"), ("top", "tab")):
        words, _ = complete(s, verb, "--" + option, "")
        check(len(words) > 1, f"{verb} --{option}")
        for word in words:
            more = {"flame": ["--waits"], "export": ["-o", "x"], "diff": ["nonesuch"]}.get(verb, [])
            if (option, word) == ("phase", "unknown") and verb == "flame":
                more = ["--alloc"]
            run = s.infprof(verb, "--" + option, word, *more, "nonesuch", code=None)
            check(run.returncode in (1, 3), f"{verb} --{option} {word}: {run.stderr}")


@case
def operands(s):
    made(s)
    made(s, OLD)
    with open(s.path("b.tar.zst"), "wb") as f:
        f.write(b"\x28\xb5\x2f\xfd")
    os.link(s.path(f"state/infprof/runs/{OLD}.infprof"), s.path("mine.infprof"))
    with open(s.path("other.txt"), "wb"):
        pass
    for verb in verbs(s):
        usage = s.infprof(verb, "--help", code=None).stdout.splitlines()[0]
        if re.search(r" \[?RUN\b(?!.* RUN)", re.sub(r"\[--[^]]*\]", "", usage)):
            offered, _ = complete(s, verb, "")
            equal(offered[:3], ["latest", RUN, OLD], f"runs for {verb}, the newest first")
            equal(sorted(o for o in offered[3:] if not o.isdigit()), ["b.tar.zst", "mine.infprof"], f"files for {verb}")
    equal(complete(s, "diff", "latest", "2025")[0], [OLD], "B")
    os.makedirs(s.path("sets/a"))
    equal(complete(s, "diff", "se"), (["sets/"], ":none"), "a folder")
    equal(complete(s, "diff", "latest", f"{RUN},se")[0], [f"{RUN},sets/"], "a folder behind a comma")
    equal(complete(s, "diff", "sets/a,sets/")[0], ["sets/a,sets/a/"], "in a folder, behind a comma")
    equal(complete(s, "report", "se")[0], [], "a set is no run")
    equal(complete(s, "runs", "")[0], ["rm"], "rm")
    equal(complete(s, "runs", "rm", OLD, "")[0], [RUN, OLD], "ids")
    equal(complete(s, "report", "./"), ([], ":files"), "a path")
    equal(complete(s, "record", "-o", "x", "--", "ls", "-"), ([], ":command 5"), "a command")
    equal(complete(s, "record", "ls", "--he")[1], ":command 2", "options after the command are its own")
    for line, at in ((["sweep", "--threads", "1,2", "--", "ls", ""], 5), (["sweep", "--", "A=1", "B=2", "ls", "-"], 5),
                     (["bench", "-r", "5", "ls", ""], 4), (["ab", "--", "ls", "x", "---", "cat", ""], 6),
                     (["ab", "-r5", "ls", "---", ""], 5)):
        if line[0] in verbs(s):
            equal(complete(s, *line)[1], f":command {at}", line)
    equal(complete(s, "doctor", "")[1], ":command 2", "doctor CMD")
    equal(complete(s, "report", RUN, ""), ([], ":none"), "there is no second")
    for odd in (["nonesuch", ""], ["--json", ""], ["report", "--nonesuch", ""], ["report", "--", "--"], ["", ""],
                ["report", "\x1b", "\n"], ["report"] * 3000, ["report", "x" * 100000], ["report", "-" * 70]):
        complete(s, *odd)
    s.infprof("complete")


@case
def names_of_ops(s):
    path = made(s)
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        for i, name in enumerate([*NAMES, "evil\x1b[2J", "two\nlines", "tab\tbed"]):
            db.execute("INSERT INTO op SELECT process, ?, ?, kernel, library, kind, hot, threads FROM op WHERE op = 5 "
                       "AND process = 0", (1000 + i, name))
    offered, _ = complete(s, "report", "--filter", "")
    check(set(NAMES) <= set(offered), offered)
    check(not any("evil" in o or "two" in o or "tab" in o for o in offered), offered)
    equal(complete(s, "pause", "--op", "MUL_MAT (")[0], ["MUL_MAT (a:b)"], "begun")
    equal(complete(s, "report", "--filter", "MUL", "nonesuch", "--filter", "")[0], [], "of a run that is not there")
    equal(complete(s, "report", path, "--filter", "it")[0], ["it's"], "of a file")


@case
def processes(s):
    api = FakeApi(s.path("run/infprof/api.sock"))
    api.answers["GET /v1/status"] = {"schema": "infprof.status/1", "processes": [
        {"pid": 4711, "command": "./engine -m x", "state": "live"}, {"pid": 4712, "command": "old", "state": "ended"}]}
    try:
        equal(complete(s, "mark", "--pid", "")[0], ["4711"], "those that run")
        check("4711" in complete(s, "pause", "4")[0], "RUN|PID")
        equal(complete(s, "mark", "--pid", "9")[0], [], "none that begins so")
    finally:
        api.close()


@case
def a_broken_daemon_is_not_waited_for(s):
    made(s)
    os.makedirs(s.path("run/infprof"), mode=0o700)
    path = s.path("run/infprof/api.sock")
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(path)
        deaf.listen(8)
        best = min(timed(lambda: complete(s, "pause", "")) for _ in range(3))
        check("latest" in complete(s, "pause", "")[0], "what needs no daemon is there")
    print(f"# with a daemon that does not answer: {best * 1000:.0f} ms, process and all")
    check(best < 5, f"{best} s")
    os.unlink(path)
    with open(path, "wb"):
        complete(s, "pause", "")
    for env in ({"XDG_RUNTIME_DIR": "/nonesuch", "XDG_STATE_HOME": "/nonesuch", "HOME": None}, {"XDG_STATE_HOME": "/dev/null"}):
        check("latest" in complete(s, "pause", "", env=env)[0], env)
    with open(s.path(f"state/infprof/runs/{OLD}.infprof"), "wb") as f:
        f.write(b"SQLite format 3\0 and no more")
    check(OLD in complete(s, "report", "")[0], "one that cannot be read")
    os.unlink(made(s))
    equal(complete(s, "report", "--filter", "")[0], [], "no ops to be had")


def timed(do):
    began = time.monotonic()
    do()
    return time.monotonic() - began


# In shells.

def in_a_shell(s, shell):
    path = made(s)
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        for i, name in enumerate(NAMES):
            db.execute("INSERT INTO op SELECT process, ?, ?, kernel, library, kind, hot, threads FROM op WHERE op = 5 "
                       "AND process = 0", (1000 + i, name))
    os.mkdir(s.path("folder"))
    with open(s.path("folder/a file.conditions"), "wb"):
        pass
    try:
        for line, wanted in (
                ("infprof repo\t", ["report"]),
                ("infprof report --fo\t", ["report", "--force"]),
                ("infprof report --by sha\t", ["report", "--by", "shape"]),
                ("infprof report --by=sha\t", ["report", "--by=shape"]),
                ("infprof report --by=\"sha\t", ["report", "--by=shape"]),
                (f"infprof report {RUN[:4]}\t", ["report", RUN]),
                ("infprof waits lat\t", ["waits", "latest"]),
                ("infprof diff fol\tx", ["diff", "folder/x"]),
                ("infprof memory --sections stacks,lea\t", ["memory", "--sections", "stacks,leaks"]),
                ("infprof check -f fold\ta\t", ["check", "-f", "folder/a file.conditions"]),
                ("infprof record -o x -- ./fold\t", ["record", "-o", "x", "--", "./folder"]),
                ("infprof help tok\t", ["help", "tokens"])):
            equal([word.rstrip("/") for word in shell.args(line)], wanted, repr(line))
        for name, begun in zip(NAMES, ("MUL_MAT\\ ", "a\\ ", "it", "say", "\\$H", "\\`", "x\\;", "k=v:", "back", "star")):
            equal(shell.args(f"infprof pause --op {begun}\t"), ["pause", "--op", name], f"{begun} to {name}")
        equal(shell.args("infprof pause --op 'MUL_MAT (a\t"), ["pause", "--op", "MUL_MAT (a:b)"], "in quotes")
        equal(shell.args('infprof pause --op "MUL_MAT (a\t'), ["pause", "--op", "MUL_MAT (a:b)"], "in double quotes")
        # nothing of a line is carried out; Ctrl-U gives it up
        shell.type("infprof report \"$(touch done)\" `touch done` --by s\t\t\x15")
        equal(shell.args("infprof wai\t"), ["waits"], "the next line")
        check(not os.path.exists(s.path("done")), "a command on the line was run by pressing Tab")
        equal(sorted(shell.args("infprof resume --" + shell.ALL)), ["--help", "--json", "--op", "resume"], "all")
        check(set(verbs(s)) <= set(shell.args("infprof " + shell.ALL)), "all verbs")
    finally:
        shell.close()


@case
def in_bash(s):
    in_a_shell(s, Bash(s, package=False))


@case
def in_bash_with_its_package(s):
    in_a_shell(s, Bash(s, package=True))


@case
def in_zsh(s):
    in_a_shell(s, Zsh(s))


@case
def installed_it_is_found(s):
    if not shutil.which("meson"):
        skip("there is no meson here")
    # what the build has, with prefix and all that was chosen; nothing is built for it
    s.run(["meson", "install", "-C", BUILD, "--destdir", s.path("root"), "--no-rebuild"], preload=False, timeout=120)
    found = {os.path.relpath(os.path.join(f, n), s.path("root")) for f, _, names in os.walk(s.path("root")) for n in names}
    share = next(f for f in found if f.endswith("share/bash-completion/completions/infprof")).split("bash-completion")[0]
    for name in ("zsh/site-functions/_infprof", "infprof/categories/builtin.rules"):
        check(share + name in found, f"{name} in {found}")
    if os.path.exists(os.path.join(BUILD, "doc/infprof.1")):
        for page in ("man1/infprof.1", "man8/infprofd.8", "man5/infprof-runfile.5", "man7/infprof-api.7"):
            check(f"{share}man/{page}" in found, page)
    # as bash-completion does by itself, at the first Tab
    shell = Bash(s, package=True, script=None, env={"XDG_DATA_DIRS": s.path("root/" + share)})
    try:
        equal(shell.args("infprof repo\t"), ["report"], "loaded when it is needed")
    finally:
        shell.close()


main()
