/* SPDX-License-Identifier: MIT */
/*
 * The verdict: is B faster than A? By the time of a token where both make some, else by wall time.
 *
 * Of several runs a side: Mann and Whitney's test, with Hodges and Lehmann's ratio and its
 * interval. Of one run a side all that can be looked at is how its tokens vary, as a series:
 * medians with intervals by the block bootstrap, and that of their ratio by the method of variance
 * estimates recovery (Zou and Donner, Statistics in Medicine 27 (2008) 1693-1702), on logarithms.
 * That says nothing of how runs vary: so a difference of single runs is said only where it is clear
 * of SINGLE_MARGIN, too.
 */
#include "common/report-diff-measure.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/report-diff-private.h"
#include "common/report-private.h"

#define SINGLE_MARGIN 1.05
#define LEAST_TOKENS  20
#define SEED          20040601

static const char *const words[] = {"faster", "slower", "no difference shown", "not comparable"};

static double token_of(const struct diff_run *run, const void *userdata)
{
        return run->token_ns;
}

static double quickest_of(const struct diff_run *run, const void *userdata)
{
        return run->typical_ns;
}

static double wall_of(const struct diff_run *run, const void *userdata)
{
        return run->wall_ns;
}

/* --- of several runs --- */

static int compare(const struct diff_values *of, struct stats_difference *ret)
{
        int r = stats_compare(ret, of->a, of->n_a, of->b, of->n_b);

        return r > 0 ? -EINVAL : r;
}

/*
 * Where what the quickest tokens take differs more clearly than what they take all in all, it is
 * that which is told, unless the other differs too, and the other way round: that is what is paid.
 */
static bool take_quickest(struct verdict *v, struct stats_difference *d)
{
        struct stats_difference quick;

        if (!v->quick.known || diff_too_few_twice(v->of.n_a, v->of.n_b) ||
            compare(&v->quick, &quick))
                return false;
        if (quick.p >= d->p || (quick.effect * d->effect < 0 && 2 * d->p <= DIFF_LEVEL)) {
                d->p = fmin(2 * d->p, 1);
                return false;
        }
        quick.p = fmin(2 * quick.p, 1);
        if (quick.p > DIFF_LEVEL) {
                d->p = fmin(2 * d->p, 1);
                return false;
        }
        *d = quick;
        return true;
}

/* That of the times that are told, where the interval has room for it; else the test's own. */
static double told_ratio(const struct verdict *v, const struct stats_difference *d)
{
        double ratio = diff_median(v->of.b, v->of.n_b) / diff_median(v->of.a, v->of.n_a);

        return ratio >= d->ratio_interval.low && ratio <= d->ratio_interval.high ? ratio : d->ratio;
}

static int by_runs(struct verdict *v)
{
        struct stats_difference d;
        int r = compare(&v->of, &d);

        if (r)
                return r;
        v->ratio = d.ratio;
        if (diff_too_few(v->of.n_a, v->of.n_b))
                return 0;
        if (take_quickest(v, &d)) {
                struct diff_values mean = v->of;

                v->of = v->quick;
                v->quick = mean;
                v->name = "undisturbed time a token";
        }
        v->by = "runs";
        v->ratio = told_ratio(v, &d);
        v->interval = d.ratio_interval;
        v->p = d.p;
        v->effect = d.effect;
        if (d.p <= DIFF_LEVEL && d.effect != 0)
                v->is = d.effect > 0 ? DIFF_VERDICT_SLOWER : DIFF_VERDICT_FASTER;
        return 0;
}

/* --- of single runs --- */

static int by_tokens(struct verdict *v)
{
        const struct diff_run *runs[] = {v->a->at[0], v->b->at[0]};
        struct stats_intervals to[2];
        double at[2], down, up, ratio;

        v->ratio = v->of.b[0] / v->of.a[0];
        for (int i = 0; i < 2; i++) {
                int r;

                if (!v->tokens || runs[i]->n_series < LEAST_TOKENS)
                        return 0;
                r = stats_intervals(&to[i], runs[i]->series, runs[i]->n_series, 0.95, SEED);
                if (r)
                        return r < 0 ? r : 0;
                at[i] = diff_median(runs[i]->series, runs[i]->n_series);
                if (!(to[i].median.low > 0 && at[i] > 0))
                        return 0;
        }
        ratio = log(at[1] / at[0]);
        down = hypot(log(at[1] / to[1].median.low), log(to[0].median.high / at[0]));
        up = hypot(log(to[1].median.high / at[1]), log(at[0] / to[0].median.low));
        v->by = "tokens";
        v->name = "median time of a token";
        v->of.a[0] = at[0];
        v->of.b[0] = at[1];
        v->ratio = exp(ratio);
        v->interval = (struct stats_interval){exp(ratio - down), exp(ratio + up)};
        if (v->interval.low > SINGLE_MARGIN)
                v->is = DIFF_VERDICT_SLOWER;
        else if (v->interval.high < 1 / SINGLE_MARGIN)
                v->is = DIFF_VERDICT_FASTER;
        return 0;
}

