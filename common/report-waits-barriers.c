/* SPDX-License-Identifier: MIT */
/*
 * Barriers: who came last, and what the others' waiting costs.
 *
 * An op's work is shared by threads that then meet. All meetings of one op and phase in a process
 * are one row, whichever objects they met at, since the op's time is known for all of them
 * together. Where no op was open, an object has a row of its own, and nothing is known of its work.
 *
 *   episodes    each has one last arrival, so: the last arrivals of all threads, summed
 *   busy        self time of the op in that phase, all threads; less what its barriers hold of it
 *               (where the barrier is an op of its own, as ggml_barrier, self time is without it
 * already) imbalance   the longest busy time of a thread / the mean. Threads that come and go (one
 * for each token) count as one thread for as many as lived at one time efficiency  busy / (busy +
 * wait). In an episode each thread works and then waits for the one that works longest, so busy +
 * wait is threads x longest
 */
#include "common/report-work-private.h"

#include <errno.h>
#include <math.h>

#include "common/cleanup.h"
#include "common/report-private.h"

static int compare_entries(const void *a, const void *b, void *userdata)
{
        const struct work_wait *p = *(struct work_wait *const *)a,
                               *q = *(struct work_wait *const *)b;

        if (p->process != q->process)
                return p->process < q->process ? -1 : 1;
        if (p->op != q->op)
                return (p->op ? p->op->index + 1 : 0) < (q->op ? q->op->index + 1 : 0) ? -1 : 1;
        if (p->phase != q->phase)
                return p->phase < q->phase ? -1 : 1;
        if (p->object != q->object)
                return p->object < q->object ? -1 : 1;
        return p < q ? -1 : p > q;
}

static bool same_barrier(const struct work_wait *a, const struct work_wait *b)
{
        return a->process == b->process && a->op == b->op && a->phase == b->phase &&
               (a->op || a->object == b->object);
}

static uint64_t self_of(const struct model_thread *t, const struct barrier *b)
{
        uint64_t total = 0, child = 0;

        for (size_t i = 0; i < t->n_ops; i++)
                if (t->ops[i].op == b->op->index && t->ops[i].phase == b->phase) {
                        total = sum_u64(total, t->ops[i].figures.total_ns);
                        child = sum_u64(child, t->ops[i].figures.child_ns);
                }
        return total > child ? total - child : 0;
}

/* Does the op's self time hold its waits? Not where the barrier is an op itself. */
static bool self_has_waits(const struct work *w, const struct barrier *b)
{
        for (size_t i = 0; i < w->model.n_ops; i++)
                if (w->model.ops[i]->kind == IFP_KIND_WAIT &&
                    w->model.ops[i]->phase[b->phase].timed && b->spins)
                        return false;
        return true;
}

struct share {
        uint64_t busy_ns, wait_ns;
        size_t thread;
};

/* Work of each group of threads: of one that comes and goes a thread's part is its width's. */
static int find_busy(const struct work *w, struct barrier *b, struct work_wait *const *entries,
                     size_t n)
{
        _cleanup_(freep) struct share *groups = calloc(w->n_groups + 1, sizeof(*groups));
        bool inside = self_has_waits(w, b);
        double slots = 0, sum = 0;

        if (!groups)
                return -ENOMEM;
        b->busiest = NONE;
        for (size_t i = 0; i < n; i++) {
                size_t crowd = w->processes[b->process].crowd;
                size_t g =
                        entries[i]->thread != NONE ? w->threads[entries[i]->thread].group : crowd;

                if (g != NONE)
                        groups[g].wait_ns = sum_u64(groups[g].wait_ns, entries[i]->spread.total_ns);
        }
        for (size_t i = 0; i < w->model.n_threads; i++) {
                struct share *s = &groups[w->threads[i].group];
                uint64_t self =
                        w->threads[i].process == b->process ? self_of(&w->model.threads[i], b) : 0;

                if (self && !s->busy_ns)
                        s->thread = i;
                s->busy_ns = sum_u64(s->busy_ns, self);
        }
        for (size_t i = 0; i < w->n_groups; i++) {
                uint64_t busy = groups[i].busy_ns;
                double width, each;

                if (!busy)
                        continue;
                if (inside)
                        busy = busy > groups[i].wait_ns ? busy - groups[i].wait_ns : 0;
                width = work_group_width(w, i);
                each = (double)busy / width;
                slots += width;
                sum += (double)busy;
                b->busy_ns = sum_u64(b->busy_ns, busy);
                if (each > b->max_busy_ns) {
                        b->max_busy_ns = each;
                        b->busiest = groups[i].thread;
                }
        }
        b->mean_busy_ns = slots > 0 ? sum / slots : 0;
        b->busy_known = b->busy_ns > 0;
        return 0;
}

/* Threads of a pool, that the group of the same name lets look alike, are told apart again. */
static int find_busy_apart(const struct work *w, struct barrier *b,
                           struct work_wait *const *entries, size_t n)
{
        _cleanup_(freep) uint64_t *waits = calloc(w->model.n_threads + 1, sizeof(*waits));
        bool inside = self_has_waits(w, b);
        uint64_t max = 0, sum = 0;
        size_t threads = 0;

