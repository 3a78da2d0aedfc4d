/* SPDX-License-Identifier: MIT */
/* What the engine told of itself, in the run file. */
#include <stdlib.h>

#include "daemon/flush-private.h"

static int put_told(struct run *run, const struct process *p)
{
        const struct told *t = &p->told;
        struct runfile_told row = {
                .process = p->index,
                .requests_ok = flush_sane(t->requests_ok),
                .requests_failed = flush_sane(t->requests_failed),
                .instants = flush_sane(t->n_instants),
                .markers_refused = flush_sane(t->markers_refused),
                .markers_left = flush_sane(t->markers_left),
                .markers_unmatched = flush_sane(t->markers_unmatched),
                .counters_refused = flush_sane(t->counters_refused),
                .tiles_unmatched = flush_sane(t->tiles_unmatched),
                .tiles_unended = flush_sane(t->tiles_unended),
        };
        int r = runfile_put_told(run->file, &row);

        for (uint32_t c = 0; !r && c < t->n_counters; c++) {
                struct runfile_counter counter = {
                        .process = p->index,
                        .counter = c,
                        .name = t->counters[c].name,
                        .counted = flush_sane(t->counters[c].counted),
                        .calls = flush_sane(t->counters[c].calls),
                };

                r = runfile_put_counter(run->file, &counter);
        }
        return r;
}

static int put_tiles(struct run *run, const struct process *p)
{
        int r = 0;

        for (uint32_t level = 0; !r && level < IFP_N_TILE_LEVELS; level++) {
                const struct ifp_tile_row *t = &p->told.tiles[level];
                struct runfile_tile row = {
                        .process = p->index,
                        .level = level,
                        .n = flush_sane(t->n),
                        .total_ns = flush_sane(clock_ns(&p->clock, t->ticks)),
                        .elements = flush_sane(t->elements),
                        .flops = flush_sane(t->flops),
                        .least_elements = flush_sane(t->least_elements),
                        .most_elements = flush_sane(t->most_elements),
                        .slowest_ns = flush_sane(clock_ns(&p->clock, t->slowest)),
                        .slowest_row = t->slowest_row,
                        .slowest_col = t->slowest_col,
                        .rows = t->rows,
                        .cols = t->cols,
                };

                if (t->n)
                        r = runfile_put_tile(run->file, &row);
        }
        return r;
}

static int put_marker(struct run *run, const struct process *p, uint32_t op)
{
        const struct ifp_marker_row *m = &p->told.markers[op];
        struct runfile_marker row = {
                .process = p->index,
                .op = op,
                .n = flush_sane(m->n),
                .begin_bytes = m->begin_bytes,
                .change_bytes = m->change_bytes,
                .first_bytes = m->first_bytes,
                .last_bytes = m->last_bytes,
                .least_change = m->least_change,
                .most_change = m->most_change,
                .highest = m->highest,
        };

        return runfile_put_marker(run->file, &row);
}

static int put_instant(struct run *run, const struct process *p, const struct told_instant *i)
{
        struct runfile_instant row = {
                .process = p->index,
                .number = i->number,
                .at_ns = flush_sane(clock_since_start_ns(&p->clock, i->ticks)),
                .tid = i->tid,
                .kind = i->kind,
                .text = i->text,
        };

        return runfile_put_instant(run->file, &row);
}

int flush_told(struct run *run, const struct process *p)
{
        const struct told *t = &p->told;
        int r = 0;

        if (t->mark && (t->mark != t->written || p->write_all)) {
                r = put_told(run, p);
                if (!r)
                        r = put_tiles(run, p);
        }
        for (uint32_t op = 0; !r && op < t->n_ops; op++)
                if (t->markers[op].n &&
                    (t->markers[op].n != t->markers_written[op] || p->write_all))
                        r = put_marker(run, p, op);
        for (const struct told_instant *i = t->first; !r && i; i = i->next)
                r = put_instant(run, p, i);
        return r;
}

void flush_told_written(struct process *p)
{
        struct told *t = &p->told;

        t->written = t->mark;
        for (uint32_t op = 0; op < t->n_ops; op++)
                t->markers_written[op] = t->markers[op].n;
        while (t->first) {
                struct told_instant *next = t->first->next;

                free(t->first);
                t->first = next;
        }
        t->last = NULL;
        t->n_waiting = 0;
}
