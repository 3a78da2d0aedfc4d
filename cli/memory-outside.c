/* SPDX-License-Identifier: MIT */
/*
 * What is known of memory besides the calls: how it moved, what the allocator says of itself,
 * and the process as the kernel sees it.
 */
#include "cli/memory-view-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/spark.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

#define MAX_SPARK   60u
#define SPARK_FRAME 30u /* columns of a line of the timeline beside the sparkline */

/* The member of each look; with `rate`, by how much it grew a second. */
static json_t *series_of(const struct memory_view *m, const json_t *timeline, const char *member,
                         bool rate)
{
        bool windowed = json_is_object(json_object_get(m->document, "window"));
        json_t *series = json_array();
        double before = 0, second = 0;
        const json_t *look;
        size_t i;

        json_array_foreach(timeline, i, look)
        {
                double v = text_number(look, member), at = text_number(look, "second"), x = v;

                if (rate && i)
                        x = (v - before) / fmax(at - second, 1);
                else if (rate) /* counted since the start, which a window does not show */
                        x = windowed ? NAN : v / fmax(at, 1);
                json_array_append_new(series, isnan(x) ? json_null() : json_real(x));
                before = v;
                second = at;
        }
        return series;
}

static const char *height(char *buf, double v, const char *unit)
{
        if (!*unit)
                return fmt_bytes(buf, llround(v));
        return text_count(buf, v);
}

static bool print_series(const struct memory_view *m, const json_t *timeline, const char *label,
                         const char *member, bool rate)
{
        _cleanup_(json_decrefp) json_t *series = series_of(m, timeline, member, rate);
        unsigned width = m->v.width, cells = (unsigned)json_array_size(series);
        unsigned room = width && width < MAX_SPARK + SPARK_FRAME
                                ? width > SPARK_FRAME + 10 ? width - SPARK_FRAME : 10
                                : MAX_SPARK;
        const char *unit = rate ? "/s" : "";
        double least = 0, most = 0;
        char a[FMT_SIZE], b[FMT_SIZE];
        _cleanup_(freep) char *spark = NULL;

        if (!spark_range(series, &least, &most))
                return true;
        spark = spark_range_text(series, cells < room ? cells : room);
        if (!spark)
                return false;
        height(a, least, unit);
        height(b, most, unit);
        if (!strcmp(a, b))
                fprintf(m->v.f, "%-8s %s  %s%s\n", label, spark, a, unit);
        else
                fprintf(m->v.f, "%-8s %s  %s to %s%s\n", label, spark, a, b, unit);
        return true;
}

bool memory_print_timeline(const struct memory_view *m)
{
        static const struct {
                const char *label, *member;
                bool rate;
        } lines[] = {{"rss", "rss", false},
                     {"anon", "anonymous", false},
                     {"live", "live_bytes", false},
                     {"calls", "calls", true},
                     {"faults", "minor_faults", true}};
        const json_t *timeline = json_object_get(m->document, "timeline");
        size_t n = json_array_size(timeline);
        double from, to;

        if (n < 2)
                return true;
        from = text_number(json_array_get(timeline, 0), "second");
        to = text_number(json_array_get(timeline, n - 1), "second");
        memory_heading(m, "timeline, second %.0f to %.0f: each line from its least to its most",
                       from, to);
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
                if (!print_series(m, timeline, lines[i].label, lines[i].member, lines[i].rate))
                        return false;
        return true;
}

