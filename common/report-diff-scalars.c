/* SPDX-License-Identifier: MIT */
/*
 * Figures of both sides: medians of the runs (of the ledger, means: its rows sum to the whole),
 * each tested over runs, all together by Benjamini and Hochberg. What is 0 in all runs is not told.
 */
#include "common/report-diff-measure.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/report-diff-private.h"
#include "common/report-private.h"

struct name {
        const char *group, *name;
};

static bool is(const json_t *o, const struct name *n)
{
        const char *group = json_string_value(json_object_get(o, "group"));
        const char *name = json_string_value(json_object_get(o, "name"));

        return group && name && !strcmp(group, n->group) && !strcmp(name, n->name);
}

static double value_of(const struct diff_run *run, const void *userdata)
{
        const json_t *o;
        size_t i;

        json_array_foreach(run->figures, i, o)
        {
                if (is(o, userdata))
                        return diff_member(o, "value");
        }
        return NAN;
}

/* Of the runs that have it; NaN: none does. The ledger's are means of the same runs as the whole.
 */
static double middle(const struct name *n, const struct diff_set *set, const double *values)
{
        _cleanup_(freep) double *known = calloc(set->n + 1, sizeof(*known));
        _cleanup_(freep) bool *apart = calloc(set->n + 1, sizeof(*apart));
        bool of_ledger = !strcmp(n->group, "ledger");
        struct stats_summary s;
        size_t n_known = 0, n_apart;

        if (!known || !apart || (of_ledger && diff_apart(set, DIFF_BY_TOKEN, apart, &n_apart)))
                return NAN;
        for (size_t i = 0; i < set->n; i++)
                if (isfinite(values[i]) && !apart[i])
                        known[n_known++] = values[i];
        if (!n_known || stats_summarise(&s, known, n_known))
                return NAN;
        return of_ledger ? s.mean : s.median;
}

static bool all_zero(const struct diff_values *v)
{
        for (size_t i = 0; i < v->n_a + v->n_b; i++)
                if (v->a[i] != 0)
                        return false;
        return true;
}

/* NULL in *ret: nothing to tell. */
static int build(const struct diff_set *a, const struct diff_set *b, const json_t *figure,
                 json_t **ret, double *ret_p)
{
        struct name n = {json_string_value(json_object_get(figure, "group")),
                         json_string_value(json_object_get(figure, "name"))};
        struct diff_values v;
        json_t *o = NULL;
        int r = diff_values_of(&v, a, b, value_of, &n);

        if (r)
                return r;
        if (!all_zero(&v)) {
                o = diff_cell(middle(&n, a, v.a), middle(&n, b, v.b));
                report_set(o, "group", json_string(n.group));
                report_set(o, "name", json_string(n.name));
                json_object_set(o, "unit", json_object_get(figure, "unit"));
                r = diff_put_test(o, &v, NULL, ret_p);
        }
        diff_values_done(&v);
        *ret = o;
        return r;
}

/* Those of A in their order, then those that only B has. */
static int collect(json_t *list, double *p, size_t room, const struct diff_set *a,
                   const struct diff_set *b)
{
        _cleanup_(json_decrefp) json_t *seen = json_array();

        for (size_t i = 0; i < a->n + b->n; i++) {
                const struct diff_run *run = i < a->n ? a->at[i] : b->at[i - a->n];
                json_t *figure;
                size_t k;

                json_array_foreach(run->figures, k, figure)
                {
                        struct name n = {json_string_value(json_object_get(figure, "group")),
                                         json_string_value(json_object_get(figure, "name"))};
                        json_t *o = NULL;
                        size_t m = 0;
                        int r;

                        while (m < json_array_size(seen) && !is(json_array_get(seen, m), &n))
                                m++;
                        if (m < json_array_size(seen) || json_array_size(list) >= room)
                                continue;
                        json_array_append(seen, figure);
                        r = build(a, b, figure, &o, &p[json_array_size(list)]);
                        if (r)
                                return json_decref(o), r;
                        if (o)
                                json_array_append_new(list, o);
                }
        }
        return 0;
}

int diff_put_figures(json_t *document, const struct diff_set *a, const struct diff_set *b)
{
        enum { ROOM = 512 };
        _cleanup_(freep) double *p = calloc(2 * ROOM, sizeof(*p));
        json_t *list = json_array(), *o;
        size_t i;
        int r = p ? collect(list, p, ROOM, a, b) : -ENOMEM;

        if (!r)
                r = stats_false_discovery(p, json_array_size(list), p + ROOM);
        if (r)
                return json_decref(list), r;
        json_array_foreach(list, i, o)
        {
                report_set(o, "p_adjusted", report_fraction(p[ROOM + i]));
                report_set(o, "changed",
                           isnan(p[ROOM + i]) ? json_null()
                                              : json_boolean(p[ROOM + i] <= DIFF_LEVEL));
        }
        report_set(document, "figures", list);
        return 0;
}
