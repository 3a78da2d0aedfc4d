/* SPDX-License-Identifier: MIT */
/*
 * Where one variant overtakes another along an axis of numbers. How sure that is, is told by
 * drawing the runs of each point again, with replacement, and looking where it would lie then.
 */
#include <math.h>
#include <stdlib.h>

#include "cli/sweep-rows.h"
#include "common/cleanup.h"

#define DRAWS 1000
#define LEVEL 0.95

/* The runs of both at one value of the axis. */
struct stage {
        size_t value;    /* of the axis */
        double *runs[2]; /* logarithms of throughput */
        size_t n[2];
        double median[2];
};

struct stages {
        struct stage *s;
        size_t n;
};

static void stages_done(struct stages *st)
{
        for (size_t i = 0; i < st->n; i++) {
                free(st->s[i].runs[0]);
                free(st->s[i].runs[1]);
        }
        free(st->s);
}

static uint64_t next_random(uint64_t *state)
{
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        return *state;
}

static int take_runs(struct stage *stage, int side, const struct sweep *s, size_t point,
                     enum sweep_metric metric)
{
        stage->n[side] = 0;
        stage->runs[side] = malloc((s->n + 1) * sizeof(double));
        if (!stage->runs[side])
                return -1;
        for (size_t i = 0; i < s->n; i++) {
                double v = sweep_score(s, &s->runs[i], metric);

                if (s->runs[i].point == point && v > 0)
                        stage->runs[side][stage->n[side]++] = log(v);
        }
        return 0;
}

/* The logarithm of a variant's throughput. One that was cut since the other took a fraction of its
 * time has no more than that fraction. NaN: it is not known. */
static double level(const struct sweep *s, const struct sweep_row *row,
                    const struct sweep_row *other)
{
        if (row->throughput > 0)
                return log(row->throughput);
        return row->fate == SWEEP_CUT && other->throughput > 0 && s->cut > 1
                       ? log(other->throughput / s->cut)
                       : NAN;
}

static int take_stages(struct stages *ret, const struct sweep *s, const struct sweep_row *rows,
                       const struct sweep_crossover *c, size_t point)
{
        size_t p = sweep_grid_find(&s->grid, s->compare), n = s->grid.parameters[c->axis].n;
        enum sweep_metric metric = sweep_metric_of(s);

        *ret = (struct stages){calloc(n, sizeof(*ret->s)), 0};
        for (size_t i = 0; ret->s && i < n; i++) {
                size_t at = sweep_grid_at(&s->grid, point, c->axis, i);
                size_t a = sweep_grid_at(&s->grid, at, p, c->a);
                size_t b = sweep_grid_at(&s->grid, at, p, c->b);
                struct stage *stage = &ret->s[ret->n];

                stage->value = i;
                stage->median[0] = level(s, &rows[a], &rows[b]);
                stage->median[1] = level(s, &rows[b], &rows[a]);
                if (isnan(stage->median[0]) || isnan(stage->median[1]))
                        continue;
                ret->n++;
                if (take_runs(stage, 0, s, a, metric) || take_runs(stage, 1, s, b, metric))
                        return -1;
        }
        return ret->s ? 0 : -1;
}

/* The stage from which on one side is better, up to the last; how much better b is, is in `lead`.
 */
static size_t turn(const double *lead, size_t n, bool b_wins)
{
        size_t from = n;

        while (from && (lead[from - 1] > 0) == b_wins && lead[from - 1] != 0)
                from--;
        return from;
}

static int ascending(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static double drawn_median(const struct stage *stage, int side, double *room, uint64_t *state)
{
        size_t n = stage->n[side];

        if (!n)
                return stage->median[side];
        for (size_t i = 0; i < n; i++)
                room[i] = stage->runs[side][next_random(state) % n];
        qsort(room, n, sizeof(*room), ascending);
        return stats_quantile(room, n, 0.5);
}

static void find_interval(struct sweep_crossover *c, const struct sweep *s, const struct stages *st,
                          double *lead)
{
        uint64_t state = (uint64_t)s->seed * 2654435761u + 88172645463325252u;
        _cleanup_(freep) double *found = malloc(DRAWS * sizeof(*found));
        _cleanup_(freep) double *room = malloc((s->n + 1) * sizeof(*room));
        size_t n = s->grid.parameters[c->axis].n;

        for (size_t i = 0; i < st->n; i++)
                if (st->s[i].n[0] < 2 || st->s[i].n[1] < 2) {
                        double gap = fabs(st->s[i].median[1] - st->s[i].median[0]);

                        if (gap < log(1.5)) /* nothing is known of one run, but for this */
                                return;
                }
        if (!found || !room)
                return;
        for (size_t d = 0; d < DRAWS; d++) {
                size_t from;

                for (size_t i = 0; i < st->n; i++)
                        lead[i] = drawn_median(&st->s[i], 1, room, &state) -
                                  drawn_median(&st->s[i], 0, room, &state);
                from = turn(lead, st->n, c->b_wins);
                found[d] = from == st->n ? (double)n : from ? (double)st->s[from].value : 0;
        }
        qsort(found, DRAWS, sizeof(*found), ascending);
        c->low = (size_t)found[(size_t)((1 - LEVEL) / 2 * DRAWS)];
        c->high = (size_t)found[(size_t)((1 + LEVEL) / 2 * DRAWS) - 1];
        c->low = c->low < c->from ? c->low : c->from;
        c->high = c->high > c->from ? c->high : c->from;
        c->known = true;
}

/* Between two values, on a logarithmic axis where they are above 0. */
static double between(double x0, double x1, double y0, double y1)
{
        double part = y0 / (y0 - y1);

        return x0 > 0 ? x0 * pow(x1 / x0, part) : x0 + (x1 - x0) * part;
}

bool sweep_crossover(struct sweep_crossover *ret, const struct sweep *s,
                     const struct sweep_row *rows, size_t axis, size_t a, size_t b, size_t point)
{
        _cleanup_(freep) double *lead = NULL;
        double values[SWEEP_MOST_VALUES];
        size_t n = s->grid.parameters[axis].n, from;
        struct stages st = {0};

        *ret = (struct sweep_crossover){.axis = axis, .a = a, .b = b, .at = NAN};
        if (take_stages(&st, s, rows, ret, point) || st.n < 2 ||
            !(lead = malloc(st.n * sizeof(*lead)))) {
                stages_done(&st);
                return false;
        }
        for (size_t i = 0; i < st.n; i++)
                lead[i] = st.s[i].median[1] - st.s[i].median[0];
        ret->b_wins = lead[st.n - 1] > 0;
        from = turn(lead, st.n, ret->b_wins);
        ret->from = from == st.n ? n : from ? st.s[from].value : 0;
        if (from && from < st.n && sweep_grid_numeric(&s->grid, axis, values))
                ret->at = between(values[st.s[from - 1].value], values[st.s[from].value],
                                  lead[from - 1], lead[from]);
        ret->low = ret->high = ret->from;
        find_interval(ret, s, &st, lead);
        stages_done(&st);
        return true;
}

size_t sweep_crossover_axis(const struct sweep *s)
{
        if (!s->compare)
                return SIZE_MAX;
        for (size_t p = 0; p < s->grid.n; p++)
                if (s->grid.parameters[p].kind == SWEEP_PLAIN && s->grid.parameters[p].n > 1 &&
                    sweep_grid_find(&s->grid, s->compare) != p &&
                    sweep_grid_numeric(&s->grid, p, NULL))
                        return p;
        return SIZE_MAX;
}
