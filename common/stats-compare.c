/* SPDX-License-Identifier: MIT */
/*
 * Whether two sets of values differ, by what and how surely, without a word on how they are
 * distributed.
 *
 *   p         Mann and Whitney (1947). Small and without ties: U's distribution is counted, by
 *             w(m, n, u) = w(m - 1, n, u - n) + w(m, n - 1, u). Else U is normal, its
 *             variance less what ties take, half a step towards the middle (Lehmann,
 *             Nonparametrics, 1975, section 1.4)
 *   effect    Cliff (1993): how much more often b is above a than below
 *   shift     Hodges and Lehmann (1963), with the interval of values of the shift that the test
 *             would not reject (Lehmann, section 2.3)
 *
 * All pairs of two large sets are too many: there the pairs of their quantiles stand for them.
 */
#include "common/stats.h"

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/stats-private.h"

#define MOST_EXACT   50
#define MOST_A_SIDE  1500
#define NOT_REJECTED 0.05

/* How likely each U of 0..m*n is; to be freed. */
static double *distribution(size_t m, size_t n)
{
        size_t room = m * n + 1;
        double *w = calloc((m + 1) * room, sizeof(*w)), all = 0;

        if (!w)
                return NULL;
        /* w[i]: of i values against as many as the outer loop has come to; against none, U is 0 */
        for (size_t i = 0; i <= m; i++)
                w[i * room] = 1;
        for (size_t j = 1; j <= n; j++)
                for (size_t i = 1; i <= m; i++)
                        for (size_t u = i * j; u >= j; u--)
                                w[i * room + u] += w[(i - 1) * room + u - j];
        memmove(w, w + m * room, room * sizeof(*w));
        for (size_t u = 0; u < room; u++)
                all += w[u];
        for (size_t u = 0; u < room; u++)
                w[u] /= all;
        return w;
}

struct test {
        size_t n_a, n_b;
        double u;      /* pairs where b is above a, and half of those where they are the same */
        double spread; /* of U, without ties */
        double ties;   /* what they take of its variance, 0..1 */
        double *exact; /* NULL: normal */
};

static int make_test(struct test *t, const double *a, const double *b)
{
        size_t n = t->n_a + t->n_b;
        _cleanup_(freep) double *both = calloc(n + 1, sizeof(*both));
        _cleanup_(freep) double *ranks = NULL;
        double sum = 0, ties = 0, count = (double)n;

        if (!both)
                return -ENOMEM;
        memcpy(both, a, t->n_a * sizeof(*a));
        memcpy(both + t->n_a, b, t->n_b * sizeof(*b));
        ranks = stats_ranks(both, n, &ties);
        if (!ranks)
                return -ENOMEM;
        for (size_t i = t->n_a; i < n; i++)
                sum += ranks[i];
        t->u = sum - (double)t->n_b * (double)(t->n_b + 1) / 2;
        t->spread = sqrt((double)t->n_a * (double)t->n_b * (count + 1) / 12);
        t->ties = n > 1 ? ties / (count * (count * count - 1)) : 0;
        if (ties > 0 || t->n_a > MOST_EXACT || t->n_b > MOST_EXACT)
                return 0;
        t->exact = distribution(t->n_a, t->n_b);
        return t->exact ? 0 : -ENOMEM;
}

static double p_of(const struct test *t)
{
        double pairs = (double)t->n_a * (double)t->n_b, least = fmin(t->u, pairs - t->u), p = 0, z;

        if (t->exact) {
                for (size_t u = 0; u <= (size_t)least; u++)
                        p += t->exact[u];
                return fmin(2 * p, 1);
        }
        if (t->ties >= 1)
                return 1;
        z = (pairs / 2 - least - 0.5) / (t->spread * sqrt(1 - t->ties));
        return z <= 0 ? 1 : erfc(z / sqrt(2));
}

/* How many pairs at either end are outside of the interval; 0: it has none. */
static size_t outside(const struct test *t)
{
        double sum = 0, z = stats_normal_quantile(1 - NOT_REJECTED / 2);
        double cut = (double)t->n_a * (double)t->n_b / 2 - z * t->spread;
        size_t u = 0;

        if (!t->exact)
                return cut < 1 ? 0 : (size_t)cut;
        while (sum + t->exact[u] <= NOT_REJECTED / 2)
                sum += t->exact[u++];
        return u;
}

