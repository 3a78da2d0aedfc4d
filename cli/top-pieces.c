/* SPDX-License-Identifier: MIT */
/*
 * What stands above top's tables, in pieces that a screen of any width can lay
 * out: the engine, what it is doing, and what watching it costs.
 */
#include "cli/top-view.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/rows.h"
#include "cli/spark.h"
#include "cli/text.h"

const char *top_end(const struct top_view *v, char *buf)
{
        const json_t *run = json_object_get(v->document, "run");
        const char *end;

        if (!run || !json_is_false(json_object_get(run, "live")))
                return NULL;
        end = text_exit(buf, json_object_get(run, "exit"));
        if (end)
                return end;
        /* "exec", "cut" and the like, where the document says so */
        snprintf(buf, TEXT_END, "%.40s", text_string(run, "end", "nobody could tell how"));
        return buf;
}

__attribute__((format(printf, 3, 4))) static void add_piece(char **pieces, size_t *n,
                                                            const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        if (*n < TOP_MAX_PIECES && vasprintf(&pieces[*n], format, ap) >= 0)
                (*n)++;
        va_end(ap);
}

static void spawn_pieces(const struct top_view *v, char **pieces, size_t *n)
{
        const json_t *s = json_object_get(v->document, "spawns");
        char a[TEXT_CELL], b[TEXT_CELL], c[TEXT_CELL], d[TEXT_CELL];

        add_piece(
                pieces, n, "spawns %s, %s/s, %s live, %s at most",
                text_exact(a, text_number(s, "total")), text_count(b, text_number(s, "per_second")),
                text_exact(c, text_number(s, "live")), text_exact(d, text_number(s, "peak_live")));
}

/* How many threads do what at this moment. */
static void state_pieces(const struct top_view *v, char **pieces, size_t *n)
{
        static const char *const states[] = {"running", "runnable", "waiting", "blocked"};
        const json_t *thread;
        unsigned count[4] = {0};
        size_t i;

        json_array_foreach(json_object_get(v->document, "threads"), i, thread)
        {
                for (unsigned s = 0; s < 4; s++)
                        count[s] += !strcmp(text_string(thread, "now", ""), states[s]);
        }
        if (count[0] + count[1] + count[2] + count[3])
                add_piece(pieces, n, "running %u, runnable %u, waiting %u, blocked %u", count[0],
                          count[1], count[2], count[3]);
}

/* How many threads wait, on average over the last interval and at this moment. */
static void wait_pieces(const struct top_view *v, bool live, char **pieces, size_t *n)
{
        const json_t *w = json_object_get(v->document, "waits");
        double waited = rows_sum(json_object_get(w, "kinds"), "ns_per_second");
        char a[TEXT_CELL], b[TEXT_CELL];

        if (!json_is_object(w))
                return;
        if (json_is_false(json_object_get(w, "on"))) {
                add_piece(pieces, n, "waits are off (record --waits on)");
                return;
        }
        add_piece(pieces, n, "waiting now %s, %s on average",
                  text_exact(a, live ? (double)json_array_size(json_object_get(w, "now")) : 0),
                  text_count(b, live ? waited / 1e9 : 0));
}

static void ledger_pieces(const struct top_view *v, char **pieces, size_t *n)
{
        const json_t *l = json_object_get(v->document, "ledger");
        double factor = text_number(l, "overhead_factor");
        char a[TEXT_CELL], b[TEXT_CELL], c[TEXT_CELL], d[TEXT_CELL];

        if (!json_is_object(l))
                return;
        add_piece(pieces, n, "a token %s, p50 %s, p99 %s, max %s",
                  text_duration(a, text_number(l, "mean_ns")),
                  text_duration(b, text_number(l, "p50_ns")),
                  text_duration(c, text_number(l, "p99_ns")),
                  text_duration(d, text_number(l, "max_ns")));
        if (!isnan(factor))
                add_piece(pieces, n, "overhead %.2fx", factor);
        if (!isnan(text_number(l, "threads")))
                add_piece(pieces, n, "by %s threads", text_count(a, text_number(l, "threads")));
        if (!json_is_true(json_object_get(l, "kernel")))
                add_piece(pieces, n, "no kernel's view: infprof doctor");
}

static void resident_pieces(const struct top_view *v, char **pieces, size_t *n)
{
        const json_t *now = json_object_get(v->document, "now");
        double rss = text_number(now, "rss_bytes");
        char a[TEXT_CELL], b[TEXT_CELL], c[TEXT_CELL], peak[TEXT_CELL + 8] = "";

        if (v->tab == TOP_MEMORY)
                snprintf(peak, sizeof(peak), ", %s peak",
                         text_bytes(c, text_number(json_object_get(v->document, "memory"),
                                                   "peak_bytes")));
        add_piece(pieces, n, "memory %s live%s%s%s%s",
                  text_bytes(a, text_number(now, "live_bytes")), peak, isnan(rss) ? "" : ", ",
                  isnan(rss) ? "" : text_bytes(b, rss), isnan(rss) ? "" : " resident");
}

