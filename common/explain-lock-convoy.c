/* SPDX-License-Identifier: MIT */
/*
 * A lock that threads stand in line for. Only contended acquisitions are timed, so what is seen
 * here is waiting and nothing else. It is told where it takes a twentieth of the time of the
 * threads that compute, and not by accident: fifty times, by two threads or more.
 */
#include <math.h>

#include "common/cleanup.h"
#include "common/report-explain-private.h"

#define SHARE_MIN 0.05
#define COUNT_MIN 50

#define NO_MEMORY "there was no memory to look at it"

struct lock {
        struct work_wait **at;
        size_t n;
        uint64_t count, total_ns;
        size_t threads;
        bool crowd; /* how many threads is not known */
};

static bool is_lock(const struct facts *f, const struct work_wait *e)
{
        return ifp_wait_group(e->kind) == IFP_GROUP_LOCK && e->spread.count &&
               (isnan(f->tokens) || !f->has_ledger || e->phase == IFP_PHASE_DECODE);
}

static int compare(const void *a, const void *b)
{
        const struct work_wait *p = *(struct work_wait *const *)a,
                               *q = *(struct work_wait *const *)b;
        int order = work_compare_object(p, q);

        return order ? order : p->thread < q->thread ? -1 : p->thread > q->thread;
}

/* The lock that was waited for longest. */
static struct lock find_worst(const struct facts *f, struct work_wait **order)
{
        struct lock worst = {0};
        size_t n = 0, next;

        for (size_t i = 0; i < f->w->n_waits; i++)
                if (is_lock(f, &f->w->waits[i]))
                        order[n++] = &f->w->waits[i];
        qsort(order, n, sizeof(struct work_wait *), compare);
        for (size_t i = 0; i < n; i = next) {
                struct lock l = {.at = order + i};

                for (next = i; next < n && work_same_object(order[i], order[next]); next++) {
                        l.count = sum_u64(l.count, order[next]->spread.count);
                        l.total_ns = sum_u64(l.total_ns, order[next]->spread.total_ns);
                        l.threads += next == i || order[next]->thread != order[next - 1]->thread;
                        l.crowd |= order[next]->thread == NONE;
                }
                l.n = next - i;
                if (l.total_ns > worst.total_ns)
                        worst = l;
        }
        return worst;
}

/* Who held it; to be done. */
static int find_holders(const struct facts *f, const struct lock *l, struct blames *ret)
{
        int r = 0;

        for (size_t i = 0; i < l->n && !r; i++)
                for (size_t k = 0; k < l->at[i]->n_by && !r; k++)
                        r = blame_add(ret, f->w, l->at[i]->process,
                                      &(struct blame){.thread = l->at[i]->by[k].thread,
                                                      .op = l->at[i]->by[k].op,
                                                      .count = l->at[i]->by[k].count,
                                                      .total_ns = l->at[i]->by[k].total_ns});
        blame_settle(ret, f->w);
        return r;
}

static double thread_time(const struct facts *f)
{
        double sum = 0;

        if (f->has_ledger)
                return f->threads_ns;
        for (size_t i = 0; i < f->w->model.n_threads; i++)
                sum += (double)work_lifetime(f->w, i);
        return sum;
}

static void tell(const struct facts *f, struct judgement *j, const struct lock *l,
                 const struct blames *holders, double share)
{
        const struct work_wait *e = l->at[0];
        const struct work_wait_site *site = &f->w->wait_sites[e->site];
        const char *where = explain_function(f->w, site->frames, site->n_frames);
        const struct blame *holder = holders->n ? &holders->at[0] : NULL;
        double own = f->own[IFP_LEDGER_LOCK];
        char a[FMT_SIZE], b[FMT_SIZE], who[EXPLAIN_TEXT], number[32] = "";

        if (!l->crowd)
                snprintf(number, sizeof(number), "%zu ", l->threads);
        judge_yes(j, "%sthread%s in line for the %s %#llx%s%s", number,
                  l->crowd || l->threads > 1 ? "s stand" : " stands", work_wait_kinds[e->kind],
                  (unsigned long long)e->object, where ? ", asked for in " : "",
                  where ? where : "");
        judge_evidence(j, share, "share", "of the threads' time is waiting for it");
        judge_evidence(j, (double)l->count, "count", "times it was held by another");
        judge_evidence(j, (double)l->count / f->tokens, "1/token", "of these a token");
        judge_evidence(j, (double)l->total_ns / (double)l->count, "ns", "each time, on average");
        judge_evidence(j, l->crowd ? NAN : (double)l->threads, "count", "threads waited");
        if (holder && holder->total_ns <= l->total_ns)
                judge_evidence(j, (double)holder->total_ns / (double)l->total_ns, "share",
                               "of the waiting %s held it%s%s",
                               blame_name(f->w, holder, who, sizeof(who)),
                               holder->op ? ", in " : "", holder->op ? holder->op : "");
        judge_evidence(j, own / f->wall, "share",
                       "of a token's time the thread that decodes waited for locks");
        judge_cost(j, f, f->has_ledger ? (double)l->total_ns : NAN, share,
                   "%s of thread time %s, %s of it",
                   fmt_ns(a, f->has_ledger ? (uint64_t)((double)l->total_ns / f->tokens)
                                           : l->total_ns),
                   f->has_ledger ? "a token" : "in all", fmt_share(b, share));
        judge_cause(j, "%s%s%s%s",
                    holder ? blame_name(f->w, holder, who, sizeof(who)) : "one thread",
                    " holds the lock while others need it", site->op ? ", most in " : "",
                    site->op ? site->op : "");
        judge_remedy(j, "hold it shorter, or give each thread (or each part of the data) a lock of "
                        "its own");
        judge_gain(j, f, own > 0 ? f->wall - own : NAN, "%s",
                   isnan(own) ? "not known: there is no ledger of decode steps"
                   : own > 0 ? "without the thread that decodes waiting for locks; what the others "
                               "gain comes on top"
                             : "the thread that decodes waits for no lock: tokens come no faster, "
                               "but the others get done sooner");
        judge_confidence(j, f, f->has_ledger ? CONFIDENCE_HIGH : CONFIDENCE_MEDIUM);
}

void explain_lock_convoy(const struct facts *f, struct judgement *j)
{
        _cleanup_(freep) struct work_wait **order = calloc(f->w->n_waits + 1, sizeof(*order));
        struct blames holders = {0};
        struct lock l;
        double time = thread_time(f), share;
        char a[FMT_SIZE], b[FMT_SIZE];

        if (!judge_waits(j, f))
                return;
        if (!order) {
                judge_unknown(j, NO_MEMORY);
                return;
        }
        l = find_worst(f, order);
        share = (double)l.total_ns / time;
        if (!l.n) {
                judge_no(j, "no lock was waited for");
                return;
        }
        if (!(time > 0)) {
                judge_unknown(j, "the threads' time is not known");
                return;
        }
        if (!(share >= SHARE_MIN) || l.count < COUNT_MIN) {
                judge_no(j, "the lock waited for longest took %s of the threads' time, %s waits",
                         fmt_share(a, share), fmt_count(b, l.count));
                return;
        }
        if (find_holders(f, &l, &holders))
                judge_unknown(j, NO_MEMORY);
        else
                tell(f, j, &l, &holders, share);
        blames_done(&holders);
}
