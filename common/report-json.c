/* SPDX-License-Identifier: MIT */
/*
 * Small pieces of JSON, and figures as members of an object. What is not known is null.
 */
#include "common/report-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/fmt.h"

const char *const report_phase_names[IFP_N_PHASES] = {"unknown", "load", "prefill", "decode",
                                                      "idle"};
static const char *const kind_names[IFP_N_KINDS] = {"kernel", "node",  "graph", "call",
                                                    "wait",   "token", "ttft",  "marker"};

const char *report_kind_name(enum ifp_kind kind)
{
        return kind_names[kind];
}

void report_set(json_t *object, const char *key, json_t *value)
{
        if (json_object_set_new(object, key, value) < 0)
                abort(); /* no memory: json_object() and its like answered NULL */
}

json_t *report_text(const char *s)
{
        _cleanup_(freep) char *clean = s ? fmt_utf8(s) : NULL;

        return s ? json_string(clean) : json_null();
}

json_t *report_integer(uint64_t v)
{
        return json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v);
}

json_t *report_integer_or_null(bool known, uint64_t v)
{
        return known ? report_integer(v) : json_null();
}

json_t *report_told(uint64_t v)
{
        return report_integer_or_null(v != RUNFILE_NOT_TOLD, v);
}

json_t *report_rounded(double v)
{
        return isfinite(v) && v >= 0 && v < 9e18 ? json_integer((json_int_t)llround(v))
                                                 : json_null();
}

json_t *report_fraction(double v)
{
        return isfinite(v) ? json_real(v) : json_null();
}

int64_t report_get_integer(const json_t *o, const char *key)
{
        const json_t *v = json_object_get(o, key);

        return json_is_integer(v) ? json_integer_value(v) : -1;
}

/* Most self time first, then total, then calls, then by name: one order, always the same. */
int report_compare_ops(const void *a, const void *b)
{
        static const char *const keys[] = {"self_ns", "total_ns", "calls"};
        const json_t *p = *(json_t *const *)a, *q = *(json_t *const *)b;

        for (size_t i = 0; i < 3; i++) {
                int64_t x = report_get_integer(p, keys[i]), y = report_get_integer(q, keys[i]);

                if (x != y)
                        return x > y ? -1 : 1;
        }
        return strcmp(json_string_value(json_object_get(p, "name")),
                      json_string_value(json_object_get(q, "name")));
}

/* A JSON array of these, in order; takes them over. */
json_t *report_sorted(json_t **items, size_t n, int (*compare)(const void *, const void *))
{
        json_t *array = json_array();

        if (n)
                qsort(items, n, sizeof(*items), compare);
        for (size_t i = 0; i < n; i++)
                json_array_append_new(array, items[i]);
        return array;
}

bool report_is_nested(const struct model_op *op)
{
        return op->kind != IFP_KIND_TOKEN && op->kind != IFP_KIND_TTFT;
}

void report_put_name(json_t *o, const struct model_op *op)
{
        report_set(o, "name", report_text(op->name));
        report_set(o, "kernel", report_text(op->kernel));
        report_set(o, "library", report_text(op->library));
        report_set(o, "kind", json_string(kind_names[op->kind]));
}

int64_t report_net_bytes(const struct runfile_alloc *a)
{
        return (int64_t)a->usable_bytes - (int64_t)a->freed_bytes;
}

void report_put_alloc(json_t *o, const struct runfile_alloc *a)
{
        report_set(o, "alloc_calls", report_integer(a->calls));
        report_set(o, "alloc_bytes", report_integer(a->asked_bytes));
        report_set(o, "usable_bytes", report_integer(a->usable_bytes));
        report_set(o, "free_calls", report_integer(a->frees));
        report_set(o, "freed_bytes", report_integer(a->freed_bytes));
        report_set(o, "net_bytes", json_integer(report_net_bytes(a)));
}

static double share_of(const struct report *r, const struct summary *s)
{
        return s->self_known && r->in_ops_known && r->shared_ns
                       ? (double)(s->total_ns - s->child_ns) / (double)r->shared_ns
                       : NAN;
}

void report_put_times(json_t *o, const struct report *r, const struct summary *s)
{
        const struct figures *f = &s->sum;

        report_set(o, "calls", report_integer(s->calls));
        report_set(o, "timed_calls", report_integer(f->timed));
        report_set(o, "total_ns", report_integer_or_null(s->times_known, s->total_ns));
        report_set(o, "self_ns", report_integer_or_null(s->self_known, s->total_ns - s->child_ns));
        report_set(o, "share", report_fraction(share_of(r, s)));
        report_set(o, "min_ns", report_integer_or_null(f->min_ns != UINT64_MAX, f->min_ns));
        report_set(o, "max_ns", report_integer_or_null(f->min_ns != UINT64_MAX, f->max_ns));
        report_set(o, "mean_ns", report_rounded(s->mean_ns));
        if (s->estimated) {
                report_set(o, "estimated", json_true());
                report_set(o, "error_fraction", report_fraction(s->error));
        }
}

void report_put_distribution(json_t *o, const struct summary *s)
{
        const struct figures *f = &s->sum;
        bool known = f->points.count;

        report_set(o, "stddev_ns", report_rounded(s->stddev_ns));
        report_set(o, "p50_ns", report_integer_or_null(known, figures_quantile(f, 0.50)));
        report_set(o, "p95_ns", report_integer_or_null(known, figures_quantile(f, 0.95)));
        report_set(o, "p99_ns", report_integer_or_null(known, figures_quantile(f, 0.99)));
}
