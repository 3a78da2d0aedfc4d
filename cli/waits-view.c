/* SPDX-License-Identifier: MIT */
/*
 * What threads waited for, for people: a view of infprof.waits/1. Who hangs at this moment comes
 * first, then sums by kind, barriers, objects with those that were waited for, and places in the
 * code.
 */
#include "cli/waits-view-private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/rows.h"
#include "cli/stack-view.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

#define INDENT "      "

const char *waits_thread(char *buf, size_t size, const json_t *thread)
{
        double tid = text_number(thread, "tid"), several = text_number(thread, "threads");
        const char *name = text_string(thread, "name", NULL);

        if (several > 1)
                snprintf(buf, size, "%s (%.0f threads)", name ? name : "", several);
        else if (isnan(tid))
                snprintf(buf, size, "%s", name ? name : "(a thread that is not kept)");
        else
                snprintf(buf, size, "%s%s%.0f%s", name ? name : "thread ", name ? " (" : "", tid,
                         name ? ")" : "");
        return buf;
}

static const json_t *site_at(const struct page *p, const json_t *index)
{
        return json_is_integer(index) ? json_array_get(json_object_get(p->document, "sites"),
                                                       (size_t)json_integer_value(index))
                                      : NULL;
}

/* "queue::pop < main", or "-"; to be freed. */
static char *place_of(const struct page *p, const json_t *index)
{
        const json_t *site = site_at(p, index);

        return site ? stack_site(site) : strdup("-");
}

/* ---- waits in progress ---- */

/* Where each of them is, with all frames. */
static bool print_waiting_stacks(const struct page *p, const json_t *waiting)
{
        const json_t *wait, *site;
        char who[96], took[FMT_SIZE];
        size_t i;

        json_array_foreach(waiting, i, wait)
        {
                site = site_at(p, json_object_get(wait, "site"));
                if (!site)
                        continue;
                view_heading(&p->v, "%s, in a %s for %s", waits_thread(who, sizeof(who), wait),
                             text_string(wait, "kind", "?"),
                             view_figure(took, wait, "for_ns", fmt_ns));
                if (!stack_print(&p->v, site, INDENT, true))
                        return false;
        }
        return true;
}

static bool print_waiting(const struct page *p)
{
        static const struct rows_column columns[] = {
                {{"for", true, false, 0}, "for_ns", ROWS_TIME},
                {{"kind", false, false, 0}, "kind", ROWS_TEXT},
                {{"object", false, false, 2}, "object_text", ROWS_TEXT, "-"},
                {{"held by", false, false, 3}, "by_text", ROWS_TEXT, "-", true},
                {{"tid", true, false, 0}, "tid", ROWS_ID},
                {{"thread", false, false, 1}, "name", ROWS_TEXT, "-"},
                {{"at", false, true, 0}, "place", ROWS_TEXT},
        };
        _cleanup_(json_decrefp) json_t *waiting =
                rows_sorted(json_object_get(p->document, "waiting"), "for_ns");
        size_t n = json_array_size(waiting), shown = view_shown(p->rows, n);
        bool live = view_is_live(p->document);
        _cleanup_(json_decrefp) json_t *rows = json_array();

        if (!n)
                return true;
        for (size_t i = 0; i < shown; i++) {
                json_t *row = json_copy(json_array_get(waiting, i));
                const json_t *by = json_object_get(row, "by");
                _cleanup_(freep) char *place = place_of(p, json_object_get(row, "site"));
                _cleanup_(freep) char *object = waits_object(row);
                char who[96];

                json_object_set_new(row, "place", json_string(place ? place : "-"));
                json_object_set_new(row, "object_text", json_string(object ? object : "?"));
                if (json_is_object(by))
                        json_object_set_new(row, "by_text",
                                            json_string(waits_thread(who, sizeof(who), by)));
                json_array_append_new(rows, row);
        }
        view_heading(&p->v, live ? "waiting at this moment" : "waiting when the run ended");
        if (!ROWS_PRINT(&p->v, rows, shown, columns))
                return false;
        view_say_more(&p->v, p->rows, n);
        return !p->full || print_waiting_stacks(p, rows);
}

/* ---- sums by kind ---- */

