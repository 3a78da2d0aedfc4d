/* SPDX-License-Identifier: MIT */
/* Experts of layers in the run file. */
#include <inttypes.h>
#include <stdio.h>

#include "daemon/flush-private.h"

static int put_row(struct run *run, const struct process *p, uint32_t i, uint32_t phase)
{
        const struct experts_layer *l = &p->experts.list[i];
        const struct ifp_moe_sums *s = &l->phase[phase];
        char counts[IFP_MAX_EXPERTS * 20 + 1], *at = counts;
        struct runfile_experts row = {
                .process = p->index,
                .entry = i,
                .phase = phase,
                .layer = l->layer,
                .n_experts = l->n_experts,
                .steps = flush_sane(s->steps),
                .tokens = flush_sane(s->tokens),
                .choices = flush_sane(s->choices),
                .unknown = flush_sane(s->unknown),
                .steps_known = flush_sane(s->steps_known),
                .distinct = flush_sane(s->distinct),
                .all_tokens = flush_sane(s->all_tokens),
                .counts = counts,
        };

        for (uint32_t e = 0; e < l->n_experts; e++)
                at += snprintf(at, (size_t)(counts + sizeof(counts) - at), "%s%" PRIu64,
                               e ? "," : "", flush_sane(l->counts[phase][e]));
        return runfile_put_experts(run->file, &row);
}

int flush_experts(struct run *run, const struct process *p)
{
        int r = 0;

        for (uint32_t i = 1; i < p->experts.n; i++) {
                const struct experts_layer *l = &p->experts.list[i];

                for (uint32_t k = 0; !r && k < IFP_N_PHASES; k++)
                        if (l->counts[k] &&
                            (experts_mark(&l->phase[k]) + 1 != l->written[k] || p->write_all))
                                r = put_row(run, p, i, k);
        }
        return r;
}

void flush_experts_written(struct process *p)
{
        for (uint32_t i = 1; i < p->experts.n; i++) {
                struct experts_layer *l = &p->experts.list[i];

                for (uint32_t k = 0; k < IFP_N_PHASES; k++)
                        if (l->counts[k])
                                l->written[k] = experts_mark(&l->phase[k]) + 1;
        }
}
