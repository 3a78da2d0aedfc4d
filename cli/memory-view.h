/* SPDX-License-Identifier: MIT */
/*
 * The memory document for people: a view of infprof.memory/1, with no figure that is not in
 * it.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "cli/memory-rows.h"

enum memory_section {
        MEMORY_TOTALS,
        MEMORY_TIMELINE,
        MEMORY_STACKS,
        MEMORY_CATEGORIES,
        MEMORY_SIZES,
        MEMORY_OPS,
        MEMORY_THREADS,
        MEMORY_LEAKS,
        MEMORY_ALLOCATOR,
        MEMORY_OUTSIDE,
        MEMORY_FILES,
        MEMORY_MARKS,
        MEMORY_NOTES,
        MEMORY_N_SECTIONS,
};

extern const char *const memory_section_names[MEMORY_N_SECTIONS];

struct memory_view_options {
        enum memory_by by;
        size_t rows;       /* of stacks, and of each table; 0: all */
        bool full;         /* stacks with all their frames */
        const char *phase; /* the document was restricted to; NULL: to none */
        unsigned sections; /* a bit each, 1 << MEMORY_TOTALS ... */
        unsigned width;    /* columns; 0: no limit */
};

/* False: no memory. */
bool memory_print(const json_t *document, const struct memory_view_options *o, FILE *f);
