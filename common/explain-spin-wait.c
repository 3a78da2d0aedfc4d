/* SPDX-License-Identifier: MIT */
/*
 * Threads that wait at a barrier and burn CPU while they do. On CPUs that have nothing else to do
 * it costs power; where another thread of the same team has none, the one that spins keeps it from
 * the very work it waits for: spin-wait collapse.
 *
 * Some spinning is what spinning barriers are for. It is told from 15 % of the CPU time of all
 * threads on: less than that, and a barrier that sleeps would hardly be faster.
 */
#include <math.h>

#include "common/report-explain-private.h"

#define SPIN_SHARE_MIN 0.15

/* The entry of most time, and what was waited in all at objects that spin. */
static const struct work_wait *find_worst(const struct facts *f)
{
        const struct work_wait *worst = NULL;

        for (size_t i = 0; i < f->w->n_waits; i++) {
                const struct work_wait *e = &f->w->waits[i];

                if (facts_is_spin(f, e) && (!worst || e->spread.total_ns > worst->spread.total_ns))
                        worst = e;
        }
        return worst;
}

/* By the op that the barrier itself is (ggml_barrier); else by who called it. */
static const char *name_of(const struct facts *f, const struct work_wait *e)
{
        const struct work_wait_site *site = &f->w->wait_sites[e->site];

        for (size_t i = 0; i < f->w->model.n_ops; i++) {
                const struct model_op *op = f->w->model.ops[i];

                if (op->kind == IFP_KIND_WAIT && op->phase[e->phase].timed)
                        return op->name;
        }
        return explain_function(f->w, site->frames, site->n_frames);
}

static const struct barrier *worst_barrier(const struct facts *f)
{
        for (size_t i = 0; i < f->barriers.n; i++)
                if (f->barriers.at[i].spins &&
                    (isnan(f->tokens) || f->barriers.at[i].phase == IFP_PHASE_DECODE))
                        return &f->barriers.at[i];
        return NULL;
}

static uint64_t count_waits(const struct facts *f)
{
        uint64_t n = 0;

        for (size_t i = 0; i < f->w->n_waits; i++)
                if (facts_is_spin(f, &f->w->waits[i]))
                        n = sum_u64(n, f->w->waits[i].spread.count);
        return n;
}

/*
 * Of what the spinning is a share: CPU time in decode steps, as far as the kernel tells it (without
 * it, time in line for a CPU counts as used); or the lives of threads that were in ops.
 */
static double cpu_time(const struct facts *f)
{
        double sum = 0, stood = f->all[IFP_LEDGER_RUNNABLE];

        if (f->has_ledger)
                return f->threads_ns - f->asleep_ns - (isnan(stood) ? 0 : stood);
        for (size_t i = 0; i < f->w->model.n_threads; i++) {
                uint64_t in_ops;

                if (work_in_ops(f->w, i, &in_ops) && in_ops)
                        sum += (double)work_lifetime(f->w, i);
        }
        return sum;
}

#define LET_SLEEP "(llama.cpp: --poll 0; OpenMP: OMP_WAIT_POLICY=passive)"

static void tell_evidence(const struct facts *f, struct judgement *j, double share)
{
        const struct barrier *b = worst_barrier(f);

        judge_evidence(j, share, "share", "of the CPU time%s was spent spinning",
                       f->has_ledger ? " of decode steps" : "");
        judge_evidence(j, f->spin_ns / f->tokens, "ns", "of CPU time a token, by all threads");
        judge_evidence(j, f->own[IFP_LEDGER_BARRIER] / f->wall, "share",
                       "of a token's time the thread that decodes spun");
        judge_evidence(j, (double)count_waits(f) / f->tokens, "1/token", "waits at such barriers");
        if (isnan(f->tokens)) {
                judge_evidence(j, f->spin_ns, "ns", "of CPU time in the run, by all threads");
                judge_evidence(j, (double)count_waits(f), "count", "waits at such barriers");
        }
        judge_evidence(j, f->runnable, "share", "of the time threads wanted a CPU they had none");
        if (f->cpus && f->team >= 1)
                judge_evidence(j, (double)f->cpus, "count", "CPUs for %.0f threads that compute",
                               f->team);
        if (b && b->op)
                judge_evidence(j, (double)b->wait_ns / f->tokens, "ns",
                               "of waiting a token after %s, more than after any other op; without "
                               "a CPU or with one",
                               b->op->name);
}

