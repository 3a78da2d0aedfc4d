# SPDX-License-Identifier: MIT
"""Bad days of the heap: where allocations come from handlers, from before and after everything, from threads
and children that go, from those that do it wrong. What the victims count is what we count, and what
they do is what they do without us."""

import json
import os
import signal

from harness import case, check, equal, main
from heap import difference, expected, names, profiled, sums, through, total
from victims import victim

JEMALLOC = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"


def day(s, what, n, interval=1, **options):
    run, doc = profiled(s, [victim(s, "heap-days"), what, str(n)], interval=interval, **options)
    equal(run.stderr, "", f"stderr of {what}")
    truth = {}
    for line in run.stdout.splitlines():
        truth.update(json.loads(line))
    return (truth if len(truth) > 1 else truth["memory"]), doc


def held(s, what, n, **options):
    """The victim's own count, exactly: against a little of the same. Returns (truth, document)."""
    truth_few, few = day(s, what, 1, **options)
    truth, doc = day(s, what, n, **options)
    equal(difference(doc, few), {f: truth[f] - truth_few[f] for f in truth}, f"totals of {what}")
    return truth, doc


@case
def a_storm_of_handlers_that_allocate(s):
    # glibc's allocator cannot bear it; one that can is put behind us
    bump = s.built("tests/victims/libheap-bump.so")
    for interval in (1, 4096, None):
        truth, doc = held(s, "signals", 200000, interval=interval, behind=bump)
        if interval == 1:
            handled = through(doc, "days_handler_alloc")
            check(total(handled, "alloc_objects") >= 50, f"only {total(handled, 'alloc_objects')} in handlers")
            equal(total(handled, "inuse_objects"), min(8, total(handled, "alloc_objects")), "kept by handlers")


@case
def destructors_of_threads(s):
    _, doc = held(s, "tls", 50)
    key = through(doc, "days_key_destructor")
    # in each but the last round a block that goes, in the last one that stays
    equal((total(key, "alloc_objects"), total(key, "inuse_objects")), (50 * 4, 50), "through the destructor")


@case
def handlers_at_exit(s):
    truth, doc = held(s, "exit", 1000)
    after = through(doc, "days_at_exit")
    equal((total(after, "alloc_objects"), total(after, "inuse_objects")), (1000, 64), "after main")


@case
def before_every_constructor(s):
    docs = []
    for n in ("0", "300"):
        run, doc = profiled(s, [victim(s, "heap-early")], interval=1, env={"VICTIM_N": n})
        docs.append(doc)
    truth = json.loads(run.stdout)["memory"]
    equal(difference(docs[1], docs[0]), truth, "totals")
    steps = through(docs[1], "early_step")
    for caller, stay in (("before", 0), ("main", 0), ("after", 300)):
        own = [x for x in steps if names(x)[1] == caller]
        equal((total(own, "alloc_objects"), total(own, "inuse_objects")), (300, stay), f"from {caller}")


@case
def dlsym_that_allocates(s):
    # what dlerror has to say is libc's own
    truth, doc = day(s, "missing", 3000)
    _, few = day(s, "missing", 30)
    equal(truth["calls"], 3000, "blocks")
    got = difference(doc, few)
    check(got["calls"] >= 2970 and got["failed_calls"] == 0, f"{got}")
    equal(got["usable_bytes"], got["freed_bytes"], "nothing stays")


@case
def an_allocator_that_looks_for_the_next_by_dlsym(s):
    wrap = s.built("tests/victims/libheap-wrap.so")
    for what in ("threads", "missing"):
        alone = s.run([victim(s, "heap-days"), what, "200"], preload=False, env={"LD_PRELOAD": wrap})
        truth, doc = day(s, what, 200, behind=wrap)
        equal(json.loads(alone.stdout)["memory"], truth, "what it did, with us and without")
        check(doc["totals"]["calls"] >= truth["calls"], "counted")
    held(s, "threads", 200, behind=wrap)


@case
def threads_that_go_and_leave_blocks_to_others(s):
    for interval in (1, None):
        truth, doc = held(s, "threads", 3000, interval=interval)
        if interval == 1:
            equal(sums(through(doc, "days_leave")), expected(truth), "through days_leave")
    # sampled: what was sampled by those that have gone is still found when it is freed
    truth, doc = day(s, "threads", 30000, interval=4096)
    left = through(doc, "days_leave")
    wanted = expected(truth)
    for field in ("alloc_bytes", "inuse_bytes"):
        sigma = sum(x[field + "_stderr"]**2 for x in left)**0.5
        check(abs(total(left, field) - wanted[field]) <= 5 * sigma, f"{field}: {total(left, field)}, truth {wanted[field]}")


