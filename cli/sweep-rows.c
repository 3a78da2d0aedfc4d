/* SPDX-License-Identifier: MIT */
/*
 * A row for each point of a sweep. The figure of a point is the median of its runs; how well that
 * is known, from five runs on the bootstrap tells, below that Student's t about the mean.
 */
#include "cli/sweep-rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sweep-place.h"
#include "common/cleanup.h"

#define LEVEL 0.95

/* Values of the runs of a point, of one figure. */
struct column {
        double *v;
        size_t n;
};

static int ascending(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static double quantile(struct column *c, double q)
{
        if (!c->n)
                return NAN;
        qsort(c->v, c->n, sizeof(*c->v), ascending);
        return stats_quantile(c->v, c->n, q);
}

/* A figure of those runs of a point that succeeded. */
static void gather(struct column *c, const struct sweep *s, size_t point, size_t offset)
{
        c->n = 0;
        for (size_t i = 0; i < s->n; i++) {
                const struct sweep_run *r = &s->runs[i];
                double v = *(const double *)((const char *)r + offset);

                if (r->point == point && sweep_run_ok(r) && isfinite(v))
                        c->v[c->n++] = v;
        }
}

#define MEDIAN(c, s, point, member)                                                                \
        (gather((c), (s), (point), offsetof(struct sweep_run, member)), quantile((c), 0.5))

static void gather_scores(struct column *c, const struct sweep *s, size_t point,
                          enum sweep_metric metric)
{
        c->n = 0;
        for (size_t i = 0; i < s->n; i++) {
                double v = sweep_score(s, &s->runs[i], metric);

                if (s->runs[i].point == point && isfinite(v))
                        c->v[c->n++] = v;
        }
}

static double median_of(double *values, size_t n, void *userdata)
{
        (void)userdata;
        qsort(values, n, sizeof(*values), ascending);
        return stats_quantile(values, n, 0.5);
}

/* Two-sided 95 % of Student's t, by degrees of freedom. */
static struct stats_interval student(const struct column *c)
{
        static const double t[] = {12.706, 4.303, 3.182, 2.776};
        double mean = 0, square = 0, half;

        if (c->n < 2 || c->n > 5)
                return (struct stats_interval){NAN, NAN};
        for (size_t i = 0; i < c->n; i++)
                mean += c->v[i] / (double)c->n;
        for (size_t i = 0; i < c->n; i++)
                square += (c->v[i] - mean) * (c->v[i] - mean);
        half = t[c->n - 2] * sqrt(square / (double)(c->n - 1) / (double)c->n);
        return (struct stats_interval){fmax(0, mean - half), mean + half};
}

static struct stats_interval interval(const struct column *c, double median, uint64_t seed)
{
        struct stats_interval i;

        if (c->n < 5 || stats_bootstrap(&i, c->v, c->n, median_of, NULL, LEVEL, 1, seed))
                i = student(c);
        if (isfinite(i.low)) /* a throughput is never negative, whatever a spread would allow */
                i = (struct stats_interval){fmax(0, fmin(i.low, median)), fmax(i.high, median)};
        return i;
}

/* ---- one row --------------------------------------------------------------------------- */

static void count(struct sweep_row *row, const struct sweep *s)
{
        bool cut = false;

        for (size_t i = 0; i < s->n; i++) {
                const struct sweep_run *r = &s->runs[i];

                if (r->point != row->point)
                        continue;
                row->n += sweep_run_ok(r);
                if (sweep_run_ok(r))
                        continue;
                row->n_failed++;
                row->why = r->why;
                row->run = r->recorded ? i : row->run;
                if (!r->cut)
                        continue;
                cut = true;
                row->at_most = fmin(isnan(row->at_most) ? HUGE_VAL : row->at_most,
                                    sweep_units(s, row->point) * 1e9 / r->limit_ns);
        }
        row->fate = row->n + row->n_failed >= s->n_runs && row->n ? SWEEP_MEASURED
                    : row->n_failed && !row->n                    ? cut ? SWEEP_CUT : SWEEP_BROKEN
                    : s->complete                                 ? SWEEP_LOST
                                                                  : SWEEP_WAITING;
}

/* Of those that were recorded, the run that is nearest to the median. */
static void choose_run(struct sweep_row *row, const struct sweep *s, enum sweep_metric metric)
{
        double least = HUGE_VAL;

        for (size_t i = 0; row->n && i < s->n; i++) {
                double v = sweep_score(s, &s->runs[i], metric);

                if (s->runs[i].point != row->point || !s->runs[i].recorded || !isfinite(v) ||
                    fabs(v - row->throughput) >= least)
                        continue;
                least = fabs(v - row->throughput);
                row->run = i;
        }
}

static void fill(struct sweep_row *row, const struct sweep *s, enum sweep_metric metric,
                 struct column *c)
{
        size_t p = row->point;

        count(row, s);
        gather_scores(c, s, p, metric);
        row->throughput = quantile(c, 0.5);
        row->interval = interval(c, row->throughput, s->seed + p);
        if (metric == SWEEP_TOKENS) {
                row->at_most = NAN; /* not told by how long a run took */
                row->p50_ns = MEDIAN(c, s, p, p50_ns);
                row->p95_ns = MEDIAN(c, s, p, p95_ns);
        } else {
                row->p50_ns = MEDIAN(c, s, p, wall_ns);
                row->p95_ns = quantile(c, 0.95);
        }
        row->wall_ns = MEDIAN(c, s, p, wall_ns);
        row->cpu_ns = MEDIAN(c, s, p, cpu_ns);
        row->peak_bytes = MEDIAN(c, s, p, peak_bytes);
        row->spawns = MEDIAN(c, s, p, spawns);
        row->waits = MEDIAN(c, s, p, waits);
        row->allocations = MEDIAN(c, s, p, allocations);
        choose_run(row, s, metric);
}

/* ---- rows beside each other ------------------------------------------------------------ */

/* CPU time of a unit of work. */
static double cpu_per_unit(const struct sweep *s, const struct sweep_row *row,
                           enum sweep_metric metric)
{
        double work = sweep_units(s, row->point), n = 0;

        if (metric == SWEEP_WALL)
                return row->cpu_ns / work;
        work = 0;
        for (size_t i = 0; i < s->n; i++)
                if (s->runs[i].point == row->point && sweep_run_ok(&s->runs[i])) {
                        work += metric == SWEEP_TOKENS ? s->runs[i].tokens : s->runs[i].requests;
                        n++;
                }
        return row->cpu_ns / (work / n);
}

static void compare_group(const struct sweep *s, struct sweep_row *rows, size_t axis, size_t point,
                          const double *values, enum sweep_metric metric)
{
        const struct sweep_row *first = NULL;
        size_t from = 0;

        for (size_t i = 0; i < s->grid.parameters[axis].n; i++) {
                struct sweep_row *row = &rows[sweep_grid_at(&s->grid, point, axis, i)];

                if (!row->n)
                        continue;
                if (!first) {
                        first = row;
                        from = i;
                }
                row->speedup = row->throughput / first->throughput;
                row->efficiency = row->speedup / (values[i] / values[from]);
                row->overhead = cpu_per_unit(s, row, metric) / cpu_per_unit(s, first, metric);
        }
}

/* The axis of which efficiency is told: of how many work at it. */
static size_t workers(const struct sweep *s, double *values)
{
        size_t axis = sweep_axis(s, values);

        if (axis == SIZE_MAX || (s->grid.parameters[axis].kind != SWEEP_CPUS &&
                                 strcmp(s->grid.parameters[axis].name, "threads") != 0))
                return SIZE_MAX;
        return axis;
}

/* Variants at one point.*/
static void compare_variants(const struct sweep *s, struct sweep_row *rows, size_t p, size_t point)
{
        size_t n = s->grid.parameters[p].n;

        for (size_t i = 0; i < n; i++) {
                struct sweep_row *row = &rows[sweep_grid_at(&s->grid, point, p, i)];
                double best = NAN;

                for (size_t k = 0; k < n; k++)
                        if (k != i)
                                best = fmax(best,
                                            rows[sweep_grid_at(&s->grid, point, p, k)].throughput);
                row->lead = row->throughput / best;
        }
}

struct sweep_row *sweep_rows(const struct sweep *s)
{
        size_t n = sweep_grid_points(&s->grid), axis;
        struct sweep_row *rows = calloc(n, sizeof(*rows));
        enum sweep_metric metric = sweep_metric_of(s);
        double values[SWEEP_MOST_VALUES];
        struct column c = {malloc((s->n + 1) * sizeof(double)), 0};

        if (!rows || !c.v) {
                free(c.v);
                free(rows);
                return NULL;
        }
        for (size_t i = 0; i < n; i++) {
                rows[i] = (struct sweep_row){.point = i,
                                             .at_most = NAN,
                                             .speedup = NAN,
                                             .efficiency = NAN,
                                             .overhead = NAN,
                                             .lead = NAN,
                                             .run = SIZE_MAX};
                fill(&rows[i], s, metric, &c);
        }
        free(c.v);
        axis = s->compare ? sweep_grid_find(&s->grid, s->compare) : SIZE_MAX;
        for (size_t i = 0; axis != SIZE_MAX && i < n; i++)
                if (!sweep_grid_index(&s->grid, i, axis))
                        compare_variants(s, rows, axis, i);
        axis = workers(s, values);
        for (size_t i = 0; axis != SIZE_MAX && i < n; i++)
                if (!sweep_grid_index(&s->grid, i, axis))
                        compare_group(s, rows, axis, i, values, metric);
        return rows;
}

size_t sweep_best(const struct sweep *s, const struct sweep_row *rows)
{
        size_t n = sweep_grid_points(&s->grid), best = SIZE_MAX;

        for (size_t i = 0; i < n; i++)
                if (rows[i].n && (best == SIZE_MAX || rows[i].throughput > rows[best].throughput))
                        best = i;
        return best;
}

/* ---- knees ----------------------------------------------------------------------------- */

/* How many CPUs each value names, if there are ever more. */
static bool cpu_counts(const struct sweep_parameter *p, double *values)
{
        for (size_t i = 0; i < p->n; i++) {
                values[i] = (double)sweep_cpus_count(p->values[i]);
                if (i && values[i] <= values[i - 1])
                        return false;
        }
        return true;
}

size_t sweep_axis(const struct sweep *s, double *values)
{
        double own[SWEEP_MOST_VALUES];
        size_t found = SIZE_MAX, n_found = 0, p = sweep_grid_find(&s->grid, "threads");

        if (!values)
                values = own;
        if (p != SIZE_MAX && s->grid.parameters[p].n > 1 && sweep_grid_numeric(&s->grid, p, values))
                return p;
        for (p = 0; p < s->grid.n; p++)
                if (s->grid.parameters[p].kind == SWEEP_CPUS && s->grid.parameters[p].n > 1 &&
                    cpu_counts(&s->grid.parameters[p], values))
                        return p;
        for (p = 0; p < s->grid.n; p++) {
                const struct sweep_parameter *q = &s->grid.parameters[p];

                if (q->kind != SWEEP_PLAIN || q->n < 2 ||
                    (s->units && !strcmp(q->name, s->units)) || (s->compare) ||
                    !sweep_grid_numeric(&s->grid, p, NULL))
                        continue;
                found = p;
                n_found++;
        }
        if (n_found != 1)
                return SIZE_MAX;
        sweep_grid_numeric(&s->grid, found, values);
        return found;
}

bool sweep_knee(struct sweep_knee *ret, const struct sweep *s, const struct sweep_row *rows,
                size_t axis, size_t point)
{
        size_t n = s->grid.parameters[axis].n, at = SIZE_MAX;

        *ret = (struct sweep_knee){SIZE_MAX, SIZE_MAX, SIZE_MAX};
        for (size_t i = 0; i < n; i++) {
                size_t p = sweep_grid_at(&s->grid, point, axis, i);

                if (rows[p].n &&
                    (ret->best == SIZE_MAX || rows[p].throughput > rows[ret->best].throughput))
                        ret->best = p;
        }
        if (ret->best == SIZE_MAX)
                return false;
        for (size_t i = 0; i < n && at == SIZE_MAX; i++) {
                size_t p = sweep_grid_at(&s->grid, point, axis, i);

                if (rows[p].n &&
                    rows[p].throughput >= (1 - s->within) * rows[ret->best].throughput) {
                        at = i;
                        ret->at = p;
                }
        }
        for (size_t i = at + 1; i < n && ret->beyond == SIZE_MAX; i++) {
                size_t p = sweep_grid_at(&s->grid, point, axis, i);

                if (rows[p].n || rows[p].n_failed)
                        ret->beyond = p;
        }
        return true;
}
