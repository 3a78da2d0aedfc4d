# SPDX-License-Identifier: MIT
"""infprof report and runs on a run file that make-run wrote: no shim, no daemon (but a fake one).

The pictures are in screens/. INFPROF_TEST_PAINT=1 paints them anew: look at the difference before it is
committed."""

import csv
import io
import json
import os
import sqlite3
import subprocess

from fake_api import FakeApi
from harness import case, check, equal, main, near, one_line
from pictures import fits_a_screen, on_terminal, picture

RUN = "20261120-194500-4711"
FIELDS = ["self", "total", "calls", "mean", "min", "max", "median", "p95", "p99", "stddev", "share",
          "allocs", "bytes", "net", "threads", "name"]


def make_run(s, path=None):
    if not path:
        os.makedirs(s.path("state/infprof/runs"), exist_ok=True)
        path = s.path(f"state/infprof/runs/{RUN}.infprof")
    s.run([s.built("tests/unit/make-run"), path], preload=False)
    return path


def change(path, sql):
    """Edits a run file by hand."""
    with sqlite3.connect(path) as db:
        db.executescript(sql)
    db.close()


def report(s, *args, **more):
    return s.infprof("report", *args, env={"TZ": "UTC", **more.pop("env", {})}, **more)


def refused(s, code, *args, env=None):
    run = s.infprof(*args, code=code, env=env)
    one_line(run.stderr, " ".join(args))
    equal(run.stdout, "", "stdout")
    return run.stderr


# What is printed.

@case
def whole_report_as_printed(s):
    make_run(s)
    picture(s, "report-piped", report(s, "-n", "0").stdout)
    equal(report(s, "latest").stdout, report(s).stdout, "latest is the default")
    equal(report(s, RUN).stdout, report(s).stdout, "by id")
    equal(report(s, s.path(f"state/infprof/runs/{RUN}.infprof")).stdout, report(s).stdout, "by file")


@case
def it_fits_a_terminal(s):
    make_run(s)
    picture(s, "report-80", on_terminal(s, 80, "report"))
    picture(s, "report-80-thread", on_terminal(s, 80, "report", "--by", "thread", lines=50))
    picture(s, "report-132-phase", on_terminal(s, 132, "report", "--by", "phase", "-n", "0"))
    for by in ("op", "thread", "phase"):
        fits_a_screen(s, "report", "--by", by)
    for columns in (40, 60, 80, 100, 132, 200):
        for by in ("op", "thread", "phase"):
            lines = on_terminal(s, columns, "report", "--by", by).splitlines()
            widest = max(lines, key=len)
            if columns >= 80:
                check(len(widest) <= columns, f"{len(widest)} columns on {columns}: {widest}")


@case
def figures_are_right_aligned_and_names_whole_in_a_pipe(s):
    make_run(s)
    for lang in ("C", "C.UTF-8"):
        text = report(s, "-n", "0", env={"LANG": lang, "LC_ALL": None}).stdout
        check("demo::Sampler<float>::pick(std::vector<float> const&, unsigned int)\n" in text, "long name")
        check("κάτι" in text, f"UTF-8 in {lang}")
        lines = text.splitlines()
        at = next(i for i, line in enumerate(lines) if line.rstrip().endswith("  op"))
        table = lines[at:at + 10]
        for word in ("self", "calls", "max", "allocs", "bytes"):
            end = table[0].index(word) + len(word)
            for row in table[1:]:
                check(row[end - 1] != " " and row[end] == " ", f"{word} ends in column {end}: {row}")


@case
def sorting_and_filtering(s):
    make_run(s)
    for field in FIELDS:
        for by in ("op", "thread", "phase"):
            rows = list(csv.DictReader(io.StringIO(report(s, "--csv", "--by", by, "--sort", field).stdout)))
            check(len(rows) >= 9, f"{len(rows)} rows by {by}, {field}")
    by_max = [op["name"] for op in json.loads(report(s, "--json", "--sort", "max").stdout)["ops"]]
    equal(by_max[:2], ["llama_decode", "graph"], "by max")
    names = [op["name"] for op in json.loads(report(s, "--json", "--sort", "name").stdout)["ops"]]
    equal(names, sorted(names), "by name")
    got = json.loads(report(s, "--json", "--filter", "*_M*").stdout)["ops"]
    equal([op["name"] for op in got], ["MUL_MAT", "SOFT_MAX"][:len(got)], "filter by name")
    got = json.loads(report(s, "--json", "-f", "ggml_compute_forward_*").stdout)["ops"]
    equal(sorted(op["name"] for op in got), ["MUL_MAT", "RMS_NORM", "SOFT_MAX"], "filter by kernel")
    check("(no op matches)" in report(s, "-f", "nonesuch").stdout, "said")


