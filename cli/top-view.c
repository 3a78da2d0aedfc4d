/* SPDX-License-Identifier: MIT */
/*
 * A view of one document. The tables below say everything about the columns; the
 * rest walks them. Nothing here knows a terminal: widths come in, text goes out.
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

#include "cli/spark.h"
#include "cli/text.h"

static const struct top_column op_columns[] = {
        {"OP", "name", TOP_CELL_TEXT, 14, 36, 0},
        {"CALLS/S", "calls_per_second", TOP_CELL_COUNT, 7, 7, 1},
        {"TOTAL%", "total_share", TOP_CELL_SHARE, 6, 6, 4},
        {"SELF%", "self_share", TOP_CELL_SHARE, 5, 6, 2},
        {"MEAN", "mean_ns", TOP_CELL_DURATION, 6, 7, 3},
        {"P50", "p50_ns", TOP_CELL_DURATION, 6, 7, 7},
        {"P95", "p95_ns", TOP_CELL_DURATION, 6, 7, 8},
        {"P99", "p99_ns", TOP_CELL_DURATION, 6, 7, 5},
        {"MAX", "max_ns", TOP_CELL_DURATION, 6, 7, 6},
        {"LAST MIN", "spark", TOP_CELL_SPARK, 9, 60, 9},
};

static const struct top_column thread_columns[] = {
        {"THREAD", "name", TOP_CELL_TEXT, 15, 16, 0},
        {"TID", "tid", TOP_CELL_ID, 7, 7, 1},
        {"STATE", "state", TOP_CELL_TEXT, 5, 5, 5},
        {"SPANS", "spans", TOP_CELL_COUNT, 6, 6, 4},
        {"BUSY", "busy_ns", TOP_CELL_DURATION, 6, 7, 3},
        {"BUSY%", "share", TOP_CELL_SHARE, 5, 6, 2},
        {"CPU", "cpu_ns", TOP_CELL_DURATION, 6, 7, 6},
        {"ALLOCS", "alloc_calls", TOP_CELL_COUNT, 6, 6, 7},
        {"SPAWNED BY", "spawned_by", TOP_CELL_TEXT, 14, 60, 8},
};

static const struct top_column spawn_columns[] = {
        {"SPAWNED BY", "function", TOP_CELL_TEXT, 20, 60, 0},
        {"COUNT", "count", TOP_CELL_COUNT, 6, 6, 1},
        {"/S", "per_second", TOP_CELL_COUNT, 6, 6, 2},
        {"OFFSET", "offset", TOP_CELL_HEX, 10, 14, 4},
        {"LIBRARY", "library", TOP_CELL_TEXT, 18, 60, 3},
};

static const struct {
        const char *name, *member;
        const struct top_column *columns;
        size_t n_columns;
        unsigned sort;
} tabs[TOP_N_TABS] = {
        [TOP_OPS] = {"ops", "ops", op_columns, sizeof(op_columns) / sizeof(op_columns[0]), 3},
        [TOP_THREADS] = {"threads", "threads", thread_columns,
                         sizeof(thread_columns) / sizeof(thread_columns[0]), 5},
        [TOP_SPAWNS] = {"spawns", "spawns", spawn_columns,
                        sizeof(spawn_columns) / sizeof(spawn_columns[0]), 1},
};

const char *top_tab_name(enum top_tab tab)
{
        return tabs[tab].name;
}

const struct top_column *top_columns(enum top_tab tab, size_t *ret_n)
{
        *ret_n = tabs[tab].n_columns;
        return tabs[tab].columns;
}

int top_find_column(enum top_tab tab, const char *title)
{
        for (size_t i = 0; i < tabs[tab].n_columns; i++)
                if (!strcasecmp(tabs[tab].columns[i].title, title))
                        return (int)i;
        return -1;
}

static const json_t *tab_items(const struct top_view *v, enum top_tab tab)
{
        const json_t *items = json_object_get(v->document, tabs[tab].member);

        return tab == TOP_SPAWNS ? json_object_get(items, "sites") : items;
}

size_t top_tab_size(const struct top_view *v, enum top_tab tab)
{
        return json_array_size(tab_items(v, tab));
}

void top_view_init(struct top_view *v)
{
        *v = (struct top_view){0};
        for (unsigned t = 0; t < TOP_N_TABS; t++)
                v->sort[t] = tabs[t].sort;
}

void top_view_done(struct top_view *v)
{
        top_view_set(v, NULL);
        for (size_t i = 0; i < v->n_split; i++)
                free(v->split[i]);
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
}

static const char *base_name(const char *path)
{
        const char *slash = strrchr(path, '/');

        return slash && slash[1] ? slash + 1 : path;
}

/* A figure of a row; of a thread's share in an op, those that can be told. */
static double row_number(const struct top_row *r, const char *member)
{
        double whole, part;

        if (!r->op)
                return text_number(r->item, member);
        if (!strcmp(member, "mean_ns"))
                return text_number(r->item, "total_ns") / text_number(r->item, "calls");
        if (!strcmp(member, "total_share")) {
                whole = text_number(r->op, "total_ns");
                part = text_number(r->item, "total_ns");
        } else if (!strcmp(member, "self_share")) {
                whole = text_number(r->op, "self_ns");
                part = text_number(r->item, "self_ns");
        } else
                return NAN;
        return whole > 0 ? part / whole * text_number(r->op, member) : NAN;
}

