# SPDX-License-Identifier: MIT
"""What users declare of kernels of their own: the arguments that are read, and the work that is made of them, against
what the example engine counts of itself."""

from harness import case, check, equal, main, one_line

TINY = "libtinykernels.so*:"
OUTER = [
    TINY + "tk_matmul(_, _, _, _, m:i32, k:i32, n:i32) flops=2*m*n*k bytes=4*(m*k+k*n+m*n)",
    TINY + "tk_rmsnorm(_, _, _, _, dim:i32, n:i32) flops=4*dim*n bytes=12*dim*n",
    TINY + "tk_attention(_, _, _, _, _, h:i32, d:i32, pos:i32, n:i32) "
           "flops=h*(4*d+5)*(n*pos+n*(n+1)/2) bytes=4*h*(2*d*(n*pos+n*(n+1)/2)+2*d*n)",
    TINY + "tk_rope(_, _, h:i32, d:i32, _:i32, n:i32) flops=3*h*d*n bytes=8*h*d*n",
    TINY + "tk_swiglu(_, _, _, dim:i32, n:i32) flops=5*dim*n bytes=12*dim*n",
    TINY + "tk_add(_, _, _, dim:i32, n:i32) flops=dim*n bytes=12*dim*n",
]
INNER = [
    TINY + "tk_softmax(_, _, n:i32) flops=4*n bytes=8*n",
    TINY + "tk_vec_dot(_, _, _, n:i32) flops=2*n bytes=8*n",
    TINY + "tk_vec_mad(_, _, _, _:f32, n:i32) flops=2*n bytes=12*n",
]
DECLARED = "libdeclared.so:"


def ops(doc):
    return {op["name"]: op for op in doc["ops"]}


def record(s, cmd, *args, code=0, env=None):
    return s.run([s.cli, "record", *args, "--", *cmd], preload=False, code=code, env={"INFPROF_SHIM": s.shim, **(env or {})})


def tiny(s, *args):
    record(s, [s.tinyengine, "--truth", s.path("truth.json"), "--threads", 1, "--tokens", 5], *args)
    return s.json("truth.json")["kernels"], s.report()


def measured(doc):
    return {name: (op["calls"], op["flops"], op["bytes"]) for name, op in ops(doc).items()}


def wanted(truth, declarations):
    names = [d.split(":")[1].split("(")[0] for d in declarations]
    return {name: tuple(truth[name][k] for k in ("calls", "flops", "bytes")) for name in names}


@case
def work_is_what_the_engine_counts(s):
    truth, doc = tiny(s, *(f"--op={d}" for d in OUTER))
    equal(measured(doc), wanted(truth, OUTER), "calls, FLOPs and bytes")
    equal([n for n in doc["notes"] if "declared" in n], [], "notes")
    shapes = [x["shape"] for x in ops(doc)["tk_matmul"]["shapes"]]
    check("m=384 k=128 n=1" in shapes, shapes)


@case
def declarations_from_a_file(s):
    with open(s.path("ops"), "w", encoding="utf-8") as f:
        f.write("# what is called inside of others\n\n" + "\n".join(INNER) + "  # the last\n")
    truth, doc = tiny(s, "--op-file", s.path("ops"))
    equal(measured(doc), wanted(truth, INNER), "calls, FLOPs and bytes")


@case
def work_counts_once(s):
    """Inside of an op whose work is known, there is no more of it; only the last softmax is not inside."""
    truth, doc = tiny(s, *(f"--op={d}" for d in OUTER + INNER))
    got = ops(doc)
    equal({n: measured(doc)[n] for n in wanted(truth, OUTER)}, wanted(truth, OUTER), "outer ops")
    for name in ("tk_vec_dot", "tk_vec_mad"):
        equal((got[name]["calls"], got[name]["shaped_calls"], got[name]["flops"]), (truth[name]["calls"], 0, None), name)
    softmax = got["tk_softmax"]
    equal((softmax["calls"], softmax["shaped_calls"]), (truth["tk_softmax"]["calls"], 5), "softmax, one a token")


