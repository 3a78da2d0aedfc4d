# SPDX-License-Identifier: MIT
"""However a library came into the process, and whoever linked it, each call of a kernel counts once,
and the program sees the same symbols as without the shim."""

import json
import os

from harness import case, check, equal, main, skip
from victims import calls, notes, same, sound, victim

LINKERS, BINDINGS = ("bfd", "lld", "mold"), ("lazy", "relro", "now", "noplt")


def built(s, pattern):
    """Names of what was built; a linker that is not here built nothing."""
    names = [pattern.format(linker, binding) for linker in LINKERS for binding in BINDINGS]
    found = [name for name in names if os.path.exists(victim(s, name))]
    check(len(found) >= len(BINDINGS), f"nothing built of {pattern}")
    return found


@case
def programs_linked_with_kernels(s):
    for kind in ("pie", "nopie"):
        for name in built(s, "objects-{}-{}-" + kind):
            same(s, name, kernels="libobj-*.so:k_*")


@case
def libraries_opened_local(s):
    for name in built(s, "libobj-{}-{}.so"):
        same(s, "objects", victim(s, name), "now", "local", kernels="libobj-*.so:k_*")


@case
def libraries_opened_every_other_way(s):
    for name in ("libobj-bfd-lazy.so", "libobj-bfd-now.so"):
        for mode in (["lazy"], ["lazy", "global"], ["now", "global"], ["lazy", "deepbind"],
                     ["now", "deepbind"], ["lazy", "again"], ["now", "deepbind", "again"]):
            same(s, "objects", victim(s, name), *mode, kernels="libobj-*.so:k_*")


@case
def libraries_that_bind_themselves_count_from_outside(s):
    for linker in LINKERS:
        name = victim(s, f"libobj-{linker}-symbolic.so")
        if not os.path.exists(name):
            continue
        # an IFUNC is called through the PLT even so, where the linker kept its name there
        doc, truth = same(s, "objects", name, "now", "symbolic", kernels="libobj-*.so:k_*",
                          more=["k_chosen"])
        check(calls(doc)["k_chosen"] in (truth["kernels"]["k_chosen"],
                                         truth["kernels"]["k_chosen"] + truth["values"]["inside"]),
              f"calls of k_chosen, linked by {linker}")


@case
def kernels_of_the_program_called_from_a_library(s):
    doc, _ = same(s, "callback", kernels="callback:step_*")
    equal({os.path.basename(op["library"]) for op in doc["ops"]}, {"callback"}, "library of the ops")


@case
def both_versions_of_a_symbol(s):
    same(s, "versions", kernels="libversions.so:k_*")


@case
def the_next_object_is_the_callers(s):
    for args in (["next", victim(s, "libnext-front.so")], ["next-linked"]):
        doc, truth = same(s, *args, kernels="libnext-*.so:k_relay")
        equal(truth["values"]["found"], 1, "RTLD_NEXT finds the one behind")
        equal({os.path.basename(op["library"]): op["calls"] for op in doc["ops"]},
              {"libnext-front.so": 101, "libnext-back.so": 101}, "calls by library")


@case
def a_deeply_bound_library_reaches_its_own(s):
    for how, own in (("deep", 100), ("flat", 0)):
        doc, _ = same(s, "deep", victim(s, "libdeep-2.so"), how, kernels="libdeep-*.so:k_deep")
        wanted = {"libdeep-1.so": 101 - own, "libdeep-2.so": own}
        equal({os.path.basename(op["library"]): op["calls"] for op in doc["ops"]},
              {k: v for k, v in wanted.items() if v}, f"calls by library, {how}")


@case
def a_deeply_bound_library_does_not_go_around_us(s):
    memory, spawns = [], []
    for how in ("flat", "deep"):
        doc, _ = same(s, "deep", victim(s, "libdeep-2.so"), how, kernels="libdeep-*.so:k_deep")
        memory.append({k: doc["memory"][k] for k in ("alloc_calls", "free_calls", "alloc_bytes")})
        spawns.append(doc["spawns"]["total"])
    equal(memory[1], memory[0], "allocations, deeply bound and not")
    equal(spawns, [1, 1], "spawns")


@case
def the_runpath_of_the_caller_counts(s):
    _, truth = same(s, "opener", kernels="libhidden.so:k_*")
    equal((truth["values"]["mine"], truth["values"]["its"]), (0, 1), "who finds the library")


@case
def constructors_that_open_libraries(s):
    same(s, "ctor", victim(s, "libctor.so"), kernels="libobj-*.so:k_* libctor.so:k_ctor",
         env={"VICTIM_LIBRARY": victim(s, "libobj-bfd-lazy.so")})


@case
def corners_of_the_loader(s):
    _, truth = same(s, "corners", victim(s, "libobj-bfd-lazy.so"), kernels="libobj-*.so:k_step")
    equal((truth["values"]["dladdr"], truth["values"]["dladdr1"], truth["values"]["dlmopen"]), (2, 2, 1),
          "dladdr, dladdr1, dlmopen")


@case
def two_threads_open_and_close_the_same_library(s):
    for name in ("libobj-bfd-lazy.so", "libobj-bfd-now.so"):
        same(s, "corners", victim(s, name), "5000", kernels="libobj-*.so:k_step")


@case
def before_main_and_after_it(s):
    same(s, "early", kernels="libearly.so:k_*")


@case
def another_library_at_the_same_address_has_its_own_name(s):
    doc, truth = same(s, "swap", victim(s, "libswap-alpha.so"), victim(s, "libswap-beta.so"),
                      kernels="libswap-*.so:k_*")
    if not truth["values"]["same address"]:
        skip("the loader never used an address again")
    equal({(op["name"], os.path.basename(op["library"])) for op in doc["ops"]},
          {("k_alpha", "libswap-alpha.so"), ("k_beta", "libswap-beta.so")}, "ops and their libraries")


@case
def stubs_come_back_when_libraries_go(s):
    doc, truth = many(s, "100", 200)
    equal(sum(calls(doc).values()), truth["kernels"]["k_*"], "calls")
    equal(len(calls(doc)), 100, "ops")
    equal(notes(doc, "no stub free"), [], "refusals")


@case
def more_kernels_than_stubs_are_said(s):
    doc, truth = many(s, "9000", 1)
    refused = notes(doc, "found no stub free")
    equal(len(refused), 1, "notes of refusals")
    n = int(refused[0].split()[0].replace(",", "").replace("\N{NARROW NO-BREAK SPACE}", ""))
    check(n >= 9000 - 8192, f"refused: {refused[0]}")
    total = sum(op["calls"] for op in doc["ops"])
    equal(total + 2 * n, truth["kernels"]["k_*"], "calls counted and of kernels refused")


def many(s, n, rounds):
    args = [victim(s, "many"), victim(s, f"libmany-{n}.so"), n, str(rounds)]
    alone = s.run(args, preload=False)
    run = s.run(args, kernels="libmany-*.so:k_*")
    equal(run.stdout, alone.stdout, "output")
    equal(run.stderr, "", "stderr")
    doc = s.report(run)
    sound(doc)
    return doc, json.loads(run.stdout)


main()
