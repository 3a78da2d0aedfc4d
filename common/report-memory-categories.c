/* SPDX-License-Identifier: MIT */
/*
 * Categories of a document: made from its stacks alone, so that rules can be held against any
 * document, whoever built it.
 */
#include "common/report-memory.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "common/categories.h"
#include "common/cleanup.h"
#include "common/report-private.h"

struct row {
        const char *name; /* the rules'; NULL: unmatched */
        double alloc_bytes, alloc_objects, inuse_bytes, inuse_objects, alloc_var, inuse_var;
        bool inuse_known; /* the errors of what is in use */
        size_t stacks;
};

struct rows {
        struct row *at;
        size_t n, room;
};

static const char *match(const struct categories *c, const json_t *stack)
{
        const json_t *frames = json_object_get(stack, "frames"), *frame;
        size_t n = json_array_size(frames), i;
        _cleanup_(freep) struct categories_frame *list = calloc(n + 1, sizeof(*list));
        struct categories_stack s = {
                .op = json_string_value(json_object_get(stack, "op")),
                .phase = json_string_value(json_object_get(stack, "phase")),
                .frames = list,
                .n_frames = n,
        };

        if (!list || json_is_true(json_object_get(stack, "other")))
                return NULL;
        json_array_foreach(frames, i, frame)
        {
                list[i].function = json_string_value(json_object_get(frame, "function"));
                list[i].library = json_string_value(json_object_get(frame, "library"));
        }
        return categories_match(c, &s);
}

static struct row *row_of(struct rows *rows, const char *name)
{
        struct row *row;

        for (size_t i = 0; i < rows->n; i++)
                if (name && rows->at[i].name ? !strcmp(rows->at[i].name, name)
                                             : rows->at[i].name == name)
                        return &rows->at[i];
        row = GROW(&rows->at, &rows->n, &rows->room);
        if (row)
                *row = (struct row){.name = name, .inuse_known = true};
        return row;
}

static double number(const json_t *o, const char *key)
{
        double v = json_number_value(json_object_get(o, key)); /* 0 for null */

        return isfinite(v) ? v : 0;
}

static void add(struct row *row, const json_t *stack)
{
        double a = number(stack, "alloc_bytes_stderr"), u = number(stack, "inuse_bytes_stderr");

        row->alloc_bytes += number(stack, "alloc_bytes");
        row->alloc_objects += number(stack, "alloc_objects");
        row->inuse_bytes += number(stack, "inuse_bytes");
        row->inuse_objects += number(stack, "inuse_objects");
        row->alloc_var += a * a;
        row->inuse_var += u * u;
        row->inuse_known &= json_is_number(json_object_get(stack, "inuse_bytes_stderr"));
        row->stacks++;
}

static int compare_rows(const void *a, const void *b)
{
        const struct row *p = a, *q = b;

        if (p->alloc_bytes != q->alloc_bytes)
                return p->alloc_bytes > q->alloc_bytes ? -1 : 1;
        return strcmp(p->name ? p->name : "", q->name ? q->name : "");
}

static json_t *share(double part, double whole)
{
        double share = part / whole;

        return report_fraction(whole > 0 && share >= 0 ? (share > 1 ? 1 : share) : NAN);
}

static json_t *build_row(const struct row *row, const struct row *all, bool windowed)
{
        json_t *o = json_object();

        report_set(o, "name", row->name ? json_string(row->name) : json_null());
        report_set(o, "alloc_bytes", report_rounded(row->alloc_bytes));
        report_set(o, "alloc_bytes_stderr", report_rounded(sqrt(row->alloc_var)));
        report_set(o, "alloc_share", share(row->alloc_bytes, all->alloc_bytes));
        report_set(o, "alloc_objects", report_rounded(row->alloc_objects));
        report_set(o, "inuse_bytes", json_integer((json_int_t)row->inuse_bytes));
        report_set(o, "inuse_bytes_stderr",
                   report_rounded(row->inuse_known ? sqrt(row->inuse_var) : NAN));
        /* of a growth there are no shares: its parts may be less than nothing */
        report_set(o, "inuse_share",
                   windowed ? json_null() : share(row->inuse_bytes, all->inuse_bytes));
        report_set(o, "inuse_objects", json_integer((json_int_t)row->inuse_objects));
        report_set(o, "stacks", report_integer(row->stacks));
        return o;
}

int report_memory_categorize(json_t *memory, const struct categories *c)
{
        bool windowed = !json_is_null(json_object_get(memory, "window"));
        json_t *stacks = json_object_get(memory, "stacks"), *stack, *array;
        struct rows rows = {0};
        struct row all = {0};
        size_t i;

        json_array_foreach(stacks, i, stack)
        {
                const char *name = match(c, stack);
                struct row *row = row_of(&rows, name);

                if (!row) {
                        free(rows.at);
                        return -ENOMEM;
                }
                add(row, stack);
                add(&all, stack);
                report_set(stack, "category", name ? json_string(name) : json_null());
        }
        if (rows.n)
                qsort(rows.at, rows.n, sizeof(*rows.at), compare_rows);
        array = json_array();
        for (i = 0; i < rows.n; i++)
                json_array_append_new(array, build_row(&rows.at[i], &all, windowed));
        report_set(memory, "categories", array);
        free(rows.at);
        return 0;
}
