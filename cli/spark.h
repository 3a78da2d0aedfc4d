/* SPDX-License-Identifier: MIT */
/*
 * Sparklines: a series of numbers as one line of blocks, or of ASCII where the locale has no
 * blocks.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

/* `series` (numbers, oldest first) in exactly `width` cells, newest to the right; to be freed. */
char *spark_text(const json_t *series, unsigned width);

/*
 * The same for what has a height, not only a course: from the least of the numbers, which gets the
 * lowest block, to the greatest. null is not known, and blank.
 */
char *spark_range_text(const json_t *series, unsigned width);
/* Which these are; false: no number is known. */
bool spark_range(const json_t *series, double *ret_least, double *ret_most);

/* The newest number; -1: none. */
double spark_last(const json_t *series);
