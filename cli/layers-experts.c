/* SPDX-License-Identifier: MIT */
/*
 * Experts of layers, for people: a line for all of them, and a row of bars for each layer, as high
 * as the tokens that went to an expert. Of many layers those are shown that use theirs least
 * evenly.
 */
#include "cli/layers-experts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/rows.h"
#include "cli/screen.h"
#include "cli/spark.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

#define MAX_ROWS 8 /* where they have to fit */
#define BARS     40

struct rank {
        size_t at; /* in the phase's layers */
        double uneven;
};

static int by_unevenness(const void *a, const void *b)
{
        const struct rank *p = a, *q = b;

        if (p->uneven != q->uneven)
                return p->uneven > q->uneven ? -1 : 1;
        return p->at < q->at ? -1 : p->at > q->at;
}

static int by_place(const void *a, const void *b)
{
        const struct rank *p = a, *q = b;

        return p->at < q->at ? -1 : p->at > q->at;
}

static json_t *row_of(const json_t *layer)
{
        const json_t *e = json_object_get(layer, "experts"), *counts = json_object_get(e, "counts");
        _cleanup_(freep) char *bars = NULL;
        size_t n = json_array_size(counts);
        json_t *row = json_object();
        char used[48];

        bars = spark_text(counts, n < BARS ? (unsigned)n : BARS);
        snprintf(used, sizeof(used), "%.0f of %zu", text_number(e, "n_used"), n);
        json_object_set(row, "layer", json_object_get(layer, "layer"));
        json_object_set_new(row, "used", json_string(used));
        json_object_set(row, "a_step", json_object_get(e, "distinct_per_step"));
        json_object_set(row, "uneven", json_object_get(e, "max_over_mean"));
        json_object_set_new(row, "bars", bars ? json_string(bars) : json_null());
        return row;
}

/* Rows of the `most` (0: all) least even layers, in the order of layers. */
static json_t *rows_of(const json_t *layers, size_t most, size_t *ret_n)
{
        struct rank *ranks = calloc(json_array_size(layers) + 1, sizeof(*ranks));
        json_t *rows = ranks ? json_array() : NULL;
        const json_t *layer;
        size_t n = 0, i;

        json_array_foreach(layers, i, layer)
        {
                double uneven = rows_number(layer, "experts.max_over_mean");

                if (rows && json_is_object(json_object_get(layer, "experts")))
                        ranks[n++] = (struct rank){i, isnan(uneven) ? 0 : uneven};
        }
        if (view_shown(most, n) < n) {
                qsort(ranks, n, sizeof(*ranks), by_unevenness);
                qsort(ranks, most, sizeof(*ranks), by_place);
        }
        for (i = 0; i < view_shown(most, n); i++)
                json_array_append_new(rows, row_of(json_array_get(layers, ranks[i].at)));
        free(ranks);
        *ret_n = n;
        return rows;
}

static const char *figure(char *buf, size_t size, const json_t *o, const char *member)
{
        double v = text_number(o, member);

        if (isnan(v))
                snprintf(buf, size, "-");
        else
                snprintf(buf, size, "%.*f", fabs(v - round(v)) < 0.005 ? 0 : 2, v);
        return buf;
}

bool layers_print_experts(const struct page *p, const json_t *phase)
{
        static const struct rows_column columns[] = {
                {{"layer", true, false, 0}, "layer", ROWS_ID},
                {{"used", true, false, 0}, "used", ROWS_TEXT},
                {{"a step", true, false, 1}, "a_step", ROWS_NUMBER},
                {{"max/mean", true, false, 0}, "uneven", ROWS_FACTOR},
                {{"tokens, from expert 0", false, true, 0}, "bars", ROWS_TEXT},
        };
        const json_t *all = json_object_get(phase, "experts");
        _cleanup_(json_decrefp) json_t *rows = NULL;
        char a[24], b[24], used[FMT_SIZE], of[FMT_SIZE], some[64] = "";
        size_t most = p->v.screen && p->rows > MAX_ROWS ? MAX_ROWS : p->rows, n;
        bool table = screen_shows(&p->v, 2);

        if (!json_is_object(all))
                return true;
        rows = rows_of(json_object_get(phase, "layers"), most, &n);
        if (!rows)
                return false;
        if (table && view_shown(most, n) < n)
                snprintf(some, sizeof(some), "; the least even:");
        if (screen_shows(&p->v, SCREEN_ALL))
                fputc('\n', p->v.f);
        view_line(&p->v, "experts of a layer: %s a token, %s a step; %s of %s used%s",
                  figure(a, sizeof(a), all, "used_per_token"),
                  figure(b, sizeof(b), all, "distinct_per_step"), view_count(used, all, "n_used"),
                  view_count(of, all, "n_experts"), some);
        if (!table) {
                screen_leave(&p->v, n, "expert row");
                return true;
        }
        if (!ROWS_PRINT(&p->v, rows, json_array_size(rows), columns))
                return false;
        screen_say_more(&p->v, most, n, "expert row");
        return true;
}
