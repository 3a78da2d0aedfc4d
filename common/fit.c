/* SPDX-License-Identifier: MIT */
/*
 * Weighted least squares for a line (Draper and Smith, Applied Regression Analysis, 3rd ed., 1998,
 * chapters 1, 3 and 9). A point is the mean of `weight` values whose variance is s^2, so its own is
 * s^2 / weight, and
 *
 *   b = Sxy / Sxx                    S.. = sum of w (. - mean)(. - mean)
 *   a = mean(y) - b mean(x)
 *   s^2 = sum of w (y - a - b x)^2 / (m - 2)        m = n (1 - r) / (1 + r)
 *   se(b)^2 = s^2 / Sxx
 *   se(a)^2 = s^2 (1 / W + mean(x)^2 / Sxx)         W = sum of w
 *   var(prediction at x, of the mean of k) = s^2 (1 / k + 1 / W + (x - mean(x))^2 / Sxx)
 *
 * s^2 is taken from how the points lie about the line, not from how values lie about their points:
 * so it holds what a line leaves unexplained, and drifts of the machine, which values that
 * come one after the other share. Points that lie on the same side as their neighbour say less than
 * as many that do not: of n there are only m as good as independent, where r is the correlation of
 * residuals of neighbours, if it is more than 0 (Santer et al., J. Geophys. Res. 105, 2000,
 * 7337-7356). Degrees of freedom are m - 2, and 1 at least.
 *
 * Whether the points bend is asked of the residuals: they are fitted against what of x^2 no line
 * can explain; a bend is believed when its t is beyond that of 99.9 % (a normal 3.29, and more
 * where there are few points).
 */
#include "common/fit.h"

#include <math.h>

#define LEVEL      0.95
#define BEND_RATIO 1.68 /* 3.29 / 1.96: from the quantile of 95 % to that of 99.9 % */
#define BEND_LEAST 6    /* points: with fewer, anything bends */
#define MOST       1e30 /* whose square is a number still */
#define HALF_PI    1.57079632679489661923

/*
 * P(|T| < t) for tan(theta) = t / sqrt(freedom): the finite sums of Abramowitz and Stegun, Handbook
 * of Mathematical Functions, 26.7.3 and 26.7.4.
 */
static double student_within(double theta, size_t freedom)
{
        double c = cos(theta), term = freedom % 2 ? c : 1, sum = 0;

        for (size_t k = freedom % 2 ? 1 : 0; k + 2 <= freedom; k += 2) {
                sum += term;
                term *= c * c * (double)(k + 1) / (double)(k + 2);
        }
        sum *= sin(theta);
        return freedom % 2 ? (theta + sum) / HALF_PI : sum;
}

double fit_student(size_t freedom)
{
        double low = 0, high = HALF_PI;

        if (!freedom)
                return NAN;
        if (freedom > 10000) /* as good as normal */
                return 1.959963984540054;
        for (int i = 0; i < 60; i++) {
                double middle = (low + high) / 2;

                if (student_within(middle, freedom) < LEVEL)
                        low = middle;
                else
                        high = middle;
        }
        return tan(low) * sqrt((double)freedom);
}

static bool is_sane(double v)
{
        return v >= -MOST && v <= MOST; /* NaN is not */
}

static int take_means(struct fit *f, const struct fit_point *p, size_t n)
{
        double x = 0, y = 0;

        for (size_t i = 0; i < n; i++) {
                if (!is_sane(p[i].x) || !is_sane(p[i].y) || !is_sane(p[i].weight) ||
                    p[i].weight < 0)
                        return FIT_E_BAD;
                if (p[i].weight == 0)
                        continue;
                f->weight += p[i].weight;
                x += (p[i].x - x) * p[i].weight / f->weight;
                y += (p[i].y - y) * p[i].weight / f->weight;
                f->x_least = f->n && f->x_least < p[i].x ? f->x_least : p[i].x;
                f->x_most = f->n && f->x_most > p[i].x ? f->x_most : p[i].x;
                f->n++;
        }
        f->x_mean = x;
        f->y_mean = y;
        return 0;
}

/* Points at the same x are one more reading there, and no new x. */
static size_t different(const struct fit_point *p, size_t n)
{
        size_t found = 0;

        for (size_t i = 0; i < n && found < 3; i++) {
                bool known = p[i].weight == 0;

                for (size_t k = 0; k < i && !known; k++)
                        known = p[k].weight > 0 && p[k].x == p[i].x;
                found += !known;
        }
        return found;
}

/* x^2 without what a constant and a line explain of it, for x about the mean. */
struct curve {
        double constant, slope;
};

static double curve_at(const struct curve *c, double x)
{
        return x * x - c->constant - c->slope * x;
}

/* Residuals one after the other, each as good as any other. */
struct residuals {
        double last, squares, products;
        size_t n;
};