/* --- the parts of the document --- */

static json_t *build_values(const double *values, size_t n)
{
        json_t *list = json_array();

        for (size_t i = 0; i < n; i++)
                json_array_append_new(list, report_rounded(values[i]));
        return list;
}

static json_t *build_measure(const struct verdict *v)
{
        json_t *o = diff_cell(diff_median(v->of.a, v->of.n_a), diff_median(v->of.b, v->of.n_b));

        report_set(o, "name", json_string(v->name));
        report_set(o, "unit", json_string("ns"));
        report_set(o, "p", report_fraction(v->p));
        report_set(o, "effect", report_fraction(v->effect));
        report_set(o, "values",
                   json_pack("{s:o, s:o}", "a", build_values(v->of.a, v->of.n_a), "b",
                             build_values(v->of.b, v->of.n_b)));
        return o;
}

static json_t *build_speedup(const struct verdict *v)
{
        json_t *o = json_object();

        report_set(o, "ratio", report_fraction(1 / v->ratio));
        report_set(o, "low", report_fraction(1 / v->interval.high));
        report_set(o, "high", report_fraction(1 / v->interval.low));
        report_set(o, "by", v->by ? json_string(v->by) : json_null());
        return o;
}

static int judge(struct verdict *v)
{
        bool single = v->a->n == 1 && v->b->n == 1;
        int r = 0;

        v->ratio = v->p = v->effect = NAN;
        v->interval = (struct stats_interval){NAN, NAN};
        v->is = DIFF_VERDICT_NONE;
        if (v->of.known)
                r = single ? by_tokens(v) : by_runs(v);
        if (!v->of.known || diff_other_machines(v->a, v->b))
                v->is = DIFF_VERDICT_NOT_COMPARABLE;
        return r;
}

static bool has_basis(const struct diff_set *a, const struct diff_set *b, enum diff_basis basis)
{
        bool any[2] = {false, false}, whole = true;

        for (size_t i = 0; i < a->n + b->n; i++) {
                const struct diff_rows *rows =
                        &(i < a->n ? a->at[i] : b->at[i - a->n])->rows[basis];

                any[i >= a->n] |= rows->n > 0;
                whole &= isfinite(rows->whole_ns) != 0;
        }
        return whole && (any[0] || any[1]);
}

int diff_put_verdict(json_t *document, const struct diff_set *a, const struct diff_set *b,
                     enum diff_by by, enum diff_basis *ret_basis)
{
        struct verdict v = {.a = a, .b = b};
        _cleanup_(freep) char *why = NULL;
        int r = diff_values_of(&v.of, a, b, token_of, NULL);

        v.tokens = v.of.known && by != DIFF_BY_WALL;
        if (!r && !v.tokens) {
                diff_values_done(&v.of);
                r = diff_values_of(&v.of, a, b, wall_of, NULL);
                v.lacks_tokens = by == DIFF_BY_TOKENS;
                if (!r && v.lacks_tokens)
                        v.of.known = false;
        }
        v.name = v.tokens ? "time a token" : "wall time";
        if (!r && v.tokens)
                r = diff_values_of(&v.quick, a, b, quickest_of, NULL);
        if (!r)
                r = judge(&v);
        why = r ? NULL : diff_because(&v);
        if (!r && !why)
                r = -ENOMEM;
        if (!r) {
                report_set(document, "first", diff_first(&v));
                report_set(document, "verdict", json_string(words[v.is]));
                report_set(document, "because", json_string(why));
                report_set(document, "measure", v.of.known ? build_measure(&v) : json_null());
                report_set(document, "speedup", v.of.known ? build_speedup(&v) : json_null());
                *ret_basis = v.tokens && has_basis(a, b, DIFF_BY_TOKEN) ? DIFF_BY_TOKEN
                             : has_basis(a, b, DIFF_BY_RUN)             ? DIFF_BY_RUN
                                                                        : DIFF_N_BASES;
        }
        diff_values_done(&v.of);
        diff_values_done(&v.quick);
        return r;
}
