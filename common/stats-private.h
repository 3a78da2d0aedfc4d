/* SPDX-License-Identifier: MIT */
/* Between the files of common/stats.h only. */
#pragma once

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/stats.h"

/* Lots: Steele, Lea and Flood's SplitMix64 (2014). */
static inline uint64_t stats_draw(uint64_t *state)
{
        uint64_t z = *state += 0x9e3779b97f4a7c15u;

        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
}

/* 0 .. n - 1; n below 2^32 */
static inline size_t stats_draw_below(uint64_t *state, size_t n)
{
        return (size_t)(((stats_draw(state) >> 32) * (uint64_t)n) >> 32);
}

/* A sorted copy, to be freed; NULL: no memory. */
double *stats_sorted_copy(const double *values, size_t n);

/* The ranks of values, 1..n, ties by their mean; to be freed. `ret_ties`: the sum of t^3 - t. */
double *stats_ranks(const double *values, size_t n, double *ret_ties);

/* Correlation of neighbours, -1..1; 0 where they are all the same. */
double stats_neighbours(const double *series, size_t n);

/* How far from its mean a normal variate is with a probability of 1 - p on either side. */
double stats_normal_quantile(double p);

/* Student's t with that probability below it; freedom above 0, not necessarily whole. */
double stats_student_quantile(double p, double freedom);
