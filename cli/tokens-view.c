/* SPDX-License-Identifier: MIT */
/*
 * Prompts and tokens, for people: a view of infprof.tokens/1.
 */
#include "cli/tokens-view-private.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/rows.h"
#include "cli/screen.h"
#include "cli/spark.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

#define SPARK_WIDTH 60

static void print_spread(const struct page *p, const char *label, const json_t *s, bool has_mean)
{
        char n[FMT_SIZE], mean[FMT_SIZE], min[FMT_SIZE], p50[FMT_SIZE], p95[FMT_SIZE],
                p99[FMT_SIZE], max[FMT_SIZE];

        if (!json_is_object(s))
                return;
        if (has_mean && !screen_shows(&p->v, SCREEN_ALL))
                view_say_briefly(&p->v, label, "mean %s, p50 %s, p95 %s, p99 %s, max %s",
                                 view_figure(mean, s, "mean_ns", fmt_ns),
                                 view_figure(p50, s, "p50_ns", fmt_ns),
                                 view_figure(p95, s, "p95_ns", fmt_ns),
                                 view_figure(p99, s, "p99_ns", fmt_ns),
                                 view_figure(max, s, "max_ns", fmt_ns));
        else if (has_mean)
                view_say(&p->v, label, "mean %s, min %s, p50 %s, p95 %s, p99 %s, max %s",
                         view_figure(mean, s, "mean_ns", fmt_ns),
                         view_figure(min, s, "min_ns", fmt_ns),
                         view_figure(p50, s, "p50_ns", fmt_ns),
                         view_figure(p95, s, "p95_ns", fmt_ns),
                         view_figure(p99, s, "p99_ns", fmt_ns),
                         view_figure(max, s, "max_ns", fmt_ns));
        else if (text_number(s, "count") > 1 || screen_shows(&p->v, SCREEN_ALL))
                view_say(&p->v, label, "min %s, p50 %s, p95 %s, max %s, of %s",
                         view_figure(min, s, "min_ns", fmt_ns),
                         view_figure(p50, s, "p50_ns", fmt_ns),
                         view_figure(p95, s, "p95_ns", fmt_ns),
                         view_figure(max, s, "max_ns", fmt_ns), view_count(n, s, "count"));
}

static void print_bound(const struct page *p, const json_t *phase)
{
        const json_t *bound = json_object_get(phase, "bound");
        const char *by = text_string(bound, "by", NULL);
        char share[FMT_SIZE], roof[FMT_SIZE];

        if (by)
                view_say(&p->v, "bound by", "%s, for %s of the time of ops, which reach %s of it",
                         by, view_share(share, bound, "share"),
                         view_share(roof, bound, "roof_share"));
}

static void print_prefill(const struct page *p)
{
        const json_t *o = json_object_get(p->document, "prefill");
        double calls = text_number(o, "calls"), tokens = text_number(o, "tokens");
        char n[FMT_SIZE], of[FMT_SIZE], time[FMT_SIZE];
        char rate[TEXT_CELL];

        if (!(calls > 0))
                view_say(&p->v, "prefill", "no prompt was taken in");
        else if (isnan(tokens))
                view_say(&p->v, "prefill",
                         "%s in %s call%s; how many tokens that were is not known",
                         view_figure(time, o, "time_ns", fmt_ns), view_count(of, o, "calls"),
                         calls > 1 ? "s" : "");
        else
                view_say(&p->v, "prefill", "%s token%s in %s, in %s call%s: %s tokens/s",
                         view_count(n, o, "tokens"), tokens == 1 ? "" : "s",
                         view_figure(time, o, "time_ns", fmt_ns), view_count(of, o, "calls"),
                         calls > 1 ? "s" : "", text_count(rate, text_number(o, "per_second")));
        print_spread(p, "first", json_object_get(o, "first_token"), false);
        print_bound(p, o);
}

static void print_decode(const struct page *p)
{
        const json_t *o = json_object_get(p->document, "decode"), *s = json_object_get(o, "token");
        double tokens = text_number(o, "tokens"), steps = text_number(s, "count");
        char n[FMT_SIZE], time[FMT_SIZE];
        char rate[TEXT_CELL];

        view_say(&p->v, "decode", "%s token%s in %s: %s tokens/s", view_count(n, o, "tokens"),
                 tokens == 1 ? "" : "s", view_figure(time, o, "time_ns", fmt_ns),
                 text_count(rate, text_number(o, "per_second")));
        print_spread(p, steps != tokens ? "a step" : "a token", s, true);
        print_bound(p, o);
}

