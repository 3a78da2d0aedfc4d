/* SPDX-License-Identifier: MIT */
/*
 * The choices of a layer with experts: MUL_MAT_ID(weights, input, ids), where ids has the numbers
 * of the experts of each token. They are there when the node begins, on every thread: the node that
 * made them lies before it, and a barrier between.
 */
#include "preload/engine-ggml.h"
#include "preload/experts.h"
#include "preload/table.h"

#define NAME_BYTES 64u

/* Of a name up to its end, in words; never 0. */
static uint64_t name_sum(const void *tensor)
{
        const uint64_t *words = ifp_words_at(tensor, ifp_ggml_layout.name);
        uint64_t h = 0, end = 0;

        for (uint32_t i = 0; i < NAME_BYTES / 8 && !end; i++) {
                uint64_t w = words[i];

                /* the highest bit of the first byte that is zero; above it are others, perhaps */
                end = (w - 0x0101010101010101ull) & ~w & 0x8080808080808080ull;
                if (end)
                        w &= ((end & -end) >> 7) - 1;
                h = ifp_mix(h, w);
        }
        return h | 1;
}

static bool is_i32(const void *tensor)
{
        const struct ifp_type *t = &ifp_seg->types[ifp_ggml_type(tensor)];

        return t->block == 1 && t->block_bytes == 4 && !ifp_strcmp(ifp_seg->names + t->name, "i32");
}

void ifp_ggml_experts(const void *tensor, uint32_t layer, uint32_t phase)
{
        const struct ifp_ggml_layout *l = &ifp_ggml_layout;
        const uint64_t *src = ifp_words_at(tensor, l->src), *ne, *nb;
        const void *weights = (const void *)src[0], *ids = (const void *)src[2];
        struct ifp_choices c;

        if (!l->name || !l->data || !weights || !ids)
                return;
        ne = ifp_words_at(ids, l->ne);
        nb = ifp_words_at(ids, l->nb);
        c.at = *ifp_words_at(ids, l->data);
        c.n_used = ne[0];
        c.n_tokens = ne[1];
        c.stride = nb[0];
        c.token_stride = nb[1];
        c.odd = ne[2] != 1 || ne[3] != 1 || !is_i32(ids);
        ifp_experts(layer ? ifp_seg->layers[layer].layer : 0, ifp_words_at(weights, l->ne)[2],
                    name_sum(weights), phase, &c);
}
