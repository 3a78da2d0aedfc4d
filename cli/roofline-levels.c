/* SPDX-License-Identifier: MIT */
/* Tiers and caches of infprof.roofline/1 for people. */
#include "cli/roofline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/rows.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

static json_t *named(const json_t *row)
{
        json_t *o = json_object();
        static const char *const same[] = {"phase", "threads", "gflops", "wall_ns"};

        for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
                json_object_set(o, same[i], json_object_get(row, same[i]));
        json_object_set_new(
                o, "op_text",
                json_sprintf("%s %s", text_string(row, "op", "?"), text_string(row, "shape", "")));
        return o;
}

/* ---- tiers ------------------------------------------------------------------------------ */

bool roofline_print_levels(const struct roofline_view *r)
{
        static const struct rows_column columns[] = {
                {{"works in", false, false, 0}, "set", ROWS_TEXT, "-"},
                {{"GFLOP/s", true, false, 0}, "gflops", ROWS_NUMBER},
                {{"micro", true, false, 0}, "micro.efficiency", ROWS_SHARE},
                {{"roof", true, false, 5}, "micro.roof_gflops", ROWS_NUMBER},
                {{"flop/byte", true, false, 6}, "micro.intensity_at_most", ROWS_NUMBER},
                {{"midi", true, false, 0}, "midi.efficiency", ROWS_SHARE},
                {{"roof", true, false, 5}, "midi.roof_gflops", ROWS_NUMBER},
                {{"flop/byte", true, false, 6}, "midi.intensity_at_most", ROWS_NUMBER},
                {{"macro", true, false, 0}, "macro.efficiency", ROWS_SHARE},
                {{"roof", true, false, 5}, "macro.roof_gflops", ROWS_NUMBER},
                {{"flop/byte", true, false, 6}, "macro.intensity_at_most", ROWS_NUMBER},
                {{"from", false, false, 4}, "macro.level", ROWS_TEXT, "-"},
                {{"phase", false, false, 2}, "phase", ROWS_TEXT},
                {{"op, and on what", false, true, 0}, "op_text", ROWS_TEXT},
        };
        size_t n = json_array_size(r->rows), i, k;
        _cleanup_(json_decrefp) json_t *list = json_array();
        const json_t *row, *tier;

        json_array_foreach(r->rows, i, row)
        {
                const json_t *set = json_object_get(row, "working_set");
                json_t *o = named(row);
                char text[64], bytes[FMT_SIZE];

                if (json_is_string(json_object_get(set, "tier"))) {
                        snprintf(text, sizeof(text), "%s (%s, %s)", text_string(set, "tier", "?"),
                                 text_string(set, "level", "?"), view_bytes(bytes, set, "bytes"));
                        json_object_set_new(o, "set", json_string(text));
                }
                json_array_foreach(json_object_get(row, "levels"), k, tier)
                {
                        json_object_set(o, text_string(tier, "tier", "?"), (json_t *)tier);
                }
                json_array_append_new(list, o);
        }
        view_heading(
                &r->v,
                "tiles: of registers from L1 (micro), of L1 from L2 (midi), of L2 from further "
                "out (macro)");
        if (!ROWS_PRINT(&r->v, list, view_shown(r->n_most, n), columns))
                return false;
        view_say_more(&r->v, r->n_most, n);
        view_line(&r->v, "%s",
                  "micro, midi, macro: GFLOP/s as a share of that tier's roof, which is in GFLOP/s "
                  "at its "
                  "flop/byte; these are at most, by the least that has to be moved; -: faster than "
                  "that "
                  "tier allows, so the data came from nearer. Works in: the "
                  "tier "
                  "that holds its operands");
        return true;
}

/* ---- caches ----------------------------------------------------------------------------- */

/* "fits", or by how much it does not. */
static void put_over(json_t *to, const char *key, const json_t *over)
{
        char bytes[FMT_SIZE], text[64];
        double v = text_number(over, key);

        if (isnan(v))
                return;
        snprintf(text, sizeof(text), "%s%s", v > 0 ? "+" : "fits",
                 v > 0 ? view_bytes(bytes, over, key) : "");
        json_object_set_new(to, key, json_string(text));
}

