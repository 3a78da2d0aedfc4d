/* SPDX-License-Identifier: MIT */
/*
 * Other processes took the CPU from threads that had work to do. Only the kernel's view tells who.
 * Every machine has some of this, a hundredth or less; it is told from three on. infprof's own
 * processes are left out: without them the engine would not have met them. How much they took is in
 * the notes.
 *
 * What is measured is the time from being put off until the thread ran again, by who came first;
 * who else ran meanwhile is not told.
 */
#include <math.h>

#include "common/report-explain-private.h"

#define SHARE_MIN       0.03
#define SHARE_ALONE_MIN 0.10 /* where nothing is known of what tokens would gain */
#define GAIN_MIN        1.03
#define COUNT_MIN       10
#define NAMED_MIN       0.10 /* of what others took: who took less is not the one to name */

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

/* Rows of one name: a compiler that is started for each file is many processes. */
struct named {
        const struct work_preempt *first; /* NULL: nobody stands out */
        uint64_t total_ns;
        size_t processes;
};

/* For whom threads were put off their CPU, and how long it took until they ran again. */
struct taken {
        struct named most;
        uint64_t foreign, all, count; /* all: for threads of the same process, too */
        double share;                 /* of the time in which they wanted a CPU */
        double lost;                  /* of all decode steps, ns; NaN: not known */
        double gain;                  /* factor; NaN: not known */
};

static bool is_foreign(const struct work_preempt *p)
{
        return !p->own && !explain_is_collector(p);
}

#define LOOKED_AT 1000 /* a name whose longest row is not among these does not stand out */

static struct named find_most(const struct work *w)
{
        struct named most = {0};

        for (size_t i = 0; i < w->n_preempts && i < LOOKED_AT; i++) { /* longest first */
                struct named n = {.first = &w->preempts[i]};

                if (!is_foreign(n.first) || is_kernel_thread(n.first))
                        continue;
                for (size_t k = 0; k < w->n_preempts; k++)
                        if (is_foreign(&w->preempts[k]) &&
                            merge_same_text(w->preempts[k].name, n.first->name)) {
                                n.total_ns = sum_u64(n.total_ns, w->preempts[k].total_ns);
                                n.processes++;
                        }
                if (!most.first || n.total_ns > most.total_ns)
                        most = n;
        }
        return most;
}

static struct taken add_up(const struct facts *f)
{
        const struct work *w = f->w;
        struct taken t = {.most = find_most(w), .lost = NAN};
        double wanted = explain_wanted(w);

        for (size_t i = 0; i < w->n_preempts; i++) {
                const struct work_preempt *p = &w->preempts[i];

                t.all = sum_u64(t.all, p->total_ns);
                if (!is_foreign(p))
                        continue;
                t.foreign = sum_u64(t.foreign, p->total_ns);
                t.count = sum_u64(t.count, p->count);
        }
        if (wanted > 0)
                t.share = (double)t.foreign / wanted < 1 ? (double)t.foreign / wanted : 1;
        if (t.all)
                t.lost = f->own[IFP_LEDGER_RUNNABLE] * (double)t.foreign / (double)t.all;
        t.gain = f->wall / (f->wall - t.lost);
        if ((double)t.most.total_ns < NAMED_MIN * (double)t.foreign)
                t.most.first = NULL;
        return t;
}

/* "stress (process 77)", "cc1 (process 80 and 11 others)", "other processes" */
static void name_most(const struct named *most, char *buf, size_t size)
{
        if (!most->first)
                snprintf(buf, size, "other processes");
        else if (most->processes == 1)
                snprintf(buf, size, "%s (process %lld)", most->first->name,
                         (long long)most->first->pid);
        else
                snprintf(buf, size, "%s (process %lld and %zu other%s)", most->first->name,
                         (long long)most->first->pid, most->processes - 1,
                         most->processes > 2 ? "s" : "");
}

static void tell(const struct facts *f, struct judgement *j, const struct taken *t)
{
        const struct named *most = &t->most;
        const char *name = most->first ? most->first->name : "other processes";
        char a[FMT_SIZE], who[EXPLAIN_TEXT];

        name_most(most, who, sizeof(who));
        judge_yes(j, "%s take%s the CPU from the threads", who,
                  most->first && most->processes == 1 ? "s" : "");
        judge_evidence(j, t->share, "share",
                       "of the time all threads wanted a CPU they had none, after they were put "
                       "off it for other processes");
        judge_evidence(j, (double)t->count, "count", "times a thread was put off its CPU for one");
        judge_evidence(j, (double)t->foreign / (double)t->count, "ns",
                       "until it ran again, on average");
        judge_evidence(j, most->first ? (double)most->total_ns / (double)t->foreign : NAN, "share",
                       "of that after %s had come", name);
        judge_evidence(j, f->own[IFP_LEDGER_RUNNABLE] / f->tokens, "ns",
                       "of a token the thread that decodes could run and did not");
        judge_cost(j, f, t->lost, isnan(t->lost) ? t->share : t->lost / f->wall,
                   "after being put off the CPU for other processes, threads waited %s until they "
                   "ran again",
                   fmt_ns(a, t->foreign));
        judge_cause(j, "%s%s run on the CPUs the threads compute on", who,
                    most->first ? " and others" : "");
        judge_remedy(j,
                     "keep CPUs for the engine: run %s elsewhere (taskset, cpuset) or at a lower "
                     "priority (nice)%s",
                     name, f->team > 1 ? ", or use fewer threads than CPUs" : "");
        judge_gain(j, f, t->lost > 0 ? f->wall - t->lost : NAN, "%s",
                   t->lost > 0 ? "without what the thread that decodes stood in line for because "
                                 "of others"
                               : "not known: the ledger of decode steps does not have it");
        judge_confidence(j, f, f->has_kernel ? CONFIDENCE_HIGH : CONFIDENCE_MEDIUM);
}

/* Where it is not known what tokens would gain, more of the threads' time has to be lost. */
static bool is_much(const struct taken *t)
{
        return t->count >= COUNT_MIN && t->share >= SHARE_MIN &&
               (isnan(t->gain) ? t->share >= SHARE_ALONE_MIN : t->gain >= GAIN_MIN);
}

void explain_preempted(const struct facts *f, struct judgement *j)
{
        struct taken t = add_up(f);
        char a[FMT_SIZE], b[FMT_SIZE];

        if (f->w->kernel.view != RUNFILE_VIEW_BPF)
                without_bpf(f, j);
        else if (is_much(&t))
                tell(f, j, &t);
        else if (!t.count)
                judge_no(j, "no thread was put off its CPU for another process");
        else
                judge_no(j,
                         "threads were put off their CPU for other processes %s times, and had "
                         "none until they ran again for %s of the time they wanted one%s",
                         fmt_count(b, t.count), fmt_share(a, t.share),
                         t.gain < GAIN_MIN && t.share >= SHARE_MIN
                                 ? "; tokens would gain next to nothing"
                                 : "");
}
