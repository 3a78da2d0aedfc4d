/* SPDX-License-Identifier: MIT */
/*
 * What a set of values is: order, quantiles, ranks, moments, and those that are far from the rest.
 * Nothing here depends on the order in which values were measured.
 */
#include "common/stats.h"

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/stats-private.h"

/* Of a normal distribution, the median absolute deviation is so much of the standard deviation. */
#define MAD_OF_SIGMA 0.6744897501960817

static int compare(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

void stats_sort(double *values, size_t n)
{
        if (n > 1)
                qsort(values, n, sizeof(*values), compare);
}

double *stats_sorted_copy(const double *values, size_t n)
{
        double *copy = calloc(n + 1, sizeof(*copy));

        if (copy && n) {
                memcpy(copy, values, n * sizeof(*copy));
                stats_sort(copy, n);
        }
        return copy;
}

double stats_quantile(const double *sorted, size_t n, double q)
{
        double at = q * (double)(n - 1);
        size_t i = at <= 0 ? 0 : (size_t)at;

        if (i + 1 >= n)
                return sorted[n - 1];
        return sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]);
}

/* The mean first, so that the sum of squares loses nothing to it. */
static void moments(struct stats_summary *s, const double *values, size_t n)
{
        double sum = 0, squares = 0;

        for (size_t i = 0; i < n; i++)
                sum += values[i];
        s->mean = sum / (double)n;
        for (size_t i = 0; i < n; i++)
                squares += (values[i] - s->mean) * (values[i] - s->mean);
        s->stddev = n > 1 ? sqrt(squares / (double)(n - 1)) : NAN;
}

int stats_summarise(struct stats_summary *ret, const double *values, size_t n)
{
        _cleanup_(freep) double *sorted = stats_sorted_copy(values, n);
        struct stats_summary s = {.n = n};

        if (!sorted)
                return -ENOMEM;
        moments(&s, sorted, n);
        s.min = sorted[0];
        s.max = sorted[n - 1];
        s.median = stats_quantile(sorted, n, 0.5);
        s.p95 = stats_quantile(sorted, n, 0.95);
        s.p99 = stats_quantile(sorted, n, 0.99);
        *ret = s;
        return 0;
}

struct ranked {
        double value;
        size_t at;
};

static int compare_ranked(const void *a, const void *b)
{
        const struct ranked *p = a, *q = b;

        if (p->value != q->value)
                return p->value < q->value ? -1 : 1;
        return (p->at > q->at) - (p->at < q->at);
}

double *stats_ranks(const double *values, size_t n, double *ret_ties)
{
        _cleanup_(freep) struct ranked *order = calloc(n + 1, sizeof(*order));
        double *ranks = calloc(n + 1, sizeof(*ranks)), ties = 0;

        if (!order || !ranks)
                return free(ranks), NULL;
        for (size_t i = 0; i < n; i++)
                order[i] = (struct ranked){values[i], i};
        qsort(order, n, sizeof(*order), compare_ranked);
        for (size_t i = 0, end; i < n; i = end) {
                for (end = i + 1; end < n && order[end].value == order[i].value; end++)
                        ;
                for (size_t k = i; k < end; k++)
                        ranks[order[k].at] = (double)(i + 1 + end) / 2;
                ties += pow((double)(end - i), 3) - (double)(end - i);
        }
        if (ret_ties)
                *ret_ties = ties;
        return ranks;
}

double stats_neighbours(const double *series, size_t n)
{
        double mean = 0, own = 0, both = 0;

        for (size_t i = 0; i < n; i++)
                mean += series[i] / (double)n;
        for (size_t i = 0; i < n; i++) {
                own += (series[i] - mean) * (series[i] - mean);
                if (i)
                        both += (series[i] - mean) * (series[i - 1] - mean);
        }
        return own > 0 ? both / own : 0;
}

/* Where more than half of the values are the same, the mean deviation stands for the median one
 * (1.2533 of it is sigma of a normal distribution). */
static double scale(const double *values, size_t n, double median, double *deviations)
{
        double sum = 0;

        for (size_t i = 0; i < n; i++) {
                deviations[i] = fabs(values[i] - median);
                sum += deviations[i];
        }
        stats_sort(deviations, n);
        if (stats_quantile(deviations, n, 0.5) > 0)
                return stats_quantile(deviations, n, 0.5) / MAD_OF_SIGMA;
        return sum / (double)n * 1.2533141373155;
}

size_t stats_outliers(const double *values, size_t n, double k, bool *ret)
{
        _cleanup_(freep) double *sorted = stats_sorted_copy(values, n);
        double median, sigma;
        size_t found = 0;

        if (ret)
                memset(ret, 0, n * sizeof(*ret));
        if (!sorted || n < 3)
                return 0;
        median = stats_quantile(sorted, n, 0.5);
        sigma = scale(values, n, median, sorted);
        for (size_t i = 0; i < n; i++) {
                if (fabs(values[i] - median) <= k * sigma)
                        continue;
                found++;
                if (ret)
                        ret[i] = true;
        }
        return found;
}
