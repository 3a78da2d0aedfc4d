/* SPDX-License-Identifier: MIT */
/*
 * Who creates threads, processes and parallel regions, for people: a view of infprof.spawns/1. A
 * table of all places, then each with its stack.
 */
#include "cli/run-verb.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/flame-name.h"
#include "cli/rows.h"
#include "cli/stack-view.h"
#include "cli/table.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

#define INDENT "      "

/* What is counted there: "thread" or "threads". */
static const char *noun(const char *kind, bool one)
{
        static const struct {
                const char *kind, *one, *many;
        } nouns[] = {
                {"thread", "thread", "threads"}, {"fork", "fork", "forks"},
                {"vfork", "vfork", "vforks"},    {"posix-spawn", "posix_spawn", "posix_spawns"},
                {"clone", "clone", "clones"},    {"openmp", "parallel region", "parallel regions"}};

        for (size_t i = 0; i < sizeof(nouns) / sizeof(nouns[0]); i++)
                if (!strcmp(nouns[i].kind, kind))
                        return one ? nouns[i].one : nouns[i].many;
        return one ? "spawn" : "spawns";
}

/* The place in one line; to be freed. */
static char *place_of(const json_t *site)
{
        return json_array_size(json_object_get(site, "frames")) ? stack_site(site)
                                                                : flame_name(site);
}

static bool print_table(const struct page *p, const json_t *sites)
{
        static const struct rows_column columns[] = {
                {{"count", true, false, 0}, "count", ROWS_COUNT},
                {{"/token", true, false, 0}, "per_token", ROWS_NUMBER, NULL, true},
                {{"/s", true, false, 6}, "rate_per_second", ROWS_NUMBER},
                {{"live", true, false, 4}, "live", ROWS_COUNT},
                {{"peak", true, false, 3}, "peak", ROWS_COUNT},
                {{"lived", true, false, 0}, "lifetime.p50_ns", ROWS_TIME},
                {{"lived p95", true, false, 7}, "lifetime.p95_ns", ROWS_TIME},
                {{"on CPU", true, false, 5}, "cpu.mean_ns", ROWS_TIME},
                {{"cost", true, false, 2}, "cost.mean_ns", ROWS_TIME},
                {{"of a token", true, false, 8}, "share_of_token", ROWS_SHARE, NULL, true},
                {{"kind", false, false, 0}, "kind", ROWS_TEXT, "-"},
                {{"class", false, false, 1}, "class", ROWS_TEXT, "-"},
                {{"where", false, true, 0}, "place", ROWS_TEXT},
        };
        size_t n = json_array_size(sites), shown = view_shown(p->rows, n);
        _cleanup_(json_decrefp) json_t *rows = json_array();

        for (size_t i = 0; i < shown; i++) {
                json_t *row = json_copy(json_array_get(sites, i));
                _cleanup_(freep) char *place = place_of(row);

                json_object_set_new(row, "place", json_string(place ? place : "?"));
                json_array_append_new(rows, row);
        }
        view_heading(&p->v, "what was created, by place");
        if (!ROWS_PRINT(&p->v, rows, shown, columns))
                return false;
        view_say_more(&p->v, p->rows, n);
        return true;
}