static const char *row_text(const struct top_row *r, const char *member)
{
        const char *s = text_string(r->item, member, NULL);

        if (!s && !strcmp(member, "function"))
                return "(not resolved)";
        if (s && !strcmp(member, "library"))
                return base_name(s);
        return s ? s : "-";
}

static bool has_ended(const struct top_row *r)
{
        return !strcmp(text_string(r->item, "state", ""), "ended");
}

static int compare(const void *va, const void *vb, void *userdata)
{
        const struct top_view *v = userdata;
        const struct top_column *by = &tabs[v->tab].columns[v->sort[v->tab]];
        const struct top_row *a = va, *b = vb;
        double x, y;
        int r;

        if (v->tab == TOP_THREADS && has_ended(a) != has_ended(b)) /* what lives comes first */
                return has_ended(a) - has_ended(b);
        if (by->cell == TOP_CELL_TEXT)
                r = strcasecmp(row_text(a, by->member), row_text(b, by->member));
        else if (by->cell == TOP_CELL_SPARK) {
                x = spark_last(json_object_get(a->item, by->member));
                y = spark_last(json_object_get(b->item, by->member));
                r = (x < y) - (x > y);
        } else {
                x = row_number(a, by->member);
                y = row_number(b, by->member);
                if (isnan(x) || isnan(y)) /* what is not known comes last, either way */
                        return isnan(x) - isnan(y);
                r = (x < y) - (x > y);
        }
        if (v->reverse[v->tab])
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
        static const char *const members[] = {"name", "function", "library", "spawned_by"};
        const char *s;

        if (!v->filter[0])
                return true;
        for (unsigned i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
                s = text_string(item, members[i], NULL);
                if (s && strcasestr(v->tab == TOP_OPS && i ? "" : s, v->filter))
                        return true;
        }
        return false;
}

static bool is_split(const struct top_view *v, const char *op)
{
        for (size_t i = 0; i < v->n_split; i++)
                if (!strcmp(v->split[i], op))
                        return true;
        return false;
}

int top_view_toggle_split(struct top_view *v, const char *op)
{
        char **grown;

        for (size_t i = 0; i < v->n_split; i++) {
                if (strcmp(v->split[i], op) != 0)
                        continue;
                free(v->split[i]);
                v->split[i] = v->split[--v->n_split];
                return 0;
        }
        grown = reallocarray(v->split, v->n_split + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        v->split = grown;
        v->split[v->n_split] = strdup(op);
        if (!v->split[v->n_split])
                return -ENOMEM;
        v->n_split++;
        return 0;
}

int top_view_update(struct top_view *v)
{
        const json_t *items = tab_items(v, v->tab), *item, *thread, *threads;
        size_t i, j, n = 0, n_wanted = 0, room = json_array_size(items);
        struct top_row *wanted, *rows;

        free(v->rows);
        v->rows = NULL;
        v->n_rows = 0;
        wanted = calloc(room ? room : 1, sizeof(*wanted));
        if (!wanted)
                return -ENOMEM;
        json_array_foreach(items, i, item) if (is_wanted(v, item))
        {
                wanted[n_wanted++].item = item;
                if (v->tab == TOP_OPS && is_split(v, text_string(item, "name", "")))
                        room += json_array_size(json_object_get(item, "threads"));
        }
        sort_rows(v, wanted, n_wanted);
        rows = calloc(room ? room : 1, sizeof(*rows));
        if (!rows) {
                free(wanted);
                return -ENOMEM;
        }
        for (i = 0; i < n_wanted; i++) {
                rows[n++] = wanted[i];
                if (v->tab != TOP_OPS || !is_split(v, text_string(wanted[i].item, "name", "")))
                        continue;
                threads = json_object_get(wanted[i].item, "threads");
                json_array_foreach(threads, j, thread) rows[n + j] =
                        (struct top_row){thread, wanted[i].item};
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
        const struct top_column *columns = tabs[v->tab].columns;
        size_t n = tabs[v->tab].n_columns;
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
                        if (columns[i].cell == TOP_CELL_TEXT) {
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
        return pad(c->title, width, c->cell != TOP_CELL_TEXT && c->cell != TOP_CELL_SPARK);
}

/* A thread under its op. */
static char *branch_text(const struct top_row *r, unsigned width)
{
        char *line, *out;

        if (asprintf(&line, "%s %.0f %s", text_is_utf8() ? " └" : " `-",
                     text_number(r->item, "tid"), text_string(r->item, "name", "")) < 0)
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
        case TOP_CELL_TEXT:
                return r->op ? branch_text(r, width) : pad(row_text(r, c->member), width, false);
        case TOP_CELL_SPARK:
                return spark_text(json_object_get(r->item, c->member), width);
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
                if (json_is_true(json_object_get(r->op ? r->op : r->item, "estimated")) &&
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
