/* SPDX-License-Identifier: MIT */
/* Two sets beside each other; what is counted is counted here again, by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/stats-private.h"

static uint64_t lots = 11;

static double uniform(void)
{
        return ((double)(stats_draw(&lots) >> 11) + 0.5) * 0x1p-53;
}

static void near_to(double got, double expected, double by)
{
        if (!(fabs(got - expected) <= by))
                fail_msg("%.12g where %.12g is expected", got, expected);
}

static double u_of(const double *a, size_t n_a, const double *b, size_t n_b)
{
        double u = 0;

        for (size_t i = 0; i < n_a; i++)
                for (size_t j = 0; j < n_b; j++)
                        u += b[j] > a[i] ? 1 : b[j] == a[i] ? 0.5 : 0;
        return u;
}

/* Every way to deal the values to two sides, and how many are as far from the middle. */
static double p_by_dealing(const double *a, size_t n_a, const double *b, size_t n_b)
{
        double middle = (double)(n_a * n_b) / 2, mine = fabs(u_of(a, n_a, b, n_b) - middle);
        size_t n = n_a + n_b, as_far = 0, all = 0;
        double both[16], left[16], right[16];

        memcpy(both, a, n_a * sizeof(*a));
        memcpy(both + n_a, b, n_b * sizeof(*b));
        for (unsigned deal = 0; deal < 1u << n; deal++) {
                size_t l = 0, r = 0;

                if ((size_t)__builtin_popcount(deal) != n_a)
                        continue;
                for (size_t i = 0; i < n; i++)
                        if (deal >> i & 1)
                                left[l++] = both[i];
                        else
                                right[r++] = both[i];
                all++;
                as_far += fabs(u_of(left, l, right, r) - middle) >= mine - 1e-9;
        }
        return (double)as_far / (double)all;
}

static void p_is_what_dealing_all_ways_gives(void **state)
{
        for (int i = 0; i < 60; i++) {
                size_t n_a = 1 + stats_draw_below(&lots, 7), n_b = 1 + stats_draw_below(&lots, 7);
                double a[8], b[8];
                struct stats_difference d;

                for (size_t k = 0; k < n_a; k++)
                        a[k] = 1 + uniform();
                for (size_t k = 0; k < n_b; k++)
                        b[k] = 1 + uniform() + 0.4 * (i % 3);
                assert_int_equal(stats_compare(&d, a, n_a, b, n_b), 0);
                near_to(d.p, p_by_dealing(a, n_a, b, n_b), 1e-9);
                near_to(d.effect, 2 * u_of(a, n_a, b, n_b) / (double)(n_a * n_b) - 1, 1e-12);
        }
}

/* All apart: the smallest p of 3 against 3 is 2/20, of 10 against 10 2/C(20, 10). */
static void the_smallest_p_is_known(void **state)
{
        double a[50], b[50];
        struct stats_difference d;

        for (int i = 0; i < 50; i++) {
                a[i] = 1 + i;
                b[i] = 1001 + i;
        }
        assert_int_equal(stats_compare(&d, a, 3, b, 3), 0);
        near_to(d.p, 0.1, 1e-12);
        near_to(d.effect, 1, 0);
        assert_true(isnan(d.shift_interval.low) &&
                    isnan(d.shift_interval.high)); /* too few for 95 % */
        assert_int_equal(stats_compare(&d, b, 10, a, 10), 0);
        near_to(d.p, 2 / 184756.0, 1e-12);
        near_to(d.effect, -1, 0);
        near_to(d.shift, -1000, 1e-9);
        assert_int_equal(stats_compare(&d, a, 50, b, 50), 0);
        near_to(d.p / (2 / 1.0089134454556e29), 1, 1e-6);
        assert_int_equal(stats_compare(&d, a, 0, b, 3), STATS_E_FEW);
        assert_int_equal(stats_compare(&d, a, 3, b, 0), STATS_E_FEW);
}

/* Ties: 10 against 10 with U = 22.5, sum of t^3 - t over the ties 6 + 60 + 6 + 24 (worked by hand).
 */
static void ties_take_of_the_variance(void **state)
{
        static const double a[] = {1, 2, 2, 3, 3, 4, 5, 6, 7, 8};
        static const double b[] = {3, 3, 4, 7, 7, 8, 9, 10, 11, 12};
        static const double same[] = {4, 4, 4, 4};
        double u, variance,
                ties = 6 /* 2 */ + 60 /* 3, four times */ + 6 /* 4 */ + 24 /* 7 */ + 6 /* 8 */;
        struct stats_difference d;

        u = u_of(a, 10, b, 10);
        variance = 100.0 / 12 * (21 - ties / (20 * 19));
        assert_int_equal(stats_compare(&d, a, 10, b, 10), 0);
        near_to(d.p, erfc((fabs(u - 50) - 0.5) / sqrt(variance) / sqrt(2)), 1e-12);
        assert_int_equal(stats_compare(&d, same, 4, same, 4), 0);
        near_to(d.p, 1, 0);
        near_to(d.effect, 0, 0);
        near_to(d.ratio, 1, 0);
}

