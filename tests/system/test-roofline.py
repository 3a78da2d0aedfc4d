# SPDX-License-Identifier: MIT
"""infprof roofline, of a run that never was: as it is printed and drawn; what is wrong with a file is said. For
that of real runs see test-roofline-live.py.

The pictures are in screens/. INFPROF_TEST_PAINT=1 paints them anew: look at the difference before it is
committed."""

import json
import os
import sqlite3
import xml.etree.ElementTree

from harness import case, check, equal, main, near, one_line
from pictures import fits_a_screen, on_terminal, picture

SVG = "{http://www.w3.org/2000/svg}"


def fixture(s, kind="whole"):
    path = s.path(f"{kind}.infprof")
    if not os.path.exists(path):
        s.run([s.built("tests/unit/make-run"), "--roof", kind, path], preload=False)
    return path


def document(s, *args):
    doc = json.loads(s.infprof("roofline", "--json", *args).stdout)
    s.validate(doc, "doc/roofline.schema.json")
    return doc


def refused(s, code, *args):
    run = s.infprof("roofline", *args, code=code)
    one_line(run.stderr, " ".join(args))
    equal(run.stdout, "", "stdout")
    return run.stderr


# A run that never was.

@case
def as_printed(s):
    path = fixture(s)
    for columns, more in ((80, []), (160, ["-n", "0"])):
        picture(s, f"roofline-{columns}", on_terminal(s, columns, "roofline", *more, path))
        picture(s, f"roofline-levels-{columns}", on_terminal(s, columns, "roofline", "--levels", *more, path))
        picture(s, f"roofline-cache-{columns}", on_terminal(s, columns, "roofline", "--cache", *more, path))
    for more in ([], ["--levels"], ["--cache"], ["--by", "op"]):
        fits_a_screen(s, "roofline", *more, path)
    for columns in (60, 80, 160):
        picture(s, f"report-{columns}-shape", on_terminal(s, columns, "report", "--by", "shape", path))
    check(">9.22E" in on_terminal(s, 160, "report", "--by", "shape", path), "what is more than can be told is marked")
    picture(s, "roofline-80-ascii", on_terminal(s, 80, "roofline", "-n", "0", path, LC_ALL="C"))
    picture(s, "roofline-80-phase", on_terminal(s, 80, "roofline", "--by", "phase", path))
    picture(s, "roofline-80-unmeasured", on_terminal(s, 80, "roofline", fixture(s, "unmeasured")))
    for columns in (40, 80, 160):
        for more in ([], ["--levels"], ["--cache"], ["--by", "op"]):
            text = on_terminal(s, columns, "roofline", *more, path)
            check(columns == 40 or max(map(len, text.splitlines())) <= columns, f"{columns} columns: {text}")


@case
def phases_and_sums(s):
    path = fixture(s)
    doc = document(s, path)
    text = s.infprof("roofline", "--phase", "prefill", path).stdout
    check("prefill" in text and " decode  " not in text, text)
    line = next(x for x in s.infprof("roofline", "--by", "phase", path).stdout.splitlines() if x.endswith("prefill"))
    check("30.00ms" in line and "compute" in line and "71.6%" in line, line)
    # all of decode at its roof: 100 ms less what each row could save
    saved = sum(max(0, r["wall_ns"] - r["at_roof_ns"]) for r in doc["rows"] if r["phase"] == "decode" and r["bound"])
    line = next(x for x in s.infprof("roofline", "--by", "phase", path).stdout.splitlines() if x.endswith("decode"))
    check(f"{10 / (0.1 - saved * 1e-9):.0f}" in line, (line, saved))


@case
def a_picture(s):
    path, out = fixture(s), s.path("r.svg")
    equal(s.infprof("roofline", "--svg", out, path).stdout, "", "stdout")
    tree = xml.etree.ElementTree.parse(out)
    rows = [r for r in document(s, path)["rows"] if r["intensity"] and r["gflops"]]
    dots = [c for c in tree.iter(SVG + "circle") if c.get("class") == "dot"]
    equal(len(dots), len(rows), "dots")
    tips = "\n".join(c.find(SVG + "title").text for c in dots)
    check("MUL_MAT q8_0[4096,4096] x f32[4096,1]" in tips and "bound: memory" in tips, tips)
    areas = sorted(float(c.get("r")) ** 2 for c in dots)
    near(areas[-3] / areas[-1], 2 / 3, 0.01, "areas are as times: 30 ms, 30 ms and 20 ms")
    text = " ".join("".join(t.itertext()) for t in tree.iter(SVG + "text"))
    for ceiling in ("L1 2.00k GB/s", "memory 16 GB/s", "f32 200 GFLOP/s", "int8 800 GFLOP/s"):
        check(ceiling in text, f"{ceiling} in {text}")
    equal(s.infprof("roofline", "--svg", "-", path).stdout.startswith("<?xml"), True, "to stdout")
    bare = s.infprof("roofline", "--svg", "-", fixture(s, "nowhere")).stdout
    check("not known" in bare and "class=\"slope\" " not in bare, "without ceilings there are only dots")
    refused(s, 1, "--svg", s.path("no/r.svg"), path)
    check("no op of which" in refused(s, 1, "--svg", out, "--phase", "idle", path), "nothing to draw")
    s.run([s.built("tests/unit/make-run"), s.path("plain.infprof")], preload=False)
    refused(s, 1, "--svg", "-", s.path("plain.infprof"))


