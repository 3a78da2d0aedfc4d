/* SPDX-License-Identifier: MIT */
/*
 * How a token's time grows with its KV cache: as measured, the line through that for the token and
 * for each op, and what the line foretells.
 */
#include "cli/tokens-view-private.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/rows.h"
#include "cli/screen.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

#define PER 1000 /* positions, that a slope is shown for */

/* A figure that may be less than nothing; in buf[FMT_SIZE + 1]. */
static const char *signed_ns(char *buf, double ns)
{
        if (isnan(ns) || fabs(ns) > 9e18)
                return strcpy(buf, "-");
        buf[0] = '-';
        fmt_ns(buf + 1, (uint64_t)llround(fabs(ns)));
        return ns < 0 && llround(ns) ? buf : buf + 1;
}

static void set_ns(json_t *row, const char *member, double ns)
{
        char buf[FMT_SIZE + 1];

        json_object_set_new(row, member, json_string(signed_ns(buf, ns)));
}

/* ---- as measured ---- */

/* Of the bins of an octave: one row. */
static json_t *octave_row(const json_t *bins, size_t from, size_t to)
{
        double tokens = 0, ns = 0;
        json_t *row = json_object();
        char text[64], a[FMT_SIZE], b[FMT_SIZE];

        for (size_t i = from; i < to; i++) {
                const json_t *bin = json_array_get(bins, i);
                double n = text_number(bin, "tokens");

                tokens += n;
                ns += n * text_number(bin, "mean_ns");
        }
        snprintf(text, sizeof(text), "%s to %s", view_count(a, json_array_get(bins, from), "from"),
                 view_count(b, json_array_get(bins, to - 1), "to"));
        json_object_set_new(row, "length", json_string(text));
        json_object_set_new(row, "tokens", json_real(tokens));
        json_object_set_new(row, "mean_ns", json_real(ns / tokens));
        json_object_set_new(row, "per_second", json_real(tokens * 1e9 / ns));
        return row;
}

static bool print_bins(const struct page *p, const json_t *kv)
{
        static const struct rows_column columns[] = {
                {{"KV length", true, false, 0}, "length", ROWS_TEXT},
                {{"tokens", true, false, 0}, "tokens", ROWS_COUNT},
                {{"a token", true, false, 0}, "mean_ns", ROWS_TIME},
                {{"tokens/s", true, false, 0}, "per_second", ROWS_NUMBER},
        };
        const json_t *bins = json_object_get(kv, "bins");
        _cleanup_(json_decrefp) json_t *rows = json_array();
        size_t n = json_array_size(bins), next;

        for (size_t i = 0; i < n; i = next) {
                double limit = 128;

                while (limit <= text_number(json_array_get(bins, i), "from"))
                        limit *= 2;
                for (next = i; next < n && text_number(json_array_get(bins, next), "from") < limit;)
                        next++;
                json_array_append_new(rows, octave_row(bins, i, next));
        }
        view_heading(&p->v, "a token by the length of its KV cache%s",
                     strcmp(text_string(kv, "counts", ""), "generated")
                             ? ""
                             : ", which is counted from the prompt's end");
        return ROWS_PRINT(&p->v, rows, json_array_size(rows), columns);
}

/* ---- the lines ---- */

/* What is seen of the slope. */
static const char *seen(const json_t *fit)
{
        static const struct {
                const char *why, *text;
        } whys[] = {{"few-lengths", "few lengths"},
                    {"not-timed", "not timed"},
                    {"out-of-bounds", "out of bounds"}};
        const char *why = text_string(fit, "why", NULL), *bends = text_string(fit, "bends", "");

        for (size_t i = 0; why && i < sizeof(whys) / sizeof(whys[0]); i++)
                if (!strcmp(whys[i].why, why))
                        return whys[i].text;
        if (!json_is_true(json_object_get(fit, "depends")))
                return "none seen";
        if (text_number(fit, "b_ns") < 0)
                return "falls";
        return !strcmp(bends, "up")     ? "grows faster"
               : !strcmp(bends, "down") ? "grows slower"
                                        : "grows";
}

static json_t *line_row(const json_t *fit, const char *name)
{
        json_t *row = json_object();
        const json_t *forecast;
        char member[32];
        size_t i;

        json_object_set_new(row, "name", json_string(name));
        json_object_set(row, "mean_ns", json_object_get(fit, "mean_ns"));
        set_ns(row, "a", text_number(fit, "a_ns"));
        set_ns(row, "a_error", text_number(fit, "a_error_ns"));
        set_ns(row, "b", PER * text_number(fit, "b_ns"));
        set_ns(row, "b_error", PER * text_number(fit, "b_error_ns"));
        json_object_set(row, "r2", json_object_get(fit, "r2"));
        json_object_set_new(row, "seen", json_string(seen(fit)));
        json_array_foreach(json_object_get(fit, "forecasts"), i, forecast)
        {
                snprintf(member, sizeof(member), "at%zu", i);
                json_object_set(row, member, json_object_get(forecast, "ns"));
        }
        return row;
}

