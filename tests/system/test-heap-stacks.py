# SPDX-License-Identifier: MIT
"""Stacks on bad days: too deep, too many, through code without symbols, through code that was made as the program
ran, without libunwind. Counts stay exact, and sums of stacks are the counts."""

import json
import os
import shutil

from harness import check, equal, case, main, near, skip
from heap import expected, names, profiled, sums, through, total
from victims import victim

DEPTH = 128     # frames of a stack that are kept
TABLE = 65536   # stacks there is room for, that of those without room included

NODE = """
const kept = [];
function makeBuffers(n) {
  for (let i = 0; i < n; i++) {
    const b = Buffer.allocUnsafeSlow(100000 + i);
    if (i % 4 === 0) kept.push(b);
  }
}
function outer(n) { makeBuffers(n); makeBuffers(n); }
for (let i = 0; i < 20; i++) outer(50);
console.log(kept.length);
"""


def stacks(s, mode, n, program="heap-stacks", interval=1, **options):
    run, doc = profiled(s, [victim(s, program), mode, str(n)], interval=interval, **options)
    equal(run.stderr, "", f"stderr of {mode}")
    return json.loads(run.stdout)["memory"], doc


@case
def ten_thousand_frames(s):
    truth, doc = stacks(s, "deep", 200)
    deep = through(doc, "stacks_leaf")
    equal(sums(deep), expected(truth), "from the deep")
    equal((len(deep), doc["samples"]["cut_stacks"]), (1, 1), "stacks that are cut")
    equal((deep[0]["cut"], names(deep[0])), (True, ["stacks_leaf"] + (DEPTH - 1) * ["stacks_down"]), "its frames")


@case
def more_stacks_than_there_is_room_for(s):
    for levels, room in ((12, True), (16, False)):
        truth, doc = stacks(s, "tree", levels)
        equal(truth["calls"], 2**levels, "leaves")
        other = [x for x in doc["stacks"] if x.get("other")]
        if room:
            equal((doc["samples"]["other"], len(through(doc, "stacks_leaf"))), (0, 2**levels), "stacks")
        else:
            check(0 < doc["samples"]["other"] < 2**levels, f"{doc['samples']['other']} samples without room")
            equal(total(other, "alloc_objects"), doc["samples"]["other"], "objects without room")
            check(len(doc["stacks"]) <= TABLE, f"{len(doc['stacks'])} stacks")
            check(any("stack" in note for note in doc["notes"]), f"nothing is said: {doc['notes']}")
        # what found no room is counted all the same
        every = through(doc, "stacks_leaf") + other
        check(total(every, "alloc_objects") >= truth["calls"] and total(every, "alloc_bytes") >= truth["usable_bytes"], "lost")


@case
def without_symbols(s):
    truth, doc = stacks(s, "chain", 60, program="heap-stripped")
    _, few = stacks(s, "chain", 6, program="heap-stripped")
    own = [x for x in doc["stacks"] if x["frames"] and x["frames"][0]["library"].endswith("heap-stripped")]
    equal(sums(own), expected(truth), "of the program")
    equal(sorted(x["alloc_objects"] for x in own), [60, 60], "of each way")
    for stack in own:
        equal([f["function"] for f in stack["frames"][:4]], 4 * [None], "names")
        check(all(f["offset"] > 0 for f in stack["frames"]), "places in the object")
    places = [[f["offset"] for f in x["frames"]] for x in doc["stacks"]]
    equal(sorted(places), sorted([f["offset"] for f in x["frames"]] for x in few["stacks"]), "places, in another run")


@case
def through_code_that_is_made_as_the_program_runs(s):
    node = shutil.which("node")
    if not node:
        skip("no node here")
    script = s.path("buffers.js")
    with open(script, "w", encoding="utf-8") as f:
        f.write(NODE)
    alone = s.run([node, script], preload=False)
    for interval in (1, None):
        run, doc = profiled(s, [node, script], interval=interval, timeout=120)
        equal(run.stdout, alone.stdout, "output")
        big = [x for x in doc["stacks"] if x["alloc_objects"] and 100000 <= x["alloc_bytes"] / x["alloc_objects"] < 110000]
        check(big, "no stack of the buffers")
        if interval == 1:
            near(total(big, "alloc_objects"), 2000, 0.02, "buffers")
            check(any(f["function"] is None and not os.path.exists(f["library"] or "") for x in big for f in x["frames"]),
                  "no frame of generated code")


@case
def without_libunwind(s):
    truth, doc = stacks(s, "chain", 100, env={"INFPROF_UNWIND": "off"})
    check(doc["samples"]["unwinding"] in ("off", "missing"), doc["samples"]["unwinding"])
    leaf = through(doc, "stacks_leaf")
    equal((sums(leaf), [names(x) for x in leaf]), (expected(truth), [["stacks_leaf"]]), "one frame, all counted")
    equal([x["one"] for x in leaf], [True], "said of the stack")
    check(any("libunwind" in note or "one frame" in note for note in doc["notes"]), f"nothing is said: {doc['notes']}")


main()
