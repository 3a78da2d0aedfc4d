/* SPDX-License-Identifier: MIT */
/* Figures of one series, and how often their intervals hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/stats-private.h"

static uint64_t lots = 20261128;

static double uniform(void)
{
        return ((double)(stats_draw(&lots) >> 11) + 0.5) * 0x1p-53;
}

static double normal(void)
{
        return sqrt(-2 * log(uniform())) * cos(2 * M_PI * uniform());
}

enum process { NORMAL, LOGNORMAL, AUTOREGRESSION };

static void draw(double *to, size_t n, enum process process, double phi)
{
        double y = normal();

        for (size_t i = 0; i < n; i++) {
                to[i] = process == LOGNORMAL ? exp(y) : y;
                y = process == AUTOREGRESSION ? phi * y + sqrt(1 - phi * phi) * normal() : normal();
        }
}

static void near_to(double got, double expected, double by)
{
        if (!(fabs(got - expected) <= by))
                fail_msg("%.12g where %.12g is expected", got, expected);
}

static void summaries(void **state)
{
        static const double values[] = {9, 1, 4, 2, 8, 3, 7, 5, 10, 6};
        struct stats_summary s;

        assert_int_equal(stats_summarise(&s, values, 10), 0);
        assert_int_equal(s.n, 10);
        near_to(s.min, 1, 0);
        near_to(s.max, 10, 0);
        near_to(s.mean, 5.5, 1e-12);
        near_to(s.median, 5.5, 1e-12);
        near_to(s.p95, 9.55, 1e-12); /* type 7: 1 + 0.95 * 9 */
        near_to(s.p99, 9.91, 1e-12);
        near_to(s.stddev, sqrt(82.5 / 9), 1e-12);
        assert_int_equal(values[0], 9); /* left as they are */

        assert_int_equal(stats_summarise(&s, values, 1), 0);
        near_to(s.median, 9, 0);
        near_to(s.p99, 9, 0);
        assert_true(isnan(s.stddev));
        /* large and near to each other: squares of 1e9 would have lost it */
        assert_int_equal(stats_summarise(&s, (double[]){1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16}, 4),
                         0);
        near_to(s.stddev, sqrt(30), 1e-6);
}

static void quantiles_are_of_type_7(void **state)
{
        static const double sorted[] = {1, 2, 4, 8};

        near_to(stats_quantile(sorted, 4, 0), 1, 0);
        near_to(stats_quantile(sorted, 4, 0.25), 1.75, 1e-12);
        near_to(stats_quantile(sorted, 4, 0.5), 3, 1e-12);
        near_to(stats_quantile(sorted, 4, 0.9), 6.8, 1e-12);
        near_to(stats_quantile(sorted, 4, 1), 8, 0);
        near_to(stats_quantile(sorted, 1, 0.3), 1, 0);
}

/* From printed tables. */
static void quantiles_of_distributions(void **state)
{
        near_to(stats_normal_quantile(0.975), 1.959963985, 1e-8);
        near_to(stats_normal_quantile(0.5), 0, 1e-12);
        near_to(stats_student_quantile(0.975, 1), 12.7062, 1e-3);
        near_to(stats_student_quantile(0.975, 2), 4.30265, 1e-4);
        near_to(stats_student_quantile(0.975, 10), 2.22814, 1e-4);
        near_to(stats_student_quantile(0.95, 30), 1.69726, 1e-4);
        near_to(stats_student_quantile(0.025, 5), -2.57058, 1e-4);
}

static void outliers_are_far_from_the_rest(void **state)
{
        static const double values[] = {10, 11, 9, 10, 50, 10, 9, 11, -30, 10};
        static const double same[] = {5, 5, 5, 5, 5, 5, 5, 5, 5, 9};
        bool marked[10];

        assert_int_equal(stats_outliers(values, 10, 3.5, marked), 2);
        for (int i = 0; i < 10; i++)
                assert_int_equal(marked[i], i == 4 || i == 8);
        assert_int_equal(stats_outliers(values, 10, 3.5, NULL), 2);
        /* half of them the same: the mean deviation, 0.4 * 1.2533 * 3.5 */
        assert_int_equal(stats_outliers(same, 10, 3.5, marked), 1);
        assert_true(marked[9]);
        assert_int_equal(stats_outliers(same, 9, 3.5, NULL), 0);
        assert_int_equal(stats_outliers(values, 2, 3.5, NULL), 0);
}

/* Of an autoregression the best length is known: (2 phi / (1 - phi^2))^(2/3) n^(1/3). */
static void blocks_are_as_long_as_theory_has_them(void **state)
{
        enum { N = 4000, TIMES = 30 };
        static double series[N];
        double sum[2] = {0};

        for (int i = 0; i < TIMES; i++) {
                draw(series, N, AUTOREGRESSION, 0.5);
                sum[0] += stats_block_length(series, N) / TIMES;
                draw(series, N, NORMAL, 0);
                sum[1] += stats_block_length(series, N) / TIMES;
        }
        near_to(sum[0], pow(1 / 0.75, 2.0 / 3) * cbrt(N), 4);
        assert_true(sum[1] < 3);
        memset(series, 0, sizeof(series));
        near_to(stats_block_length(series, N), 1, 0);
        near_to(stats_block_length(series, 2), 1, 0);
        for (int i = 0; i < N; i++)
                series[i] = i;
        near_to(stats_block_length(series, N), 145, 45); /* 3 sqrt(n) at most */
}

