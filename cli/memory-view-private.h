/* SPDX-License-Identifier: MIT */
/*
 * The sections of the memory view. Each prints an empty line and a heading before it, or
 * nothing where there is nothing to say. False: no memory.
 */
#pragma once

#include "cli/memory-view.h"
#include "cli/view.h"

struct memory_view {
        struct view v;
        const json_t *document;
        const struct memory_view_options *o;
};

/* An empty line and a heading. */
__attribute__((format(printf, 2, 3))) void memory_heading(const struct memory_view *m,
                                                          const char *format, ...);

/* A line, wrapped. */
__attribute__((format(printf, 2, 3))) void memory_line(const struct memory_view *m,
                                                       const char *format, ...);

/* " in phase decode", in buf[32], where the document was restricted to one; else "". */
const char *memory_in_phase(char *buf, const struct memory_view *m);

/* How many of `n` rows are shown. */
size_t memory_shown(const struct memory_view *m, size_t n);
/* "(7 more; -n 0 shows all)" where not all are. */
void memory_say_more(const struct memory_view *m, size_t n);

/* memory-stacks.c */
bool memory_print_stacks(const struct memory_view *m);
bool memory_print_leaks(const struct memory_view *m);

/* memory-tables.c */
bool memory_print_phases(const struct memory_view *m);
bool memory_print_categories(const struct memory_view *m);
bool memory_print_sizes(const struct memory_view *m);
bool memory_print_ops(const struct memory_view *m);
bool memory_print_threads(const struct memory_view *m);
bool memory_print_files(const struct memory_view *m);
bool memory_print_marks(const struct memory_view *m);

/* memory-outside.c: how it moved, the allocator, the process seen from outside */
bool memory_print_timeline(const struct memory_view *m);
bool memory_print_allocator(const struct memory_view *m);
bool memory_print_outside(const struct memory_view *m);
