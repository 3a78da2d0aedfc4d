/* SPDX-License-Identifier: MIT */
/*
 * Quantiles of merged histograms. What stands for a bucket is its middle, at most 0.8 % off; of
 * those that the kernel's programs made, whose buckets are wider, 3.2 %.
 */
#include "common/report-spread.h"

#include <errno.h>
#include <math.h>

#include "common/report-private.h"

void spread_init(struct spread *s)
{
        *s = (struct spread){.min_ns = UINT64_MAX};
}

void spread_done(struct spread *s)
{
        free(s->points.at);
        s->points = (struct points){0};
}

int spread_add_hist(struct spread *s, const uint64_t *hist, uint64_t ticks_per_second)
{
        return hist && ticks_per_second ? points_add_hist(&s->points, hist, ticks_per_second) : 0;
}

int spread_add(struct spread *to, const struct spread *s)
{
        to->count = sum_u64(to->count, s->count);
        to->total_ns = sum_u64(to->total_ns, s->total_ns);
        if (s->min_ns < to->min_ns)
                to->min_ns = s->min_ns;
        if (s->max_ns > to->max_ns)
                to->max_ns = s->max_ns;
        return points_add(&to->points, &s->points);
}

void spread_settle(struct spread *s)
{
        struct points *p = &s->points;

        if (!p->n)
                return;
        points_sort(p);
        if (s->min_ns == UINT64_MAX)
                s->min_ns = p->at[0].ns;
        if (!s->max_ns)
                s->max_ns = p->at[p->n - 1].ns;
        if (s->count) { /* the mean is exact, and the middle of a bucket is not */
                uint64_t mean = s->total_ns / s->count;

                s->min_ns = s->min_ns > mean ? mean : s->min_ns;
                mean += s->total_ns % s->count > 0;
                s->max_ns = s->max_ns < mean ? mean : s->max_ns;
        }
        if (s->max_ns < s->min_ns) /* a file that does not agree with itself */
                s->max_ns = s->min_ns;
}

uint64_t spread_quantile(const struct spread *s, double q)
{
        uint64_t ns = points_quantile(&s->points, q);

        if (!s->points.count)
                return UINT64_MAX;
        return ns < s->min_ns ? s->min_ns : ns > s->max_ns ? s->max_ns : ns;
}

static void put_quantile(json_t *o, const char *key, const struct spread *s, double q)
{
        uint64_t ns = spread_quantile(s, q);

        report_set(o, key, report_integer_or_null(ns != UINT64_MAX, ns));
}

void spread_put(json_t *o, const struct spread *s)
{
        report_set(o, "count", report_integer(s->count));
        report_set(o, "total_ns", report_integer(s->total_ns));
        report_set(o, "mean_ns",
                   report_rounded(s->count ? (double)s->total_ns / (double)s->count : NAN));
        report_set(o, "min_ns", report_integer_or_null(s->min_ns != UINT64_MAX, s->min_ns));
        put_quantile(o, "p50_ns", s, 0.50);
        put_quantile(o, "p95_ns", s, 0.95);
        put_quantile(o, "p99_ns", s, 0.99);
        report_set(o, "max_ns",
                   report_integer_or_null(s->max_ns && s->min_ns != UINT64_MAX, s->max_ns));
}

json_t *spread_build(const struct spread *s)
{
        json_t *o = json_object();

        spread_put(o, s);
        return o;
}
