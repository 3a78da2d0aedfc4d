/* SPDX-License-Identifier: MIT */
/*
 * Sparklines: a series of numbers as one line of blocks, or of ASCII where the locale has no
 * blocks.
 */
#pragma once

#include <jansson.h>

/* `series` (numbers, oldest first) in exactly `width` cells, newest to the right; to be freed. */
char *spark_text(const json_t *series, unsigned width);

/* The newest number; -1: none. */
double spark_last(const json_t *series);