/* Whom was waited for longest; NULL: not known. */
static const struct blame *most_waited_for(const struct barrier *b)
{
        const struct blame *most = NULL;

        for (size_t i = 0; b && i < b->last.n; i++)
                if (b->last.at[i].total_ns > (most ? most->total_ns : 0))
                        most = &b->last.at[i];
        return most;
}

static void tell_cause(const struct facts *f, struct judgement *j, const char *where)
{
        const struct barrier *b = worst_barrier(f);
        const struct blame *last = most_waited_for(b);
        char who[EXPLAIN_TEXT];

        judge_cause(j, "after %s threads wait in %s for the last to come%s%s%s",
                    b && b->op ? b->op->name : "their part", where, last ? ", most for " : "",
                    last ? blame_name(f->w, last, who, sizeof(who)) : "",
                    f->short_of_cpus ? "; who spins keeps its CPU from those that are waited for"
                                     : "");
        if (f->short_of_cpus && f->cpus && f->team > (double)f->cpus)
                judge_remedy(j, "use no more than %llu thread%s here; or let waiters sleep %s",
                             (unsigned long long)f->cpus, f->cpus > 1 ? "s" : "", LET_SLEEP);
        else if (f->short_of_cpus)
                judge_remedy(j,
                             "keep the CPUs free for these threads, or use fewer threads; or let "
                             "waiters sleep " LET_SLEEP);
        else
                judge_remedy(j, "give each thread more between barriers, or use fewer threads; let "
                                "waiters sleep where CPU time is wanted for other work " LET_SLEEP);
}

static void tell_gain(const struct facts *f, struct judgement *j)
{
        double wide = f->cpus && f->team > (double)f->cpus ? (double)f->cpus : f->team;
        /* with a CPU for each, no more than the thread that decodes spun; else who spins also has
         * the CPU of those it waits for */
        double best =
                f->short_of_cpus ? f->ideal : fmax(f->ideal, f->wall - f->own[IFP_LEDGER_BARRIER]);
        char a[FMT_SIZE];

        if (isnan(f->tokens))
                judge_gain(j, f, NAN, "not known: no token was decoded");
        else if (isnan(f->ideal) || wide < 1)
                judge_gain(j, f, NAN, "not known: there is no ledger of what a token computes");
        else
                judge_gain(j, f, best,
                           "if nobody waited: the compute of a token, %s on all threads, spread "
                           "over %.0f",
                           explain_ns(a, f->compute_cpu / f->tokens), wide);
}

void explain_spin_wait(const struct facts *f, struct judgement *j)
{
        const struct work_wait *worst = find_worst(f);
        const char *where = worst ? name_of(f, worst) : NULL;
        double time = cpu_time(f), share = f->spin_ns / time;
        char a[FMT_SIZE], b[FMT_SIZE];

        if (!judge_waits(j, f))
                return;
        if (!worst) {
                judge_no(j, "no barrier was seen at which threads spin");
                return;
        }
        if (!(time > 0)) {
                judge_unknown(j, "the threads' CPU time is not known");
                return;
        }
        if (!(share >= SPIN_SHARE_MIN)) {
                judge_no(j, "spinning at barriers took %s of the CPU time", fmt_share(a, share));
                return;
        }
        where = where ? where : "a barrier";
        judge_yes(j,
                  f->short_of_cpus
                          ? "threads spin in %s while others have no CPU: %s of the CPU time"
                          : "threads spin in %s: %s of the CPU time",
                  where, fmt_share(a, share));
        tell_evidence(f, j, share);
        judge_cost(j, f, f->spin_ns, share, "%s of CPU time %s, %s of all",
                   explain_ns(a, isnan(f->tokens) ? f->spin_ns : f->spin_ns / f->tokens),
                   isnan(f->tokens) ? "in the run" : "a token", fmt_share(b, share));
        tell_cause(f, j, where);
        tell_gain(f, j);
        judge_confidence(j, f, f->has_ledger ? CONFIDENCE_HIGH : CONFIDENCE_MEDIUM);
}
