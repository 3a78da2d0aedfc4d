# SPDX-License-Identifier: MIT
"""Waits of every kind: as many, as long, for whom and for what the victims say themselves."""

import json
import os

from harness import between, case, check, equal, main, near, skip
from victims import victim
from work import OUTER, PHASES, agrees, by_whom, kinds, objects, sound_waits, waited, work


def one_object(doc, truth, kind, shared=False):
    """The one object of a kind is the victim's, and its waits are all of that kind."""
    found = objects(doc, kind, truth["values"]["object"])
    equal(len(found), 1, f"objects of kind {kind} at the victim's address")
    equal(found[0]["count"], truth["waits"][kind]["count"], f"waits for the {kind}")
    return found[0]


def for_whom(doc, truth, kind):
    o = one_object(doc, truth, kind)
    equal(by_whom(o), {truth["values"]["for_tid"]: truth["waits"][kind]["count"]}, f"for whom, of {kind}")
    near(o["by"][0]["share"], 1, 1e-6, "its share")


@case
def a_mutex_by_who_holds_it(s):
    doc, truth = waited(s, "waits-kinds", "mutex")
    agrees(doc, truth)
    for_whom(doc, truth, "mutex")
    site = next(x for x in doc["sites"] if x["kind"] == "mutex")
    names = [f["function"] for f in site["frames"]]
    check("contend_mutex" in names, f"where it was asked for: {names}")
    equal(site["count"], truth["waits"]["mutex"]["count"], "waits at the site")


@case
def nobody_waits_for_what_is_free(s):
    doc, truth = waited(s, "waits-kinds", "uncontended")
    equal(kinds(doc), {}, "waits")
    agrees(doc, truth)


@case
def locks_of_other_kinds(s):
    doc, truth = waited(s, "waits-kinds", "rwlock-read")
    agrees(doc, truth)
    for_whom(doc, truth, "rwlock")
    # of readers there may be many, and a spinlock has no room for a name: nobody is named, or who it was
    for way, kind in (("rwlock-write", "rwlock"), ("spinlock", "spinlock")):
        doc, truth = waited(s, "waits-kinds", way)
        agrees(doc, truth)
        o = one_object(doc, truth, kind)
        check(not by_whom(o) or set(by_whom(o)) == {truth["values"]["for_tid"]}, f"for whom: {by_whom(o)}")
        equal(o["spins"], kind == "spinlock", "does it burn CPU")


@case
def time_that_runs_out(s):
    for way, kind in (("timedlock", "mutex"), ("cond-timed", "condition")):
        doc, truth = waited(s, "waits-kinds", way)
        agrees(doc, truth)
        equal(one_object(doc, truth, kind)["timeouts"], truth["values"]["timeouts"], "timeouts")


@case
def conditions_semaphores_and_futexes_by_who_wakes(s):
    for way, kind in (("cond", "condition"), ("sem", "semaphore"), ("futex", "futex")):
        doc, truth = waited(s, "waits-kinds", way)
        agrees(doc, truth)
        for_whom(doc, truth, kind)


@case
def a_barrier_by_who_comes_last(s):
    doc, truth = waited(s, "waits-kinds", "barrier")
    agrees(doc, truth)
    own = truth["values"]
    o = one_object(doc, truth, "barrier")
    equal(by_whom(o), {own["last_tid"]: truth["waits"]["barrier"]["count"]}, "for whom")
    rows = [b for b in doc["barriers"] if b["object"] == f"{own['object']:#x}"]
    equal(len(rows), 1, "barriers")
    equal((rows[0]["threads"], rows[0]["episodes"]), (3, own["episodes"]), "threads, episodes")
    equal([(x["tid"], x["times"]) for x in rows[0]["last"]], [(own["last_tid"], own["episodes"])], "who came last")
    near(rows[0]["last"][0]["others_waited_ns"], truth["waits"]["barrier"]["total_ns"], 0.05, "what the others waited")
    near(rows[0]["wait_ns"], truth["waits"]["barrier"]["total_ns"], 0.05, "waited")


@case
def joins_sleeps_yields_and_polls(s):
    for way in ("join", "sleep", "yield", "poll"):
        doc, truth = waited(s, "waits-kinds", way)
        agrees(doc, truth)
    doc, truth = waited(s, "waits-kinds", "join")
    o, = objects(doc, "join")
    # four are named; the others are counted together
    equal((len(o["by"]), o["unknown"]["count"], o["others"]["count"]), (4, 0, 2), "who was joined")


