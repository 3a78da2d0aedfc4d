# SPDX-License-Identifier: MIT
"""The documents infprof.threads/1, waits/1, spawns/1, ledger/1, explain/1 and tokens/1 as the library builds them
(print-work), from runs that make-run wrote: no shim, no daemon. Their figures are held against the fixtures in
tests/unit/test-work.c and test-explain.c; here it is their shape, what must agree in them, and what becomes of a
run file that lacks something, or lies."""

import json
import sqlite3
import time

from harness import case, check, equal, main, near, one_line

DOCUMENTS = ["threads", "waits", "spawns", "ledger", "explain", "tokens"]
KINDS = ["whole", "lone", "healthy", "pinned", "fine", "crowded", "uneven", "convoy", "ousted", "small", "bare", "passing",
         "stamped"]
# Others speak of rows in table frame.
TABLES = ["thread_wait", "wait", "wait_by", "wait_now", "spawn", "ledger", "ledger_row", "ledger_thread", "slow_token",
          "slow_token_row", "kernel", "kernel_op", "syscall", "preempt", "thread_op", "op_phase", "note"]
KERNEL_ROWS = ["runnable", "fault", "syscall"]


def make_run(s, kind="whole", name=None):
    path = s.path((name or kind) + ".infprof")
    s.run([s.built("tests/unit/make-run"), "--work", kind, path], preload=False)
    return path


def change(path, sql):
    with sqlite3.connect(path) as db:
        db.executescript(sql)
    db.close()


def built(s, document, path, code=0):
    run = s.run([s.built("tests/unit/print-work"), document, path], preload=False, code=code)
    return json.loads(run.stdout) if not code else run.stderr


def spreads(o):
    """All quantile objects in it."""
    if isinstance(o, dict):
        if "p50_ns" in o and "max_ns" in o:
            yield o
        for v in o.values():
            yield from spreads(v)
    elif isinstance(o, list):
        for v in o:
            yield from spreads(v)


def ledgers_add_up(doc):
    for who, of in (("own", "wall"), ("critical", "wall"), ("all", "all")):
        rows = doc[who]
        if rows:
            equal(sum(r["total_ns"] or 0 for r in rows), doc["thread_ns"] if of == "all" else doc["wall"]["total_ns"], who)
    for step in doc["slow"]:
        for who in ("own", "critical", "all"):
            equal(sum(v or 0 for v in step[who].values()), step["thread_ns"] if who == "all" else step["wall_ns"],
                  f"slow step {step['number']}, {who}")
    if not doc["kernel"]:
        for who in ("own", "critical", "all"):
            for row in doc[who]:
                check((row["total_ns"] is None) == (row["row"] in KERNEL_ROWS), f"{who}: {row['row']}")


def waits_agree(doc):
    for o in doc["objects"]:
        parts = sum(b["total_ns"] for b in o["by"]) + o["unknown"]["total_ns"] + o["others"]["total_ns"]
        check(parts <= o["total_ns"], f"{o['object']}: for {parts} of {o['total_ns']} somebody is to blame")
        check(all(i < len(doc["sites"]) for i in o["sites"]), "sites of objects")
    equal(sum(o["total_ns"] for o in doc["objects"]), sum(x["total_ns"] for x in doc["sites"]), "objects and sites")
    for b in doc["barriers"]:
        check(sum(x["times"] for x in b["last"]) == b["episodes"], "each episode has one last arrival")


def agree(name, doc):
    for q in spreads(doc):
        values = [q[k] for k in ("min_ns", "p50_ns", "p95_ns", "p99_ns", "max_ns") if q[k] is not None]
        equal(values, sorted(values), f"{name}: {q}")
        if None not in (q["mean_ns"], q["max_ns"]) and values:
            check(values[0] - 1 <= q["mean_ns"] <= q["max_ns"], f"{name}, mean: {q}")
    if name == "ledger":
        ledgers_add_up(doc)
    if name == "waits":
        waits_agree(doc)


