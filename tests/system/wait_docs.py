# SPDX-License-Identifier: MIT
"""Documents infprof.threads/1, waits/1, spawns/1, ledger/1 and explain/1 of a run that never was: llama.cpp with two
threads on two CPUs, one thread made for each token, which spins in ggml_barrier. For tests of the verbs that print them.

By hand, all of them for the run x:

    XDG_RUNTIME_DIR=/tmp/x python3 tests/system/wait_docs.py /tmp/x/infprof/api.sock
"""

import sys
import time

from fake_api import FakeApi
from memory_docs import EXE, LIBCPU, LIBLLAMA, frame

RUN = "20261120-194500-4711"
MS, US = 1_000_000, 1_000
TOKENS = 100
WALL = 123_400_000  # a token, ns
ROWS = ["compute", "barrier", "lock", "wait", "runnable", "fault", "syscall", "alloc", "spawn", "outside", "profiler", "unaccounted"]
KERNEL_ROWS = ("runnable", "fault", "syscall")
MAIN = [frame("main", EXE, line=212, file="/src/llama-driver.c")]
DECODE = [frame("llama_context::decode(llama_batch const&)", LIBLLAMA, file="/src/llama-context.cpp", line=1043),
          frame("llama_decode", LIBLLAMA)] + MAIN
WORKER = [frame("ggml_graph_compute_thread", LIBCPU), frame("ggml_graph_compute_secondary_thread", LIBCPU)]


def run(live=False):
    return {"id": RUN, "command": "./llama-driver -m model.gguf -n 100 --threads 2", "pid": 4711,
            "started_at": "2026-11-20T19:45:00.250000Z", "duration_ns": 13_250_000_000,
            "end": "live" if live else "code", "exit": None if live else {"code": 0}, "processes": [],
            "machine": "Abacus 7, 2 CPUs, Linux 6.1", "infprof": "0.1.0"}


def quantiles(count, mean, **more):
    return {"count": count, "total_ns": int(count * mean), "mean_ns": int(mean), "min_ns": int(mean * 0.2),
            "p50_ns": int(mean * 0.9), "p95_ns": int(mean * 2.1), "p99_ns": int(mean * 3.3),
            "max_ns": int(mean * 9.7), **more}


