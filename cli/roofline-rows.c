/* SPDX-License-Identifier: MIT */
/*
 * Rows of infprof.roofline/1, put together. A sum is of those of its rows of which the thing is
 * known: a rate is the sum of the work over the time of just these.
 */
#include "cli/roofline.h"

#include <math.h>
#include <string.h>

#include "cli/rows.h"
#include "cli/text.h"
#include "common/cleanup.h"

static void set(json_t *o, const char *key, double v)
{
        json_object_set_new(o, key, isfinite(v) ? json_real(v) : json_null());
}

/* Sums that are no members of a row begin with a dot. */
static void add(json_t *o, const char *key, double v)
{
        double old = text_number(o, key);

        if (!isnan(v))
                set(o, key, (isnan(old) ? 0 : old) + v);
}

static void add_row(json_t *to, const json_t *row)
{
        double wall = text_number(row, "wall_ns"), flops = text_number(row, "flops");
        double bytes = text_number(row, "bytes"), roof = text_number(row, "at_roof_ns");
        const char *bound = text_string(row, "bound", NULL);
        char key[32];

        add(to, "wall_ns", wall);
        add(to, "calls", text_number(row, "calls"));
        if (!isnan(text_number(row, "intensity"))) {
                add(to, ".flops", flops);
                add(to, ".bytes", bytes);
                add(to, ".worked_ns", wall);
        }
        if (isnan(roof) || !bound)
                return;
        add(to, "at_roof_ns", roof);
        add(to, ".roof_wall_ns", wall);
        add(to, ".roof_flops", flops);
        snprintf(key, sizeof(key), ".bound.%s", bound);
        add(to, key, wall);
        if (!strcmp(text_string(row, "phase", ""), "decode"))
                add(to, ".saved_ns", fmax(0, wall - roof));
}

static void put_bound(json_t *o)
{
        static const char *const bounds[] = {"compute", "memory",   "L3",     "L2",
                                             "L1",      "overhead", "waiting"};
        double most = 0;

        for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
                char key[32];
                double ns;

                snprintf(key, sizeof(key), ".bound.%s", bounds[i]);
                ns = text_number(o, key);
                if (!(ns > most))
                        continue;
                most = ns;
                json_object_set_new(o, "bound", json_string(bounds[i]));
        }
}

static void finish(json_t *o, const json_t *decode)
{
        double worked = text_number(o, ".worked_ns"), roof = text_number(o, "at_roof_ns");
        double left = text_number(decode, "total_ns") - text_number(o, ".saved_ns");

        set(o, "gflops", text_number(o, ".flops") / worked);
        set(o, "gbps", text_number(o, ".bytes") / worked);
        set(o, "intensity", text_number(o, ".flops") / text_number(o, ".bytes"));
        set(o, "roof_gflops", text_number(o, ".roof_flops") / roof);
        set(o, "roof_share", roof / text_number(o, ".roof_wall_ns"));
        if (roof > text_number(o, ".roof_wall_ns"))
                json_object_set_new(o, "over_roof", json_true());
        set(o, "tokens_per_second_at_roof",
            left > 0 ? text_number(decode, "tokens") * 1e9 / left : NAN);
        put_bound(o);
}

static json_t *same(json_t *list, const json_t *row, const char *const *keys)
{
        json_t *o;
        size_t i, k;

        json_array_foreach(list, i, o)
        {
                for (k = 0; keys[k]; k++)
                        if (strcmp(text_string(o, keys[k], ""), text_string(row, keys[k], "")) != 0)
                                break;
                if (!keys[k])
                        return o;
        }
        o = json_object();
        for (k = 0; keys[k]; k++)
                json_object_set(o, keys[k], json_object_get(row, keys[k]));
        json_array_append_new(list, o);
        return o;
}

static json_t *put_together(const json_t *document, const json_t *rows, enum roofline_by by)
{
        static const char *const keys[][3] = {
                [ROOFLINE_BY_OP] = {"op", "phase", NULL}, [ROOFLINE_BY_PHASE] = {"phase", NULL}};
        _cleanup_(json_decrefp) json_t *list = json_array();
        json_t *row;
        size_t i;

        json_array_foreach(rows, i, row)
        {
                add_row(same(list, row, keys[by]), row);
        }
        json_array_foreach(list, i, row)
        {
                finish(row, json_object_get(document, "decode"));
        }
        return rows_sorted(list, "wall_ns");
}

static void put_mark(json_t *row, size_t i)
{
        char mark[2] = {(char)(i < 26 ? 'A' + i : 'a' + (i - 26)), '\0'};

        if (i < 52)
                json_object_set_new(row, "mark", json_string(mark));
}

json_t *roofline_rows(const json_t *document, enum roofline_by by, const char *phase)
{
        _cleanup_(json_decrefp) json_t *chosen = json_array();
        json_t *row, *list;
        size_t i, n = 0;
        double x, y;

        json_array_foreach(json_object_get(document, "rows"), i, row)
        {
                if (!phase || !strcmp(phase, text_string(row, "phase", "")))
                        json_array_append_new(chosen, json_copy(row));
        }
        list = by == ROOFLINE_BY_SHAPE ? json_incref(chosen) : put_together(document, chosen, by);
        json_array_foreach(list, i, row)
        {
                if (roofline_place(row, &x, &y))
                        put_mark(row, n++);
        }
        return list;
}

json_t *roofline_named(const json_t *row)
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
