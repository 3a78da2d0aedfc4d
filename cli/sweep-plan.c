/* SPDX-License-Identifier: MIT */
/*
 * Which runs a round makes. After each round, of those that race against each other the better half
 * goes on (successive halving: Jamieson and Talwalkar 2016), and whoever is near the leader; what
 * failed or was cut does not. Of what others on the machine disturbed nothing is concluded at once.
 * Where variants are compared, those at one point race, and until it is
 * settled which wins there all of them go on.
 *
 * All of it follows from the runs so far and the seed, so that a sweep that was interrupted goes on
 * as if it had not been.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sweep.h"
#include "common/cleanup.h"

#define NEAR       0.9  /* of the leader's throughput: it may still be as good; */
#define NEAR_ONCE  0.6  /* of one run each is less known */
#define CLEAR      1.1  /* the winner's worst over the others' best: settled, */
#define CLEAR_ONCE 1.5  /* and after one run */
#define DISTURBED  0.3  /* CPUs that others took meanwhile: a run that they did tells little, */
#define TRIES      3    /* and is made again, up to so many */
#define LEAST_NEAR 3    /* runs beside a crossover, before anything is settled */
#define SLACK_NS   50e6 /* that a run may take in any case */

struct cell {
        size_t n;        /* runs that succeeded, in rounds before */
        size_t n_quiet;  /* of both, those that nobody else disturbed */
        size_t n_failed; /* and that did not */
        size_t n_cut;    /* of those that failed: since they took too long */
        bool cut;        /* one of these was not disturbed */
        double score;    /* mean; NaN: none */
        double best, worst;
        bool out;
};

static uint64_t next_random(uint64_t *state)
{
        uint64_t z = *state += 0x9e3779b97f4a7c15u;

        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
}

/* The first of the points that race with it. */
static size_t race_of(const struct sweep *s, size_t point)
{
        size_t p = s->compare ? sweep_grid_find(&s->grid, s->compare) : SIZE_MAX;

        return p == SIZE_MAX ? 0 : sweep_grid_at(&s->grid, point, p, 0);
}

static void look(const struct sweep *s, unsigned rounds, struct cell *cells, size_t n)
{
        enum sweep_metric metric = sweep_metric_of(s);

        for (size_t i = 0; i < n; i++) {
                bool out = cells[i].out;

                cells[i] = (struct cell){.best = -HUGE_VAL, .worst = HUGE_VAL, .out = out};
        }
        for (size_t i = 0; i < s->n; i++) {
                const struct sweep_run *r = &s->runs[i];
                struct cell *c = &cells[r->point];
                double v = sweep_score(s, r, metric);

                if (r->round >= rounds)
                        continue;
                c->n_quiet += !(r->others > DISTURBED);
                c->n_failed += isnan(v);
                c->n_cut += r->cut;
                c->cut |= r->cut && !(r->others > DISTURBED);
                if (isnan(v))
                        continue;
                c->score = (c->score * (double)c->n + v) / (double)(c->n + 1);
                c->n++;
                c->best = fmax(c->best, v);
                c->worst = fmin(c->worst, v);
        }
}

/* ---- one winner ------------------------------------------------------------------------ */

/* None of its runs succeeded, and that was no accident. */
static bool is_broken(const struct cell *c)
{
        return !c->n && (c->n_failed > c->n_cut || c->n_failed >= TRIES);
}

/* Was enough seen of it to put it out? */
static bool is_known(const struct cell *c)
{
        return c->n_quiet || c->n + c->n_failed >= TRIES;
}

static int descending(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x < y) - (x > y);
}

static void halve(struct cell *cells, size_t n, double near)
{
        _cleanup_(freep) double *scores = malloc((n + 1) * sizeof(*scores));
        size_t alive = 0, keep;

        if (!scores)
                return;
        for (size_t i = 0; i < n; i++)
                if (!cells[i].out && cells[i].n)
                        scores[alive++] = cells[i].score;
        if (!alive)
                return;
        qsort(scores, alive, sizeof(*scores), descending);
        keep = (alive + 1) / 2;
        for (size_t i = 0; i < n; i++)
                cells[i].out |= is_known(&cells[i]) && cells[i].score < scores[keep - 1] &&
                                cells[i].best < near * scores[0];
}

/* ---- variants -------------------------------------------------------------------------- */

/* Which variant leads in the race; SIZE_MAX: none. */
static size_t leader(const struct sweep *s, const struct cell *cells, size_t race, size_t p)
{
        size_t found = SIZE_MAX;

        for (size_t v = 0; v < s->grid.parameters[p].n; v++) {
                size_t point = sweep_grid_at(&s->grid, race, p, v);

                if (cells[point].n &&
                    (found == SIZE_MAX ||
                     cells[point].score > cells[sweep_grid_at(&s->grid, race, p, found)].score))
                        found = v;
        }
        return found;
}

