/* SPDX-License-Identifier: MIT */
/* Ops in layers; as shapes.c, which see. */
#include "daemon/layers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/process.h"

static int check(struct process *p, const struct ifp_layer *l, const char **ret_why)
{
        if (l->part >= IFP_N_PARTS)
                return segment_bad(ret_why, "a layer has a part that does not exist");
        if (l->shape >= IFP_MAX_SHAPES)
                return segment_bad(ret_why, "a layer has a shape that does not exist");
        return process_check_op(p, l->op, "a layer has an op that does not exist", ret_why);
}

static int take_new(struct process *p, const char **ret_why)
{
        struct layers *l = &p->layers;
        uint32_t n = __atomic_load_n(&p->segment.map->live.n_layers, __ATOMIC_ACQUIRE);
        bool counted = false;
        int r = 0;

        l->full = n >= IFP_MAX_LAYERS;
        if (n > IFP_MAX_LAYERS)
                n = IFP_MAX_LAYERS;
        if (n > 1 && !l->list) {
                l->list = calloc(IFP_MAX_LAYERS, sizeof(*l->list));
                if (!l->list)
                        return -ENOMEM;
        }
        for (uint32_t i = 1; !r && i < n; i++) {
                const struct ifp_layer *from = &p->segment.map->layers[i];

                if (l->list[i].known || !__atomic_load_n(&from->ready, __ATOMIC_ACQUIRE))
                        continue;
                if (!counted) { /* after ready: its op was there before it */
                        r = segment_count(&p->segment, &p->counts, ret_why);
                        counted = true;
                }
                segment_copy_words(&l->list[i].is, from, sizeof(*from));
                if (!r)
                        r = check(p, &l->list[i].is, ret_why);
                l->list[i].known = !r;
        }
        if (!r && n > l->n)
                l->n = n;
        return r;
}

static struct shape_sums *sums_of(void *list, uint32_t number, uint32_t phase)
{
        struct layer *l = list;

        return &l[number].phase[phase];
}

int layers_take(struct process *p, const char **ret_why)
{
        struct layers *l = &p->layers;
        int r = take_new(p, ret_why);

        if (r)
                return r;
        for (uint32_t i = 1; i < l->n; i++)
                memset(l->list[i].phase, 0, sizeof(l->list[i].phase));
        for (uint32_t i = 0; i < p->counts.n_lanes && l->n > 1; i++)
                shapes_add_lane(p, i, offsetof(struct ifp_lane, layers), l->n, sums_of, l->list);
        for (uint32_t i = 1; i < l->n; i++)
                for (uint32_t k = 0; k < IFP_N_PHASES; k++)
                        p->dirty |= l->list[i].phase[k].calls &&
                                    l->list[i].phase[k].calls + 1 != l->list[i].written[k];
        return 0;
}

void layers_note(struct process *p)
{
        char *line = p->layers.full ? strdup("more layers came up than the table holds: calls in "
                                             "those that came later are in none")
                                    : NULL;

        if (line)
                p->notes[p->n_notes++] = line;
}

void layers_done(struct layers *l)
{
        free(l->list);
        *l = (struct layers){0};
}