def thread(tid, name, life, running, runnable, barrier, site=None, started=0, ended=None, **more):
    other = max(0, life - running - runnable)
    doc = {"pid": 4711, "tid": tid, "parent_tid": None if tid == 4711 else 4711, "name": name, "started_ns": started,
           "ended_ns": ended, "lifetime_ns": life, "cpu_ns": running, "running_ns": running, "runnable_ns": runnable, "watched_ns": life,
           "blocked": {"futex_ns": other // 2, "io_ns": other // 4, "fault_ns": other // 8, "sleep_ns": 0, "poll_ns": 0,
                       "other_ns": other // 8},
           "waits": {"barrier": {"count": max(1, barrier // (9 * US)), "total_ns": barrier}} if barrier else {},
           "wait_ns": {"barrier": barrier, "lock": 0, "other": other // 2}, "in_ops_ns": running + runnable - barrier // 9,
           "fault_ns": other // 8, "syscall_ns": running // 90, "voluntary": life // (20 * MS), "involuntary": runnable // (4 * MS),
           "migrations": runnable // (40 * MS), "minor_faults": 120, "major_faults": 0, "syscalls": life // (3 * MS), "cpu": tid % 2,
           "spans": life // (80 * US), "site": site, "spawn": 0 if site else None, "waiting": None}
    if other // 2:
        doc["waits"]["join"] = {"count": 3, "total_ns": other // 2}
    return {**doc, **more}


SPAWN_SITE = {"function": "ggml_graph_compute", "library": LIBCPU, "offset": 0x2a4f0}


def group(name, site, threads):
    def add(key):
        values = [t[key] for t in threads]
        return None if None in values else sum(values)
    return {"name": name, "site": site, "threads": len(threads),
            "wait_ns": {k: sum(t["wait_ns"][k] for t in threads) for k in ("barrier", "lock", "other")},
            **{k: add(k) for k in ("lifetime_ns", "cpu_ns", "running_ns", "runnable_ns", "watched_ns", "spans", "voluntary", "involuntary",
                                  "migrations")}}


def threads(kernel="bpf", live=False):
    main = thread(4711, "llama-driver", 13_250 * MS, 9_100 * MS, 2_900 * MS, 7_420 * MS)
    workers = [thread(4713 + i, "llama-driver", (122 - i % 7) * MS, (91 + i % 5) * MS, 25 * MS, 74 * MS, SPAWN_SITE,
                      (700 + i * 124) * MS, (822 + i * 124) * MS) for i in range(TOKENS)]
    loader = thread(4712, "loader", 640 * MS, 230 * MS, 2 * MS, 0,
                    {"function": None, "library": EXE, "offset": 0x4a10}, 2 * MS, 642 * MS)
    everyone = [main, loader, *workers]
    doc = {
        "schema": "infprof.threads/1", "run": run(live), "cpus": 2,
        "kernel": {"view": "bpf", "why": None, "lost": 0, "events": 412_345, "cost_ns": 212 * MS, "cost_share": 0.0081},
        "threads": everyone,
        "groups": [group("llama-driver", None, [main]), group("llama-driver", SPAWN_SITE, workers), group("loader", loader["site"], [loader])],
        "run_queue": quantiles(21_540, 251 * US),
        "preempted_by": [{"pid": 4711, "name": "llama-driver", "own": True, "count": 4_012, "total_ns": 1_904 * MS},
                         {"pid": 812, "name": "ffmpeg", "own": False, "count": 911, "total_ns": 633 * MS}],
        "syscalls": [{"number": 202, "name": "futex", "failed": 12, **quantiles(9_120, 120 * US)},
                     {"number": 0, "name": "read", "failed": 0, **quantiles(211, 811 * US)},
                     {"number": 435, "name": "clone3", "failed": 0, **quantiles(101, 31 * US)}],
        "io": {**quantiles(411, 802 * US), "bytes": 412 << 20, "load": {"count": 400, "bytes": 410 << 20, "total_ns": 330 * MS}},
        "ops": [{"op": "MUL_MAT", "phase": "decode", "runnable_ns": 2_110 * MS, "blocked_ns": 12 * MS, "fault_ns": 3 * MS,
                 "minor_faults": 811, "major_faults": 0, "syscalls": 22, "syscall_ns": 1 * MS, "switches": 9_140},
                {"op": None, "phase": "load", "runnable_ns": 12 * MS, "blocked_ns": 330 * MS, "fault_ns": 30 * MS,
                 "minor_faults": 12_811, "major_faults": 311, "syscalls": 822, "syscall_ns": 171 * MS, "switches": 812}],
        "off_cpu": [
            {"block": "futex", "op": None, "phase": "idle", "count": 96, "total_ns": 580 * MS,
             "frames": [frame("pthread_cond_wait", "/usr/lib/libc.so.6"), frame("task_queue::pop()", EXE)] + MAIN},
            {"block": "preempted", "op": "MUL_MAT", "phase": "decode", "count": 4_012, "total_ns": 2_537 * MS,
             "frames": [frame("ggml_vec_dot_q4_0_q8_0", LIBCPU)] + WORKER},
            {"block": "io", "op": None, "phase": "load", "count": 311, "total_ns": 330 * MS, "frames": []}],
        "notes": [],
    }
    if kernel != "bpf":
        doc["kernel"] = {"view": kernel, "why": "eBPF is not permitted: CAP_BPF and CAP_PERFMON are missing; run infprofd as root, or "
                         "setcap cap_bpf,cap_perfmon+ep infprofd", "lost": None, "events": None, "cost_ns": None, "cost_share": None}
        for t in everyone:
            t.update(watched_ns=None, blocked=None, fault_ns=None, syscall_ns=None, migrations=None, syscalls=None,
                     major_faults=None, minor_faults=None)
        for g in doc["groups"]:
            g["migrations"] = g["watched_ns"] = None
        for t in [*everyone, *doc["groups"]] if kernel == "none" else []:
            t.update(running_ns=None, runnable_ns=None, voluntary=None, involuntary=None)
        doc.update(run_queue=None, preempted_by=[], syscalls=[], io=None, ops=[], off_cpu=[])
    if live:
        main["waiting"] = {"kind": "barrier", "object": "0x7f31c0001f40", "for_ns": 2 * MS}
    return doc


def by(tid, name, share, total, count, op=None):
    return {"pid": 4711, "tid": tid, "name": name, "op": op, "count": int(count * share), "total_ns": int(total * share),
            "share": share, "threads": 1 if tid else 100, "site": None}


def wait_object(kind, address, count, mean, threads, sites, blame, library=None, offset=None, spins=False, **more):
    total = int(count * mean)
    seen = sum(share for _, _, share, _ in blame)
    return {"pid": 4711, "kind": kind, "object": address, "library": library, "offset": offset, "spins": spins, "shared": False,
            "threads": threads, **quantiles(count, mean), "timeouts": 0, "left": 0,
            "by": [by(tid, name, share, total, count, op) for tid, name, share, op in blame],
            "unknown": {"count": int(count * (1 - seen)), "total_ns": int(total * (1 - seen))},
            "others": {"count": 0, "total_ns": 0}, "now": {"waits": 0, "total_ns": 0}, "sites": sites, **more}


def waits(live=False):
    barrier = [frame("ggml_barrier", LIBCPU, line=560, file="/src/ggml-cpu.c")] + WORKER
    push = [frame("std::condition_variable::wait(std::unique_lock<std::mutex>&)", "/usr/lib/libstdc++.so.6"),
            frame("task_queue::pop()", EXE, line=88, file="/src/queue.cpp"), frame("server_loop(task_queue&)", EXE)] + MAIN
    lock = [frame("task_queue::push(task&&)", EXE, line=71, file="/src/queue.cpp"), frame("on_request(int)", EXE)]
    join = [frame("ggml_graph_compute", LIBCPU), frame("ggml_backend_cpu_graph_compute", LIBCPU)] + DECODE
    objects = [
        wait_object("barrier", "0x7f31c0001f40", 1_648_000, 9_012, 101, [0],
                    [(4711, "llama-driver", 0.61, "MUL_MAT"), (None, "llama-driver", 0.2, "MUL_MAT")], spins=True),
        wait_object("condition", "0x55e0a1b2c3d0", 96, 6_100 * US, 1, [1], [(4712, "loader", 0.12, None)], timeouts=3, left=1),
        wait_object("mutex", "0x55e0a1b2c3a8", 12_044, 41 * US, 4, [2],
                    [(4711, "llama-driver", 0.72, "llama_decode"), (4712, "loader", 0.25, None)], library=EXE, offset=0x1f3a8),
        wait_object("join", None, 101, 900 * US, 1, [3], [(None, "llama-driver", 0.4, None)]),
    ]

    if live:
        objects[0]["now"], objects[1]["now"] = {"waits": 1, "total_ns": 8 * US}, {"waits": 1, "total_ns": 12_400 * MS}

    def site(kind, op, phase, frames, threads, count, mean):
        return {"kind": kind, "op": op, "phase": phase, "frames": frames, "one": False, "objects": 1, "threads": threads,
                **quantiles(count, mean)}
    return {
        "schema": "infprof.waits/1", "run": run(live),
        "kinds": [{"kind": o["kind"], "count": o["count"], "total_ns": o["total_ns"],
                   "spins_ns": o["total_ns"] if o["spins"] else 0, "now": o["now"]} for o in objects],
        "objects": objects,
        "sites": [site("barrier", "MUL_MAT", "decode", barrier, 101, 1_648_000, 9_012),
                  site("condition", None, "idle", push, 1, 96, 6_100 * US),
                  site("mutex", None, "decode", lock, 4, 12_044, 41 * US),
                  {**site("join", "ggml_graph_compute", "decode", join[:1], 1, 101, 900 * US), "one": True}],
        "barriers": [
            {"pid": 4711, "object": "0x7f31c0001f40", "objects": 1, "op": "MUL_MAT", "phase": "decode", "spins": True, "threads": 2, "episodes": 822_000,
             "busy_ns": 4_620 * MS, "wait_ns": 13_200 * MS, "imbalance": 1.48, "efficiency": 0.259,
             "last": [{"pid": 4711, "tid": 4711, "name": "llama-driver", "threads": 1, "site": None, "times": 501_420, "share": 0.61, "others_waited_ns": 8_052 * MS}],
             "price": {"tokens_per_second": 3.21, "share_of_token": 0.534}},
            {"pid": 4711, "object": None, "objects": 2, "op": "RMS_NORM", "phase": "prefill", "spins": True, "threads": 2, "episodes": 2_000,
             "busy_ns": 62 * MS, "wait_ns": 31 * MS, "imbalance": 1.02, "efficiency": 0.667, "last": [], "price": None}],
        "waiting": [
            {"pid": 4711, "tid": 4712, "name": "loader", "kind": "condition", "object": "0x55e0a1b2c3d0", "library": None, "offset": None, "by": None, "for_ns": 12_400 * MS,
             "since_ns": 850 * MS, "site": 1},
            {"pid": 4711, "tid": 4711, "name": "llama-driver", "kind": "barrier", "object": "0x7f31c0001f40", "library": None, "offset": None, "by": None, "for_ns": 8 * US,
             "since_ns": 13_249 * MS, "site": None}] if live else [],
        "notes": [],
    }


def spawns(live=False):
    start = [frame("std::thread::_M_start_thread(std::unique_ptr<std::thread::_State>, void (*)())", "/usr/lib/libstdc++.so.6"),
             frame("ggml_graph_compute", LIBCPU), frame("ggml_backend_cpu_graph_compute", LIBCPU)] + DECODE
    return {
        "schema": "infprof.spawns/1", "run": run(live), "tokens": TOKENS,
        "sites": [
            {"kind": "thread", **SPAWN_SITE, "frames": start, "op": "ggml_graph_compute", "phase": "decode", "count": 100,
             "rate_per_second": 7.55, "per_token": 1.0, "live": 0, "peak": 1, "ended": 100, "class": "short-lived",
             "lifetime": quantiles(100, 119 * MS), "cpu": {"total_ns": 9_300 * MS, "mean_ns": 93 * MS},
             "cost": quantiles(100, 61 * US), "team": None, "share_of_token": 0.0005},
            {"kind": "thread", "function": None, "library": EXE, "offset": 0x4a10, "frames": [], "op": None, "phase": "load",
             "count": 1, "rate_per_second": 0.08, "per_token": None, "live": 0, "peak": 1, "ended": 1, "class": None,
             "lifetime": quantiles(1, 640 * MS), "cpu": {"total_ns": 230 * MS, "mean_ns": 230 * MS}, "cost": quantiles(1, 88 * US),
             "team": None, "share_of_token": None},
            {"kind": "openmp", "function": "attention(float*, int)", "library": EXE, "offset": 0x9000, "frames": [frame("attention(float*, int)")],
             "op": None, "phase": "decode", "count": 3_200, "rate_per_second": 241.5, "per_token": 32.0, "live": 0, "peak": 1,
             "ended": 3_200, "class": None, "lifetime": quantiles(3_200, 300 * US), "cpu": None, "cost": quantiles(3_200, 9 * US),
             "team": 2.0, "share_of_token": 0.0023}],
        "notes": [],
    }


def ledger_rows(parts, wall, kernel):
    """`parts` are shares of `wall`, in the order of ROWS; the last takes what is left."""
    values = [int(wall * p) for p in parts]
    values[-1] = wall - sum(values[:-1])
    return dict(zip(ROWS, values)) if kernel else {
        k: None if k in KERNEL_ROWS else v + sum(values[4:7]) * (k == "barrier") for k, v in zip(ROWS, values)}


def ledger(kernel=True, live=False):
    own = ledger_rows([0.282, 0.412, 0.0, 0.011, 0.221, 0.002, 0.004, 0.003, 0.001, 0.041, 0.011, 0], WALL * TOKENS, kernel)
    critical = ledger_rows([0.612, 0.051, 0.0, 0.0, 0.251, 0.002, 0.004, 0.003, 0.001, 0.041, 0.021, 0], WALL * TOKENS, kernel)
    everyone = ledger_rows([0.302, 0.398, 0.001, 0.010, 0.231, 0.002, 0.004, 0.002, 0.001, 0.021, 0.011, 0], 2 * WALL * TOKENS, kernel)

    def table(rows):
        whole = sum(v for v in rows.values() if v is not None)
        return [{"row": k, "total_ns": v, "mean_ns": None if v is None else v // TOKENS,
                 "p50_ns": None if v is None else int(v / TOKENS * 0.93), "p99_ns": None if v is None else int(v / TOKENS * 2.7),
                 "share": None if v is None else v / whole} for k, v in rows.items()]

    def slow(number, factor, different, **more):
        wall = int(WALL * factor)
        return {"pid": 4711, "number": number, "thread_ns": 2 * wall, "start_ns": 700 * MS + number * WALL, "wall_ns": wall, "times_median": factor, "tokens": 1, "threads": 2,
                "own": ledger_rows([0.08, 0.21, 0, 0.0, 0.62, 0.03, 0.001, 0.001, 0.0, 0.02, 0.01, 0], wall, kernel),
                "critical": ledger_rows([0.12, 0.11, 0, 0.0, 0.68, 0.03, 0.001, 0.001, 0.0, 0.02, 0.01, 0], wall, kernel),
                "all": ledger_rows([0.1, 0.2, 0, 0.0, 0.62, 0.03, 0.001, 0.001, 0.0, 0.01, 0.01, 0], 2 * wall, kernel),
                "allocs": 133, "alloc_bytes": 15_206, "spawns": 1, "waits": 16_480, "voluntary": 211 if kernel else None,
                "involuntary": 88 if kernel else None, "migrations": 12 if kernel else None, "minor_faults": 4 if kernel else None,
                "major_faults": 0 if kernel else None, "syscalls": 60 if kernel else None, "different": different, **more}
    return {
        "schema": "infprof.ledger/1", "run": run(live), "steps": TOKENS, "tokens": TOKENS, "dropped": 0, "kernel": kernel,
        "wall": quantiles(TOKENS, WALL), "thread_ns": 2 * WALL * TOKENS,
        "own": table(own), "critical": table(critical), "all": table(everyone),
        "threads": [{"pid": 4711, "tid": 4711, "name": "llama-driver", "steps": TOKENS, "wall_ns": WALL * TOKENS, "rows": own},
                    {"pid": 4711, "tid": 4713, "name": "llama-driver", "steps": TOKENS, "wall_ns": WALL * TOKENS,
                     "rows": ledger_rows([0.322, 0.384, 0.002, 0.0, 0.241, 0.002, 0.004, 0.001, 0.0, 0.001, 0.011, 0], WALL * TOKENS, kernel)}],
        "overhead_factor": 2 * WALL * TOKENS / everyone["compute"], "useful_ns": everyone["compute"],
        "slow": [slow(57, 4.31, ["runnable 329.0ms against 27.3ms in the middle: something else had the CPUs",
                                 "involuntary switches 88 against 3"]),
                 slow(12, 3.02, [])],
        "notes": [],
    }


def explain(found=True):
    ids = ["oversubscribed", "spin-wait", "spawn-churn", "imbalance", "lock-convoy", "preempted", "migrations", "small-work-units"]
    findings = [
        {"id": "spin-wait", "title": "Threads spin in ggml_barrier for 53.4% of a token",
         "evidence": [{"text": "of a token's time the thread that decodes spun", "value": 0.534, "unit": "share"},
                      {"text": "waits at the barrier of MUL_MAT", "value": 822_000, "unit": "count"},
                      {"text": "of CPU time, by all threads", "value": 14_851_776_000, "unit": "ns"}],
         "cost": {"text": "65.9ms of a token's 123.4ms, and 3.21 tokens/s", "ns_per_token": 65_900_000, "share": 0.534,
                  "tokens_per_second": 3.21},
         "cause": "A thread that waits at ggml_barrier does not sleep: it burns the CPU that the thread it waits for wants. With 2 threads "
                  "on 2 CPUs that others want, too, each barrier lasts until the scheduler has had its turn.",
         "remedy": "Run with one thread less (--threads 1), or leave the CPUs to the engine alone (taskset, cgroup).",
         "gain": {"text": "without these waits a token takes 57.5ms instead of 123.4ms", "tokens_per_second": 17.4, "factor": 2.15},
         "confidence": "high"},
        {"id": "spawn-churn", "title": "One thread is made for each token",
         "evidence": [{"text": "threads made", "value": 1.0, "unit": "1/token"},
                      {"text": "making one, on average", "value": 151 * US, "unit": "ns"}],
         "cost": {"text": "0.1% of a token's time", "ns_per_token": 151_000, "share": 0.0012, "tokens_per_second": 0.01},
         "cause": "ggml_graph_compute makes its threads anew for each graph, since it was given no thread pool.",
         "remedy": "Give the context a thread pool (llama_attach_threadpool), which keeps its threads.",
         "gain": {"text": "0.1% of a token", "tokens_per_second": None, "factor": 1.001}, "confidence": "medium"}]
    looked = [{"id": i, "found": bool(found and i in ("spin-wait", "spawn-churn")), "why": f"what there is of {i} was looked at"} for i in ids]
    looked[0]["why"] = "at most 2 of the threads wanted to run at a time, and there are 2 CPUs"
    looked[5].update(found=None, why="the kernel's view was not there: who had the CPU is not known")
    return {"schema": "infprof.explain/1", "run": run(), "findings": findings if found else [], "looked_at": looked, "notes": []}


def answers(name, **more):
    return {f"GET /v1/runs/{name}/{verb}": make() for verb, make in
            (("threads", threads), ("waits", waits), ("spawns", spawns), ("ledger", ledger), ("explain", explain))}


if __name__ == "__main__":
    served = FakeApi(sys.argv[1], {
        **answers("x"), "GET /v1/runs/nokernel/threads": threads("proc"), "GET /v1/runs/nokernel/ledger": ledger(False),
        "GET /v1/runs/live/waits": waits(True), "GET /v1/runs/live/threads": threads(live=True),
        "GET /v1/runs/healthy/explain": explain(False)})
    while True:
        time.sleep(1)
