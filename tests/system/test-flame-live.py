# SPDX-License-Identifier: MIT
"""infprof flame and export on runs of the example engine: what they show is what was counted."""

import gzip
import re
import shutil
import xml.etree.ElementTree as ET

from harness import case, check, equal, main, skip

SVG = "{http://www.w3.org/2000/svg}"


def recorded(s, interval=1):
    s.run([s.cli, "record", "-k", "libtinykernels.so:tk_*", s.tinyengine, "--alloc", "op", "--threads", "2", "--keep", "7"],
          preload=False, env={"INFPROF_HEAP_INTERVAL": interval})
    return s.report()


def folded(s, *args):
    lines = s.infprof("flame", "--folded", *args).stdout.splitlines()
    return {line.rsplit(" ", 1)[0]: int(line.rsplit(" ", 1)[1]) for line in lines}


@case
def each_byte_is_in_the_picture(s):
    memory = recorded(s)["memory"]
    for args, wanted in ((["--alloc"], memory["usable_bytes"]), (["--heap"], memory["live_bytes"]),
                         (["--alloc", "--objects"], memory["alloc_calls"]),
                         (["--heap", "--objects"], memory["alloc_calls"] - memory["free_calls"])):
        equal(sum(folded(s, *args).values()), wanted, f"sum of {args}")
        svg = ET.fromstring(s.infprof("flame", *args).stdout)
        equal(int(svg.get("data-total")), wanted, f"total of {args}")
    stacks = folded(s, "--alloc")
    ops = {name.rsplit(";", 1)[-1] for name in stacks}
    check({"[op tk_matmul]", "[op tk_attention]", "[op tk_rope]"} <= ops, f"ops are leaf-most: {ops}")
    check(all(";[op " not in name.rsplit(";", 1)[0] for name in stacks), "and nowhere else")


@case
def each_byte_is_in_the_profile(s):
    memory = recorded(s)["memory"]
    s.infprof("export", "--pprof", "allocs", "-o", s.path("p.pb.gz"))
    with open(s.path("p.pb.gz"), "rb") as f:
        check(b"[op tk_matmul]" in gzip.decompress(f.read()), "op")
    go = shutil.which("go")
    if not go:
        skip("there is no go here")
    for index, wanted in (("alloc_space", memory["usable_bytes"]), ("inuse_space", memory["live_bytes"]),
                          ("alloc_objects", memory["alloc_calls"]),
                          ("inuse_objects", memory["alloc_calls"] - memory["free_calls"])):
        text = s.run([go, "tool", "pprof", "-symbolize=none", "-top", "-unit=B", f"-sample_index={index}",
                      s.path("p.pb.gz")], preload=False, env={"GOPROXY": "off", "PPROF_TMPDIR": s.path("tmp")}).stdout
        equal(int(re.search(r"of (\d+)B? total", text)[1]), wanted, index)


@case
def without_samples_it_is_said(s):
    recorded(s, interval=0)
    for args in (["flame", "--alloc"], ["export", "--pprof", "heap"]):
        check("sampling was off" in s.infprof(*args, code=3).stderr, args[0])


@case
def marks_that_are_not_there(s):
    recorded(s)
    for args in (["flame", "--alloc"], ["export", "--pprof", "heap"]):
        run = s.infprof(*args, "--from", "nonesuch", code=3)
        check("nonesuch" in run.stderr, run.stderr)


main()
