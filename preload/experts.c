/* SPDX-License-Identifier: MIT */
/*
 * How many tokens were sent to each expert of a layer. All counts are added to atomically, for
 * several graphs may be computed at once; a step's own sums come last, so that who sees them sees
 * its choices. What is read is the engine's, and is not trusted: a choice that cannot be one is
 * counted as unknown.
 */
#include "preload/experts.h"

#include "preload/table.h"

#define MAX_TOKENS (1u << 20) /* of a step */

static void add(uint64_t *to, uint64_t n)
{
        __atomic_fetch_add(to, n, __ATOMIC_RELAXED);
}

static struct ifp_moe_layer *make(uint32_t *bucket, uint32_t layer, uint32_t n_experts,
                                  uint64_t witness)
{
        struct ifp_live *live = &ifp_seg->live;
        struct ifp_moe_layer *l;
        uint32_t first, i;

        if (__atomic_load_n(&live->n_moe_layers, __ATOMIC_RELAXED) >= IFP_MAX_MOE_LAYERS ||
            !ifp_reserve(&live->n_expert_cells, n_experts, IFP_EXPERT_CELLS, &first) ||
            !ifp_reserve(&live->n_moe_layers, 1, IFP_MAX_MOE_LAYERS, &i))
                return NULL;
        l = &ifp_seg->moe_layers[i];
        l->witness = witness;
        l->first = first;
        l->layer = (uint16_t)layer;
        l->n_experts = (uint16_t)n_experts;
        __atomic_store_n(&l->ready, 1, __ATOMIC_RELEASE);
        ifp_link_in(bucket, &l->next, i);
        return l;
}

static struct ifp_moe_layer *find(uint32_t layer, uint32_t n_experts, uint64_t weight)
{
        uint64_t h = ifp_mix((uint64_t)layer << 32 | n_experts, 0);
        uint32_t *bucket = &ifp_seg->moe_buckets[h >> 32 & (IFP_MAX_MOE_LAYERS - 1)];

        for (uint32_t i = __atomic_load_n(bucket, __ATOMIC_ACQUIRE); i;
             i = ifp_seg->moe_layers[i].next) {
                struct ifp_moe_layer *l = &ifp_seg->moe_layers[i];

                if (l->layer == layer && l->n_experts == n_experts)
                        return l;
        }
        return make(bucket, layer, n_experts, weight);
}

/*
 * Counts the choices by expert; how many could not be one. `ret_distinct`: experts among them. A
 * token's choices lie where those of the token before lay, so the kernel is seldom asked whether
 * they can be read.
 */
static uint64_t count(struct ifp_moe_layer *l, uint64_t *cells, const struct ifp_choices *c,
                      uint64_t *ret_distinct)
{
        uint64_t seen[IFP_MAX_EXPERTS / 64] = {0}, page = ifp_word(&l->readable), unknown = 0;
        uint32_t n_experts = l->n_experts;

        *ret_distinct = 0;
        if (c->odd)
                return c->n_tokens * c->n_used;
        for (uint64_t t = 0; t < c->n_tokens; t++) {
                for (uint64_t k = 0; k < c->n_used; k++) {
                        uint64_t at = c->at + t * c->token_stride + k * c->stride, bit;
                        uint32_t expert;

                        if (at < 4096 || at & 3 || !ifp_page_readable(&page, at)) {
                                unknown++;
                                continue;
                        }
                        expert = *(const volatile uint32_t *)at; /* negative: too large */
                        if (expert >= n_experts) {
                                unknown++;
                                continue;
                        }
                        add(&cells[expert], 1);
                        bit = 1ull << (expert & 63);
                        *ret_distinct += !(seen[expert / 64] & bit);
                        seen[expert / 64] |= bit;
                }
        }
        *(volatile uint64_t *)&l->readable = page;
        return unknown;
}

void ifp_experts(uint32_t layer, uint64_t n_experts, uint64_t weight, uint32_t phase,
                 const struct ifp_choices *choices)
{
        struct ifp_choices c = *choices;
        struct ifp_moe_layer *l;
        struct ifp_moe_sums *s;
        uint64_t unknown, distinct;

        if (!layer || layer > UINT16_MAX) {
                add(&ifp_seg->live.moe_unplaced, 1);
                return;
        }
        if (!n_experts || n_experts > IFP_MAX_EXPERTS || c.n_tokens > MAX_TOKENS ||
            c.n_used > n_experts || !(l = find(layer, (uint32_t)n_experts, weight))) {
                add(&ifp_seg->live.moe_refused, 1);
                return;
        }
        if (l->witness != weight)
                return;
        s = &l->phase[phase];
        if (c.n_used == n_experts) {
                add(&s->all_tokens, c.n_tokens);
                return;
        }
        unknown = count(l, &ifp_seg->expert_choices[phase][l->first], &c, &distinct);
        add(&s->tokens, c.n_tokens);
        add(&s->choices, c.n_tokens * c.n_used);
        add(&s->unknown, unknown);
        if (!unknown) {
                add(&s->distinct, distinct);
                add(&s->steps_known, 1);
        }
        __atomic_fetch_add(&s->steps, 1, __ATOMIC_RELEASE);
}
