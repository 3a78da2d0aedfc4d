/* SPDX-License-Identifier: MIT */
/*
 * Quantiles of the normal distribution and of Student's t. Both are found by bisection in their own
 * distribution function: erfc() for the one, the incomplete beta function (as a continued fraction,
 * by Lentz' method; Abramowitz and Stegun 26.5.8 and 26.7.1) for the other. They are asked for few
 * times a document, so speed is nothing here.
 */
#include "common/stats-private.h"

double stats_normal_quantile(double p)
{
        double low = -40, high = 40;

        for (int i = 0; i < 100; i++) {
                double middle = (low + high) / 2;

                if (erfc(-middle / sqrt(2)) / 2 < p)
                        low = middle;
                else
                        high = middle;
        }
        return (low + high) / 2;
}

/* The fraction's own part of I_x(a, b). */
static double beta_fraction(double a, double b, double x)
{
        const double tiny = 1e-300;
        double c = 1, d = 1 - (a + b) * x / (a + 1), f;

        d = 1 / (fabs(d) < tiny ? tiny : d);
        f = d;
        for (int m = 1; m < 500; m++) {
                double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
                double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
                double step;

                for (int i = 0; i < 2; i++) {
                        d = 1 + (i ? odd : even) * d;
                        c = 1 + (i ? odd : even) / c;
                        d = 1 / (fabs(d) < tiny ? tiny : d);
                        c = fabs(c) < tiny ? tiny : c;
                        step = c * d;
                        f *= step;
                }
                if (fabs(step - 1) < 1e-14)
                        break;
        }
        return f;
}

static double beta(double a, double b, double x)
{
        double front;

        if (x <= 0 || x >= 1)
                return x <= 0 ? 0 : 1;
        front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
        if (x < (a + 1) / (a + b + 2))
                return front * beta_fraction(a, b, x) / a;
        return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

static double student_below(double t, double freedom)
{
        double tail = beta(freedom / 2, 0.5, freedom / (freedom + t * t)) / 2;

        return t < 0 ? tail : 1 - tail;
}

double stats_student_quantile(double p, double freedom)
{
        double low = -1e6, high = 1e6;

        for (int i = 0; i < 120; i++) {
                double middle = (low + high) / 2;

                if (student_below(middle, freedom) < p)
                        low = middle;
                else
                        high = middle;
        }
        return (low + high) / 2;
}
