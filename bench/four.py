# SPDX-License-Identifier: MIT
"""Four threads that write as fast as they can for ten seconds, on however many processors: spans
lost, and the calls of each kernel against the program's own count, both of which must be right or the
benchmark fails; and what the daemon came to in memory meanwhile."""

import json

from figures import KERNELS, main, put
from harness import Failed, equal

THREADS, SECONDS = 4, 10
BUDGET_MIB = 64


def status_kib(pid, field):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        for line in f:
            if line.startswith(field + ":"):
                return int(line.split()[1])
    raise Failed(f"no {field} in /proc/{pid}/status")


def measure(s):
    run = s.run([s.built("bench/flood"), str(THREADS), str(SECONDS)], kernels=f"{KERNELS}op_*/0", timeout=60)
    truth = json.loads(run.stdout)
    doc = s.report(run)
    equal({o["name"]: o["calls"] for o in doc["ops"] if o["name"] in truth["calls"]}, truth["calls"], "calls")
    equal({o["name"]: o["timed_calls"] for o in doc["ops"] if o["name"] in truth["calls"]}, truth["calls"], "timed calls")
    about = doc["self"]
    n = sum(truth["calls"].values())
    put("four-lost", "spans", [about["lost"]], 0, spans=n, spans_per_second=round(n / SECONDS), folded=about["folded"],
        folded_share=about["folded"] / n, cpu_ns_per_call=truth["ns"] / n, daemon_cpu_ns=about["daemon_cpu_ns"],
        counts_exact=True)
    daemon, = s.daemons()
    put("four-daemon-resident", "MiB", [status_kib(daemon, "VmHWM") / 1024], BUDGET_MIB,
        now_mib=status_kib(daemon, "VmRSS") / 1024)


main(measure)