static double mean_of(double *values, size_t n, void *userdata)
{
        double sum = 0;

        for (size_t i = 0; i < n; i++)
                sum += values[i];
        return sum / (double)n;
}

static bool holds(struct stats_interval i, double truth)
{
        return i.low <= truth && truth <= i.high;
}

/* 95 %, within what 300 trials can tell: nearly three standard errors. */
static void intervals_hold_as_often_as_they_say(void **state)
{
        enum { TIMES = 300 };
        static const struct {
                enum process process;
                size_t n;
                double median;
        } cases[] = {{NORMAL, 20, 0},
                     {LOGNORMAL, 60, 1},
                     {AUTOREGRESSION, 25, 0},
                     {AUTOREGRESSION, 120, 0}};

        for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
                double series[200];
                int held = 0;

                for (int i = 0; i < TIMES; i++) {
                        struct stats_intervals to;

                        draw(series, cases[c].n, cases[c].process, 0.5);
                        assert_int_equal(
                                stats_intervals(&to, series, cases[c].n, 0.95, (uint64_t)i), 0);
                        held += holds(to.median, cases[c].median);
                }
                if (held < 0.915 * TIMES || held > 0.983 * TIMES)
                        fail_msg("case %zu: the median's interval holds %d times of %d", c, held,
                                 TIMES);
        }
}

static void one_figure_and_all_at_once_agree(void **state)
{
        double series[80];
        struct stats_intervals all, again;
        struct stats_interval one;

        draw(series, 80, AUTOREGRESSION, 0.5);
        assert_int_equal(stats_intervals(&all, series, 80, 0.95, 1), 0);
        assert_int_equal(stats_intervals(&again, series, 80, 0.95, 1), 0);
        assert_memory_equal(&all, &again, sizeof(all)); /* the same lots */
        assert_int_equal(stats_bootstrap(&one, series, 80, mean_of, NULL, 0.95, 0, 1), 0);
        near_to(one.low, all.mean.low, 1e-9);
        near_to(one.high, all.mean.high, 1e-9);
        assert_true(all.median.low < all.median.high && all.p95.high > all.median.high);
        assert_true(all.stddev.low > 0 && all.p99.high >= all.p95.high);
        assert_int_equal(stats_bootstrap(&one, series, 4, mean_of, NULL, 0.95, 0, 1), STATS_E_FEW);
        assert_int_equal(stats_intervals(&all, series, 0, 0.95, 1), STATS_E_FEW);
        for (int i = 0; i < 80; i++)
                series[i] = 7;
        assert_int_equal(stats_intervals(&all, series, 80, 0.95, 1), 0);
        near_to(all.median.low, 7, 0);
        near_to(all.median.high, 7, 0);
        near_to(all.stddev.high, 0, 0);
}

static void warm_up_is_found_and_not_invented(void **state)
{
        enum { N = 100, TIMES = 300 };
        double series[N];
        int invented = 0;

        for (size_t planted = 1; planted <= 30; planted += planted < 5 ? 1 : 5) {
                size_t found;

                for (size_t i = 0; i < N; i++)
                        series[i] = 100 + normal() + (i < planted ? 30 : 0);
                found = stats_warmup(series, N, 0.02);
                if (found < planted || found > planted + planted / 10)
                        fail_msg("%zu warm-up values, %zu found", planted, found);
                /* the same step, but smaller than what matters */
                assert_int_equal(stats_warmup(series, N, 0.5), 0);
        }
        for (int i = 0; i < 40; i++) /* a step before values that wander */
                series[i] = i < 10 ? 200 + normal() : 100 + i / 10 + 0.1 * normal();
        assert_int_equal(stats_warmup(series, 40, 0.02), 10);
        for (int i = 0; i < TIMES; i++) {
                draw(series, N, AUTOREGRESSION, 0.5);
                for (int k = 0; k < N; k++)
                        series[k] += 100;
                invented += stats_warmup(series, N, 0) > 0;
        }
        if (invented > TIMES / 20)
                fail_msg("warm-up of %d series in %d that have none", invented, TIMES);
        assert_int_equal(stats_warmup(series, 0, 0), 0);
        assert_int_equal(stats_warmup(series, 7, 0), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(summaries),
                cmocka_unit_test(quantiles_are_of_type_7),
                cmocka_unit_test(quantiles_of_distributions),
                cmocka_unit_test(outliers_are_far_from_the_rest),
                cmocka_unit_test(blocks_are_as_long_as_theory_has_them),
                cmocka_unit_test(intervals_hold_as_often_as_they_say),
                cmocka_unit_test(one_figure_and_all_at_once_agree),
                cmocka_unit_test(warm_up_is_found_and_not_invented),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
