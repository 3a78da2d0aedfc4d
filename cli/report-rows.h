/* SPDX-License-Identifier: MIT */
/*
 * The rows of a report's table, taken out of the document: by op, by thread, by
 * phase or by shape; sorted and filtered. A row is an object with the members of an op,
 * and "phase", or "pid", "tid" and "thread", or "shape" before them.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

enum report_by {
        REPORT_BY_OP,
        REPORT_BY_THREAD,
        REPORT_BY_PHASE,
        REPORT_BY_SHAPE,
};

/* The member that a name such as "self", "median" or "p95_ns" stands for; NULL: none. */
const char *report_field(const char *name);

/* All names, for people: "calls, total, ...". */
const char *report_field_names(void);

/* Do shapes have that member, too? */
bool report_field_is_of_shapes(const char *member);

/* Does an op match the glob (its name or its kernel)? NULL matches all. */
bool report_matches(const json_t *op, const char *glob);

/*
 * A new array of rows; groups in the order of the document. Figures are sorted from the greatest
 * down, names from A on. What is not in any op is a row of its own (with "kind": null) unless
 * there is a filter; by phase there is none.
 */
json_t *report_rows(const json_t *report, enum report_by by, const char *field, const char *glob);

/* Sorts and filters report.ops in place. */
void report_arrange(json_t *report, const char *field, const char *glob);
