/* SPDX-License-Identifier: MIT */
/*
 * Barriers: who came last, and what the others' waiting costs.
 *
 * An op's work is shared by threads that then meet. All meetings of one op and phase in a process
 * are one row, whichever objects they met at, since the op's time is known for all of them
 * together. A barrier that threads come to between ops is a row for itself: between two meetings
 * lies whatever its threads compute in that phase (report-waits-balance.c).
 *
 * A barrier that comes behind ops is theirs, but for where the shim had lost sight of the op. If
 * that is more than one arrival in ten, the barrier is one between ops altogether; else what is
 * left (waiting for the next job) is a row without work, since the ops' rows have it.
 *
 *   episodes    each has one last arrival, so: the last arrivals of all threads, summed
 *   threads     that meet at one time. Of threads that come and go: in an episode all but one
 *               wait, so (waits + episodes) / episodes
 */
#include <errno.h>
#include <math.h>

#include "common/cleanup.h"
#include "common/report-private.h"
#include "common/report-waits-private.h"

/* The op whose parts end there; NULL: it lies between ops. */
static const struct model_op *op_of(const struct work_wait *e)
{
        return e->op && model_is_compute(e->op) && !e->between ? e->op : NULL;
}

static int compare_entries(const void *a, const void *b)
{
        const struct work_wait *p = *(struct work_wait *const *)a,
                               *q = *(struct work_wait *const *)b;
        uint32_t x = op_of(p) ? op_of(p)->index + 1 : 0, y = op_of(q) ? op_of(q)->index + 1 : 0;

        if (p->process != q->process)
                return p->process < q->process ? -1 : 1;
        if (x != y)
                return x < y ? -1 : 1;
        if (p->phase != q->phase)
                return p->phase < q->phase ? -1 : 1;
        if (p->object != q->object)
                return p->object < q->object ? -1 : 1;
        return p < q ? -1 : p > q;
}

#define LOST_MAX 0.1

static bool is_behind(const struct work_wait *e)
{
        return e->behind && e->op && model_is_compute(e->op);
}

static bool same_object(const struct work_wait *a, const struct work_wait *b)
{
        return a->process == b->process && a->phase == b->phase && a->object == b->object;
}

static int compare_objects(const void *a, const void *b)
{
        const struct work_wait *p = *(struct work_wait *const *)a,
                               *q = *(struct work_wait *const *)b;

        if (p->process != q->process)
                return p->process < q->process ? -1 : 1;
        if (p->phase != q->phase)
                return p->phase < q->phase ? -1 : 1;
        return p->object < q->object ? -1 : p->object > q->object;
}

/* Decides of each object in each phase whether it comes behind ops or lies between them. */
static void sort_out(struct work_wait **order, size_t n)
{
        size_t next;

        if (n)
                qsort(order, n, sizeof(struct work_wait *), compare_objects);
        for (size_t i = 0; i < n; i = next) {
                double behind = 0, lost = 0;

                for (next = i; next < n && same_object(order[i], order[next]); next++) {
                        double arrivals =
                                (double)order[next]->spread.count + (double)order[next]->last;

                        if (is_behind(order[next]))
                                behind += arrivals;
                        else if (!op_of(order[next]))
                                lost += arrivals;
                }
                for (size_t k = i; k < next; k++) {
                        order[k]->between =
                                is_behind(order[k]) && lost > LOST_MAX * (behind + lost);
                        order[k]->told = behind > 0 && lost <= LOST_MAX * (behind + lost);
                }
        }
}

static bool same_barrier(const struct work_wait *a, const struct work_wait *b)
{
        return a->process == b->process && op_of(a) == op_of(b) && a->phase == b->phase &&
               (op_of(a) || a->object == b->object);
}

/*
 * No more than so many meet at one time: different threads. Of lanes that several threads had, no
 * more than there are entries of one object: an entry is of one lane, and of one stack.
 */
static int most_threads(struct work_wait *const *entries, size_t n, uint64_t *ret)
{
        _cleanup_(freep) size_t *threads = calloc(n + 1, sizeof(*threads));
        uint64_t most = 0, several = 0;
        size_t n_threads = 0;

        if (!threads)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) { /* they lie by object; of one object, by nothing */
                if (i && entries[i]->object != entries[i - 1]->object)
                        several = 0;
                if (entries[i]->thread != NONE)
                        threads[n_threads++] = entries[i]->thread;
                else
                        several += entries[i]->last || entries[i]->spread.count;
                most = several > most ? several : most;
        }
        *ret = most + work_distinct(threads, n_threads);
        return 0;
}

/* Were they all there at one time? */
static bool live_together(const struct work *w, struct work_wait *const *entries, size_t n)
{
        uint64_t start = 0, end = UINT64_MAX;

        for (size_t i = 0; i < n; i++) {
                const struct runfile_thread *t;

                if (entries[i]->thread == NONE)
                        return false;
                t = &w->model.threads[entries[i]->thread].row;
                start = t->started_ns > start ? t->started_ns : start;
                end = t->ended_ns < end ? t->ended_ns : end;
        }
        return start < end;
}

/* 0: not known. */
static uint64_t threads_that_meet(const struct work *w, const struct barrier *b,
                                  struct work_wait *const *entries, size_t n, uint64_t most)
{
        double meet;

        if (live_together(w, entries, n) || most < 2)
                return most;
        if (!b->episodes)
                return 0;
        meet = round((double)b->count / (double)b->episodes) + 1;
        meet = meet < 2 && b->count ? 2 : meet;
        return meet < (double)most ? (uint64_t)meet : most;
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
        uint64_t most = 0;
        int r = 0;

        *b = (struct barrier){.process = entries[0]->process,
                              .op = op_of(entries[0]),
                              .phase = entries[0]->phase,
                              .told = !op_of(entries[0]) && entries[0]->told,
                              .whole.busiest = NONE,
                              .worst.busiest = NONE};
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
        blame_settle(&b->last, w);
        blame_sort_by_times(&b->last);
        if (!r)
                r = most_threads(entries, n, &most);
        b->threads = threads_that_meet(w, b, entries, n, most);
        return r;
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
        _cleanup_(freep) struct waits_range *ranges = calloc(w->n_waits + 1, sizeof(*ranges));
        size_t n = 0, next;
        int r = order && ranges ? 0 : -ENOMEM;

        for (size_t i = 0; i < w->n_waits && !r; i++)
                if (w->waits[i].kind == IFP_WAIT_BARRIER &&
                    (w->waits[i].spread.count || w->waits[i].last))
                        order[n++] = &w->waits[i];
        sort_out(order, n);
        if (n)
                qsort(order, n, sizeof(struct work_wait *), compare_entries);
        for (size_t i = 0; i < n && !r; i = next) {
                struct barrier *b = GROW(&ret->at, &ret->n, &ret->room);

                for (next = i + 1; next < n && same_barrier(order[i], order[next]);)
                        next++;
                if (b)
                        ranges[ret->n - 1] = (struct waits_range){i, next - i};
                r = b ? make_barrier(w, b, order + i, next - i) : -ENOMEM;
        }
        if (!r)
                r = waits_find_busy(w, ret, order, ranges);
        if (ret->n && !r)
                qsort(ret->at, ret->n, sizeof(*ret->at), compare_barriers);
        return r;
}

void barriers_done(struct barriers *b)
{
        for (size_t i = 0; i < b->n; i++)
                blames_done(&b->at[i].last);
        free(b->at);
        *b = (struct barriers){0};
}
