/* SPDX-License-Identifier: MIT */
/* Caches of infprof.roofline/1 for people: a line a shape, or one for each cache. */
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

/* "fits", or by how much it does not. */
static void put_over(json_t *to, const char *to_key, const json_t *over, const char *key)
{
        char bytes[FMT_SIZE], text[64];
        double v = text_number(over, key);

        if (isnan(v))
                return;
        snprintf(text, sizeof(text), "%s%s", v > 0 ? "+" : "fits",
                 v > 0 ? view_bytes(bytes, over, key) : "");
        json_object_set_new(to, to_key, json_string(text));
}

/* Is this op applied to what an MLP's first products make, so that its rows are d_ff long? */
static bool is_activation(const char *op)
{
        static const char *const parts[] = {"GLU", "SILU", "GELU", "RELU"};

        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
                if (strstr(op, parts[i]))
                        return true;
        return false;
}

/* Are the rows of this product's weights as many as an activation's are long? */
static bool makes_d_ff(const json_t *rows, const json_t *row)
{
        const char *shape = text_string(row, "shape", "");
        unsigned long long made, length;
        const json_t *other;
        size_t i;

        if (sscanf(shape, "%*[^[][%*u,%llu]", &made) != 1)
                return false;
        json_array_foreach(rows, i, other)
        {
                if (is_activation(text_string(other, "op", "")) &&
                    sscanf(text_string(other, "shape", ""), "%*[^[][%llu", &length) == 1 &&
                    length == made)
                        return true;
        }
        return false;
}

static const char *const extents[] = {"batch", "sequence", "d_ff", "tile"};
#define N_EXTENTS (sizeof(extents) / sizeof(extents[0]))

/* "rows 3,000"; false: it is not known. */
static bool put_extent(char *text, size_t size, const json_t *most, size_t i, bool d_ff)
{
        const char *name = extents[i];
        char figure[FMT_SIZE];

        snprintf(text, size, "%s %s", !strcmp(name, "d_ff") && !d_ff ? "rows" : name,
                 view_count(figure, most, name));
        return !isnan(text_number(most, name));
}

/* "batch 12, rows 3,000" */
static void put_extents(json_t *to, const json_t *most, bool d_ff)
{
        char text[160] = "", extent[64];
        size_t used = 0;

        for (size_t i = 0; i < N_EXTENTS; i++)
                if (put_extent(extent, sizeof(extent), most, i, d_ff))
                        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s",
                                                 used ? ", " : "", extent);
        if (used)
                json_object_set_new(to, "op_text", json_sprintf("  %s", text));
}

