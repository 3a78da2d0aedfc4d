/* SPDX-License-Identifier: MIT */
/* Ops in layers in the run file. */
#include "daemon/flush-private.h"

static int put_row(struct run *run, const struct process *p, uint32_t i, uint32_t phase)
{
        const struct layer *l = &p->layers.list[i];
        const struct shape_sums *s = &l->phase[phase];
        struct runfile_layer row = {
                .process = p->index,
                .entry = i,
                .phase = phase,
                .op = l->is.op,
                .layer = l->is.layer,
                .part = l->is.part,
                .shape = l->is.shape,
                .calls = flush_sane(s->calls),
                .total_ns = clock_ns(&p->clock, s->total),
                .child_ns = clock_ns(&p->clock, s->child),
        };

        return runfile_put_layer(run->file, &row);
}

int flush_layers(struct run *run, const struct process *p)
{
        int r = 0;

        for (uint32_t i = 1; i < p->layers.n; i++) {
                const struct layer *l = &p->layers.list[i];

                for (uint32_t k = 0; !r && l->known && k < IFP_N_PHASES; k++)
                        if (l->phase[k].calls &&
                            (l->phase[k].calls + 1 != l->written[k] || p->write_all))
                                r = put_row(run, p, i, k);
        }
        return r;
}

void flush_layers_written(struct process *p)
{
        for (uint32_t i = 1; i < p->layers.n; i++) {
                struct layer *l = &p->layers.list[i];

                for (uint32_t k = 0; l->known && k < IFP_N_PHASES; k++)
                        if (l->phase[k].calls)
                                l->written[k] = l->phase[k].calls + 1;
        }
}