@case
def what_is_typed_wrongly(s):
    for verb in ("roofline", "layers"):
        got = s.infprof(verb, "--svg", "-", "--json", fixture(s), code=None)
        equal(got.returncode, 2, f"{verb}: a picture and a document at once")
        one_line(got.stderr, verb)
    path = fixture(s)
    for args in (["--by", "thread"], ["--phase", "decoding"], ["--levels", "--by", "op", path], ["--cache", "--by", "phase", path],
                 ["-n", "x"], ["--svg"], ["--bogus"], [path, path]):
        refused(s, 2, *args)
    refused(s, 3, "no-such-run")
    refused(s, 3, s.path("none.infprof"))
    text = s.infprof("roofline", "--help").stdout
    check(text.startswith("usage: infprof roofline ") and max(map(len, text.splitlines())) <= 100, text)


@case
def ceilings_that_cannot_be_used(s):
    for kind, says in (("nowhere", "what machine this run was on is not known"), ("damaged", "it is damaged"),
                       ("foreign", "another machine's"), ("unmeasured", "are not known")):
        path = fixture(s, kind)
        doc = document(s, path)
        note, = doc["notes"]
        check(says in note and "infprof machine" in note, note)
        equal({(r["bound"], r["roof_share"], r["roof_gflops"]) for r in doc["rows"]}, {(None, None, None)}, kind)
        check("- " in s.infprof("roofline", path).stdout, "not known")


@case
def damage_is_noticed(s):
    """Each in the machine's document or row; the report of the run is there all the same, unless its table is gone."""
    def spoil(name, sql, *args):
        path = s.path(f"{name}.infprof")
        s.run([s.built("tests/unit/make-run"), "--roof", "whole", path], preload=False)
        with sqlite3.connect(path) as db:
            db.execute(sql, args)
        db.close()
        return path

    machine = json.loads(sqlite3.connect(fixture(s)).execute("SELECT document FROM machine").fetchone()[0])
    changes = {
        "no-topology": lambda d: d.pop("topology"), "text-figure": lambda d: d["ceilings"]["compute"][0].update(gflops="many"),
        "negative": lambda d: d["ceilings"]["compute"][0].update(gflops=-1), "zero-threads": lambda d: d["ceilings"]["bandwidth"][0].update(threads=0),
        "list": lambda d: d.update(ceilings=[]), "schema": lambda d: d.update(schema="infprof.machine/2"),
        "other": lambda d: d.update(fingerprint="0" * 16), "undated": lambda d: d.pop("measured_at"),
    }
    for name, change in changes.items():
        copy = json.loads(json.dumps(machine))
        change(copy)
        doc = document(s, spoil(name, "UPDATE machine SET document = ?", json.dumps(copy)))
        equal({r["bound"] for r in doc["rows"]}, {None}, name)
        check("is not used" in doc["notes"][0], doc["notes"])
    for name, value in (("huge", 1e300), ("tiny", 1e-300)):
        copy = json.loads(json.dumps(machine))
        for x in copy["ceilings"]["compute"]:
            x["gflops"] = value
        document(s, spoil(name, "UPDATE machine SET document = ?", json.dumps(copy)))
    for name, sql in (("blob", "UPDATE machine SET document = x'00'"), ("null", "UPDATE machine SET fingerprint = 7")):
        path = spoil(name, sql)
        got = s.infprof("roofline", "--json", path, code=None)
        check(got.returncode in (0, 3), got.returncode)
        if got.returncode == 3:
            one_line(got.stderr, name)
    refused(s, 3, spoil("gone", "DROP TABLE machine"))
    for name, sql in (("extents", "UPDATE operand SET ne0 = 9223372036854775807"), ("no-extents", "UPDATE operand SET ne0 = 0"),
                      ("times", "UPDATE shape_phase SET total_ns = 0"), ("long", "UPDATE shape_phase SET total_ns = 9223372036854775807"),
                      ("calls", "UPDATE shape_phase SET calls = 9223372036854775807"), ("parts", "UPDATE shape SET parts = 4294967295"),
                      ("blocks", "UPDATE operand SET block = 0, block_bytes = 4294967295")):
        path = spoil(name, sql)
        document(s, path)
        for more in ([], ["--levels"], ["--cache"], ["--by", "op"], ["--by", "phase"]):
            text = s.infprof("roofline", *more, path).stdout
            check("nan" not in text.lower() and "inf " not in text, text)


main()
