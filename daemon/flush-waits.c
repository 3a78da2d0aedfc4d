/* SPDX-License-Identifier: MIT */
/*
 * Waits and spawns as rows of the run file. A wait's row is written before its frames have names
 * (then it has none yet), and again when they have. Like all of daemon/flush.c: a row is whole, and
 * what was written is only remembered when the commit is through.
 */
#include <string.h>

#include "daemon/flush-private.h"
#include "daemon/fold.h"
#include "daemon/site.h"

static uint64_t ns(const struct process *p, uint64_t ticks)
{
        return clock_ns(&p->clock, ticks);
}

static const struct heap_stack *stack_of(const struct process *p, uint32_t stack)
{
        return stack && stack < p->heap.n_stacks ? &p->heap.stacks[stack] : NULL;
}

static bool is_resolved(const struct process *p, uint32_t stack)
{
        const struct heap_stack *s = stack_of(p, stack);

        return s && s->resolved;
}

/* "" where there is none, or none yet. */
static void frames_text(const struct process *p, uint32_t stack, char *ret, size_t size)
{
        const struct heap_stack *s = stack_of(p, stack);

        *ret = '\0';
        if (s)
                heap_frames_text(s, ret, size);
}

/* ---- the table ---- */

/* Changes whenever one of the rows would look different. */
static uint64_t mark_of(const struct process *p, const struct wait *w)
{
        const uint64_t *sums = (const uint64_t *)&w->sums;
        uint64_t mark = 1 + ((uint64_t)is_resolved(p, w->stack) << 62);

        for (size_t i = 0; i < sizeof(w->sums) / sizeof(*sums); i++)
                mark += sums[i];
        for (uint32_t k = 0; k < IFP_WAIT_BY; k++)
                if (w->by[k].gen)
                        mark += w->by[k].count + w->by[k].ticks +
                                ((uint64_t)(w->by[k].thread + 2) << 32);
        return mark + ((uint64_t)(w->thread + 2) << 40);
}

static bool is_used(const struct wait *w)
{
        return w->known && (w->sums.count || w->sums.last || w->n_waiting);
}

static bool is_due(const struct process *p, const struct wait *w)
{
        return is_used(w) && (p->write_all || w->written != mark_of(p, w));
}

static int put_by(struct run *run, const struct process *p, uint32_t i)
{
        int r = 0;

        for (uint32_t k = 0; !r && k < IFP_WAIT_BY; k++) {
                const struct wait_by *by = &p->waits.list[i].by[k];
                struct runfile_wait_by row = {
                        .process = p->index,
                        .wait = i,
                        .slot = k,
                        .thread = by->thread,
                        .op = by->op,
                        .count = flush_sane(by->count),
                        .total_ns = ns(p, by->ticks),
                };

                if (by->gen)
                        r = runfile_put_wait_by(run->file, &row);
        }
        return r;
}

static int put_wait(struct run *run, const struct process *p, uint32_t i)
{
        static uint64_t buckets[IFP_HIST_BUCKETS];
        const struct wait *w = &p->waits.list[i];
        const uint32_t *fold = p->segment.map ? &p->segment.map->waits[i].fold : NULL;
        char frames[HEAP_MOST_FRAMES * 11 + 1];
        struct fold f = {.min = UINT64_MAX};
        bool has_hist = kept_hist_read(p, fold, &w->hist, buckets, &f);
        struct runfile_wait row = {
                .process = p->index,
                .wait = i,
                .kind = w->kind,
                .op = w->op,
                .phase = w->phase,
                .thread = w->several ? -1 : w->thread,
                .object = w->object & INT64_MAX,
                .object_library = waits_file(p, w),
                .object_offset = w->offset & INT64_MAX,
                .spins = w->flags & IFP_WAIT_SPINS,
                .shared = w->flags & IFP_WAIT_SHARED_MEMORY,
                .one = w->flags & IFP_WAIT_ONE,
                .behind = w->flags & IFP_WAIT_BEHIND,
                .frames = frames,
                .count = flush_sane(w->sums.count),
                .total_ns = ns(p, w->sums.ticks),
                .min_ns = f.min == UINT64_MAX ? UINT64_MAX : ns(p, f.min),
                .max_ns = ns(p, f.max),
                .left = flush_sane(w->sums.left),
                .timeouts = flush_sane(w->sums.timeouts),
                .last = flush_sane(w->sums.last),
                .unknown = flush_sane(w->sums.unknown),
                .unknown_ns = ns(p, w->sums.unknown_ticks),
                .others = flush_sane(w->sums.others),
                .others_ns = ns(p, w->sums.others_ticks),
                .hist = has_hist ? buckets : NULL,
        };
        int r;

        frames_text(p, w->stack, frames, sizeof(frames));
        r = runfile_put_wait(run->file, &row);
        return r ? r : put_by(run, p, i);
}

/* ---- of threads ---- */

static uint64_t waits_mark(const struct thread *t)
{
        uint64_t mark = 1;

        for (uint32_t k = 1; k < IFP_N_WAIT_KINDS; k++)
                mark += t->waits.count[k] + t->waits.ticks[k];
        return mark;
}

