/* SPDX-License-Identifier: MIT */
/*
 * The segment's hashed tables (stacks, waits): entries are handed out in order, filled, and then
 * linked in. No lock, as for all that a signal handler may interrupt; two threads that bring the
 * same thing at the same instant make two entries, which the report adds up.
 */
#pragma once

#include "preload/shim.h"

#pragma GCC visibility push(hidden)

static inline uint64_t ifp_mix(uint64_t h, uint64_t v)
{
        h = (h ^ v) * 0x9fb21c651e98df25ull;
        return h ^ h >> 32;
}

/* The next `n` of a table that holds `max`; false: there are none. */
static inline bool ifp_reserve(uint32_t *used, uint32_t n, uint32_t max, uint32_t *ret)
{
        uint32_t at = __atomic_load_n(used, __ATOMIC_RELAXED);

        do {
                if (at + n > max)
                        return false;
        } while (!__atomic_compare_exchange_n(used, &at, at + n, false, __ATOMIC_RELAXED,
                                              __ATOMIC_RELAXED));
        *ret = at;
        return true;
}

static inline void ifp_link_in(uint32_t *bucket, uint32_t *next, uint32_t index)
{
        uint32_t first = __atomic_load_n(bucket, __ATOMIC_RELAXED);

        do
                *next = first;
        while (!__atomic_compare_exchange_n(bucket, &first, index, false, __ATOMIC_RELEASE,
                                            __ATOMIC_RELAXED));
}

#pragma GCC visibility pop