static bool print_course(const struct page *p)
{
        const json_t *course = json_object_get(p->document, "course"), *piece;
        _cleanup_(json_decrefp) json_t *rates = json_array();
        _cleanup_(freep) char *line = NULL;
        double most = 0, least = INFINITY;
        char width[FMT_SIZE], low[TEXT_CELL], high[TEXT_CELL];
        size_t i;

        json_array_foreach(json_object_get(course, "pieces"), i, piece)
        {
                double v = text_number(piece, "per_second");

                if (isnan(v))
                        continue;
                json_array_append_new(rates, json_real(v));
                most = fmax(most, v);
                least = fmin(least, v);
        }
        if (json_array_size(rates) < 2)
                return true;
        line = spark_text(rates,
                          (unsigned)(json_array_size(rates) < SPARK_WIDTH ? json_array_size(rates)
                                                                          : SPARK_WIDTH));
        if (!line)
                return false;
        view_say(&p->v, "tokens/s", "%s", line);
        if (screen_shows(&p->v, 2))
                view_say(&p->v, "", "from %s to %s, in pieces of %s", text_count(low, least),
                         text_count(high, most), view_figure(width, course, "width_ns", fmt_ns));
        return true;
}

/* ---- shares of ops ---- */

static json_t *row_named(json_t *rows, const json_t *op)
{
        const char *name = text_string(op, "name", "?"), *kernel = text_string(op, "kernel", "");
        json_t *row;
        size_t i;

        json_array_foreach(rows, i, row)
        {
                if (!strcmp(text_string(row, "name", "?"), name) &&
                    !strcmp(text_string(row, "kernel", ""), kernel))
                        return row;
        }
        row = json_object();
        json_object_set_new(row, "name", json_string(name));
        json_object_set_new(row, "kernel", json_string(kernel));
        json_object_set(row, "kind", json_object_get(op, "kind"));
        json_array_append_new(rows, row);
        return row;
}

static void add_ops(json_t *rows, const json_t *phase, const char *prefix)
{
        const json_t *op;
        char member[32];
        size_t i;

        json_array_foreach(json_object_get(phase, "ops"), i, op)
        {
                json_t *row = row_named(rows, op);

                snprintf(member, sizeof(member), "%s_share", prefix);
                json_object_set(row, member, json_object_get(op, "share"));
                snprintf(member, sizeof(member), "%s_ns", prefix);
                json_object_set(row, member, json_object_get(op, "self_ns"));
        }
}

static bool print_ops(const struct page *p)
{
        static const struct rows_column columns[] = {
                {{"prefill", true, false, 0}, "prefill_ns", ROWS_TIME},
                {{"%", true, false, 0}, "prefill_share", ROWS_PERCENT},
                {{"decode", true, false, 0}, "decode_ns", ROWS_TIME},
                {{"%", true, false, 0}, "decode_share", ROWS_PERCENT},
                {{"kind", false, false, 1}, "kind", ROWS_TEXT},
                {{"op", false, true, 0}, "name", ROWS_TEXT},
        };
        _cleanup_(json_decrefp) json_t *rows = json_array();
        size_t n;

        add_ops(rows, json_object_get(p->document, "decode"), "decode");
        add_ops(rows, json_object_get(p->document, "prefill"), "prefill");
        n = json_array_size(rows);
        if (!n)
                return true;
        view_heading(&p->v, "where the time of each phase went: self time of ops, all threads");
        if (!ROWS_PRINT(&p->v, rows, view_shown(p->rows, n), columns))
                return false;
        screen_say_more(&p->v, p->rows, n, "op");
        return true;
}

bool tokens_print(const struct page *p)
{
        const json_t *prefill = json_object_get(p->document, "prefill"),
                     *decode = json_object_get(p->document, "decode");

        view_run(&p->v, json_object_get(p->document, "run"));
        if (!(text_number(prefill, "calls") > 0) && !(text_number(decode, "tokens") > 0)) {
                view_heading(&p->v, "this run has no tokens, as far as infprof knows the engine: "
                                    "OBJECT:SYMBOL=decode in INFPROF_KERNELS, or record -k, names "
                                    "the function that makes one");
        } else {
                print_prefill(p);
                print_decode(p);
                if (!screen_shows(&p->v, 1))
                        screen_leave(&p->v, 0, "course, growth");
                else if (!print_course(p) || !tokens_print_kv(p))
                        return false;
                if (!print_ops(p))
                        return false;
        }
        view_notes(&p->v, p->document);
        return true;
}
