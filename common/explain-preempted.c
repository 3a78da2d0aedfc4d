/* SPDX-License-Identifier: MIT */
/*
 * Other processes took the CPU from threads that had work to do. Only the kernel's view tells who.
 * Every machine has some of this, a hundredth or less; it is told from three on. The collector is
 * left out: without it the engine would not have met it. How much it took is in the notes.
 */
#include <math.h>

#include "common/report-explain-private.h"

#define SHARE_MIN 0.03
#define COUNT_MIN 10

static void without_bpf(const struct facts *f, struct judgement *j)
{
        uint64_t n = 0;
        bool known = false;
        char a[FMT_SIZE];

        for (size_t i = 0; i < f->w->model.n_threads; i++) {
                uint64_t v = f->w->model.threads[i].row.involuntary;

                known |= v != RUNFILE_NOT_TOLD;
                n = sum_u64(n, v == RUNFILE_NOT_TOLD ? 0 : v);
        }
        if (known)
                judge_unknown(j,
                              "threads were put off their CPU %s times; for whom, only the "
                              "kernel's view tells (infprof doctor)",
                              fmt_count(a, n));
        else
                judge_unknown(j,
                              "who takes the CPU, only the kernel's view tells (infprof doctor)");
}

void explain_preempted(const struct facts *f, struct judgement *j)
{
        const struct work_preempt *most = NULL;
        uint64_t foreign = 0, all = 0, count = 0, running = 0;
        double own = f->own[IFP_LEDGER_RUNNABLE], share, lost;
        const char *name;
        char a[FMT_SIZE], b[FMT_SIZE], pid[32] = "";

        if (f->w->kernel.view != RUNFILE_VIEW_BPF) {
                without_bpf(f, j);
                return;
        }
        for (size_t i = 0; i < f->w->n_preempts; i++) {
                const struct work_preempt *p = &f->w->preempts[i];

                all = sum_u64(all, p->total_ns);
                if (p->own || explain_is_collector(p))
                        continue;
                foreign = sum_u64(foreign, p->total_ns);
                count = sum_u64(count, p->count);
                if (!most || p->total_ns > most->total_ns)
                        most = p;
        }
        for (size_t i = 0; i < f->w->model.n_threads; i++)
                if (f->w->model.threads[i].row.running_ns != RUNFILE_NOT_TOLD)
                        running = sum_u64(running, f->w->model.threads[i].row.running_ns);
        share = (double)foreign / ((double)running + (double)foreign);
        if (!most || !(share >= SHARE_MIN) || count < COUNT_MIN) {
                judge_no(j, "other processes took %s from the threads, %s times",
                         fmt_share(a, isnan(share) ? 0 : share), fmt_count(b, count));
                return;
        }
        if (most->pid > 0)
                snprintf(pid, sizeof(pid), " (process %lld)", (long long)most->pid);
        name = most->name && *most->name ? most->name : "others";
        lost = all ? own * (double)foreign / (double)all : NAN;
        judge_yes(j, "%s%s takes the CPU from the threads", name, pid);
        judge_evidence(j, share, "share",
                       "of the time they wanted a CPU they had none because of other processes");
        judge_evidence(j, (double)count, "count", "times a thread was put off its CPU for one");
        judge_evidence(j, (double)foreign / (double)count, "ns", "until it ran again, on average");
        judge_evidence(j, foreign ? (double)most->total_ns / (double)foreign : NAN, "share",
                       "of that was for %s", name);
        judge_evidence(j, own / f->tokens, "ns",
                       "of a token the thread that decodes could run and did not");
        judge_cost(j, f, lost, isnan(lost) ? share : lost / f->wall,
                   "threads had no CPU for %s while other processes had it", fmt_ns(a, foreign));
        judge_cause(j, "%s%s and others run on the CPUs the threads compute on", name, pid);
        judge_remedy(j,
                     "keep CPUs for the engine: run %s elsewhere (taskset, cpuset) or at a lower "
                     "priority (nice), or use fewer threads than CPUs",
                     name);
        judge_gain(j, f, lost > 0 ? f->wall - lost : NAN,
                   "without what the thread that decodes stood in line for because of others");
        judge_confidence(j, f, f->has_kernel ? CONFIDENCE_HIGH : CONFIDENCE_MEDIUM);
}
