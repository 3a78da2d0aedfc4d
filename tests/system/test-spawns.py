# SPDX-License-Identifier: MIT
"""Spawns: how many of each kind, from where, what they lived and burned, and what it cost to make them."""

import json

from harness import between, case, check, equal, main, near
from victims import victim
from work import OUTER, PHASES, ordered, work


def spawned(s, how):
    run = s.run([victim(s, "spawns"), how])
    equal(run.stderr, "", "stderr")
    doc = work(s, "spawns", run)
    for site in doc["sites"]:
        for key in ("lifetime", "cost"):
            if site[key]:
                ordered(site[key], f"{key} at {site['function']}")
    return doc, json.loads(run.stdout)


def by_kind(doc):
    got = {}
    for site in doc["sites"]:
        got[site["kind"]] = got.get(site["kind"], 0) + site["count"]
    return got


@case
def threads_by_where_they_are_made(s):
    doc, truth = spawned(s, "threads")
    equal(by_kind(doc), truth["kinds"], "kinds")
    sites = {x["function"]: x for x in doc["sites"]}
    equal({f: x["count"] for f, x in sites.items()}, {f: x["count"] for f, x in truth["sites"].items()}, "sites")
    for name, own in truth["sites"].items():
        site, n = sites[name], own["count"]
        equal((site["ended"], site["live"], site["lifetime"]["count"], site["cost"]["count"]), (n, 0, n, n), f"ends at {name}")
        # a thread lives from when it is asked for, which is within what it costs, to a little after its own last stamp
        between(max(own["life_ns"], own["asked_life_ns"] - own["cost_ns"]), site["lifetime"]["total_ns"],
                own["asked_life_ns"] * 1.05 + n * 200000, f"lives at {name}")
        between(site["cpu"]["total_ns"], site["lifetime"]["total_ns"], 1e12, f"it lives as long as it runs, at {name}")
        between(own["cpu_ns"], site["cpu"]["total_ns"], own["cpu_ns"] * 1.05 + n * 200000, f"CPU time at {name}")
        between(0.3 * own["cost_ns"], site["cost"]["total_ns"], own["cost_ns"] * 1.01, f"cost at {name}")
    equal({n: sites[n]["class"] for n in ("make_brief", "make_pool")},  # these are gone long before the run is over
          {"make_brief": "short-lived", "make_pool": None}, "classes")
    equal(sites["make_pool"]["peak"], 4, "alive at a time")
    equal(sites["make_brief"]["peak"], 1, "alive at a time")


@case
def processes_of_all_kinds(s):
    doc, truth = spawned(s, "processes")
    equal(by_kind(doc), truth["kinds"], "kinds")
    equal({x["function"] for x in doc["sites"]}, {"make_processes"}, "where they are made")
    for site in doc["sites"]:
        check(site["cost"]["total_ns"] > 0, f"{site['kind']} costs something")
        equal(site["class"], None, f"processes are no pool: {site['kind']}")


@case
def of_an_engine_by_op_and_token(s):
    args = ["--threads", "2", "--tokens", "10", "--layers", "2", "--truth", s.path("truth.json")]
    run = s.run([s.tinyengine, *args, "--spawn", "op"], kernels=PHASES + OUTER)
    own = s.json("truth.json")
    doc = work(s, "spawns", run)
    equal(by_kind(doc), {"thread": own["spawns"]}, "spawns")
    equal(doc["tokens"], 9, "tokens of decode steps")
    decode = [x for x in doc["sites"] if x["phase"] == "decode"]
    equal(sum(x["count"] for x in decode), own["spawns"] * 9 // 10, "in decode steps")
    near(sum(x["per_token"] for x in decode), own["spawns"] / 10, 0.001, "a token")
    run = s.run([s.tinyengine, *args, "--tokens", "60", "--pace", "5"], kernels=PHASES + OUTER)
    doc = work(s, "spawns", run)
    equal([(x["count"], x["class"]) for x in doc["sites"]], [(1, "pool")], "a pool's")


@case
def more_threads_than_have_rows(s):
    args = ["--threads", "2", "--tokens", "50", "--spawn", "op", "--truth", s.path("truth.json")]
    run = s.run([s.tinyengine, *args], kernels="libtinykernels.so:tk_matmul")
    doc, made = work(s, "threads", run), s.json("truth.json")["spawns"] + 1
    check(made > 5000, f"too few threads: {made}")
    equal(sum(g["threads"] for g in doc["groups"]), made, "threads")
    equal([g["threads"] for g in doc["groups"] if g["name"] == "(later threads)"], [made - 4096], "without a row")
    equal(doc["run"]["processes"][0]["threads"], made, "threads of the process")
    check(any(str(made - 4096) in note for note in doc["notes"]), doc["notes"])


@case
def fine_and_coarse(s):
    args = ["--threads", "2", "--tokens", "8", "--layers", "2", "--texts", "4", "--truth", s.path("truth.json")]
    for more in (["--spawn", "op"], ["--work", "coarse"]):
        run = s.run([s.tinyengine, *args, *more], kernels=PHASES + OUTER)
        equal(by_kind(work(s, "spawns", run)), {"thread": s.json("truth.json")["spawns"]}, f"spawns, {more}")


main()
