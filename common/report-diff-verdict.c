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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/fmt.h"
#include "common/report-diff-private.h"
#include "common/report-private.h"

#define SINGLE_MARGIN 1.05
#define LEAST_TOKENS  20
#define SEED          20040601

struct verdict {
        const struct diff_set *a, *b;
        bool tokens;              /* by the time of a token; else by wall time */
        struct diff_values of;    /* that time */
        struct diff_values quick; /* of a token, what the quickest of them take: known or not */
        const char *name;         /* of the time that is told */
        double ratio;             /* b / a */
        struct stats_interval interval;
        double p, effect;
        const char *by; /* "runs", "tokens"; NULL: nothing tells */
        int is;
};

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

static double median(const double *values, size_t n)
{
        struct stats_summary s;

        return n && !stats_summarise(&s, values, n) ? s.median : NAN;
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
                d->p = quick.p;
                return false;
        }
        *d = quick;
        return true;
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
        v->ratio = d.ratio;
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
                at[i] = median(runs[i]->series, runs[i]->n_series);
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

/* --- what comes first --- */

static const char *engine_of(const struct diff_set *set)
{
        return set->at[0]->engine;
}

/* Two sides are of one machine where no run of one is of another than some run of the other. */
static bool differ(const struct diff_set *a, const struct diff_set *b,
                   const char *(*of)(const struct diff_run *))
{
        const char *first = NULL;

        for (size_t i = 0; i < a->n + b->n; i++) {
                const char *it = of(i < a->n ? a->at[i] : b->at[i - a->n]);

                if (!it)
                        continue;
                if (first && strcmp(first, it) != 0)
                        return true;
                first = it;
        }
        return false;
}

static const char *run_engine(const struct diff_run *run)
{
        return run->engine;
}

static const char *run_machine(const struct diff_run *run)
{
        return run->machine;
}

static bool any_tokens(const struct diff_set *set)
{
        for (size_t i = 0; i < set->n; i++)
                if (isfinite(set->at[i]->token_ns))
                        return true;
        return false;
}

static json_t *build_first(const struct verdict *v)
{
        json_t *first = json_array();

        if (differ(v->a, v->b, run_machine))
                report_note(first, "the runs are of different machines: their times tell of these, "
                                   "not of what was changed");
        if (differ(v->a, v->b, run_engine)) {
                const char *p = engine_of(v->a), *q = engine_of(v->b);

                if (p && q && strcmp(p, q) != 0)
                        report_note(first,
                                    "the runs are of different engines, %s and %s: ops of the "
                                    "one are not those of the other",
                                    p, q);
                else
                        report_note(first, "a side has runs of different engines");
        }
        if (any_tokens(v->a) != any_tokens(v->b))
                report_note(first,
                            "%s makes tokens, as far as infprof knows the engine, and %s does "
                            "not: they are compared by their wall time",
                            any_tokens(v->a) ? "A" : "B", any_tokens(v->a) ? "B" : "A");
        return first;
}

/* --- in one line --- */

static void say_measure(const struct verdict *v, char *buf, size_t size)
{
        char a[FMT_SIZE], b[FMT_SIZE];
        double x = median(v->of.a, v->of.n_a), y = median(v->of.b, v->of.n_b);

        snprintf(buf, size, "%s %s in A, %s in B", v->name, fmt_ns(a, (uint64_t)llround(x)),
                 fmt_ns(b, (uint64_t)llround(y)));
}

static char *because(const struct verdict *v)
{
        char times[160], *s = NULL;
        size_t n_a = v->a->n, n_b = v->b->n;

        if (v->is == DIFF_VERDICT_NOT_COMPARABLE) {
                if (!v->of.known)
                        return strdup(
                                "neither the time of a token nor wall time is known of all runs");
                return strdup("they ran on different machines");
        }
        say_measure(v, times, sizeof(times));
        if (!v->by && n_a == 1 && n_b == 1)
                return asprintf(&s,
                                "%s; one run a side does not tell how much runs differ by "
                                "themselves",
                                times) < 0
                               ? NULL
                               : s;
        if (!v->by)
                return asprintf(&s,
                                "%s; %zu and %zu runs are too few to tell: 4 a side is the least",
                                times, n_a, n_b) < 0
                               ? NULL
                               : s;
        if (!strcmp(v->by, "tokens"))
                return asprintf(&s,
                                "%s; B is %.3gx as fast (%.3gx to %.3gx by how tokens vary within "
                                "the two runs, which tells nothing of how runs vary)",
                                times, 1 / v->ratio, 1 / v->interval.high, 1 / v->interval.low) < 0
                               ? NULL
                               : s;
        return asprintf(&s, "%s; B is %.3gx as fast (%.3gx to %.3gx), p = %.2g, %zu and %zu runs",
                        times, 1 / v->ratio, 1 / v->interval.high, 1 / v->interval.low, v->p, n_a,
                        n_b) < 0
                       ? NULL
                       : s;
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
        json_t *o = diff_cell(median(v->of.a, v->of.n_a), median(v->of.b, v->of.n_b));

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
        if (!v->of.known || differ(v->a, v->b, run_machine))
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
                if (!r && by == DIFF_BY_TOKENS)
                        v.of.known = false;
        }
        v.name = v.tokens ? "time a token" : "wall time";
        if (!r && v.tokens)
                r = diff_values_of(&v.quick, a, b, quickest_of, NULL);
        if (!r)
                r = judge(&v);
        why = r ? NULL : because(&v);
        if (!r && !why)
                r = -ENOMEM;
        if (!r) {
                report_set(document, "first", build_first(&v));
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
