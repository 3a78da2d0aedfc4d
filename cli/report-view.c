/* SPDX-License-Identifier: MIT */
#include "cli/report-view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report-view-private.h"
#include "cli/screen.h"
#include "cli/shape-text.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/view.h"
#include "common/cleanup.h"
#include "common/fmt.h"

struct op_column {
        struct table_column column;
        const char *member;
        enum {
                CELL_COUNT,
                CELL_TIME,
                CELL_BYTES,
                CELL_SHARE,
                CELL_RATE,
                CELL_TEXT,
        } kind;
        bool estimated; /* of a hot op, an estimate */
        bool whole;     /* not known of one thread */
};

static const struct op_column op_columns[] = {
        {{"share", true, false, 0}, "share", CELL_SHARE, true},
        {{"self", true, false, 0}, "self_ns", CELL_TIME, true},
        {{"total", true, false, 0}, "total_ns", CELL_TIME, true},
        {{"calls", true, false, 0}, "calls", CELL_COUNT, false},
        {{"mean", true, false, 1}, "mean_ns", CELL_TIME, true},
        {{"min", true, false, 7}, "min_ns", CELL_TIME, false},
        {{"median", true, false, 3}, "p50_ns", CELL_TIME, false, true},
        {{"p95", true, false, 5}, "p95_ns", CELL_TIME, false, true},
        {{"p99", true, false, 2}, "p99_ns", CELL_TIME, false, true},
        {{"max", true, false, 4}, "max_ns", CELL_TIME, false},
        {{"stddev", true, false, 9}, "stddev_ns", CELL_TIME, false, true},
        {{"allocs", true, false, 8}, "alloc_calls", CELL_COUNT, false},
        {{"bytes", true, false, 6}, "alloc_bytes", CELL_BYTES, false},
        {{"GFLOP/s", true, false, 11}, "gflops", CELL_RATE, false, true},
        {{"GB/s", true, false, 10}, "gbps", CELL_RATE, false, true},
        {{"op", false, true, 0}, "name", CELL_TEXT, false},
};
#define N_OP_COLUMNS (sizeof(op_columns) / sizeof(op_columns[0]))

static const struct op_column shape_columns[] = {
        {{"self", true, false, 0}, "self_ns", CELL_TIME, false},
        {{"total", true, false, 8}, "total_ns", CELL_TIME, false},
        {{"calls", true, false, 4}, "calls", CELL_COUNT, false},
        {{"flops", true, false, 7}, "flops", CELL_RATE, false},
        {{"GFLOP/s", true, false, 2}, "gflops", CELL_RATE, false},
        {{"GB/s", true, false, 5}, "gbps", CELL_RATE, false},
        {{"flop/byte", true, false, 6}, "intensity", CELL_RATE, false},
        {{"of roof", true, false, 1}, "roof_share", CELL_SHARE, false},
        {{"bound", false, false, 1}, "bound", CELL_TEXT, false},
        {{"op, and on what", false, true, 0, shape_text_cut}, "op_text", CELL_TEXT, false},
};
#define N_SHAPE_COLUMNS (sizeof(shape_columns) / sizeof(shape_columns[0]))
_Static_assert(N_SHAPE_COLUMNS <= N_OP_COLUMNS, "print_rows");

static const char *op_cell(char *buf, const json_t *row, const struct op_column *c)
{
        bool estimated = c->estimated && json_is_true(json_object_get(row, "estimated"));
        const json_t *v = json_object_get(row, c->member);
        char *to = buf + estimated;

        if (c->kind == CELL_TEXT)
                return text_string(row, c->member, "-");
        if (!json_is_number(v))
                return "-";
        if (estimated)
                buf[0] = '~';
        switch (c->kind) {
        case CELL_COUNT:
                view_figure(to, row, c->member, fmt_count);
                break;
        case CELL_TIME:
                view_figure(to, row, c->member, fmt_ns);
                break;
        case CELL_BYTES:
                view_bytes(to, row, c->member);
                break;
        case CELL_RATE:
                text_count(view_mark_most(to, v), json_number_value(v));
                break;
        default:
                view_share(to, row, c->member);
        }
        return buf;
}

/* Has any row this figure? */
static bool has_figure(const json_t *rows, const char *member)
{
        const json_t *row;
        size_t i;

        json_array_foreach(rows, i, row)
        {
                if (json_is_number(json_object_get(row, member)))
                        return true;
        }
        return false;
}

/* "MUL_MAT q8_0[288,768] x f32[288,1]" */
static void put_op_text(json_t *row)
{
        json_object_set_new(row, "op_text",
                            json_sprintf("%s %s", text_string(row, "name", "?"),
                                         text_string(row, "shape", "")));
}

/* The rows [from, to) as one table. Without shapes nothing is known of the work. */
static bool print_rows(const json_t *rows, size_t from, size_t to, enum report_by by,
                       const struct view *h)
{
        struct table_column columns[N_OP_COLUMNS];
        const struct op_column *of[N_OP_COLUMNS];
        char cells[N_OP_COLUMNS][FMT_SIZE + 1];
        const char *texts[N_OP_COLUMNS];
        const struct op_column *all = by == REPORT_BY_SHAPE ? shape_columns : op_columns;
        size_t n_all = by == REPORT_BY_SHAPE ? N_SHAPE_COLUMNS : N_OP_COLUMNS, n = 0;
        struct table *t;
        bool ok;

        for (size_t i = 0; i < n_all; i++) {
                if ((by == REPORT_BY_THREAD && all[i].whole) ||
                    (all == op_columns && all[i].kind == CELL_RATE &&
                     !has_figure(rows, all[i].member)))
                        continue;
                columns[n] = all[i].column;
                of[n++] = &all[i];
        }
        t = table_new(columns, n);
        if (!t)
                return false;
        for (size_t i = from; i < to; i++) {
                if (by == REPORT_BY_SHAPE)
                        put_op_text(json_array_get(rows, i));
                for (size_t c = 0; c < n; c++)
                        texts[c] = op_cell(cells[c], json_array_get(rows, i), of[c]);
                table_add(t, texts);
        }
        ok = screen_table(h, t);
        table_free(t);
        return ok;
}

