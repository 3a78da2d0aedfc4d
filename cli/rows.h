/* SPDX-License-Identifier: MIT */
/*
 * An array of a document as a table: one row an object, one column a member.
 */
#pragma once

#include <jansson.h>

#include "cli/table.h"
#include "cli/view.h"

enum rows_cell {
        ROWS_COUNT, /* "1,234"; negative, too */
        ROWS_BYTES,
        ROWS_SHARE,   /* of 0..1: "12.3%" */
        ROWS_PERCENT, /* of 0..1, without the sign: "12.3" */
        ROWS_TIME,    /* of ns */
        ROWS_NUMBER,  /* "0.25" "12.3k" */
        ROWS_FACTOR,  /* "1.23x" */
        ROWS_ID,      /* an integer as it is */
        ROWS_TEXT,
};

struct rows_column {
        struct table_column column;
        const char *member; /* "a.b": b of the object a */
        enum rows_cell kind;
        const char *otherwise; /* of a text that is null */
        bool if_any; /* left out, and not spoken of, where no row has more than null and 0 */
};

#define ROWS_MAX_COLUMNS 24

/* The first `n_rows` as a table. False: no memory. */
bool rows_print(const struct view *v, const json_t *rows, size_t n_rows,
                const struct rows_column *columns, size_t n);

#define ROWS_PRINT(v, rows, n_rows, columns)                                                       \
        rows_print(v, rows, n_rows, columns, sizeof(columns) / sizeof((columns)[0]))

/* A member, where "a.b" is b of the object a; NULL: there is none. And as a number, or NaN. */
const json_t *rows_member(const json_t *row, const char *path);
double rows_number(const json_t *row, const char *path);

/* The sum of a member over an array of objects, null left out; NaN where all are null. */
double rows_sum(const json_t *rows, const char *path);

/* A new array of the rows in descending order of a member, those equal as they were and those that
 * have it not at the end; NULL: no memory. */
json_t *rows_sorted(const json_t *rows, const char *path);
