/* SPDX-License-Identifier: MIT */
/*
 * How long blocks must be so that what is drawn in them depends on itself as the series does.
 * Politis and White, Econometric Reviews 23 (2004) 53-70, section 3.2 with the implied
 * hypothesis test of its appendix, and the corrected constant of Patton, Politis and White,
 * Econometric Reviews 28 (2009) 372-375:
 *
 *   b = (2 G^2 / D)^(1/3) n^(1/3)     G = sum of lambda(k/M) |k| R(k)
 *                                     D = 2 (sum of lambda(k/M) R(k))^2
 *
 * over k of -M..M, with the trapezoidal window lambda; M is twice the lag beyond which no
 * autocorrelation is worth mentioning.
 */
#include "common/stats.h"

#include "common/cleanup.h"
#include "common/stats-private.h"

static double covariance(const double *series, size_t n, double mean, size_t lag)
{
        double sum = 0;

        for (size_t i = lag; i < n; i++)
                sum += (series[i] - mean) * (series[i - lag] - mean);
        return sum / (double)n;
}

/* The last lag before `quiet` ones in a row, none of which exceeds `band`; else the last that does.
 */
static size_t last_lag(const double *r, size_t n_lags, size_t quiet, double band)
{
        size_t last = 0;

        for (size_t k = 1; k < n_lags; k++) {
                if (fabs(r[k]) >= band * r[0])
                        last = k;
                else if (k - last >= quiet)
                        break;
        }
        return last;
}

static double window(double t)
{
        return t <= 0.5 ? 1 : t <= 1 ? 2 * (1 - t) : 0;
}

static double choose(const double *r, size_t m, size_t n)
{
        double g = 0, spectrum = r[0], b, most = ceil(fmin(3 * sqrt((double)n), (double)n / 3));

        for (size_t k = 1; k <= m; k++) {
                double weight = window((double)k / (double)m);

                g += 2 * weight * (double)k * r[k];
                spectrum += 2 * weight * r[k];
        }
        if (!(spectrum > 0))
                return most > 1 ? most : 1;
        b = cbrt(g * g / (spectrum * spectrum) * (double)n);
        return b < 1 ? 1 : b > most ? fmax(most, 1) : b;
}

double stats_block_length(const double *series, size_t n)
{
        size_t quiet = (size_t)fmax(5, ceil(sqrt(log10((double)n + 1))));
        size_t n_lags = (size_t)ceil(sqrt((double)n)) + 2 * quiet, m;
        double band = 2 * sqrt(log10((double)n + 1) / ((double)n + 1)), mean = 0;
        _cleanup_(freep) double *r = calloc(n_lags + 1, sizeof(*r));

        if (!r || n < 4)
                return 1;
        for (size_t i = 0; i < n; i++)
                mean += series[i] / (double)n;
        for (size_t k = 0; k <= n_lags && k < n; k++)
                r[k] = covariance(series, n, mean, k);
        if (!(r[0] > 0))
                return 1;
        m = last_lag(r, n_lags, quiet, band);
        m = m ? 2 * m : 1;
        return choose(r, m < n_lags ? m : n_lags, n);
}
