# SPDX-License-Identifier: MIT
"""BLAS: what tests/victims/blas.c calls of OpenBLAS, against what m, n and k make of it here: the number of calls,
FLOPs and bytes of each routine, by LAPACK Working Note 41 (a complex product is 6, a complex sum 2)."""

import json
import os

from harness import case, check, equal, main, skip

M, N, K, BELOW, ABOVE = 7, 5, 3, 1, 2
TIMES = 3
BYTES = {"s": 4, "d": 8, "c": 8, "z": 16}
NO_PRODUCT = None  # or beta, where alpha is 0
SAME = {"gemm3m": "gemm", "hemm": "symm", "herk": "syrk", "her2k": "syr2k", "trsm": "trmm", "trsv": "trmv",
        "tpmv": "trmv", "tpsv": "trmv", "hemv": "symv", "spmv": "symv", "hpmv": "symv", "hbmv": "sbmv",
        "tbsv": "tbmv", "geru": "ger", "gerc": "ger", "her": "syr", "spr": "syr", "hpr": "syr", "her2": "syr2",
        "spr2": "syr2", "hpr2": "syr2", "dotu": "dot", "dotc": "dot", "asum": "nrm2", "amax": "nrm2"}


def band(rows, columns, below, above):
    return sum(-above <= i - j <= below for i in range(rows) for j in range(columns))


def half(n):
    return n * (n + 1) // 2


def work(base, right=False):
    """Products, sums, elements moved, of one call."""
    order, other = (N, M) if right else (M, N)
    narrow, sided, b = band(N, N, ABOVE, ABOVE), band(N, N, ABOVE, 0), band(N, N, BELOW, 0)
    general = band(M, N, BELOW, ABOVE)
    table = {
        "gemm": (M * N * K, M * N * K, M * K + K * N + M * N),
        "symm": (M * N * order, M * N * order, half(order) + 2 * M * N),
        "syrk": (K * half(N), K * half(N), N * K + half(N)),
        "syr2k": (K * N * N, K * N * N + N, 2 * N * K + half(N)),
        "trmm": (other * half(order), other * (half(order) - order), half(order) + 2 * M * N),
        "gemv": (M * N, M * N, M * N + M + N),
        "gbmv": (general, general, general + M + N),
        "symv": (N * N, N * N, half(N) + 2 * N),
        "sbmv": (narrow, narrow, sided + 2 * N),
        "trmv": (half(N), half(N) - N, half(N) + 2 * N),
        "tbmv": (b, b - N, b + 2 * N),
        "ger": (M * N, M * N, 2 * M * N + M + N),
        "syr": (half(N), half(N), 2 * half(N) + N),
        "syr2": (2 * half(N), 2 * half(N), 2 * half(N) + 2 * N),
        "axpy": (N, N, 3 * N),
        "axpby": (2 * N, N, 3 * N),
        "dot": (N, N, 2 * N),
        "nrm2": (0, 2 * N, N),  # of reals: a complex number is two
        "scal": (N, 0, 2 * N),
        "rscal": (0, N, 2 * N),
        "rot": (0, 6 * N, 4 * N),
        "copy": (0, 0, 2 * N),
        "swap": (0, 0, 4 * N),
    }
    return table[SAME.get(base, base)]


def without_product(base, beta, transposed):
    """As work(), of one call with alpha = 0: by the reference there is no product, and the result is what beta makes
    of it. None: alpha has no part in it."""
    results = {"gemm": M * N, "symm": M * N, "trmm": M * N, "syrk": half(N), "syr2k": half(N), "gemv": N if transposed else M,
               "gbmv": M, "symv": N, "sbmv": N, "ger": 0, "syr": 0, "syr2": 0, "axpy": 0, "axpby": N}
    n = results.get(SAME.get(base, base))
    if n is None or base in ("trmv", "trsv", "tpmv", "tpsv"):
        return None
    if beta == 1 and base not in ("trmm", "trsm") or not n:
        return (0, 0, 0)
    if beta == 0 or base in ("trmm", "trsm"):
        return (0, 0, n)
    return (0, n, 2 * n) if base in ("herk", "her2k") else (n, 0, 2 * n)


