/* SPDX-License-Identifier: MIT */
/*
 * Counts that may be too large or not known, so that a sum of them says so at its end. An amount is
 * 0 to INT64_MAX, or AMOUNT_MANY for anything above, or AMOUNT_UNKNOWN. What is made with something
 * unknown is unknown; what is made with too much is too much.
 */
#pragma once

#include <stdint.h>

#define AMOUNT_MANY    ((uint64_t)1 << 63)
#define AMOUNT_UNKNOWN UINT64_MAX

static inline uint64_t amount_clamp(unsigned __int128 v)
{
        return v > AMOUNT_MANY ? AMOUNT_MANY : (uint64_t)v;
}

static inline uint64_t amount_add(uint64_t a, uint64_t b)
{
        if (a == AMOUNT_UNKNOWN || b == AMOUNT_UNKNOWN)
                return AMOUNT_UNKNOWN;
        return amount_clamp((unsigned __int128)a + b);
}

static inline uint64_t amount_mul(uint64_t a, uint64_t b)
{
        if (a == AMOUNT_UNKNOWN || b == AMOUNT_UNKNOWN)
                return AMOUNT_UNKNOWN;
        return amount_clamp((unsigned __int128)a * b);
}

static inline uint64_t amount_mul3(uint64_t a, uint64_t b, uint64_t c)
{
        return amount_mul(amount_mul(a, b), c);
}
