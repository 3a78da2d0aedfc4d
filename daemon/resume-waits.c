/* SPDX-License-Identifier: MIT */
/*
 * Waits and decode steps of a process that another daemon read before. Their sums are in the
 * segment and need nothing. What is not there is whose they were: which thread waited, and for
 * which, as numbers of this run's file; and how far each thread was at the last writing, where its
 * lane had others before it.
 */
#include "daemon/resume.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lane.h"
#include "daemon/words.h"

static void less(uint64_t *from, uint64_t n)
{
        *from -= n < *from ? n : *from;
}

/* ---- the table ---- */

static bool is_wait(const struct resume *x, uint32_t process, uint32_t wait)
{
        return process == x->index && wait && wait < x->p->waits.n;
}

static int load_wait(const struct runfile_wait *row, void *userdata)
{
        struct resume *x = userdata;
        struct wait *w;
        struct lane *l;

        if (!is_wait(x, row->process, row->wait))
                return 0;
        w = &x->p->waits.list[row->wait];
        w->resumed = row->count + 1;
        w->thread = row->thread;
        w->several = row->thread < 0;
        for (uint32_t k = 0; k < IFP_WAIT_BY; k++)
                w->by[k].thread = -1;
        l = w->several ? NULL : resume_lane_with(x->p, (uint32_t)row->thread);
        w->gen = l ? l->gen : UINT32_MAX; /* the next one's are not its own */
        return 0;
}

static int load_by(const struct runfile_wait_by *row, void *userdata)
{
        struct resume *x = userdata;
        struct wait_by *by;

        if (!is_wait(x, row->process, row->wait) || row->slot >= IFP_WAIT_BY ||
            !x->p->waits.list[row->wait].resumed)
                return 0;
        by = &x->p->waits.list[row->wait].by[row->slot];
        by->thread = row->thread;
        by->count = row->count; /* fewer by now: the place went to another */
        return 0;
}

/* ---- threads ---- */

/* Of a thread of the process. The row of the later ones is written anew, with all that is in no
 * other. */
static bool is_its_own(const struct resume *x, uint32_t process, uint32_t thread)
{
        return process == x->index && thread < PROCESS_MAX_THREADS;
}

static void less_if_told(uint64_t *from, uint64_t n)
{
        if (n != RUNFILE_NOT_TOLD)
                less(from, n);
}

/* What threads tell at their end is in their rows, but of those that nobody saw end. */
static int load_told(const struct runfile_thread *row, void *userdata)
{
        struct resume *x = userdata;

        if (!is_its_own(x, row->process, row->thread) || resume_lane_with(x->p, row->thread))
                return 0;
        less_if_told(&x->waits.voluntary, row->voluntary);
        less_if_told(&x->waits.involuntary, row->involuntary);
        less_if_told(&x->waits.minor_faults, row->minor_faults);
        less_if_told(&x->waits.major_faults, row->major_faults);
        return 0;
}

static int load_thread_wait(const struct runfile_thread_wait *row, void *userdata)
{
        struct resume *x = userdata;
        struct lane *l;
        uint64_t t = clock_ticks(&x->p->clock, row->total_ns);

        if (!is_its_own(x, row->process, row->thread) || row->kind >= IFP_N_WAIT_KINDS)
                return 0;
        l = resume_lane_with(x->p, row->thread);
        if (l && l->gen == 1)
                return 0; /* the lane has all of it */
        less(&x->waits.count[row->kind], row->count);
        less(&x->waits.ticks[row->kind], t);
        if (l) {
                less(&l->base_waits.count[row->kind], row->count);
                less(&l->base_waits.ticks[row->kind], t);
        }
        return 0;
}

static int load_thread_ledger(const struct runfile_ledger_thread *row, void *userdata)
{
        struct resume *x = userdata;
        struct lane *l;
        uint64_t t = clock_ticks(&x->p->clock, row->total_ns);

        if (!is_its_own(x, row->process, row->thread) || row->row >= IFP_N_LEDGER)
                return 0;
        l = resume_lane_with(x->p, row->thread);
        if (l && l->gen == 1)
                return 0;
        less(&x->ledger.rows[row->row], t);
        if (!row->row)
                less(&x->ledger.steps, row->steps);
        if (l) {
                less(&l->base_ledger.rows[row->row], t);
                if (!row->row)
                        less(&l->base_ledger.steps, row->steps);
        }
        return 0;
}

/* What the file says is in progress, and may be over. */
static int load_now(const struct runfile_wait_now *row, void *userdata)
{
        struct resume *x = userdata;
        struct process *p = x->p;
        struct lane *l;
        uint32_t *over;

        if (row->process != x->index || !row->kind)
                return 0;
        l = resume_lane_with(p, row->thread);
        if (l) {
                l->thread->written_now = (struct wait_now){.kind = row->kind};
                return 0;
        }
        over = realloc(p->waits.over, (p->waits.n_over + 1) * sizeof(*over));
        if (!over)
                return -ENOMEM;
        p->waits.over = over;
        over[p->waits.n_over++] = row->thread;
        return 0;
}

int resume_waits(struct resume *x, struct runfile *rf)
{
        struct process *p = x->p;
        int r;

        if (!waits_are_on(&p->segment.header))
                return 0;
        for (uint32_t i = 0; i < p->n_lanes; i++) {
                words_add(&x->waits, &p->lanes[i].base_waits, sizeof(x->waits));
                words_add(&x->ledger, &p->lanes[i].base_ledger, sizeof(x->ledger));
        }
        if (!rf)
                return 0;
        r = waits_room(p);
        if (!r)
                r = runfile_each_wait(rf, load_wait, x);
        if (r >= 0)
                r = runfile_each_wait_by(rf, load_by, x);
        if (r >= 0)
                r = runfile_each_thread(rf, load_told, x);
        if (r >= 0)
                r = runfile_each_thread_wait(rf, load_thread_wait, x);
        if (r >= 0)
                r = runfile_each_ledger_thread(rf, load_thread_ledger, x);
        if (r >= 0)
                r = runfile_each_wait_now(rf, load_now, x);
        if (r >= 0)
                r = ledger_resume(p, rf, x->index);
        return r;
}

bool resume_has_waits(const struct resume *x)
{
        uint64_t any = x->ledger.steps;

        for (uint32_t k = 0; k < IFP_N_WAIT_KINDS; k++)
                any |= x->waits.count[k];
        return any;
}

void resume_unwatched(struct resume *x, struct thread *t)
{
        words_add(&t->waits, &x->waits, sizeof(t->waits));
        words_add(&t->ledger, &x->ledger, sizeof(t->ledger));
}
