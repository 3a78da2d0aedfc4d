/* SPDX-License-Identifier: MIT */
/* infprof.roofline/1 for people: the plot and the table that belongs to it. */
#include "cli/roofline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/rows.h"
#include "cli/screen.h"
#include "cli/shape-text.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

#define PLOT_HEIGHT 16u
#define PLOT_LEAST  7u

static void print_head(const struct roofline_view *r)
{
        const json_t *m = json_object_get(r->document, "machine");
        const json_t *decode = json_object_get(r->document, "decode");
        double rate = text_number(decode, "tokens_per_second");
        const char *from = text_string(m, "ceilings_from", NULL);
        char figure[TEXT_CELL];

        bool briefly = !isnan(rate) && !screen_shows(&r->v, SCREEN_ALL);

        view_run(&r->v, json_object_get(r->document, "run"));
        text_exact(figure, rate);
        view_say_briefly(&r->v, "ceilings", "%s%s%s%s%s%s", from ? "measured " : "not known",
                         from ? text_string(m, "measured_at", "?") : "",
                         from && !strcmp(from, "kept") ? ", after the run" : "",
                         briefly ? "; decode " : "", briefly ? figure : "",
                         briefly ? " tokens/s" : "");
        if (!isnan(rate) && !briefly)
                view_say(&r->v, "decode", "%s tokens/s", figure);
}

/* "compute"; "L3!" where it was above. */
static void put_bound(json_t *row)
{
        const char *bound = text_string(row, "bound", NULL);
        char text[32];

        if (!bound)
                return;
        snprintf(text, sizeof(text), "%s%s", bound,
                 json_is_true(json_object_get(row, "over_roof")) ? "!" : "");
        json_object_set_new(row, "bound_text", json_string(text));
}

static void put_op(json_t *row)
{
        const char *op = text_string(row, "op", NULL), *shape = text_string(row, "shape", "");

        if (op)
                json_object_set_new(row, "op_text",
                                    json_sprintf("%s%s%s", op, *shape ? " " : "", shape));
}

static bool print_table(const struct roofline_view *r)
{
        static const struct rows_column columns[] = {
                {{"", false, false, 0}, "mark", ROWS_TEXT, "", true},
                {{"time", true, false, 0}, "wall_ns", ROWS_TIME},
                {{"GFLOP/s", true, false, 1}, "gflops", ROWS_NUMBER},
                {{"GB/s", true, false, 4}, "gbps", ROWS_NUMBER},
                {{"flop/byte", true, false, 6}, "intensity", ROWS_NUMBER},
                {{"bound", false, false, 0}, "bound_text", ROWS_TEXT, "-"},
                {{"roof", true, false, 3}, "roof_gflops", ROWS_NUMBER},
                {{"of it", true, false, 0}, "roof_share", ROWS_SHARE},
                {{"tok/s", true, false, 2}, "tokens_per_second_at_roof", ROWS_NUMBER, NULL, true},
                {{"type", false, false, 8}, "type", ROWS_TEXT, "-", true},
                {{"arithmetic", false, false, 7}, "compute_type", ROWS_TEXT, "-", true},
                {{"threads", true, false, 5}, "threads", ROWS_ID, NULL, true},
                {{"phase", false, false, 0}, "phase", ROWS_TEXT},
                {{"op, and on what", false, true, 0, shape_text_cut},
                 "op_text",
                 ROWS_TEXT,
                 "-",
                 true},
        };
        size_t n = json_array_size(r->rows), i;
        json_t *row;

        json_array_foreach(r->rows, i, row)
        {
                put_bound(row);
                put_op(row);
        }
        if (screen_shows(&r->v, SCREEN_ALL))
                view_heading(&r->v, "ops against their roofs");
        else if (!screen_shows(&r->v, 1) || screen_shows(&r->v, 2))
                fputc('\n', r->v.f);
        if (!ROWS_PRINT(&r->v, r->rows, view_shown(r->n_most, n), columns))
                return false;
        screen_say_more(&r->v, r->n_most, n, "row");
        if (screen_shows(&r->v, SCREEN_ALL))
                view_line(&r->v, "%s",
                          "time: of all calls, as if all threads took part from beginning to end; "
                          "bound: what keeps it from being faster, compute being multiply-adds of "
                          "the type that arithmetic is in, memory, L3, L2 and L1 where its bytes "
                          "come from; of it: the share of its roof that it reached; tok/s: if that "
                          "row took no longer than at its roof; !: above its roof");
        else
                view_line(&r->v, "%s",
                          "of it: share of its roof; tok/s: if it met its roof; !: above its roof");
        return true;
}

/* The plot is the first to go. */
static bool print_plot(const struct roofline_view *r)
{
        if (!screen_shows(&r->v, 1)) {
                screen_leave(&r->v, 0, "plot");
                return true;
        }
        return roofline_plot(&r->v, r->document, r->rows, r->n_most,
                             screen_shows(&r->v, 2) ? PLOT_HEIGHT : PLOT_LEAST);
}

static bool print(const struct view *v, size_t n_rows, const void *userdata)
{
        struct roofline_view page = *(const struct roofline_view *)userdata, *r = &page;

        r->v = *v;
        r->n_most = n_rows;
        print_head(r);
        if (!json_array_size(r->rows)) {
                view_heading(&r->v, "no op whose operands were seen%s%s",
                             r->phase ? " in phase " : "", r->phase ? r->phase : "");
        } else if (r->levels || r->cache) {
                if ((r->levels && !roofline_print_levels(r)) ||
                    (r->cache && !roofline_print_cache(r)))
                        return false;
        } else if (!print_plot(r) || !print_table(r)) {
                return false;
        }
        view_notes(&r->v, r->document);
        return true;
}

bool roofline_print(const struct roofline_view *r)
{
        return screen_print(&r->v, r->n_most, r->levels || r->cache ? 12 : 5, print, r);
}
