/* SPDX-License-Identifier: MIT */
/*
 * Where the verbs about memory have their document from: infprof.memory/1 of a run, from its file
 * or, while it goes on, from the daemon.
 */
#pragma once

#include <jansson.h>

struct categories;

struct memory_request {
        const char *run;                     /* as for run_find_report(); NULL: the latest */
        const char *from, *to;               /* names of marks; NULL: from the start, to the end */
        const struct categories *categories; /* NULL: the built-in ones */
};

/* 0, or the exit code after one line on stderr; `verb` is for that line. */
int memory_source_get(const char *verb, const struct memory_request *request, json_t **ret);

/* Says on one line why a document without stacks has none. */
void memory_source_no_stacks(const char *verb, const json_t *document);
