# SPDX-License-Identifier: MIT
"""A daemon that is none: the HTTP API on a unix socket, with answers that a test wrote.

    from fake_api import FakeApi, sample_top, sample_status

    api = FakeApi(session.path("run/infprof/api.sock"))
    api.answers["GET /v1/status"] = sample_status()
    ...
    api.close()

`answers` maps "METHOD path" to a document, to (status, document), or to a function of the request's
document. What it does not know is a 404. `requests` is what was asked: [(method, path, document)].
By hand, with a top that moves:

    XDG_RUNTIME_DIR=/tmp/x python3 tests/system/fake_api.py /tmp/x/infprof/api.sock
"""

import contextlib
import http.server
import json
import os
import socket
import socketserver
import sys
import threading
import time
import urllib.parse


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self):
        return "local"

    def log_message(self, *args):
        pass

    def setup(self):
        super().setup()
        self.server.api.connections.append(self.connection)

    def _serve(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        document = json.loads(body) if body else None
        path = urllib.parse.unquote(self.path)
        api = self.server.api
        api.requests.append((self.command, path, document))
        answer = api.answers.get(f"{self.command} {path}", (404, {
            "error": {"status": 404, "message": f"there is no {path}"}}))
        if callable(answer):
            answer = answer(document)
        status, answer = answer if isinstance(answer, tuple) else (200, answer)
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError):
            self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = _serve


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False


