/* SPDX-License-Identifier: MIT */
/* Threads and spawns of a report. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report-view-private.h"
#include "cli/screen.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

/* "ggml_threadpool_new+0x1a2", or only the offset where the function is not known. */
static char *site_text(const json_t *site)
{
        const char *function = text_string(site, "function", NULL),
                   *library = text_string(site, "library", NULL);
        const char *base = library && strrchr(library, '/') ? strrchr(library, '/') + 1 : library;
        char *s;

        if (!json_is_object(site))
                return strdup("-");
        if (asprintf(&s, "%s%s0x%llx%s%s%s", function ? function : "", function ? "+" : "",
                     (unsigned long long)json_integer_value(json_object_get(site, "offset")),
                     base ? " (" : "", base ? base : "", base ? ")" : "") < 0)
                return NULL;
        return s;
}

static const struct table_column thread_columns[] = {
        {"tid", true, false, 0},        {"share", true, false, 0},      {"in ops", true, false, 0},
        {"not in ops", true, false, 1}, {"lifetime", true, false, 0},   {"cpu", true, false, 2},
        {"spans", true, false, 0},      {"allocs", true, false, 5},     {"bytes", true, false, 4},
        {"thread", false, false, 0},    {"spawned at", false, true, 3},
};
#define N_THREAD_COLUMNS (sizeof(thread_columns) / sizeof(thread_columns[0]))

static void add_thread(struct table *t, const json_t *thread, const char *id)
{
        const char *name = text_string(thread, "name", "");
        char part[FMT_SIZE], in[FMT_SIZE], out[FMT_SIZE], life[FMT_SIZE], cpu[FMT_SIZE],
                spans[FMT_SIZE], allocs[FMT_SIZE], size[FMT_SIZE];
        _cleanup_(freep) char *site = site_text(json_object_get(thread, "site"));

        table_add(t, (const char *[N_THREAD_COLUMNS]){
                             id,
                             view_share(part, thread, "share"),
                             view_figure(in, thread, "in_ops_ns", fmt_ns),
                             view_figure(out, json_object_get(thread, "not_in_any_op"), "self_ns",
                                         fmt_ns),
                             view_figure(life, thread, "lifetime_ns", fmt_ns),
                             view_figure(cpu, thread, "cpu_ns", fmt_ns),
                             view_figure(spans, thread, "spans", fmt_count),
                             view_figure(allocs, thread, "alloc_calls", fmt_count),
                             view_bytes(size, thread, "alloc_bytes"),
                             name[0] ? name : "-",
                             site,
                     });
}

static int compare_busy(const void *a, const void *b)
{
        double x = text_number(*(json_t *const *)a, "in_ops_ns"),
               y = text_number(*(json_t *const *)b, "in_ops_ns");

        if (isnan(x) || isnan(y))
                return isnan(x) - isnan(y);
        return x > y ? -1 : x < y;
}

/* All these as one row. A figure that one of them lacks, the sum lacks. */
static json_t *sum_threads(json_t *const *threads, size_t n)
{
        static const char *const members[] = {"in_ops_ns",   "lifetime_ns", "cpu_ns", "spans",
                                              "alloc_calls", "alloc_bytes", "share"};
        json_t *sum = json_object(), *rest = json_object();
        double outside = 0;

        for (size_t m = 0; m < sizeof(members) / sizeof(members[0]); m++) {
                double v = 0;

                for (size_t i = 0; i < n; i++)
                        v += text_number(threads[i], members[m]);
                if (!isnan(v))
                        json_object_set_new(sum, members[m],
                                            strcmp(members[m], "share")
                                                    ? json_integer((json_int_t)v)
                                                    : json_real(v));
        }
        for (size_t i = 0; i < n; i++)
                outside += text_number(json_object_get(threads[i], "not_in_any_op"), "self_ns");
        if (!isnan(outside))
                json_object_set_new(rest, "self_ns", json_integer((json_int_t)outside));
        json_object_set_new(sum, "not_in_any_op", rest);
        return sum;
}

/* The busiest, and what the others did in one row: an engine may make a thread for every token. */
bool report_print_threads(const struct view *h, const json_t *report, size_t rows)
{
        json_t *array = json_object_get(report, "threads");
        size_t n = json_array_size(array), n_shown = view_shown(rows, n);
        _cleanup_(freep) json_t **threads = calloc(n + 1, sizeof(*threads));
        struct table *t = table_new(thread_columns, N_THREAD_COLUMNS);
        char id[32];
        bool ok;

        if (!t || !threads || !n) {
                ok = t && threads;
                table_free(t);
                return ok;
        }
        for (size_t i = 0; i < n; i++)
                threads[i] = json_array_get(array, i);
        if (n_shown < n)
                qsort(threads, n, sizeof(*threads), compare_busy);
        for (size_t i = 0; i < n_shown; i++) {
                snprintf(id, sizeof(id), "%.0f", text_number(threads[i], "tid"));
                add_thread(t, threads[i], id);
        }
        if (n_shown < n) {
                _cleanup_(json_decrefp) json_t *sum = sum_threads(threads + n_shown, n - n_shown);
                char count[FMT_SIZE], name[64];

                snprintf(name, sizeof(name), "(%s more)", fmt_count(count, n - n_shown));
                json_object_set_new(sum, "name", json_string(name));
                add_thread(t, sum, "");
        }
        if (n_shown < n)
                screen_leave(h, n - n_shown, "thread");
        fputc('\n', h->f);
        ok = screen_table(h, t);
        table_free(t);
        return ok;
}

bool report_print_spawns(const struct view *h, const json_t *s, size_t rows)
{
        static const struct table_column columns[] = {{"count", true, false, 0},
                                                      {"asked for at", false, true, 0}};
        char total[FMT_SIZE], live[FMT_SIZE], peak[FMT_SIZE], unsited[FMT_SIZE], rate[TEXT_CELL];
        const json_t *sites = json_object_get(s, "sites");
        size_t n = json_array_size(sites), shown = view_shown(rows, n);
        struct table *t;
        bool ok;

        fputc('\n', h->f);
        view_say(h, "spawns", "%s, %s live, at most %s thread%s at a time, %s a second",
                 view_figure(total, s, "total", fmt_count), view_figure(live, s, "live", fmt_count),
                 view_figure(peak, s, "peak_live", fmt_count),
                 text_number(s, "peak_live") == 1 ? "" : "s",
                 text_count(rate, text_number(s, "per_second")));
        if (!n)
                return true;
        t = table_new(columns, 2);
        if (!t)
                return false;
        for (size_t i = 0; i < shown; i++) {
                const json_t *site = json_array_get(sites, i);
                char count[FMT_SIZE];
                _cleanup_(freep) char *where = site_text(site);

                table_add(t, (const char *[]){view_figure(count, site, "count", fmt_count), where});
        }
        if (text_number(s, "unsited") > 0)
                table_add(t, (const char *[]){view_figure(unsited, s, "unsited", fmt_count),
                                              "(not known)"});
        ok = screen_table(h, t);
        table_free(t);
        screen_say_more(h, rows, n, "place of spawns");
        return ok;
}