def all_documents(s, path):
    docs = {}
    for name in DOCUMENTS:
        docs[name] = built(s, name, path)
        s.validate(docs[name], f"doc/{name}.schema.json")
        agree(name, docs[name])
    return docs


@case
def documents_are_as_their_schemas_say(s):
    for kind in KINDS:
        docs = all_documents(s, make_run(s, kind))
        equal({x["id"]: x["found"] for x in docs["explain"]["looked_at"] if x["found"]},
              {x["id"]: True for x in docs["explain"]["findings"]}, f"{kind}: findings")


@case
def what_a_file_lacks_is_not_known(s):
    for table in TABLES:
        path = make_run(s, name=table)
        also = {"wait": "DELETE FROM wait_by;", "slow_token": "DELETE FROM slow_token_row;"}.get(table, "")
        change(path, f"DELETE FROM \"{table}\"; {also}")
        all_documents(s, path)
    path = make_run(s, name="nothing")
    change(path, "".join(f"DELETE FROM \"{t}\";" for t in TABLES + ["thread", "frame", "site", "op", "process"]))
    docs = all_documents(s, path)
    equal(docs["explain"]["findings"], [], "findings in nothing")
    equal(docs["ledger"]["wall"], None, "no step")
    equal(docs["threads"]["cpus"], None, "cpus of no process")


@case
def stacks_that_could_not_be_taken_are_told(s):
    path = make_run(s)
    notes = [any("stack could not be taken" in n for n in all_documents(s, path)["threads"]["notes"])]
    change(path, "UPDATE kernel SET stacks_lost = 7")
    notes += [n for n in all_documents(s, path)["threads"]["notes"] if "stack could not be taken" in n]
    check(len(notes) == 2 and not notes[0] and " 7 times " in notes[1], notes)


@case
def schemas_are_strict(s):
    import jsonschema
    path = make_run(s)
    spoils = {
        "threads": [lambda d: d.update(more=1), lambda d: d["threads"][0].update(running_ns=-1),
                    lambda d: d["kernel"].update(view="perf"), lambda d: d["kernel"].update(cost_share=1.1),
                    lambda d: d["threads"][0]["waits"].update(nap={"count": 1, "total_ns": 1}),
                    lambda d: d["groups"][0].pop("spans"), lambda d: d.update(schema="infprof.threads/2")],
        "waits": [lambda d: d["objects"][0].update(kind="nap"), lambda d: d["objects"][0].update(object="7000"),
                  lambda d: d["barriers"][0].update(efficiency=1.01), lambda d: d["barriers"][0].update(imbalance=0.9),
                  lambda d: d["objects"][0]["by"][0].update(share=2) if d["objects"][0]["by"] else d.update(more=1),
                  lambda d: d["sites"][0].pop("one")],
        "spawns": [lambda d: d["sites"][0].update(kind="task"), lambda d: d["sites"][0].update({"class": "crowd"}),
                   lambda d: d["sites"][0].update(share_of_token=1.5)],
        "ledger": [lambda d: d["own"][0].update(row="rest"), lambda d: d["own"][0].update(share=1.2),
                   lambda d: d["slow"][0]["own"].pop("compute"), lambda d: d["slow"][0]["own"].update(compute=None),
                   lambda d: d.update(overhead_factor=0.5)],
        "explain": [lambda d: d["looked_at"][0].update(id="slow"), lambda d: d["looked_at"][0].pop("why"),
                    lambda d: d["findings"].append({"id": "spin-wait"})],
        "tokens": [lambda d: d["decode"]["ops"][0].update(share=1.2), lambda d: d["prefill"].update(bound="memory"),
                   lambda d: d.update(kv={}), lambda d: d.pop("course"), lambda d: d["decode"].update(tokens=None)],
    }
    for name in DOCUMENTS:
        with open(s.source(f"doc/{name}.schema.json"), encoding="utf-8") as f:
            schema = json.load(f)
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema)
        text = json.dumps(built(s, name, path))
        check(validator.is_valid(json.loads(text)), name)
        for i, spoil in enumerate(spoils[name]):
            doc = json.loads(text)
            spoil(doc)
            check(not validator.is_valid(doc), f"spoiled document {i} of {name} is refused")