/* Does another variant lead at a point beside it? */
static bool at_crossover(const struct sweep *s, const struct cell *cells, size_t race, size_t p)
{
        size_t here = leader(s, cells, race, p);

        for (size_t q = 0; q < s->grid.n; q++) {
                size_t i = sweep_grid_index(&s->grid, race, q);

                if (q == p || !sweep_grid_numeric(&s->grid, q, NULL))
                        continue;
                if (i && leader(s, cells, sweep_grid_at(&s->grid, race, q, i - 1), p) != here)
                        return true;
                if (i + 1 < s->grid.parameters[q].n &&
                    leader(s, cells, sweep_grid_at(&s->grid, race, q, i + 1), p) != here)
                        return true;
        }
        return false;
}

static bool settled(const struct sweep *s, const struct cell *cells, size_t race, size_t p)
{
        size_t first = leader(s, cells, race, p), least = SIZE_MAX;
        const struct cell *winner;
        double second = 0;

        if (first == SIZE_MAX)
                return true;
        winner = &cells[sweep_grid_at(&s->grid, race, p, first)];
        for (size_t v = 0; v < s->grid.parameters[p].n; v++) {
                const struct cell *c = &cells[sweep_grid_at(&s->grid, race, p, v)];

                if (!is_known(c))
                        return false;
                if (!c->n)
                        continue;
                least = c->n < least ? c->n : least;
                if (v != first)
                        second = fmax(second, c->best);
        }
        if (at_crossover(s, cells, race, p) && least < LEAST_NEAR)
                return false;
        return winner->worst > (least < 2 ? CLEAR_ONCE : CLEAR) * second;
}

static void settle(const struct sweep *s, struct cell *cells, size_t n, size_t p)
{
        for (size_t i = 0; i < n; i++)
                cells[i].out |= settled(s, cells, race_of(s, i), p);
}

/* ---- rounds ---------------------------------------------------------------------------- */

/* Who is out after `rounds` of them. */
static void after(const struct sweep *s, unsigned rounds, struct cell *cells, size_t n)
{
        size_t p = s->compare ? sweep_grid_find(&s->grid, s->compare) : SIZE_MAX;

        look(s, rounds, cells, n);
        for (size_t i = 0; i < n; i++)
                if (cells[i].cut || is_broken(&cells[i]))
                        cells[i].out = true;
        if (s->full)
                return;
        if (p == SIZE_MAX)
                halve(cells, n, rounds == 1 ? NEAR_ONCE : NEAR);
        else
                settle(s, cells, n, p);
}

size_t sweep_plan(const struct sweep *s, unsigned round, size_t *ret_points)
{
        size_t n = sweep_grid_points(&s->grid), n_left = 0;
        _cleanup_(freep) struct cell *cells = calloc(n, sizeof(*cells));
        uint64_t state = ((uint64_t)s->seed << 32) + round;

        if (!cells)
                return 0;
        for (unsigned r = 1; r <= round; r++)
                after(s, r, cells, n);
        for (size_t i = 0; i < n; i++)
                if (!cells[i].out)
                        ret_points[n_left++] = i;
        for (size_t i = n_left; i > 1; i--) { /* Fisher and Yates */
                size_t j = next_random(&state) % i, t = ret_points[i - 1];

                ret_points[i - 1] = ret_points[j];
                ret_points[j] = t;
        }
        for (size_t i = 0; i < s->n; i++)
                for (size_t j = 0; s->runs[i].round == round && j < n_left; j++)
                        if (ret_points[j] == s->runs[i].point) {
                                memmove(ret_points + j, ret_points + j + 1,
                                        (--n_left - j) * sizeof(*ret_points));
                                break;
                        }
        return n_left;
}

/* A parameter that leaves the work as it is: how many do it, where, and in which way. */
static bool is_neutral(const struct sweep *s, size_t p)
{
        const struct sweep_parameter *q = &s->grid.parameters[p];

        return q->kind != SWEEP_PLAIN || !strcmp(q->name, "threads") ||
               (s->compare && !strcmp(q->name, s->compare));
}

/* Is the work of two points known to be in the ratio of their units? */
static bool comparable(const struct sweep *s, size_t a, size_t b)
{
        for (size_t p = 0; p < s->grid.n; p++)
                if (!s->units && !is_neutral(s, p) &&
                    sweep_grid_index(&s->grid, a, p) != sweep_grid_index(&s->grid, b, p))
                        return false;
        return true;
}

double sweep_cut_ns(const struct sweep *s, size_t point)
{
        double least = HUGE_VAL;

        if (s->full || s->cut <= 0)
                return 0;
        for (size_t i = 0; i < s->n; i++) {
                const struct sweep_run *r = &s->runs[i];
                double more = sweep_units(s, point) / sweep_units(s, r->point);

                /* less work may take as long, for what is done once */
                if (sweep_run_ok(r) && comparable(s, r->point, point))
                        least = fmin(least, r->wall_ns * fmax(more, 1));
        }
        return isinf(least) ? 0 : s->cut * least + SLACK_NS;
}
