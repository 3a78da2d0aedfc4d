/* SPDX-License-Identifier: MIT */
/*
 * Threads as the daemon keeps them: a table of them in each process, and one
 * row for all those beyond it, so that a process that makes threads for days
 * takes no more memory than one that makes a few thousand.
 */
#include "daemon/thread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/drain.h"
#include "daemon/fold.h"

struct thread *thread_free(struct thread *t)
{
        if (!t)
                return NULL;
        tally_done(&t->tally);
        free(t->ranges);
        free(t);
        return NULL;
}

static struct thread *thread_new(uint32_t index)
{
        struct thread *t = calloc(1, sizeof(*t));

        if (t) {
                t->index = index;
                t->site = -1;
                t->cpu_ns = UINT64_MAX;
                t->dirty = true;
        }
        return t;
}

int thread_add(struct process *p, uint32_t index, struct thread **ret)
{
        struct thread *t;

        if (p->n_threads == p->n_threads_room) {
                uint32_t room = p->n_threads_room ? 2 * p->n_threads_room : 16;
                void *new = realloc(p->threads, room * sizeof(*p->threads));

                if (!new)
                        return -ENOMEM;
                p->threads = new;
                p->n_threads_room = room;
        }
        t = thread_new(index);
        if (!t)
                return -ENOMEM;
        p->threads[p->n_threads++] = t;
        *ret = t;
        return 0;
}

int thread_make_later(struct process *p)
{
        if (p->later)
                return 0;
        p->later = thread_new(PROCESS_MAX_THREADS);
        if (!p->later)
                return -ENOMEM;
        strcpy(p->later->name, "(later threads)");
        return 0;
}

/* The next of the process's threads: one with a row of its own, or one more of the later ones. */
int thread_next(struct process *p, struct thread **ret)
{
        int r;

        if (p->next_thread < PROCESS_MAX_THREADS)
                return thread_add(p, p->next_thread++, ret);
        r = thread_make_later(p);
        if (r < 0)
                return r;
        p->n_later++;
        *ret = thread_new(PROCESS_MAX_THREADS);
        return *ret ? 0 : -ENOMEM;
}

/* Extremes of what the thread did under each row of its tally. */
void thread_fill_ranges(struct process *p, const struct lane *l, uint32_t i, struct thread *t)
{
        const struct ifp_lane *lane = &p->segment.map->lanes[i];
        bool folds = t->folded && !l->base_folded;
        const char *why;

        for (uint32_t k = 0; k < t->tally.n_rows; k++) {
                uint32_t op = t->tally.rows[k].key / IFP_N_PHASES;
                uint32_t phase = t->tally.rows[k].key % IFP_N_PHASES;
                const struct drain_cell *c = drain_lane_cell(&l->drain, op, phase);
                struct fold f = {.min = c ? c->min : UINT64_MAX, .max = c ? c->max : 0};

                if (folds)
                        (void)fold_read(&p->segment, lane, op, phase, NULL, &f, &why);
                t->ranges[k] = (struct thread_range){.min = f.min, .max = f.max};
        }
}

void thread_add_up(const struct process *p, struct thread *t)
{
        t->sum = (struct figures){0};
        t->busy_ticks = 0;
        for (uint32_t k = 0; k < t->tally.n_rows; k++) {
                uint32_t op = t->tally.rows[k].key / IFP_N_PHASES;
                const struct figures *f = &t->tally.rows[k].f;
                uint8_t kind = op < p->n_ops ? p->ops[op].kind : IFP_KIND_KERNEL;

                tally_figures_add(&t->sum, f);
                if (kind != IFP_KIND_WAIT && kind != IFP_KIND_TOKEN && kind != IFP_KIND_TTFT)
                        t->busy_ticks += f->total - f->child;
        }
}

void thread_count_callers(struct process *p, const struct thread *t)
{
        uint32_t last = UINT32_MAX;

        for (uint32_t k = 0; k < t->tally.n_rows; k++) {
                uint32_t op = t->tally.rows[k].key / IFP_N_PHASES;

                if (op == last || op >= p->n_ops || !figures_calls(&t->tally.rows[k].f))
                        continue;
                p->ops[op].n_threads_ended++;
                last = op;
        }
}

/* One of those beyond the table: its figures join the others'. */
int thread_to_later(struct process *p, struct thread *t)
{
        int r;

        r = tally_merge(&p->later->tally, &t->tally);
        if (r < 0)
                return r;
        p->later->folded += t->folded;
        p->later->busy_ticks += t->busy_ticks;
        tally_figures_add(&p->later->sum, &t->sum);
        thread_waits_add(p->later, t);
        p->later->dirty = true;
        thread_free(t);
        return 0;
}
