/* SPDX-License-Identifier: MIT */
/*
 * The document "infprof.diff-memory/1" (doc/diff-memory.schema.json): what run B has beside run A,
 * of memory. Figures are {a, b, delta, ratio}: delta is b - a, ratio b / a; null where one of the
 * two is not known, the ratio also where a is 0. Where they are estimates, they have the standard
 * error of delta beside them, and whether it is more than that can explain.
 */
#pragma once

#include <jansson.h>

#define DIFF_MEMORY_SCHEMA "infprof.diff-memory/1"

enum {
        DIFF_E_FOREIGN = 1, /* one of the two is no document "infprof.memory/1" */
};

/* Of two documents infprof.memory/1. `ret_why` is one line, to be freed. */
int report_diff_memory(json_t **ret, const json_t *a, const json_t *b, char **ret_why);
