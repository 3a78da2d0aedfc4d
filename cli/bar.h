/* SPDX-License-Identifier: MIT */
/*
 * Bars of text, of blocks or of ASCII where the locale has none. Each is exactly `width` cells; to
 * be freed; NULL: no memory.
 */
#pragma once

#include <jansson.h>

/* A share of 0..1; NaN: blank. What is there has at least a piece of a cell. */
char *bar_text(double share, unsigned width);

/* {running, runnable, waiting, other}: these after one another, each with a block of its own (full,
 * half, light, none). */
char *bar_split_text(const json_t *split, unsigned width);
