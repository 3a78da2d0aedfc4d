/* SPDX-License-Identifier: MIT */
/*
 * A view of one infprof.top/1 document: which of its tables, in which order,
 * filtered by what, with which rows split. It turns into lines of text;
 * the live screen and the plain form print the same ones.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "cli/top-tabs.h"

struct top_row {
        const json_t *item;
        const json_t *whole; /* `item` is a part of this row: an op's share on one thread, in one
                                phase; NULL: a row of its own */
};

struct top_view {
        json_t *document; /* owned; NULL: none yet */
        bool worded;      /* it has the texts of top_words_add() */
        enum top_tab tab;
        enum top_table tables[TOP_N_TABS]; /* the one that each tab shows */
        unsigned sort[TOP_N_TABLES];
        bool reverse[TOP_N_TABLES];
        char filter[128];
        struct top_split {
                enum top_table table;
                char *name;
        } * split; /* rows that are shown with their parts */
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

/* Splits the row of that name in the table that is shown, or joins it again. */
int top_view_toggle_split(struct top_view *v, const char *name);

/* Adds, for the tables, members that say in a text what the document has as objects: what a thread
 * waits for, for whom. */
void top_words_add(json_t *document);

/* The table that is shown, and what kind it is. */
static inline enum top_table top_table(const struct top_view *v)
{
        return v->tables[v->tab];
}

static inline const struct top_table_kind *top_kind(const struct top_view *v)
{
        return &top_tables[top_table(v)];
}

/* Its rows in the document. */
size_t top_table_size(const struct top_view *v, enum top_table table);

/* The column of that title (upper or lower case), or -1. */
int top_find_column(enum top_table table, const char *title);

/* Widths of the columns on a screen of `width` cells; 0: left out. UINT_MAX: whatever is needed. */
void top_layout(const struct top_view *v, unsigned width, unsigned ret_widths[TOP_MAX_COLUMNS]);

/* One cell, padded to `width`, or just one heading; to be freed. NULL: no memory. */
char *top_cell_text(const struct top_row *row, const struct top_column *column, unsigned width);
char *top_heading_text(const struct top_column *column, unsigned width);

/* What stands above the table, as pieces to be laid out in lines; each to be freed. */
#define TOP_MAX_PIECES 16
size_t top_pieces(const struct top_view *v, char *ret_pieces[TOP_MAX_PIECES]);

/* The course of the last minute where the tab has one, `width` cells; to be freed; NULL: none. */
char *top_course(const struct top_view *v, unsigned width);

/* How the engine ended, or NULL while it lives; in buf[TEXT_END]. */
const char *top_end(const struct top_view *v, char *buf);

/* The plain form: all the tables of the tab. */
void top_print(struct top_view *v);
