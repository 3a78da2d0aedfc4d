/* SPDX-License-Identifier: MIT */
/*
 * What follows from the runs of a sweep: a row for each point, the best of them, knees and
 * crossovers. Arithmetic alone; figures that are not known are NaN.
 */
#pragma once

#include "cli/sweep.h"
#include "common/stats.h"

enum sweep_fate {
        SWEEP_MEASURED, /* as often as was asked for */
        SWEEP_LOST,     /* stopped early: others are better, or what was to be known is */
        SWEEP_BROKEN,   /* no run of it succeeded */
        SWEEP_CUT,      /* the same, since its runs take too long */
        SWEEP_WAITING,  /* the sweep is not complete */
};

struct sweep_row {
        size_t point;
        enum sweep_fate fate;
        size_t n, n_failed;
        double throughput;              /* median of its runs */
        struct stats_interval interval; /* 95 %, of the median; NaN: one run */
        double at_most;                 /* of a row that was cut: its throughput is less */
        double p50_ns, p95_ns;          /* of a token where the metric is tokens, else of a run */
        double wall_ns, cpu_ns, peak_bytes; /* medians */
        double spawns, waits, allocations;
        double speedup, efficiency; /* over the first of its group; speed-up over its share */
        double overhead; /* CPU time of a unit of work over that of the first of its group */
        double lead;     /* throughput over that of the best other variant at this point */
        size_t run; /* recorded, the nearest to the median (or the last that failed); SIZE_MAX: none
                     */
        const char *why; /* of the last that failed */
};

/* All points, in order; to be freed. NULL: no memory. */
struct sweep_row *sweep_rows(const struct sweep *s);

/* The row of the greatest throughput; SIZE_MAX: no run succeeded. */
size_t sweep_best(const struct sweep *s, const struct sweep_row *rows);

/*
 * Along which parameter there may be a knee: threads, else CPUs, else the only one of ascending
 * numbers; never what units are. SIZE_MAX: none. `values`: its numbers (SWEEP_MOST_VALUES), or
 * NULL.
 */
size_t sweep_axis(const struct sweep *s, double *values);

struct sweep_knee {
        size_t at;     /* row: the first along the axis that is within s->within of the best */
        size_t best;   /* row: the best along it */
        size_t beyond; /* row: the next after the knee that tells anything; SIZE_MAX: none */
};
/* Of the points that are as `point` but for the axis. false: there is none. */
bool sweep_knee(struct sweep_knee *ret, const struct sweep *s, const struct sweep_row *rows,
                size_t axis, size_t point);

/*
 * From which value of an axis on variant b has more throughput than a, there and at all values
 * after it (or a than b: `b_wins` is false).
 */
struct sweep_crossover {
        size_t axis, a, b; /* parameter; values of s->compare */
        bool b_wins;
        size_t from;      /* value of the axis; 0: at all of them, n: at none of them */
        size_t low, high; /* 95 % of the times, drawn from the runs; `from` where not known */
        bool known;       /* low and high are */
        double at;        /* where both are alike, between the values; NaN: not between any */
};
/* At the other parameters of `point`. false: fewer than two values at which
 * it is known which is better. */
bool sweep_crossover(struct sweep_crossover *ret, const struct sweep *s,
                     const struct sweep_row *rows, size_t axis, size_t a, size_t b, size_t point);
/* Along which it is looked for; SIZE_MAX: no parameter but the compared is of ascending numbers. */
size_t sweep_crossover_axis(const struct sweep *s);
