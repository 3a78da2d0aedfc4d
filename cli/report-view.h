/* SPDX-License-Identifier: MIT */
/*
 * The report for people: a view of the document, with no figure that is not in it.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "cli/report-rows.h"
#include "cli/view.h"

/* `rows` from report_rows() of the same document; `n_rows` of each table are shown, as
 * screen_print() has it. False: no memory. */
bool report_print(const struct view *v, const json_t *report, const json_t *rows, enum report_by by,
                  size_t n_rows);

/* Its tiles, and nothing else. */
bool report_print_only_tiles(const struct view *v, const json_t *report);

/* Rows as RFC 4180: a line of names, then one line a row; times in ns, what is not known empty. */
void report_print_csv(const json_t *rows, enum report_by by, FILE *f);
