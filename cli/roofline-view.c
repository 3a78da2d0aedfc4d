/* SPDX-License-Identifier: MIT */
/* infprof.roofline/1 for people: the plot and the table that belongs to it. */
#include "cli/roofline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/rows.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

static void print_head(const struct roofline_view *r)
{
        const json_t *m = json_object_get(r->document, "machine");
        const json_t *decode = json_object_get(r->document, "decode");
        double rate = text_number(decode, "tokens_per_second");
        const char *from = text_string(m, "ceilings_from", NULL);
        char figure[TEXT_CELL];

        view_run(&r->v, json_object_get(r->document, "run"));
        view_say(&r->v, "ceilings", "%s%s%s", from ? "measured " : "not known",
                 from ? text_string(m, "measured_at", "?") : "",
                 from && !strcmp(from, "kept") ? ", after the run" : "");
        if (!isnan(rate))
                view_say(&r->v, "decode", "%s tokens/s", text_exact(figure, rate));
}

/* "compute", with the type; "L3!" where it was above. */
static void put_bound(json_t *row)
{
        const char *bound = text_string(row, "bound", NULL);
        const char *type = text_string(row, "compute_type", NULL);
        char text[32];

        if (!bound)
                return;
        snprintf(text, sizeof(text), "%s%s", type && !strcmp(bound, "compute") ? type : bound,
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
                {{"GFLOP/s", true, false, 0}, "gflops", ROWS_NUMBER},
                {{"GB/s", true, false, 4}, "gbps", ROWS_NUMBER},
                {{"flop/byte", true, false, 6}, "intensity", ROWS_NUMBER},
                {{"bound", false, false, 0}, "bound_text", ROWS_TEXT, "-"},
                {{"roof", true, false, 3}, "roof_gflops", ROWS_NUMBER},
                {{"of it", true, false, 0}, "roof_share", ROWS_SHARE},
                {{"tok/s", true, false, 2}, "tokens_per_second_at_roof", ROWS_NUMBER, NULL, true},
                {{"type", false, false, 8}, "type", ROWS_TEXT, "-", true},
                {{"threads", true, false, 5}, "threads", ROWS_ID, NULL, true},
                {{"phase", false, false, 0}, "phase", ROWS_TEXT},
                {{"op, and on what", false, true, 0}, "op_text", ROWS_TEXT, "-", true},
        };
        size_t n = json_array_size(r->rows), i;
        json_t *row;

        json_array_foreach(r->rows, i, row)
        {
                put_bound(row);
                put_op(row);
        }
        view_heading(&r->v, "ops against their roofs");
        if (!ROWS_PRINT(&r->v, r->rows, view_shown(r->n_most, n), columns))
                return false;
        view_say_more(&r->v, r->n_most, n);
        view_line(&r->v, "%s",
                  "time: of all calls, as if all threads took part from beginning to end; "
                  "tok/s: if that "
                  "row took no longer than at its roof; !: above its roof");
        return true;
}

bool roofline_print(const struct roofline_view *r)
{
        print_head(r);
        if (!json_array_size(r->rows)) {
                view_heading(&r->v, "no op whose operands were seen%s%s",
                             r->phase ? " in phase " : "", r->phase ? r->phase : "");
        } else if (r->levels || r->cache) {
                if ((r->levels && !roofline_print_levels(r)) ||
                    (r->cache && !roofline_print_cache(r)))
                        return false;
        } else if (!roofline_plot(&r->v, r->document, r->rows, r->n_most) || !print_table(r)) {
                return false;
        }
        view_notes(&r->v, r->document);
        return true;
}