@case
def forks_with_a_busy_heap(s):
    truth, doc = day(s, "fork", 8, timeout=120)
    forked, inherited = truth["forked"], truth["inherited"]
    own = through(doc, "days_fork_alloc")
    # of all processes together: what each child freed it had made itself, or its parent had
    wanted = expected(forked)
    wanted["inuse_objects"] += inherited["calls"]
    wanted["inuse_bytes"] += inherited["usable_bytes"]
    equal(sums(own), wanted, "through days_fork_alloc, all processes")
    equal(wanted["inuse_objects"], 1000 + 8 * (500 + 100), "blocks that stay")
    # a child frees what its parent allocated: live is not the run's usable less freed
    totals, largest = doc["totals"], max(doc["run"]["processes"], key=lambda p: p["peak_bytes"])
    equal(totals["growth_bytes"], sum(p["live_bytes"] for p in doc["run"]["processes"]), "live, by process")
    equal((totals["live_bytes"], totals["peak_bytes"]), (largest["live_bytes"], largest["peak_bytes"]), "of the largest")
    check(doc["totals"]["growth_bytes"] > doc["totals"]["usable_bytes"] - doc["totals"]["freed_bytes"],
          "children freed what their parent had")


@case
def a_child_that_only_allocates_is_seen_at_its_end(s):
    """It opens no op and takes no sample; up to 63 calls are not worth a segment."""
    for n, wanted in ((31, 0), (32, 32), (1000, 1000)):
        _, doc = profiled(s, [victim(s, "heap-days"), "child", str(n)], interval=None)
        _, none = profiled(s, [victim(s, "heap-days"), "child", "0"], interval=None)
        equal(doc["totals"]["calls"] - none["totals"]["calls"], wanted, f"calls of a child that makes {n}")
        equal(doc["totals"]["frees"] - none["totals"]["frees"], wanted, f"frees of a child that makes {n}")


@case
def nothing_asked_for_and_more_than_there_is(s):
    truth, doc = held(s, "nothing", 500)
    truth, doc = held(s, "huge", 100)
    equal(truth["failed_calls"], 1300, "failed calls")
    equal(doc["totals"]["failed_calls"], 1300, "failed calls, as we count them")
    if os.path.exists(JEMALLOC):
        held(s, "nothing", 500, behind=JEMALLOC)


@case
def wrong_frees_end_as_they_do_without_us(s):
    for what in ("twice", "twice-large", "foreign", "odd", "inside", "realloc-foreign", "realloc-odd", "unmapped", "page",
                 "overrun"):
        cmd = [victim(s, "heap-days"), "wrong", what]
        alone = s.run(cmd, preload=False, code=None)
        check(alone.returncode in (-signal.SIGABRT, -signal.SIGSEGV), f"{what} ends with {alone.returncode} by itself")
        for interval in ("1", "0", None):
            run = s.run(cmd, kernels="none:none", code=None, env={"INFPROF_HEAP_INTERVAL": interval})
            equal((run.returncode, run.stderr, run.stdout), (alone.returncode, alone.stderr, alone.stdout),
                  f"{what} at interval {interval}")


@case
def the_allocators_own_thresholds_stay(s):
    cmd = [victim(s, "heap-days"), "thresholds", "0"]
    alone = s.run(cmd, preload=False)
    for interval in ("0", "1", None):
        equal(s.run(cmd, env={"INFPROF_HEAP_INTERVAL": interval}).stdout, alone.stdout, "blocks mapped by themselves")


@case
def what_c23_frees_with_its_size(s):
    # behind us an allocator that has these functions, and one that has not
    for behind in (s.built("tests/victims/libheap-bump.so"), None):
        truth, doc = held(s, "sized", 2000, behind=behind)
        equal(truth["frees"], 4000, "blocks")


@case
def every_form_of_new_and_delete(s):
    for more in ([], ["throw"]):
        docs = [profiled(s, [victim(s, "heap-new"), n, *more], interval=1) for n in ("0", "50")]
        truth = json.loads(docs[1][0].stdout)["memory"]
        if more:  # and five exceptions a round, each with 128 bytes before it; nothrow throws within
            for field, by in (("calls", 5), ("asked_bytes", 4 * 136 + 132), ("usable_bytes", 5 * 136), ("frees", 5),
                              ("freed_bytes", 5 * 136)):
                truth[field] += 50 * by
        equal(difference(docs[1][1], docs[0][1]), truth, f"totals {more}")


@case
def memory_of_the_system_itself(s):
    kernels = "libheap-maps.so:k_*"
    run, doc = profiled(s, [victim(s, "heap-maps"), "20"], interval=1, kernels=kernels)
    truth = json.loads(run.stdout)
    for name, t in truth.items():
        op = [o for o in doc["ops"] if o["name"] == name]
        equal([(o["maps"], o["mapped_bytes"]) for o in op], [(t["maps"], t["mapped_bytes"])] if t["maps"] else [], name)
    for field in ("unmaps", "unmapped_bytes", "maps_failed"):
        equal(doc["totals"][field], sum(t[field] for t in truth.values()), field)


main()
