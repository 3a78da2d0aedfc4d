/* SPDX-License-Identifier: MIT */
/* A straight line through weighted points, how well it is known, and what it foretells. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct fit_point {
        double x, y;
        double weight; /* of how many values y is the mean; 0: left out */
};

enum fit_bend { FIT_STRAIGHT = 0, FIT_BENDS_UP = 1, FIT_BENDS_DOWN = -1 };

/* y = a + b x. Errors are standard errors; NaN is not known. */
struct fit {
        size_t n; /* points at different x */
        double weight, x_mean, y_mean, x_least, x_most;
        double sxx;      /* weighted, about the mean */
        double variance; /* of a value of weight 1 */
        double a, b, a_error, b_error;
        double r2; /* NaN: all y are the same */
        double t;  /* Student's: of a two-sided interval of 95 % */
        enum fit_bend bend;
};

enum {
        FIT_E_FEW = 1, /* fewer than three different x */
        FIT_E_BAD = 2, /* a number that is none, or out of all bounds */
};

/* Of points in the order of x. 0, or why there is no line. */
int fit_line(struct fit *ret, const struct fit_point *points, size_t n);

/* Is the slope's interval of 95 % clear of 0? */
bool fit_depends(const struct fit *f);

enum fit_why {
        FIT_TOLD,
        FIT_TOO_FAR,   /* beyond what was measured by more than FIT_REACH times its span */
        FIT_TOO_VAGUE, /* the interval is wider than what it is about, which is more than 0 */
};
#define FIT_REACH 100.0

struct fit_forecast {
        double y, low, high; /* of 95 % */
};

/*
 * What the line foretells at x, for the mean of as many values as a point has on average. The
 * interval is that of a prediction: it grows with the distance from the measured mean.
 */
enum fit_why fit_at(const struct fit *f, double x, struct fit_forecast *ret);

/* The quantile of Student's t for a two-sided interval of 95 %; freedom 1 or more. */
double fit_student(size_t freedom);
