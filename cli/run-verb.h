/* SPDX-License-Identifier: MIT */
/*
 * A verb that shows one document about one run, and nothing else: its options, where the document
 * comes from, its two forms.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "cli/view.h"

/* What a view prints. */
struct page {
        struct view v;
        const json_t *document;
        size_t rows; /* of each table; 0: all */
        bool full;   /* stacks with all their frames */
};

struct run_verb {
        const char *name;   /* of the verb; its document is at /v1/runs/ID/name */
        const char *schema; /* of the document */
        const char *about;  /* lines of the help */
        /* Makes the document of a run file; errors are those of common/runfile.h. */
        int (*build)(json_t **ret, const char *file, char **ret_why);
        bool (*print)(const struct page *p);             /* false: no memory */
        void (*draw)(FILE *out, const json_t *document); /* as SVG; NULL: it is not drawn */
        bool has_rows, has_stacks;
        /* Unless rows are asked for, it is to be read without scrolling: tables have no less than
         * so many rows before parts of it are left out; 0: it is not. */
        size_t fits;
        bool (*is_empty)(const json_t *document); /* nothing can be drawn; NULL: it always can */
};

/* argv[0] is the verb. The exit code. */
int run_verb(const struct run_verb *verb, int argc, char **argv);

bool threads_print(const struct page *p);
bool waits_print(const struct page *p);
bool spawns_print(const struct page *p);
bool ledger_print(const struct page *p);
bool layers_print(const struct page *p);
void layers_draw(FILE *out, const json_t *document);
bool layers_is_empty(const json_t *document);
bool tokens_print(const struct page *p);
bool explain_print(const struct page *p);
