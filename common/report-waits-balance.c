/* SPDX-License-Identifier: MIT */
/*
 * How the work between two meetings at a barrier is spread over the threads that meet there.
 *
 *   busy        self time of the op in that phase, all threads, without what its barriers
 *               hold of it: nothing where the barrier is an op of its own (ggml_barrier), or
 *               comes behind the op
 *   imbalance   the longest busy time of a thread / the mean. Threads that come and go (one
 *               for each token) count as one thread for as many as lived at one time
 *   efficiency  busy / (busy + wait). In an episode each thread works and then waits for the
 *               one that works longest, so busy + wait is threads x longest
 *
 * Of barriers between ops, a thread's work in a phase is counted at the one it comes to most.
 */
#include <errno.h>
#include <math.h>

#include "common/cleanup.h"
#include "common/report-private.h"
#include "common/report-waits-private.h"

/* Does the op's self time hold its waits? Not where the barrier is an op itself. */
static bool self_has_waits(const struct work *w, const struct barrier *b)
{
        for (size_t i = 0; i < w->model.n_ops; i++)
                if (w->model.ops[i]->kind == IFP_KIND_WAIT &&
                    w->model.ops[i]->phase[b->phase].timed && b->spins)
                        return false;
        return b->op;
}

/* Parts of the work: each thread's, or what threads that come and go do together. */
struct part {
        size_t thread; /* the first */
        double threads, busy_ns;
};

struct parts {
        struct part *at;
        size_t n;
};

/*
 * Who takes part, and in which of the barriers between ops a thread's work is counted: the one it
 * comes to most.
 */
struct attendance {
        size_t barrier;
        uint64_t arrivals;
        size_t last; /* the one that is being counted, and so far */
        uint64_t here;
};

static bool has_crowd(struct work_wait *const *entries, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (entries[i]->thread == NONE)
                        return true;
        return false;
}

/* By threads, or, where some came and went, by groups. `parts` has room for all of either. */
static void find_parts(const struct work *w, const struct barrier *b, const struct model_op *op,
                       const struct attendance *attendance, size_t number, bool by_group,
                       struct parts *parts)
{
        parts->n = 0;
        if (by_group)
                memset(parts->at, 0, w->n_groups * sizeof(*parts->at));
        for (size_t i = 0; i < w->model.n_threads; i++) {
                struct part *p = &parts->at[by_group ? work_crew(w, i) : parts->n];
                uint64_t self;

                if (w->threads[i].process != b->process ||
                    (!b->op && !by_group && attendance[i].barrier != number))
                        continue;
                self = work_self(w, i, op, b->phase);
                if (!self && (b->op || by_group))
                        continue;
                if (!by_group || !p->threads)
                        p->thread = i;
                if (!by_group)
                        p->busy_ns = 0;
                p->busy_ns += (double)self;
                p->threads = by_group ? work_group_width(w, work_crew(w, i)) : 1;
                parts->n += !by_group;
        }
        if (by_group)
                parts->n = w->n_groups;
}

/* What of the parts is waiting. */
static void take_waits_off(const struct work *w, struct parts *parts, bool by_group,
                           struct work_wait *const *entries, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                const struct work_wait *e = entries[i];
                size_t g = e->thread != NONE ? work_crew(w, e->thread)
                                             : w->processes[e->process].crowd;

                if (e->behind)
                        continue;
                for (size_t k = 0; k < parts->n; k++)
                        if (by_group ? k == g : parts->at[k].thread == e->thread)
                                parts->at[k].busy_ns -= (double)e->spread.total_ns;
        }
        for (size_t k = 0; k < parts->n; k++)
                parts->at[k].busy_ns = parts->at[k].busy_ns > 0 ? parts->at[k].busy_ns : 0;
}

static struct balance balance_of(const struct parts *parts)
{
        struct balance b = {.busiest = NONE};
        double sum = 0, threads = 0;

        for (size_t k = 0; k < parts->n; k++) {
                const struct part *p = &parts->at[k];
                double each = p->threads > 0 ? p->busy_ns / p->threads : 0;

                sum += p->busy_ns;
                threads += p->threads;
                if (each > b.max_ns) {
                        b.max_ns = each;
                        b.busiest = p->thread;
                }
        }
        b.mean_ns = threads > 0 ? sum / threads : 0;
        b.sum_ns = sum;
        return b;
}

