/* SPDX-License-Identifier: MIT */
/* From common/stats.h to members of documents. JSON has no NaN: null stands for it. */
#include "common/stats-json.h"

#include <math.h>

#define FEW_VALUES 6

json_t *stats_json_number(double v)
{
        return isfinite(v) ? json_real(v) : json_null();
}

json_t *stats_json_interval(struct stats_interval i)
{
        if (!isfinite(i.low) || !isfinite(i.high))
                return json_null();
        return json_pack("{s:f, s:f}", "low", i.low, "high", i.high);
}

/* An upper bound of a quantile is there only if a value above it is: in n values with the
 * probability 1 - q^n. */
static json_t *of_quantile(struct stats_interval i, double q, size_t n, double level)
{
        return pow(q, (double)n) > (1 - level) / 2 ? json_null() : stats_json_interval(i);
}

/* An interval is stretched about its figure and knows no bounds of what it is of. Where nothing is
 * below 0, no bound is; and one that reaches further beyond so few values than they are apart says
 * no more than that there are too few. */
static struct stats_interval sensible(struct stats_interval i, const struct stats_summary *s)
{
        double range = s->max - s->min;

        if (s->n < FEW_VALUES && (i.low < s->min - range || i.high > s->max + range))
                return (struct stats_interval){NAN, NAN};
        if (s->min >= 0)
                return (struct stats_interval){fmax(i.low, 0), fmax(i.high, 0)};
        return i;
}

static json_t *intervals(const double *series, const struct stats_summary *s, double level,
                         uint64_t seed)
{
        struct stats_intervals i;
        size_t n = s->n;

        if (stats_intervals(&i, series, n, level, seed) != 0)
                return json_null();
        return json_pack("{s:f, s:f, s:o, s:o, s:o, s:o, s:o}", "level", level, "block", i.block,
                         "mean", stats_json_interval(sensible(i.mean, s)), "median",
                         stats_json_interval(sensible(i.median, s)), "p95",
                         of_quantile(sensible(i.p95, s), 0.95, n, level), "p99",
                         of_quantile(sensible(i.p99, s), 0.99, n, level), "stddev",
                         stats_json_interval(i.stddev));
}

json_t *stats_json(const double *series, size_t n, double level, uint64_t seed)
{
        struct stats_summary s = {.min = NAN,
                                  .max = NAN,
                                  .mean = NAN,
                                  .median = NAN,
                                  .p95 = NAN,
                                  .p99 = NAN,
                                  .stddev = NAN};

        if (n && stats_summarise(&s, series, n) < 0)
                return NULL;
        return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "count", (json_int_t)n,
                         "min", stats_json_number(s.min), "max", stats_json_number(s.max), "mean",
                         stats_json_number(s.mean), "median", stats_json_number(s.median), "p95",
                         stats_json_number(s.p95), "p99", stats_json_number(s.p99), "stddev",
                         stats_json_number(s.stddev), "intervals",
                         intervals(series, &s, level, seed));
}

json_t *stats_json_difference(const struct stats_difference *d, size_t n_a, size_t n_b)
{
        return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "n_a", (json_int_t)n_a, "n_b",
                         (json_int_t)n_b, "p", stats_json_number(d->p), "effect",
                         stats_json_number(d->effect), "shift", stats_json_number(d->shift),
                         "shift_interval", stats_json_interval(d->shift_interval), "ratio",
                         stats_json_number(d->ratio), "ratio_interval",
                         stats_json_interval(d->ratio_interval));
}
