/* SPDX-License-Identifier: MIT */
/*
 * A view of one document. top-tabs.c says everything about tables and columns; what is
 * here walks them. Nothing here knows a terminal: widths come in, text goes out.
 */
#include "cli/top-view.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/bar.h"
#include "cli/rows.h"
#include "cli/spark.h"
#include "cli/text.h"
#include "common/function-name.h"

int top_find_column(enum top_table table, const char *title)
{
        for (size_t i = 0; i < top_tables[table].n_columns; i++)
                if (!strcasecmp(top_tables[table].columns[i].title, title))
                        return (int)i;
        return -1;
}

static const json_t *table_items(const struct top_view *v, enum top_table table)
{
        const struct top_table_kind *k = &top_tables[table];
        const json_t *o = v->document;

        if (k->part_of)
                o = json_object_get(o, k->part_of);
        return json_object_get(o, k->member);
}

size_t top_table_size(const struct top_view *v, enum top_table table)
{
        return json_array_size(table_items(v, table));
}

void top_view_init(struct top_view *v)
{
        *v = (struct top_view){0};
        for (unsigned t = 0; t < TOP_N_TABLES; t++)
                v->sort[t] = top_tables[t].sort;
        for (unsigned t = 0; t < TOP_N_TABS; t++)
                v->tables[t] = top_tabs[t].first;
}

void top_view_done(struct top_view *v)
{
        top_view_set(v, NULL);
        for (size_t i = 0; i < v->n_split; i++)
                free(v->split[i].name);
        free(v->split);
        *v = (struct top_view){0};
}

void top_view_set(struct top_view *v, json_t *document)
{
        free(v->rows);
        v->rows = NULL;
        v->n_rows = 0;
        json_decref(v->document);
        v->document = document;
        v->worded = false;
}

/* A figure of a row; of a part, those that can be told. */
static double row_number(const struct top_row *r, const char *member)
{
        double whole, part;

        if (!r->whole)
                return rows_number(r->item, member);
        if (!strcmp(member, "mean_ns"))
                return text_number(r->item, "total_ns") / text_number(r->item, "calls");
        if (!strcmp(member, "total_share")) {
                whole = text_number(r->whole, "total_ns");
                part = text_number(r->item, "total_ns");
        } else if (!strcmp(member, "self_share")) {
                whole = text_number(r->whole, "self_ns");
                part = text_number(r->item, "self_ns");
        } else
                return text_number(r->item, member);
        return whole > 0 ? part / whole * text_number(r->whole, member) : NAN;
}

static const char *row_text(const struct top_row *r, const char *member)
{
        const char *s = text_string(r->item, member, NULL);

        if (!s && !strcmp(member, "function"))
                return "(not resolved)";
        if (s && !strcmp(member, "library"))
                return function_library(s);
        return s ? s : "-";
}

static bool is_text(const struct top_column *c)
{
        return c->cell == TOP_CELL_TEXT || c->cell == TOP_CELL_SCOPED;
}

static bool has_ended(const struct top_row *r)
{
        return !strcmp(text_string(r->item, "state", ""), "ended");
}

static int compare(const void *va, const void *vb, void *userdata)
{
        const struct top_view *v = userdata;
        const struct top_table_kind *k = top_kind(v);
        const struct top_column *by = &k->columns[v->sort[top_table(v)]];
        const struct top_row *a = va, *b = vb;
        double x, y;
        int r;

        if (top_table(v) == TOP_TABLE_THREADS &&
            has_ended(a) != has_ended(b)) /* what lives comes first */
                return has_ended(a) - has_ended(b);
        if (is_text(by))
                r = strcasecmp(row_text(a, by->member), row_text(b, by->member));
        else if (by->cell == TOP_CELL_SPLIT) {
                x = rows_number(a->item, "split.running");
                y = rows_number(b->item, "split.running");
                r = (x < y) - (x > y);
        } else if (by->cell == TOP_CELL_SPARK) {
                x = spark_last(json_object_get(a->item, by->member));
                y = spark_last(json_object_get(b->item, by->member));
                r = (x < y) - (x > y);
        } else {
                x = row_number(a, by->member);
                y = row_number(b, by->member);
                if (isnan(x) != isnan(y)) /* what is not known comes last, either way */
                        return isnan(x) - isnan(y);
                r = (x < y) - (x > y);
        }
        for (unsigned i = 0; !r && i < 2 && k->tie[i]; i++) {
                x = row_number(a, k->tie[i]);
                y = row_number(b, k->tie[i]);
                r = (x < y) - (x > y);
        }
        if (v->reverse[top_table(v)])
                r = -r;
        return r ? r : strcmp(row_text(a, "name"), row_text(b, "name"));
}

