/* SPDX-License-Identifier: MIT */
/*
 * The verdict in words: what must be known before all else, and in one line why it is what it is.
 */
#include "common/report-diff-measure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fmt.h"
#include "common/report-private.h"

/* --- what comes first --- */

static const char *engine_of(const struct diff_set *set)
{
        return set->at[0]->engine;
}

bool diff_other_machines(const struct diff_set *a, const struct diff_set *b)
{
        const char *first = NULL;

        for (size_t i = 0; i < a->n + b->n; i++) {
                const char *it = (i < a->n ? a->at[i] : b->at[i - a->n])->machine;

                if (!it)
                        continue;
                if (first && strcmp(first, it) != 0)
                        return true;
                first = it;
        }
        return false;
}

static bool any_tokens(const struct diff_set *set)
{
        for (size_t i = 0; i < set->n; i++)
                if (isfinite(set->at[i]->token_ns))
                        return true;
        return false;
}

json_t *diff_first(const struct verdict *v)
{
        json_t *first = json_array();

        if (diff_other_machines(v->a, v->b))
                report_note(first, "the runs are of different machines: their times tell of these, "
                                   "not of what was changed");
        if (diff_other_engines(v->a, v->b)) {
                const char *p = engine_of(v->a), *q = engine_of(v->b);

                if (diff_other_engine(v->a->at[0], v->b->at[0]))
                        report_note(first,
                                    "the runs are of different engines, %s and %s: ops of the "
                                    "one are not those of the other",
                                    p, q);
                else
                        report_note(first, "a side has runs of different engines");
        }
        if (any_tokens(v->a) != any_tokens(v->b))
                report_note(first,
                            "%s makes tokens, as far as infprof knows the engine, and %s does "
                            "not%s",
                            any_tokens(v->a) ? "A" : "B", any_tokens(v->a) ? "B" : "A",
                            v->lacks_tokens ? "" : ": they are compared by their wall time");
        return first;
}

/* --- in one line --- */

static void say_measure(const struct verdict *v, char *buf, size_t size)
{
        char a[FMT_SIZE], b[FMT_SIZE];
        double x = diff_median(v->of.a, v->of.n_a), y = diff_median(v->of.b, v->of.n_b);

        snprintf(buf, size, "%s %s in A, %s in B", v->name, fmt_ns(a, (uint64_t)llround(x)),
                 fmt_ns(b, (uint64_t)llround(y)));
}

static char *lacks_tokens(const struct verdict *v)
{
        bool a = any_tokens(v->a), b = any_tokens(v->b);
        char *s;

        return asprintf(&s, "%s, as far as infprof knows; try --by wall",
                        a && b ? "not all of the runs make tokens"
                        : a    ? "B makes no tokens"
                        : b    ? "A makes no tokens"
                               : "A and B make no tokens") < 0
                       ? NULL
                       : s;
}

char *diff_because(const struct verdict *v)
{
        char times[160], *s = NULL;
        size_t n_a = v->a->n, n_b = v->b->n;

        if (v->is == DIFF_VERDICT_NOT_COMPARABLE) {
                if (v->lacks_tokens)
                        return lacks_tokens(v);
                if (!v->of.known)
                        return strdup(
                                "neither the time of a token nor wall time is known of all runs");
                return strdup("they ran on different machines");
        }
        say_measure(v, times, sizeof(times));
        if (!v->by && n_a == 1 && n_b == 1)
                return asprintf(&s,
                                "%s; one run a side does not tell how much runs differ by "
                                "themselves",
                                times) < 0
                               ? NULL
                               : s;
        if (!v->by)
                return asprintf(&s,
                                "%s; %zu and %zu runs are too few to tell: 4 a side is the least",
                                times, n_a, n_b) < 0
                               ? NULL
                               : s;
        if (!strcmp(v->by, "tokens"))
                return asprintf(&s,
                                "%s; B is %.3gx as fast (%.4gx to %.4gx by how tokens vary within "
                                "the two runs, which tells nothing of how runs vary)",
                                times, 1 / v->ratio, 1 / v->interval.high, 1 / v->interval.low) < 0
                               ? NULL
                               : s;
        return asprintf(&s, "%s; B is %.3gx as fast (%.4gx to %.4gx), p = %.2g, %zu and %zu runs",
                        times, 1 / v->ratio, 1 / v->interval.high, 1 / v->interval.low, v->p, n_a,
                        n_b) < 0
                       ? NULL
                       : s;
}