static void residual_add(struct residuals *r, double weight, double residual)
{
        double z = sqrt(weight) * residual;

        if (!(weight > 0))
                return;
        r->products += r->n ? z * r->last : 0;
        r->squares += z * z;
        r->last = z;
        r->n++;
}

/* Of so many points as good as independent, `taken` parameters off; 1 at least. */
static size_t freedom_of(const struct residuals *r, size_t taken)
{
        double n = (double)r->n, correlation = r->squares > 0 ? r->products / r->squares : 0;

        if (correlation > 0)
                n *= (1 - correlation) / (1 + correlation);
        return n >= (double)taken + 1 ? (size_t)(n - (double)taken) : 1;
}

static enum fit_bend bend_of(const struct fit *f, const struct fit_point *p, size_t n)
{
        double cube = 0, szz = 0, szr = 0, error, scale = f->x_most - f->x_least;
        struct residuals rest = {0};
        struct curve curve;
        size_t freedom;

        if (f->n < BEND_LEAST)
                return FIT_STRAIGHT;
        for (size_t i = 0; i < n; i++) {
                double x = (p[i].x - f->x_mean) / scale;

                cube += p[i].weight * x * x * x;
        }
        curve.constant = f->sxx / f->weight / (scale * scale);
        curve.slope = cube / (f->sxx / (scale * scale));
        for (size_t i = 0; i < n; i++) {
                double z = curve_at(&curve, (p[i].x - f->x_mean) / scale);

                szz += p[i].weight * z * z;
                szr += p[i].weight * z * (p[i].y - f->a - f->b * p[i].x);
        }
        if (!(szz > 0))
                return FIT_STRAIGHT;
        for (size_t i = 0; i < n; i++) {
                double z = curve_at(&curve, (p[i].x - f->x_mean) / scale);

                residual_add(&rest, p[i].weight, p[i].y - f->a - f->b * p[i].x - szr / szz * z);
        }
        freedom = freedom_of(&rest, 3);
        error = sqrt(rest.squares / (double)freedom * szz);
        if (!(fabs(szr) > BEND_RATIO * fit_student(freedom) * error) ||
            fabs(szr) / szz <= 1e-9 * fabs(f->b) * scale)
                return FIT_STRAIGHT;
        return szr > 0 ? FIT_BENDS_UP : FIT_BENDS_DOWN;
}

int fit_line(struct fit *ret, const struct fit_point *points, size_t n)
{
        struct fit f = {.r2 = NAN};
        struct residuals rest = {0};
        double sxy = 0, syy = 0;
        size_t freedom;
        int r = take_means(&f, points, n);

        if (r)
                return r;
        if (different(points, n) < 3)
                return FIT_E_FEW;
        for (size_t i = 0; i < n; i++) {
                double dx = points[i].x - f.x_mean, dy = points[i].y - f.y_mean;

                f.sxx += points[i].weight * dx * dx;
                sxy += points[i].weight * dx * dy;
                syy += points[i].weight * dy * dy;
        }
        f.b = sxy / f.sxx;
        f.a = f.y_mean - f.b * f.x_mean;
        for (size_t i = 0; i < n; i++)
                residual_add(&rest, points[i].weight, points[i].y - f.a - f.b * points[i].x);
        if (!isfinite(rest.squares) || !isfinite(f.a) || !isfinite(f.b))
                return FIT_E_BAD;
        freedom = freedom_of(&rest, 2);
        f.variance = rest.squares / (double)freedom;
        f.b_error = sqrt(f.variance / f.sxx);
        f.a_error = sqrt(f.variance * (1 / f.weight + f.x_mean * f.x_mean / f.sxx));
        f.t = fit_student(freedom);
        if (syy > 0)
                f.r2 = rest.squares < syy ? 1 - rest.squares / syy : 0;
        f.bend = bend_of(&f, points, n);
        *ret = f;
        return 0;
}

bool fit_depends(const struct fit *f)
{
        return fabs(f->b) > f->t * f->b_error;
}

enum fit_why fit_at(const struct fit *f, double x, struct fit_forecast *ret)
{
        double from = x > f->x_most ? x - f->x_most : x < f->x_least ? f->x_least - x : 0;
        double d = x - f->x_mean, of = f->weight / (double)f->n;
        double half = f->t * sqrt(f->variance * (1 / of + 1 / f->weight + d * d / f->sxx));

        if (from > FIT_REACH * (f->x_most - f->x_least))
                return FIT_TOO_FAR;
        *ret = (struct fit_forecast){.y = f->a + f->b * x};
        ret->low = ret->y - half;
        ret->high = ret->y + half;
        return ret->y > 0 && 2 * half <= ret->y ? FIT_TOLD : FIT_TOO_VAGUE;
}
