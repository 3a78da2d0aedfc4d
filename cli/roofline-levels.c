/* SPDX-License-Identifier: MIT */
/* Tiers of infprof.roofline/1 for people. */
#include "cli/roofline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/rows.h"
#include "cli/screen.h"
#include "cli/shape-text.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

/* "0.1% 2.09k": the share of a tier's roof, and that roof. */
static void put_tier(json_t *o, const json_t *tier)
{
        const char *name = text_string(tier, "tier", "?");
        char key[32], share[FMT_SIZE], roof[TEXT_CELL];

        json_object_set(o, name, (json_t *)tier);
        snprintf(key, sizeof(key), "%s_text", name);
        json_object_set_new(o, key,
                            json_sprintf("%s %s", view_share(share, tier, "efficiency"),
                                         text_count(roof, text_number(tier, "roof_gflops"))));
}

static void print_legend(const struct roofline_view *r)
{
        if (screen_shows(&r->v, 2))
                view_line(&r->v, "%s",
                          "micro, midi, macro: GFLOP/s as a share of that tier's roof, then that "
                          "roof, in GFLOP/s at its flop/byte; these are at most, by the least that "
                          "has to be moved; -: faster than that tier allows, so the data came from "
                          "nearer. In: the level that holds its operands");
        else
                view_line(&r->v, "%s",
                          "micro, midi, macro: share of that tier's roof, and the roof in GFLOP/s");
}

bool roofline_print_levels(const struct roofline_view *r)
{
        static const struct rows_column columns[] = {
                {{"in", false, false, 0}, "working.level", ROWS_TEXT, "-"},
                {{"bytes", true, false, 4}, "working.bytes", ROWS_BYTES},
                {{"GFLOP/s", true, false, 0}, "gflops", ROWS_NUMBER},
                {{"micro", true, false, 0}, "micro_text", ROWS_TEXT, "-"},
                {{"midi", true, false, 0}, "midi_text", ROWS_TEXT, "-"},
                {{"macro", true, false, 0}, "macro_text", ROWS_TEXT, "-"},
                {{"flop/byte micro", true, false, 6}, "micro.intensity_at_most", ROWS_NUMBER},
                {{"midi", true, false, 6}, "midi.intensity_at_most", ROWS_NUMBER},
                {{"macro", true, false, 6}, "macro.intensity_at_most", ROWS_NUMBER},
                {{"from", false, false, 5}, "macro.level", ROWS_TEXT, "-"},
                {{"phase", false, false, 1}, "phase", ROWS_TEXT},
                {{"op, and on what", false, true, 0, shape_text_cut, 20}, "op_text", ROWS_TEXT},
        };
        size_t n = json_array_size(r->rows), i, k;
        _cleanup_(json_decrefp) json_t *list = json_array();
        const json_t *row, *tier;

        json_array_foreach(r->rows, i, row)
        {
                json_t *o = roofline_named(row);

                json_object_set(o, "working", json_object_get(row, "working_set"));
                json_array_foreach(json_object_get(row, "levels"), k, tier)
                {
                        put_tier(o, tier);
                }
                json_array_append_new(list, o);
        }
        view_heading(
                &r->v,
                "tiles: of registers from L1 (micro), of L1 from L2 (midi), of L2 from further "
                "out (macro)");
        if (!ROWS_PRINT(&r->v, list, view_shown(r->n_most, n), columns))
                return false;
        screen_say_more(&r->v, r->n_most, n, "row");
        print_legend(r);
        return true;
}
