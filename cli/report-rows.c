/* SPDX-License-Identifier: MIT */
#include "cli/report-rows.h"

#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text.h"

struct field {
        const char *name, *member;
};

static const struct field fields[] = {
        {"self", "self_ns"},        {"total", "total_ns"},    {"calls", "calls"},
        {"mean", "mean_ns"},        {"min", "min_ns"},        {"max", "max_ns"},
        {"median", "p50_ns"},       {"p50", "p50_ns"},        {"p95", "p95_ns"},
        {"p99", "p99_ns"},          {"stddev", "stddev_ns"},  {"share", "share"},
        {"allocs", "alloc_calls"},  {"bytes", "alloc_bytes"}, {"net", "net_bytes"},
        {"threads", "threads"},     {"name", "name"},         {"flops", "flops"},
        {"traffic", "bytes"},       {"gflops", "gflops"},     {"gbps", "gbps"},
        {"intensity", "intensity"},
};

const char *report_field(const char *name)
{
        for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
                if (!strcmp(name, fields[i].name) || !strcmp(name, fields[i].member))
                        return fields[i].member;
        return NULL;
}

const char *report_field_names(void)
{
        return "self, total, calls, mean, min, max, median, p95, p99, stddev, share, allocs, "
               "bytes, "
               "net, threads, flops, traffic, gflops, gbps, intensity or name";
}

bool report_field_is_of_shapes(const char *member)
{
        static const char *const members[] = {"self_ns", "total_ns", "calls", "name",     "flops",
                                              "bytes",   "gflops",   "gbps",  "intensity"};

        for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
                if (!strcmp(member, members[i]))
                        return true;
        return false;
}

bool report_matches(const json_t *op, const char *glob)
{
        return !glob || !fnmatch(glob, text_string(op, "name", ""), 0) ||
               !fnmatch(glob, text_string(op, "kernel", ""), 0);
}

static const char *sort_member;

/* Rows "not in any op" have no kind and come last; what is not known comes after what is. */
static int compare_rows(const void *a, const void *b)
{
        const json_t *p = *(json_t *const *)a, *q = *(json_t *const *)b;
        int p_none = !text_string(p, "kind", NULL), q_none = !text_string(q, "kind", NULL);
        double x, y;

        if (p_none != q_none)
                return p_none - q_none;
        if (strcmp(sort_member, "name")) {
                x = text_number(p, sort_member);
                y = text_number(q, sort_member);
                if (isnan(x) != isnan(y))
                        return isnan(x) ? 1 : -1;
                if (x != y && !isnan(x))
                        return x > y ? -1 : 1;
        }
        return strcmp(text_string(p, "name", ""), text_string(q, "name", ""));
}

/* Sorts the members of `rows` from index `from` on. */
static void sort_rows(json_t *rows, size_t from, const char *member)
{
        size_t n = json_array_size(rows) - from;
        json_t **items = calloc(n + 1, sizeof(*items));

        if (!items)
                return;
        for (size_t i = 0; i < n; i++)
                items[i] = json_incref(json_array_get(rows, from + i));
        sort_member = member;
        qsort(items, n, sizeof(*items), compare_rows);
        for (size_t i = 0; i < n; i++)
                json_array_set_new(rows, from + i, items[i]);
        free(items);
}

/* One more row: `head` (consumed, may be NULL), then members of `op` that are no groups. */
static void add_row(json_t *rows, json_t *head, const json_t *op, const json_t *figures)
{
        static const char *const names[] = {"name", "kernel", "library", "kind"};
        json_t *row = head ? head : json_object(), *value;
        const char *key;

        for (size_t i = 0; i < 4; i++)
                json_object_set(row, names[i], json_object_get(op, names[i]));
        json_object_foreach((json_t *)figures, key, value)
        {
                if (!json_is_object(value) && !json_is_array(value) && !json_object_get(row, key))
                        json_object_set(row, key, value);
        }
        json_array_append_new(rows, row);
}

static const char not_in_any_op[] = "not in any op";

