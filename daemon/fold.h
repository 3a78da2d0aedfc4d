/* SPDX-License-Identifier: MIT */
/* Blocks of the pool: distributions of spans that found their ring full, of waits, of spawns. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/segment.h"

struct fold {
        uint64_t count, min, max; /* ticks; UINT64_MAX, 0: nothing */
        double sumsq; /* estimated from the buckets, such that it agrees with the exact sum */
};

/*
 * Adds what the block of this number (index + 1; 0: none) has to `buckets`
 * (IFP_HIST_BUCKETS counts, may be NULL) and to `f`. Blocks are cumulative:
 * each reading shows all of it. SEGMENT_E_BAD: it points outside.
 */
int fold_block(const struct segment *s, uint32_t index, uint64_t *buckets, struct fold *f,
               const char **ret_why);

/* Does the number of a block (index + 1) point into the pool? 0 does: there is none. */
bool fold_is_there(const struct segment *s, uint32_t index);

/* The same of what `lane` has folded of one op and phase. */
int fold_read(const struct segment *s, const struct ifp_lane *lane, uint32_t op, uint32_t phase,
              uint64_t *buckets, struct fold *f, const char **ret_why);