@case
def csv_is_the_document(s):
    make_run(s)
    doc = json.loads(report(s, "--json").stdout)
    text = s.infprof("report", "--csv")
    with open(text.out_path, newline="", encoding="utf-8") as f:
        raw = f.read()
    check(raw.endswith("\r\n"), "lines end as RFC 4180 says")
    rows = {row["name"]: row for row in csv.DictReader(io.StringIO(raw, newline=""))}
    equal(len(rows), len(doc["ops"]) + 1, "rows")
    for op in doc["ops"]:
        for key in ("calls", "timed_calls", "total_ns", "self_ns", "min_ns", "max_ns", "mean_ns", "stddev_ns",
                    "p50_ns", "p95_ns", "p99_ns", "alloc_calls", "alloc_bytes", "net_bytes", "threads"):
            equal(rows[op["name"]][key], str(op[key]), f"{op['name']} {key}")
    rest = rows["not in any op"]
    equal(rest["self_ns"], str(doc["not_in_any_op"]["self_ns"]), "not in any op")
    equal(rest["calls"], "", "what is not known is empty")


# The document.

@case
def document_is_as_its_schema_says(s):
    path = make_run(s)
    s.validate(json.loads(report(s, "--json").stdout), "doc/report.schema.json")
    for sql in ("UPDATE run SET end = 2, end_value = 11", "UPDATE run SET end = 4; UPDATE process SET end = 4, reason = 'x'",
                "DELETE FROM op_phase; DELETE FROM thread_op", "DELETE FROM thread_op; DELETE FROM thread",
                "DELETE FROM op_phase; DELETE FROM thread_op; DELETE FROM op; DELETE FROM thread; DELETE FROM process"):
        change(path, sql)
        s.validate(json.loads(report(s, "--json").stdout), "doc/report.schema.json")
        check(report(s).stdout, sql)
        check(report(s, "--by", "thread").stdout, sql)


@case
def schema_is_strict(s):
    make_run(s)
    import jsonschema
    with open(s.source("doc/report.schema.json"), encoding="utf-8") as f:
        schema = json.load(f)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    text = report(s, "--json").stdout
    for spoil in (lambda d: d.update(more=1), lambda d: d["ops"][0].update(total_ns=1.5),
                  lambda d: d["ops"][0].pop("calls"), lambda d: d["run"]["exit"].update(signal=1),
                  lambda d: d["threads"][0].update(colour="red"), lambda d: d["memory"].update(peak_bytes=-1),
                  lambda d: d.update(schema="infprof.report/2")):
        doc = json.loads(text)
        spoil(doc)
        check(not validator.is_valid(doc), "a spoiled document is refused")


@case
def thousands_of_threads(s):
    path = make_run(s)
    change(path, """
        WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 2009)
        INSERT INTO thread (process, thread, tid, parent_tid, name, started_ns, ended_ns, site, spans, folded, alloc_calls,
          alloc_asked, alloc_usable, free_calls, freed_usable, alloc_failed, maps, mapped_bytes)
          SELECT 0, i, 10000 + i, 4711, 'worker', 0, 1000000, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM n;
        INSERT INTO thread_op SELECT 0, thread, 6, 3, 1, 0, 1000, 0, 1000, 1000, 0, 0, 0, 0, 0, 0, 0, 0
          FROM thread WHERE thread >= 10;
        UPDATE op_phase SET timed = timed + 2000, total_ns = total_ns + 2000000 WHERE op = 6 AND phase = 3;
        """)
    doc = json.loads(report(s, "--json").stdout)
    s.validate(doc, "doc/report.schema.json")
    equal(len(doc["threads"]), 2003, "threads")
    equal(sum(t["ops"] is not None for t in doc["threads"]), 256, "with their ops")
    near(sum(t["share"] for t in doc["threads"]), 1, 1e-6, "shares of threads")
    check(any("threads have no list" in n for n in doc["notes"]), "noted")
    text = report(s, "-n", "31").stdout
    check("(1,972 more)" in text, text)
    check(len(text.splitlines()) < 80, "the view stays short")
    for by in ("op", "thread"):
        fits_a_screen(s, "report", "--by", by, cut=True)


# RUN, and what is wrong with it.

@case
def what_is_typed_wrongly(s):
    for args in (["--sort", "bogus"], ["--by", "moon"], ["--by", "shape", "--sort", "p99"], ["--json", "--csv"], ["a", "b"], ["--bogus"], ["--sort"]):
        refused(s, 2, "report", *args)
    for args in (["--bogus"], ["rm"], ["bogus"]):
        refused(s, 2, "runs", *args)


@case
def runs_that_are_not_there(s):
    check("no run yet" in refused(s, 3, "report"), "none")
    make_run(s)
    check("nonesuch" in refused(s, 3, "report", "nonesuch"), "named")
    check("4711" in refused(s, 3, "report", "4711"), "pid")
    check("./nonesuch" in refused(s, 3, "report", "./nonesuch"), "file")
    refused(s, 3, "report", "")
    refused(s, 3, "report", "../x")
    refused(s, 3, "report", "x" * 5000)