static bool print_kinds(const struct page *p)
{
        static const struct rows_column columns[] = {
                {{"total", true, false, 0}, "total_ns", ROWS_TIME},
                {{"share", true, false, 0}, "share", ROWS_SHARE},
                {{"waits", true, false, 0}, "count", ROWS_COUNT},
                {{"mean", true, false, 0}, "mean_ns", ROWS_TIME},
                {{"in progress", true, false, 0}, "now.waits", ROWS_COUNT, NULL, true},
                {{"so far", true, false, 0}, "now.total_ns", ROWS_TIME, NULL, true},
                {{"spinning", true, false, 0}, "spins_ns", ROWS_TIME, NULL, true},
                {{"kind", false, true, 0}, "kind", ROWS_TEXT},
        };
        const json_t *kinds = json_object_get(p->document, "kinds");
        double now = rows_sum(kinds, "now.total_ns");
        double all = rows_sum(kinds, "total_ns") + (now > 0 ? now : 0);
        const json_t *kind;
        _cleanup_(json_decrefp) json_t *all_rows = json_array(), *rows = NULL;
        size_t i;

        json_array_foreach(kinds, i, kind)
        {
                double n = text_number(kind, "count"), ns = text_number(kind, "total_ns");
                double goes_on = rows_number(kind, "now.total_ns");
                json_t *row = json_copy((json_t *)kind);

                if (n > 0)
                        json_object_set_new(row, "mean_ns", json_real(ns / n));
                if (all > 0)
                        json_object_set_new(row, "share",
                                            json_real((ns + (goes_on > 0 ? goes_on : 0)) / all));
                json_array_append_new(all_rows, row);
        }
        rows = rows_sorted(all_rows, "share");
        if (!rows)
                return false;
        if (!json_array_size(rows)) {
                view_heading(&p->v, "no thread waited in a way that infprof sees");
                return true;
        }
        view_heading(&p->v, "by kind, all threads together");
        return ROWS_PRINT(&p->v, rows, json_array_size(rows), columns);
}

/* ---- places ---- */

static bool print_site(const struct page *p, size_t place, const json_t *site, double all)
{
        const char *op = text_string(site, "op", NULL), *phase = view_phase(site);
        double threads = text_number(site, "threads"), ns = text_number(site, "total_ns");
        double objects = text_number(site, "objects");
        _cleanup_(freep) char *head = NULL, *line = NULL;
        char a[FMT_SIZE], b[FMT_SIZE], c[FMT_SIZE], d[FMT_SIZE], e[FMT_SIZE], f[FMT_SIZE],
                on[64] = "", of[64] = "", label[32];

        if (objects > 1)
                snprintf(on, sizeof(on), ", %.0f objects", objects);
        if (!isnan(threads))
                snprintf(of, sizeof(of), " of %s thread%s", view_count(d, site, "threads"),
                         threads == 1 ? "" : "s");
        if (asprintf(&head, "%s  %s  %s  %s%s%s%s", view_figure(a, site, "total_ns", fmt_ns),
                     all > 0 ? fmt_share(b, ns / all) : "-", text_string(site, "kind", "?"),
                     phase ? phase : "", phase ? ", " : "", op ? "in op " : "in no op",
                     op ? op : "") < 0 ||
            asprintf(&line, "%s wait%s%s%s: p50 %s, p95 %s, p99 %s, max %s",
                     view_count(c, site, "count"), text_number(site, "count") == 1 ? "" : "s", of,
                     on, view_figure(a, site, "p50_ns", fmt_ns),
                     view_figure(d, site, "p95_ns", fmt_ns), view_figure(e, site, "p99_ns", fmt_ns),
                     view_figure(f, site, "max_ns", fmt_ns)) < 0)
                return false;
        snprintf(label, sizeof(label), "%3zu.  ", place);
        fputc('\n', p->v.f);
        table_wrap(p->v.f, label, head, p->v.width);
        table_wrap(p->v.f, INDENT, line, p->v.width);
        return stack_print(&p->v, site, INDENT, p->full);
}

/* Places where somebody waited; at others threads came last to barriers, and no more. */
static bool print_sites(const struct page *p)
{
        const json_t *sites = json_object_get(p->document, "sites"), *site;
        _cleanup_(json_decrefp) json_t *list = json_array();
        double all = rows_sum(sites, "total_ns");
        size_t n, shown, i;

        json_array_foreach(sites, i, site)
        {
                if (text_number(site, "count") != 0)
                        json_array_append(list, (json_t *)site);
        }
        n = json_array_size(list);
        shown = view_shown(p->rows, n);
        if (!n)
                return true;
        view_heading(&p->v, "where they waited: %zu of %zu place%s", shown, n, n == 1 ? "" : "s");
        for (i = 0; i < shown; i++)
                if (!print_site(p, i + 1, json_array_get(list, i), all))
                        return false;
        return true;
}

bool waits_print(const struct page *p)
{
        view_run(&p->v, json_object_get(p->document, "run"));
        waits_print_price(p);
        if (!print_waiting(p) || !print_kinds(p) || !waits_print_barriers(p) ||
            !waits_print_objects(p) || !waits_print_whom(p) || !print_sites(p))
                return false;
        view_notes(&p->v, p->document);
        return true;
}