def routine(name, letter, base, sides=(False,)):
    """(name, (calls, flops, bytes)) of a routine that is called once for each of `sides`."""
    product, total = (6, 2) if letter in "cz" else (1, 1)
    each = [work(base, right) for right in sides]
    if NO_PRODUCT is not None:
        # of two calls of gemv the second is of the transposed; Fortran's is
        turned = [i == 1 or name.endswith("_") for i in range(len(sides))]
        each = [without_product(base, NO_PRODUCT, t) or e for t, e in zip(turned, each)]
    return name, (TIMES * len(each), TIMES * sum(product * p + total * s for p, s, _ in each),
                  TIMES * BYTES[letter] * sum(e for _, _, e in each))


def truth():
    both = ("syrk", "syr2k", "gbmv", "trmv", "trsv", "tbmv", "tpmv", "axpy", "scal", "copy", "swap")
    for t in "sdcz":
        real = {"c": "s", "z": "d"}.get(t)
        left, right = (False,), (True,)
        for base in both + ("tbsv", "tpsv", "axpby"):
            yield routine(f"cblas_{t}{base}", t, base)
        for base in both:
            yield routine(f"{t}{base}_", t, base)
        yield routine(f"cblas_{t}gemm", t, "gemm", 3 * left)
        yield routine(f"{t}gemm_", t, "gemm", 2 * left)
        yield routine(f"cblas_{t}symm", t, "symm", left + right)
        yield routine(f"{t}symm_", t, "symm", right)
        yield routine(f"cblas_{t}trmm", t, "trmm", left)
        yield routine(f"{t}trmm_", t, "trmm", right)
        yield routine(f"cblas_{t}trsm", t, "trsm", right)
        yield routine(f"{t}trsm_", t, "trsm", left)
        yield routine(f"cblas_{t}gemv", t, "gemv", 2 * left)
        yield routine(f"{t}gemv_", t, "gemv", left)
        yield routine(f"cblas_i{t}amax", t, "amax")
        yield routine(f"i{t}amax_", t, "amax")
        if not real:
            for base in ("symv", "sbmv", "spmv", "ger", "syr", "spr", "syr2", "spr2", "dot", "nrm2", "asum", "rot"):
                yield routine(f"cblas_{t}{base}", t, base)
            for base in ("symv", "sbmv", "ger", "syr", "spr2", "dot", "nrm2", "asum", "rot"):
                yield routine(f"{t}{base}_", t, base)
            continue
        for base in ("gemm3m", "herk", "her2k", "hemv", "hbmv", "hpmv", "geru", "gerc", "her", "hpr", "her2", "hpr2"):
            yield routine(f"cblas_{t}{base}", t, base)
        for base in ("herk", "her2k", "hemv", "gerc", "her", "dotu"):
            yield routine(f"{t}{base}_", t, base)
        yield routine(f"cblas_{t}hemm", t, "hemm", right)
        yield routine(f"{t}hemm_", t, "hemm", left)
        for base in ("dotu", "dotc"):
            yield routine(f"cblas_{t}{base}_sub", t, base)
        for base in ("nrm2", "asum"):
            yield routine(f"cblas_{real}{t}{base}", t, base)
        yield routine(f"{real}{t}nrm2_", t, "nrm2")
        yield routine(f"cblas_{t}{real}scal", t, "rscal")
        yield routine(f"{t}{real}scal_", t, "rscal")
        yield routine(f"{t}{real}rot_", t, "rot")
    for name in ("cblas_dsdot", "cblas_sdsdot", "sdsdot_"):
        yield routine(name, "s", "dot")


def openblas(s):
    program = s.built("tests/victims/blas")
    if not os.path.exists(program):
        skip("OpenBLAS is not installed")
    return program


def measured(doc):
    return {op["name"]: (op["calls"], op["flops"], op["bytes"]) for op in doc["ops"] if op["kind"] == "kernel"}


@case
def each_routine_is_what_its_arguments_say(s):
    doc = s.report(s.run([openblas(s), TIMES], env={"OPENBLAS_NUM_THREADS": "1"}))
    equal(measured(doc), dict(truth()), "calls, FLOPs and bytes")
    for op in doc["ops"]:
        if op["kind"] == "kernel":
            equal(op["shaped_calls"], op["calls"], f"calls of {op['name']} with a shape")


@case
def a_product_by_zero_is_none(s):
    global NO_PRODUCT
    for beta in (0, 1, 2):
        NO_PRODUCT = beta
        doc = s.report(s.run([openblas(s), TIMES, 0, beta], env={"OPENBLAS_NUM_THREADS": "1"}))
        want = dict(truth())
        NO_PRODUCT = None
        equal(measured(doc), want, f"calls, FLOPs and bytes, beta = {beta}")


