/* SPDX-License-Identifier: MIT */
/*
 * Experts of layers, as layers.c has ops in them. Counts are of the whole process, added to by all
 * its threads; a step's sums come after its choices, so who reads these later misses none of them.
 */
#include "daemon/experts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/process.h"

static int take_layer(struct process *p, struct experts_layer *to, const struct ifp_moe_layer *from,
                      const char **ret_why)
{
        struct experts *e = &p->experts;
        uint32_t first = __atomic_load_n(&from->first, __ATOMIC_RELAXED);
        uint16_t layer = __atomic_load_n(&from->layer, __ATOMIC_RELAXED);
        uint16_t n = __atomic_load_n(&from->n_experts, __ATOMIC_RELAXED);

        /* Each has cells of its own: together no more than there are. */
        if (!layer || !n || n > IFP_MAX_EXPERTS || first > IFP_EXPERT_CELLS - n ||
            e->n_cells > IFP_EXPERT_CELLS - n)
                return segment_bad(ret_why, "a layer has experts that cannot be");
        to->layer = layer;
        to->n_experts = n;
        to->first = first;
        to->known = true;
        e->n_cells += n;
        return 0;
}

static int take_new(struct process *p, const char **ret_why)
{
        struct experts *e = &p->experts;
        uint32_t n = __atomic_load_n(&p->segment.map->live.n_moe_layers, __ATOMIC_ACQUIRE);
        int r = 0;

        if (n > IFP_MAX_MOE_LAYERS)
                return segment_bad(ret_why, "the counts of its tables lie");
        if (n > 1 && !e->list) {
                e->list = calloc(IFP_MAX_MOE_LAYERS, sizeof(*e->list));
                if (!e->list)
                        return -ENOMEM;
        }
        for (uint32_t i = 1; !r && i < n; i++) {
                const struct ifp_moe_layer *from = &p->segment.map->moe_layers[i];

                if (!e->list[i].known && __atomic_load_n(&from->ready, __ATOMIC_ACQUIRE))
                        r = take_layer(p, &e->list[i], from, ret_why);
        }
        if (!r && n > e->n)
                e->n = n;
        return r;
}

static int take_phase(struct process *p, struct experts_layer *l, uint32_t i, uint32_t phase)
{
        const struct ifp_moe_sums *from = &p->segment.map->moe_layers[i].phase[phase];

        if (!__atomic_load_n(&from->steps, __ATOMIC_ACQUIRE) &&
            !__atomic_load_n(&from->all_tokens, __ATOMIC_RELAXED))
                return 0;
        segment_copy_words(&l->phase[phase], from, sizeof(*from));
        if (!l->counts[phase])
                l->counts[phase] = calloc(l->n_experts, sizeof(*l->counts[phase]));
        if (!l->counts[phase])
                return -ENOMEM;
        segment_copy_words(l->counts[phase], &p->segment.map->expert_choices[phase][l->first],
                           l->n_experts * sizeof(*l->counts[phase]));
        p->dirty |= experts_mark(&l->phase[phase]) + 1 != l->written[phase];
        return 0;
}

int experts_take(struct process *p, const char **ret_why)
{
        struct experts *e = &p->experts;
        int r = take_new(p, ret_why);

        e->refused = __atomic_load_n(&p->segment.map->live.moe_refused, __ATOMIC_RELAXED);
        e->unplaced = __atomic_load_n(&p->segment.map->live.moe_unplaced, __ATOMIC_RELAXED);
        for (uint32_t i = 1; i < e->n; i++)
                for (uint32_t k = 0; !r && e->list[i].known && k < IFP_N_PHASES; k++)
                        r = take_phase(p, &e->list[i], i, k);
        return r;
}

static void note(struct process *p, uint64_t n, const char *why)
{
        char *line = NULL;

        if (n && asprintf(&line, "%" PRIu64 " products of experts are in no count of experts: %s",
                          n, why) >= 0)
                p->notes[p->n_notes++] = line;
}

void experts_note(struct process *p)
{
        note(p, p->experts.refused,
             "their layers found no room in the table, or have more experts than it holds");
        note(p, p->experts.unplaced, "the names of their tensors tell no layer");
}

void experts_done(struct experts *e)
{
        for (uint32_t i = 1; i < e->n; i++) /* 0 is none, and alone there is no list */
                for (uint32_t k = 0; k < IFP_N_PHASES; k++)
                        free(e->list[i].counts[k]);
        free(e->list);
        *e = (struct experts){0};
}
