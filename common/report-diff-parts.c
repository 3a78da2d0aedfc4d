/* SPDX-License-Identifier: MIT */
/*
 * What changed, and how much of the difference that explains. The whole is the time of all threads
 * (of a token, or of the run); rows are ops on shapes in layers, and what is in no op; each side's
 * value is the mean of its runs, so that rows sum to the whole on both sides, and their differences
 * to its difference: exactly, for what is in no op is the whole less the rows. A run whose whole is
 * far from the others' is in no mean (it is in the tests, whose ranks bear it), and that is said.
 *
 * Each op is tested over runs, by what it took and by what its quickest calls take, all ops
 * together by Benjamini and Hochberg; rows of ops that stand are then tested the same way among
 * themselves.
 */
#include "common/report-diff-measure.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/report-diff-private.h"
#include "common/report-private.h"

#define FAR 5.0 /* scaled median absolute deviations */

/* A row over all runs, those of A first. */
struct joint {
        const struct diff_row *first; /* NULL: what is in no op */
        double *calls, *self_ns;      /* of each run; NULL of what is in no op */
        double p, adjusted;
        bool tested; /* its p counts among others */
        json_t *o;
};

struct joints {
        const struct diff_set *a, *b;
        enum diff_basis basis;
        struct joint *at;
        size_t n, room;
        double whole[2]; /* means */
        bool *apart;     /* runs that are in no mean */
        size_t n_apart[2];
};

static const struct diff_run *run_at(const struct joints *j, size_t i)
{
        return i < j->a->n ? j->a->at[i] : j->b->at[i - j->a->n];
}

static double mean(const struct joints *j, const double *values, int side)
{
        size_t from = side ? j->a->n : 0, n = side ? j->b->n : j->a->n;
        double sum = 0;

        for (size_t i = from; i < from + n; i++)
                sum += j->apart[i] ? 0 : values[i];
        return sum / (double)(n - j->n_apart[side]);
}

int diff_apart(const struct diff_set *set, enum diff_basis basis, bool *ret, size_t *ret_n)
{
        _cleanup_(freep) double *whole = calloc(set->n + 1, sizeof(*whole));

        if (!whole)
                return -ENOMEM;
        *ret_n = 0;
        for (size_t i = 0; i < set->n; i++) {
                whole[i] = set->at[i]->rows[basis].whole_ns;
                if (!isfinite(whole[i]))
                        return 0; /* of some it is not known: none is held against it */
        }
        *ret_n = stats_outliers(whole, set->n, FAR, ret);
        return 0;
}

static int set_apart(struct joints *j)
{
        size_t n = j->a->n + j->b->n;
        _cleanup_(freep) double *whole = calloc(n + 1, sizeof(*whole));
        int r;

        j->apart = calloc(n + 1, sizeof(*j->apart));
        if (!whole || !j->apart)
                return -ENOMEM;
        r = diff_apart(j->a, j->basis, j->apart, &j->n_apart[0]);
        if (!r)
                r = diff_apart(j->b, j->basis, j->apart + j->a->n, &j->n_apart[1]);
        for (size_t i = 0; i < n; i++)
                whole[i] = run_at(j, i)->rows[j->basis].whole_ns;
        for (int side = 0; side < 2 && !r; side++)
                j->whole[side] = mean(j, whole, side);
        return r;
}

/* --- bringing rows together --- */

static struct joint *find(struct joints *j, json_t *index, const struct diff_row *row, bool by_op)
{
        const char *key = by_op ? row->op : row->key;
        const json_t *at = json_object_get(index, key);
        size_t n = j->a->n + j->b->n;
        struct joint *it;

        if (at)
                return &j->at[json_integer_value(at)];
        it = GROW(&j->at, &j->n, &j->room);
        if (!it)
                return NULL;
        it->first = row;
        it->calls = calloc(n, sizeof(*it->calls));
        it->self_ns = calloc(n, sizeof(*it->self_ns));
        if (!it->calls || !it->self_ns ||
            json_object_set_new(index, key, json_integer((json_int_t)j->n - 1)))
                return NULL;
        return it;
}

