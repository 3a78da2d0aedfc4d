/* SPDX-License-Identifier: MIT */
/*
 * Two sides beside each other for people: a view of infprof.diff/1.
 */
#pragma once

#include <jansson.h>

#include "cli/view.h"

/* False: no memory. */
bool diff_print(const struct view *v, size_t rows, const json_t *document);

/* diff-rows-view.c: ops and rows finer than ops, and figures. Rows that are shown: as screen.h. */
bool diff_print_rows(const struct view *v, size_t rows, const json_t *document);
bool diff_print_figures(const struct view *v, size_t rows, const json_t *document);
