/* SPDX-License-Identifier: MIT */
/*
 * One thread of a team has more to do than the others, which wait for it. It is told by what
 * threads worked in an op, not by who came late: who comes late may just not have had a CPU. So
 * where there are more threads than CPUs it is not told at all.
 */
#include <math.h>

#include "common/report-explain-private.h"

#define IMBALANCE_MIN                                                                              \
        1.25              /* the longest over the mean; below, work that is cut in whole rows is   \
                             often no better */
#define LOSS_MIN     0.05 /* of a token's time, or of the time in the op */
#define EPISODES_MIN 20   /* one late arrival is no imbalance */

/* What meeting later than on average takes, in all episodes. */
static double loss_of(const struct barrier *b)
{
        return b->worst.max_ns - b->worst.mean_ns;
}

static bool counts(const struct facts *f, const struct barrier *b)
{
        return b->worst_op && b->busy_known && b->threads > 1 && b->episodes >= EPISODES_MIN &&
               (isnan(f->tokens) || b->phase == IFP_PHASE_DECODE);
}

static const struct barrier *find_worst(const struct facts *f, size_t *ret_n)
{
        const struct barrier *worst = NULL;

        *ret_n = 0;
        for (size_t i = 0; i < f->barriers.n; i++) {
                const struct barrier *b = &f->barriers.at[i];

                *ret_n += counts(f, b);
                if (counts(f, b) && barrier_imbalance(&b->worst) >= IMBALANCE_MIN &&
                    (!worst || loss_of(b) > loss_of(worst)))
                        worst = b;
        }
        return worst;
}

/*
 * Of all compute, by the ledger, which knows from the kernel how long threads stood in line: so
 * it holds where other processes have the CPUs. NaN: it does not know.
 */
static double by_ledger(const struct facts *f)
{
        double max = 0, sum = 0, n = 0;

        if (!f->has_kernel || (f->cpus && f->team > (double)f->cpus))
                return NAN;
        for (size_t i = 0; i < f->w->model.n_threads; i++) {
                double compute = (double)f->w->threads[i].rows[IFP_LEDGER_COMPUTE];

                if (!(compute > 0))
                        continue;
                max = compute > max ? compute : max;
                sum += compute;
                n++;
        }
        return n > 1 ? max / (sum / n) : NAN;
}

static double most_imbalance(const struct facts *f)
{
        double most = NAN;

        for (size_t i = 0; i < f->barriers.n; i++) {
                double v = barrier_imbalance(&f->barriers.at[i].worst);

                if (counts(f, &f->barriers.at[i]) && (isnan(most) || v > most))
                        most = v;
        }
        return most;
}

/* In most meetings, and those are not the busiest, nor of its kind. */
static bool others_come_last(const struct barrier *b, const struct blame *last,
                             const struct blame *busiest)
{
        return last && b->episodes && 2 * last->times > b->episodes && last->times <= b->episodes &&
               (busiest->thread != NONE || busiest->group != NONE) &&
               (last->thread != busiest->thread ||
                (busiest->thread == NONE && last->group != busiest->group));
}

void explain_imbalance(const struct facts *f, struct judgement *j)
{
        size_t n;
        const struct barrier *b = find_worst(f, &n);
        double loss, whole, share;
        const struct blame *last;
        char a[FMT_SIZE], c[FMT_SIZE], who[EXPLAIN_TEXT];
        struct blame busiest = {.thread = NONE, .group = NONE};

        if (!judge_waits(j, f))
                return;
        if (!n) {
                judge_no(j, "no op was seen after which threads meet");
                return;
        }
        if (f->short_of_cpus && !(by_ledger(f) >= IMBALANCE_MIN)) {
                judge_short_of_cpus(j, f);
                return;
        }
        whole = b ? (isnan(f->wall) ? b->worst.max_ns : f->wall) : NAN;
        loss = b ? loss_of(b) : NAN;
        share = loss / whole;
        if (!b || !(share >= LOSS_MIN)) {
                if (b)
                        judge_no(j,
                                 "the busiest thread works up to %.2f times the mean, but no op "
                                 "costs %.0f%% of the time by that",
                                 most_imbalance(f), 100 * LOSS_MIN);
                else
                        judge_no(j,
                                 "after no op does one thread work %.2f times the mean; the most "
                                 "is %.2f",
                                 IMBALANCE_MIN, most_imbalance(f));
                return;
        }
        if (b->worst.busiest != NONE) {
                busiest.thread = b->worst.busiest;
                busiest.group = f->w->threads[b->worst.busiest].group;
                if (work_group_is_short(f->w, busiest.group))
                        busiest.thread = NONE;
        }
        last = b->last.n && b->last.at[0].times ? &b->last.at[0] : NULL;
        if (others_come_last(b, last, &busiest)) {
                judge_no(j,
                         "after %s %s works %.2f times the mean, but %s came last in %s of the "
                         "meetings: it began later, or was kept from working",
                         b->worst_op->name, blame_name(f->w, &busiest, who, sizeof(who)),
                         barrier_imbalance(&b->worst),
                         blame_name(f->w, last, (char[EXPLAIN_TEXT]){0}, EXPLAIN_TEXT),
                         fmt_share(a, (double)last->times / (double)b->episodes));
                return;
        }
        blame_name(f->w, &busiest, who, sizeof(who));
        judge_yes(j, "%s is unevenly spread: %s works %.2f times the mean", b->worst_op->name, who,
                  barrier_imbalance(&b->worst));
        judge_evidence(j, barrier_imbalance(&b->worst), "factor",
                       "the longest working thread over the mean of %llu",
                       (unsigned long long)b->threads);
        judge_evidence(j, barrier_efficiency(b), "share",
                       "of the threads' time between meetings is work");
        judge_evidence(j, (double)b->wait_ns / f->tokens, "ns",
                       "of a token waited, by all threads");
        judge_evidence(j, (double)b->episodes, "count", "meetings after %s", b->worst_op->name);
        if (last && b->episodes && last->times <= b->episodes)
                judge_evidence(j, (double)last->times / (double)b->episodes, "share",
                               "of the meetings %s came last",
                               blame_name(f->w, last, (char[EXPLAIN_TEXT]){0}, EXPLAIN_TEXT));
        judge_cost(j, f, isnan(f->tokens) ? NAN : loss, share,
                   "the others wait %s %s for it, %s of %s",
                   explain_ns(a, isnan(f->tokens) ? loss : loss / f->tokens),
                   isnan(f->tokens) ? "in all" : "a token", fmt_share(c, share),
                   isnan(f->wall) ? "the op's time" : "its time");
        judge_cause(j, "%s has more of %s to do than the other%s", who, b->worst_op->name,
                    b->threads > 2 ? "s" : "");
        judge_remedy(j,
                     "cut %s into more parts than threads and let each thread take the next one, "
                     "or give each the same number of rows",
                     b->worst_op->name);
        judge_gain(j, f, f->wall - loss,
                   "if all threads worked as long as they do on average, between any two meetings");
        judge_confidence(j, f,
                         f->has_ledger && !f->short_of_cpus ? CONFIDENCE_HIGH : CONFIDENCE_MEDIUM);
}
