/* SPDX-License-Identifier: MIT */
/* One run as a side of a difference has it. Private to common/report-diff*.c. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct runfile;
struct runfile_process;
struct work;

/* What a row's times are of. */
enum diff_basis {
        DIFF_BY_TOKEN, /* decode steps, of a token; all threads */
        DIFF_BY_RUN,   /* the run; all threads */
        DIFF_N_BASES,
};

/* An op on one shape in one layer; `key` is what is the same in another run. */
struct diff_row {
        char *key, *op, *shape; /* shape NULL: none told */
        uint32_t layer;         /* + 1; 0: none told */
        const char *part;
        double calls, self_ns;
};

struct diff_rows {
        struct diff_row *at;
        size_t n, room;
        double whole_ns; /* that the rows are a part of; NaN: not known */
        json_t *typical; /* {op: ns}: its calls at what the quickest take; NULL: none known */
};

struct diff_run {
        char *file;
        char *identity;  /* of that run alone, wherever its file is; NULL: nothing tells */
        json_t *head;    /* as in the documents of the run: id, command, started_at ... */
        char *engine;    /* file name of the program that did most; NULL: not known */
        char *machine;   /* what tells machines apart; NULL: not known */
        const char *how; /* NULL: it came to a good end; else in words */
        uint64_t started_ns;
        double wall_ns;
        double tokens, token_ns; /* decoded, with the ledger or without; mean. NaN: none */
        double typical_ns;       /* of a token, likewise */
        bool has_ops;
        struct diff_rows rows[DIFF_N_BASES];
        double *series; /* time from token to token, in order */
        size_t n_series;
        json_t *figures;      /* [{group, name, unit, value}] */
        json_t *surroundings; /* {what: text} */
};
#define DIFF_BUILD_ID "program's build-id"

/* Errors are those of common/runfile.h. */
int diff_run_load(struct diff_run **ret, const char *path, char **ret_why);
struct diff_run *diff_run_free(struct diff_run *run);
/* Are they the same run, whatever their files? */
bool diff_run_is(const struct diff_run *run, const struct diff_run *other);

/* report-diff-rows.c */
int diff_rows_load(struct diff_run *run, struct work *w, char **ret_why);
/* What a call takes when it is left alone, by their histogram: the mean of the quickest tenth,
 * for what disturbs calls makes them longer. NaN: there is none. */
struct points;
double diff_quickest(const struct points *sorted);

void diff_rows_done(struct diff_rows *rows);

/* report-diff-figures.c */
int diff_figures_load(struct diff_run *run, struct runfile *rf, const struct work *w,
                      char **ret_why);

/* report-diff-surroundings.c. The process that did most; NULL: there is none. */
const struct runfile_process *diff_main_process(const struct work *w);
int diff_surroundings_load(struct diff_run *run, struct runfile *rf, const struct work *w);
