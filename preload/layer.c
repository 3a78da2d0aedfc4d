/* SPDX-License-Identifier: MIT */
/*
 * Which op is done in which layer, for what and on which shape: each combination once. Shapes may
 * be many, for a batch of another size is another one: they have one half of the table, and the
 * other half is for ops in layers whatever their shape.
 */
#include "preload/layer.h"

#include "preload/table.h"

static uint32_t *bucket_of(uint32_t op, uint32_t layer, uint32_t part, uint32_t shape)
{
        uint64_t h = ifp_mix((uint64_t)op << 32 | layer << 8 | part, shape);

        return &ifp_seg->layer_buckets[h >> 32 & (IFP_MAX_LAYERS - 1)];
}

static uint32_t find(uint32_t *bucket, uint32_t op, uint32_t layer, uint32_t part, uint32_t shape)
{
        uint32_t i = __atomic_load_n(bucket, __ATOMIC_ACQUIRE);

        for (const struct ifp_layer *l; i; i = l->next) {
                l = &ifp_seg->layers[i];
                if (l->op == op && l->layer == layer && l->part == part && l->shape == shape)
                        break;
        }
        return i;
}

uint32_t ifp_layer(uint32_t op, uint32_t layer, enum ifp_part part, uint32_t shape)
{
        uint32_t *bucket = bucket_of(op, layer, part, shape);
        uint32_t i = find(bucket, op, layer, part, shape);
        struct ifp_layer *l;

        if (i)
                return i;
        if (shape &&
            __atomic_load_n(&ifp_seg->live.n_layers, __ATOMIC_RELAXED) >= IFP_MAX_LAYERS / 2)
                return ifp_layer(op, layer, part, 0);
        if (!ifp_reserve(&ifp_seg->live.n_layers, 1, IFP_MAX_LAYERS, &i))
                return 0;
        l = &ifp_seg->layers[i];
        l->op = (uint16_t)op;
        l->layer = (uint16_t)layer;
        l->part = (uint8_t)part;
        l->shape = (uint16_t)shape;
        __atomic_store_n(&l->ready, 1, __ATOMIC_RELEASE);
        ifp_link_in(bucket, &l->next, i);
        return i;
}
