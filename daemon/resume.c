/* SPDX-License-Identifier: MIT */
/*
 * What a daemon can know of a process that another one read before it.
 *
 * Counts and sums: all; they stand in the lanes' rows. Distributions: what the
 * run file has, as long as no fold is in it (folds are read again from the segment
 * and would count twice); the rest of what was drained is `unseen`. Threads: those that ended are
 * in the file. One that still has its lane, and was the lane's first, is known wholly. For others
 * the file knows how far they were at the last writing; they go on from there, and what nobody saw
 * in between is a row of its own, so that the sum over all threads stays the sum of the process.
 */
#include "daemon/resume.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lane.h"
#include "daemon/thread.h"

#define SAME_START_NS 1000000ull /* two readings of one instant, by two estimates of the rate */
#define UNWATCHED     "(while no daemon watched)"

static int load_op_phase(const struct runfile_op_phase *row, void *userdata)
{
        struct resume *x = userdata;
        struct process *p = x->p;
        double scale = p->clock.ns_per_tick * p->clock.ns_per_tick;
        struct drain_hist *h;

        if (row->process != x->index || row->op >= p->n_ops || row->phase >= IFP_N_PHASES ||
            row->folded || !row->hist)
                return 0;
        h = drain_get(&p->drain, row->op, row->phase);
        for (uint32_t i = 0; h && i < IFP_HIST_BUCKETS; i++) {
                if (!row->hist[i])
                        continue;
                if (drain_hist_add(h, i, row->hist[i]) < 0)
                        return -ENOMEM;
                h->count += row->hist[i];
                x->loaded += row->hist[i];
        }
        if (!h)
                return -ENOMEM;
        h->left = row->left;
        h->sumsq = row->sumsq_ns2 / scale;
        if (row->min_ns != UINT64_MAX) {
                h->min = clock_ticks(&p->clock, row->min_ns);
                h->max = clock_ticks(&p->clock, row->max_ns);
        }
        return 0;
}

/* The lane that a thread of the file still has, or NULL. */
static struct lane *lane_of(struct process *p, const struct runfile_thread *row)
{
        for (uint32_t i = 0; i < lane_count(p); i++) {
                const struct ifp_lane *lane = &p->segment.map->lanes[i];
                uint64_t start = clock_since_start_ns(&p->clock, lane->start_ticks);
                uint64_t apart =
                        start > row->started_ns ? start - row->started_ns : row->started_ns - start;

                if (lane->state != IFP_LANE_FREE && lane->tid == row->tid &&
                    row->ended_ns == UINT64_MAX && apart < SAME_START_NS + row->started_ns / 1000)
                        return &p->lanes[i];
        }
        return NULL;
}

static int load_thread(const struct runfile_thread *row, void *userdata)
{
        struct resume *x = userdata;
        struct process *p = x->p;
        struct lane *l;
        int r;

        if (row->process != x->index || row->thread >= PROCESS_MAX_THREADS)
                return 0;
        if (row->thread >= p->next_thread)
                p->next_thread = row->thread + 1;
        l = lane_of(p, row);
        if (!l || l->thread)
                return 0;
        r = thread_add(p, row->thread, &l->thread);
        if (r)
                return r;
        lane_identity(&p->segment.map->lanes[l - p->lanes], l->thread);
        l->thread->lane = (uint32_t)(l - p->lanes);
        l->thread->gen = l->waits_from = l->gen;
        kernel_resume_thread(l, row);
        return thread_map_add(p, l->thread);
}

static struct figures figures_of(const struct process *p, const struct runfile_thread_op *row)
{
        return (struct figures){
                .timed = row->timed,
                .untimed = row->untimed,
                .total = clock_ticks(&p->clock, row->total_ns),
                .child = clock_ticks(&p->clock, row->child_ns),
                .alloc_calls = row->alloc.calls,
                .asked_bytes = row->alloc.asked_bytes,
                .usable_bytes = row->alloc.usable_bytes,
                .frees = row->alloc.frees,
                .freed_bytes = row->alloc.freed_bytes,
                .alloc_failed = row->alloc.failed,
                .maps = row->alloc.maps,
                .mapped_bytes = row->alloc.mapped_bytes,
        };
}

/* from -= f, but never below zero: times went through ns and back. */
static void take_away(struct figures *from, const struct figures *f)
{
        uint64_t *x = (uint64_t *)from;
        const uint64_t *y = (const uint64_t *)f;

        for (size_t i = 0; i < sizeof(*f) / sizeof(*x); i++)
                x[i] -= y[i] < x[i] ? y[i] : x[i];
}

struct lane *resume_lane_with(struct process *p, uint32_t thread)
{
        for (uint32_t i = 0; i < p->n_lanes; i++)
                if (p->lanes[i].thread && p->lanes[i].thread->index == thread)
                        return &p->lanes[i];
        return NULL;
}

