/* SPDX-License-Identifier: MIT */
/*
 * A view of one infprof.top/1 document: which of its tables, in which order,
 * filtered by what, with which ops split by thread. It turns into lines of text;
 * the live screen and the plain form print the same ones.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum top_tab {
        TOP_OPS,
        TOP_THREADS,
        TOP_SPAWNS,
        TOP_N_TABS,
};

enum top_cell {
        TOP_CELL_TEXT, /* to the left; all others to the right */
        TOP_CELL_DURATION,
        TOP_CELL_COUNT,
        TOP_CELL_BYTES,
        TOP_CELL_SHARE,
        TOP_CELL_ID, /* an integer as it is */
        TOP_CELL_HEX,
        TOP_CELL_SPARK,
};

#define TOP_MAX_COLUMNS 12

struct top_column {
        const char *title;
        const char *member; /* of the row's object */
        enum top_cell cell;
        unsigned width, max_width; /* cells; it grows up to max_width where there is room */
        unsigned rank;             /* where there is none, the highest rank is left out first */
};

struct top_row {
        const json_t *item;
        const json_t *op; /* `item` is this op's share on one thread; NULL: a row of its own */
};

struct top_view {
        json_t *document; /* owned; NULL: none yet */
        enum top_tab tab;
        unsigned sort[TOP_N_TABS];
        bool reverse[TOP_N_TABS];
        char filter[128];
        char **split; /* names of the ops split by thread */
        size_t n_split;
        struct top_row *rows;
        size_t n_rows;
};

void top_view_init(struct top_view *v);
void top_view_done(struct top_view *v);

/* Takes the document over; the rows go. */
void top_view_set(struct top_view *v, json_t *document);

/* Brings the rows up to date with document, order, filter and splits. */
int top_view_update(struct top_view *v);

/* Splits the op by thread, or joins it again. */
int top_view_toggle_split(struct top_view *v, const char *op);

const char *top_tab_name(enum top_tab tab);
size_t top_tab_size(const struct top_view *v, enum top_tab tab);
const struct top_column *top_columns(enum top_tab tab, size_t *ret_n);

/* The column of that title (upper or lower case), or -1. */
int top_find_column(enum top_tab tab, const char *title);

/* Widths of the columns on a screen of `width` cells; 0: left out. UINT_MAX: whatever is needed. */
void top_layout(const struct top_view *v, unsigned width, unsigned ret_widths[TOP_MAX_COLUMNS]);

/* One cell, padded to `width`, or just one heading; to be freed. NULL: no memory. */
char *top_cell_text(const struct top_row *row, const struct top_column *column, unsigned width);
char *top_heading_text(const struct top_column *column, unsigned width);

/* What stands above the table, as pieces to be laid out in lines; each to be freed. */
#define TOP_MAX_PIECES 16
size_t top_pieces(const struct top_view *v, char *ret_pieces[TOP_MAX_PIECES]);

/* How the engine ended, or NULL while it lives; in buf[TEXT_END]. */
const char *top_end(const struct top_view *v, char *buf);

/* The plain form. */
void top_print(const struct top_view *v);
