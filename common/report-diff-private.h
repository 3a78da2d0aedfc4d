/* SPDX-License-Identifier: MIT */
/* Rows and figures of two documents beside each other. Private to common/report-diff*.c. */
#pragma once

#include <jansson.h>

#define DIFF_MAX_MEMBERS 8

/* One kind of row. */
struct diff_kind {
        const char *rows; /* the member of the document that holds them */
        /* Figures of a row. One that has NAME_stderr beside it is an estimate. */
        const char *members[DIFF_MAX_MEMBERS + 1];
        const char *copied[5]; /* what a row is called by, from the first document that has it */
        char *(*key)(const json_t *row); /* what is the same in both; to be freed */
        /* Sorted by how much this differs, then that; NULL: by from_bytes */
        const char *order, *order2;
};

/* A figure of an object; NaN: not known. */
double diff_member(const json_t *o, const char *key);

/* {a, b, delta, ratio}; of an estimate also {stderr, significant}, from the variance of delta. NaN:
 * not known. */
json_t *diff_cell(double a, double b);
json_t *diff_estimate(double a, double b, double variance);

/* {KEY: cell} of two objects, either of which may be null. */
void diff_put_cells(json_t *to, const json_t *a, const json_t *b, const char *const *keys);

/* Puts the rows of two documents under their name. */
int diff_put_rows(json_t *to, const struct diff_kind *kind, const json_t *a, const json_t *b);
