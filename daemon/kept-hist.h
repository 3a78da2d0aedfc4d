/* SPDX-License-Identifier: MIT */
/* Histograms in blocks of the pool, and when there is no segment any more. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fold;
struct process;

/* A histogram and its extremes, kept when there is no segment any more to read it from. */
struct kept_hist {
        uint8_t *blob; /* as hist_encode has it; NULL: none */
        size_t bytes;
        uint64_t min, max;
};

/* The histogram behind a block of the pool (its number is at `fold`; NULL once the segment is
 * gone), or as it was kept. `buckets` is zeroed first; false: there is none. */
bool kept_hist_read(const struct process *p, const uint32_t *fold, const struct kept_hist *kept,
                    uint64_t *buckets, struct fold *ret);

/* The segment is about to go. 0 or -ENOMEM. */
int kept_hist_keep(const struct process *p, const uint32_t *fold, struct kept_hist *ret);
void kept_hist_done(struct kept_hist *h);
