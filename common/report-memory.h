/* SPDX-License-Identifier: MIT */
/*
 * The document "infprof.memory/1" (doc/memory.schema.json): who allocates, what
 * stays, what it costs. Built from a run file and from nothing else, as the report is: by the
 * daemon for a live run, by the command for one that is over.
 *
 * Counts are exact. What stacks and categories say is estimated from samples; each estimate of
 * bytes has its standard error beside it. What is not known is null, never 0.
 */
#pragma once

#include <jansson.h>

struct categories;
struct runfile;

#define MEMORY_SCHEMA "infprof.memory/1"

enum {
        MEMORY_E_WINDOW = 16, /* no mark of that name, or the window ends before it begins: a bad
                                 request. Other errors are those of common/runfile.h */
};

struct memory_options {
        const struct categories *categories; /* NULL: those infprof comes with */
        /*
         * Only what happened between two marks, each the last of its name; NULL: the run's
         * beginning or end. What is cumulative is then a difference, and what is "in use" is how
         * much that grew, which may be less than nothing.
         */
        const char *from, *to;
};

/* `o` may be NULL. `ret_why` is one line, to be freed. */
int report_memory_new(json_t **ret, struct runfile *rf, const struct memory_options *o,
                      char **ret_why);
int report_memory_file(json_t **ret, const char *path, const struct memory_options *o,
                       char **ret_why);

/*
 * Gives the stacks of a document their categories anew, and sums them up in its "categories". So
 * other rules can be held against a document that somebody else built.
 */
int report_memory_categorize(json_t *memory, const struct categories *c);
