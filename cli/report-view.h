/* SPDX-License-Identifier: MIT */
/*
 * The report for people: a view of the document, with no figure that is not in it.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "cli/report-rows.h"

/* `rows` from report_rows() of the same document; `width` 0: no limit. False: no memory. */
bool report_print(const json_t *report, const json_t *rows, enum report_by by, unsigned width,
                  FILE *f);

/* Rows as RFC 4180: a line of names, then one line a row; times in ns, what is not known empty. */
void report_print_csv(const json_t *rows, enum report_by by, FILE *f);