@case
def threads_of_the_library_change_nothing(s):
    doc = s.report(s.run([openblas(s), TIMES], env={"OPENBLAS_NUM_THREADS": "2"}))
    equal(measured(doc), dict(truth()), "calls, FLOPs and bytes")


@case
def shapes_are_as_they_are_stored(s):
    doc = s.report(s.run([openblas(s), 1]))
    shapes = {op["name"]: sorted(x["shape"] for x in op["shapes"]) for op in doc["ops"]}
    # column-major m x k is [m,k]; row-major, and transposed, k x m is [m,k] as well, and n x k is [k,n]
    equal(shapes["cblas_sgemm"], ["f32[3,7] x f32[3,5]", "f32[7,3] x f32[3,5]", "f32[7,3] x f32[5,3]"], "of cblas_sgemm")
    equal(shapes["zgemm_"], ["cf64[3,7] x cf64[5,3]", "cf64[7,3] x cf64[3,5]"], "of zgemm_")
    equal(shapes["dgemv_"], ["f64[7,5] x f64[7,1]"], "of dgemv_, transposed")
    equal(shapes["cblas_dgbmv"], ["f64[4,5] x f64[5,1]"], "of a band")
    how = {op["name"]: [(x["contiguous"], x["alignment"]) for x in op["shapes"][0]["operands"]] for op in doc["ops"]}
    equal(how["dgemv_"], [(False, None), (False, None), (True, None)], "y by twos, a matrix with room between columns, x")
    equal(how["ddot_"], [(True, None)] * 3, "of two vectors")
    equal(how["cblas_dspmv"], [(True, None)] * 3, "of what is packed")
    equal(shapes["cblas_dspmv"], ["f64[15,1] x f64[5,1]"], "of half a matrix")
    lies = {op["name"]: (op["shapes"][0]["params"], [x["strides"][:2] for x in op["shapes"][0]["operands"]]) for op in doc["ops"]}
    equal(lies["dgemv_"], ([M, N, 0, 0], [[16, 16 * N], [8, 8 * 16], [8, 8 * M]]), "m and n; bytes between elements of y, A, x")
    equal(lies["dgbmv_"][0], [M, N, BELOW, ABOVE], "m, n and the bands")
    equal(lies["cblas_dtrsm"][0], [M, N, 0, 1], "m, n, and from the right")


@case
def the_same_matrices_and_other_work(s):
    n, times = 32, 9
    s.infprof("machine", "--quick", "--force", timeout=120)
    program = openblas(s) + "-loop"
    doc = s.report(s.run([program, "turned", n, times], env={"OPENBLAS_NUM_THREADS": "1"}))
    want = times * (2 * n * n * 2 * n + 2 * 2 * n * 2 * n * n)
    equal(measured(doc)["cblas_sgemm"][1], want, "FLOPs of the report")
    rows = json.loads(s.infprof("roofline", "--json").stdout)["rows"]
    equal([(r["calls"], r["flops"]) for r in rows], [(2 * times, want)], "one row, and all of its FLOPs")


@case
def no_shapes_where_they_are_not_wanted(s):
    doc = s.report(s.run([openblas(s), 1], env={"INFPROF_SHAPES": "off"}))
    check(all(op["shaped_calls"] == 0 and op["flops"] is None for op in doc["ops"]), doc["ops"])


@case
def names_of_other_builds_and_nested_calls(s):
    doc = s.report(s.run([s.built("tests/victims/blas-wide")]))
    m, n, k = 5000000000, 3, 2
    wide = (1, 2 * m * n * k, 8 * (m * k + k * n + m * n))
    equal(measured(doc), {
        **{name: wide for name in ("dgemm_64_", "dgemm64_", "scipy_dgemm_64_", "cblas_dgemm_64", "cblas_dgemm64_",
                                   "scipy_cblas_dgemm64_")},
        "cblas_dgemm": (2, 2 * 2 * 4 * 9 * 4, 2 * 8 * (16 + 36 + 36)),
        # two of them inside of cblas_dgemm, one that cannot be, and one with lda < m, which BLAS refuses
        "dgemm_": (5, 2 * 4 * 9 * 4, 8 * (16 + 36 + 36)),
        "cblas_sgemmt": (1, 2 * 4 * half(6), 4 * (2 * 6 * 4 + half(6))),
    }, "calls, FLOPs and bytes")
    op = next(op for op in doc["ops"] if op["name"] == "dgemm_")
    equal((op["shaped_calls"], [x["calls"] for x in op["shapes"]]), (1, [1]), "what dgemm_ was called with from outside")


main()
