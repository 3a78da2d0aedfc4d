/* SPDX-License-Identifier: MIT */
/* What two sides are compared by, and what that says. Private to common/report-diff*.c. */
#pragma once

#include <jansson.h>

#include "common/report-diff-run.h"
#include "common/report-diff-sets.h"
#include "common/stats.h"

/* At this level a difference is said, after correction where there are many. */
#define DIFF_LEVEL 0.05

/* One value a run, of both sides. */
struct diff_values {
        double *a, *b;
        size_t n_a, n_b;
        bool known; /* of all runs */
};

typedef double (*diff_value_fn)(const struct diff_run *run, const void *userdata);
/* NaN: that run has none. To be done. */
int diff_values_of(struct diff_values *ret, const struct diff_set *a, const struct diff_set *b,
                   diff_value_fn fn, const void *userdata);
void diff_values_done(struct diff_values *v);

/* So few runs that even sides without a value in common would not differ at DIFF_LEVEL. */
bool diff_too_few(size_t n_a, size_t n_b);
/* The same where the better of two tests is taken, and its p doubled. */
bool diff_too_few_twice(size_t n_a, size_t n_b);

/*
 * {p, effect}; both null where there are too few. `ret_p`: NaN then. `also`: other values that tell
 * of the same, or NULL; what differs more clearly is told, its p twice as large for having
 * been chosen. With too few runs for that, `v` alone.
 */
int diff_put_test(json_t *o, const struct diff_values *v, const struct diff_values *also,
                  double *ret_p);

/*
 * Sets `verdict`, `because`, `first`, `measure`, `speedup`. `ret_basis`: what rows are to be of;
 * DIFF_N_BASES: neither side, or only one, has any.
 */
int diff_put_verdict(json_t *document, const struct diff_set *a, const struct diff_set *b,
                     enum diff_by by, enum diff_basis *ret_basis);

/* Which runs of a side have a whole that is far from that of the others (marked in `ret`, one a
 * run): they are in no mean. */
int diff_apart(const struct diff_set *set, enum diff_basis basis, bool *ret, size_t *ret_n);

/* report-diff-parts.c: sets `whole`, `ops`, `rows`. */
int diff_put_parts(json_t *document, const struct diff_set *a, const struct diff_set *b,
                   enum diff_basis basis);

/* report-diff-scalars.c: sets `figures`. */
int diff_put_figures(json_t *document, const struct diff_set *a, const struct diff_set *b);

/* --- between report-diff-verdict.c and report-diff-because.c --- */

struct verdict {
        const struct diff_set *a, *b;
        bool tokens;              /* by the time of a token; else by wall time */
        bool lacks_tokens;        /* which were asked for, and not all runs make them */
        struct diff_values of;    /* that time */
        struct diff_values quick; /* of a token, what the quickest of them take: known or not */
        const char *name;         /* of the time that is told */
        double ratio;             /* b / a */
        struct stats_interval interval;
        double p, effect;
        const char *by; /* "runs", "tokens"; NULL: nothing tells */
        int is;
};

json_t *diff_first(const struct verdict *v);
char *diff_because(const struct verdict *v); /* to be freed; NULL: no memory */
/* Two sides are of one machine where no run of one is of another than some run of the other. */
bool diff_other_machines(const struct diff_set *a, const struct diff_set *b);
/* report-diff-around.c: [{what, a, b}] of what differs; and what only the other side tells. */
json_t *diff_around(const struct diff_set *a, const struct diff_set *b);
void diff_note_unknown(json_t *notes, const struct diff_set *set, const struct diff_set *other,
                       const char *side);
/* report-diff-engines.c: are they of different engines, as far as that is known? */
bool diff_other_engine(const struct diff_run *p, const struct diff_run *q);
bool diff_other_engines(const struct diff_set *a, const struct diff_set *b); /* any of them */
double diff_median(const double *values, size_t n);
