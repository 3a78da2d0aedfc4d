/* SPDX-License-Identifier: MIT */
/*
 * Barriers: who came last, and what the others' waiting costs.
 *
 * An op's work is shared by threads that then meet. All meetings of one op and phase in a process
 * are one row, whichever objects they met at, since the op's time is known for all of them
 * together. A barrier that threads come to between ops is a row for itself: between two meetings
 * lies whatever its threads compute in that phase, each at the barrier it comes to most.
 *
 * A barrier that comes behind ops is theirs, but for where the shim had lost sight of the op. If
 * that is more than one arrival in ten, the barrier is one between ops altogether; else what is
 * left (waiting for the next job) is a row without work, since the ops' rows have it.
 *
 *   episodes    each has one last arrival, so: the last arrivals of all threads, summed
 *   threads     that meet at one time. Of threads that come and go: in an episode all but one
 *               wait, so (waits + episodes) / episodes
 *   busy        self time of the op in that phase, all threads, without what its barriers
 *               hold of it: nothing where the barrier is an op of its own (ggml_barrier), or
 *               comes behind the op
 *   imbalance   the longest busy time of a thread / the mean. Threads that come and go (one
 *               for each token) count as one thread for as many as lived at one time
 *   efficiency  busy / (busy + wait). In an episode each thread works and then waits for the
 *               one that works longest, so busy + wait is threads x longest
 */
#include "common/report-work-private.h"

#include <errno.h>
#include <math.h>

#include "common/cleanup.h"
#include "common/report-private.h"

static bool is_compute(const struct model_op *op)
{
        return op->kind == IFP_KIND_KERNEL || op->kind == IFP_KIND_NODE;
}

/* The op whose parts end there; NULL: it lies between ops. */
static const struct model_op *op_of(const struct work_wait *e)
{
        return e->op && is_compute(e->op) && !e->between ? e->op : NULL;
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
        return e->behind && e->op && is_compute(e->op);
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

/* Of one op, or (NULL) of all that compute. */
static uint64_t self_of(const struct work *w, size_t thread, const struct model_op *op,
                        uint32_t phase)
{
        const struct model_thread *t = &w->model.threads[thread];
        uint64_t sum = 0;

        for (size_t i = 0; i < t->n_ops; i++) {
                const struct model_thread_op *o = &t->ops[i];

                if (o->phase == phase && o->figures.total_ns > o->figures.child_ns &&
                    (op ? o->op == op->index : is_compute(w->model.ops[o->op])))
                        sum = sum_u64(sum, o->figures.total_ns - o->figures.child_ns);
        }
        return sum;
}

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
};

static int compare_size(const void *a, const void *b)
{
        size_t x = *(const size_t *)a, y = *(const size_t *)b;

        return x < y ? -1 : x > y;
}

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
                self = self_of(w, i, op, b->phase);
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

                if (!is_compute(w->model.ops[i]) || !w->model.ops[i]->phase[b->phase].timed)
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
        qsort(threads, n_threads, sizeof(*threads), compare_size);
        *ret = most;
        for (size_t i = 0; i < n_threads; i++)
                *ret += !i || threads[i] != threads[i - 1];
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

/* Of barriers between ops, in this phase and process: where each thread comes most. */
static void attend(struct attendance *attendance, size_t number, struct work_wait *const *entries,
                   size_t n)
{
        for (size_t i = 0; i < n; i++) {
                struct attendance *a =
                        entries[i]->thread != NONE ? &attendance[entries[i]->thread] : NULL;
                uint64_t arrivals = sum_u64(entries[i]->spread.count, entries[i]->last);

                if (a && a->barrier == number)
                        a->arrivals = sum_u64(a->arrivals, arrivals);
                else if (a && arrivals > a->arrivals)
                        *a = (struct attendance){number, arrivals};
        }
}

struct range {
        size_t first, n;
};

static int find_all_busy(const struct work *w, struct barriers *barriers, struct work_wait **order,
                         const struct range *ranges)
{
        _cleanup_(freep) struct attendance *attendance =
                calloc(w->model.n_threads + 1, sizeof(*attendance));
        int r = attendance ? 0 : -ENOMEM;

        /* a phase at a time: a thread's work is told apart by phase */
        for (uint32_t phase = 0; phase < IFP_N_PHASES && !r; phase++) {
                for (size_t i = 0; i < w->model.n_threads; i++)
                        attendance[i] = (struct attendance){NONE, 0};
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

int work_barriers(const struct work *w, struct barriers *ret)
{
        _cleanup_(freep) struct work_wait **order = calloc(w->n_waits + 1, sizeof(*order));
        _cleanup_(freep) struct range *ranges = calloc(w->n_waits + 1, sizeof(*ranges));
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
                        ranges[ret->n - 1] = (struct range){i, next - i};
                r = b ? make_barrier(w, b, order + i, next - i) : -ENOMEM;
        }
        if (!r)
                r = find_all_busy(w, ret, order, ranges);
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

double barrier_imbalance(const struct balance *b)
{
        return b->mean_ns > 0 && b->max_ns >= b->mean_ns ? b->max_ns / b->mean_ns : NAN;
}

double barrier_efficiency(const struct barrier *b)
{
        return b->busy_known ? (double)b->busy_ns / ((double)b->busy_ns + (double)b->wait_ns) : NAN;
}
