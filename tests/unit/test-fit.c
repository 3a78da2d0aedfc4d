/* SPDX-License-Identifier: MIT */
/* common/fit.c against what was worked out by hand, and against tables of Student's t. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "common/fit.h"

static void near(double got, double expected, double relative)
{
        if (!(fabs(got - expected) <= relative * fabs(expected) + 1e-12))
                fail_msg("%.12g, not %.12g", got, expected);
}

#define FIT(f, ...)                                                                                \
        fit_line(f, (const struct fit_point[]){__VA_ARGS__},                                       \
                 sizeof((const struct fit_point[]){__VA_ARGS__}) / sizeof(struct fit_point))

static void an_exact_line(void **state)
{
        struct fit_forecast at;
        struct fit f;

        (void)state;
        assert_int_equal(FIT(&f, {1, 5, 1}, {2, 7, 1}, {3, 9, 1}, {10, 23, 1}), 0);
        near(f.a, 3, 1e-12);
        near(f.b, 2, 1e-12);
        near(f.b_error, 0, 1e-9);
        near(f.r2, 1, 1e-12);
        assert_true(fit_depends(&f));
        assert_int_equal(f.bend, FIT_STRAIGHT);
        assert_int_equal(fit_at(&f, 100, &at), FIT_TOLD);
        near(at.y, 203, 1e-12);
        near(at.low, 203, 1e-9);
}

/*
 * x 1 2 3 4 5, y 12 14 15 14 15: means 3, 14; Sxx 10, Sxy 6, Syy 6. b = 0.6, a = 12.2, SSE = 6 -
 * 0.6 x 6 = 2.4, s^2 = 0.8; se(b) = sqrt(0.08), se(a) = sqrt(0.8 (1/5 + 9/10)); R2 = 0.6. t(3)
 * = 3.1824.
 */
static void noise_of_a_known_size(void **state)
{
        struct fit_forecast at;
        struct fit f;

        (void)state;
        assert_int_equal(FIT(&f, {1, 12, 1}, {2, 14, 1}, {3, 15, 1}, {4, 14, 1}, {5, 15, 1}), 0);
        near(f.a, 12.2, 1e-12);
        near(f.b, 0.6, 1e-12);
        near(f.variance, 0.8, 1e-12);
        near(f.b_error, 0.282842712475, 1e-9);
        near(f.a_error, 0.938083151965, 1e-9);
        near(f.r2, 0.6, 1e-12);
        near(f.t, 3.182446305284, 1e-9);
        assert_false(fit_depends(&f)); /* 0.6 < 3.18 x 0.283 */
        /* at the mean: sqrt(0.8 (1 + 1/5)); further out: + (x - 3)^2 / 10 */
        assert_int_equal(fit_at(&f, 3, &at), FIT_TOLD);
        near(at.y, 14, 1e-12);
        near(at.high - at.y, 3.182446305284 * sqrt(0.96), 1e-9);
        near(at.y - at.low, 3.182446305284 * sqrt(0.96), 1e-9);
        assert_int_equal(fit_at(&f, 13, &at), FIT_TOLD);
        near(at.high - at.low, 2 * 3.182446305284 * sqrt(0.8 * 11.2), 1e-9);
        assert_int_equal(fit_at(&f, 14, &at), FIT_TOO_VAGUE); /* 20.6 +- 10.4 */
        assert_int_equal(fit_at(&f, 405, &at), FIT_TOO_VAGUE);
        assert_int_equal(fit_at(&f, 406, &at), FIT_TOO_FAR); /* 401 beyond a span of 4 */
}

/* A point of weight 3 is three points at one place, as far as the line goes. x 0 0 0 1 2, y 0 0 0 2
 * 1: means 0.6, 0.6; Sxx 3.2, Sxy 2.2. */
static void weights(void **state)
{
        struct fit f;

        (void)state;
        assert_int_equal(FIT(&f, {0, 0, 3}, {1, 2, 1}, {2, 1, 1}), 0);
        near(f.b, 2.2 / 3.2, 1e-12);
        near(f.a, 0.6 - 0.6 * 2.2 / 3.2, 1e-12);
        near(f.t, 12.706204736, 1e-9); /* three points */
        assert_int_equal(FIT(&f, {0, 0, 3}, {1, 2, 1}, {2, 1, 1}, {3, 99, 0}), 0);
        near(f.b, 2.2 / 3.2, 1e-12);
        near(f.x_most, 2, 1e-12);
}

/*
 * x 1 ... 8, y above the line in the middle and below it at both ends: mean 0, b 0, residuals -1 -1
 * 1 1 1 1 -1 -1. Products of neighbours: 1 -1 1 1 1 -1 1 = 3, squares 8: r = 3 / 8, of 8 points
 * there are 8 x 5 / 11 = 3.6 as good as independent, so one degree of freedom: s^2 = 8, Sxx = 42.
 */
