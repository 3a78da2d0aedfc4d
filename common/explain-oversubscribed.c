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

static bool is_proven(const struct facts *f, struct judgement *j)
{
        char a[FMT_SIZE];

        if (f->passing > 0 && f->demand < (double)f->cpus) {
                judge_no(j,
                         "as many as %.0f threads have computed at a time on %s, but on average "
                         "only %.1f want one: they come and go",
                         f->team, explain_cpus(f, (char[FMT_SIZE]){0}, FMT_SIZE), f->demand);
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
        judge_no(j, "%.0f threads compute on %s, but on average only %.1f want one", f->team,
                 explain_cpus(f, (char[FMT_SIZE]){0}, FMT_SIZE), f->demand);
        return false;
}

void explain_oversubscribed(const struct facts *f, struct judgement *j)
{
        unsigned long long cpus = f->cpus;
        double stood = f->own[IFP_LEDGER_RUNNABLE],
               waited = f->own[IFP_LEDGER_BARRIER] + f->own[IFP_LEDGER_WAIT];
        double lost = (isnan(stood) ? 0 : stood) + waited;
        char a[FMT_SIZE], b[FMT_SIZE];

        if (!cpus || f->team < 1) {
                judge_unknown(j, "%s",
                              cpus ? "no thread was seen to compute"
                                   : "how many CPUs the process may use is not known");
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
        judge_evidence(j, f->demand, "factor", "CPUs they would have used in decode steps");
        judge_evidence(j, stood / f->tokens, "ns",
                       "of a token the thread that decodes could run and did not");
        judge_evidence(j, waited / f->tokens, "ns", "of a token it waited for the others");
        judge_cost(
                j, f, lost, lost / f->wall,
                "standing in line for a CPU, and waiting for those that do: %s of a token's time",
                isnan(lost / f->wall) ? "an unknown part" : fmt_share(a, lost / f->wall));
        judge_cause(
                j,
                "%.0f threads are given work at the same time and %llu CPU%s; a thread that has "
                "no CPU holds all others up where they meet",
                f->team, cpus, cpus > 1 ? "s are there" : " is there");
        judge_remedy(j,
                     "use %llu thread%s (llama.cpp: -t %llu; OpenMP: OMP_NUM_THREADS=%llu), or "
                     "give the process more CPUs",
                     cpus, cpus > 1 ? "s" : "", cpus, cpus);
        judge_gain(
                j, f, f->ideal,
                "with %llu thread%s a token takes %s at the least, where it took %s: its compute "
                "(%s on all threads) spread over the CPUs, and what only one thread can do",
                cpus, cpus > 1 ? "s" : "", explain_ns(a, f->ideal > 0 ? f->ideal / f->tokens : 0),
                explain_ns(b, f->wall > 0 ? f->wall / f->tokens : 0),
                explain_ns((char[FMT_SIZE]){0},
                           f->compute_cpu > 0 ? f->compute_cpu / f->tokens : 0));
        judge_confidence(j, f,
                         f->runnable_in_decode ? CONFIDENCE_HIGH
                         : !isnan(f->runnable) ? CONFIDENCE_MEDIUM
                                               : CONFIDENCE_LOW);
}