static void add_cache(const struct roofline_view *r, json_t *list, const json_t *row)
{
        static const char *const parts[] = {"weights_bytes", "activations_bytes",
                                            "intermediate_bytes", "whole_bytes"};
        const json_t *cache = json_object_get(row, "cache"), *level;
        json_t *o = roofline_named(row);
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
                        put_over(o, parts[k], json_object_get(level, "over"), parts[k]);
                put_extents(o, json_object_get(level, "fits_up_to"), makes_d_ff(r->rows, row));
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

/* One row of each op and shape, the one that took most time first: into `list`, by `add`. How many
 * there are is returned, whatever is shown. */
static size_t each_shape(const struct roofline_view *r, json_t *list,
                         void (*add)(const struct roofline_view *r, json_t *list,
                                     const json_t *row))
{
        size_t of = 0;

        for (size_t i = 0; i < json_array_size(r->rows); i++) {
                const json_t *row = json_array_get(r->rows, i);

                if (!json_is_object(json_object_get(row, "cache")) || is_listed(r->rows, i))
                        continue;
                if (!r->n_most || of < r->n_most)
                        add(r, list, row);
                of++;
        }
        return of;
}

/* ---- in brief --------------------------------------------------------------------------- */

/* "L2 rows 3,000": the first extent with which anything would. */
static void put_would_fit(json_t *to, const char *level, const json_t *most, bool d_ff)
{
        char extent[64];

        for (size_t i = 0; i < N_EXTENTS; i++)
                if (text_number(most, extents[i]) > 0 &&
                    put_extent(extent, sizeof(extent), most, i, d_ff)) {
                        json_object_set_new(to, "extents", json_sprintf("%s %s", level, extent));
                        return;
                }
}

/* A line: by how much the whole does not fit into each cache, and what would into the last such. */
static void add_brief(const struct roofline_view *r, json_t *list, const json_t *row)
{
        const json_t *cache = json_object_get(row, "cache"), *level;
        json_t *o = roofline_named(row);
        char text[FMT_SIZE];
        size_t i;

        json_object_set_new(o, "whole", json_string(view_bytes(text, cache, "whole_bytes")));
        json_array_foreach(json_object_get(cache, "levels"), i, level)
        {
                _cleanup_(json_decrefp) json_t *over = json_copy(json_object_get(level, "over"));
                const char *name = text_string(level, "level", "?");

                put_over(o, name, over, "whole_bytes");
                if (text_number(over, "whole_bytes") > 0)
                        put_would_fit(o, name, json_object_get(level, "fits_up_to"),
                                      makes_d_ff(r->rows, row));
        }
        json_array_append_new(list, o);
}

/* "L1 96.0KiB, L2 2.00MiB", of the first row that has caches. */
static void say_room(const struct roofline_view *r)
{
        char text[128] = "", bytes[FMT_SIZE];
        const json_t *row, *level;
        size_t used = 0, i, k;

        json_array_foreach(r->rows, i, row)
        {
                if (used)
                        break;
                json_array_foreach(rows_member(row, "cache.levels"), k, level)
                {
                        int n = snprintf(text + used, sizeof(text) - used, "%s%s %s",
                                         used ? ", " : "", text_string(level, "level", "?"),
                                         view_bytes(bytes, level, "room_bytes"));

                        used += n > 0 && (size_t)n < sizeof(text) - used ? (size_t)n : 0;
                }
        }
        view_heading(&r->v, "room in the caches of the threads: %s", used ? text : "not known");
}

static bool print_brief(const struct roofline_view *r)
{
        static const struct rows_column columns[] = {
                {{"operands", true, false, 0}, "whole", ROWS_TEXT, "-"},
                {{"L1", true, false, 0}, "L1", ROWS_TEXT, "-"},
                {{"L2", true, false, 0}, "L2", ROWS_TEXT, "-"},
                {{"L3", true, false, 0}, "L3", ROWS_TEXT, "-"},
                {{"would fit", false, false, 1}, "extents", ROWS_TEXT, "", true},
                {{"op, and on what", false, true, 0, shape_text_cut}, "op_text", ROWS_TEXT, ""},
        };
        _cleanup_(json_decrefp) json_t *list = json_array();
        size_t of = each_shape(r, list, add_brief);

        say_room(r);
        if (!ROWS_PRINT(&r->v, list, json_array_size(list), columns))
                return false;
        screen_say_more(&r->v, r->n_most, of, "shape");
        screen_leave(&r->v, 0, "parts and extents for each cache");
        view_line(&r->v, "%s",
                  "L1, L2, L3: by how much operands do not fit; would fit: with so many");
        return true;
}

/* ---- in full ---------------------------------------------------------------------------- */

bool roofline_print_cache(const struct roofline_view *r)
{
        static const struct rows_column columns[] = {
                {{"", false, false, 0}, "in", ROWS_TEXT},
                {{"weights", true, false, 0}, "weights_bytes", ROWS_TEXT, "-"},
                {{"activations", true, false, 2}, "activations_bytes", ROWS_TEXT, "-"},
                {{"intermediate", true, false, 3}, "intermediate_bytes", ROWS_TEXT, "-"},
                {{"whole", true, false, 0}, "whole_bytes", ROWS_TEXT, "-"},
                {{"op; what fits up to", false, true, 0, shape_text_cut}, "op_text", ROWS_TEXT, ""},
        };
        _cleanup_(json_decrefp) json_t *list = json_array();
        size_t of;

        if (r->v.screen)
                return print_brief(r);
        of = each_shape(r, list, add_cache);
        view_heading(&r->v,
                     "what finds room in the caches of its threads, and by how much it does not");
        if (!ROWS_PRINT(&r->v, list, json_array_size(list), columns))
                return false;
        view_say_more(&r->v, r->n_most, of);
        view_line(&r->v, "%s",
                  "fits up to: the greatest of each extent with which all of the op finds room, "
                  "the others "
                  "as they are (0: with none it does); batch: columns of activations; rows: of "
                  "weights, in an MLP d_ff; tile: so many rows of weights by as many columns");
        return true;
}
