/* SPDX-License-Identifier: MIT */
/*
 * Tables of text: columns as wide as what is in them, figures to the right.
 * On a terminal that is too narrow the flexible column is cut, then columns are
 * left out, and what was left out is said below. Cells are cleaned of control characters.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct table_column {
        const char *title;
        bool right;      /* a figure */
        bool flexible;   /* may be cut; one column at most, best the last */
        unsigned expend; /* 0: always shown; else the greatest is left out first */
        /* how to cut it, where that is not at its end: as text_clean() */
        char *(*cut)(const char *s, unsigned cells);
        unsigned narrow; /* of a flexible one: that wide before others are left out; 0: as usual */
};

struct table;

/* `columns` must outlive the table. NULL: no memory. */
struct table *table_new(const struct table_column *columns, size_t n_columns);
struct table *table_free(struct table *t);

/* One row of n_columns cells, copied; NULL is an empty cell. Without memory the row is missing, and
 * table_print() says so by its result. */
void table_add(struct table *t, const char *const *cells);

/* Lines of at most `width` columns; 0: as long as they come. False: there was no memory. */
bool table_print(struct table *t, FILE *f, unsigned width);

/* The same; columns that were left out are not said, but added to *n_left_out. */
bool table_print_counted(struct table *t, FILE *f, unsigned width, unsigned *n_left_out);

/* Words of `text` in lines of at most `width` columns (0: one line), the first after `label`,
 * all others below where it ends. */
void table_wrap(FILE *f, const char *label, const char *text, unsigned width);

/* Columns of the terminal on stdout; 0: it is none, and names stay as they are from here on, also
 * where the locale has no UTF-8. */
unsigned table_output_width(void);

/* Lines that find room there, the prompt below them; where it is none, as many as are usual. */
unsigned table_output_lines(void);
