# SPDX-License-Identifier: MIT
"""The documents infprof.memory/1 and infprof.diff-memory/1 as the library builds them (print-memory), from runs
that make-run wrote: no shim, no daemon. Their figures are held against the fixture in
tests/unit/test-memory.c; here it is their shape, whatever a run file lacks, and how large they may get."""

import json
import sqlite3
import time

from harness import case, check, equal, main, one_line

TABLES = ["op_phase", "size_class", "frame", "stack", "memory", "arena", "mapped_file", "token_alloc", "token_point",
          "mark", "mark_op", "mark_class", "mark_stack", "thread", "note"]


def make_run(s, name="run", kind="--memory"):
    path = s.path(name + ".infprof")
    s.run([s.built("tests/unit/make-run"), kind, path], preload=False)
    return path


def change(path, sql):
    with sqlite3.connect(path) as db:
        db.executescript(sql)
    db.close()


def memory(s, *args, code=0):
    run = s.run([s.built("tests/unit/print-memory"), *args], preload=False, code=code)
    return json.loads(run.stdout) if not code else run.stderr


@case
def documents_are_as_their_schema_says(s):
    path = make_run(s)
    for window in ([], ["steady", "warm"], ["", "steady"], ["warm"], ["warm", "warm"]):
        s.validate(memory(s, path, *window), "doc/memory.schema.json")
    for table in TABLES:
        if table == "frame":
            continue  # stacks speak of them
        path = make_run(s, table)
        change(path, f"DELETE FROM {table}" + ("; DELETE FROM mark_stack" if table == "stack" else ""))
        s.validate(memory(s, path), "doc/memory.schema.json")
        if table != "mark":
            s.validate(memory(s, path, "steady", "warm"), "doc/memory.schema.json")
    change(path, "UPDATE process SET heap_interval = 0, allocator = 0, unwinding = 0; UPDATE run SET end = 0;"
                 "UPDATE process SET end = 0; UPDATE memory SET rss = NULL, anonymous = NULL, allocated = NULL")
    s.validate(memory(s, path), "doc/memory.schema.json")
    change(path, "".join(f"DELETE FROM {t};" for t in TABLES + ["op", "process"]))
    s.validate(memory(s, path), "doc/memory.schema.json")


@case
def differences_are_as_their_schema_says(s):
    a, b, empty = make_run(s, "a"), make_run(s, "b", "--memory-improved"), make_run(s, "empty")
    change(empty, "".join(f"DELETE FROM {t};" for t in TABLES + ["op", "process"]))
    for pair in ((a, b), (b, a), (a, a), (a, empty), (empty, empty)):
        s.validate(memory(s, "--diff", *pair), "doc/diff-memory.schema.json")
    doc = memory(s, "--diff", a, a)["memory"]
    check(all(row["alloc_bytes"]["delta"] == 0 and row["in"] == "both" for row in doc["stacks"]), "a run against itself")
    check(not any(row["alloc_bytes"]["significant"] for row in doc["stacks"]), "a run against itself")


@case
def schemas_are_strict(s):
    import jsonschema
    a, b = make_run(s, "a"), make_run(s, "b", "--memory-improved")
    for name, args, spoils in (
            ("memory", (a,), (lambda d: d.update(more=1), lambda d: d["totals"].update(calls=1.5),
                              lambda d: d["stacks"][0].pop("other"), lambda d: d["stacks"][0]["frames"][0].update(line=-1),
                              lambda d: d["categories"][0].update(alloc_share=1.01), lambda d: d["kv"].update(points=7),
                              lambda d: d["allocator"].update(kind="dlmalloc"), lambda d: d.update(schema="infprof.memory/2"))),
            ("diff-memory", ("--diff", a, b), (lambda d: d.update(more=1), lambda d: d["memory"]["stacks"][0].update({"in": "c"}),
                                        lambda d: d["memory"]["totals"]["calls"].pop("delta"),
                                        lambda d: d["memory"]["categories"][0]["alloc_bytes"].pop("significant")))):
        with open(s.source(f"doc/{name}.schema.json"), encoding="utf-8") as f:
            schema = json.load(f)
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema)
        text = json.dumps(memory(s, *args))
        check(validator.is_valid(json.loads(text)), name)
        for spoil in spoils:
            doc = json.loads(text)
            spoil(doc)
            check(not validator.is_valid(doc), f"a spoiled document {name} is refused")


@case
def marks_that_are_not_there(s):
    path = make_run(s)
    for window in (["no"], ["warm", "steady"], ["", "no"]):
        one_line(memory(s, path, *window, code=1), " ".join(window))


@case
def a_full_table_of_stacks(s):
    """65,535 stacks of 20 frames each: the whole document in seconds."""
    path = make_run(s)
    change(path, """
        DELETE FROM mark_stack; DELETE FROM stack; DELETE FROM frame;
        WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 29999)
        INSERT INTO frame SELECT 0, i, 'ns::c' || (i % 1000) || '<int>::f' || i || '(char const*, unsigned long)',
          '/opt/lib' || (i % 30) || '.so', i, NULL, 0, 0 FROM n;
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 65535)
        INSERT INTO stack SELECT 0, i, 0, 3, 0, 0,
          (i % 7) || ',' || (i % 11) || ',' || (i % 13) || ',' || (i % 30000) || ',' || ((i * 7) % 30000)
            || ',1,2,3,4,5,6,7,8,9,10,11,12,13,14,15',
          1, 0, 10.0, 0.0, i * 1.0, 0.0, i * 1.0, 0.0, 0.0, 90.0, 0.0, 9.0 * i, 0.0, 0.0, 0.0 FROM n;
        """)
    start = time.monotonic()
    doc = memory(s, path)
    took = time.monotonic() - start
    equal(len(doc["stacks"]), 65535, "stacks")
    equal(sum(x["alloc_bytes"] for x in doc["stacks"]), 65535 * 65536 // 2, "bytes")
    equal(doc["categories"][0]["stacks"], 65535, "none has a name")
    check(took < 60, f"{took} s")


main()
