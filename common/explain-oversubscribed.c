/* SPDX-License-Identifier: MIT */
/*
 * More threads compute than there are CPUs for them. They stand in line; and since they meet after
 * every op, all wait for the one that stands last. What tells it is the kernel's word on how long
 * they stood; where it has none, how many CPUs they would have used.
 *
 * As many threads as CPUs on an idle machine stand in line hardly at all; with twice as many, half
 * of the time. Between the two lies the threshold, low enough for teams that sleep now and then.
 */
#include <math.h>

#include "common/report-explain-private.h"

#define RUNNABLE_SHARE_MIN 0.10
#define DEMAND_MIN         1.05 /* times the CPUs */
#define CROWD_RUNNABLE_MIN 0.25 /* of all threads' time, where no ops are known */

static bool is_proven(const struct facts *f, struct judgement *j)
{
        char a[FMT_SIZE];

        if (f->passing > 0 && f->demand_most < (double)f->cpus) {
                judge_no(j,
                         "as many as %.0f threads have computed at a time on %s, but on average "
                         "only %.1f want one: they come and go",
                         f->team, explain_cpus(f, (char[FMT_SIZE]){0}, FMT_SIZE), f->demand_most);
                return false;
        }
        if (!isnan(f->runnable)) {
                if (f->runnable >= RUNNABLE_SHARE_MIN)
                        return true;
                judge_no(j,
                         "%.0f threads compute on %s, but they could run and did not for "
                         "only %s of "
                         "the time",
                         f->team, explain_cpus(f, (char[FMT_SIZE]){0}, FMT_SIZE),
                         fmt_share(a, f->runnable));
                return false;
        }
        if (isnan(f->demand)) {
                judge_unknown(j,
                              "%.0f threads compute on %s; whether at the same time, neither "
                              "a ledger of decode steps nor the kernel tells",
                              f->team, explain_cpus(f, (char[FMT_SIZE]){0}, FMT_SIZE));
                return false;
        }
        if (f->demand >= DEMAND_MIN * (double)f->cpus)
                return true;
        if (f->demand_most >= DEMAND_MIN * (double)f->cpus) {
                judge_unknown(j,
                              "%.0f threads compute on %s; on average %.1f to %.1f want one: how "
                              "long threads that wait for others stand in line for a CPU, only "
                              "the kernel's view tells",
                              f->team, explain_cpus(f, (char[FMT_SIZE]){0}, FMT_SIZE), f->demand,
                              f->demand_most);
                return false;
        }
        judge_no(j, "%.0f threads compute on %s, but on average only %.1f want one", f->team,
                 explain_cpus(f, (char[FMT_SIZE]){0}, FMT_SIZE), f->demand_most);
        return false;
}

/* What all threads together did, as far as the kernel told it. */
struct crowd {
        double running, runnable, lived, mean; /* ns; mean: threads that wanted a CPU at a time */
};

static struct crowd count_all(const struct work *w)
{
        struct crowd c = {0};

        for (size_t i = 0; i < w->model.n_threads; i++) {
                const struct runfile_thread *t = &w->model.threads[i].row;

                if (t->running_ns == RUNFILE_NOT_TOLD || t->runnable_ns == RUNFILE_NOT_TOLD)
                        continue;
                c.running += (double)t->running_ns;
                c.runnable += (double)t->runnable_ns;
                for (int k = 0; k < IFP_N_BLOCK_KINDS; k++)
                        if (t->blocked_ns[k] != RUNFILE_NOT_TOLD)
                                c.lived += (double)t->blocked_ns[k];
        }
        c.lived += c.running + c.runnable;
        if (w->model.run.duration_ns)
                c.mean = (c.running + c.runnable) / (double)w->model.run.duration_ns;
        return c;
}

/* Where no op is known that they compute: by how long all of them stood in line. */
static void judge_by_kernel(const struct facts *f, struct judgement *j)
{
        struct crowd c = count_all(f->w);
        char a[FMT_SIZE], b[FMT_SIZE], cpus[FMT_SIZE];

        explain_cpus(f, cpus, sizeof(cpus));
        if (!(c.lived > 0)) {
                judge_unknown(j, "no thread was seen to compute");
                return;
        }
        if (!(c.runnable > CROWD_RUNNABLE_MIN * c.lived && c.mean > (double)f->cpus)) {
                judge_no(j,
                         "no thread was seen to compute in an op; on average %.1f threads wanted "
                         "one of %s, and they had none for %s of their time",
                         c.mean, cpus, fmt_share(a, c.runnable / c.lived));
                return;
        }
        judge_yes(j, "on average %.1f threads want a CPU, and there %s %s", c.mean,
                  f->cpus > 1 ? "are" : "is", cpus);
        judge_evidence(j, c.runnable / c.lived, "share",
                       "of the threads' time they could run and had no CPU");
        judge_evidence(j, c.mean, "factor", "threads that ran or could have run, on average");
        judge_evidence(j, (double)f->cpus, "count", "CPUs they may use");
        judge_cost(j, f, NAN, c.runnable / c.lived,
                   "threads stood in line for a CPU for %s in the run, %s of their time",
                   explain_ns(a, c.runnable), fmt_share(b, c.runnable / c.lived));
        judge_cause(j, "more threads have work at the same time than there are CPUs");
        judge_remedy(j,
                     "use no more threads than CPUs (OpenMP: OMP_NUM_THREADS=%llu; "
                     "llama.cpp: -t %llu), or give the process more CPUs",
                     (unsigned long long)f->cpus, (unsigned long long)f->cpus);
        judge_gain(j, f, NAN, "not known: it is not known what of the work waits for what");
        judge_confidence(j, f, CONFIDENCE_MEDIUM);
}

