/* SPDX-License-Identifier: MIT */
/*
 * Memory against tokens: `per_token`, what one decoded token allocates, and `kv`, by how much live
 * memory grows with each.
 *
 * The growth is the slope of a least-squares line through (token, live bytes). A context that is
 * freed makes live bytes fall all at once; a line across that would say nothing, so points are cut
 * there, and the longest stretch is fitted. A fall is such a cut when it is 64 KiB at least and
 * eight times what live bytes move by from point to point on the whole (the median).
 */
#include "common/report-memory-private.h"

#include <errno.h>
#include <math.h>

#include "common/cleanup.h"
#include "common/hist.h"
#include "common/report-private.h"

#define MIN_POINTS     8
#define MIN_FALL_BYTES 65536
#define FALL_FACTOR    8

/* Of tokens by count or by bytes. Up to 127 buckets are single values; above that, 0.8 % wide. */
static json_t *build_distribution(uint64_t sum, uint64_t n, const uint64_t *hist)
{
        uint64_t counted = 0, top = 0;
        json_t *o = json_object();
        bool known;

        for (uint32_t i = 0; i < IFP_HIST_BUCKETS; i++)
                if (hist[i]) {
                        counted = sum_u64(counted, hist[i]);
                        top = hist_middle(i);
                }
        known = counted && counted < INT64_MAX;
        /* one token cannot have more than all */
        top = top > sum ? sum : top;
        report_set(o, "mean", report_fraction((double)sum / (double)n));
        report_set(o, "p50",
                   known ? report_integer(hist_quantile(hist, 0.50, 0, top)) : json_null());
        report_set(o, "p99",
                   known ? report_integer(hist_quantile(hist, 0.99, 0, top)) : json_null());
        report_set(o, "max", report_integer_or_null(known, top));
        return o;
}

json_t *memory_build_per_token(const struct memory *m)
{
        const struct memory_tokens *t = &m->tokens;
        json_t *o;

        if (!t->n || m->windowed)
                return json_null();
        o = json_object();
        report_set(o, "tokens", report_integer(t->n));
        report_set(o, "calls", build_distribution(t->calls, t->n, t->calls_hist));
        report_set(o, "bytes", build_distribution(t->asked_bytes, t->n, t->bytes_hist));
        report_set(o, "tokens_without_allocation", report_integer(t->n_calls_zero));
        return o;
}

static int compare_double(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return x < y ? -1 : x > y;
}

static double step(const struct memory_point *p)
{
        return (double)p[1].live_bytes - (double)p[0].live_bytes;
}

/* The largest fall that is still noise. NaN: no memory. */
static double noise(const struct memory_point *p, size_t n)
{
        _cleanup_(freep) double *steps = calloc(n, sizeof(*steps));
        double limit;

        if (!steps)
                return NAN;
        for (size_t i = 0; i + 1 < n; i++)
                steps[i] = fabs(step(&p[i]));
        qsort(steps, n - 1, sizeof(*steps), compare_double);
        limit = FALL_FACTOR * steps[(n - 1) / 2];
        return limit > MIN_FALL_BYTES ? limit : MIN_FALL_BYTES;
}

/* The longest stretch without a fall; the first of several. */
static int longest_stretch(const struct memory_point **p, size_t *n, size_t *ret_resets)
{
        const struct memory_point *at = *p;
        size_t best = 0, first_best = 0, first = 0, resets = 0;
        double limit = *n > 1 ? noise(at, *n) : 0;

        if (isnan(limit))
                return -ENOMEM;
        for (size_t i = 0; i < *n; i++) {
                bool falls = i + 1 < *n && -step(&at[i]) >= limit;

                if (i + 1 - first > best) {
                        best = i + 1 - first;
                        first_best = first;
                }
                if (falls) {
                        resets++;
                        first = i + 1;
                }
        }
        *p = at + first_best;
        *n = best;
        *ret_resets = resets;
        return 0;
}

/* Draper and Smith, Applied Regression Analysis, 1.2 and 1.4: about the means, so that large
 * numbers do not cancel. */
static json_t *fit(const struct memory_point *p, size_t n)
{
        double x = 0, y = 0, sxx = 0, sxy = 0, syy = 0, slope, rest;
        json_t *o = json_object();

        for (size_t i = 0; i < n; i++) {
                x += ((double)p[i].token - (double)p[0].token) / (double)n;
                y += ((double)p[i].live_bytes - (double)p[0].live_bytes) / (double)n;
        }
        for (size_t i = 0; i < n; i++) {
                double dx = (double)p[i].token - (double)p[0].token - x;
                double dy = (double)p[i].live_bytes - (double)p[0].live_bytes - y;

                sxx += dx * dx;
                sxy += dx * dy;
                syy += dy * dy;
        }
        slope = sxy / sxx;
        rest = syy - slope * sxy;
        rest = rest > 0 ? rest : 0; /* rounding */
        report_set(o, "points", report_integer(n));
        report_set(o, "from_token", report_integer(p[0].token));
        report_set(o, "to_token", report_integer(p[n - 1].token));
        report_set(o, "bytes_per_token", report_fraction(slope));
        report_set(o, "stderr_bytes_per_token",
                   report_fraction(sqrt(rest / (double)(n - 2) / sxx)));
        report_set(o, "r2", report_fraction(syy > 0 ? 1 - rest / syy : NAN));
        return o;
}

int memory_build_kv(struct memory *m, json_t **ret)
{
        const struct memory_point *p = NULL;
        size_t n = 0, next;
        int r;

        /* the process that has most of them */
        for (size_t i = 0; i < m->n_points; i = next) {
                for (next = i;
                     next < m->n_points && m->points[next].process == m->points[i].process; next++)
                        ;
                if (next - i > n) {
                        n = next - i;
                        p = &m->points[i];
                }
        }
        r = n ? longest_stretch(&p, &n, &m->n_kv_resets) : 0;
        if (r)
                return r;
        *ret = n >= MIN_POINTS ? fit(p, n) : json_null();
        if (n >= MIN_POINTS)
                report_set(*ret, "resets", report_integer(m->n_kv_resets));
        return 0;
}
