/* SPDX-License-Identifier: MIT */
/*
 * Reading histograms of <infprof/hist.h>: quantiles, and the sparse form in
 * which they lie in a run file. A histogram is an array of IFP_HIST_BUCKETS counts.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <infprof/hist.h>

enum {
        HIST_E_MALFORMED = 1,
};

/* The value that stands for all values of bucket `index`. */
uint64_t hist_middle(uint32_t index);

/* Number of values counted. */
uint64_t hist_count(const uint64_t *buckets);

/*
 * The smallest value v such that at least the fraction `q` (0..1) of all
 * values is <= v (nearest rank): the middle of its bucket, kept within [min, max],
 * the true extremes. The histogram must not be empty. Quantiles of one histogram
 * never decrease with q.
 */
uint64_t hist_quantile(const uint64_t *buckets, double q, uint64_t min, uint64_t max);

/* The rank (1..n) that the quantile `q` of `n` values has: ceil(q * n), at least 1. */
uint64_t hist_rank(double q, uint64_t n);

/*
 * The sparse form: for each bucket that is not empty two varints (LEB128, at
 * most ten bytes): how many empty buckets were passed over since the last one,
 * and the count (>= 1). An empty histogram is zero bytes. `ret_blob` is to be freed.
 * Decoding takes any bytes; what is not exactly such a form, or counts more
 * than INT64_MAX values, is HIST_E_MALFORMED.
 */
int hist_encode(const uint64_t *buckets, uint8_t **ret_blob, size_t *ret_size);
int hist_decode(const void *blob, size_t size, uint64_t *ret_buckets);