int flush_thread_waits(struct run *run, const struct process *p, const struct thread *t)
{
        int r = 0;

        for (uint32_t k = 1; !r && k < IFP_N_WAIT_KINDS; k++) {
                struct runfile_thread_wait row = {
                        .process = p->index,
                        .thread = t->index,
                        .kind = k,
                        .count = flush_sane(t->waits.count[k]),
                        .total_ns = ns(p, t->waits.ticks[k]),
                };

                if (t->waits.count[k] || t->waits.ticks[k])
                        r = runfile_put_thread_wait(run->file, &row);
        }
        return r;
}

/* In its row's words: 0 is what was never written, and no wait. */
static bool now_is_due(const struct process *p, const struct thread *t)
{
        return memcmp(&t->now, &t->written_now, sizeof(t->now)) != 0 ||
               (p->write_all && t->now.kind);
}

static int put_now(struct run *run, const struct process *p, const struct thread *t)
{
        bool any = t->now.kind;
        struct runfile_wait_now row = {
                .process = p->index,
                .thread = t->index,
                .kind = t->now.kind,
                .object = any ? t->now.object & INT64_MAX : 0,
                .since_ns = any ? clock_since_start_ns(&p->clock, t->now.since) : 0,
                .for_ns = any ? ns(p, t->now.ticks) : 0,
                .wait = any && t->now.entry ? (int64_t)t->now.entry : -1,
                .by_thread = any ? t->now.by : -1,
        };

        return runfile_put_wait_now(run->file, &row);
}

static int put_over(struct run *run, const struct process *p)
{
        int r = 0;

        for (uint32_t i = 0; !r && i < p->waits.n_over; i++) {
                struct runfile_wait_now row = {.process = p->index,
                                               .thread = p->waits.over[i],
                                               .wait = -1,
                                               .by_thread = -1};

                r = runfile_put_wait_now(run->file, &row);
        }
        return r;
}

static int put_threads(struct run *run, const struct process *p)
{
        int r = put_over(run, p);

        for (uint32_t i = 0; !r && i < p->n_threads; i++) {
                const struct thread *t = p->threads[i];
                uint64_t mark = waits_mark(t);

                if (mark != 1 && (mark != t->written_waits || p->write_all))
                        r = flush_thread_waits(run, p, t);
                if (!r && now_is_due(p, t))
                        r = put_now(run, p, t);
        }
        return r;
}

/* ---- spawns ---- */

static uint64_t spawn_mark(const struct process *p, const struct site *s)
{
        return site_mark(s) + ((uint64_t)is_resolved(p, s->stack) << 62);
}

static int put_spawn(struct run *run, const struct process *p, uint32_t i)
{
        static uint64_t cost[IFP_HIST_BUCKETS], life[IFP_HIST_BUCKETS];
        const struct site *s = &p->sites[i];
        const struct ifp_site *from = p->segment.map ? &p->segment.map->sites[i] : NULL;
        char frames[HEAP_MOST_FRAMES * 11 + 1];
        struct fold f;
        bool has_cost = kept_hist_read(p, from ? &from->cost_fold : NULL, &s->cost, cost, &f);
        bool has_life = kept_hist_read(p, from ? &from->life_fold : NULL, &s->life, life, &f);
        struct runfile_spawn row = {
                .process = p->index,
                .site = i,
                .kind = s->kind,
                .op = s->op,
                .phase = s->phase,
                .frames = frames,
                .count = s->count,
                .live = s->live,
                .peak = s->peak,
                .ended = s->ended,
                .team = s->team,
                .cost_ns = ns(p, s->cost_ticks),
                .life_ns = ns(p, s->life_ticks),
                .cpu_ns = s->cpu_ns,
                .cost_hist = has_cost ? cost : NULL,
                .life_hist = has_life ? life : NULL,
        };

        frames_text(p, s->stack, frames, sizeof(frames));
        return runfile_put_spawn(run->file, &row);
}

int flush_waits(struct run *run, const struct process *p)
{
        int r = 0;

        if (p->waits.final)
                return 0;
        for (uint32_t i = 1; !r && i < p->waits.n; i++)
                if (is_due(p, &p->waits.list[i]))
                        r = put_wait(run, p, i);
        for (uint32_t i = 0; !r && i < p->n_sites; i++)
                if (p->sites[i].known &&
                    (p->write_all || p->sites[i].written != spawn_mark(p, &p->sites[i])))
                        r = put_spawn(run, p, i);
        return r ? r : put_threads(run, p);
}

/* Frames and histograms go, and rows would be without them. */
static void let_go(struct process *p)
{
        p->waits.final = true;
        for (uint32_t i = 0; i < p->waits.n; i++)
                kept_hist_done(&p->waits.list[i].hist);
        for (uint32_t i = 0; i < p->n_sites; i++) {
                kept_hist_done(&p->sites[i].cost);
                kept_hist_done(&p->sites[i].life);
        }
}

void flush_waits_written(struct process *p)
{
        if (p->state != PROCESS_LIVE)
                let_go(p);
        p->waits.n_over = 0;
        for (uint32_t i = 1; i < p->waits.n; i++)
                if (is_used(&p->waits.list[i]))
                        p->waits.list[i].written = mark_of(p, &p->waits.list[i]);
        for (uint32_t i = 0; i < p->n_sites; i++)
                if (p->sites[i].known)
                        p->sites[i].written = spawn_mark(p, &p->sites[i]);
        for (uint32_t i = 0; i < p->n_threads; i++) {
                p->threads[i]->written_waits = waits_mark(p->threads[i]);
                p->threads[i]->written_now = p->threads[i]->now;
        }
}
