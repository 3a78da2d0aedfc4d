/* SPDX-License-Identifier: MIT */
/* What the engine told of itself: memory around its markers, its counters, requests and tiles. */
#include <math.h>
#include <string.h>

#include "cli/report-view-private.h"
#include "cli/screen.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/fmt.h"

static const char *share(char *buf, const json_t *o, const char *member)
{
        return view_share(buf, o, member);
}

/* "+1.2 MiB", for what may shrink. */
static const char *change(char *buf, const json_t *o, const char *member)
{
        double v = text_number(o, member);

        if (isnan(v))
                return "-";
        buf[0] = v < 0 ? '-' : '+';
        fmt_bytes(buf + 1, (uint64_t)fabs(v));
        return v ? buf : "0";
}

void report_print_requests(const struct view *v, const json_t *r)
{
        char total[FMT_SIZE], failed[FMT_SIZE], ok[FMT_SIZE];

        if (!json_is_object(r))
                return;
        view_say(v, "requests", "%s, %s failed, %s succeeded; %.2f/s",
                 view_figure(total, r, "total", fmt_count),
                 view_figure(failed, r, "failed", fmt_count), share(ok, r, "success_rate"),
                 text_number(r, "per_second"));
}

static bool print_markers(const struct view *v, const json_t *markers, size_t rows)
{
        static const struct table_column columns[] = {
                {"calls", true, false, 0},   {"live at begin", true, false, 0},
                {"at end", true, false, 0},  {"change", true, false, 0},
                {"least", true, false, 2},   {"most", true, false, 1},
                {"highest", true, false, 0}, {"marker", false, true, 0},
        };
        size_t n = json_array_size(markers), shown = view_shown(rows, n);
        char c[7][FMT_SIZE + 1];
        struct table *t;
        bool ok;

        if (!n)
                return true;
        t = table_new(columns, sizeof(columns) / sizeof(columns[0]));
        if (!t)
                return false;
        for (size_t i = 0; i < shown; i++) {
                const json_t *m = json_array_get(markers, i);

                table_add(t, (const char *[]){view_figure(c[0], m, "calls", fmt_count),
                                              view_bytes(c[1], m, "begin_bytes"),
                                              view_bytes(c[2], m, "end_bytes"),
                                              change(c[3], m, "change_bytes"),
                                              change(c[4], m, "least_change_bytes"),
                                              change(c[5], m, "most_change_bytes"),
                                              view_bytes(c[6], m, "highest_bytes"),
                                              text_string(m, "name", "?")});
        }
        view_heading(v, "the process's memory around markers, means");
        ok = screen_table(v, t);
        table_free(t);
        screen_say_more(v, rows, n, "marker");
        return ok;
}

static bool print_counters(const struct view *v, const json_t *counters, size_t rows)
{
        static const struct table_column columns[] = {{"total", true, false, 0},
                                                      {"per second", true, false, 0},
                                                      {"calls", true, false, 1},
                                                      {"counter", false, true, 0}};
        size_t n = json_array_size(counters), shown = view_shown(rows, n);
        char total[FMT_SIZE], calls[FMT_SIZE], rate[FMT_SIZE];
        struct table *t;
        bool ok;

        if (!n)
                return true;
        t = table_new(columns, sizeof(columns) / sizeof(columns[0]));
        if (!t)
                return false;
        for (size_t i = 0; i < shown; i++) {
                const json_t *o = json_array_get(counters, i);

                if (isnan(text_number(o, "per_second")))
                        strcpy(rate, "-");
                else
                        text_count(rate, text_number(o, "per_second"));
                table_add(t, (const char *[]){view_figure(total, o, "total", fmt_count), rate,
                                              view_figure(calls, o, "calls", fmt_count),
                                              text_string(o, "name", "?")});
        }
        view_heading(v, "counted by the engine");
        ok = screen_table(v, t);
        table_free(t);
        screen_say_more(v, rows, n, "counter");
        return ok;
}

bool report_print_told(const struct view *v, const json_t *report, size_t rows)
{
        return print_markers(v, json_object_get(report, "markers"), rows) &&
               print_counters(v, json_object_get(report, "counters"), rows);
}

static const char *rate(char *buf, const json_t *o, const char *member)
{
        double v = text_number(o, member);

        if (isnan(v))
                return "-";
        text_count(buf, v);
        return buf;
}

static const char *fits(const json_t *o)
{
        const json_t *v = json_object_get(o, "fits");

        return json_is_null(v) ? "-" : json_is_true(v) ? "yes" : "no";
}

bool report_print_tiles(const struct view *v, const json_t *report)
{
        static const struct table_column columns[] = {
                {"level", false, false, 0},  {"tiles", true, false, 0},
                {"mean", true, false, 0},    {"slowest", true, false, 2},
                {"at", false, false, 3},     {"GFLOP/s", true, false, 0},
                {"GB/s", true, false, 4},    {"flop/byte", true, false, 0},
                {"cache", false, false, 0},  {"fits", false, false, 1},
                {"of roof", true, false, 0},
        };
        const json_t *tiles = json_object_get(report, "tiles"), *o;
        char c[8][FMT_SIZE], at[32];
        struct table *t;
        size_t i;
        bool ok;

        if (!json_array_size(tiles)) {
                view_line(v, "(the engine marks no tiles: infprof_tile_begin() of infprof.h(3))");
                return true;
        }
        t = table_new(columns, sizeof(columns) / sizeof(columns[0]));
        if (!t)
                return false;
        json_array_foreach(tiles, i, o)
        {
                const json_t *slowest = json_object_get(o, "slowest");

                snprintf(at, sizeof(at), "%.0f,%.0f", text_number(slowest, "row"),
                         text_number(slowest, "col"));
                table_add(t,
                          (const char *[]){text_string(o, "level", "?"),
                                           view_figure(c[0], o, "tiles", fmt_count),
                                           view_figure(c[1], o, "mean_ns", fmt_ns),
                                           view_figure(c[2], slowest, "duration_ns", fmt_ns), at,
                                           rate(c[3], o, "gflops"), rate(c[4], o, "gbps"),
                                           rate(c[5], o, "intensity"), text_string(o, "cache", "?"),
                                           fits(o), share(c[6], o, "cache_efficiency")});
        }
        view_heading(v, "tiles, by level");
        ok = screen_table(v, t);
        table_free(t);
        view_line(v, "Elements are taken to have 4 bytes. Of roof: GFLOP/s by what a tile of that "
                     "intensity can reach on one thread with the bandwidth of its cache.");
        return ok;
}
