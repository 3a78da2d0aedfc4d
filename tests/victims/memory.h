/* SPDX-License-Identifier: MIT */
/* libmemory.so: kernels that allocate, and say what they did. */
#pragma once

#include <malloc.h>
#include <stddef.h>

struct memory_truth {
        long long calls, asked, usable, frees, freed, failed;
};

#ifdef __cplusplus
extern "C" {
#endif
#define EACH_MEMORY(X)                                                                             \
        X(k_malloc)                                                                                \
        X(k_calloc)                                                                                \
        X(k_realloc)                                                                               \
        X(k_reallocarray)                                                                          \
        X(k_aligned)                                                                               \
        X(k_paged)                                                                                 \
        X(k_failing)                                                                               \
        X(k_nested)                                                                                \
        X(k_strdup)
#define X(name) void name(struct memory_truth *t, long n);
EACH_MEMORY(X)
#undef X
void k_new(struct memory_truth *t, long n);
void *k_give(struct memory_truth *t, size_t bytes);
void k_take(struct memory_truth *t, void *block);

static inline void *got(struct memory_truth *t, void *p, size_t asked)
{
        if (p) {
                t->calls++;
                t->asked += (long long)asked;
                t->usable += (long long)malloc_usable_size(p);
        } else {
                t->failed++;
        }
        return p;
}

static inline void *gone(struct memory_truth *t, void *p)
{
        if (p) {
                t->frees++;
                t->freed += (long long)malloc_usable_size(p);
        }
        return p;
}
#ifdef __cplusplus
}
#endif