/*
 * Of 10 against 10 the interval leaves 23 pairs out at either end (P(U <= 23) = 0.0216, P(U <= 24)
 * = 0.0262: tables of the test have 23 as the critical value), so it is from the 24th to the 77th
 * of 100.
 */
static void shifts_and_ratios(void **state)
{
        double a[10], b[10], all[100], ratios[100];
        struct stats_difference d;
        size_t k = 0;

        for (int i = 0; i < 10; i++) {
                a[i] = 100 + 10 * uniform();
                b[i] = 105 + 10 * uniform();
        }
        for (int i = 0; i < 10; i++)
                for (int j = 0; j < 10; j++, k++) {
                        all[k] = b[j] - a[i];
                        ratios[k] = b[j] / a[i];
                }
        stats_sort(all, 100);
        stats_sort(ratios, 100);
        assert_int_equal(stats_compare(&d, a, 10, b, 10), 0);
        near_to(d.shift, (all[49] + all[50]) / 2, 1e-9);
        near_to(d.shift_interval.low, all[23], 1e-9);
        near_to(d.shift_interval.high, all[76], 1e-9);
        near_to(d.ratio, (ratios[49] + ratios[50]) / 2, 1e-12);
        near_to(d.ratio_interval.low, ratios[23], 1e-12);
        near_to(d.ratio_interval.high, ratios[76], 1e-12);
        a[3] = 0;
        assert_int_equal(stats_compare(&d, a, 10, b, 10), 0);
        assert_true(isnan(d.ratio) && isnan(d.ratio_interval.low));
}

/* More than all pairs could be held of: told from their quantiles. */
static void many_values(void **state)
{
        enum { N = 20000 };
        double *a = calloc(N, sizeof(*a)), *b = calloc(N, sizeof(*b));
        struct stats_difference d;

        for (int i = 0; i < N; i++) {
                a[i] = 10 + uniform();
                b[i] = 10.05 + uniform();
        }
        assert_int_equal(stats_compare(&d, a, N, b, N), 0);
        near_to(d.shift, 0.05, 0.01);
        assert_true(d.shift_interval.low < d.shift && d.shift < d.shift_interval.high);
        assert_true(d.shift_interval.low > 0.03 && d.shift_interval.high < 0.07);
        assert_true(d.p < 1e-20);
        free(a);
        free(b);
}

/* Under no difference p is as even as it says, and the shift's interval holds 0 as often. */
static void no_difference(void **state)
{
        enum { TIMES = 3000, N = 10 };
        int small = 0, held = 0;

        for (int i = 0; i < TIMES; i++) {
                double a[N], b[N];
                struct stats_difference d;

                for (int k = 0; k < N; k++) {
                        a[k] = exp(3 * uniform());
                        b[k] = exp(3 * uniform());
                }
                assert_int_equal(stats_compare(&d, a, N, b, N), 0);
                small += d.p < 0.05;
                held += d.shift_interval.low <= 0 && d.shift_interval.high >= 0;
        }
        near_to(small / (double)TIMES, 0.043, 0.015);
        near_to(held / (double)TIMES, 0.957, 0.015);
}

/* The worked example of Benjamini and Hochberg (1995), section 3.1: four of 15 stand at 0.05. */
static void false_discoveries(void **state)
{
        static const double p[] = {0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
                                   0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.000};
        double adjusted[15], mixed[4];
        int stand = 0;

        assert_int_equal(stats_false_discovery(p, 15, adjusted), 0);
        for (int i = 0; i < 15; i++)
                stand += adjusted[i] <= 0.05;
        assert_int_equal(stand, 4);
        near_to(adjusted[0], 0.0015, 1e-12);
        near_to(adjusted[3], 0.0095 * 15 / 4, 1e-12);
        near_to(adjusted[14], 1, 0);
        /* in any order; what is not known stays so and does not count */
        assert_int_equal(stats_false_discovery((double[]){0.04, NAN, 0.01, 0.03}, 4, mixed), 0);
        near_to(mixed[0], 0.04, 1e-12);
        assert_true(isnan(mixed[1]));
        near_to(mixed[2], 0.03, 1e-12);
        near_to(mixed[3], 0.04, 1e-12);
        assert_int_equal(stats_false_discovery(NULL, 0, NULL), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(p_is_what_dealing_all_ways_gives),
                cmocka_unit_test(the_smallest_p_is_known),
                cmocka_unit_test(ties_take_of_the_variance),
                cmocka_unit_test(shifts_and_ratios),
                cmocka_unit_test(many_values),
                cmocka_unit_test(no_difference),
                cmocka_unit_test(false_discoveries),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
