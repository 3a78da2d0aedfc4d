/* SPDX-License-Identifier: MIT */
/*
 * The document "infprof.diff/1" (doc/diff.schema.json) of two sides, each one run or several: what
 * B has beside A. Stacks and categories of memory are apart: report-diff-memory.h.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define DIFF_SCHEMA "infprof.diff/1"

struct diff_run;

struct diff_set {
        struct diff_run **at; /* in the order in which they were added */
        size_t n, room;
        json_t *left_out; /* [{file, why}] */
        json_t *trials;   /* names of what infprof ab wrote and was read already */
        size_t n_again;   /* runs that were named once more: each is there once */
};

int diff_set_init(struct diff_set *set);
void diff_set_done(struct diff_set *set);

/*
 * Reads a run file into the set. RUNFILE_E_*, with a line: it cannot be read. Where it is `many`
 * that are given, such a file is left out, which the document says, and the result is 0.
 */
int diff_set_add(struct diff_set *set, const char *path, bool many, char **ret_why);

/* The document says that it is left out, and why. */
void diff_set_leave_out(struct diff_set *set, const char *file, const char *why);

/* The run that was added last is of a file that has no name: it goes by this one. -ENOMEM, or 0. */
int diff_set_name(struct diff_set *set, const char *name);

/*
 * What infprof ab wrote of the runs of one side: wall times from outside, runs that failed, and
 * (with
 * --bare) runs that have no file. After the files that it speaks of. 0, or -EINVAL and a line.
 */
int diff_set_add_trials(struct diff_set *set, const char *path, char **ret_why);
#define DIFF_TRIALS        "trials.json"
#define DIFF_TRIALS_SCHEMA "infprof.trials/1"

/* Runs that failed are of no use beside others that did not: they are left out. */
void diff_set_settle(struct diff_set *set);

enum diff_by { DIFF_BY_ANY, DIFF_BY_TOKENS, DIFF_BY_WALL };

enum { DIFF_VERDICT_FASTER, DIFF_VERDICT_SLOWER, DIFF_VERDICT_NONE, DIFF_VERDICT_NOT_COMPARABLE };

/* Both sets have a run at least. 0 or -ENOMEM. */
int report_diff_sets(json_t **ret, const struct diff_set *a, const struct diff_set *b,
                     enum diff_by by);
