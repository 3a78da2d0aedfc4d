/* SPDX-License-Identifier: MIT */
/*
 * Statistics of a series as JSON, the same in every document that has them (`performance_stats` in
 * doc/bench.schema.json). Figures are in the unit of the values; what is not known is null.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "common/stats.h"

/*
 * Of a series in the order in which it was measured: {count, min, max, mean, median, p95, p99,
 * stddev, intervals: {level, block, mean: {low, high}, median, p95, p99, stddev}}. intervals is
 * null where there are too few values; all figures are, where there is none; those of p95 and p99
 * are where no value need be above them (fewer than 72, 368 values at 95 %). NULL: no memory.
 */
json_t *stats_json(const double *series, size_t n, double level, uint64_t seed);

/* {low, high}; null where it is not known. */
json_t *stats_json_interval(struct stats_interval i);

/* A number, null where it is not finite. */
json_t *stats_json_number(double v);

/* {n_a, n_b, p, effect, shift, shift_interval, ratio, ratio_interval}: two sets beside each other.
 */
json_t *stats_json_difference(const struct stats_difference *d, size_t n_a, size_t n_b);
