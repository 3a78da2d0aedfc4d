/* SPDX-License-Identifier: MIT */
/*
 * What the builders of the document share. Private to common/report*.c.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/report-model.h"
#include "common/report-roof.h"
#include "common/report-shapes.h"
#include "common/report-told.h"

struct report {
        struct model model;
        struct report_shapes shapes;
        struct report_roof roof;
        struct report_told told;
        struct {
                uint64_t spans, folded, lost, left, open, untimed, unseen, fold_refused;
                uint64_t stubs_refused, ops_refused, lanes_retaken, segment_bytes;
                double overhead_ns;
                struct runfile_alloc alloc;
        } totals;
        struct runfile_alloc none_alloc;
        bool in_ops_known;
        uint64_t in_ops_ns;   /* time in outermost ops, all threads */
        uint64_t shared_ns;   /* what shares are of: in_ops_ns, or the sum of estimates above it */
        uint64_t lifetime_ns; /* of all threads */
        size_t n_threads_brief; /* threads without a list of their ops */
};

/* Figures put together, and what follows from them. */
struct summary {
        struct figures sum; /* as measured */
        uint64_t calls;
        bool estimated;   /* hot: total and child stand for the untimed calls too */
        bool times_known; /* false: calls, but none of them timed */
        bool self_known;
        uint64_t total_ns, child_ns;
        double mean_ns, stddev_ns; /* NaN: not known */
        double error; /* of an estimate: half the width of its 95 % interval, relative */
};

/* To be done, also on failure. */
int summary_init(struct summary *s, const struct figures *parts, size_t n, bool hot);
void summary_done(struct summary *s);

void points_sort(struct points *p);
/* By nearest rank, of sorted points; 0: there are none. */
uint64_t points_quantile(const struct points *p, double q);

/* The same, within the extremes (a summary's points are sorted). */
uint64_t figures_quantile(const struct figures *f, double q);

/* What a reader must know, as sentences. */
__attribute__((format(printf, 2, 3))) void report_note(json_t *notes, const char *format, ...);
void report_note_processes(json_t *notes, const struct model *m);
json_t *report_notes(const struct report *r);

/* One member, taken over. */
void report_set(json_t *object, const char *key, json_t *value);

json_t *report_text(const char *s); /* null for NULL; made valid UTF-8 */
json_t *report_integer(uint64_t v);
json_t *report_integer_or_null(bool known, uint64_t v);
json_t *report_told(uint64_t v);                              /* null for RUNFILE_NOT_TOLD */
json_t *report_rounded(double v);                             /* whole; null when NaN */
json_t *report_fraction(double v);                            /* null when NaN */
int64_t report_get_integer(const json_t *o, const char *key); /* -1: none there */

/* A JSON array of these, in order; takes them over. */
json_t *report_sorted(json_t **items, size_t n, int (*compare)(const void *, const void *));

extern const char *const report_phase_names[IFP_N_PHASES];
const char *report_kind_name(enum ifp_kind kind);

/* In the stack of ops: all kinds but token and ttft. */
bool report_is_nested(const struct model_op *op);

/* Members of an op, a phase of it, or an op of a thread. */
void report_put_name(json_t *o, const struct model_op *op);
void report_put_times(json_t *o, const struct report *r, const struct summary *s);
void report_put_distribution(json_t *o, const struct summary *s);
void report_put_alloc(json_t *o, const struct runfile_alloc *a);
int64_t report_net_bytes(const struct runfile_alloc *a);

/* Loads a run, has `make` build a document of it, and lets it go. */
int report_with(struct runfile *rf, int (*make)(struct report *r, json_t **ret), json_t **ret,
                char **ret_why);

int report_build_ops(const struct report *r, json_t **ret);
int report_compare_ops(const void *a, const void *b);

uint64_t report_thread_lifetime(const struct model *m, const struct model_thread *t);
/* Time in outermost ops; false: not known. */
bool report_thread_in_ops(const struct model *m, const struct model_thread *t, uint64_t *ret_ns);
json_t *report_build_threads(struct report *r);
json_t *report_build_site_name(const struct model_site *s);

/* id, command, pid, started_at, duration_ns, end, exit */
json_t *report_run_head(const struct runfile_run *run);
json_t *report_build_run(const struct model *m); /* and its processes */
