/* SPDX-License-Identifier: MIT */
/* Which op is done in which layer, and for what: each combination once. */
#include "preload/layer.h"

#include "preload/table.h"

static uint32_t *bucket_of(uint32_t op, uint32_t layer, uint32_t part)
{
        uint64_t h = ifp_mix((uint64_t)op << 32 | layer << 8 | part, 0);

        return &ifp_seg->layer_buckets[h >> 32 & (IFP_MAX_LAYERS - 1)];
}

uint32_t ifp_layer(uint32_t op, uint32_t layer, enum ifp_part part)
{
        uint32_t *bucket = bucket_of(op, layer, part);
        uint32_t i = __atomic_load_n(bucket, __ATOMIC_ACQUIRE);
        struct ifp_layer *l;

        for (; i; i = l->next) {
                l = &ifp_seg->layers[i];
                if (l->op == op && l->layer == layer && l->part == part)
                        return i;
        }
        if (!ifp_reserve(&ifp_seg->live.n_layers, 1, IFP_MAX_LAYERS, &i))
                return 0;
        l = &ifp_seg->layers[i];
        l->op = (uint16_t)op;
        l->layer = (uint16_t)layer;
        l->part = (uint8_t)part;
        __atomic_store_n(&l->ready, 1, __ATOMIC_RELEASE);
        ifp_link_in(bucket, &l->next, i);
        return i;
}
