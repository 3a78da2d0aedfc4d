/* SPDX-License-Identifier: MIT */
/*
 * What was waited for, and for whom: who held the lock when the waiting began, came last to the
 * barrier, was joined, or woke the waiter, as far as that was seen.
 */
#include "cli/waits-view-private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/flame-name.h"
#include "cli/rows.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

char *waits_object(const json_t *o)
{
        if (text_string(o, "library", NULL) && !isnan(text_number(o, "offset")))
                return flame_name(o);
        return strdup(text_string(o, "object", "-"));
}

/* For whom it was waited for most, and what share of the time that was. */
static const char *mostly(char *buf, size_t size, const json_t *o)
{
        const json_t *by = json_array_get(json_object_get(o, "by"), 0);
        const char *op = text_string(by, "op", NULL);
        char who[96], share[FMT_SIZE];

        if (!by)
                return "not seen";
        snprintf(buf, size, "%s %s%s%s", view_share(share, by, "share"),
                 waits_thread(who, sizeof(who), by), op ? " in " : "", op ? op : "");
        return buf;
}

bool waits_print_objects(const struct page *p)
{
        static const struct rows_column columns[] = {
                {{"total", true, false, 0}, "total_ns", ROWS_TIME},
                {{"waits", true, false, 0}, "count", ROWS_COUNT},
                {{"p50", true, false, 3}, "p50_ns", ROWS_TIME},
                {{"p95", true, false, 8}, "p95_ns", ROWS_TIME},
                {{"p99", true, false, 0}, "p99_ns", ROWS_TIME},
                {{"max", true, false, 7}, "max_ns", ROWS_TIME},
                {{"threads", true, false, 6}, "threads", ROWS_COUNT},
                {{"timeouts", true, false, 4}, "timeouts", ROWS_COUNT, NULL, true},
                {{"left", true, false, 5}, "left", ROWS_COUNT, NULL, true},
                {{"in progress", true, false, 2}, "now.waits", ROWS_COUNT, NULL, true},
                {{"so far", true, false, 1}, "now.total_ns", ROWS_TIME, NULL, true},
                {{"kind", false, false, 0}, "kind", ROWS_TEXT},
                {{"object", false, false, 0}, "name", ROWS_TEXT},
                {{"mostly for", false, true, 9}, "mostly", ROWS_TEXT},
        };
        const json_t *objects = json_object_get(p->document, "objects");
        size_t n = json_array_size(objects), shown = view_shown(p->rows, n);
        _cleanup_(json_decrefp) json_t *rows = json_array();
        char text[256];

        if (!n)
                return true;
        for (size_t i = 0; i < shown; i++) {
                json_t *row = json_copy(json_array_get(objects, i));
                _cleanup_(freep) char *name = waits_object(row);

                json_object_set_new(row, "mostly", json_string(mostly(text, sizeof(text), row)));
                json_object_set_new(row, "name", json_string(name ? name : "?"));
                json_array_append_new(rows, row);
        }
        view_heading(&p->v, "what was waited for");
        if (!ROWS_PRINT(&p->v, rows, shown, columns))
                return false;
        view_say_more(&p->v, p->rows, n);
        return true;
}

static void add_whom(json_t *rows, const json_t *o, const json_t *by, const char *who, double total)
{
        _cleanup_(freep) char *name = waits_object(o);
        double ns = text_number(by, "total_ns");
        json_t *row = json_object();

        json_object_set(row, "count", json_object_get(by, "count"));
        json_object_set(row, "total_ns", json_object_get(by, "total_ns"));
        json_object_set(row, "kind", json_object_get(o, "kind"));
        json_object_set(row, "op", json_object_get(by, "op"));
        if (total > 0 && !isnan(ns))
                json_object_set_new(row, "share", json_real(ns / total));
        json_object_set_new(row, "object", json_string(name ? name : "?"));
        json_object_set_new(row, "who", json_string(who));
        json_array_append_new(rows, row);
}

/* Of one object. */
static void add_all_of(json_t *rows, const json_t *o)
{
        const json_t *others = json_object_get(o, "others"),
                     *unknown = json_object_get(o, "unknown");
        double total = text_number(o, "total_ns");
        const json_t *by;
        char who[96];
        size_t i;

        json_array_foreach(json_object_get(o, "by"), i, by)
        {
                add_whom(rows, o, by, waits_thread(who, sizeof(who), by), total);
        }
        if (text_number(others, "total_ns") > 0)
                add_whom(rows, o, others, "(other threads)", total);
        if (i && text_number(unknown, "total_ns") > 0)
                add_whom(rows, o, unknown, "(not seen)", total);
}

/* A line for each object and each thread that was waited for, the longest first. */
bool waits_print_whom(const struct page *p)
{
        static const struct rows_column columns[] = {
                {{"waited", true, false, 0}, "total_ns", ROWS_TIME},
                {{"share", true, false, 0}, "share", ROWS_SHARE},
                {{"waits", true, false, 0}, "count", ROWS_COUNT},
                {{"kind", false, false, 0}, "kind", ROWS_TEXT},
                {{"object", false, false, 0}, "object", ROWS_TEXT},
                {{"for", false, true, 0}, "who", ROWS_TEXT},
                {{"in op", false, false, 1}, "op", ROWS_TEXT, "-"},
        };
        const json_t *objects = json_object_get(p->document, "objects"), *o;
        _cleanup_(json_decrefp) json_t *all = json_array(), *rows = NULL;
        size_t n, i;

        json_array_foreach(objects, i, o)
        {
                add_all_of(all, o);
        }
        rows = rows_sorted(all, "total_ns");
        if (!rows)
                return false;
        n = json_array_size(rows);
        if (!n)
                return true;
        view_heading(&p->v,
                     "for whom: who held the lock, came last to the barrier, was joined, or woke "
                     "the waiter; shares are of the object's waits");
        if (!ROWS_PRINT(&p->v, rows, view_shown(p->rows, n), columns))
                return false;
        view_say_more(&p->v, p->rows, n);
        return true;
}
