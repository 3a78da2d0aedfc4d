/* SPDX-License-Identifier: MIT */
/*
 * What follows from figures: means, deviations, quantiles, and estimates for
 * ops of which only some calls were timed.
 */
#include "common/report-private.h"

#include <math.h>
#include <stdlib.h>

#include "common/hist.h"

static int compare_point(const void *a, const void *b)
{
        const struct point *p = a, *q = b;

        return p->ns < q->ns ? -1 : p->ns > q->ns;
}

void points_sort(struct points *p)
{
        if (p->n)
                qsort(p->at, p->n, sizeof(*p->at), compare_point);
}

uint64_t points_quantile(const struct points *p, double q)
{
        uint64_t rank = hist_rank(q, p->count), seen = 0, ns = 0;

        for (size_t i = 0; i < p->n && seen < rank; i++) {
                ns = p->at[i].ns;
                seen = sum_u64(seen, p->at[i].count);
        }
        return ns;
}

uint64_t figures_quantile(const struct figures *f, double q)
{
        uint64_t ns = points_quantile(&f->points, q);

        if (f->min_ns != UINT64_MAX && ns < f->min_ns)
                return f->min_ns;
        return f->max_ns && ns > f->max_ns ? f->max_ns : ns;
}

/* Standard deviation of the calls in the histogram; NaN: none there. */
static double deviation(const struct figures *f)
{
        double n = 0, mean = 0, variance = 0;

        if (!f->points.count)
                return NAN;
        if (f->min_ns == f->max_ns)
                return 0;
        n = (double)f->points.count;
        if (f->sums_known) {
                mean = f->sum_ns / n;
                variance = f->sumsq_ns2 / n - mean * mean;
                /* Rounding may leave a little less than nothing; more than that is no sum of ours.
                 */
                if (variance > -1e-9 * mean * mean)
                        return sqrt(variance > 0 ? variance : 0);
        }
        mean = variance = 0;
        for (size_t i = 0; i < f->points.n; i++)
                mean += (double)f->points.at[i].ns * (double)f->points.at[i].count / n;
        for (size_t i = 0; i < f->points.n; i++) {
                double d = (double)f->points.at[i].ns - mean;

                variance += d * d * (double)f->points.at[i].count / n;
        }
        return sqrt(variance);
}

static uint64_t scaled(uint64_t v, uint64_t by, uint64_t over)
{
        unsigned __int128 p = (unsigned __int128)v * by / over;

        return p > INT64_MAX ? INT64_MAX : (uint64_t)p;
}

/*
 * What a hot op's timed calls say about all of them, phase by phase, since calls take
 * longer in one than in another. In a phase where none was timed, all phases together have to do.
 */
static void estimate(struct summary *s, const struct figures *parts, size_t n,
                     const struct figures *sum)
{
        for (size_t i = 0; i < n; i++) {
                uint64_t calls = sum_u64(parts[i].timed, parts[i].untimed);

                if (parts[i].untimed && !parts[i].timed) {
                        s->total_ns = scaled(sum->total_ns, s->calls, sum->timed);
                        s->child_ns = scaled(sum->child_ns, s->calls, sum->timed);
                        return;
                }
                if (parts[i].timed) {
                        s->total_ns = sum_u64(s->total_ns,
                                              scaled(parts[i].total_ns, calls, parts[i].timed));
                        s->child_ns = sum_u64(s->child_ns,
                                              scaled(parts[i].child_ns, calls, parts[i].timed));
                }
        }
}

int summary_init(struct summary *s, const struct figures *parts, size_t n, bool hot)
{
        struct figures *f = &s->sum;

        *s = (struct summary){0};
        figures_init(f);
        for (size_t i = 0; i < n; i++) {
                int r = figures_add(f, &parts[i]);

                if (r)
                        return r;
        }
        points_sort(&f->points);
        s->calls = sum_u64(f->timed, f->untimed);
        s->estimated = hot && f->untimed && f->timed;
        s->times_known = f->timed || !f->untimed;
        if (s->estimated) {
                estimate(s, parts, n, f);
        } else {
                s->total_ns = f->total_ns;
                s->child_ns = f->child_ns;
        }
        s->self_known = s->times_known && s->child_ns <= s->total_ns;
        s->stddev_ns = deviation(f);
        s->mean_ns = !f->timed      ? NAN
                     : s->estimated ? (double)s->total_ns / (double)s->calls
                                    : (double)f->total_ns / (double)f->timed;
        if (s->estimated && s->mean_ns > 0) {
                /* 95 % bound of a mean from a sample of a finite population */
                double left_out = (double)f->untimed / (double)s->calls;

                s->error =
                        1.96 * s->stddev_ns / s->mean_ns / sqrt((double)f->timed) * sqrt(left_out);
        }
        return 0;
}

void summary_done(struct summary *s)
{
        figures_done(&s->sum);
}