static void sort_rows(const struct top_view *v, struct top_row *rows, size_t n)
{
        if (n > 1)
                qsort_r(rows, n, sizeof(*rows), compare, (void *)(uintptr_t)v);
}

static bool is_wanted(const struct top_view *v, const json_t *item)
{
        const char *next = top_kind(v)->filtered, *s;
        char member[32];
        int n;

        if (!v->filter[0] || !next)
                return true;
        for (; sscanf(next, "%31s%n", member, &n) == 1; next += n) {
                s = text_string(item, member, NULL);
                if (s && strcasestr(s, v->filter))
                        return true;
        }
        return false;
}

/* Its place among those split; n_split: it is not. */
static size_t find_split(const struct top_view *v, const char *name)
{
        size_t i;

        for (i = 0; i < v->n_split; i++)
                if (v->split[i].table == top_table(v) && !strcmp(v->split[i].name, name))
                        break;
        return i;
}

static const json_t *parts_of(const struct top_view *v, const json_t *item)
{
        if (!top_kind(v)->split || find_split(v, text_string(item, "name", "")) == v->n_split)
                return NULL;
        return json_object_get(item, top_kind(v)->split);
}

int top_view_toggle_split(struct top_view *v, const char *name)
{
        size_t i = find_split(v, name);
        struct top_split *grown;

        if (i < v->n_split) {
                free(v->split[i].name);
                v->split[i] = v->split[--v->n_split];
                return 0;
        }
        grown = reallocarray(v->split, v->n_split + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        v->split = grown;
        v->split[i] = (struct top_split){top_table(v), strdup(name)};
        if (!v->split[i].name)
                return -ENOMEM;
        v->n_split++;
        return 0;
}

int top_view_update(struct top_view *v)
{
        const json_t *items = table_items(v, top_table(v)), *item, *part, *parts;
        size_t i, j, n = 0, n_wanted = 0, room = json_array_size(items);
        struct top_row *wanted, *rows;

        free(v->rows);
        v->rows = NULL;
        v->n_rows = 0;
        if (v->document && !v->worded)
                top_words_add(v->document);
        v->worded = true;
        wanted = calloc(room ? room : 1, sizeof(*wanted));
        if (!wanted)
                return -ENOMEM;
        json_array_foreach(items, i, item) if (is_wanted(v, item))
        {
                wanted[n_wanted++].item = item;
                room += json_array_size(parts_of(v, item));
        }
        sort_rows(v, wanted, n_wanted);
        rows = calloc(room ? room : 1, sizeof(*rows));
        if (!rows) {
                free(wanted);
                return -ENOMEM;
        }
        for (i = 0; i < n_wanted; i++) {
                rows[n++] = wanted[i];
                parts = parts_of(v, wanted[i].item);
                json_array_foreach(parts, j, part) rows[n + j] =
                        (struct top_row){part, wanted[i].item};
                sort_rows(v, rows + n, j);
                n += j;
        }
        free(wanted);
        v->rows = rows;
        v->n_rows = n;
        return 0;
}

void top_layout(const struct top_view *v, unsigned width, unsigned ret_widths[TOP_MAX_COLUMNS])
{
        const struct top_column *columns = top_kind(v)->columns;
        size_t n = top_kind(v)->n_columns;
        unsigned used = 0, need = 0, more;

        for (size_t i = 0; i < n; i++) {
                ret_widths[i] = columns[i].width;
                used += columns[i].width + (i > 0);
        }
        while (used > width) {
                size_t out = 0;

                for (size_t i = 1; i < n; i++)
                        if (ret_widths[i] && (!out || columns[i].rank > columns[out].rank))
                                out = i;
                if (!out)
                        break;
                used -= ret_widths[out] + 1;
                ret_widths[out] = 0;
        }
        /* Text that would be cut comes first, then what likes to be wide. */
        for (int pass = 0; pass < 2; pass++)
                for (size_t i = 0; i < n && used < width; i++) {
                        if (!ret_widths[i])
                                continue;
                        need = columns[i].max_width;
                        if (is_text(&columns[i])) {
                                unsigned longest = columns[i].width;

                                for (size_t j = 0; j < v->n_rows; j++) {
                                        unsigned w = text_width(
                                                row_text(&v->rows[j], columns[i].member));

                                        longest = w > longest ? w : longest;
                                }
                                if (width == UINT_MAX || longest < need)
                                        need = longest;
                        } else if (pass == 0)
                                continue;
                        more = need > ret_widths[i] ? need - ret_widths[i] : 0;
                        more = more < width - used ? more : width - used;
                        ret_widths[i] += more;
                        used += more;
                }
}

static char *pad(const char *s, unsigned width, bool right)
{
        char *clean = text_clean(s, width), *out;
        unsigned w = clean ? text_width(clean) : 0, blanks = w < width ? width - w : 0;

        if (!clean || asprintf(&out, "%*s%s%*s", right ? (int)blanks : 0, "", clean,
                               right ? 0 : (int)blanks, "") < 0)
                out = NULL;
        free(clean);
        return out;
}

char *top_heading_text(const struct top_column *c, unsigned width)
{
        return pad(c->title, width, c->cell < TOP_CELL_SPARK && !is_text(c));
}

/* "ns::type::function" without as many scopes as it takes to fit. */
static char *scoped_text(const char *name, unsigned width)
{
        const char *rest = name, *colons;
        char *line, *out;

        while (text_width(rest) + (rest > name) > width && (colons = strstr(rest, "::")) &&
               colons[2])
                rest = colons + 2;
        if (rest == name)
                return pad(name, width, false);
        if (asprintf(&line, "%s%s", text_is_utf8() ? "…" : "~", rest) < 0)
                return NULL;
        out = pad(line, width, false);
        free(line);
        return out;
}

/* A part under its whole: a thread with its tid, a phase. */
static char *branch_text(const struct top_row *r, unsigned width)
{
        double tid = text_number(r->item, "tid");
        char number[TEXT_CELL] = "", *line, *out;

        if (!isnan(tid))
                snprintf(number, sizeof(number), " %.0f", tid);
        if (asprintf(&line, "%s%s %s", text_is_utf8() ? " └" : " `-", number,
                     text_string(r->item, "name", "")) < 0)
                return NULL;
        out = pad(line, width, false);
        free(line);
        return out;
}

char *top_cell_text(const struct top_row *r, const struct top_column *c, unsigned width)
{
        char buf[TEXT_CELL] = "";
        double n;

        switch (c->cell) {
        case TOP_CELL_SCOPED:
                return scoped_text(row_text(r, c->member), width);
        case TOP_CELL_TEXT:
                return r->whole ? branch_text(r, width) : pad(row_text(r, c->member), width, false);
        case TOP_CELL_SPARK:
                return spark_text(json_object_get(r->item, c->member), width);
        case TOP_CELL_BAR:
                return bar_text(row_number(r, c->member), width);
        case TOP_CELL_SPLIT:
                return bar_split_text(rows_member(r->item, c->member), width);
        case TOP_CELL_DURATION:
                text_duration(buf, row_number(r, c->member));
                break;
        case TOP_CELL_COUNT:
                text_count(buf, row_number(r, c->member));
                break;
        case TOP_CELL_BYTES:
                text_bytes(buf, row_number(r, c->member));
                break;
        case TOP_CELL_SHARE:
                text_share(buf, row_number(r, c->member));
                if (json_is_true(json_object_get(r->whole ? r->whole : r->item, "estimated")) &&
                    strcmp(buf, "-") != 0) {
                        memmove(buf + 1, buf, strlen(buf) + 1);
                        buf[0] = '~';
                }
                break;
        case TOP_CELL_ID:
                n = row_number(r, c->member);
                snprintf(buf, sizeof(buf), isnan(n) ? "-" : "%.0f", n);
                break;
        case TOP_CELL_HEX:
                n = row_number(r, c->member);
                snprintf(buf, sizeof(buf), isnan(n) ? "-" : "0x%llx",
                         isnan(n) ? 0ull : (unsigned long long)n);
                break;
        }
        return pad(buf, width, true);
}
