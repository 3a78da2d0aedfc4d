/* SPDX-License-Identifier: MIT */
/*
 * Statistics of measured values: what a benchmark tells of them, and whether two sets differ.
 *
 * Values are of one unit, whichever it is; all must be finite. Orders are those in which they were
 * measured wherever "series" is said: neighbours may depend on each other there. What draws lots
 * draws the same ones for the same seed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        STATS_E_FEW = 1, /* too few values to answer */
};

/* A confidence interval; NaN on both sides: not known. */
struct stats_interval {
        double low, high;
};

struct stats_summary {
        size_t n;
        double min, max, mean, median, p95, p99;
        double stddev; /* of the sample: n - 1; NaN for one value */
};

/* n is at least 1. Ascending order is made of a copy. -ENOMEM. */
int stats_summarise(struct stats_summary *ret, const double *values, size_t n);

/* `sorted` ascends, n >= 1, q in 0..1. Linear between ranks (Hyndman and Fan's type 7). */
double stats_quantile(const double *sorted, size_t n, double q);

void stats_sort(double *values, size_t n);

/* --- how well a series knows its figures --- */

/*
 * Length of the blocks for stats_bootstrap(): the automatic choice of Politis and White (2004, with
 * the correction of Patton, Politis and White 2009) for the stationary bootstrap; 1..n.
 */
double stats_block_length(const double *series, size_t n);

/* A figure of n values in any order (it may reorder them); must be finite. */
typedef double (*stats_figure)(double *values, size_t n, void *userdata);

/*
 * Confidence interval of `figure` (level: 0.95) by the stationary block bootstrap (Politis and
 * Romano 1994) with blocks of mean length `block` (0: stats_block_length() of the ranks), stretched
 * by what short and dependent series are known to fall short of. STATS_E_FEW: fewer than 5 values,
 * or -ENOMEM.
 */
int stats_bootstrap(struct stats_interval *ret, const double *series, size_t n, stats_figure figure,
                    void *userdata, double level, double block, uint64_t seed);

/* The same for mean, median, p95, p99 and standard deviation at once, of the same resamples. */
struct stats_intervals {
        struct stats_interval mean, median, p95, p99, stddev;
        double block; /* what was used */
};
int stats_intervals(struct stats_intervals *ret, const double *series, size_t n, double level,
                    uint64_t seed);

/*
 * Where a series settles: the number of values at its beginning that are of another level than the
 * rest (0: none). A change point by ranks (after Pettitt 1979) within the first half, believed at
 * p < 0.01 and where the medians differ by more than `least` (a fraction of the later one); or up
 * to five first values above all later ones, and far from them.
 */
size_t stats_warmup(const double *series, size_t n, double least);

/*
 * Values far from the rest: further than `k` (3.5) scaled median absolute deviations from the
 * median (Iglewicz and Hoaglin 1993). Marks them in `ret` (n, or NULL); the number.
 */
size_t stats_outliers(const double *values, size_t n, double k, bool *ret);

/* --- do two sets differ --- */

struct stats_difference {
        double p;      /* two-sided, Mann-Whitney; exact without ties and up to 50 values a side,
                          else normal with correction for ties and continuity */
        double effect; /* Cliff's delta, -1..1: positive where b tends to be larger */
        double shift;  /* Hodges-Lehmann: median of all b - a */
        struct stats_interval shift_interval; /* 95 %, by the ranks of the test */
        double ratio;                         /* median of all b / a; NaN unless all are > 0 */
        struct stats_interval ratio_interval;
};

/* STATS_E_FEW: a side is empty. -ENOMEM. */
int stats_compare(struct stats_difference *ret, const double *a, size_t n_a, const double *b,
                  size_t n_b);

/*
 * Which of n tests stand at a false discovery rate `q` (Benjamini and Hochberg 1995).
 * `ret_adjusted` (n) takes the adjusted p values; NaN p values are left out and stay NaN.
 */
int stats_false_discovery(const double *p, size_t n, double *ret_adjusted);