@case
def files_that_are_none(s):
    path = make_run(s, s.path("a.infprof"))
    with open(path, "rb") as f:
        good = f.read()
    for name, data, word in (("empty", b"", "empty"), ("text", b"hello world, this is text\n", "not an infprof run file"),
                             ("short", good[:3000], "truncated"), ("cut", good[:len(good) // 2], "truncated"),
                             ("ragged", good[:-100], "truncated")):
        with open(s.path(name), "wb") as f:
            f.write(data)
        check(word in refused(s, 3, "report", s.path(name)), name)
    check("not a file" in refused(s, 3, "report", s.path("")), "a directory")
    change(path, "PRAGMA user_version = 99")
    check("version 99" in refused(s, 3, "report", path), "newer")
    change(path, "PRAGMA user_version = 1; PRAGMA application_id = 1")
    check("not an infprof run file" in refused(s, 3, "report", path), "foreign")


@case
def control_characters_do_not_reach_the_terminal(s):
    path = make_run(s)
    change(path, "UPDATE op SET name = 'evil' || char(27) || '[2J' || char(10) || 'x' WHERE op = 5;"
                 "UPDATE run SET command = 'a' || char(27) || ']0;title' || char(7);"
                 "UPDATE thread SET name = char(155) || '31m';"
                 "INSERT INTO note VALUES (0, 'note' || char(13) || 'x')")
    for by in ("op", "thread", "phase"):
        text = report(s, "--by", by).stdout
        check(not any(ord(c) < 32 and c != "\n" or 0x7f <= ord(c) < 0xa0 for c in text), "clean")
        check("evil?[2J?x" in text, "shown")
    check("\x1b" not in s.infprof("runs").stdout, "runs")


@case
def a_live_run_is_asked_of_the_daemon(s):
    path = make_run(s)
    change(path, f"UPDATE run SET end = 0, pid = {os.getpid()}; UPDATE process SET end = 0")
    api = FakeApi(s.path("run/infprof/api.sock"))
    doc = json.loads(report(s, "--json", env={"INFPROF_DAEMON": "off"}).stdout)
    equal(doc["run"]["end"], "live", "from the file, when the daemon does not know it")
    doc["tokens"]["generated"] = 12345
    api.answers[f"GET /v1/runs/{RUN}/report"] = doc
    equal(json.loads(report(s, "--json").stdout), doc, "from the daemon")
    check("12,345 generated" in report(s).stdout, "the view")
    api.answers["GET /v1/runs/pid:4711/report"] = doc
    equal(json.loads(report(s, "--json", "4711").stdout), doc, "by pid")
    api.answers["GET /v1/runs/elsewhere/report"] = doc
    equal(json.loads(report(s, "--json", "elsewhere").stdout), doc, "a run kept elsewhere")
    api.close()
    text = report(s, env={"INFPROF_DAEMON": "off"}).stdout
    check("still running" in text, "no daemon: what the file knows")


# The list.

@case
def runs_are_listed_newest_first(s):
    check("no runs yet" in s.infprof("runs").stdout, "none")
    equal(json.loads(s.infprof("runs", "--json").stdout)["runs"], [], "none")
    path = make_run(s)
    other = path.replace("194500-4711", "200000-5000")
    make_run(s, other)
    change(other, "UPDATE run SET id = '20261120-200000-5000', pid = 5000, started_at_ns = started_at_ns + 1000000000,"
                  "end = 2, end_value = 9")
    doc = json.loads(s.infprof("runs", "--json").stdout)
    equal([r["id"] for r in doc["runs"]], ["20261120-200000-5000", RUN], "order")
    equal(doc["runs"][0]["exit"], {"signal": 9, "name": "SIGKILL"}, "exit")
    equal([r["live"] for r in doc["runs"]], [False, False], "live")
    picture(s, "report-runs", s.infprof("runs", env={"TZ": "UTC"}).stdout)
    equal(json.loads(report(s, "--json").stdout)["run"]["id"], "20261120-200000-5000", "the latest")


@case
def runs_are_removed(s):
    path = make_run(s)
    check("nonesuch" in refused(s, 3, "runs", "rm", "nonesuch"), "named")
    check("../x" in refused(s, 3, "runs", "rm", "../x"), "no way out")
    change(path, f"UPDATE run SET end = 0, pid = {os.getpid()}")
    check("not removed" in refused(s, 1, "runs", "rm", RUN), "live")
    check(os.path.exists(path), "still there")
    change(path, "UPDATE run SET end = 1")
    run = s.infprof("runs", "rm", "nonesuch", RUN, code=3)
    one_line(run.stderr, "one of two")
    check(not os.path.exists(path), "the other is gone")
    junk = path.replace(RUN, "junk")
    with open(junk, "w", encoding="utf-8") as f:
        f.write("junk")
    run = s.infprof("runs")
    one_line(run.stderr, "a file that cannot be read")
    s.infprof("runs", "rm", "junk")
    check(not os.path.exists(junk), "damaged ones can be removed too")


@case
def unwritable_output_is_said(s):
    make_run(s)
    with open("/dev/full", "w", encoding="utf-8") as full:
        for args in (["report"], ["report", "--json"], ["report", "--csv"], ["runs"]):
            got = subprocess.run([s.cli, *args], env=s.env(), stdout=full, stderr=subprocess.PIPE, text=True,
                                 check=False)
            equal(got.returncode, 1, " ".join(args))
            one_line(got.stderr, " ".join(args))


main()