/* `n` values that stand for those of a side. */
static void thin(double *to, size_t n, const double *sorted, size_t n_sorted)
{
        for (size_t i = 0; i < n; i++)
                to[i] = n == n_sorted
                                ? sorted[i]
                                : stats_quantile(sorted, n_sorted, ((double)i + 0.5) / (double)n);
}

struct pairs {
        double *a, *b, *at;
        size_t n_a, n_b, n, cut;
};

static void tell_pairs(const struct pairs *p, bool ratio, double *ret, struct stats_interval *range)
{
        for (size_t i = 0, k = 0; i < p->n_a; i++)
                for (size_t j = 0; j < p->n_b; j++, k++)
                        p->at[k] = ratio ? p->b[j] / p->a[i] : p->b[j] - p->a[i];
        stats_sort(p->at, p->n);
        *ret = stats_quantile(p->at, p->n, 0.5);
        if (p->cut && 2 * p->cut <= p->n)
                *range = (struct stats_interval){p->at[p->cut - 1], p->at[p->n - p->cut]};
}

static int compare_pairs(struct stats_difference *ret, const struct test *t, const double *a,
                         const double *b)
{
        _cleanup_(freep) double *sorted_a = stats_sorted_copy(a, t->n_a);
        _cleanup_(freep) double *sorted_b = stats_sorted_copy(b, t->n_b);
        struct pairs p = {.n_a = t->n_a < MOST_A_SIDE ? t->n_a : MOST_A_SIDE,
                          .n_b = t->n_b < MOST_A_SIDE ? t->n_b : MOST_A_SIDE};
        _cleanup_(freep) double *room = NULL;

        p.n = p.n_a * p.n_b;
        room = calloc(p.n_a + p.n_b + p.n, sizeof(*room));
        if (!sorted_a || !sorted_b || !room)
                return -ENOMEM;
        p.a = room;
        p.b = p.a + p.n_a;
        p.at = p.b + p.n_b;
        thin(p.a, p.n_a, sorted_a, t->n_a);
        thin(p.b, p.n_b, sorted_b, t->n_b);
        /* of fewer pairs, as large a part */
        p.cut = (size_t)((double)outside(t) / ((double)t->n_a * (double)t->n_b) * (double)p.n +
                         1e-9);
        tell_pairs(&p, false, &ret->shift, &ret->shift_interval);
        if (sorted_a[0] > 0 && sorted_b[0] > 0)
                tell_pairs(&p, true, &ret->ratio, &ret->ratio_interval);
        return 0;
}

int stats_compare(struct stats_difference *ret, const double *a, size_t n_a, const double *b,
                  size_t n_b)
{
        static const struct stats_interval unknown = {NAN, NAN};
        struct test t = {.n_a = n_a, .n_b = n_b};
        struct stats_difference d = {
                .shift_interval = unknown, .ratio = NAN, .ratio_interval = unknown};
        int r;

        if (!n_a || !n_b)
                return STATS_E_FEW;
        r = make_test(&t, a, b);
        if (!r) {
                d.p = p_of(&t);
                d.effect = 2 * t.u / ((double)n_a * (double)n_b) - 1;
                r = compare_pairs(&d, &t, a, b);
        }
        free(t.exact);
        if (!r)
                *ret = d;
        return r;
}

struct ordered {
        double p;
        size_t at;
};

static int compare_ordered(const void *a, const void *b)
{
        const struct ordered *x = a, *y = b;

        return (x->p > y->p) - (x->p < y->p);
}

int stats_false_discovery(const double *p, size_t n, double *ret_adjusted)
{
        _cleanup_(freep) struct ordered *order = calloc(n + 1, sizeof(*order));
        size_t n_known = 0;
        double least = 1;

        if (!order)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                ret_adjusted[i] = NAN;
                if (!isnan(p[i]))
                        order[n_known++] = (struct ordered){p[i], i};
        }
        qsort(order, n_known, sizeof(*order), compare_ordered);
        for (size_t i = n_known; i-- > 0;) {
                least = fmin(least, order[i].p * (double)n_known / (double)(i + 1));
                ret_adjusted[order[i].at] = least;
        }
        return 0;
}
