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
