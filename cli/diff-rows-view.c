/* SPDX-License-Identifier: MIT */
/*
 * Tables of a difference: ops, ops on shapes in layers, figures. What differs most comes first; a
 * "*>" or "*<" is behind what stands after correction for how many were looked at.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/diff-view.h"
#include "cli/screen.h"
#include "cli/shape-text.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

struct cells {
        char a[FMT_SIZE], b[FMT_SIZE], delta[FMT_SIZE + 2], ratio[FMT_SIZE], explains[FMT_SIZE];
};

static void value(char *buf, double v, const char *unit)
{
        char *to = buf;

        if (isnan(v)) {
                strcpy(buf, "-");
                return;
        }
        if (v < 0) {
                *to++ = '-';
                v = -v;
        }
        if (!strcmp(unit, "ns"))
                fmt_ns(to, (uint64_t)llround(v));
        else if (!strcmp(unit, "bytes"))
                fmt_bytes(to, llround(v));
        else if (v < 1e15 && v == floor(v))
                fmt_count(to, (uint64_t)v);
        else
                text_count(to, v);
}

static void fill(struct cells *c, const json_t *cell, const char *unit)
{
        double delta = text_number(cell, "delta"), ratio = text_number(cell, "ratio");
        char text[FMT_SIZE];

        value(c->a, text_number(cell, "a"), unit);
        value(c->b, text_number(cell, "b"), unit);
        value(text, delta, unit);
        snprintf(c->delta, sizeof(c->delta), "%s%s", delta > 0 ? "+" : "", text);
        if (isnan(ratio) || ratio < 0)
                strcpy(c->ratio, "-");
        else
                snprintf(c->ratio, sizeof(c->ratio), ratio < 99.995 ? "%.3f" : "%.0f", ratio);
}

static void share(char *buf, double v)
{
        if (isnan(v) || fabs(v) >= 1e4)
                strcpy(buf, "-");
        else
                snprintf(buf, FMT_SIZE, "%.1f%%", fabs(v) < 0.0005 ? 0 : v * 100);
}

/* Which way, too: the test may be of the quickest calls, and the means beside it say otherwise. */
static const char *mark(const json_t *row)
{
        if (!json_is_true(json_object_get(row, "changed")))
                return "";
        return text_number(row, "effect") < 0 ? "*<" : "*>";
}

static bool any_marked(const json_t *rows)
{
        const json_t *row;
        size_t i;

        json_array_foreach(rows, i, row)
        {
                if (mark(row)[0])
                        return true;
        }
        return false;
}

static void print_legend(const struct view *v, const json_t *document)
{
        if (any_marked(json_object_get(document, "ops")) ||
            any_marked(json_object_get(document, "figures")))
                fputs("*> more in B, *< less: shown to differ (ops by all their calls or the "
                      "quickest)\n",
                      v->f);
}

/* Where it is not shown that anything differs, shares of the difference are shares of noise. */
static bool is_explained(const json_t *document)
{
        return strcmp(text_string(document, "verdict", ""), "no difference shown") != 0;
}

/* "3 attention", "output"; in buf[TEXT_CELL] */
static const char *place_of(char *buf, const json_t *row)
{
        const char *part = text_string(row, "part", NULL);
        double layer = text_number(row, "layer");

        if (isnan(layer))
                snprintf(buf, TEXT_CELL, "%s", part ? part : "-");
        else
                snprintf(buf, TEXT_CELL, "%.0f%s%s", layer, part ? " " : "", part ? part : "");
        return buf;
}

/* Is a row finer than its op? */
static bool is_finer(const json_t *rows)
{
        const json_t *row;
        size_t i;

        json_array_foreach(rows, i, row)
        {
                if (text_string(row, "shape", NULL) || !isnan(text_number(row, "layer")))
                        return true;
        }
        return false;
}

static const struct table_column op_columns[] = {
        {"A", true, false, 0},     {"B", true, false, 0},        {"B - A", true, false, 0},
        {"B / A", true, false, 2}, {"explains", true, false, 1}, {"", false, false, 0},
        {"op", false, true, 0}};

static const struct table_column row_columns[] = {
        {"A", true, false, 3},        {"B", true, false, 2},
        {"B - A", true, false, 0},    {"B / A", true, false, 4},
        {"explains", true, false, 1}, {"", false, false, 0},
        {"layer", false, false, 0},   {"op, and on what", false, true, 0, shape_text_cut, 0},
};

/* `finer`: of row_columns */
static bool add_row(struct table *t, const json_t *row, bool finer, bool explained)
{
        const char *op = text_string(row, "op", "in no op"),
                   *shape = text_string(row, "shape", NULL);
        _cleanup_(freep) char *both = NULL;
        char place[TEXT_CELL];
        struct cells c;

        if (asprintf(&both, "%s%s%s", op, shape ? " " : "", shape ? shape : "") < 0)
                return false;
        fill(&c, json_object_get(row, "self_ns"), "ns");
        share(c.explains, explained ? text_number(row, "explains") : NAN);
        table_add(t, (const char *[]){c.a, c.b, c.delta, c.ratio, c.explains, mark(row),
                                      finer ? place_of(place, row) : op, both});
        return true;
}

