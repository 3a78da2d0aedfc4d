# SPDX-License-Identifier: MIT
"""infprof flame: the picture is taken apart, and its script is tried in a real browser.

INFPROF_TEST_PICTURES=DIR keeps what the browser shows there, as PNG."""

import contextlib
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import xml.etree.ElementTree as ET

import memory_docs
import wait_docs
from fake_api import FakeApi
from harness import case, check, equal, main, near, one_line, skip
from memory_docs import document, frame, stack

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = ["<script>alert(1)</script>", "]]><x/>&amp;\"'", "a;b\nc\td\x1b[2J", "std::map<int, A<B> >::operator[](int&&)",
           "κάτι 漢字 \U0001f600", "\u0085\u2028\ufffe\x7f", "x" * 5000, "(anonymous namespace)::f(char const*)", " ", "%s%n"]


@contextlib.contextmanager
def serving(s, *documents):
    """Runs x0, x1, ... as a daemon that is none tells them."""
    api = FakeApi(s.path("run/infprof/api.sock"))
    for i, doc in enumerate(documents):
        api.answers[f"GET /v1/runs/x{i}/memory"] = doc
    try:
        yield api
    finally:
        api.close()


def flame(s, *args, **more):
    return s.infprof("flame", *args, **more).stdout


def refused(s, code, *args):
    run = s.infprof("flame", *args, code=code)
    one_line(run.stderr, " ".join(args))
    equal(run.stdout, "", "stdout")
    return run.stderr


def folded(text):
    return [(line.rsplit(" ", 1)[0], int(line.rsplit(" ", 1)[1])) for line in text.splitlines()]


class Frame:
    def __init__(self, g):
        self.kind = g.get("class")
        self.about = g.find(f"{SVG}title").text.split("\n")
        self.name = self.about[0]
        rect = g.find(f"{SVG}rect")
        self.x, self.y, self.width = (float(rect.get(k)) for k in ("x", "y", "width"))
        self.begin = int(g.get("data-a"))
        self.value = int(g.get("data-v"))
        self.text = g.find(f"{SVG}text").text or ""
        self.children = []


def frames_of(text):
    """The frames of a picture, the root first, with children; all that must hold of any is checked."""
    root = ET.fromstring(text)
    check(not re.search(r'(?:href|src)=|@import|url\((?!#)', text.split("<script>")[0]), "nothing from outside")
    frames, path = [], []
    for g in root.find(f"{SVG}g[@id='frames']"):
        f = Frame(g)
        while path and path[-1].y <= f.y:
            path.pop()
        if path:
            equal(f.y, path[-1].y - 17, f"{f.name} stands on its parent")
            path[-1].children.append(f)
        path.append(f)
        frames.append(f)
    total = frames[0].value
    equal(int(root.get("data-total")), total, "total")
    height = float(root.get("height"))
    for f in frames:
        near(f.width, 1180 * f.value / total, 0.02 + 600 / total, f"width of {f.name}") if f.width > 2 else None
        check(f.x >= 9.99 and f.x + f.width <= 1190.02 and 60 <= f.y < height - 50, f"{f.name} is inside")
        end = f.begin
        for c in f.children:
            check(c.begin >= end, f"{c.name} begins where the one before ended")
            end = c.begin + c.value
        check(end <= f.begin + f.value, f"children of {f.name} fit into it")
        check(len(f.text) * 7.25 <= max(f.width, 3), f"text {f.text} fits into {f.width}")
    return frames


# What is drawn.