/* Between ops: the op that is spread worst. */
static void find_worst_op(const struct work *w, struct barrier *b,
                          const struct attendance *attendance, size_t number, bool by_group,
                          struct parts *parts)
{
        for (size_t i = 0; i < w->model.n_ops; i++) {
                struct balance balance;

                if (!model_is_compute(w->model.ops[i]) || !w->model.ops[i]->phase[b->phase].timed)
                        continue;
                find_parts(w, b, w->model.ops[i], attendance, number, by_group, parts);
                balance = balance_of(parts);
                if (balance.max_ns - balance.mean_ns > b->worst.max_ns - b->worst.mean_ns) {
                        b->worst = balance;
                        b->worst_op = w->model.ops[i];
                }
        }
}

static int find_busy(const struct work *w, struct barrier *b, const struct attendance *attendance,
                     size_t number, struct work_wait *const *entries, size_t n)
{
        size_t room = w->model.n_threads > w->n_groups ? w->model.n_threads : w->n_groups;
        _cleanup_(freep) struct part *at = calloc(room + 1, sizeof(*at));
        struct parts parts = {.at = at};
        bool by_group = has_crowd(entries, n);

        if (!at)
                return -ENOMEM;
        find_parts(w, b, b->op, attendance, number, by_group, &parts);
        if (self_has_waits(w, b))
                take_waits_off(w, &parts, by_group, entries, n);
        b->whole = balance_of(&parts);
        b->busy_ns = b->whole.sum_ns < 9e18 ? (uint64_t)b->whole.sum_ns : INT64_MAX;
        b->busy_known = b->busy_ns > 0;
        if (b->op) {
                b->worst = b->whole;
                b->worst_op = b->op;
        } else if (b->busy_known) {
                find_worst_op(w, b, attendance, number, by_group, &parts);
        }
        return 0;
}

/* Of barriers between ops, in this phase and process: where each thread comes most. */
static void attend(struct attendance *attendance, size_t number, struct work_wait *const *entries,
                   size_t n)
{
        for (size_t i = 0; i < n; i++) {
                struct attendance *a =
                        entries[i]->thread != NONE ? &attendance[entries[i]->thread] : NULL;
                uint64_t arrivals = sum_u64(entries[i]->spread.count, entries[i]->last);

                if (!a)
                        continue;
                a->here = a->last == number ? sum_u64(a->here, arrivals) : arrivals;
                a->last = number;
                if (a->here > a->arrivals) {
                        a->barrier = number;
                        a->arrivals = a->here;
                }
        }
}

int waits_find_busy(const struct work *w, struct barriers *barriers, struct work_wait **order,
                    const struct waits_range *ranges)
{
        _cleanup_(freep) struct attendance *attendance =
                calloc(w->model.n_threads + 1, sizeof(*attendance));
        int r = attendance ? 0 : -ENOMEM;

        /* a phase at a time: a thread's work is told apart by phase */
        for (uint32_t phase = 0; phase < IFP_N_PHASES && !r; phase++) {
                for (size_t i = 0; i < w->model.n_threads; i++)
                        attendance[i] = (struct attendance){.barrier = NONE, .last = NONE};
                for (size_t i = 0; i < barriers->n; i++)
                        if (barriers->at[i].phase == phase && !barriers->at[i].op &&
                            !barriers->at[i].told)
                                attend(attendance, i, order + ranges[i].first, ranges[i].n);
                for (size_t i = 0; i < barriers->n && !r; i++)
                        if (barriers->at[i].phase == phase && !barriers->at[i].told)
                                r = find_busy(w, &barriers->at[i], attendance, i,
                                              order + ranges[i].first, ranges[i].n);
        }
        return r;
}

double barrier_imbalance(const struct balance *b)
{
        return b->mean_ns > 0 && b->max_ns >= b->mean_ns ? b->max_ns / b->mean_ns : NAN;
}

double barrier_efficiency(const struct barrier *b)
{
        return b->busy_known ? (double)b->busy_ns / ((double)b->busy_ns + (double)b->wait_ns) : NAN;
}
