/* SPDX-License-Identifier: MIT */
/*
 * How often intervals of the median, as infprof bench tells them, hold what they say: series are
 * drawn whose median is known, of values that do not depend on each other and of such that do (an
 * autoregression), symmetric and skewed, short and long. A line of JSON a kind of series: the share
 * of intervals that have the true median in them, in percent; 93 to 97 are wanted of 95.
 *
 * The error of a share itself is 0.5 % with 2,000 series. intervals [SERIES [SEED]]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/stats.h"

#define BUDGET 2.0
#define MAX_N  400
#define SPREAD 2.0 /* percent: the standard deviation of what is to become stable */

static uint64_t state = 1;

static double uniform(void)
{
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        return ((double)(state >> 12) + 0.5) * 0x1p-52;
}

static double normal(void)
{
        double r = sqrt(-2 * log(uniform()));

        return r * cos(2 * M_PI * uniform());
}

/* An autoregression of phi with normal steps, of variance 1; `skewed`: its exponential. */
static void draw(double *series, size_t n, double phi, bool skewed)
{
        double x = normal();

        for (size_t i = 0; i < n; i++) {
                series[i] = 100 + (skewed ? exp(x) : x);
                x = phi * x + sqrt(1 - phi * phi) * normal();
        }
}

/* In percent of `times` series. */
static double coverage(size_t n, double phi, bool skewed, int times, double *ret_width)
{
        double series[MAX_N], median = skewed ? 101 : 100, width = 0;
        int held = 0;

        for (int i = 0; i < times; i++) {
                struct stats_intervals is;

                draw(series, n, phi, skewed);
                if (stats_intervals(&is, series, n, 0.95, (uint64_t)i + 1) != 0)
                        exit(1);
                held += is.median.low <= median && median <= is.median.high;
                width += is.median.high - is.median.low;
        }
        *ret_width = width / times;
        return 100.0 * held / times;
}

/* The same where one goes on until the interval is narrower than 2 %, as --until-stable does. */
static double coverage_until_stable(double phi, int times, double *ret_n)
{
        double series[MAX_N], all = 0;
        int held = 0;

        for (int i = 0; i < times; i++) {
                struct stats_intervals is = {0};
                int narrow = 0;
                size_t n = 10;

                draw(series, MAX_N, phi, false);
                for (size_t k = 0; k < MAX_N; k++)
                        series[k] = 100 + SPREAD * (series[k] - 100);
                for (;; n += n / 4 + 1) {
                        n = n < MAX_N ? n : MAX_N;
                        if (stats_intervals(&is, series, n, 0.95, (uint64_t)i + 1) != 0)
                                exit(1);
                        narrow = is.median.high - is.median.low < 2 ? narrow + 1 : 0;
                        if (narrow == 2 || n == MAX_N)
                                break;
                }
                held += is.median.low <= 100 && 100 <= is.median.high;
                all += (double)n;
        }
        *ret_n = all / times;
        return 100.0 * held / times;
}

int main(int argc, char **argv)
{
        static const struct {
                size_t n;
                double phi;
                bool skewed;
        } kinds[] = {{10, 0, false},   {10, 0.5, false},  {20, 0, false},    {20, 0.5, false},
                     {50, 0, true},    {50, 0.5, false},  {50, 0.3, true},   {100, 0, false},
                     {100, 0.5, true}, {100, 0.7, false}, {200, 0.6, false}, {400, 0.8, false}};
        int times = argc > 1 ? atoi(argv[1]) : 2000;

        state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
        for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
                double width,
                        share = coverage(kinds[k].n, kinds[k].phi, kinds[k].skewed, times, &width);

                printf("{\"bench\": \"coverage-%zu%s%s\", \"unit\": \"points from 95 %%\", "
                       "\"median\": %.2f, \"min\": %.2f, \"max\": %.2f, \"budget\": %.0f, "
                       "\"ok\": %s, \"measured\": %d, \"phi\": %.1f, \"coverage\": %.2f, "
                       "\"width\": %.3f}\n",
                       kinds[k].n, kinds[k].skewed ? "-skewed" : "", kinds[k].phi > 0 ? "-ar" : "",
                       share - 95, share - 95, share - 95, BUDGET,
                       fabs(share - 95) <= BUDGET ? "true" : "false", times, kinds[k].phi, share,
                       width);
                fflush(stdout);
        }
        for (int k = 0; k < 2; k++) {
                double n, phi = 0.4 * k, share = coverage_until_stable(phi, times / 2, &n);

                printf("{\"bench\": \"coverage-until-stable%s\", \"unit\": \"points from 95 %%\", "
                       "\"median\": %.2f, \"min\": %.2f, \"max\": %.2f, \"budget\": null, "
                       "\"ok\": null, \"measured\": %d, \"phi\": %.1f, \"coverage\": %.2f, "
                       "\"values\": %.0f}\n",
                       k ? "-ar" : "", share - 95, share - 95, share - 95, times / 2, phi, share,
                       n);
                fflush(stdout);
        }
        return 0;
}
