# SPDX-License-Identifier: MIT
"""infprof export --pprof: read by the real `go tool pprof`, number by number."""

import contextlib
import gzip
import json
import math
import os
import re
import shutil
from collections import Counter, defaultdict

import memory_docs
from fake_api import FakeApi
from harness import case, check, equal, main, one_line, skip
from memory_docs import document, frame, stack

VALUES = {"alloc_objects": "alloc_objects", "alloc_space": "alloc_bytes", "inuse_objects": "inuse_objects",
          "inuse_space": "inuse_bytes"}


@contextlib.contextmanager
def serving(s, *documents):
    api = FakeApi(s.path("run/infprof/api.sock"))
    for i, doc in enumerate(documents):
        api.answers[f"GET /v1/runs/x{i}/memory"] = doc
    try:
        yield api
    finally:
        api.close()


def export(s, doc, what="heap", name="p.pb.gz"):
    with serving(s, doc):
        s.infprof("export", "--pprof", what, "-o", s.path(name), "x0")
    return s.path(name)


def pprof(s, *args):
    go = shutil.which("go")
    if not go:
        skip("there is no go here")
    return s.run([go, "tool", "pprof", "-symbolize=none", *args], preload=False, timeout=120, env={
        "GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOTOOLCHAIN": "local", "PPROF_TMPDIR": s.path("tmp"),
        "PPROF_BINARY_PATH": s.path("tmp"), "GOCACHE": s.path("tmp/go"), "GOPATH": s.path("tmp/gopath")}).stdout


class Raw:
    """What -raw prints, as data."""

    def __init__(self, text):
        head, rest = text.split("Samples:\n")
        samples, rest = rest.split("Locations\n")
        locations, mappings = rest.split("Mappings\n")
        self.head = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
        lines = samples.splitlines()
        self.types = lines[0].split()
        self.samples, self.locations, self.mappings = [], {}, {}
        for line in lines[1:]:
            numbers = re.match(r"^ *((?:-?\d+ +)*-?\d+): ((?:\d+ )*)$", line)
            if numbers:
                self.samples.append({"values": [int(v) for v in numbers[1].split()],
                                     "locations": [int(v) for v in numbers[2].split()], "labels": {}})
            else:
                self.samples[-1]["labels"].update(re.findall(r"(\w+):\[([^\]]*)\]", line))
        number = None
        for line in locations.splitlines():
            first = re.match(r"^ +(\d+): (0x[0-9a-f]+) (?:M=(\d+) )?(.*)$", line)
            if first:
                number = int(first[1])
                self.locations[number] = {"mapping": int(first[3] or 0), "lines": []}
            where = re.match(r"(.*) (\S*):(\d+) s=\d+(?:\((.*)\))?$", first[4] if first else line.strip())
            # A name that was shortened has the whole one behind it.
            self.locations[number]["lines"].append((where[4] or where[1], where[2], int(where[3])))
        for line in mappings.splitlines():
            m = re.match(r"^(\d+): 0x0/0x0/0x0 (\S+) (\S*) (\[FN\]\S*)$", line)
            self.mappings[int(m[1])] = (m[2], m[3])


def whole(value):
    """Rounded as C does it: halves away from zero."""
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def name_of(f):
    return f["function"] or (f["library"] if f["library"].startswith("[") else
                             f"{os.path.basename(f['library'])}+{f['offset']:#x}")


def missing(st):
    for key, text in (("other", "[table of stacks full]"), ("one", "[only the caller is known]"),
                      ("cut", "[outer frames missing]")):
        if st.get(key):
            return [text]
    return []


def names_of(st):
    """All logical frames, leaf first."""
    return ([f"[op {st['op']}]"] if st["op"] else []) + [name_of(f) for f in st["frames"]] + missing(st)