@case
def sums_that_do_not_add_up_are_made_to(s):
    """Rows that are too long, too short, or too long for any number: they sum to the wall time all the same."""
    for i, sql in enumerate((
            "UPDATE ledger_row SET total_ns = total_ns + 1",
            "UPDATE ledger_row SET total_ns = total_ns * 3",
            "UPDATE ledger_row SET total_ns = total_ns / 7",
            "UPDATE ledger_row SET total_ns = 9223372036854775807",
            "UPDATE ledger SET wall_ns = 0, all_ns = 1",
            "UPDATE ledger SET wall_ns = 9223372036854775807, all_ns = 9223372036854775807",
            "UPDATE ledger SET steps = 9223372036854775807, tokens = 1",
            "UPDATE slow_token_row SET ns = ns * 1000",
            "UPDATE slow_token SET wall_ns = 9223372036854775807, all_ns = 0",
            "UPDATE wait SET total_ns = 9223372036854775807, count = 9223372036854775807, last = 9223372036854775807",
            "UPDATE wait SET min_ns = 9223372036854775807, max_ns = 1",
            "UPDATE spawn SET cost_ns = 9223372036854775807, count = 1, team = 9223372036854775807",
            "UPDATE thread SET running_ns = 9223372036854775807, runnable_ns = 1, cpu_ns = 0",
            "UPDATE kernel SET cpus = 9223372036854775807, cost_ns = 9223372036854775807, lost = 9223372036854775807",
            "UPDATE process SET ticks_per_second = 0", "UPDATE process SET ticks_per_second = 1",
            "UPDATE run SET duration_ns = 0; UPDATE process SET duration_ns = 0",
            "UPDATE run SET duration_ns = 9223372036854775807")):
        for kind in ("whole", KINDS[3 + i % 7]):
            path = make_run(s, kind, name=f"{kind}{i}")
            change(path, sql)
            docs = {}
            for name in DOCUMENTS:
                docs[name] = built(s, name, path)
                s.validate(docs[name], f"doc/{name}.schema.json")
            ledgers_add_up(docs["ledger"])
            for q in spreads(docs):
                values = [q[k] for k in ("min_ns", "p50_ns", "p95_ns", "p99_ns", "max_ns") if q[k] is not None]
                equal(values, sorted(values), f"{kind} after {sql}: {q}")


@case
def a_kernels_view_of_one_process(s):
    """Of two that decode: in the other's rows what only the kernel tells is not known."""
    path = make_run(s)
    with sqlite3.connect(path) as db:
        for table in ("ledger", "ledger_row", "ledger_thread", "slow_token", "slow_token_row"):
            names = [f'"{row[1]}"' for row in db.execute(f"PRAGMA table_info({table})")]
            others = ", ".join(n for n in names if n != '"process"')
            db.execute(f"INSERT INTO {table} (process, {others}) SELECT 1, {others} FROM {table}"
                       + (" WHERE thread = 0" if table == "ledger_thread" else ""))
        db.execute("UPDATE ledger SET kernel = 0 WHERE process = 1")
    db.close()
    doc = all_documents(s, path)["ledger"]
    for pid, known in ((6001, True), (6101, False)):
        for rows in ([x["rows"] for x in doc["threads"] if x["pid"] == pid]
                     + [x[who] for x in doc["slow"] if x["pid"] == pid for who in ("own", "critical", "all")]):
            equal([rows[k] is not None for k in KERNEL_ROWS], [known] * 3, f"{pid}: {rows}")
    check(all(r["total_ns"] is not None for r in doc["own"]), "sums of both")