@case
def widths_sum_to_their_parents(s):
    doc = memory_docs.llama()
    with serving(s, doc):
        for option, member in (("--alloc", "alloc_bytes"), ("--heap", "inuse_bytes")):
            for more, key in (([], member), (["--objects"], member.replace("bytes", "objects"))):
                frames = frames_of(flame(s, option, *more, "x0"))
                total = sum(st[key] for st in doc["stacks"])
                check(abs(frames[0].value - total) < 1, f"total of {key}: {frames[0].value}, wanted {total}")
                equal(frames[0].name, "all", "root")
                for f in frames:
                    if f.name != "main" or f.kind != "frame":
                        continue
                    wanted = sum(st[key] for st in doc["stacks"] if any(x["function"] == "main" for x in st["frames"]))
                    check(abs(f.value - wanted) <= 1, f"main: {f.value}, wanted {wanted}")
                own = sum(f.value - sum(c.value for c in f.children) for f in frames)
                equal(own, frames[0].value, f"what frames have for themselves, {key}")


@case
def kinds_of_frames(s):
    doc = memory_docs.llama()
    with serving(s, doc):
        frames = frames_of(flame(s, "--alloc", "--by-phase", "x0"))
        equal({f.kind for f in frames}, {"root", "phase", "frame", "inlined", "op", "note"}, "kinds")
        equal(sorted(f.name for f in frames if f.kind == "phase"),
              sorted({st["phase"] for st in doc["stacks"]}), "phases")
        check(all(not f.children for f in frames if f.kind == "op"), "ops are leaf-most")
        equal({f.name for f in frames if f.kind == "op"}, {f"[op {st['op']}]" for st in doc["stacks"] if st["op"]}, "ops")
        check(any("inlined into the function below" in f.about for f in frames if f.kind == "inlined"), "said")
        check(any("libllama.so" in f.about for f in frames), "library")
        for phase in ("load", "prefill", "decode"):
            got = frames_of(flame(s, "--alloc", "--phase", phase, "x0"))[0].value
            wanted = sum(st["alloc_bytes"] for st in doc["stacks"] if st["phase"] == phase)
            check(abs(got - wanted) < 1, f"{phase}: {got}, wanted {wanted}")


@case
def folded_lines_sum_to_the_total(s):
    doc = memory_docs.llama()
    with serving(s, doc):
        for option, key in (("--alloc", "alloc_bytes"), ("--heap", "inuse_bytes")):
            lines = folded(flame(s, option, "--folded", "x0"))
            total = sum(st[key] for st in doc["stacks"])
            check(abs(sum(n for _, n in lines) - total) <= len(lines), f"sum of {key}")
            equal(len({name for name, _ in lines}), len(lines), "a line a stack")
        lines = dict(folded(flame(s, "--alloc", "--folded", "x0")))
        for st in doc["stacks"]:
            if st["op"] != "MUL_MAT" or st["phase"] != "decode":
                continue
            names = [f["function"] + ("_[i]" if f["inlined"] else "") for f in reversed(st["frames"])]
            both = sum(o["alloc_bytes"] for o in doc["stacks"] if o["op"] == "MUL_MAT")
            near(lines[";".join(names + ["[op MUL_MAT]"])], both, 1e-6, "both phases of one stack")


@case
def hostile_names(s):
    stacks = [stack([frame(name), frame("main")], 1000.0 * (i + 1), op=name, phase="decode")
              for i, name in enumerate(HOSTILE)]
    doc = document(stacks)
    doc["run"]["command"] = "./a '<b>' \x1b[2J & ]]>"
    with serving(s, doc):
        text = flame(s, "--alloc", "-t", "<T> & \x07", "x0")
        frames = frames_of(text)
        equal(frames[0].value, int(sum(st["alloc_bytes"] for st in stacks)), "total")
        equal(len([f for f in frames if f.kind == "op"]), len(HOSTILE), "each is there")
        check(not any(ord(c) < 32 and c != "\n" for c in text), "no control characters")
        check("<T> & ?" == ET.fromstring(text).find(f"{SVG}title").text, "title")
        lines = flame(s, "--alloc", "--folded", "x0").split("\n")
        equal(len(lines), len(HOSTILE) + 1, "lines")
        check(all(line.count(";") == 2 and line.rsplit(" ", 1)[1].isdigit() for line in lines[:-1]), "form")


