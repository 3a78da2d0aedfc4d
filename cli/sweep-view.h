/* SPDX-License-Identifier: MIT */
/* infprof sweep, for people: views of infprof.sweep/1. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "cli/view.h"

/* To stdout; `rows` as screen_print() has it. False: no memory. */
bool sweep_print(const json_t *document, size_t rows);

/* A row for each configuration. False: no memory. */
bool sweep_print_table(const struct view *v, const json_t *document, size_t rows);

/* Throughput, latency, efficiency and overhead as bars, a line for each row. False: no memory. */
bool sweep_print_bars(const struct view *v, const json_t *document, size_t rows);

/* The plot as a picture. 0; -ENOMEM; 1: there is nothing to draw. */
int sweep_svg(FILE *out, const json_t *document);

/* The rows in the order in which they are shown, variants that are compared beside each other: a
 * new list; NULL: no memory. */
json_t *sweep_ordered(const json_t *document);

/* Parameters in the order in which they are shown, the compared one last: a new list. */
json_t *sweep_ordered_parameters(const json_t *document);

/* "threads=4 batch=2" of {name: value}; to be freed. */
char *sweep_values_text(const json_t *values);

/* A throughput with its unit, "512 tokens/s"; in buf[64]. */
const char *sweep_rate_text(char *buf, const json_t *document, double rate);

/* "443..536" of [low, high], "-" of null; in buf[64]. */
const char *sweep_range_text(char *buf, const json_t *interval);

/* The row of an index; NULL for null. */
const json_t *sweep_row_at(const json_t *document, const json_t *index);

/* Is it about variants? */
bool sweep_is_compared(const json_t *document);

/* Did no run of it succeed? */
bool sweep_is_failed(const json_t *row);