@case
def a_kernels_view_that_came_late(s):
    """Of 2 s it saw 40 ms: what it says of them is a share of these, and the ledger goes without."""
    path = make_run(s, "crowded")
    change(path, "UPDATE thread SET running_ns = running_ns / 50, runnable_ns = runnable_ns / 50,"
                 "blocked_futex_ns = blocked_futex_ns / 50;"
                 "UPDATE ledger_row SET total_ns = total_ns + (SELECT total_ns FROM ledger_row r WHERE r.who = ledger_row.who"
                 " AND r.row = 4) * 49 / 50 WHERE row = 0; UPDATE ledger_row SET total_ns = total_ns / 50 WHERE row = 4")
    docs = all_documents(s, path)
    found = next(f for f in docs["explain"]["findings"] if f["id"] == "oversubscribed")
    runnable = next(e for e in found["evidence"] if "had none" in e["text"])
    near(runnable["value"], 900 / 1350, 1e-6, "runnable share")
    equal(found["confidence"], "medium", "confidence")
    check(any("looked at" in n for n in docs["explain"]["notes"]), "noted")


@case
def what_the_view_cost_may_be_unknown(s):
    path = make_run(s)
    change(path, "UPDATE kernel SET events = NULL, cost_ns = NULL")
    doc = built(s, "threads", path)
    s.validate(doc, "doc/threads.schema.json")
    kernel = doc["kernel"]
    equal((kernel["view"], kernel["lost"], kernel["events"], kernel["cost_ns"], kernel["cost_share"]),
          ("bpf", 0, None, None, None), "unknown, and not nothing")


def judged(s, name, sql):
    """A run in which another process takes the CPU, changed: (the finding or None, why, notes)."""
    path = make_run(s, "ousted", name)
    change(path, sql)
    doc = all_documents(s, path)["explain"]
    found = next((f for f in doc["findings"] if f["id"] == "preempted"), None)
    return found, next(x["why"] for x in doc["looked_at"] if x["id"] == "preempted"), " ".join(doc["notes"])


@case
def who_takes_the_cpu(s):
    row = "INSERT INTO preempt (process, slot, pid, name, own, count, total_ns) VALUES (0, {}, {}, '{}', 0, 20, {});"
    for name in ("infprofd", "infprof-symbols", "infprof-load", "infprof"):
        found, _, notes = judged(s, name, f"UPDATE preempt SET name = '{name}' WHERE NOT own")
        check(found is None and "infprof's own processes" in notes, f"{name}: {found}, {notes}")
    found, _, notes = judged(s, "both", row.format(5, 80, "infprofd", 600_000_000))
    check("stress" in found["title"] and "own processes" in notes, (found, notes))
    # many small processes of one name, and a crowd without a name
    found, *_ = judged(s, "many", "DELETE FROM preempt WHERE NOT own;" +
                       "".join(row.format(10 + i, 100 + i, "cc1", 10_000_000) for i in range(20)) + row.format(5, 0, "", 300_000_000))
    equal(found["title"], "cc1 (process 100 and 19 others) take the CPU from the threads", "title")
    found, *_ = judged(s, "nobody", "UPDATE preempt SET name = NULL, pid = 0 WHERE NOT own")
    equal(found["title"], "other processes take the CPU from the threads", "title")
    # what tokens would gain is too little; and without tokens
    slight = "UPDATE ledger_row SET total_ns = total_ns / 20 WHERE row = 4; UPDATE ledger_row SET total_ns = total_ns + {} WHERE row = 0 AND who"
    found, why, _ = judged(s, "slight", slight.format(57_000_000) + " < 2;" + slight.split(";")[1].format(123_500_000) + " = 2;")
    check(found is None and "next to nothing" in why, why)
    none = "DELETE FROM ledger; DELETE FROM ledger_row; DELETE FROM ledger_thread; UPDATE process SET generated_tokens = 0;"
    found, *_ = judged(s, "no-tokens", none)
    check(found and "that decodes" not in json.dumps(found), found)
    found, why, _ = judged(s, "no-tokens-slight", none + "UPDATE preempt SET total_ns = 150000000 WHERE NOT own")
    check(found is None, found)


def without_tokens(s, kind, name, sql):
    path = make_run(s, kind, name)
    change(path, "DELETE FROM ledger; DELETE FROM ledger_row; DELETE FROM ledger_thread;"
                 "UPDATE process SET generated_tokens = 0;" + sql)
    found = {f["id"]: f for f in all_documents(s, path)["explain"]["findings"]}
    for f in found.values():
        text = json.dumps([f["title"], f["cost"]["text"], f["cause"], f["gain"]["text"], [e["text"] for e in f["evidence"]]])
        for odd in ("unknown time", " a token", " 0 threads", "that decodes", "unknown part"):
            check(odd not in text.replace("no token", ""), f"{name}: {odd!r} in {text}")
    return found


