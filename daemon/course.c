/* SPDX-License-Identifier: MIT */
/*
 * Keeps, at each tick, how long threads had waited, run and been runnable by then, and how long
 * things had been waited for. A wait in progress counts as far as it has come, so that a thread
 * that waits all the time is seen to wait; what is found less than before, because a wait turned
 * out shorter than it looked, has not moved.
 */
#include "daemon/course.h"

#include "daemon/process.h"

static void take_waits(struct process *p)
{
        for (uint32_t i = 1; i < p->waits.n; i++) {
                struct wait *w = &p->waits.list[i];
                struct wait_course *c = &w->course;

                c->count_before = c->count_at_tick;
                c->ticks_before = c->ticks_at_tick;
                c->count_at_tick = w->sums.count;
                c->ticks_at_tick = w->sums.ticks + w->progress_ticks;
                for (uint32_t k = 0; k < IFP_WAIT_BY; k++) {
                        w->by_moved[k] = rates_moved(w->by[k].ticks, w->by_at_tick[k]);
                        w->by_at_tick[k] = w->by[k].ticks;
                }
        }
}

static uint64_t reading(uint64_t *at_tick, uint64_t now)
{
        uint64_t before = *at_tick;

        *at_tick = now;
        return now == RUNFILE_NOT_TOLD || before == RUNFILE_NOT_TOLD ? RUNFILE_NOT_TOLD
                                                                     : rates_moved(now, before);
}

static void take_thread(const struct process *p, struct thread *t)
{
        struct runfile_thread row = {.running_ns = RUNFILE_NOT_TOLD,
                                     .runnable_ns = RUNFILE_NOT_TOLD};
        struct thread_course *c = &t->course;

        kernel_thread_figures(p, t, &row);
        c->running = reading(&c->running_at_tick, row.running_ns);
        c->runnable = reading(&c->runnable_at_tick, row.runnable_ns);
        for (uint32_t k = 1; k < IFP_N_WAIT_KINDS; k++) {
                uint64_t now = t->waits.ticks[k] + (t->now.kind == k ? t->now.ticks : 0);

                c->waited[k] = rates_moved(now, c->waited_at_tick[k]);
                c->waited_at_tick[k] = now;
        }
        c->n_ticks++;
}

static void add_to_kinds(struct process *p, const struct thread *t)
{
        for (uint32_t k = 1; t && k < IFP_N_WAIT_KINDS; k++) {
                p->kinds[k].count_at_tick += t->waits.count[k];
                p->kinds[k].ticks_at_tick +=
                        t->waits.ticks[k] + (t->now.kind == k ? t->now.ticks : 0);
        }
}

/* Of all threads, those that are over too: a thread may live for less than an interval. */
static void take_kinds(struct process *p)
{
        for (uint32_t k = 1; k < IFP_N_WAIT_KINDS; k++)
                p->kinds[k] = (struct wait_course){.count_before = p->kinds[k].count_at_tick,
                                                   .ticks_before = p->kinds[k].ticks_at_tick};
        for (uint32_t i = 0; i < p->n_threads; i++)
                add_to_kinds(p, p->threads[i]);
        add_to_kinds(p, p->later);
        for (uint32_t i = 0; i < p->n_lanes; i++)
                if (p->lanes[i].thread && p->lanes[i].thread->index == PROCESS_MAX_THREADS)
                        add_to_kinds(p, p->lanes[i].thread);
}

void course_take(struct process *p)
{
        take_waits(p);
        take_kinds(p);
        for (uint32_t i = 0; i < p->n_lanes; i++)
                if (p->lanes[i].thread)
                        take_thread(p, p->lanes[i].thread);
}
