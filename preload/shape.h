/* SPDX-License-Identifier: MIT */
/* The segment's tables of types and shapes. */
#pragma once

#include "preload/shim.h"

#pragma GCC visibility push(hidden)

/* Its number; 0: no room. Takes a lock: for the first sight of one. */
uint32_t ifp_type(const char *name, uint32_t block, uint32_t block_bytes);

/* The number of the shape that is like `want` in all but hash and next; 0: no room. */
uint32_t ifp_shape(const struct ifp_shape *want);

/* A span of that shape is over. */
static inline void ifp_shape_count(struct ifp_lane *lane, uint32_t shape, uint32_t phase,
                                   uint64_t dur, uint64_t child)
{
        struct ifp_shape_row *row = &lane->shapes[shape][phase];

        ifp_local_add(&row->calls, 1);
        ifp_local_add(&row->total, dur);
        if (IFP_UNLIKELY(child)) /* of most there is none */
                ifp_local_add(&row->child, child < dur ? child : dur);
}

#pragma GCC visibility pop