/* "9,184 threads, 1.00 a token, 7.55/s, short-lived", and where. */
static void print_count(const struct page *p, size_t place, const json_t *site)
{
        const char *kind = text_string(site, "kind", ""), *class = text_string(site, "class", NULL);
        const char *op = text_string(site, "op", NULL), *phase = view_phase(site);
        double per_token = text_number(site, "per_token"),
               rate = text_number(site, "rate_per_second");
        double team = text_number(site, "team");
        char n[FMT_SIZE], a[TEXT_CELL], b[TEXT_CELL], label[32], token[48] = "", second[48] = "",
                                                                 of[48] = "";
        _cleanup_(freep) char *line = NULL;

        if (!isnan(per_token))
                snprintf(token, sizeof(token), ", %s a token", text_count(a, per_token));
        if (!isnan(rate))
                snprintf(second, sizeof(second), ", %s/s", text_count(b, rate));
        if (!isnan(team))
                snprintf(of, sizeof(of), " of %.1f threads on average", team);
        if (asprintf(&line, "%s %s%s%s%s%s%s; %s%s%s%s", view_count(n, site, "count"),
                     noun(kind, text_number(site, "count") == 1), of, token, second,
                     class ? "; " : "", class ? class : "", phase ? phase : "", phase ? ", " : "",
                     op ? "in op " : "in no op", op ? op : "") < 0)
                return;
        snprintf(label, sizeof(label), "%3zu.  ", place);
        table_wrap(p->v.f, label, line, p->v.width);
}

/* A line below the first. */
__attribute__((format(printf, 2, 3))) static void say(const struct page *p, const char *format, ...)
{
        _cleanup_(freep) char *line = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&line, format, ap) < 0)
                line = NULL;
        va_end(ap);
        if (line)
                table_wrap(p->v.f, INDENT, line, p->v.width);
}

static void print_costs(const struct page *p, const json_t *site)
{
        const json_t *life = json_object_get(site, "lifetime"),
                     *cost = json_object_get(site, "cost");
        const json_t *cpu = json_object_get(site, "cpu");
        bool live = view_is_live(p->document);
        char a[FMT_SIZE], b[FMT_SIZE], c[FMT_SIZE], d[FMT_SIZE], e[FMT_SIZE], token[64] = "",
                                                                              ran[64] = "";

        if (!isnan(text_number(site, "share_of_token")))
                snprintf(token, sizeof(token), ", %s of a token's time",
                         view_share(d, site, "share_of_token"));
        if (text_number(cost, "count") > 0)
                say(p, "creating one took p50 %s, p99 %s; all of them %s%s",
                    view_figure(a, cost, "p50_ns", fmt_ns), view_figure(b, cost, "p99_ns", fmt_ns),
                    view_figure(c, cost, "total_ns", fmt_ns), token);
        if (!isnan(text_number(cpu, "mean_ns")))
                snprintf(ran, sizeof(ran), ", of which %s on a CPU on average",
                         fmt_ns(d, (uint64_t)llround(text_number(cpu, "mean_ns"))));
        if (text_number(life, "count") > 0)
                say(p, "lived p50 %s, p95 %s, max %s%s", view_figure(a, life, "p50_ns", fmt_ns),
                    view_figure(b, life, "p95_ns", fmt_ns), view_figure(c, life, "max_ns", fmt_ns),
                    ran);
        if (!isnan(text_number(site, "live")) || !isnan(text_number(site, "peak")))
                say(p, "%s %s, at most %s at a time", view_count(d, site, "live"),
                    live ? "live now" : "lived at the end", view_count(e, site, "peak"));
}

static bool print_site(const struct page *p, size_t place, const json_t *site)
{
        fputc('\n', p->v.f);
        print_count(p, place, site);
        print_costs(p, site);
        if (!json_array_size(json_object_get(site, "frames"))) {
                _cleanup_(freep) char *name = place_of(site);

                table_wrap(p->v.f, INDENT, name ? name : "?", p->v.width);
                return true;
        }
        return stack_print(&p->v, site, INDENT, p->full);
}

bool spawns_print(const struct page *p)
{
        const json_t *sites = json_object_get(p->document, "sites");
        size_t n = json_array_size(sites), shown = view_shown(p->rows, n);

        view_run(&p->v, json_object_get(p->document, "run"));
        if (!n)
                view_heading(&p->v,
                             "nothing was created: no thread, no process, no parallel region");
        else if (!print_table(p, sites))
                return false;
        for (size_t i = 0; i < shown; i++)
                if (!print_site(p, i + 1, json_array_get(sites, i)))
                        return false;
        view_notes(&p->v, p->document);
        return true;
}
