/* SPDX-License-Identifier: MIT */
/* Structs of nothing but uint64_t, all of it sums: word by word. `bytes`: of either. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline void words_add(void *to, const void *from, size_t bytes)
{
        uint64_t *x = to;
        const uint64_t *y = from;

        for (size_t i = 0; i < bytes / sizeof(*x); i++)
                x[i] += y[i];
}

/* now - before; false: a word runs backwards, and is 0. */
static inline bool words_subtract(void *ret, const void *now, const void *before, size_t bytes)
{
        uint64_t *to = ret;
        const uint64_t *x = now, *y = before;
        bool forward = true;

        for (size_t i = 0; i < bytes / sizeof(*to); i++) {
                forward &= x[i] >= y[i];
                to[i] = x[i] >= y[i] ? x[i] - y[i] : 0;
        }
        return forward;
}

/* Is a word less than it was? */
static inline bool words_run_back(const void *now, const void *before, size_t bytes)
{
        const uint64_t *x = now, *y = before;
        bool back = false;

        for (size_t i = 0; i < bytes / sizeof(*x); i++)
                back |= x[i] < y[i];
        return back;
}