static bool print_lines(const struct page *p, const json_t *kv)
{
        static const struct rows_column columns[] = {
                {{"a", true, false, 0}, "a", ROWS_TEXT},
                {{"a error", true, false, 7}, "a_error", ROWS_TEXT},
                {{"b x 1,000", true, false, 0}, "b", ROWS_TEXT},
                {{"b error", true, false, 4}, "b_error", ROWS_TEXT},
                {{"R2", true, false, 6}, "r2", ROWS_NUMBER},
                {{"at 8k", true, false, 0}, "at0", ROWS_TIME},
                {{"at 32k", true, false, 5}, "at1", ROWS_TIME},
                {{"at 128k", true, false, 0}, "at2", ROWS_TIME},
                {{"mean", true, false, 9}, "mean_ns", ROWS_TIME},
                {{"growth", false, false, 0}, "seen", ROWS_TEXT},
                {{"op", false, true, 0}, "name", ROWS_TEXT},
        };
        const json_t *ops = json_object_get(kv, "ops");
        _cleanup_(json_decrefp) json_t *rows = json_array();
        size_t n = json_array_size(ops), shown = view_shown(p->rows, n);

        json_array_append_new(rows, line_row(json_object_get(kv, "token"), "(a token)"));
        for (size_t i = 0; i < shown; i++) {
                const json_t *op = json_array_get(ops, i);

                json_array_append_new(rows, line_row(op, text_string(op, "name", "?")));
        }
        view_heading(&p->v,
                     "time = a + b x KV length: of a token, and of ops in it (self time, all "
                     "threads)");
        if (!ROWS_PRINT(&p->v, rows, json_array_size(rows), columns))
                return false;
        screen_say_more(&p->v, p->rows, n, "op");
        return true;
}

/* ---- what they foretell ---- */

static const char *refused(const json_t *forecast)
{
        const char *why = text_string(forecast, "why", "");

        if (!strcmp(why, "too-far"))
                return "too far beyond the lengths that were seen";
        if (!strcmp(why, "too-vague"))
                return "the interval is wider than the figure";
        if (!strcmp(why, "few-lengths"))
                return "fewer than 3 lengths were seen";
        return "not known";
}

static void print_forecasts(const struct page *p, const json_t *kv)
{
        const json_t *forecast;
        size_t i;

        json_array_foreach(rows_member(kv, "token.forecasts"), i, forecast)
        {
                double ns = text_number(forecast, "ns");
                char label[32], length[FMT_SIZE], time[FMT_SIZE], low[FMT_SIZE], high[FMT_SIZE];
                char rate[TEXT_CELL], range[2 * FMT_SIZE + 16];

                snprintf(label, sizeof(label), "at %s", view_count(length, forecast, "length"));
                if (isnan(ns)) {
                        view_say(&p->v, label, "-: %s", refused(forecast));
                        continue;
                }
                view_figure(low, forecast, "low_ns", fmt_ns);
                view_figure(high, forecast, "high_ns", fmt_ns);
                if (!strcmp(high, "-"))
                        snprintf(range, sizeof(range), "at least %s", low);
                else if (!strcmp(low, "-"))
                        snprintf(range, sizeof(range), "at most %s", high);
                else
                        snprintf(range, sizeof(range), "%s to %s", low, high);
                view_say(&p->v, label, "%s a token (%s): %s tokens/s",
                         view_figure(time, forecast, "ns", fmt_ns), range,
                         text_count(rate, 1e9 / ns));
        }
}

/* All of it in two lines. */
static void print_briefly(const struct page *p, const json_t *kv)
{
        const json_t *fit = json_object_get(kv, "token"), *bins = json_object_get(kv, "bins");
        const json_t *forecast;
        char from[FMT_SIZE], to[FMT_SIZE], a[FMT_SIZE + 1], b[FMT_SIZE + 1], length[FMT_SIZE];
        char text[256] = "", time[FMT_SIZE], error[FMT_SIZE + 1], low[FMT_SIZE], high[FMT_SIZE];
        size_t used = 0, i;

        view_say_briefly(&p->v, "KV cache",
                         "%s to %s: %s + %s (+- %s) x length/1,000 a token; growth: %s",
                         view_count(from, json_array_get(bins, 0), "from"),
                         view_count(to, json_array_get(bins, json_array_size(bins) - 1), "to"),
                         signed_ns(a, text_number(fit, "a_ns")),
                         signed_ns(b, PER * text_number(fit, "b_ns")),
                         signed_ns(error, PER * text_number(fit, "b_error_ns")), seen(fit));
        json_array_foreach(json_object_get(fit, "forecasts"), i, forecast)
        {
                int n = snprintf(text + used, sizeof(text) - used, "%s%s (%s to %s) at %s",
                                 used ? ", " : "", view_figure(time, forecast, "ns", fmt_ns),
                                 view_figure(low, forecast, "low_ns", fmt_ns),
                                 view_figure(high, forecast, "high_ns", fmt_ns),
                                 view_count(length, forecast, "length"));

                used += n > 0 && (size_t)n < sizeof(text) - used ? (size_t)n : 0;
        }
        if (isnan(text_number(json_array_get(json_object_get(fit, "forecasts"), 0), "ns")))
                view_say_briefly(&p->v, "foretold", "nothing: %s",
                                 refused(json_array_get(json_object_get(fit, "forecasts"), 0)));
        else
                view_say_briefly(&p->v, "foretold", "%s", text);
        screen_leave(&p->v, 0, "growth of ops");
}

bool tokens_print_kv(const struct page *p)
{
        const json_t *kv = json_object_get(p->document, "kv");

        if (!json_is_object(kv))
                return true;
        if (!(text_number(kv, "tokens") > 0)) {
                view_heading(&p->v, "of no token is known how long its KV cache was, and what it "
                                    "alone took");
                return true;
        }
        if (!screen_shows(&p->v, 2)) {
                print_briefly(p, kv);
                return true;
        }
        if (!print_bins(p, kv) || !print_lines(p, kv))
                return false;
        view_heading(&p->v, "what the line of a token foretells, and its interval of 95%%");
        print_forecasts(p, kv);
        return true;
}