@case
def thousands_of_frames(s):
    stacks = [stack([frame(f"f{i % 7}_{d}_{i // 7 if d < 3 else 0}") for d in range(128)], 10.0 + i, op=None)
              for i in range(350)]
    with serving(s, json.dumps(document(stacks)).encode()):
        text = flame(s, "--alloc", "x0")
        equal(len(frames_of(text)), 1 + 7 * 125 + 350 * 3, "frames")
        deep = frames_of(text)
        equal(len({f.y for f in deep}), 129, "rows")
    wide = [stack([frame(f"leaf{i}"), frame("main")], 10.0 + i % 10) for i in range(30000)]
    with serving(s, json.dumps(document(wide)).encode()):
        frames = frames_of(flame(s, "--alloc", "x0"))
        check(10000 < len(frames) <= 20000, f"{len(frames)} of 30000 are drawn")
        equal(frames[0].value, int(sum(st["alloc_bytes"] for st in wide)), "the sum stays")


# Waits, and time off the CPU.

def serve_times(api):
    api.answers["GET /v1/runs/t/waits"] = wait_docs.waits()
    api.answers["GET /v1/runs/t/threads"] = wait_docs.threads()
    api.answers["GET /v1/runs/none/waits"] = {**wait_docs.waits(), "sites": []}
    api.answers["GET /v1/runs/none/threads"] = {**wait_docs.threads(), "off_cpu": []}


@case
def time_that_threads_waited(s):
    with serving(s) as api:
        serve_times(api)
        for option, doc, key, leaf in (("--waits", wait_docs.waits(), "sites", "kind"),
                                       ("--offcpu", wait_docs.threads(), "off_cpu", "block")):
            stacks = doc[key]
            text = flame(s, option, "--by-phase", "t")
            frames = frames_of(text)
            equal(frames[0].value, sum(st["total_ns"] for st in stacks), f"total of {option}")
            equal({f.name for f in frames if f.kind == "wait"}, {f"[{st[leaf]}]" for st in stacks}, "what was waited for")
            check(all(not f.children for f in frames if f.kind == "wait"), "it is leaf-most")
            check({f.name for f in frames if f.kind == "op"} == {f"[op {st['op']}]" for st in stacks if st["op"]}, "ops")
            check('data-unit="ns"' in text and f"{frames[0].value} ns" not in text, "time as people read it")
            equal(sum(n for _, n in folded(flame(s, option, "--folded", "t"))), frames[0].value, "folded")
            for kind in {st[leaf] for st in stacks}:
                wanted = sum(st["total_ns"] for st in stacks if st[leaf] == kind)
                equal(frames_of(flame(s, option, "--kind", kind, "t"))[0].value, wanted, kind)
            for phase in {st["phase"] for st in stacks}:
                wanted = sum(st["total_ns"] for st in stacks if st["phase"] == phase)
                equal(frames_of(flame(s, option, "-p", phase, "t"))[0].value, wanted, phase)
        lines = dict(folded(flame(s, "--waits", "--folded", "t")))
        check("on_request(int);task_queue::push(task&&);[mutex]" in lines, f"{lines}")
        check("[only the caller is known];ggml_graph_compute;[op ggml_graph_compute];[join]" in lines, f"{lines}")


@case
def time_that_is_asked_for_wrongly(s):
    with serving(s) as api:
        serve_times(api)
        for args, said in ((["--waits", "--heap"], "exclude"), (["--waits", "--offcpu"], "exclude"),
                           (["--waits", "--objects"], "--objects"), (["--waits", "--from", "x"], "--from"),
                           (["--offcpu", "--to", "x"], "--to"), (["--waits", "--kind", "io"], "one of: mutex"),
                           (["--offcpu", "--kind", "mutex"], "one of: futex"), (["--heap", "--kind", "mutex"], "--kind")):
            check(said in refused(s, 2, *args, "t"), f"{args}: {refused(s, 2, *args, 't')}")
        check("--waits off" in refused(s, 3, "--waits", "none"), "why there are none")
        check("record --offcpu" in refused(s, 3, "--offcpu", "none"), "how to get them")
        check("no sleep wait was seen" in refused(s, 3, "--waits", "--kind", "sleep", "t"), "of that kind")
        check("in phase load" in refused(s, 3, "--waits", "--phase", "load", "t"), "in that phase")
        check("nonesuch" in refused(s, 3, "--waits", "nonesuch"), "no such run")


