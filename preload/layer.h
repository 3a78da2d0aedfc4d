/* SPDX-License-Identifier: MIT */
/* The segment's table of ops on shapes in layers. */
#pragma once

#include "preload/shim.h"

#pragma GCC visibility push(hidden)

/* The number of that op in that layer (+ 1; 0: none), as `part` of it, on that shape (0: none); 0:
 * no room. */
uint32_t ifp_layer(uint32_t op, uint32_t layer, enum ifp_part part, uint32_t shape);

/* A span of that op is over. */
static inline void ifp_layer_count(struct ifp_lane *lane, uint32_t layer, uint32_t phase,
                                   uint64_t dur, uint64_t child)
{
        struct ifp_shape_row *row = &lane->layers[layer][phase];

        ifp_local_add(&row->calls, 1);
        ifp_local_add(&row->total, dur);
        if (IFP_UNLIKELY(child)) /* of most there is none */
                ifp_local_add(&row->child, child < dur ? child : dur);
}

#pragma GCC visibility pop
