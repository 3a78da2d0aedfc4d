/* SPDX-License-Identifier: MIT */
/*
 * Threads are moved between CPUs, and find cold caches. What a move costs is not measured: it
 * is taken for 30 us, the time to read an L2 cache of 256 KiB to 1 MiB again at 10 to 30 GB/s. (Li,
 * Ding and Shen, "Quantifying the cost of context switch", ExpCS 2007, measured from nothing to
 * 1,000 us, by how much of the cache is in use.) So the finding is a hint, unless there are so many
 * moves that it hardly matters.
 */
#include <math.h>

#include "common/report-explain-private.h"

#define MOVE_NS   30000.0
#define SHARE_MIN 0.03 /* of the threads' CPU time: 1,000 moves a second */
#define COUNT_MIN 100

void explain_migrations(const struct facts *f, struct judgement *j)
{
        uint64_t moves = 0, running = 0, most = 0;
        size_t busiest = NONE;
        double cost, share;
        char a[FMT_SIZE], b[FMT_SIZE];

        for (size_t i = 0; i < f->w->model.n_threads; i++) {
                const struct runfile_thread *t = &f->w->model.threads[i].row;

                if (t->migrations == RUNFILE_NOT_TOLD || t->running_ns == RUNFILE_NOT_TOLD)
                        continue;
                moves = sum_u64(moves, t->migrations);
                running = sum_u64(running, t->running_ns);
                if (t->migrations > most) {
                        most = t->migrations;
                        busiest = i;
                }
        }
        if (!running) {
                judge_unknown(j, "moves between CPUs are the kernel's to tell (infprof doctor)");
                return;
        }
        cost = (double)moves * MOVE_NS;
        share = cost / (double)running;
        if (share < SHARE_MIN || moves < COUNT_MIN || busiest == NONE) {
                judge_no(j, "threads were moved to another CPU %s times in %s of CPU time",
                         fmt_count(a, moves), fmt_ns(b, running));
                return;
        }
        judge_yes(j, "threads are moved between CPUs %.0f times a second of CPU time",
                  (double)moves * 1e9 / (double)running);
        judge_evidence(j, (double)moves, "count", "moves");
        judge_evidence(j, (double)moves * 1e9 / (double)running, "1/s", "of CPU time");
        judge_evidence(j, (double)most, "count", "of these thread %lld '%s'",
                       (long long)f->w->model.threads[busiest].row.tid,
                       f->w->model.threads[busiest].row.name ? f->w->model.threads[busiest].row.name
                                                             : "");
        judge_cost(j, f, NAN, share > 1 ? NAN : share,
                   "about %s of CPU time, at 30us to fill a cache again (not measured here)",
                   explain_ns(a, cost));
        judge_cause(j, "threads sleep and are woken on whichever CPU is free, or there are more of "
                       "them than CPUs");
        judge_remedy(j, "pin each thread to a CPU (taskset, pthread_setaffinity_np; OpenMP: "
                        "OMP_PROC_BIND=close; llama.cpp: --cpu-strict 1)");
        judge_gain(j, f, NAN, "not known: how cold the caches are after a move is not measured");
        judge_confidence(j, f, share >= 4 * SHARE_MIN ? CONFIDENCE_MEDIUM : CONFIDENCE_LOW);
}