# Files, runs, and what is wrong.

@case
def where_it_goes(s):
    with serving(s, memory_docs.llama(), document([stack([frame("main")], 1000.0, inuse=1)])):
        flame(s, "--heap", "-o", s.path("a.svg"), "x0")
        with open(s.path("a.svg"), encoding="utf-8") as f:
            text = f.read()
        equal(flame(s, "--heap", "x0"), text, "stdout")
        equal(flame(s, "--heap", "-o", "-", "x0"), text, "-o -")
        check("No such file" in refused(s, 1, "--heap", "-o", s.path("none/a.svg"), "x0"), "said")
        check("No space" in refused(s, 1, "--heap", "-o", "/dev/full", "x0"), "full")
        ours, theirs = pty.openpty()
        for args, code in ((["--heap"], 2), (["--heap", "--folded"], 0)):
            got = subprocess.run([s.cli, "flame", *args, "x1"], env=s.env(), stdout=theirs, stderr=subprocess.PIPE,
                                 text=True, check=False, timeout=30)
            equal(got.returncode, code, f"{args} on a terminal")
            if code:
                one_line(got.stderr, "on a terminal")
                check("-o" in got.stderr, "what to do")
        os.close(theirs)
        os.close(ours)


@case
def what_is_typed_wrongly(s):
    with serving(s, memory_docs.llama()):
        for args in ([], ["--heap", "--alloc"], ["--heap", "--phase", "moon"], ["--heap", "--bogus"], ["--heap", "-o"],
                     ["--heap", "x0", "x0"]):
            refused(s, 2, *args)
    check("nonesuch" in refused(s, 3, "--heap", "nonesuch"), "no such run")


@case
def nothing_to_draw(s):
    freed = document([stack([frame("main")], 1000.0)])
    with serving(s, document([], heap_interval_bytes=None), document([]), freed) as api:
        check("sampling was off" in refused(s, 3, "--alloc", "x0"), "off")
        check("nothing was sampled" in refused(s, 3, "--alloc", "x1"), "none")
        check("--alloc" in refused(s, 3, "--heap", "x2"), "all is freed")
        check("prefill" in refused(s, 3, "--alloc", "--phase", "prefill", "x2"), "none in that phase")
        frames_of(flame(s, "--alloc", "x2"))
        equal([path for _, path, _ in api.requests], [f"/v1/runs/x{i}/memory" for i in (0, 1, 2, 2, 2)], "asked")


@case
def marks_are_passed_on(s):
    window = document([stack([frame("main")], 1000.0, inuse=1), stack([frame("f")], 500.0, inuse=-2)],
                      window={"from": "a b", "to": "é&", "from_ns": 1, "to_ns": 2})
    with serving(s) as api:
        api.answers["GET /v1/runs/x/memory?from=a b&to=é&"] = window
        api.answers["GET /v1/runs/x/memory?to=z"] = window
        text = flame(s, "--heap", "--from", "a b", "--to", "é&", "x")
        equal(frames_of(text)[0].value, 1000, "what is negative is left out")
        about = ET.fromstring(text).find(f"{SVG}desc").text
        check("from mark a b" in about and "up to mark é&" in about, about)
        check("1000B more freed than allocated" in about, about)
        flame(s, "--heap", "--to", "z", "x")


