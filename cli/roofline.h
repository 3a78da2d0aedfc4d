/* SPDX-License-Identifier: MIT */
/* infprof roofline: what its parts know of each other. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "cli/view.h"
#include "common/ceilings.h"

enum roofline_by { ROOFLINE_BY_SHAPE, ROOFLINE_BY_OP, ROOFLINE_BY_PHASE };

struct roofline_view {
        struct view v; /* of what is printed now */
        const json_t *document;
        json_t *rows;      /* to be shown, with `mark`: a letter that stands for it in the plot */
        size_t n_most;     /* rows of each table, as screen_print() has it */
        const char *phase; /* that rows are of; NULL: all */
        bool levels, cache;
        enum roofline_by by;
};

/* The rows of a document in one phase (NULL: all), put together; NULL: no memory. */
json_t *roofline_rows(const json_t *document, enum roofline_by by, const char *phase);

/* A new row with what tells a row from others: "op_text", phase, threads and GFLOP/s. */
json_t *roofline_named(const json_t *row);

/* False: no memory. */
bool roofline_print(const struct roofline_view *r);
bool roofline_print_levels(const struct roofline_view *r);
bool roofline_print_cache(const struct roofline_view *r);

/* What is drawn, in the terminal or as a picture: both axes are logarithms to the base of 10. */
struct roofline_frame {
        struct ceilings ceilings;
        bool types[CEILING_N_TYPES]; /* of multiply-adds, that rows are made of */
        double threads; /* that ceilings are drawn for: at which most of the time was spent */
        double x_least, x_most, y_least, y_most;
        size_t n_drawn, n_not; /* rows: not: no intensity, or no rate */
};

void roofline_frame(struct roofline_frame *ret, const json_t *document, const json_t *rows);
/* False: it has no place in the picture. */
bool roofline_place(const json_t *row, double *ret_x, double *ret_y);

/* 10 to that power, briefly, in buf[TEXT_CELL]. */
const char *roofline_power(char *buf, int decade);

/* Nothing where no row can be drawn; the first `n_most` rows (0: all) with their letters, in
 * `height` lines and three for the axes. */
bool roofline_plot(const struct view *v, const json_t *document, const json_t *rows, size_t n_most,
                   unsigned height);
int roofline_svg(FILE *out, const json_t *document, const json_t *rows);