@case
def runs_without_tokens(s):
    calls = "UPDATE op SET kind = 3 WHERE kind < 3;"  # they are no kernels, as the regions of OpenMP are not
    found = without_tokens(s, "passing", "spins", "UPDATE wait SET total_ns = 1500000000 WHERE thread = 0;" + calls)
    check("in the run" in found["spin-wait"]["cost"]["text"], found)
    for f in ("pinned", "fine", "crowded", "uneven", "convoy", "ousted", "small"):
        without_tokens(s, f, f"{f}-bare", "")
        without_tokens(s, f, f"{f}-calls", calls)
    # nothing but the kernel's word: of 2 s eight threads ran 450 ms each, and stood in line for 900 on two CPUs
    nothing = "DELETE FROM thread_op; DELETE FROM op_phase; DELETE FROM wait_by; DELETE FROM wait;"
    found = without_tokens(s, "crowded", "in-line", nothing)
    equal(found["oversubscribed"]["title"], "on average 5.4 threads want a CPU, and there are 2 CPUs", "title")
    check("oversubscribed" not in without_tokens(s, "healthy", "not-in-line", nothing), "a healthy run")


@case
def a_pool_would_gain_what_is_known_of_it(s):
    """20 threads a token, made in 500 us and joined in 400, of which 200 are what they compute, in 1 ms."""
    ledger = "DELETE FROM ledger; DELETE FROM ledger_row; DELETE FROM ledger_thread;"
    tokens = ("INSERT INTO op_phase (process, op, phase, timed, untimed, total_ns, child_ns, max_ns, sum_ns, sumsq_ns2, \"left\", folded,"
              " alloc_calls, alloc_asked, alloc_usable, free_calls, freed_usable, alloc_failed, maps, mapped_bytes)"
              " VALUES (0, 2, 3, 200, 0, 200000000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);")
    for name, sql, factor in (("all", "", 1000 / 300), ("joined-elsewhere", "UPDATE wait SET thread = 1;", 1000 / 500),
                              ("no-ledger", ledger + tokens, None)):
        path = make_run(s, "fine", name)
        change(path, sql)
        gain = next(f for f in all_documents(s, path)["explain"]["findings"] if f["id"] == "spawn-churn")["gain"]
        if factor is None:
            check(gain["factor"] is None and "not known" in gain["text"], gain)
        else:
            near(gain["factor"], factor, 1e-6, name)


@case
def cpus_that_are_not_known(s):
    for kind in KINDS:
        path = make_run(s, kind)
        change(path, "UPDATE kernel SET cpus = 0; UPDATE run SET machine = NULL")
        for f in all_documents(s, path)["explain"]["findings"]:
            texts = json.dumps(f)
            check("over 0" not in texts and " 0 CPUs" not in texts, texts)


@case
def threads_that_compute_are_no_more_than_lived(s):
    path = make_run(s, "fine")  # a main thread, and others one after the other; two lived at a time by their site
    change(path, "UPDATE thread SET name = 'other' WHERE thread > 0 AND thread % 2 = 0")
    looked = {x["id"]: x["why"] for x in all_documents(s, path)["explain"]["looked_at"]}
    check(looked["oversubscribed"].startswith("2 threads compute, 2 CPUs"), looked)


@case
def a_mean_is_no_more_than_the_greatest(s):
    """All of one length, that is not the middle of a bucket."""
    path = make_run(s, "fine")
    for life in (30_100, 29_900):
        change(path, f"UPDATE spawn SET life_ns = {life} * ended")
        site = all_documents(s, path)["spawns"]["sites"][0]
        equal(site["lifetime"]["mean_ns"], life, "mean")
        check(site["lifetime"]["min_ns"] <= life <= site["lifetime"]["max_ns"], site["lifetime"])


