/* SPDX-License-Identifier: MIT */
/*
 * A sweep: a command with parameters, how it is to be measured, and what was measured so far. All
 * of it is in one file (sweep-state.c), so that a sweep that was interrupted goes on; which run
 * comes next follows from it alone (sweep-plan.c).
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/sweep-grid.h"
#include "cli/trial.h"

#define SWEEP_MOST_RUNS 10000u

/* What throughput is. */
enum sweep_metric {
        SWEEP_AUTO,     /* the first of these that all runs which succeeded tell */
        SWEEP_TOKENS,   /* tokens decoded a second of decoding; or those that the program counts */
        SWEEP_REQUESTS, /* requests that the program told the success of, a second of the run */
        SWEEP_WALL,     /* units a second of the whole run */
        SWEEP_N_METRICS,
};
extern const char *const sweep_metrics[SWEEP_N_METRICS]; /* "auto", "tokens" ... */

/* One run. Figures are NaN where they are not known. */
struct sweep_run {
        size_t point;
        unsigned round;
        enum trial_end end;
        int code;
        bool cut;        /* stopped since others took a fraction of its time */
        double limit_ns; /* of time; 0: none */
        double wall_ns, cpu_ns, peak_bytes;
        double tokens, tokens_per_second;
        double requests;                   /* counted */
        double p50_ns, p95_ns;             /* of a token */
        double spawns, waits, allocations; /* of a unit of work */
        double others;                     /* CPUs that processes beside it took on average */
        bool recorded;                     /* there is a run file */
        char *why;                         /* how it ended, in a line; NULL: well */
        char *trouble; /* with the profiler, or what it left behind, in a line; NULL: none */
};

struct sweep {
        struct sweep_grid grid;
        char **argv, **env,
                **record;        /* end with NULL; with {names} still in them, but for record */
        size_t n_runs, n_warmup; /* of each point; before all */
        uint32_t seed;
        uint64_t time_ns, memory_bytes; /* limits; 0: none */
        bool full, bare;
        double cut;    /* a run may take so many times what the best took; 0: any */
        double within; /* share of the best that is as good */
        enum sweep_metric metric;
        char *compare, *units; /* names of parameters; NULL: none */
        char *machine, *started_at;
        struct sweep_run *runs;
        size_t n;
        bool complete;
};

void sweep_done(struct sweep *s);

/* A run more; its texts are taken. */
int sweep_add(struct sweep *s, const struct sweep_run *run);

bool sweep_run_ok(const struct sweep_run *r);

/* How much work a run at a point does: the value of `units`, or 1. */
double sweep_units(const struct sweep *s, size_t point);

/* What throughput is, of the first n_runs runs; never SWEEP_AUTO. */
enum sweep_metric sweep_metric_of(const struct sweep *s);
/* The throughput of a run: the larger the better. NaN: none. */
double sweep_score(const struct sweep *s, const struct sweep_run *r, enum sweep_metric metric);

/* --- the state file --- */

/* 0; -EINVAL: it is no state of a sweep, and *ret_why says so; -ENOMEM. `ret` is to be done in any
 * case. */
int sweep_decode(struct sweep *ret, const json_t *state, char **ret_why);
json_t *sweep_encode(const struct sweep *s); /* NULL: no memory, or a text is not UTF-8 */

/* FOLDER/sweep.json. As above, or another negative errno with a line in *ret_why, where it cannot
 * be read or written. */
int sweep_load(struct sweep *ret, const char *folder, char **ret_why);
int sweep_save(const struct sweep *s, const char *folder, char **ret_why);

/* --- what comes next --- */

/*
 * The runs that the round still wants, in the order in which they are to be made: `ret_points` has
 * room for all points. Losers are left out.
 */
size_t sweep_plan(const struct sweep *s, unsigned round, size_t *ret_points);

/* The most time that the next run at `point` may take by what others took; 0: any. */
double sweep_cut_ns(const struct sweep *s, size_t point);
