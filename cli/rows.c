/* SPDX-License-Identifier: MIT */
#include "cli/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/screen.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

const json_t *rows_member(const json_t *row, const char *path)
{
        const char *dot = strchr(path, '.');

        return dot ? rows_member(json_object_getn(row, path, (size_t)(dot - path)), dot + 1)
                   : json_object_get(row, path);
}

double rows_number(const json_t *row, const char *path)
{
        const json_t *v = rows_member(row, path);

        return json_is_number(v) ? json_number_value(v) : NAN;
}

double rows_sum(const json_t *rows, const char *path)
{
        const json_t *row;
        double sum = NAN;
        size_t i;

        json_array_foreach(rows, i, row)
        {
                double v = rows_number(row, path);

                if (!isnan(v))
                        sum = isnan(sum) ? v : sum + v;
        }
        return sum;
}

struct ranked {
        json_t *row;
        double value;
        size_t place;
};

static int compare_ranked(const void *a, const void *b)
{
        const struct ranked *p = a, *q = b;

        if (p->value != q->value)
                return p->value > q->value ? -1 : 1;
        return p->place > q->place ? 1 : -1;
}

json_t *rows_sorted(const json_t *rows, const char *path)
{
        size_t n = json_array_size(rows);
        _cleanup_(freep) struct ranked *ranked = calloc(n + 1, sizeof(*ranked));
        json_t *array = ranked ? json_array() : NULL;

        if (!array)
                return NULL;
        for (size_t i = 0; i < n; i++) {
                double value = rows_number(json_array_get(rows, i), path);

                ranked[i] = (struct ranked){.row = json_array_get(rows, i),
                                            .value = isnan(value) ? -HUGE_VAL : value,
                                            .place = i};
        }
        qsort(ranked, n, sizeof(*ranked), compare_ranked);
        for (size_t i = 0; i < n; i++)
                json_array_append(array, ranked[i].row);
        return array;
}

static const char *signed_count(char *buf, double v)
{
        if (v >= 0)
                return fmt_count(buf, (uint64_t)llround(v));
        buf[0] = '-';
        fmt_count(buf + 1, (uint64_t)llround(-v));
        return buf;
}

/* Into buf[FMT_SIZE]. */
static void put_figure(char *buf, double v, enum rows_cell kind)
{
        switch (kind) {
        case ROWS_COUNT:
                signed_count(buf, v);
                break;
        case ROWS_BYTES:
                fmt_bytes(buf, llround(v));
                break;
        case ROWS_SHARE:
                fmt_share(buf, v);
                break;
        case ROWS_PERCENT:
                fmt_share(buf, v);
                buf[strcspn(buf, "%")] = '\0';
                break;
        case ROWS_TIME:
                if (v < 0)
                        strcpy(buf, "-");
                else
                        fmt_ns(buf, (uint64_t)llround(v));
                break;
        case ROWS_NUMBER:
                text_count(buf, v);
                break;
        case ROWS_FACTOR:
                snprintf(buf, FMT_SIZE, "%.2fx", v);
                break;
        case ROWS_ID:
                snprintf(buf, FMT_SIZE, "%.0f", v);
                break;
        case ROWS_TEXT:
                break;
        }
}

/* In buf[FMT_SIZE + 1]. */
static const char *cell(char *buf, const json_t *row, const struct rows_column *c)
{
        double v = rows_number(row, c->member);
        const char *s;

        if (c->kind == ROWS_TEXT) {
                s = json_string_value(rows_member(row, c->member));
                return s ? s : c->otherwise ? c->otherwise : "-";
        }
        if (isnan(v))
                return "-";
        v = fmin(v, (double)(INT64_MAX - 1023)); /* that llround() can tell */
        put_figure(view_mark_most(buf, rows_member(row, c->member)), v, c->kind);
        return buf;
}

static bool has_any(const json_t *rows, size_t n_rows, const struct rows_column *c)
{
        for (size_t i = 0; i < n_rows; i++) {
                const json_t *v = rows_member(json_array_get(rows, i), c->member);

                if (json_is_string(v) || (json_is_number(v) && json_number_value(v) != 0))
                        return true;
        }
        return false;
}

bool rows_print(const struct view *v, const json_t *rows, size_t n_rows,
                const struct rows_column *columns, size_t n)
{
        const struct rows_column *shown[ROWS_MAX_COLUMNS];
        struct table_column titles[ROWS_MAX_COLUMNS];
        char cells[ROWS_MAX_COLUMNS][FMT_SIZE + 1];
        const char *texts[ROWS_MAX_COLUMNS];
        size_t n_shown = 0;
        struct table *t;
        bool ok;

        for (size_t i = 0; i < n && n_shown < ROWS_MAX_COLUMNS; i++) {
                if (columns[i].if_any && !has_any(rows, n_rows, &columns[i]))
                        continue;
                titles[n_shown] = columns[i].column;
                shown[n_shown++] = &columns[i];
        }
        t = table_new(titles, n_shown);
        if (!t)
                return false;
        for (size_t i = 0; i < n_rows; i++) {
                for (size_t c = 0; c < n_shown; c++)
                        texts[c] = cell(cells[c], json_array_get(rows, i), shown[c]);
                table_add(t, texts);
        }
        ok = screen_table(v, t);
        table_free(t);
        return ok;
}