@case
def a_pool_is_kept(s):
    """In a run of 2 s: threads that live 400 ms, made at its begin, or near its end; threads that stay."""
    path = make_run(s, "fine")
    change(path, "DELETE FROM ledger; UPDATE process SET generated_tokens = 0; UPDATE spawn SET phase = 1")
    for made, lives, wanted in ((0, 400_000_000, None), (1_500_000_000, 400_000_000, "pool"), (0, 1_900_000_000, "pool")):
        change(path, f"UPDATE thread SET started_ns = {made}, ended_ns = {made + lives} WHERE thread > 0;"
                     "UPDATE run SET duration_ns = 100000; ")  # so that 30 us, which is in the histogram, is not short
        equal(all_documents(s, path)["spawns"]["sites"][0]["class"], wanted, f"made at {made}, {lives} ns")
    change(path, "UPDATE spawn SET kind = 4, ended = 0, live = 0, peak = 0, life_ns = 0, cpu_ns = 0, life_hist = NULL")
    equal(all_documents(s, path)["spawns"]["sites"][0]["class"], None, "of clone()")


@case
def barriers_behind_ops(s):
    """A pool meets outside of its kernels: behind MUL_MAT, and now and then where the shim does not know behind what."""
    for lost, rows in ((0, [("MUL_MAT", 240_000_000)]), (100, [("MUL_MAT", 240_000_000), (None, None)]),
                       (1000, [(None, 240_000_000)])):
        path = make_run(s, "uneven", name=f"uneven{lost}")
        change(path, f"UPDATE wait SET behind = 1, spins = 0; DELETE FROM op_phase WHERE op = 6;"
                     f"INSERT INTO wait SELECT process, wait + 100, kind, 0, phase, thread, object, object_library, object_offset, 0, 0,"
                     f" one, 0, frames, {lost}, {lost}, 1, 1, 0, 0, 0, 0, 0, 0, 0, hist FROM wait WHERE thread = 0 AND {lost};"
                     f"UPDATE op_phase SET timed = 1; INSERT INTO op_phase (process, op, phase, timed, untimed, total_ns, child_ns,"
                     f" max_ns, sum_ns, sumsq_ns2, \"left\", folded, alloc_calls, alloc_asked, alloc_usable, free_calls, freed_usable,"
                     f" alloc_failed, maps, mapped_bytes)"
                     f" VALUES (0, 4, 3, 4000, 0, 240000000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)")
        docs = all_documents(s, path)
        equal(sorted(((b["op"], b["busy_ns"]) for b in docs["waits"]["barriers"]), key=str), sorted(rows, key=str), f"{lost} lost")
        found = next(f for f in docs["explain"]["findings"] if f["id"] == "imbalance")
        check("MUL_MAT is unevenly spread: thread 6002 'pool' works 1.50 times" in found["title"], found["title"])


@case
def work_is_counted_where_threads_come_most(s):
    """Between ops: 1,000 times to one barrier, and to another 600 times each on two ways."""
    path = make_run(s, "uneven")
    row = ("INSERT INTO wait SELECT process, wait + {}, kind, 0, phase, thread, {}, object_library, object_offset, spins, shared, one,"
           " behind, '2', {}, total_ns, min_ns, max_ns, \"left\", timeouts, last, 0, 0, 0, 0, hist FROM wait WHERE wait < 3;")
    change(path, "UPDATE wait SET op = 0, count = 600, last = 0;" + row.format(100, 0x6000, 1000) + row.format(200, 0x7000, 600))
    barriers = {b["object"]: b["busy_ns"] for b in all_documents(s, path)["waits"]["barriers"]}
    equal(barriers, {"0x6000": None, "0x7000": 240_000_000}, "busy")