static void neighbours_that_agree_say_less(void **state)
{
        struct fit f;

        (void)state;
        assert_int_equal(FIT(&f, {1, -1, 1}, {2, -1, 1}, {3, 1, 1}, {4, 1, 1}, {5, 1, 1}, {6, 1, 1},
                             {7, -1, 1}, {8, -1, 1}),
                         0);
        near(f.b, 0, 1e-12);
        near(f.variance, 8, 1e-12);
        near(f.b_error, sqrt(8.0 / 42), 1e-12);
        near(f.t, 12.706204736, 1e-9);
}

static void all_the_same(void **state)
{
        struct fit_forecast at;
        struct fit f;

        (void)state;
        assert_int_equal(FIT(&f, {1, 7, 1}, {2, 7, 1}, {3, 7, 1}), 0);
        near(f.a, 7, 1e-12);
        assert_true(f.b == 0 && f.b_error == 0 && isnan(f.r2));
        assert_false(fit_depends(&f));
        assert_int_equal(fit_at(&f, 100, &at), FIT_TOLD);
        near(at.y, 7, 1e-12);
        assert_int_equal(FIT(&f, {1, 0, 1}, {2, 0, 1}, {3, 0, 1}), 0);
        assert_int_equal(fit_at(&f, 100, &at), FIT_TOO_VAGUE);
}

static void too_few(void **state)
{
        struct fit f = {.a = 42};

        (void)state;
        assert_int_equal(fit_line(&f, NULL, 0), FIT_E_FEW);
        assert_int_equal(FIT(&f, {1, 1, 1}, {2, 2, 1}), FIT_E_FEW);
        assert_int_equal(FIT(&f, {1, 1, 1}, {2, 2, 1}, {2, 3, 1}, {1, 9, 5}), FIT_E_FEW);
        assert_int_equal(FIT(&f, {1, 1, 1}, {2, 2, 1}, {3, 3, 0}), FIT_E_FEW);
        near(f.a, 42, 0); /* nothing is written on failure */
}

static void hostile(void **state)
{
        struct fit f;

        (void)state;
        assert_int_equal(FIT(&f, {1, NAN, 1}, {2, 2, 1}, {3, 3, 1}), FIT_E_BAD);
        assert_int_equal(FIT(&f, {INFINITY, 1, 1}, {2, 2, 1}, {3, 3, 1}), FIT_E_BAD);
        assert_int_equal(FIT(&f, {1, 1, -1}, {2, 2, 1}, {3, 3, 1}), FIT_E_BAD);
        assert_int_equal(FIT(&f, {1, 1e300, 1}, {2, 2, 1}, {3, 3, 1}), FIT_E_BAD);
        /* as large as a run file can say: 2^63 everywhere */
        assert_int_equal(FIT(&f, {1, 0, 9e18}, {2, 9e18, 9e18}, {3, 0, 9e18}, {9e18, 9e18, 1}), 0);
        assert_true(isfinite(f.a) && isfinite(f.b) && isfinite(f.b_error));
}

static void a_bend_is_seen(void **state)
{
        struct fit_point up[12], straight[12];
        struct fit f;

        (void)state;
        for (int i = 0; i < 12; i++) {
                double x = 100 * i, noise = i % 2 ? 0.5 : -0.5;

                up[i] = (struct fit_point){x, 10 + x / 10 + x * x / 2000 + noise, 1 + i};
                straight[i] = (struct fit_point){x, 10 + x / 10 + noise, 1 + i};
        }
        assert_int_equal(fit_line(&f, up, 12), 0);
        assert_int_equal(f.bend, FIT_BENDS_UP);
        assert_int_equal(fit_line(&f, straight, 12), 0);
        assert_int_equal(f.bend, FIT_STRAIGHT);
        for (int i = 0; i < 12; i++)
                up[i].y = -up[i].y;
        assert_int_equal(fit_line(&f, up, 12), 0);
        assert_int_equal(f.bend, FIT_BENDS_DOWN);
}

/* As in any table of it. */
static void students_t(void **state)
{
        (void)state;
        near(fit_student(1), 12.7062, 1e-5);
        near(fit_student(2), 4.30265, 1e-5);
        near(fit_student(3), 3.18245, 1e-5);
        near(fit_student(4), 2.77645, 1e-5);
        near(fit_student(9), 2.26216, 1e-5);
        near(fit_student(10), 2.22814, 1e-5);
        near(fit_student(30), 2.04227, 1e-5);
        near(fit_student(120), 1.97993, 1e-5);
        near(fit_student(9999), 1.96020, 1e-5);
        near(fit_student(1000000), 1.95996, 1e-5);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_exact_line), cmocka_unit_test(noise_of_a_known_size),
                cmocka_unit_test(weights),       cmocka_unit_test(neighbours_that_agree_say_less),
                cmocka_unit_test(all_the_same),  cmocka_unit_test(too_few),
                cmocka_unit_test(hostile),       cmocka_unit_test(a_bend_is_seen),
                cmocka_unit_test(students_t),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