@case
def it_is_read_without_a_script(s):
    rsvg = shutil.which("rsvg-convert")
    if not rsvg:
        skip("there is no rsvg-convert here")
    with serving(s, memory_docs.llama()):
        flame(s, "--alloc", "-o", s.path("a.svg"), "x0")
    s.run([rsvg, "-o", s.path("a.png"), s.path("a.svg")], preload=False)
    with open(s.path("a.png"), "rb") as f:
        head = f.read(24)
    height = float(ET.parse(s.path("a.svg")).getroot().get("height"))
    equal(struct.unpack(">II", head[16:]), (1200, int(height)), "size of the picture")


# In a browser.

DRIVER = """
(() => {
  const said = [], $ = (id) => document.getElementById(id);
  const all = Array.from($('frames').children);
  const by = (name) => all.find((g) => g.querySelector('title').textContent.split('\\n')[0] === name);
  const shown = () => all.filter((g) => g.style.display !== 'none');
  const click = (e) => e.dispatchEvent(new MouseEvent('click', {bubbles: true}));
  const over = (e) => e.dispatchEvent(new MouseEvent('mouseover', {bubbles: true}));
  const key = (k, more) => (document.activeElement || document.documentElement).dispatchEvent(
    new KeyboardEvent('keydown', {key: k, bubbles: true, cancelable: true, ...more}));
  const type = (text) => { const i = document.querySelector('input'); i.value = text; i.dispatchEvent(new Event('input')); };
  const width = (g) => Number(g.querySelector('rect').getAttribute('width'));
  const x = (g) => Number(g.querySelector('rect').getAttribute('x'));
  const cursor = () => { const g = document.querySelector('.cursor'); return g && g.querySelector('title').textContent.split('\\n')[0]; };
  const visible = (id) => $(id).style.display !== 'none';
  const say = (name, value) => said.push([name, value]);
  window.onerror = (message) => say('error', message);
  try { SCRIPT } catch (e) { say('error', String(e)); }
  document.documentElement.setAttribute('data-said', JSON.stringify(said));
})();
"""