static int bring_together(struct joints *j, bool by_op)
{
        _cleanup_(json_decrefp) json_t *index = json_object();

        for (size_t i = 0; i < j->a->n + j->b->n; i++) {
                const struct diff_rows *rows = &run_at(j, i)->rows[j->basis];

                for (size_t k = 0; k < rows->n; k++) {
                        struct joint *it = find(j, index, &rows->at[k], by_op);

                        if (!it)
                                return -ENOMEM;
                        it->calls[i] += rows->at[k].calls;
                        it->self_ns[i] += rows->at[k].self_ns;
                }
        }
        return 0;
}

static void joints_done(struct joints *j)
{
        for (size_t i = 0; i < j->n; i++) {
                free(j->at[i].calls);
                free(j->at[i].self_ns);
                json_decref(j->at[i].o);
        }
        free(j->at);
        free(j->apart);
}

/* --- tests --- */

/* Of an op as a whole: its calls at what the quickest of them take, which others on the machine
 * disturb least. A run without the op has 0 of it. */
static bool quickest_of(const struct joints *j, const struct joint *it, double *ret)
{
        for (size_t i = 0; i < j->a->n + j->b->n; i++) {
                const json_t *v =
                        json_object_get(run_at(j, i)->rows[j->basis].typical, it->first->op);

                if (!json_is_number(v) && it->calls[i] > 0)
                        return false;
                ret[i] = json_number_value(v);
        }
        return true;
}

static int test(struct joints *j, struct joint *it, bool by_op, json_t *o)
{
        _cleanup_(freep) double *quick = calloc(j->a->n + j->b->n + 1, sizeof(*quick));
        struct diff_values v = {.a = it->self_ns,
                                .b = it->self_ns + j->a->n,
                                .n_a = j->a->n,
                                .n_b = j->b->n,
                                .known = it->tested};

        struct diff_values also = {.a = quick, .b = quick + j->a->n, .n_a = v.n_a, .n_b = v.n_b};

        if (!quick)
                return -ENOMEM;
        also.known = v.known && by_op && quickest_of(j, it, quick);
        return diff_put_test(o, &v, &also, &it->p);
}

static int correct(struct joints *j)
{
        _cleanup_(freep) double *p = calloc(2 * j->n + 1, sizeof(*p));
        int r;

        if (!p)
                return -ENOMEM;
        for (size_t i = 0; i < j->n; i++)
                p[i] = j->at[i].p;
        r = stats_false_discovery(p, j->n, p + j->n);
        for (size_t i = 0; !r && i < j->n; i++)
                j->at[i].adjusted = p[j->n + i];
        return r;
}

/* --- rows as they are told --- */

static json_t *build_row(const struct joints *j, const struct joint *it, bool by_op)
{
        json_t *o = json_object(), *self;
        double a = mean(j, it->self_ns, 0), b = mean(j, it->self_ns, 1);
        double calls[2] = {mean(j, it->calls, 0), mean(j, it->calls, 1)};
        double delta = j->whole[1] - j->whole[0];

        report_set(o, "op", report_text(it->first->op));
        if (!by_op) {
                report_set(o, "shape", report_text(it->first->shape));
                report_set(o, "layer",
                           report_integer_or_null(it->first->layer, it->first->layer - 1));
                report_set(o, "part", report_text(it->first->part));
        }
        report_set(o, "in",
                   json_string(calls[0] > 0 && calls[1] > 0 ? "both"
                               : calls[0] > 0               ? "a"
                                                            : "b"));
        report_set(o, "calls", diff_cell(calls[0], calls[1]));
        self = diff_cell(a, b);
        report_set(o, "self_ns", self);
        report_set(o, "explains", report_fraction(delta != 0 ? (b - a) / delta : NAN));
        return o;
}

static void put_correction(struct joint *it)
{
        report_set(it->o, "p_adjusted", report_fraction(it->adjusted));
        report_set(it->o, "changed",
                   isnan(it->adjusted) ? json_null() : json_boolean(it->adjusted <= DIFF_LEVEL));
}

