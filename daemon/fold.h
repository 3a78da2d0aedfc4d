/* SPDX-License-Identifier: MIT */
/* Fold tables: distributions of the spans that found their ring full. */
#pragma once

#include <stdint.h>

#include "daemon/segment.h"

struct fold {
        uint64_t count, min, max; /* ticks; UINT64_MAX, 0: nothing */
        double sumsq; /* estimated from the buckets, such that it agrees with the exact sum */
};

/*
 * Adds what `lane` has folded of one op and phase to `buckets`
 * (IFP_HIST_BUCKETS counts, may be NULL) and to `f`. The table is cumulative:
 * each reading shows all of it. SEGMENT_E_BAD: it points outside.
 */
int fold_read(const struct segment *s, const struct ifp_lane *lane, uint32_t op, uint32_t phase,
              uint64_t *buckets, struct fold *f, const char **ret_why);