/* The row of what is not in any op. */
static void add_none(json_t *rows, json_t *head, const json_t *from)
{
        static const char *const members[] = {"self_ns",      "alloc_calls", "alloc_bytes",
                                              "usable_bytes", "free_calls",  "freed_bytes",
                                              "net_bytes"};
        json_t *row = head ? head : json_object();

        json_object_set_new(row, "name", json_string(not_in_any_op));
        json_object_set_new(row, "kernel", json_null());
        json_object_set_new(row, "library", json_null());
        json_object_set_new(row, "kind", json_null());
        for (size_t i = 0; from && i < 7; i++)
                if (json_object_get(from, members[i]))
                        json_object_set(row, members[i], json_object_get(from, members[i]));
        json_array_append_new(rows, row);
}

static void rows_by_op(json_t *rows, const json_t *report, const char *field, const char *glob)
{
        const json_t *op;
        size_t i;

        json_array_foreach(json_object_get(report, "ops"), i, op)
        {
                if (report_matches(op, glob))
                        add_row(rows, NULL, op, op);
        }
        if (!glob)
                add_none(rows, NULL, json_object_get(report, "not_in_any_op"));
        sort_rows(rows, 0, field);
}

static void rows_by_phase(json_t *rows, const json_t *report, const char *field, const char *glob)
{
        const char *phase;
        json_t *unused, *op;
        size_t i;

        json_object_foreach(json_object_get(report, "phases"), phase, unused)
        {
                size_t from = json_array_size(rows);

                json_array_foreach(json_object_get(report, "ops"), i, op)
                {
                        const json_t *figures =
                                json_object_get(json_object_get(op, "phases"), phase);

                        if (figures && report_matches(op, glob))
                                add_row(rows, json_pack("{s:s}", "phase", phase), op, figures);
                }
                sort_rows(rows, from, field);
        }
}

/* Ops whose operands were not seen have none. */
static void rows_by_shape(json_t *rows, const json_t *report, const char *field, const char *glob)
{
        const json_t *op, *shape;
        size_t i, k;

        json_array_foreach(json_object_get(report, "ops"), i, op)
        {
                json_array_foreach(json_object_get(op, "shapes"), k, shape)
                {
                        if (report_matches(op, glob))
                                add_row(rows, NULL, op, shape);
                }
        }
        sort_rows(rows, 0, field);
}

static json_t *thread_head(const json_t *t)
{
        return json_pack("{s:O,s:O,s:O}", "pid", json_object_get(t, "pid"), "tid",
                         json_object_get(t, "tid"), "thread", json_object_get(t, "name"));
}

static void rows_by_thread(json_t *rows, const json_t *report, const char *field, const char *glob)
{
        const json_t *thread, *op;
        size_t i, j;

        json_array_foreach(json_object_get(report, "threads"), i, thread)
        {
                size_t from = json_array_size(rows);

                json_array_foreach(json_object_get(thread, "ops"), j, op)
                {
                        if (report_matches(op, glob))
                                add_row(rows, thread_head(thread), op, op);
                }
                if (!glob)
                        add_none(rows, thread_head(thread),
                                 json_object_get(thread, "not_in_any_op"));
                sort_rows(rows, from, field);
        }
}

json_t *report_rows(const json_t *report, enum report_by by, const char *field, const char *glob)
{
        json_t *rows = json_array();

        switch (by) {
        case REPORT_BY_OP:
                rows_by_op(rows, report, field, glob);
                break;
        case REPORT_BY_THREAD:
                rows_by_thread(rows, report, field, glob);
                break;
        case REPORT_BY_PHASE:
                rows_by_phase(rows, report, field, glob);
                break;
        case REPORT_BY_SHAPE:
                rows_by_shape(rows, report, field, glob);
                break;
        }
        return rows;
}

void report_arrange(json_t *report, const char *field, const char *glob)
{
        json_t *ops = json_object_get(report, "ops");

        for (size_t i = json_array_size(ops); i-- > 0;)
                if (!report_matches(json_array_get(ops, i), glob))
                        json_array_remove(ops, i);
        sort_rows(ops, 0, field);
}