static int load_thread_op(const struct runfile_thread_op *row, void *userdata)
{
        struct resume *x = userdata;
        struct process *p = x->p;
        uint32_t key = row->op * IFP_N_PHASES + row->phase;
        struct figures f = figures_of(p, row);
        struct lane *l;

        if (row->process != x->index || row->op >= p->n_ops || row->phase >= IFP_N_PHASES ||
            row->thread >= PROCESS_MAX_THREADS)
                return 0;
        l = resume_lane_with(p, row->thread);
        if (!l && figures_calls(&f) && (row->thread != x->last_thread || row->op != x->last_op)) {
                p->ops[row->op].n_threads_ended++;
                x->last_thread = row->thread;
                x->last_op = row->op;
        }
        if (l && !l->base.n_rows)
                return 0; /* the lane has all of it */
        take_away(&x->left_over[key], &f);
        for (uint32_t i = 0; l && i < l->base.n_rows; i++)
                if (l->base.rows[i].key == key) {
                        take_away(&l->base.rows[i].f, &f);
                        take_away(&p->retired[key], &f);
                }
        return 0;
}

/* What is in no thread's row, as one that ended. */
static int add_unwatched(struct resume *x)
{
        static const struct figures zero;
        struct process *p = x->p;
        struct thread *t;
        uint32_t n = 0;
        int r;

        for (uint32_t k = 0; k < p->n_ops * IFP_N_PHASES; k++)
                n += memcmp(&x->left_over[k], &zero, sizeof(zero)) != 0;
        if (!n && !resume_has_waits(x))
                return 0;
        if (p->next_thread < PROCESS_MAX_THREADS) {
                r = thread_add(p, p->next_thread++, &t);
                if (r)
                        return r;
                strcpy(t->name, UNWATCHED);
        } else {
                r = thread_make_later(p);
                if (r)
                        return r;
                t = p->later;
        }
        t->ended = true;
        t->start_ticks = p->clock.start_ticks;
        t->end_ticks = ifp_ticks();
        resume_unwatched(x, t);
        t->tally.rows = calloc(n + 1, sizeof(*t->tally.rows));
        t->ranges = calloc(n + 1, sizeof(*t->ranges));
        if (!t->tally.rows || !t->ranges)
                return -ENOMEM;
        for (uint32_t k = 0; k < p->n_ops * IFP_N_PHASES; k++) {
                if (!memcmp(&x->left_over[k], &zero, sizeof(zero)))
                        continue;
                t->ranges[t->tally.n_rows] = (struct thread_range){.min = UINT64_MAX};
                t->tally.rows[t->tally.n_rows++] =
                        (struct tally_row){.key = k, .f = x->left_over[k]};
                tally_figures_add(&t->sum, &x->left_over[k]);
        }
        return 0;
}

/* What moves, moves from here on. */
static int settle(struct process *p, const char **ret_why)
{
        int r;

        r = process_tick(p, p->tick_ns, ret_why);
        if (r)
                return r;
        p->at_tick = p->before = p->now;
        for (uint32_t i = 0; i < p->n_ops; i++)
                p->ops[i].calls = p->ops[i].calls_now;
        for (uint32_t i = 0; i < p->n_sites; i++)
                p->sites[i].at_tick = p->sites[i].before = p->sites[i].count;
        course_take(p);
        if (p->ledger)
                p->ledger->at_tick = p->ledger->sums;
        return 0;
}

int process_resume(struct process *p, struct runfile *rf, uint32_t index, const char **ret_why)
{
        struct resume x = {.p = p, .index = index, .last_thread = UINT32_MAX};
        size_t bytes = p->n_ops * IFP_N_PHASES * sizeof(*x.left_over);
        int r = 0;

        x.left_over = malloc(bytes + 1);
        if (!x.left_over)
                return -ENOMEM;
        if (bytes)
                memcpy(x.left_over, p->retired, bytes);
        if (rf)
                r = runfile_each_op_phase(rf, load_op_phase, &x);
        if (rf && !r)
                r = runfile_each_thread(rf, load_thread, &x);
        if (rf && !r)
                r = runfile_each_thread_op(rf, load_thread_op, &x);
        if (rf && r >= 0)
                r = heap_resume(p, rf, index);
        if (r >= 0)
                r = resume_waits(&x, rf);
        if (rf && r >= 0)
                r = kernel_resume(p, rf, index);
        if (r >= 0) /* a damaged file: what could be read of it, will do */
                r = add_unwatched(&x);
        free(x.left_over);
        p->unseen = p->drained_before > x.loaded ? p->drained_before - x.loaded : 0;
        return r < 0 ? r : settle(p, ret_why);
}