@case
def damage_is_said(s):
    for i, sql in enumerate((
            "UPDATE wait SET op = 77 WHERE wait = 1", "UPDATE wait SET frames = '2,x' WHERE wait = 1",
            "UPDATE wait SET frames = '99' WHERE wait = 1", "UPDATE spawn SET site = 9 WHERE site = 0",
            "UPDATE wait_by SET wait = wait + 99", "UPDATE thread_wait SET thread = 99 WHERE thread = 0",
            "UPDATE ledger_thread SET thread = 99 WHERE thread = 0", "DELETE FROM slow_token",
            "UPDATE kernel_op SET op = 77 WHERE op = 4", "UPDATE ledger SET process = 9",
            "UPDATE wait SET kind = 12 WHERE wait = 1", "DELETE FROM frame")):
        path = make_run(s, name=f"damage{i}")
        change(path, sql)
        for name in DOCUMENTS:
            one_line(built(s, name, path, code=1), f"{name} after {sql}")


@case
def names_of_strangers_become_utf8(s):
    path = make_run(s)
    change(path, "UPDATE op SET name = CAST(X'6d75ff6c' AS TEXT) WHERE op = 4;"
                 "UPDATE frame SET function = CAST(X'c328' AS TEXT), library = CAST(X'2ff0' AS TEXT);"
                 "UPDATE site SET function = CAST(X'ff' AS TEXT), library = CAST(X'fe' AS TEXT);"
                 "UPDATE wait SET object_library = CAST(X'fd' AS TEXT);"
                 "UPDATE kernel SET why = CAST(X'ff' AS TEXT), view = 1")
    docs = all_documents(s, path)
    check(any(t["name"] == "pool\ufffd" for t in docs["threads"]["threads"]), "a thread's name")
    check(any(p["name"] == "cc1\ufffd" for p in docs["threads"]["preempted_by"]), "a stranger's name")
    equal(docs["waits"]["barriers"][0]["op"], "mu\ufffdl", "an op's name")


@case
def thousands_of_threads_and_waits(s):
    """A thread for each of 20,000 tokens, a full table of waits, each with its own stack: in seconds."""
    path = make_run(s, "pinned")
    change(path, """
        WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 20999)
        INSERT INTO thread (process, thread, tid, parent_tid, name, started_ns, ended_ns, site, spans, folded, alloc_calls,
          alloc_asked, alloc_usable, free_calls, freed_usable, alloc_failed, maps, mapped_bytes)
          SELECT 0, i, 10000 + i, 6001, 'engine', i * 1000, i * 1000 + 900, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM n;
        INSERT INTO thread_wait SELECT 0, thread, 5, 1, 10 FROM thread WHERE thread >= 1000;
        INSERT INTO ledger_thread SELECT 0, thread, 0, 10, 1 FROM thread WHERE thread >= 1000;
        WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 16383)
        INSERT INTO wait (process, wait, kind, op, phase, thread, object, object_offset, spins, shared, one, behind, frames, count,
          total_ns, max_ns, "left", timeouts, last, unknown, unknown_ns, others, others_ns)
          SELECT 0, i, 1 + i % 11, 4, 3, 1000 + i, i % 3000 * 8, 0, 0, 0, 0, 0, (i % 6) || ',' || (i / 6 % 6) || ',' || (i / 36 % 6),
            1, i, 0, 0, 0, 0, 0, 0, 0, 0 FROM n;
        INSERT INTO wait_by SELECT 0, wait, slot, 1000 + wait + slot, 4, 1, 1 FROM wait, (SELECT 0 AS slot UNION SELECT 1
          UNION SELECT 2 UNION SELECT 3) WHERE wait >= 10;
        """)
    start = time.monotonic()
    docs = {name: built(s, name, path) for name in DOCUMENTS}
    took = time.monotonic() - start
    for name in DOCUMENTS:
        agree(name, docs[name])
    equal(len(docs["threads"]["threads"]), 256, "the busiest")
    equal(sum(g["threads"] for g in docs["threads"]["groups"]), 20201, "all of them in groups")
    check(any("busiest are here" in n for n in docs["threads"]["notes"]), "noted")
    equal(len(docs["ledger"]["threads"]), 256, "the longest")
    check(all(len(o["by"]) <= 8 for o in docs["waits"]["objects"]), "many are put together")
    check(took < 60, f"{took} s")


main()
