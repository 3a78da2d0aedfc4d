/* SPDX-License-Identifier: MIT */
/*
 * The tabs of infprof top, and the tables on them. A tab has one table, or several
 * that are looked at in turn. What a tab or a table is stands in top-tabs.c and nowhere else.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum top_tab {
        TOP_OPS,
        TOP_THREADS,
        TOP_SPAWNS,
        TOP_MEMORY,
        TOP_WAITS,
        TOP_LEDGER,
        TOP_N_TABS,
};

enum top_table {
        TOP_TABLE_OPS,
        TOP_TABLE_THREADS,
        TOP_TABLE_SPAWNS,
        TOP_TABLE_MEMORY_OPS,
        TOP_TABLE_MEMORY_PHASES,
        TOP_TABLE_MEMORY_SITES,
        TOP_TABLE_WAIT_OBJECTS,
        TOP_TABLE_WAIT_SITES,
        TOP_TABLE_WAIT_NOW,
        TOP_TABLE_WAIT_KINDS,
        TOP_TABLE_LEDGER_ROWS,
        TOP_TABLE_LEDGER_SLOW,
        TOP_N_TABLES,
};

enum top_cell {
        TOP_CELL_TEXT,   /* to the left; all others to the right */
        TOP_CELL_SCOPED, /* text that may lose scopes: the end of a::b::c says most */
        TOP_CELL_DURATION,
        TOP_CELL_COUNT,
        TOP_CELL_BYTES,
        TOP_CELL_SHARE,
        TOP_CELL_ID, /* an integer as it is */
        TOP_CELL_HEX,
        TOP_CELL_SPARK,
        TOP_CELL_BAR,   /* of a share */
        TOP_CELL_SPLIT, /* running, runnable and waiting as one bar, of an object of shares */
};

#define TOP_MAX_COLUMNS 16

struct top_column {
        const char *title;
        const char *member; /* of the row's object; "a.b": b of the object a */
        enum top_cell cell;
        unsigned width, max_width; /* cells; it grows up to max_width where there is room */
        unsigned rank;             /* where there is none, the highest rank is left out first */
};

struct top_table_kind {
        const char *name;             /* among the tables of its tab; NULL: it is the only one */
        const char *member, *part_of; /* the array in the document; part_of: in which object */
        const struct top_column *columns;
        size_t n_columns;
        unsigned sort;        /* the column at the beginning */
        const char *tie[2];   /* members that decide between equals, before the name; NULL: none */
        const char *split;    /* the array in a row that `t` shows; NULL: there is none */
        const char *split_by; /* what that is */
        const char *filtered; /* NULL: no filter; else the members looked at, with blanks between */
        const char *empty;
};

struct top_tab_kind {
        const char *name;
        enum top_table first;
        unsigned n;
};

extern const struct top_table_kind top_tables[TOP_N_TABLES];
extern const struct top_tab_kind top_tabs[TOP_N_TABS];