def browser(s, text, script, size="1200,600", picture=None):
    """What the script said in a browser, as {name: value}."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        skip("there is no chromium here")
    folder = s.path(f"browser.{len(s.commands)}")
    os.mkdir(folder)
    page = os.path.join(folder, "page.svg")
    with open(page, "w", encoding="utf-8") as f:
        f.write(text.replace("</svg>", f"<script><![CDATA[{DRIVER.replace('SCRIPT', script)}]]></script></svg>"))
    common = [chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
              "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder}/profile", f"--window-size={size}",
              "--virtual-time-budget=3000"]
    run = s.run([*common, "--dump-dom", f"file://{page}"], preload=False, timeout=100)
    got = re.search(r'data-said="([^"]*)"', run.stdout)
    check(got, f"the browser said nothing: {run.stdout[-500:]} {run.stderr[-1500:]}")
    keep = os.environ.get("INFPROF_TEST_PICTURES")
    if keep and picture:
        s.run([*common, f"--screenshot={os.path.abspath(keep)}/{picture}.png", f"file://{page}"], preload=False,
              timeout=100)
    said = dict(json.loads(got[1].replace("&quot;", '"').replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")))
    check("error" not in said, f"script: {said.get('error')}")
    return said


@case
def zoom_in_a_browser(s):
    with serving(s, memory_docs.llama()):
        text = flame(s, "--alloc", "x0")
    frames = {f.name: f for f in frames_of(text)}
    said = browser(s, text, """
        say('frames', shown().length); say('reset before', visible('reset')); say('search', visible('search'));
        over(by('main').querySelector('rect')); say('details', $('details').textContent);
        click(by('llama_decode').querySelector('rect'));
        say('decode', [x(by('llama_decode')), width(by('llama_decode'))]); say('main', width(by('main')));
        say('below', by('main').classList.contains('below')); say('reset', visible('reset'));
        say('gone', by('llama_tokenize').style.display); say('op', width(by('[op MUL_MAT]')));
        say('label', by('[op MUL_MAT]').querySelector('text').textContent);
        over(by('[op MUL_MAT]')); say('details zoomed', $('details').textContent);
        say('all', width(all[0])); say('inner', Number(document.documentElement.getAttribute('width')) - 20);
        key('Escape'); say('back', shown().length); say('reset after', visible('reset'));
        click(by('main')); click(by('llama_decode')); click($('reset').firstElementChild); say('by button', shown().length);
        click(by('llama_decode'));
        """, picture="zoom")
    inner = said["inner"]
    equal((said["reset before"], said["reset"], said["reset after"], said["search"]), (False, True, False, True), "buttons")
    near(said["decode"][1], inner, 1e-3, "what is zoomed to is as wide as all")
    equal(said["decode"][0], 10, "and begins at the left")
    equal((said["main"], said["below"], said["all"]), (said["decode"][1], True, said["decode"][1]), "what is below it too")
    equal(said["gone"], "none", "what is beside it is gone")
    near(said["op"], inner * frames["[op MUL_MAT]"].value / frames["llama_decode"].value, 1e-2, "what is above it")
    equal(said["label"], "[op MUL_MAT]", "with room, the label is whole")
    check(said["details"].startswith("main: ") and " %" in said["details"], said["details"])
    check("of what is zoomed to" in said["details zoomed"], said["details zoomed"])
    check(said["back"] == said["frames"] == said["by button"], f"all is back: {said}")


@case
def search_in_a_browser(s):
    doc = memory_docs.llama()
    with serving(s, doc):
        text = flame(s, "--alloc", "x0")
    total = sum(st["alloc_bytes"] for st in doc["stacks"])

    def share(pattern, flags=re.IGNORECASE):
        return 100 / total * sum(st["alloc_bytes"] for st in doc["stacks"] if any(
            re.search(pattern, name, flags) for name in
            ["all", f"[op {st['op']}]" if st["op"] else "", *(f["function"] or "" for f in st["frames"])]))

    patterns = ["operator new", "tokenize", "llama", "ggml_.*compute", "MUL_MAT", "mul_mat", "nothing at all", "(", "f(o"]
    said = browser(s, text, """
        key('f', {ctrlKey: true}); say('box', !!document.querySelector('input'));
        say('focus', document.activeElement === document.querySelector('input'));
        for (const p of %s) { type(p); say(p, $('matched').textContent); say('hits ' + p, document.querySelectorAll('.hit').length); }
        type('tokenize'); key('Enter'); say('at hit', cursor());
        key('Escape'); say('closed', !document.querySelector('input')); say('cleared', document.querySelectorAll('.hit').length);
        say('text cleared', $('matched').textContent);
        key('/'); say('slash', !!document.querySelector('input')); key('Escape');
        click($('search').firstElementChild); say('button', !!document.querySelector('input')); type('operator');
        """ % json.dumps(patterns), picture="search")
    for p in patterns:
        got = float(re.match(r"Matched: ([\d.]+) %", said[p])[1])
        regular = re.escape(p) if p in ("(", "f(o") else p
        wanted = share(regular, 0 if re.search("[A-Z]", p) else re.IGNORECASE)
        check(abs(got - wanted) < 0.02, f"{p}: {got} %, wanted {wanted}")
        equal(said[f"hits {p}"] > 0, wanted > 0, f"hits of {p}")
    check(all(said[k] for k in ("box", "focus", "closed", "slash", "button")), f"{said}")
    check("tokenize" in said["at hit"], said["at hit"])
    equal((said["cleared"], said["text cleared"]), (0, ""), "after Escape")


@case
def time_in_a_browser(s):
    doc = wait_docs.waits()
    with serving(s) as api:
        serve_times(api)
        text = flame(s, "--waits", "--by-phase", "t")
    said = browser(s, text, """
        key('/'); for (const p of ['MUL_MAT', 'push', 'join']) { type(p); say(p, $('matched').textContent); }
        key('Escape'); over(by('[barrier]')); say('zoomed', $('details').textContent);
        """, picture="waits")
    total = sum(st["total_ns"] for st in doc["sites"])
    for pattern, ns, text in (("MUL_MAT", 14_851_776_000, "14.85s"), ("push", 493_804_000, "493.8ms"), ("join", 90_900_000, "90.9ms")):
        equal(said[pattern], f"Matched: {100 * ns / total:.2f} %, {text}", pattern)
    check("[barrier]: 14.85s, 92.7" in said["zoomed"], said["zoomed"])


@case
def keyboard_in_a_browser(s):
    with serving(s, memory_docs.llama()):
        text = flame(s, "--alloc", "--by-phase", "x0")
    said = browser(s, text, """
        say('stops', all.filter((g) => g.getAttribute('tabindex') === '0').length);
        key('Home'); say('first', cursor());
        key('ArrowUp'); say('up', cursor());
        key('ArrowLeft'); say('left', cursor()); key('ArrowRight'); say('right', cursor());
        key('ArrowUp'); say('up again', cursor()); key('Enter'); say('zoomed', visible('reset'));
        say('width', width(document.querySelector('.cursor')) / width(all[0]));
        say('focused', document.activeElement === document.querySelector('.cursor'));
        key('ArrowDown'); say('down', cursor()); key('Escape'); say('reset', visible('reset')); say('root', cursor());
        say('stops after', all.filter((g) => g.getAttribute('tabindex') === '0').length);
        say('role', $('frames').getAttribute('role') + all[0].getAttribute('role'));
        key('f', {altKey: true}); say('untouched', !document.querySelector('input'));
        """)
    equal([said[k] for k in ("first", "up", "left", "right", "up again", "down", "root")],
          ["all", "load", "idle", "load", "_start", "load", "all"], "where the keys lead")
    equal((said["stops"], said["stops after"]), (1, 1), "one tab stop")
    check(said["zoomed"] and said["focused"] and not said["reset"] and said["untouched"], f"{said}")
    equal((said["width"], said["role"]), (1, "treetreeitem"), "zoomed by Enter")


@case
def it_fits_the_window(s):
    with serving(s, memory_docs.llama()):
        text = flame(s, "--alloc", "-t", "Memory of a run with a title", "x0")
    for size in ("800,500", "1900,500"):
        said = browser(s, text, """
            say('width', Number(document.documentElement.getAttribute('width'))); say('window', Math.floor(window.visualViewport.width));
            const ends = Array.from(document.querySelectorAll('text')).filter((t) => t.textContent &&
              t.getClientRects().length).map((t) => t.getBoundingClientRect());
            say('right', Math.max(...ends.map((r) => r.right))); say('left', Math.min(...ends.map((r) => r.left)));
            const over = all.filter((g) => g.style.display !== 'none' && g.querySelector('text').textContent &&
              g.querySelector('text').getComputedTextLength() > width(g));
            say('over', over.map((g) => g.querySelector('text').textContent));
            """, size=size, picture=f"width-{size.split(',')[0]}")
        equal(said["width"], said["window"], "as wide as the window")
        check(said["left"] >= 0 and said["right"] <= said["window"], f"text inside: {said}")
        equal(said["over"], [], "no text is wider than its frame")


@case
def hostile_names_in_a_browser(s):
    stacks = [stack([frame(name), frame("main")], 1000.0 * (i + 1), op=name) for i, name in enumerate(HOSTILE)]
    with serving(s, document(stacks)):
        text = flame(s, "--alloc", "x0")
    said = browser(s, text, """
        say('frames', all.length); say('scripts', document.querySelectorAll('script').length);
        for (const g of all) { over(g); click(g); }
        key('/'); type('<script>'); say('hit', document.querySelectorAll('.hit').length);
        """, picture="hostile")
    equal(said, {"frames": 2 + 2 * len(HOSTILE), "scripts": 2, "hit": 2}, "nothing came out of its place")


main()
