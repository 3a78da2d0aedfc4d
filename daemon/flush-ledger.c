/* SPDX-License-Identifier: MIT */
/*
 * The ledger of decode steps as rows of the run file. Rows of the same whole sum up to it, to the
 * ns: see ledger_rows_ns.
 */
#include <string.h>

#include "daemon/flush-private.h"
#include "daemon/ledger.h"

static const uint64_t *flat(const struct drain_hist *h, uint64_t *buckets)
{
        if (!h->count)
                return NULL;
        memset(buckets, 0, IFP_HIST_BUCKETS * sizeof(*buckets));
        drain_hist_flatten(h, buckets);
        return buckets;
}

static int put_sums(struct run *run, const struct process *p)
{
        static uint64_t buckets[IFP_HIST_BUCKETS];
        const struct ledger *l = p->ledger;
        struct runfile_ledger row = {
                .process = p->index,
                .steps = l->sums.steps,
                .tokens = l->sums.tokens,
                .dropped = l->sums.dropped,
                .wall_ns = clock_ns(&p->clock, l->sums.wall_ticks),
                .all_ns = clock_ns(&p->clock, l->sums.all_ticks),
                .kernel = l->kernel,
                .hist = flat(&l->wall, buckets),
        };

        return runfile_put_ledger(run->file, &row);
}

static int put_rows(struct run *run, const struct process *p, uint32_t who)
{
        static uint64_t buckets[IFP_HIST_BUCKETS];
        const struct ledger *l = p->ledger;
        uint64_t ns[IFP_N_LEDGER];
        int r = 0;

        ledger_rows_ns(&p->clock, l->sums.rows[who],
                       who == IFP_LEDGER_ALL ? l->sums.all_ticks : l->sums.wall_ticks, ns);
        for (uint32_t i = 0; !r && i < IFP_N_LEDGER; i++) {
                struct runfile_ledger_row row = {
                        .process = p->index,
                        .who = who,
                        .row = i,
                        .total_ns = ns[i],
                        .hist = flat(&l->rows[who][i], buckets),
                };

                r = runfile_put_ledger_row(run->file, &row);
        }
        return r;
}

/* ---- slow steps ---- */

static uint64_t told(uint32_t v)
{
        return v == UINT32_MAX ? RUNFILE_NOT_TOLD : v;
}

static int put_slow_rows(struct run *run, const struct process *p, uint32_t slot,
                         const struct ifp_token_record *t)
{
        int r = 0;

        for (uint32_t who = 0; who < IFP_N_LEDGER_WHO; who++) {
                uint64_t ns[IFP_N_LEDGER];

                ledger_rows_ns(&p->clock, t->rows[who],
                               who == IFP_LEDGER_ALL ? t->all_ticks : t->end - t->start, ns);
                for (uint32_t i = 0; !r && i < IFP_N_LEDGER; i++) {
                        struct runfile_slow_token_row row = {.process = p->index,
                                                             .slot = slot,
                                                             .who = who,
                                                             .row = i,
                                                             .ns = ns[i]};

                        r = runfile_put_slow_token_row(run->file, &row);
                }
        }
        return r;
}

static int put_slow(struct run *run, const struct process *p, uint32_t slot)
{
        const struct ifp_token_record *t = &p->ledger->slow[slot];
        struct runfile_slow_token row = {
                .process = p->index,
                .slot = slot,
                .number = flush_sane(t->number),
                .start_ns = clock_since_start_ns(&p->clock, t->start),
                .wall_ns = clock_ns(&p->clock, t->end - t->start),
                .all_ns = clock_ns(&p->clock, t->all_ticks),
                .tokens = t->n_tokens,
                .threads = t->n_threads,
                .allocs = flush_sane(t->allocs),
                .alloc_bytes = flush_sane(t->alloc_bytes),
                .spawns = t->spawns,
                .waits = t->waits,
                .voluntary = told(t->voluntary),
                .involuntary = told(t->involuntary),
                .migrations = told(t->migrations),
                .minor_faults = told(t->minor_faults),
                .major_faults = told(t->major_faults),
                .syscalls = told(t->syscalls),
        };
        int r;

        r = runfile_put_slow_token(run->file, &row);
        return r ? r : put_slow_rows(run, p, slot, t);
}

/* Those that came since the last writing; of more than there are places, the newest. */
static int put_slow_ones(struct run *run, const struct process *p)
{
        const struct ledger *l = p->ledger;
        uint64_t i = p->write_all ? 0 : l->written_slow;
        int r = 0;

        if (l->n_slow - i > LEDGER_SLOW)
                i = l->n_slow - LEDGER_SLOW;
        for (; !r && i < l->n_slow; i++)
                if (l->slow_here[i % LEDGER_SLOW])
                        r = put_slow(run, p, (uint32_t)(i % LEDGER_SLOW));
        return r;
}

/* ---- threads ---- */

static uint64_t mark_of(const struct thread *t)
{
        uint64_t mark = 1 + t->ledger.steps;

        for (uint32_t i = 0; i < IFP_N_LEDGER; i++)
                mark += t->ledger.rows[i];
        return mark;
}

int flush_thread_ledger(struct run *run, const struct process *p, const struct thread *t)
{
        uint64_t ns[IFP_N_LEDGER], sum = 0;
        int r = 0;

        for (uint32_t i = 0; i < IFP_N_LEDGER; i++)
                sum += t->ledger.rows[i];
        ledger_rows_ns(&p->clock, t->ledger.rows, sum, ns);
        for (uint32_t i = 0; !r && i < IFP_N_LEDGER; i++) {
                struct runfile_ledger_thread row = {
                        .process = p->index,
                        .thread = t->index,
                        .row = i,
                        .total_ns = ns[i],
                        .steps = flush_sane(t->ledger.steps),
                };

                r = runfile_put_ledger_thread(run->file, &row);
        }
        return r;
}

static int put_threads(struct run *run, const struct process *p)
{
        int r = 0;

        for (uint32_t i = 0; !r && i < p->n_threads; i++) {
                uint64_t mark = mark_of(p->threads[i]);

                if (mark != 1 && (mark != p->threads[i]->written_ledger || p->write_all))
                        r = flush_thread_ledger(run, p, p->threads[i]);
        }
        return r;
}

int flush_ledger(struct run *run, const struct process *p)
{
        const struct ledger *l = p->ledger;
        int r = 0;

        if (!l)
                return 0;
        if (l->sums.steps && (p->write_all || l->written_steps != l->sums.steps ||
                              l->written_read != l->wall.count)) {
                r = put_sums(run, p);
                for (uint32_t who = 0; !r && who < IFP_N_LEDGER_WHO; who++)
                        r = put_rows(run, p, who);
        }
        if (!r)
                r = put_slow_ones(run, p);
        return r ? r : put_threads(run, p);
}

void flush_ledger_written(struct process *p)
{
        struct ledger *l = p->ledger;

        if (!l)
                return;
        l->written_steps = l->sums.steps;
        l->written_read = l->wall.count;
        l->written_slow = l->n_slow;
        for (uint32_t i = 0; i < p->n_threads; i++)
                p->threads[i]->written_ledger = mark_of(p->threads[i]);
}