        if (!waits)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                if (entries[i]->thread != NONE)
                        waits[entries[i]->thread] =
                                sum_u64(waits[entries[i]->thread], entries[i]->spread.total_ns);
        for (size_t i = 0; i < w->model.n_threads; i++) {
                uint64_t self =
                        w->threads[i].process == b->process ? self_of(&w->model.threads[i], b) : 0;

                if (!self)
                        continue;
                if (inside)
                        self = self > waits[i] ? self - waits[i] : 0;
                threads++;
                sum = sum_u64(sum, self);
                if (self > max || threads == 1) {
                        max = self;
                        b->busiest = i;
                }
        }
        b->busy_ns = sum;
        b->max_busy_ns = (double)max;
        b->mean_busy_ns = threads ? (double)sum / (double)threads : 0;
        b->busy_known = sum > 0;
        return 0;
}

static bool has_crowd(struct work_wait *const *entries, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (entries[i]->thread == NONE)
                        return true;
        return false;
}

/* Lanes: an entry is of one lane, so those of one object and stack are as many threads. */
static uint64_t count_threads(struct work_wait *const *entries, size_t n)
{
        uint64_t most = 0, known = 0;

        for (size_t i = 0; i < n; i++) {
                uint64_t several = 0;
                bool again = false;

                if (entries[i]->thread == NONE) {
                        for (size_t k = 0; k < n && n <= 4096; k++)
                                several += entries[k]->thread == NONE &&
                                           entries[k]->object == entries[i]->object &&
                                           entries[k]->site == entries[i]->site;
                        most = several > most ? several : most;
                        continue;
                }
                for (size_t k = 0; k < i && !again && n <= 4096; k++)
                        again = entries[k]->thread == entries[i]->thread;
                known += !again;
        }
        return known + most;
}

static int add_last(const struct work *w, struct barrier *b, const struct work_wait *e)
{
        int r = 0;

        if (e->last)
                r = blame_add(&b->last, w, e->process,
                              &(struct blame){.thread = e->thread, .times = e->last});
        for (size_t i = 0; i < e->n_by && !r; i++)
                r = blame_add(&b->last, w, e->process,
                              &(struct blame){.thread = e->by[i].thread,
                                              .count = e->by[i].count,
                                              .total_ns = e->by[i].total_ns});
        if (e->others && !r)
                r = blame_add(&b->last, w, e->process,
                              &(struct blame){.thread = NONE,
                                              .count = e->others,
                                              .total_ns = e->others_ns});
        return r;
}

static int make_barrier(const struct work *w, struct barrier *b, struct work_wait **entries,
                        size_t n)
{
        int r = 0;

        *b = (struct barrier){.process = entries[0]->process,
                              .op = entries[0]->op,
                              .phase = entries[0]->phase,
                              .busiest = NONE};
        for (size_t i = 0; i < n && !r; i++) {
                const struct work_wait *e = entries[i];

                b->objects += !i || e->object != entries[i - 1]->object;
                b->spins |= e->spins;
                b->episodes = sum_u64(b->episodes, e->last);
                b->wait_ns = sum_u64(b->wait_ns, e->spread.total_ns);
                b->count = sum_u64(b->count, e->spread.count);
                if (e->phase == IFP_PHASE_DECODE && e->thread != NONE &&
                    w->threads[e->thread].decodes)
                        b->decoder_ns = sum_u64(b->decoder_ns, e->spread.total_ns);
                r = add_last(w, b, e);
        }
        b->object = b->objects == 1 ? entries[0]->object : 0;
        b->threads = count_threads(entries, n);
        blame_settle(&b->last, w);
        if (r || !b->op)
                return r;
        return has_crowd(entries, n) ? find_busy(w, b, entries, n)
                                     : find_busy_apart(w, b, entries, n);
}

static int compare_barriers(const void *a, const void *b)
{
        const struct barrier *p = a, *q = b;

        if (p->wait_ns != q->wait_ns)
                return p->wait_ns > q->wait_ns ? -1 : 1;
        if (p->process != q->process)
                return p->process < q->process ? -1 : 1;
        if (p->object != q->object)
                return p->object < q->object ? -1 : 1;
        return p->phase < q->phase ? -1 : p->phase > q->phase;
}

int work_barriers(const struct work *w, struct barriers *ret)
{
        _cleanup_(freep) struct work_wait **order = calloc(w->n_waits + 1, sizeof(*order));
        size_t n = 0, next;

        if (!order)
                return -ENOMEM;
        for (size_t i = 0; i < w->n_waits; i++)
                if (w->waits[i].kind == IFP_WAIT_BARRIER &&
                    (w->waits[i].spread.count || w->waits[i].last))
                        order[n++] = &w->waits[i];
        qsort_r(order, n, sizeof(struct work_wait *), compare_entries, NULL);
        for (size_t i = 0; i < n; i = next) {
                struct barrier *b = GROW(&ret->at, &ret->n, &ret->room);
                int r;

                if (!b)
                        return -ENOMEM;
                for (next = i + 1; next < n && same_barrier(order[i], order[next]);)
                        next++;
                r = make_barrier(w, b, order + i, next - i);
                if (r)
                        return r;
        }
        if (ret->n)
                qsort(ret->at, ret->n, sizeof(*ret->at), compare_barriers);
        return 0;
}

void barriers_done(struct barriers *b)
{
        for (size_t i = 0; i < b->n; i++)
                blames_done(&b->at[i].last);
        free(b->at);
        *b = (struct barriers){0};
}

double barrier_imbalance(const struct barrier *b)
{
        return b->busy_known && b->mean_busy_ns > 0 && b->max_busy_ns >= b->mean_busy_ns
                       ? b->max_busy_ns / b->mean_busy_ns
                       : NAN;
}

double barrier_efficiency(const struct barrier *b)
{
        return b->busy_known ? (double)b->busy_ns / ((double)b->busy_ns + (double)b->wait_ns) : NAN;
}