/* "batch 12, d_ff 3,000" */
static void put_extents(json_t *to, const json_t *most)
{
        static const char *const names[] = {"batch", "sequence", "d_ff", "tile"};
        char text[160] = "", figure[FMT_SIZE];
        size_t used = 0;

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                double v = text_number(most, names[i]);
                int n;

                if (isnan(v))
                        continue;
                n = snprintf(text + used, sizeof(text) - used, "%s%s %s", used ? ", " : "",
                             names[i], v > 0 ? view_count(figure, most, names[i]) : "none");
                used += n > 0 && (size_t)n < sizeof(text) - used ? (size_t)n : 0;
        }
        if (used)
                json_object_set_new(to, "op_text", json_sprintf("  %s", text));
}

static void add_cache(json_t *list, const json_t *row)
{
        static const char *const parts[] = {"weights_bytes", "activations_bytes",
                                            "intermediate_bytes", "whole_bytes"};
        const json_t *cache = json_object_get(row, "cache"), *level;
        json_t *o = named(row);
        char text[FMT_SIZE];
        size_t i;

        for (size_t k = 0; k < 4; k++)
                if (json_is_number(json_object_get(cache, parts[k])))
                        json_object_set_new(o, parts[k],
                                            json_string(view_bytes(text, cache, parts[k])));
        json_object_set_new(o, "in", json_string("bytes"));
        json_array_append_new(list, o);
        json_array_foreach(json_object_get(cache, "levels"), i, level)
        {
                char in[64];

                o = json_object();
                snprintf(in, sizeof(in), "%s %s", text_string(level, "level", "?"),
                         view_bytes(text, level, "room_bytes"));
                json_object_set_new(o, "in", json_string(in));
                for (size_t k = 0; k < 4; k++)
                        put_over(o, parts[k], json_object_get(level, "over"));
                put_extents(o, json_object_get(level, "fits_up_to"));
                json_array_append_new(list, o);
        }
}

/* Phases of one shape are alike. */
static bool is_listed(const json_t *rows, size_t i)
{
        const json_t *row = json_array_get(rows, i);

        for (size_t k = 0; k < i; k++) {
                const json_t *o = json_array_get(rows, k);

                if (!strcmp(text_string(o, "op", ""), text_string(row, "op", "")) &&
                    !strcmp(text_string(o, "shape", ""), text_string(row, "shape", "")) &&
                    text_number(o, "threads") == text_number(row, "threads"))
                        return true;
        }
        return false;
}

bool roofline_print_cache(const struct roofline_view *r)
{
        static const struct rows_column columns[] = {
                {{"", false, false, 0}, "in", ROWS_TEXT},
                {{"weights", true, false, 0}, "weights_bytes", ROWS_TEXT, "-"},
                {{"activations", true, false, 2}, "activations_bytes", ROWS_TEXT, "-"},
                {{"intermediate", true, false, 3}, "intermediate_bytes", ROWS_TEXT, "-"},
                {{"whole", true, false, 0}, "whole_bytes", ROWS_TEXT, "-"},
                {{"op; what fits up to", false, true, 0}, "op_text", ROWS_TEXT, ""},
        };
        _cleanup_(json_decrefp) json_t *list = json_array();
        size_t n = json_array_size(r->rows), of = 0, shown = 0;

        for (size_t i = 0; i < n; i++) {
                const json_t *row = json_array_get(r->rows, i);

                if (!json_is_object(json_object_get(row, "cache")) || is_listed(r->rows, i))
                        continue;
                of++;
                if (r->n_most && shown == r->n_most)
                        continue;
                shown++;
                add_cache(list, row);
        }
        view_heading(&r->v,
                     "what finds room in the caches of its threads, and by how much it does not");
        if (!ROWS_PRINT(&r->v, list, json_array_size(list), columns))
                return false;
        view_say_more(&r->v, r->n_most, of);
        view_line(&r->v, "%s",
                  "fits up to: the greatest of each extent with which all of the op finds room, "
                  "the others "
                  "as they are; tile: so many rows of weights by as many columns");
        return true;
}
