/* SPDX-License-Identifier: MIT */
/*
 * One value a run, and whether the values of two sides differ. Means are over runs, so that what
 * sums within each run sums over them too; tests are by ranks, and ask nothing of how times are
 * distributed.
 */
#include "common/report-diff-measure.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "common/report-diff-private.h"
#include "common/report-private.h"

int diff_values_of(struct diff_values *ret, const struct diff_set *a, const struct diff_set *b,
                   diff_value_fn fn, const void *userdata)
{
        struct diff_values v = {.n_a = a->n, .n_b = b->n, .known = true};

        v.a = calloc(a->n + b->n + 1, sizeof(*v.a));
        if (!v.a)
                return -ENOMEM;
        v.b = v.a + a->n;
        for (size_t i = 0; i < a->n + b->n; i++) {
                v.a[i] = fn(i < a->n ? a->at[i] : b->at[i - a->n], userdata);
                v.known &= isfinite(v.a[i]) != 0;
        }
        *ret = v;
        return 0;
}

void diff_values_done(struct diff_values *v)
{
        free(v->a);
        *v = (struct diff_values){0};
}

/* Of sides all apart: 2 / (n_a + n_b over n_a). */
static double smallest_p(size_t n_a, size_t n_b)
{
        double ways = 1;

        for (size_t i = 1; i <= n_a && ways < 1e9; i++)
                ways *= (double)(n_b + i) / (double)i;
        return 2 / ways;
}

bool diff_too_few(size_t n_a, size_t n_b)
{
        return smallest_p(n_a, n_b) > DIFF_LEVEL;
}

bool diff_too_few_twice(size_t n_a, size_t n_b)
{
        return 2 * smallest_p(n_a, n_b) > DIFF_LEVEL;
}

static int test(const struct diff_values *v, struct stats_difference *ret)
{
        int r;

        *ret = (struct stats_difference){.p = NAN, .effect = NAN};
        if (!v || !v->known || diff_too_few(v->n_a, v->n_b))
                return 0;
        r = stats_compare(ret, v->a, v->n_a, v->b, v->n_b);
        return r > 0 ? -EINVAL : r;
}

int diff_put_test(json_t *o, const struct diff_values *v, const struct diff_values *also,
                  double *ret_p)
{
        struct stats_difference d, more;
        int r = test(v, &d);

        if (!r)
                r = test(diff_too_few_twice(v->n_a, v->n_b) ? NULL : also, &more);
        if (r)
                return r;
        if (!isnan(more.p)) {
                if (isnan(d.p) || more.p < d.p)
                        d = more;
                d.p = fmin(2 * d.p, 1);
        }
        report_set(o, "p", report_fraction(d.p));
        report_set(o, "effect", report_fraction(d.effect));
        *ret_p = d.p;
        return 0;
}

double diff_median(const double *values, size_t n)
{
        struct stats_summary s;

        return n && !stats_summarise(&s, values, n) ? s.median : NAN;
}
