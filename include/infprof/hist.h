/* SPDX-License-Identifier: MIT */
/*
 * The log-linear histogram that shim, daemon and reports agree on.
 *
 * Values are clock ticks. Octave 0 holds 0..63, one bucket a value; octave k
 * holds [64 * 2^(k-1), 64 * 2^k) in 64 equal buckets. A bucket is therefore
 * at most 1/64 of its values wide, and its middle at most 1/128 (0.8 %) away
 * from any of them. (The scheme of HdrHistogram, with 64 sub-buckets.)
 */
#pragma once

#include <stdint.h>

#define IFP_HIST_SUB_BITS 6
#define IFP_HIST_SUB      (1u << IFP_HIST_SUB_BITS)
#define IFP_HIST_OCTAVES  43u /* up to 2^48 ticks; greater values count in the last bucket */
#define IFP_HIST_BUCKETS  (IFP_HIST_OCTAVES * IFP_HIST_SUB)

static inline uint32_t ifp_hist_index(uint64_t v)
{
        uint32_t e;

        if (v < IFP_HIST_SUB)
                return (uint32_t)v;
        if (v >> 48)
                return IFP_HIST_BUCKETS - 1;
        e = 63u - (uint32_t)__builtin_clzll(v);
        return ((e - IFP_HIST_SUB_BITS + 1) << IFP_HIST_SUB_BITS) |
               (uint32_t)((v >> (e - IFP_HIST_SUB_BITS)) & (IFP_HIST_SUB - 1));
}

/* Lowest value that falls into bucket `index`. */
static inline uint64_t ifp_hist_floor(uint32_t index)
{
        uint32_t octave = index >> IFP_HIST_SUB_BITS, sub = index & (IFP_HIST_SUB - 1);

        return octave ? (uint64_t)(IFP_HIST_SUB + sub) << (octave - 1) : sub;
}

/* Number of values that fall into bucket `index`. */
static inline uint64_t ifp_hist_width(uint32_t index)
{
        uint32_t octave = index >> IFP_HIST_SUB_BITS;

        return octave ? 1ull << (octave - 1) : 1;
}
