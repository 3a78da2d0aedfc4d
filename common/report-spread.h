/* SPDX-License-Identifier: MIT */
/*
 * How durations are spread: their count and sum, which are exact, and their quantiles, from
 * histograms. Private to common/report*.c.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "common/report-model.h"

struct spread {
        uint64_t count, total_ns;
        uint64_t min_ns, max_ns; /* UINT64_MAX, 0: not known */
        struct points points;
};

void spread_init(struct spread *s);
void spread_done(struct spread *s);

/* NULL: none. Of buckets of ns, ticks_per_second is 1000000000; 0: nothing follows from them. */
int spread_add_hist(struct spread *s, const uint64_t *hist, uint64_t ticks_per_second);
int spread_add(struct spread *to, const struct spread *s);

/*
 * Sorts the points, and finds the extremes where only the histogram can tell them. To be called
 * before the next two.
 */
void spread_settle(struct spread *s);

/* By nearest rank, within the extremes; UINT64_MAX: not known. Never decreases with q. */
uint64_t spread_quantile(const struct spread *s, double q);

/* {count, total_ns, mean_ns, min_ns, p50_ns, p95_ns, p99_ns, max_ns} */
void spread_put(json_t *o, const struct spread *s);
json_t *spread_build(const struct spread *s);