@case
def by_the_names_of_c11(s):
    doc, truth = waited(s, "waits-c11")
    agrees(doc, truth)
    equal(by_whom(objects(doc, "mutex")[0]), {truth["values"]["for_tid"]: 5}, "who held it")


@case
def by_the_names_of_cpp(s):
    if not os.path.exists(victim(s, "waits-cpp")):
        skip("needs C++20's <barrier>")
    doc, truth = waited(s, "waits-cpp")
    agrees(doc, truth, each_ns=20000)
    doc, truth = waited(s, "waits-cpp", "newer")
    got, own = kinds(doc), truth["waits"]["futex"]
    between(own["count"], got["futex"]["count"], 30 * own["count"], "futex waits")
    # it looks and yields before it waits
    near(sum(got.get(k, {"total_ns": 0})["total_ns"] for k in ("futex", "yield")), own["total_ns"], 0.05, "time in them")


@case
def by_the_names_of_rust(s):
    if not os.path.exists(victim(s, "waits-rust")):
        skip("no rustc here")
    doc, truth = waited(s, "waits-rust")
    got, own = kinds(doc), truth["waits"]
    for kind in ("join", "sleep"):
        equal(got[kind]["count"], own[kind]["count"], f"waits of kind {kind}")
        near(got[kind]["total_ns"], own[kind]["total_ns"], 0.03, f"time in {kind}")
    between(own["futex"]["count"], got["futex"]["count"], 3 * own["futex"]["count"], "futex waits")
    near(got["futex"]["total_ns"], own["futex"]["total_ns"], 0.05, "time in them")


@case
def openmp_teams(s):
    if not os.path.exists(victim(s, "waits-omp")):
        skip("needs gcc's OpenMP")
    for team in (2, 3):
        run = s.run([victim(s, "waits-omp"), str(team)])
        equal(run.stderr, "", "stderr")
        truth = json.loads(run.stdout)
        spawns = work(s, "spawns", run)
        waits = work(s, "waits")
        sound_waits(waits)
        # at the end of each odd region all wait for whoever comes last: as a rule the thread that has more to do
        odd = next(b for b in waits["barriers"] if b["episodes"] == truth["regions"]["odd"])
        equal({x["tid"]: x["times"] for x in odd["last"]}, {int(tid): n for tid, n in truth["last"].items() if n},
              "who came last, how often")
        near(odd["wait_ns"], truth["odd_waited_ns"], 0.05, "waited at the end of regions")
        # barriers, and the end of the region, and of each somebody is the last
        meet = next(b for b in waits["barriers"] if b["episodes"] == truth["barriers"] + 1)
        equal(sum(x["times"] for x in meet["last"]), meet["episodes"], "last arrivals")
        equal(len(meet["last"]), team, "in turns")
        sites = {}
        for site in spawns["sites"]:
            if site["kind"] == "openmp":
                name = site["function"].split(".")[0]
                sites[name] = sites.get(name, 0) + site["count"]
                equal(site["team"], team, f"threads in a region of {name}")
        equal(sites, truth["regions"], "regions by function")
        for name in ("even", "odd"):
            site = next(x for x in spawns["sites"] if x["kind"] == "openmp" and x["function"].split(".")[0] == name)
            near(site["lifetime"]["total_ns"], truth["region_ns"][name], 0.05, f"time in regions of {name}")


@case
def waits_of_an_engine_by_op(s):
    run = s.run([s.tinyengine, "--threads", "2", "--tokens", "20", "--pace", "1", "--truth", s.path("truth.json")],
                kernels=PHASES + OUTER)
    own = s.json("truth.json")["waits"]
    doc = work(s, "waits", run)
    sound_waits(doc)
    got = kinds(doc)
    equal(got["sleep"]["count"], own["sleep"], "sleeps")
    between(0, got.get("join", {"count": 0})["count"], own["join"], "joins that waited")
    # the last to come to a barrier does not wait
    equal(got["barrier"]["count"] + sum(x["times"] for b in doc["barriers"] for x in b["last"]), own["barrier"],
          "waits at barriers, and those who came last")


main()
