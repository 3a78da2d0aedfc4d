/* SPDX-License-Identifier: MIT */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "cli/view.h"

/* Totals. */
void report_print_head(const struct view *v, const json_t *report);

/* Of a report; `rows` of them, 0: all. False: no memory. */
bool report_print_threads(const struct view *v, const json_t *report, size_t rows);
bool report_print_spawns(const struct view *v, const json_t *spawns, size_t rows);

/* What the engine told of itself: requests in a line of the head; markers' memory and counters;
 * tiles. */
void report_print_requests(const struct view *v, const json_t *requests);
bool report_print_told(const struct view *v, const json_t *report, size_t rows);
bool report_print_tiles(const struct view *v, const json_t *report);
