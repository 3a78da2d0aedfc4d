# SPDX-License-Identifier: MIT
"""A process seen from outside: what the kernel says of its memory, held against what it did."""

import json
import os

from harness import between, case, check, equal, main, wait_until
from victims import victim

MIB = 1 << 20


def sparse(s, name, size):
    path = s.path(name)
    with open(path, "wb") as f:
        f.truncate(size)
    return path


def memory(s, *args):
    doc = json.loads(s.infprof("memory", "--json", *args).stdout)
    s.validate(doc, "doc/memory.schema.json")
    return doc


def recorded(s, path, touched, milliseconds):
    """(what it says of itself, document)"""
    kept = s.path("outside.infprof")
    run = s.run([s.cli, "record", "-o", kept, "-f", "--", victim(s, "outside"), path, touched, milliseconds],
                preload=False)
    return json.loads(run.stdout), memory(s, kept)


def mapped(doc):
    return {os.path.basename(f["path"]): f for f in doc["mapped_files"]}


@case
def half_a_second_is_enough(s):
    model = sparse(s, "weights", 64 * MIB)
    truth, doc = recorded(s, model, 16 * MIB, 500)
    outside = doc["outside"]
    between(32 * MIB, outside["rss"], truth["rss_peak"] + 2 * MIB, "resident")
    between(16 * MIB, outside["anonymous"], outside["rss"] - 16 * MIB, "of no file")
    between(16 * MIB, outside["file"], outside["rss"] - outside["anonymous"], "of files")
    between(0, outside["pss"], outside["rss"], "proportional share")
    between(truth["pages"] // 2, outside["minor_faults"] + outside["major_faults"],
            truth["faults"] + truth["major"], "faults")
    check(list(mapped(doc)) == ["weights"], f"mapped files: {doc['mapped_files']}")
    f = mapped(doc)["weights"]
    equal(f["path"], model, "path")
    equal((f["size"], f["mapped_bytes"]), (64 * MIB, 64 * MIB), "size, mapped")
    between(16 * MIB, f["resident_bytes"], 32 * MIB, "resident of the file")  # what was touched, and read ahead


@case
def small_files_are_there_if_they_are_models(s):
    for name, there in (("small.gguf", True), ("sma\nll.safetensors", True), ("small.txt", False)):
        path = sparse(s, name, 2 * MIB)
        _, doc = recorded(s, path, MIB, 500)
        equal(list(mapped(doc)), [name.replace("\n", "?")] if there else [], "mapped files")
        if there:
            f = doc["mapped_files"][0]
            equal(f["size"], 2 * MIB, "size")
            between(MIB, f["resident_bytes"], 2 * MIB, "resident of the file")


@case
def a_model_that_is_gone_or_another_has_no_pages(s):
    path = sparse(s, "gone.gguf", 2 * MIB)
    run = s.start([victim(s, "outside"), path, MIB, 2500], kernels="none:none")
    wait_until(lambda: "gone.gguf" in open(f"/proc/{run.pid}/maps", encoding="utf-8").read(), 10, "the mapping")
    os.unlink(path)
    os.mkfifo(path)  # must not be waited for
    equal(run.wait(), 0, "end")
    s.report(run)
    doc = memory(s)
    check(len(doc["mapped_files"]) == 1, f"mapped files: {doc['mapped_files']}")
    f = doc["mapped_files"][0]
    equal((f["size"], f["mapped_bytes"], f["resident_bytes"]), (2 * MIB, 2 * MIB, None), "of a file that is gone")


@case
def top_has_the_last_look(s):
    model = sparse(s, "weights", 64 * MIB)
    run = s.start([victim(s, "outside"), model, 16 * MIB, 4000], kernels="none:none")

    def looked():
        got = s.infprof("top", "--once", "--json", code=None)
        document = json.loads(got.stdout) if got.returncode == 0 else None
        return document and document["memory"]["outside"]

    outside = wait_until(lambda: (looked() or {}).get("rss", 0) >= 32 * MIB and looked(), 10, "a look in top")
    between(16 * MIB, outside["anonymous"], outside["rss"] - 16 * MIB, "of no file")
    check(outside["minor_faults"] > 0, "faults")
    equal(run.wait(), 0, "end")


@case
def the_course_has_a_look_for_each_second(s):
    model = sparse(s, "weights", 32 * MIB)
    _, doc = recorded(s, model, 16 * MIB, 3500)
    told = [row for row in doc["timeline"] if row["rss"] is not None]
    check(told, "no second has a look")
    for row in told[1:]:
        between(32 * MIB, row["rss"], 64 * MIB, f"resident in second {row['second']}")
        between(16 * MIB, row["file"], row["rss"], f"of files in second {row['second']}")


main()
