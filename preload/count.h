/* SPDX-License-Identifier: MIT */
/*
 * Counting what the malloc family does, for all that stand in front of it. Safe
 * at any time, also in signal handlers and where there is no lane yet.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

/* A block was asked for and came (`usable` bytes of it), or did not (`p` NULL). May sample it. */
void ifp_count_alloc(const void *p, size_t asked, uint64_t usable);

/* A block is about to be given back: before it is, since it may be somebody else's a moment later.
 */
void ifp_count_free(const void *p, uint64_t usable);

/* What is usable of a block whose allocator does not say it yet (own-tcmalloc.c). */
uint64_t ifp_own_unsaid(size_t asked);

#pragma GCC visibility pop