@case
def arguments_in_all_places(s):
    record(s, [s.built("tests/victims/declared")],
           "--op", DECLARED + "many(_:f64,_:f64,_:f64,_:f64,_:f64,_:f64,_:f64,_:f64,_,m:i32,n:u32,k:i64,l:u64,_,_:f64,"
                              "last:i32) flops=n-m bytes=last",
           "--op", DECLARED + "by_address(m:i32*, n:i64*, _:f32*) flops=n+m",
           "--op", DECLARED + "none() flops=7 bytes=0.5*4",
           "--op", DECLARED + "plain(n:i64) bytes=n/2")
    got = ops(s.report())
    many = got["many"]
    equal((many["calls"], many["flops"], many["bytes"]), (3, 3 * 4000000002, 11 + 12 + 13), "registers and stack")
    equal(sorted(x["shape"] for x in many["shapes"]),
          [f"m=-2 n=4000000000 k=-9 l=-1 last={i}" for i in (11, 12, 13)], "shapes")
    equal((got["by_address"]["flops"], got["by_address"]["bytes"]), (6000000000 - 5, None), "by address")
    equal((got["none"]["flops"], got["none"]["bytes"], got["none"]["shapes"][0]["shape"]), (7, 2, "()"), "no arguments")
    equal((got["plain"]["calls"], got["plain"]["bytes"]), (1000, 500 * 3000000000 + 250 * 8 + 250 * 9), "64 bits")


@case
def what_is_declared_wrongly_harms_nobody(s):
    record(s, [s.built("tests/victims/declared")], "--op", DECLARED + "plain(n:i64*) flops=n",
           "--op", DECLARED + "by_address(m:i32, n:u32) flops=m+n", "--op", "libno*:such(m:i32) flops=m")
    doc = s.report()
    equal((ops(doc)["plain"]["calls"], ops(doc)["plain"]["shaped_calls"]), (1000, 0), "integers that are no addresses")
    equal(ops(doc)["by_address"]["calls"], 1, "addresses that are no integers")
    check(any("libno*:such" in n for n in doc["notes"]), doc["notes"])


@case
def more_than_can_be_told(s):
    record(s, [s.built("tests/victims/declared")], "--op", DECLARED + "plain(n:i64) flops=n*n*n bytes=n")
    doc = s.report()
    equal((ops(doc)["plain"]["flops"], ops(doc)["plain"].get("saturated")), (2**63 - 1, True), "saturated")
    check(any("plain" in n and "more than can be told" in n for n in doc["notes"]), doc["notes"])


@case
def what_has_no_value_is_said(s):
    _, doc = tiny(s, "--op", TINY + "tk_add(_, _, _, dim:i32, n:i32) flops=dim/(n-n)")
    equal(ops(doc)["tk_add"]["flops"], None, "FLOPs")
    said = [n for n in doc["notes"] if "has no value" in n]
    check(len(said) == 1 and "tk_add" in said[0] and "dim=128" in said[0], doc["notes"])


@case
def bad_declarations(s):
    for text, where in (("", "column 1:"), ("libfoo.so", "column 10:"), ("/a/b.so:f() flops=1", "column 1:"),
                        ("a:f(m:i32) flops=m*n", "column 20:"), ("a:f(m:f32) flops=m", "column 7:"),
                        ("a:f(m:i32)", "column 11:"), ("a:f(m:i32) flops=m #\n", "one line"),
                        ("a:f() flops=1" + " " * 3000, "column 2048:")):
        run = record(s, ["true"], "--op", text, code=2)
        one_line(run.stderr, text)
        check(where in run.stderr and "--op" in run.stderr, run.stderr)
    with open(s.path("ops"), "w", encoding="utf-8") as f:
        f.write("# fine\na:f() flops=1\na:g( flops=1\n")
    run = record(s, ["true"], "--op-file", s.path("ops"), code=2)
    one_line(run.stderr, "--op-file")
    check(f"{s.path('ops')}:3:" in run.stderr, run.stderr)
    one_line(record(s, ["true"], "--op-file", s.path("no"), code=2).stderr, "a file that is not there")
    one_line(record(s, ["true"], *(f"--op=a:f{i}() flops=1" for i in range(65)), code=2).stderr, "too many")


@case
def by_the_variable(s):
    """Without infprof record nobody has looked at it before."""
    text = "\n".join(["# mine", DECLARED + "plain(n:i64) flops=2*n", "nonsense", DECLARED + "none() flops=8/"])
    run = s.run([s.built("tests/victims/declared")], env={"INFPROF_OPS": text})
    one_line(run.stderr, "what cannot be read")
    check("INFPROF_OPS" in run.stderr, run.stderr)
    doc = s.report(run)
    got = ops(doc)
    equal((got["plain"]["flops"], got["none"]["calls"], got["none"]["flops"]), (1000 * 6000000000 + 500 * 34 + 0, 1, None),
          "what can")
    check(any("none() flops=8/" in n and "column" in n for n in doc["notes"]), doc["notes"])


main()