/* Do these two rows belong under one heading? */
static bool same_group(const json_t *a, const json_t *b, enum report_by by)
{
        switch (by) {
        case REPORT_BY_PHASE:
                return json_equal(json_object_get(a, "phase"), json_object_get(b, "phase"));
        case REPORT_BY_THREAD:
                return json_equal(json_object_get(a, "tid"), json_object_get(b, "tid")) &&
                       json_equal(json_object_get(a, "pid"), json_object_get(b, "pid"));
        default:
                return true;
        }
}

static void print_group_heading(const struct view *h, const json_t *row, enum report_by by)
{
        _cleanup_(freep) char *name = NULL;

        if (by == REPORT_BY_PHASE) {
                fprintf(h->f, "\nphase %s\n", text_string(row, "phase", "?"));
        } else if (by == REPORT_BY_THREAD) {
                name = text_clean(text_string(row, "thread", "?"), 1u << 16);
                fprintf(h->f, "\nthread %.0f %s\n", text_number(row, "tid"), name ? name : "?");
        } else {
                fputc('\n', h->f);
        }
}

/* From `i` on: where its group ends. */
static size_t group_end(const json_t *rows, size_t i, enum report_by by)
{
        size_t next = i + 1;

        while (next < json_array_size(rows) &&
               same_group(json_array_get(rows, i), json_array_get(rows, next), by))
                next++;
        return next;
}

struct group {
        size_t from, to; /* rows */
        double self_ns;
};

static int compare_self(const void *a, const void *b)
{
        const struct group *p = a, *q = b;

        if (p->self_ns != q->self_ns)
                return p->self_ns > q->self_ns ? -1 : 1;
        return p->from > q->from ? 1 : -1;
}

static int compare_place(const void *a, const void *b)
{
        const struct group *p = a, *q = b;

        return p->from > q->from ? 1 : -1;
}

static size_t find_groups(const json_t *rows, enum report_by by, struct group *ret)
{
        size_t n = 0;

        for (size_t i = 0; i < json_array_size(rows); i = ret[n++].to) {
                ret[n] = (struct group){.from = i, .to = group_end(rows, i, by)};
                for (size_t r = i; r < ret[n].to; r++)
                        ret[n].self_ns += fmax(text_number(json_array_get(rows, r), "self_ns"), 0);
        }
        return n;
}

/* `n_most` rows of as many groups, those with most self time, in their order; 0: all. */
static bool print_ops(const struct view *h, const json_t *rows, enum report_by by, size_t n_most)
{
        size_t n = json_array_size(rows), n_groups, shown;
        _cleanup_(freep) struct group *groups = calloc(n + 1, sizeof(*groups));

        if (!groups)
                return false;
        if (!n)
                fputs(by == REPORT_BY_SHAPE ? "\n(no op has a shape)\n" : "\n(no op matches)\n",
                      h->f);
        n_groups = find_groups(rows, by, groups);
        shown = h->screen ? view_shown(n_most, n_groups) : n_groups;
        if (shown < n_groups) {
                qsort(groups, n_groups, sizeof(*groups), compare_self);
                qsort(groups, shown, sizeof(*groups), compare_place);
                screen_leave(h, n_groups - shown, by == REPORT_BY_PHASE ? "phase" : "thread");
        }
        for (size_t g = 0; g < shown; g++) {
                size_t most = view_shown(n_most, groups[g].to - groups[g].from);

                print_group_heading(h, json_array_get(rows, groups[g].from), by);
                if (!print_rows(rows, groups[g].from, groups[g].from + most, by, h))
                        return false;
                screen_say_more(h, n_most, groups[g].to - groups[g].from,
                                by == REPORT_BY_SHAPE ? "shape" : "op");
        }
        return true;
}

struct report_page {
        const json_t *report, *rows;
        enum report_by by;
};

static bool print(const struct view *h, size_t n_rows, const void *userdata)
{
        const struct report_page *p = userdata;
        const json_t *report = p->report;

        view_run(h, json_object_get(report, "run"));
        report_print_head(h, report);
        if (!print_ops(h, p->rows, p->by, n_rows))
                return false;
        if (!screen_shows(h, 2) && json_array_size(json_object_get(report, "markers")))
                screen_leave(h, 0, "table of markers");
        else if (!report_print_told(h, report, n_rows))
                return false;
        if (!screen_shows(h, 2))
                screen_leave(h, 0, "table of threads, spawns");
        else if (!report_print_threads(h, report, h->screen ? n_rows / 2 : n_rows) ||
                 !report_print_spawns(h, json_object_get(report, "spawns"), n_rows))
                return false;
        view_notes(h, report);
        return true;
}

static bool print_tiles(const struct view *h, size_t n_rows, const void *userdata)
{
        const json_t *report = userdata;

        view_run(h, json_object_get(report, "run"));
        return report_print_tiles(h, report);
}

bool report_print_only_tiles(const struct view *v, const json_t *report)
{
        return screen_print(v, 0, 3, print_tiles, report);
}

bool report_print(const struct view *v, const json_t *report, const json_t *rows, enum report_by by,
                  size_t n_rows)
{
        struct report_page page = {report, rows, by};

        return screen_print(v, n_rows, 8, print, &page);
}