static double size_of(const json_t *o)
{
        return fabs(diff_member(json_object_get(o, "self_ns"), "delta"));
}

static int compare(const void *a, const void *b)
{
        const struct joint *p = a, *q = b;
        double x = size_of(p->o), y = size_of(q->o);

        if (x != y)
                return x > y ? -1 : 1;
        return strcmp(p->first->key, q->first->key);
}

/* What is in no op: the whole less the rows. */
static json_t *build_rest(const struct joints *j, bool by_op)
{
        json_t *o = json_object();
        double v[2], delta = j->whole[1] - j->whole[0];

        for (int side = 0; side < 2; side++) {
                v[side] = j->whole[side];
                for (size_t i = 0; i < j->n; i++)
                        v[side] -= mean(j, j->at[i].self_ns, side);
        }
        report_set(o, "op", json_null());
        if (!by_op) {
                report_set(o, "shape", json_null());
                report_set(o, "layer", json_null());
                report_set(o, "part", json_null());
        }
        report_set(o, "in", json_string("both"));
        report_set(o, "calls", diff_cell(NAN, NAN));
        report_set(o, "self_ns", diff_cell(v[0], v[1]));
        report_set(o, "explains", report_fraction(delta != 0 ? (v[1] - v[0]) / delta : NAN));
        report_set(o, "p", json_null());
        report_set(o, "effect", json_null());
        report_set(o, "p_adjusted", json_null());
        report_set(o, "changed", json_null());
        return o;
}

static bool is_changed(const json_t *ops, const char *op)
{
        const json_t *o;
        size_t i;

        json_array_foreach(ops, i, o)
        {
                const char *name = json_string_value(json_object_get(o, "op"));

                if (name && !strcmp(name, op))
                        return json_is_true(json_object_get(o, "changed"));
        }
        return false;
}

/* `ops`: those that stand; NULL: it is they that are built. */
static int build(struct joints *j, const json_t *ops, json_t **ret)
{
        json_t *list;
        int r = set_apart(j);

        if (!r)
                r = bring_together(j, !ops);

        for (size_t i = 0; !r && i < j->n; i++) {
                struct joint *it = &j->at[i];

                it->tested = !ops || is_changed(ops, it->first->op);
                it->o = build_row(j, it, !ops);
                r = test(j, it, !ops, it->o);
        }
        if (!r)
                r = correct(j);
        if (r)
                return r;
        list = json_array();
        for (size_t i = 0; i < j->n; i++)
                put_correction(&j->at[i]);
        if (j->n)
                qsort(j->at, j->n, sizeof(*j->at), compare);
        for (size_t i = 0; i < j->n; i++)
                json_array_append(list, j->at[i].o);
        json_array_append_new(list, build_rest(j, !ops));
        *ret = list;
        return 0;
}

int diff_put_parts(json_t *document, const struct diff_set *a, const struct diff_set *b,
                   enum diff_basis basis)
{
        struct joints by_op = {.a = a, .b = b, .basis = basis};
        struct joints by_row = by_op;
        json_t *ops = NULL, *rows = NULL, *whole;
        int r;

        if (basis == DIFF_N_BASES) {
                report_set(document, "whole", json_null());
                report_set(document, "ops", json_array());
                report_set(document, "rows", json_array());
                return 0;
        }
        r = build(&by_op, NULL, &ops);
        if (!r)
                r = build(&by_row, ops, &rows);
        if (!r) {
                whole = diff_cell(by_op.whole[0], by_op.whole[1]);
                report_set(whole, "of", json_string(basis == DIFF_BY_TOKEN ? "token" : "run"));
                report_set(whole, "runs_apart",
                           json_pack("{s:i, s:i}", "a", (int)by_op.n_apart[0], "b",
                                     (int)by_op.n_apart[1]));
                report_set(document, "whole", whole);
                report_set(document, "ops", ops);
                report_set(document, "rows", rows);
        }
        if (r)
                json_decref(ops);
        joints_done(&by_op);
        joints_done(&by_row);
        return r;
}
