/* SPDX-License-Identifier: MIT */
/*
 * Where a series settles. The sum of the first t ranks tells whether they are of another level than
 * the rest (Pettitt, Applied Statistics 28 (1979) 126-135); over its standard deviation, so that a
 * change near the beginning, which is where warm-ups end, is found as well as one in the middle:
 *
 *   z(t) = |2 R(t) - t (n + 1)| / sqrt(t (n - t) (n + 1) / 3)
 *
 * The largest within the first half counts where its p, times the number of places that were
 * looked at, is below 0.01. Where later neighbours correlate, ranks wander by themselves, and z is
 * taken down by what that does to the variance of a mean.
 *
 * Ranks cannot tell a few values from chance, nor how far a step goes where later values wander:
 * those at the beginning are warm-up, too, where they are above all later ones and far from them
 * (twice what makes an outlier).
 */
#include "common/stats.h"

#include "common/cleanup.h"
#include "common/stats-private.h"

#define FALSE_ALARM 0.01
#define FAR         7.0
#define MOST_SINGLE 5

static double median_of(const double *values, size_t n)
{
        _cleanup_(freep) double *sorted = stats_sorted_copy(values, n);

        return sorted && n ? stats_quantile(sorted, n, 0.5) : NAN;
}

static bool other_level(const double *series, size_t n, size_t t, double least)
{
        double before = median_of(series, t), after = median_of(series + t, n - t);

        return fabs(before - after) > least * fabs(after);
}

static size_t by_ranks(const double *series, size_t n, double least)
{
        _cleanup_(freep) double *ranks = stats_ranks(series, n, NULL);
        double sum = 0, best = 0, count = (double)n, phi;
        size_t at = 0;

        if (!ranks)
                return 0;
        for (size_t t = 1; t <= n / 2; t++) {
                double k = (double)t, z;

                sum += ranks[t - 1];
                z = fabs(2 * sum - k * (count + 1)) / sqrt(k * (count - k) * (count + 1) / 3);
                if (z > best) {
                        best = z;
                        at = t;
                }
        }
        phi = stats_neighbours(ranks + at, n - at);
        phi = phi < 0 ? 0 : phi > 0.9 ? 0.9 : phi;
        best *= sqrt((1 - phi) / (1 + phi));
        if (!at || erfc(best / sqrt(2)) * (count / 2) >= FALSE_ALARM)
                return 0;
        return other_level(series, n, at, least) ? at : 0;
}

/* Are the first t above all the others, and far from them? */
static bool stand_off(const double *series, size_t n, size_t t, double least)
{
        const double *rest = series + t;
        _cleanup_(freep) double *sorted = stats_sorted_copy(rest, n - t);
        _cleanup_(freep) double *away = calloc(n - t + 1, sizeof(*away));
        double lowest = series[0], middle;

        if (!sorted || !away)
                return false;
        for (size_t i = 1; i < t; i++)
                lowest = fmin(lowest, series[i]);
        if (lowest <= sorted[n - t - 1])
                return false;
        middle = stats_quantile(sorted, n - t, 0.5);
        for (size_t i = 0; i < n - t; i++)
                away[i] = fabs(rest[i] - middle);
        return lowest - middle > FAR * median_of(away, n - t) / 0.6745 &&
               lowest - middle > least * fabs(middle);
}

/* Where, in the first half, all before are furthest above all later ones; 0: nowhere. */
static size_t widest_gap(const double *series, size_t n)
{
        _cleanup_(freep) double *above = calloc(n + 1, sizeof(*above));
        double lowest = INFINITY, widest = 0;
        size_t at = 0;

        if (!above)
                return 0;
        above[n] = -INFINITY;
        for (size_t i = n; i-- > 0;)
                above[i] = fmax(above[i + 1], series[i]);
        for (size_t t = 1; t <= n / 2; t++) {
                lowest = fmin(lowest, series[t - 1]);
                if (lowest - above[t] > widest) {
                        widest = lowest - above[t];
                        at = t;
                }
        }
        return at;
}

static size_t by_distance(const double *series, size_t n, double least)
{
        size_t t = widest_gap(series, n);

        if (t && stand_off(series, n, t, least))
                return t;
        t = n / 4 < MOST_SINGLE ? n / 4 : MOST_SINGLE;
        while (t && !stand_off(series, n, t, least))
                t--;
        return t;
}

size_t stats_warmup(const double *series, size_t n, double least)
{
        size_t a, b;

        if (n < 8)
                return 0;
        a = by_ranks(series, n, least);
        b = by_distance(series, n, least);
        return a > b ? a : b;
}
