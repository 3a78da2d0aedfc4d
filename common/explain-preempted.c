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
#define NAMED_MIN 0.10 /* of what others took: who took less is not the one to name */

/* Of the kernel itself: it was the first to run; who came after it is not told. */
static bool is_kernel_thread(const struct work_preempt *p)
{
        static const char *const names[] = {"rcu_",      "kworker/", "ksoftirqd/", "migration/",
                                            "kcompactd", "kswapd",   "swapper/",   "irq/"};

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (p->name && !strncmp(p->name, names[i], strlen(names[i])))
                        return true;
        return p->pid <= 0 || !p->name || !*p->name;
}

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

/* What others took, all together, in ns until the thread ran again. */
struct taken {
        const struct work_preempt *most; /* NULL: nobody stands out */
        uint64_t foreign, all, count;    /* all: by threads of the same process, too */
        double share;                    /* of the time in which they wanted a CPU */
};

static struct taken add_up(const struct work *w)
{
        struct taken t = {0};
        uint64_t running = 0;

        for (size_t i = 0; i < w->n_preempts; i++) {
                const struct work_preempt *p = &w->preempts[i];

                t.all = sum_u64(t.all, p->total_ns);
                if (p->own || explain_is_collector(p))
                        continue;
                t.foreign = sum_u64(t.foreign, p->total_ns);
                t.count = sum_u64(t.count, p->count);
                if (!is_kernel_thread(p) && (!t.most || p->total_ns > t.most->total_ns))
                        t.most = p;
        }
        for (size_t i = 0; i < w->model.n_threads; i++)
                if (w->model.threads[i].row.running_ns != RUNFILE_NOT_TOLD)
                        running = sum_u64(running, w->model.threads[i].row.running_ns);
        t.share = t.foreign ? (double)t.foreign / ((double)running + (double)t.foreign) : 0;
        if (t.most && (double)t.most->total_ns < NAMED_MIN * (double)t.foreign)
                t.most = NULL;
        return t;
}

static void tell(const struct facts *f, struct judgement *j, const struct taken *t)
{
        double own = f->own[IFP_LEDGER_RUNNABLE],
               lost = t->all ? own * (double)t->foreign / (double)t->all : NAN;
        const char *name = t->most ? t->most->name : "other processes";
        char a[FMT_SIZE], pid[32] = "";

        if (t->most)
                snprintf(pid, sizeof(pid), " (process %lld)", (long long)t->most->pid);
        judge_yes(j, "%s%s take%s the CPU from the threads", name, pid, t->most ? "s" : "");
        judge_evidence(j, t->share, "share",
                       "of the time they wanted a CPU they had none because of other processes");
        judge_evidence(j, (double)t->count, "count", "times a thread was put off its CPU for one");
        judge_evidence(j, (double)t->foreign / (double)t->count, "ns",
                       "until it ran again, on average");
        judge_evidence(j, t->most ? (double)t->most->total_ns / (double)t->foreign : NAN, "share",
                       "of that was for %s", name);
        judge_evidence(j, own / f->tokens, "ns",
                       "of a token the thread that decodes could run and did not");
        judge_cost(j, f, lost, isnan(lost) ? t->share : lost / f->wall,
                   "threads had no CPU for %s while other processes had it", fmt_ns(a, t->foreign));
        judge_cause(j, "%s%s%s run on the CPUs the threads compute on", name, pid,
                    t->most ? " and others" : "");
        judge_remedy(j,
                     "keep CPUs for the engine: run %s elsewhere (taskset, cpuset) or at a lower "
                     "priority (nice), or use fewer threads than CPUs",
                     name);
        judge_gain(j, f, lost > 0 ? f->wall - lost : NAN,
                   "without what the thread that decodes stood in line for because of others");
        judge_confidence(j, f, f->has_kernel ? CONFIDENCE_HIGH : CONFIDENCE_MEDIUM);
}

void explain_preempted(const struct facts *f, struct judgement *j)
{
        struct taken t = add_up(f->w);
        char a[FMT_SIZE], b[FMT_SIZE];

        if (f->w->kernel.view != RUNFILE_VIEW_BPF)
                without_bpf(f, j);
        else if (t.share < SHARE_MIN || t.count < COUNT_MIN)
                judge_no(j, "other processes took %s from the threads, %s times",
                         fmt_share(a, t.share), fmt_count(b, t.count));
        else
                tell(f, j, &t);
}