static void memory_pieces(const struct top_view *v, bool live, char **pieces, size_t *n)
{
        const json_t *m = json_object_get(v->document, "memory");
        char a[TEXT_CELL], b[TEXT_CELL];
        double per_token = text_number(m, "calls_per_token");

        add_piece(pieces, n, "allocs/s %s (%s)",
                  text_count(a, live ? text_number(m, "calls_per_second") : 0),
                  text_bytes(b, live ? text_number(m, "bytes_per_second") : 0));
        add_piece(pieces, n, "frees/s %s",
                  text_count(a, live ? text_number(m, "frees_per_second") : 0));
        if (!isnan(per_token))
                add_piece(pieces, n, "allocs/token %s (%s)", text_count(a, per_token),
                          text_bytes(b, text_number(m, "bytes_per_token")));
        if (text_number(m, "heap_interval_bytes") > 1)
                add_piece(pieces, n, "sites: one sample in %s",
                          text_bytes(a, text_number(m, "heap_interval_bytes")));
        if (text_number(m, "failed_calls") > 0)
                add_piece(pieces, n, "failed allocs %s",
                          text_exact(a, text_number(m, "failed_calls")));
}

char *top_course(const struct top_view *v, unsigned width)
{
        const json_t *course =
                json_object_get(json_object_get(v->document, "memory"), "live_spark");
        char low[TEXT_CELL], high[TEXT_CELL], *line = NULL, *spark, *out = NULL;
        unsigned room = (unsigned)json_array_size(course);
        double least, most;
        int n;

        if (v->tab != TOP_MEMORY || !spark_range(course, &least, &most))
                return NULL;
        n = asprintf(&line, "live, last minute: %s to %s ", text_bytes(low, least),
                     text_bytes(high, most));
        if (n < 0 || (unsigned)n + 4 > width) {
                free(line);
                return NULL;
        }
        room = room < width - (unsigned)n ? room : width - (unsigned)n;
        spark = spark_range_text(course, room);
        if (spark && asprintf(&out, "%s%s", line, spark) < 0)
                out = NULL;
        free(spark);
        free(line);
        return out;
}

static void engine_pieces(const struct top_view *v, bool live, char **pieces, size_t *n)
{
        const json_t *now = json_object_get(v->document, "now");
        char a[TEXT_CELL], b[TEXT_CELL];

        if (!isnan(text_number(now, "tokens_per_second_mean")))
                add_piece(pieces, n, "tokens/s %s now, %s mean",
                          text_count(a, live ? text_number(now, "tokens_per_second") : 0),
                          text_count(b, text_number(now, "tokens_per_second_mean")));
        if (text_number(now, "generated") > 0)
                add_piece(pieces, n, "generated %s", text_exact(a, text_number(now, "generated")));
        add_piece(pieces, n, "threads %s", text_exact(a, text_number(now, "threads_live")));
}

static void cost_pieces(const struct top_view *v, bool live, char **pieces, size_t *n)
{
        const json_t *now = json_object_get(v->document, "now");
        double cost = text_number(now, "overhead_fraction");
        char a[TEXT_CELL];

        if (v->tab != TOP_MEMORY)
                add_piece(pieces, n, "spans/s %s",
                          text_count(a, live ? text_number(now, "spans_per_second") : 0));
        if (isnan(cost))
                add_piece(pieces, n, "self-cost -");
        else
                add_piece(pieces, n, "self-cost %.*f %%", cost < 0.0995 ? 2 : 1, cost * 100);
}

/* What a tab is about comes first: a small screen has no room for more. */
size_t top_pieces(const struct top_view *v, char *pieces[TOP_MAX_PIECES])
{
        const json_t *run = json_object_get(v->document, "run");
        const char *phase = text_string(json_object_get(v->document, "now"), "phase", NULL);
        char end[TEXT_END];
        bool live = !top_end(v, end);
        size_t n = 0;

        if (!v->document)
                return 0;
        add_piece(pieces, &n, "%s", text_string(run, "command", "?"));
        add_piece(pieces, &n, "pid %.0f", text_number(run, "pid"));
        if (!live)
                add_piece(pieces, &n, "ended: %s", end);
        else if (phase && strcmp(phase, "unknown") != 0)
                add_piece(pieces, &n, "phase %s", phase);
        else
                add_piece(pieces, &n, "live");
        if (v->tab == TOP_MEMORY) {
                resident_pieces(v, pieces, &n);
                memory_pieces(v, live, pieces, &n);
        }
        if (v->tab == TOP_LEDGER)
                ledger_pieces(v, pieces, &n);
        if (v->tab == TOP_WAITS)
                wait_pieces(v, live, pieces, &n);
        if (v->tab == TOP_THREADS)
                state_pieces(v, pieces, &n);
        engine_pieces(v, live, pieces, &n);
        if (v->tab != TOP_MEMORY)
                resident_pieces(v, pieces, &n);
        cost_pieces(v, live, pieces, &n);
        if (v->tab == TOP_SPAWNS)
                spawn_pieces(v, pieces, &n);
        return n;
}