static bool print_arenas(const struct memory_view *m, const json_t *arenas)
{
        static const struct table_column columns[] = {{"arena", true, false, 0},
                                                      {"allocated", true, false, 0},
                                                      {"active", true, false, 0},
                                                      {"resident", true, false, 0},
                                                      {"mapped", true, false, 0}};
        size_t n = json_array_size(arenas);
        struct table *t;
        bool ok;

        if (n < 2)
                return true;
        t = table_new(columns, 5);
        if (!t)
                return false;
        for (size_t i = 0; i < memory_shown(m, n); i++) {
                const json_t *a = json_array_get(arenas, i);
                char id[32], allocated[FMT_SIZE], active[FMT_SIZE], resident[FMT_SIZE],
                        mapped[FMT_SIZE];

                snprintf(id, sizeof(id), "%.0f", text_number(a, "arena"));
                table_add(t, (const char *[]){id, view_bytes(allocated, a, "allocated"),
                                              view_bytes(active, a, "active"),
                                              view_bytes(resident, a, "resident"),
                                              view_bytes(mapped, a, "mapped")});
        }
        ok = table_print(t, m->v.f, m->v.width);
        table_free(t);
        memory_say_more(m, n);
        return ok;
}

/* "label value, label value" of those members that are known. */
static void say_known(const struct memory_view *m, const char *label, const json_t *o,
                      const char *const (*members)[2], size_t n)
{
        _cleanup_(freep) char *line = NULL;
        char value[FMT_SIZE];
        size_t size;
        FILE *f = open_memstream(&line, &size);

        if (!f)
                return;
        for (size_t i = 0; i < n; i++)
                if (json_is_integer(json_object_get(o, members[i][0])))
                        fprintf(f, "%s%s %s", ftell(f) ? ", " : "", members[i][1],
                                view_bytes(value, o, members[i][0]));
        if (!fclose(f) && size)
                view_say(&m->v, label, "%s", line);
}

bool memory_print_allocator(const struct memory_view *m)
{
        static const char *const members[][2] = {
                {"allocated", "allocated"}, {"active", "active"},         {"metadata", "metadata"},
                {"resident", "resident"},   {"mapped", "mapped"},         {"retained", "retained"},
                {"free_bytes", "free"},     {"releasable", "releasable"},
        };
        const json_t *a = json_object_get(m->document, "allocator");
        const char *library = text_string(a, "library", NULL);
        char efficiency[FMT_SIZE], mean[FMT_SIZE], fragmentation[FMT_SIZE], looks[FMT_SIZE],
                cost[FMT_SIZE];

        if (!json_is_object(a))
                return true;
        fputc('\n', m->v.f);
        view_say(&m->v, "allocator", "%s%s%s%s", text_string(a, "kind", "unknown"),
                 library ? " (" : "", library ? library : "", library ? ")" : "");
        say_known(m, "", a, members, sizeof(members) / sizeof(members[0]));
        if (!isnan(text_number(a, "efficiency")) || !isnan(text_number(a, "mean_efficiency")) ||
            !isnan(text_number(a, "fragmentation")))
                view_say(&m->v, "",
                         "efficiency %s (useful of resident; %s over the run), fragmentation %s",
                         view_share(efficiency, a, "efficiency"),
                         view_share(mean, a, "mean_efficiency"),
                         view_share(fragmentation, a, "fragmentation"));
        if (text_number(a, "looks") > 0)
                view_say(&m->v, "", "asked %s time%s, which cost %s", view_count(looks, a, "looks"),
                         text_number(a, "looks") > 1 ? "s" : "",
                         view_figure(cost, a, "cost_ns", fmt_ns));
        return print_arenas(m, json_object_get(a, "arenas"));
}

bool memory_print_outside(const struct memory_view *m)
{
        static const char *const members[][2] = {
                {"rss", "resident"},        {"rss_peak", "at most"}, {"pss", "proportional"},
                {"anonymous", "anonymous"}, {"file", "of files"},    {"huge", "huge pages"},
                {"swap", "swapped"},
        };
        const json_t *o = json_object_get(m->document, "outside");
        char minor[FMT_SIZE], major[FMT_SIZE];

        if (!json_is_object(o))
                return true;
        fputc('\n', m->v.f);
        say_known(m, "process", o, members, sizeof(members) / sizeof(members[0]));
        view_say(&m->v, "faults", "%s minor, %s major", view_count(minor, o, "minor_faults"),
                 view_count(major, o, "major_faults"));
        return true;
}