@case
def raw_is_the_document(s):
    doc = memory_docs.llama()
    raw = Raw(pprof(s, "-raw", export(s, doc)))
    equal(raw.types, ["alloc_objects/count", "alloc_space/bytes", "inuse_objects/count", "inuse_space/bytes[dflt]"],
          "types, in Go's order")
    equal((raw.head["PeriodType"], raw.head["Period"]), ("space bytes", "524288"), "period")
    equal(raw.head["Comment"], f"infprof run {memory_docs.RUN}: {doc['run']['command']}", "comment")
    equal((raw.head["Time"], raw.head["Duration"]), ("2026-11-20 19:45:00.25 +0000 UTC", "12.5"), "time")
    got = []
    for sample in raw.samples:
        lines = [line for n in sample["locations"] for line in raw.locations[n]["lines"]]
        got.append((tuple(sample["values"]), tuple(name for name, _, _ in lines), sample["labels"].get("phase"),
                    sample["labels"].get("category"), sample["labels"].get("op")))
    wanted = [(tuple(whole(st[m]) for m in VALUES.values()), tuple(names_of(st)), st["phase"], st["category"],
               st["op"]) for st in doc["stacks"]]
    equal(len(got), len(wanted), "samples")
    equal(list((Counter(got) - Counter(wanted)).items())[:2], [], "samples that are not in the document")
    equal(raw.mappings[1][0], memory_docs.EXE, "the program comes first")
    equal({m[0] for m in raw.mappings.values()}, {f["library"] for st in doc["stacks"] for f in st["frames"]}, "mappings")


@case
def inlined_frames_are_lines_of_one_location(s):
    frames = [frame("a", inlined=True, file="/s/a.h", line=1), frame("b", inlined=True, file="/s/b.h", line=2),
              frame("c", file="/s/c.c", line=3), frame("main", file="/s/m.c", line=4)]
    doc = document([stack(frames, 100.0), stack(frames[2:], 10.0), stack(frames[:2], 1.0, cut=True)])
    raw = Raw(pprof(s, "-raw", export(s, doc)))
    by_value = {sample["values"][1]: [raw.locations[n]["lines"] for n in sample["locations"]] for sample in raw.samples}
    a, b, c, m = ("a", "/s/a.h", 1), ("b", "/s/b.h", 2), ("c", "/s/c.c", 3), ("main", "/s/m.c", 4)
    equal(by_value, {100: [[a, b, c], [m]], 10: [[c], [m]], 1: [[a, b], [("[outer frames missing]", "", 0)]]}, "lines")


def flat_and_cum(doc, member):
    flat, cum = defaultdict(int), defaultdict(int)
    for st in doc["stacks"]:
        names, value = names_of(st), whole(st[member])
        flat[names[0]] += value
        for name in set(names):
            cum[name] += value
    return flat, cum


@case
def top_of_all_four_values(s):
    doc = memory_docs.llama()
    path = export(s, doc)
    for index, member in VALUES.items():
        unit = [] if "objects" in index else ["-unit=B"]
        text = pprof(s, "-top", "-nodecount=100000", "-nodefraction=0", "-edgefraction=0", *unit,
                     f"-sample_index={index}", path)
        equal(re.search(r"^Type: (\w+)$", text, re.M)[1], index, "type")
        total = int(re.search(r"of (\d+)B? total", text)[1])
        equal(total, sum(whole(st[member]) for st in doc["stacks"]), f"total of {index}")
        flat, cum = flat_and_cum(doc, member)
        rows = re.findall(r"^ *(\d+)B? +\S+% +\S+% +(\d+)B? +\S+%  (.*?)(?: \(inline\))?$", text, re.M)
        equal({name: (int(f), int(c)) for f, c, name in rows},
              {name: (flat[name], cum[name]) for name in cum if flat[name] or cum[name]}, f"rows of {index}")


@case
def which_value_comes_first(s):
    for what, wanted in (("heap", "inuse_space"), ("allocs", "alloc_space")):
        text = pprof(s, "-top", export(s, memory_docs.llama(), what, f"{what}.pb.gz"))
        equal(re.search(r"^Type: (\w+)$", text, re.M)[1], wanted, what)
        equal(re.search(r"^File: (.*)$", text, re.M)[1], "llama-driver", "program")


@case
def labels_can_be_asked_for(s):
    doc = memory_docs.llama()
    path = export(s, doc)
    for key, value in (("phase", "decode"), ("category", "tokenisation"), ("op", "MUL_MAT")):
        text = pprof(s, "-top", "-unit=B", "-sample_index=alloc_space", f"-tagfocus={key}={value}", path)
        wanted = sum(whole(st["alloc_bytes"]) for st in doc["stacks"] if st[key] == value)
        equal(int(re.search(r"accounting for (\d+)B", text)[1] if key != "op" else wanted), wanted, f"{key}={value}")


