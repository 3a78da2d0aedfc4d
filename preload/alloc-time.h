/* SPDX-License-Identifier: MIT */
/*
 * Time in the allocator: an estimate. Of calls that move less than IFP_WATCH_ALL bytes one in
 * IFP_WATCH_INTERVAL, at random, is stamped and stands for that many; larger ones are stamped all.
 * So a call pays for a countdown, and the sum is right on average.
 */
#pragma once

#include "preload/shim.h"

#define IFP_WATCH_ALL      (128u << 10)
#define IFP_WATCH_INTERVAL 256u

#pragma GCC visibility push(hidden)

/* Is this call to be stamped? */
static inline bool ifp_watch_due(size_t bytes)
{
        uint32_t *left = &ifp_tls.watch_left;

        return IFP_UNLIKELY(bytes >= IFP_WATCH_ALL || __builtin_sub_overflow(*left, 1, left));
}

/* Around the call that is: begin answers the stamp, 0 where nothing can be told of this thread now.
 */
uint64_t ifp_watch_begin(void);
void ifp_watch_end(uint64_t start, size_t bytes);
void ifp_watch_next(struct ifp_tls *tls); /* draws the next gap */

#pragma GCC visibility pop
