/* SPDX-License-Identifier: MIT */
/*
 * Figures of two documents beside each other, and rows that meet by a key. Rows of one document
 * with the same key are summed. A row that is only in one of them is 0 in the other: that is what
 * was counted there, or sampled.
 */
#include "common/report-diff-private.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/report-private.h"

/* A difference is said to be one when it is more than so many of its standard errors. */
#define SIGNIFICANT 3

struct row {
        const json_t *first;
        char *key;
        bool in[2];
        double value[2][DIFF_MAX_MEMBERS], variance[2][DIFF_MAX_MEMBERS];
        bool known[2][DIFF_MAX_MEMBERS], estimate[DIFF_MAX_MEMBERS];
};

struct rows {
        struct row *at;
        size_t n, room;
        json_t *index; /* key: number of the row */
};

static json_t *number(double v)
{
        if (!isfinite(v))
                return json_null();
        return v == floor(v) && fabs(v) < 9e15 ? json_integer((json_int_t)v) : json_real(v);
}

/* NaN: not known */
json_t *diff_cell(double a, double b)
{
        json_t *o = json_object();

        report_set(o, "a", number(a));
        report_set(o, "b", number(b));
        report_set(o, "delta", number(b - a));
        report_set(o, "ratio", a != 0 ? report_fraction(b / a) : json_null());
        return o;
}

json_t *diff_estimate(double a, double b, double variance)
{
        json_t *o = diff_cell(a, b);
        double error = sqrt(variance), delta = b - a;

        report_set(o, "stderr", report_fraction(error));
        report_set(o, "significant",
                   isfinite(delta) && isfinite(error)
                           ? json_boolean(fabs(delta) > SIGNIFICANT * error)
                           : json_null());
        return o;
}

double diff_member(const json_t *o, const char *key)
{
        const json_t *v = json_object_get(o, key);

        return json_is_number(v) ? json_number_value(v) : NAN;
}

/* {KEY: cell} of two objects, either of which may be null. */
void diff_put_cells(json_t *to, const json_t *a, const json_t *b, const char *const *keys)
{
        for (; *keys; keys++)
                report_set(to, *keys, diff_cell(diff_member(a, *keys), diff_member(b, *keys)));
}

/* The row of that key; NULL: no memory. Takes the key over. */
static struct row *find_row(struct rows *rows, char *key, const json_t *first)
{
        const json_t *at = json_object_get(rows->index, key);
        struct row *row;

        if (at) {
                free(key);
                return &rows->at[json_integer_value(at)];
        }
        row = GROW(&rows->at, &rows->n, &rows->room);
        if (!row ||
            json_object_set_new_nocheck(rows->index, key, json_integer((json_int_t)rows->n - 1))) {
                free(key);
                return NULL;
        }
        row->first = first;
        row->key = key;
        return row;
}

static void add(struct row *row, const struct diff_kind *kind, int side, const json_t *o)
{
        for (int i = 0; kind->members[i]; i++) {
                char name[64];
                double v = diff_member(o, kind->members[i]), error;

                snprintf(name, sizeof(name), "%s_stderr", kind->members[i]);
                row->known[side][i] = isfinite(v) && (!row->in[side] || row->known[side][i]);
                row->value[side][i] += isfinite(v) ? v : 0;
                if (!json_object_get(o, name))
                        continue;
                error = diff_member(o, name); /* NaN stays NaN: not known */
                row->estimate[i] = true;
                row->variance[side][i] += error * error;
        }
        row->in[side] = true;
}

static int collect(struct rows *rows, const struct diff_kind *kind, int side,
                   const json_t *document)
{
        const json_t *o;
        size_t i;

        json_array_foreach(json_object_get(document, kind->rows), i, o)
        {
                char *key = kind->key(o);
                struct row *row = key ? find_row(rows, key, o) : NULL;

                if (!row)
                        return -ENOMEM;
                add(row, kind, side, o);
        }
        return 0;
}

static json_t *build_row(const struct diff_kind *kind, const struct row *row)
{
        json_t *o = json_object();

        for (size_t i = 0; i < sizeof(kind->copied) / sizeof(kind->copied[0]) && kind->copied[i];
             i++)
                json_object_set(o, kind->copied[i], json_object_get(row->first, kind->copied[i]));
        report_set(o, "in",
                   json_string(row->in[0] && row->in[1] ? "both"
                               : row->in[0]             ? "a"
                                                        : "b"));
        for (int i = 0; kind->members[i]; i++) {
                double v[2];

                for (int side = 0; side < 2; side++)
                        v[side] = row->known[side][i] || !row->in[side] ? row->value[side][i] : NAN;
                report_set(o, kind->members[i],
                           row->estimate[i]
                                   ? diff_estimate(v[0], v[1],
                                                   row->variance[0][i] + row->variance[1][i])
                                   : diff_cell(v[0], v[1]));
        }
        return o;
}

static double size_of_delta(const json_t *row, const char *key)
{
        double d = key ? diff_member(json_object_get(row, key), "delta") : 0;

        return isfinite(d) ? fabs(d) : 0;
}

/* What differs most comes first. */
struct ordered {
        json_t *row;
        double by[2];
        const char *key;
};

static int compare_ordered(const void *a, const void *b)
{
        const struct ordered *p = a, *q = b;

        for (int i = 0; i < 2; i++)
                if (p->by[i] != q->by[i])
                        return p->by[i] > q->by[i] ? -1 : 1;
        return strcmp(p->key, q->key);
}

static json_t *build_sorted(const struct diff_kind *kind, const struct rows *rows)
{
        struct ordered *list = calloc(rows->n + 1, sizeof(*list));
        json_t *array = list ? json_array() : NULL;

        for (size_t i = 0; array && i < rows->n; i++) {
                json_t *row = build_row(kind, &rows->at[i]);

                list[i] = (struct ordered){
                        row,
                        {size_of_delta(row, kind->order), size_of_delta(row, kind->order2)},
                        rows->at[i].key};
                /* classes: by size */
                if (!kind->order)
                        list[i].by[0] = -(double)report_get_integer(row, "from_bytes");
        }
        if (array)
                qsort(list, rows->n, sizeof(*list), compare_ordered);
        for (size_t i = 0; array && i < rows->n; i++)
                json_array_append_new(array, list[i].row);
        free(list);
        return array;
}

int diff_put_rows(json_t *to, const struct diff_kind *kind, const json_t *a, const json_t *b)
{
        struct rows rows = {.index = json_object()};
        int r = collect(&rows, kind, 0, a);

        if (!r)
                r = collect(&rows, kind, 1, b);
        if (!r)
                report_set(to, kind->rows, build_sorted(kind, &rows));
        for (size_t i = 0; i < rows.n; i++)
                free(rows.at[i].key);
        free(rows.at);
        json_decref(rows.index);
        return r;
}