class FakeApi:
    def __init__(self, path, answers=None):
        self.path = path
        self.answers = answers or {}
        self.requests = []
        self.connections = []
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        self.server = _Server(path, _Handler)
        self.server.api = self
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02},
                                       daemon=True)
        self.thread.start()

    def close(self, keep_socket=False):
        """Ends; with keep_socket as after a crash."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        for connection in self.connections:  # what is kept alive would be answered for ever
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        if not keep_socket:
            os.unlink(self.path)


RUN = "20261120-194500-4711"
OPS = [  # name, library, calls a second, mean ns, share of total, share of self
    ("MUL_MAT", "libggml-cpu.so", 4210.5, 118_300, 0.6105, 0.6012),
    ("FLASH_ATTN_EXT", "libggml-cpu.so", 612.0, 210_000, 0.1420, 0.1388),
    ("RMS_NORM+MUL", "libggml-cpu.so", 1314.0, 9_120, 0.0311, 0.0311),
    ("ggml_barrier", "libggml-base.so", 18_400.0, 1_730, 0.0802, 0.0802),
    ("SWIGLU", "libggml-cpu.so", 606.0, 14_040, 0.0212, 0.0212),
    ("ROPE", "libggml-cpu.so", 1212.0, 5_300, 0.0160, 0.0160),
    ("SOFT_MAX", "libggml-cpu.so", 30.25, 88_000, 0.0066, 0.0066),
    ("llama_decode", "libllama.so", 101.0, 9_870_000, 0.9950, 0.0031),
    ("ggml_graph_compute", "libggml-cpu.so", 101.0, 9_700_000, 0.9779, 0.0009),
    ("GET_ROWS", "libggml-cpu.so", 101.0, 830, 0.0002, 0.0002),
    ("a_kernel_of_the_user_with_a_name_that_is_longer_than_any_column", "libfoo.so", 0.0, 1_000, 0, 0),
]


def sample_op(i, op):
    name, library, rate, mean, total, self_share = op
    calls = int(rate * 93) or 7
    total_ns = calls * mean
    self_ns = int(total_ns * (self_share / total)) if total else total_ns
    spark = [int(rate * abs((j + 7 * i) % 40 - 20) / 20) for j in range(60)]
    return {
        "name": name, "kind": "node", "library": f"/usr/lib/{library}", "calls": calls,
        "calls_per_second": rate, "total_ns": total_ns, "self_ns": self_ns, "mean_ns": mean,
        "p50_ns": int(mean * 0.93), "p95_ns": int(mean * 1.7), "p99_ns": int(mean * 2.4),
        "max_ns": mean * 11, "total_share": total, "self_share": self_share, "spark": spark,
        "threads": [
            {"tid": 4711, "name": "llama-driver", "calls": calls * 3 // 5,
             "total_ns": total_ns * 3 // 5, "self_ns": self_ns * 3 // 5},
            {"tid": 4712, "name": "worker-1", "calls": calls * 2 // 5,
             "total_ns": total_ns * 2 // 5, "self_ns": self_ns * 2 // 5}],
    }


MEMORY = [  # op, library, allocations a second, frees a second, bytes each
    ("(not in any op)", None, 101.0, 505.0, 512),
    ("llama_decode", "libllama.so", 13_130.0, 13_130.0, 96),
    ("ggml_graph_compute", "libggml-cpu.so", 404.0, 0.0, 512),
    ("MUL_MAT", "libggml-cpu.so", 0.0, 0.0, 4_194_304),
]


SITES = [  # function, library, caller, op, bytes a second, bytes each, in use, since the start
    ("llama_context::process_ubatch(llama_ubatch const&, llm_graph_type)", "libllama.so", "llama_context::decode",
     "llama_decode", 838_860.0, 112, 0, 78_013_980),
    ("llm_graph_context::build_attn(llm_graph_input_attn_kv*, ggml_tensor*) const", "libllama.so",
     "llm_build_llama::llm_build_llama", "llama_decode", 419_430.0, 96, 524_288, 39_006_990),
    ("ggml_graph_plan", "libggml-cpu.so", "ggml_backend_cpu_graph_compute", "ggml_graph_compute", 0.0, 512,
     18_874_368, 19_398_656),
    ("ggml_aligned_malloc", "libggml-base.so", "ggml_backend_cpu_buffer_type_alloc_buffer", None, 0.0, 16_777_216,
     33_554_432, 33_554_432),
    (None, "/opt/node", None, None, 0.0, 64, 524_288, 1_048_576),
]


def sample_site(function, library, caller, op, rate, size, inuse, total):
    return {"name": function.split("(")[0] if function else "node+0x1d3f00", "function": function,
            "library": library if "/" in library else f"/usr/lib/{library}", "caller": caller, "op": op,
            "samples": max(1, total >> 19), "alloc_bytes": total, "alloc_objects": total // size,
            "inuse_bytes": inuse, "inuse_objects": inuse // size, "bytes_per_second": rate,
            "calls_per_second": rate / size}


def sample_memory_row(name, calls, frees, size, rate, free_rate):
    return {"name": name, "calls": calls, "asked_bytes": calls * size, "frees": frees, "failed_calls": 0,
            "net_bytes": (calls - frees) * size, "calls_per_second": rate,
            "bytes_per_second": rate * size, "frees_per_second": free_rate,
            "net_bytes_per_second": (rate - free_rate) * size}


def sample_memory():
    ops = []
    for i, (name, library, rate, free_rate, size) in enumerate(MEMORY):
        calls, frees = int(rate * 93) or 3, int(free_rate * 93)
        op = sample_memory_row(name, calls, frees, size, rate, free_rate)
        parts = [sample_memory_row(phase, calls * part // 100, frees * part // 100, size, 0, 0)
                 for phase, part in (("load", 2), ("decode", 98))]
        op.update(kind="call" if library else None, library=library and f"/usr/lib/{library}",
                  spark=[0] * 20 + [int(rate * (1 + (j + 3 * i) % 7) / 4) for j in range(40)],
                  phases=[{k: v for k, v in part.items() if not k.endswith("_second")} for part in parts])
        ops.append(op)
    phases = [sample_memory_row("load", 4_811, 1_024, 9_216, 0.0, 0.0),
              sample_memory_row("decode", 1_263_000, 1_262_992, 113, 0.0, 0.0)]
    phases[0]["failed_calls"] = 2
    sums = {k: sum(op[k] for op in ops) for k in ("calls_per_second", "bytes_per_second", "frees_per_second",
                                                 "net_bytes_per_second", "calls", "asked_bytes", "frees")}
    phases[1].update({k: v for k, v in sums.items() if k.endswith("_second")})
    return {"peak_bytes": 53_687_091, "failed_calls": 2, **sums, "calls_per_token": 133.7,
            "bytes_per_token": 15_206.25,
            "live_spark": [None] * 12 + [44_000_000 + j * 88_218 + 700_000 * (j % 5) for j in range(48)],
            "ops": ops, "phases": phases, "heap_interval_bytes": 524_288,
            "sites": [sample_site(*site) for site in SITES]}


def sample_thread(tid, name, spans, busy, share, cpu_ns, allocs, spawned_by=None, **more):
    """A thread that lives; `more` is what the last interval had."""
    row = {"pid": 4711, "tid": tid, "name": name, "state": "live", "spans": spans, "busy_ns": busy, "share": share,
           "cpu_ns": cpu_ns, "spawned_by": spawned_by, "alloc_calls": allocs, "now": "running", "cpu": tid % 2,
           "interval_ns": 1_000_000_000, "waits": spans // 3, "migrations": 12, "voluntary": 300, "involuntary": 41,
           "waiting": None}
    row.update(more)
    split = row.get("split")
    row.update(running_ns=split and int(split["running"] * 1e9), runnable_ns=split and int(split["runnable"] * 1e9))
    return row


def sample_split(running, runnable, waiting, kind="barrier"):
    return {"running": running, "runnable": runnable, "waiting": waiting,
            "other": round(1 - running - runnable - waiting, 6), "waits": {kind: waiting} if waiting else {}}


def sample_threads():
    return [
        sample_thread(4711, "llama-driver", 1_502_113, 88_100_000_000, 0.947, 92_000_000_000, 48_112,
                      split=sample_split(0.412, 0.213, 0.361)),
        sample_thread(4712, "worker-1", 1_001_400, 79_000_000_000, 0.849, 81_000_000_000, 12, "ggml_graph_compute",
                      split=sample_split(0.305, 0.041, 0.654), now="waiting",
                      waiting={"kind": "barrier", "object": "0x7f31c0001f40", "library": None, "offset": None,
                               "for_ns": 1_730, "holder": {"pid": 4711, "tid": 4711, "name": "llama-driver"}}),
        sample_thread(4713, "server", 9, 0, 0.0, 12_000_000, 31, "start_server", split=sample_split(0.001, 0.0, 0.999, "condition"),
                      now="waiting", cpu=None, waiting={"kind": "condition", "object": "0x55e0a1b2c3d0", "library": None,
                                                        "offset": None, "for_ns": 92_400_000_000, "holder": None}),
        sample_thread(4720, "loader", 0, 0, 0.0, None, 3, "std::thread::_M_start_thread", state="ended", now=None, cpu=None,
                      split=None, interval_ns=None)]


def sample_wait(kind, object, total, count, rate, mean, by=(), library=None, offset=None, waiting=0, threads=2):
    return {"pid": 4711, "kind": kind, "object": object, "library": library, "offset": offset, "spins": kind == "barrier",
            "shared": False, "count": count, "total_ns": total, "count_per_second": rate, "ns_per_second": rate * mean,
            "mean_ns": mean, "threads": threads, "waiting": waiting,
            "by": [{"pid": 4711, "tid": tid, "name": name, "op": op, "share": share} for tid, name, op, share in by]}


def sample_waits():
    main, worker = (4711, "llama-driver", "MUL_MAT", 0.61), (4712, "worker-1", "MUL_MAT", 0.27)
    objects = [sample_wait("barrier", "0x7f31c0001f40", 61_300_000_000, 6_800_000, 73_600.0, 13_700.0, [main, worker], waiting=1),
               sample_wait("condition", "0x55e0a1b2c3d0", 93_000_000_000, 1, 0.0, 0.0, waiting=1, threads=1),
               sample_wait("mutex", "0x55e0a1b2c3a8", 1_100_000_000, 31_000, 330.5, 36_000.0, [worker],
                           "/opt/engine/llama-driver", 0x1f3a8)]
    sites = [("barrier", "ggml_barrier", "libggml-cpu.so", "ggml_graph_compute_thread", "MUL_MAT", objects[0]),
             ("condition", "task_queue::pop()", "llama-driver", "server_loop(task_queue&)", None, objects[1]),
             ("mutex", None, "llama-driver", None, None, objects[2])]
    return {"on": True, "interval_ns": 1_000_000_000, "objects": objects,
            "kinds": [{k: o[k] for k in ("kind", "count", "total_ns", "count_per_second", "ns_per_second")} for o in objects],
            "sites": [{"pid": 4711, "kind": kind, "op": op, "phase": "decode" if op else "idle", "function": function,
                       "library": f"/opt/engine/{library}", "offset": 0x4a10, "caller": caller, "spins": kind == "barrier",
                       **{k: o[k] for k in ("count", "total_ns", "count_per_second", "ns_per_second")}}
                      for kind, function, library, caller, op, o in sites],
            "now": [{"pid": 4711, "tid": t["tid"], "name": t["name"], **t["waiting"]}
                    for t in reversed(sample_threads()) if t["waiting"]]}


def sample_ledger(kernel=True):
    shares = {"compute": (0.282, 0.612, 0.302), "barrier": (0.412, 0.051, 0.398), "lock": (0.0, 0.0, 0.001),
              "wait": (0.011, 0.0, 0.01), "runnable": (0.221, 0.251, 0.231), "fault": (0.002, 0.002, 0.002),
              "syscall": (0.004, 0.004, 0.004), "alloc": (0.003, 0.003, 0.002), "spawn": (0.001, 0.001, 0.001), "outside": (0.041, 0.041, 0.021),
              "profiler": (0.011, 0.021, 0.011), "unaccounted": (0.012, 0.014, 0.017)}
    wall = 9_881_000
    return {"steps": 9184, "tokens": 9184, "dropped": 0, "kernel": kernel, "threads": 2.0,
            "interval": {"steps": 101, "tokens": 101, "wall_ns": 101 * wall, "all_ns": 202 * wall},
            "rows": [{"row": row, **{who: None if not kernel and row in ("runnable", "fault", "syscall") else
                                     {"mean_ns": int(share * wall * (2 if who == "all" else 1)), "share": share}
                                     for who, share in zip(("own", "critical", "all"), three)}}
                     for row, three in shares.items()],
            "mean_ns": wall, "p50_ns": 9_540_000, "p99_ns": 14_100_000, "max_ns": 61_000_000, "overhead_factor": 3.31,
            "slow": [{"number": 8_211, "at_ns": 83_300_000_000, "wall_ns": 61_000_000, "times_median": 6.4, "tokens": 1,
                      "most": "runnable", "most_ns": 38_000_000},
                     {"number": 57, "at_ns": 1_300_000_000, "wall_ns": 31_000_000, "times_median": 3.2, "tokens": 1,
                      "most": "fault", "most_ns": 19_000_000}]}


def sample_top(live=True, exit=None):
    return {
        "schema": "infprof.top/1",
        "run": {"id": RUN, "command": "./llama-driver -m model.gguf -n 512 --threads 2", "pid": 4711,
                "live": live, "exit": exit},
        "now": {"at_ns": 93_000_000_000, "phase": "decode" if live else "idle",
                "tokens_per_second": 101.2, "tokens_per_second_mean": 98.76, "generated": 9184,
                "threads_live": 2 if live else 0, "live_bytes": 48_234_496,
                "spans_per_second": 26_788.7, "overhead_fraction": 0.0061, "rss_bytes": 131_072_000},
        "ops": [sample_op(i, op) for i, op in enumerate(OPS)],
        "threads": sample_threads(),
        "spawns": {"total": 9185, "live": 1, "peak_live": 2, "per_second": 101.0, "sites": [
            {"function": "ggml_graph_compute", "library": "/usr/lib/libggml-cpu.so", "offset": 0x2a4,
             "count": 9184, "per_second": 101.0},
            {"function": None, "library": "/opt/engine/llama-driver", "offset": 0x1f00, "count": 1,
             "per_second": 0.0}]},
        "memory": sample_memory(),
        "waits": sample_waits(),
        "ledger": sample_ledger(),
    }


def sample_status(live=True):
    return {
        "schema": "infprof.status/1",
        "daemon": {"pid": 4000, "version": "0.1.0", "uptime_ns": 125_000_000_000,
                   "cpu_ns": 1_500_000_000, "resident_bytes": 23_000_000, "spans_drained": 2_503_513,
                   "state_dir": "/home/u/.local/state/infprof/runs"},
        "processes": [{"pid": 4711, "run": RUN, "command": "./llama-driver -m model.gguf",
                       "state": "live" if live else "ended", "phase": "decode", "spans": 2_503_513,
                       "paused_ops": 0, "reason": None}],
        "not_adoptable": [], "refused": [],
    }


def sample_api(path):
    api = FakeApi(path)
    api.answers["GET /v1/status"] = sample_status()
    api.answers[f"GET /v1/runs/{RUN}/top"] = sample_top()
    api.answers["GET /v1/runs/pid:4711/top"] = sample_top()
    api.answers["POST /v1/stop"] = {"stopping": True}
    return api


def moving_top(_=None):
    document = sample_top()
    t = int(time.time() * 4)
    for i, op in enumerate(document["ops"]):
        wave = abs((t + 5 * i) % 24 - 12) / 12
        op["calls_per_second"] *= 0.5 + wave
        op["self_share"] *= 0.8 + 0.2 * wave
        op["spark"] = [int(op["calls_per_second"] * abs((t + j + 5 * i) % 24 - 12) / 12)
                       for j in range(60)]
    return document


if __name__ == "__main__":
    served = sample_api(sys.argv[1])
    served.answers[f"GET /v1/runs/{RUN}/top"] = moving_top
    served.answers["GET /v1/runs/pid:4711/top"] = moving_top
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(1)
    served.close()