static void add_whole(struct table *t, const json_t *whole)
{
        struct cells c;

        fill(&c, whole, "ns");
        table_add(t, (const char *[]){c.a, c.b, c.delta, c.ratio, "", "", "all of it"});
}

/* What is in no op comes last. */
static bool print_ops(const struct view *v, size_t rows, const json_t *all, const json_t *whole,
                      bool explained)
{
        struct table *t = table_new(op_columns, sizeof(op_columns) / sizeof(op_columns[0]));
        size_t i, n = json_array_size(all) - 1, shown = view_shown(rows, n);
        const json_t *row;
        bool ok = t != NULL;

        json_array_foreach(all, i, row)
        {
                if (ok && (i < shown || i == n))
                        ok = add_row(t, row, false, explained);
        }
        if (!ok)
                return table_free(t), false;
        add_whole(t, whole);
        view_heading(v, "time of all threads, %s, by op: self time",
                     !strcmp(text_string(whole, "of", ""), "token") ? "of a token" : "of a run");
        ok = screen_table(v, t);
        table_free(t);
        screen_say_more(v, rows, n, "op");
        return ok;
}

static bool print_finer(const struct view *v, size_t rows, const json_t *all, bool explained)
{
        struct table *t = table_new(row_columns, sizeof(row_columns) / sizeof(row_columns[0]));
        size_t i, n = json_array_size(all) - 1, shown = view_shown(rows, n);
        const json_t *row;
        bool ok = t != NULL;

        json_array_foreach(all, i, row)
        {
                if (ok && i < shown)
                        ok = add_row(t, row, true, explained);
        }
        if (!ok)
                return table_free(t), false;
        view_heading(v, "by op, layer and shape");
        ok = screen_table(v, t);
        table_free(t);
        screen_say_more(v, rows, n, "finer row");
        return ok;
}

bool diff_print_rows(const struct view *v, size_t rows, const json_t *document)
{
        const json_t *ops = json_object_get(document, "ops");
        const json_t *finer = json_object_get(document, "rows");
        const json_t *whole = json_object_get(document, "whole");

        if (json_array_size(ops) < 2 || !json_is_object(whole))
                return true;
        if (!print_ops(v, rows, ops, whole, is_explained(document)))
                return false;
        if (!is_finer(finer))
                return true;
        if (screen_shows(v, 2))
                return print_finer(v, rows, finer, is_explained(document));
        screen_leave(v, json_array_size(finer) - 1, "finer row");
        return true;
}

/* --- figures --- */

static const struct table_column figure_columns[] = {
        {"A", true, false, 0},     {"B", true, false, 0}, {"B - A", true, false, 0},
        {"B / A", true, false, 1}, {"", false, false, 0}, {"", false, true, 0}};

/* Of times all are told; of others those that differ. */
static bool is_told(const json_t *figure)
{
        double delta = text_number(figure, "delta");
        const char *group = text_string(figure, "group", "");

        if (json_is_true(json_object_get(figure, "changed")))
                return true;
        return !isnan(delta) && (!strcmp(group, "time") || delta != 0);
}

/* The least that is told first: what was seen to differ, then times, then the rest. */
static int rank_of(const json_t *figure)
{
        if (json_is_true(json_object_get(figure, "changed")))
                return 0;
        return strcmp(text_string(figure, "group", ""), "time") ? 2 : 1;
}

bool diff_print_figures(const struct view *v, size_t rows, const json_t *document)
{
        const json_t *list = json_object_get(document, "figures"), *o;
        struct table *t;
        size_t i, n = 0, n_shown = 0, shown;
        bool ok = true;

        json_array_foreach(list, i, o)
        {
                n += is_told(o);
        }
        if (!n)
                return true;
        if (!screen_shows(v, 1)) {
                screen_leave(v, n, "figure");
                return true;
        }
        t = table_new(figure_columns, sizeof(figure_columns) / sizeof(figure_columns[0]));
        if (!t)
                return false;
        shown = view_shown(rows, n);
        for (int rank = 0; rank < 3; rank++)
                json_array_foreach(list, i, o)
                {
                        const char *group = text_string(o, "group", "");
                        bool plain = !strcmp(group, "time") || !strcmp(group, "memory") ||
                                     !strcmp(group, "work") || !strcmp(group, "spawns");
                        char name[96];
                        struct cells c;

                        if (!is_told(o) || rank_of(o) != rank || n_shown >= shown)
                                continue;
                        n_shown++;
                        fill(&c, o, text_string(o, "unit", ""));
                        snprintf(name, sizeof(name), "%s%s%s", plain ? "" : group,
                                 plain ? "" : ": ", text_string(o, "name", "?"));
                        table_add(t, (const char *[]){c.a, c.b, c.delta, c.ratio, mark(o), name});
                }
        view_heading(v, "figures; of several runs, medians");
        ok = screen_table(v, t);
        table_free(t);
        screen_say_more(v, rows, n, "figure");
        print_legend(v, document);
        return ok;
}