static void tell_cost(const struct facts *f, struct judgement *j, double lost)
{
        double share = lost / f->wall;
        char a[FMT_SIZE];

        if (!isnan(share))
                judge_cost(j, f, lost, share,
                           "standing in line for a CPU, and waiting for those that do: %s of a "
                           "token's time",
                           fmt_share(a, share));
        else if (!isnan(f->runnable))
                judge_cost(j, f, NAN, f->runnable,
                           "standing in line for a CPU: %s of the time threads wanted one",
                           fmt_share(a, f->runnable));
        else
                judge_cost(j, f, NAN, NAN, "standing in line for a CPU; how long is not known");
}

static void tell_gain(const struct facts *f, struct judgement *j)
{
        unsigned long long cpus = f->cpus;
        char a[FMT_SIZE], b[FMT_SIZE], c[FMT_SIZE];

        if (isnan(f->ideal) || isnan(f->tokens))
                judge_gain(j, f, NAN, "not known: there is no ledger of decode steps");
        else
                judge_gain(j, f, f->ideal,
                           "with %llu thread%s a token takes %s at the least, where it took %s: "
                           "its compute (%s on all threads) spread over the CPUs, and what only "
                           "one thread can do",
                           cpus, cpus > 1 ? "s" : "", explain_ns(a, f->ideal / f->tokens),
                           explain_ns(b, f->wall / f->tokens),
                           explain_ns(c, f->compute_cpu / f->tokens));
}

void explain_oversubscribed(const struct facts *f, struct judgement *j)
{
        unsigned long long cpus = f->cpus;
        double stood = f->own[IFP_LEDGER_RUNNABLE],
               waited = f->own[IFP_LEDGER_BARRIER] + f->own[IFP_LEDGER_WAIT];
        double lost = (isnan(stood) ? 0 : stood) + waited;

        if (!cpus) {
                judge_unknown(j, "how many CPUs the process may use is not known");
                return;
        }
        if (f->team < 1) {
                judge_by_kernel(f, j);
                return;
        }
        if (f->team <= (double)cpus) {
                judge_no(j, "%.0f thread%s, %llu CPU%s", f->team,
                         f->team > 1 ? "s compute" : " computes", cpus, cpus > 1 ? "s" : "");
                return;
        }
        if (!is_proven(f, j))
                return;
        judge_yes(j, "%.0f threads compute on %llu CPU%s", f->team, cpus, cpus > 1 ? "s" : "");
        judge_evidence(j, f->team, "count", "threads that compute");
        judge_evidence(j, (double)cpus, "count", "CPUs they may use");
        judge_evidence(j, f->runnable, "share", "of the time they wanted a CPU they had none%s",
                       f->runnable_in_decode ? " (decode steps)" : "");
        if (f->demand >= (double)cpus) /* else they compute for a part of the steps only */
                judge_evidence(j, f->demand, "factor", "CPUs they would have used in decode steps");
        judge_evidence(j, stood / f->tokens, "ns",
                       "of a token the thread that decodes could run and did not");
        judge_evidence(j, waited / f->tokens, "ns", "of a token it waited for the others");
        tell_cost(f, j, lost);
        judge_cause(
                j,
                "%.0f threads are given work at the same time and %llu CPU%s; a thread that has "
                "no CPU holds all others up where they meet",
                f->team, cpus, cpus > 1 ? "s are there" : " is there");
        judge_remedy(j,
                     "use %llu thread%s (llama.cpp: -t %llu; OpenMP: OMP_NUM_THREADS=%llu), or "
                     "give the process more CPUs",
                     cpus, cpus > 1 ? "s" : "", cpus, cpus);
        tell_gain(f, j);
        judge_confidence(j, f,
                         f->runnable_in_decode ? CONFIDENCE_HIGH
                         : !isnan(f->runnable) ? CONFIDENCE_MEDIUM
                                               : CONFIDENCE_LOW);
}