@case
def hostile_names(s):
    names = ["<script>", "a;b\nc\x1b[2J", "κάτι 漢字", "x" * 5000, "%s%n", "\u0085", "std::f<A<B> >(int)"]
    doc = document([stack([frame(n, library=f"/l/{i} \"&.so"), frame("main")], 10.0 ** (i + 1), op=n, category=n)
                    for i, n in enumerate(names)])
    doc["run"]["command"] = "a\nb"
    doc["run"]["started_at"] = "nonsense"
    text = pprof(s, "-raw", export(s, doc))
    check("Comment: infprof run" in text and "a?b" in text, "comment is one line")
    top = pprof(s, "-top", "-nodecount=1000", "-nodefraction=0", "-unit=B", "-sample_index=alloc_space", s.path("p.pb.gz"))
    for i, n in enumerate(names):
        clean = "".join("?" if ord(c) < 32 else c for c in n).replace("\u0085", "??")
        check(re.search(rf"^ *{10 ** (i + 1)}B .*  \[op {re.escape(clean)}\]$", top, re.M), f"{n!r} in {top}")


@case
def build_ids_of_files_that_did_not_change(s):
    exe = s.cli
    doc = document([stack([frame("main", library=exe), frame("f", library=s.path("none.so")), frame("g", library="/dev/null")], 10.0)])
    doc["run"]["started_at"] = "2099-01-01T00:00:00Z"
    raw = Raw(pprof(s, "-raw", export(s, doc)))
    with open(exe, "rb") as f:
        data = f.read()
    note = data.find(b"\4\0\0\0\x14\0\0\0\3\0\0\0GNU\0")
    wanted = data[note + 16:note + 36].hex() if note >= 0 else ""
    equal(dict(raw.mappings.values()), {exe: wanted, s.path("none.so"): "", "/dev/null": ""}, "build ids")
    doc["run"]["started_at"] = "2001-01-01T00:00:00Z"
    raw = Raw(pprof(s, "-raw", export(s, doc)))
    equal(dict(raw.mappings.values())[exe], "", "the file is newer than the run")


@case
def between_marks(s):
    doc = document([stack([frame("main")], 10.0, inuse=-0.5)],
                   window={"from": "a", "to": None, "from_ns": 2_000_000_000, "to_ns": 5_500_000_000})
    with serving(s) as api:
        api.answers["GET /v1/runs/x/memory?from=a"] = doc
        s.infprof("export", "--pprof", "heap", "--from", "a", "-o", s.path("w.pb.gz"), "x")
    raw = Raw(pprof(s, "-raw", s.path("w.pb.gz")))
    equal((raw.head["Time"], raw.head["Duration"]), ("2026-11-20 19:45:02.25 +0000 UTC", "3.5s"), "time")
    equal(raw.samples[0]["values"][3], -5, "less may be in use than before")


@case
def what_is_not_known_is_nothing(s):
    doc = document([stack([frame("main")], 10.0), stack([], 1.0, other=True, inuse_bytes=None, inuse_objects=None)])
    raw = Raw(pprof(s, "-raw", export(s, doc)))
    equal([sample["values"] for sample in raw.samples], [[1, 10, 0, 0], [1, 1, 0, 0]], "values")


@case
def made_up_documents_are_as_the_schema_says(s):
    import jsonschema
    with open(s.source("doc/memory.schema.json"), encoding="utf-8") as f:
        schema = json.load(f)
    validator = jsonschema.Draft202012Validator({"$ref": "#/$defs/stack", "$defs": schema["$defs"]})
    for st in memory_docs.llama()["stacks"]:
        validator.validate(st)


@case
def files_and_errors(s):
    with serving(s, memory_docs.llama(), document([]), document([], heap_interval_bytes=None)):
        s.infprof("export", "--pprof", "heap", "-o", s.path("a"), "x0")
        with open(s.path("a"), "rb") as f:
            data = f.read()
        gzip.decompress(data)
        with open(s.infprof("export", "--pprof", "heap", "x0").out_path, "rb") as f:
            equal(f.read(), data, "stdout, the same again")
        for code, args in ((2, ["x0"]), (2, ["--pprof", "cpu", "x0"]), (2, ["--pprof"]), (2, ["--bogus"]),
                           (2, ["--pprof", "heap", "x0", "x0"]), (3, ["--pprof", "heap", "nonesuch"]),
                           (3, ["--pprof", "heap", "x1"]), (3, ["--pprof", "allocs", "x2"]),
                           (1, ["--pprof", "heap", "-o", s.path("none/a"), "x0"]),
                           (1, ["--pprof", "heap", "-o", "/dev/full", "x0"])):
            run = s.infprof("export", *args, code=code)
            one_line(run.stderr, " ".join(args))
            equal(run.stdout, "", "stdout")


main()
