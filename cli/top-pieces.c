/* SPDX-License-Identifier: MIT */
/*
 * What stands above top's tables, in pieces that a screen of any width can lay
 * out: the engine, what it is doing, and what watching it costs.
 */
#include "cli/top-view.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

size_t top_pieces(const struct top_view *v, char *pieces[TOP_MAX_PIECES])
{
        const json_t *run = json_object_get(v->document, "run");
        const json_t *now = json_object_get(v->document, "now");
        char a[TEXT_CELL], b[TEXT_CELL], end[TEXT_END];
        const char *phase = text_string(now, "phase", NULL);
        double cost = text_number(now, "overhead_fraction");
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
        if (!isnan(text_number(now, "tokens_per_second_mean")))
                add_piece(pieces, &n, "tokens/s %s now, %s mean",
                          text_count(a, live ? text_number(now, "tokens_per_second") : 0),
                          text_count(b, text_number(now, "tokens_per_second_mean")));
        if (text_number(now, "generated") > 0)
                add_piece(pieces, &n, "generated %s", text_exact(a, text_number(now, "generated")));
        add_piece(pieces, &n, "threads %s", text_exact(a, text_number(now, "threads_live")));
        if (isnan(text_number(now, "rss_bytes")))
                add_piece(pieces, &n, "memory %s live",
                          text_bytes(a, text_number(now, "live_bytes")));
        else
                add_piece(pieces, &n, "memory %s live, %s resident",
                          text_bytes(a, text_number(now, "live_bytes")),
                          text_bytes(b, text_number(now, "rss_bytes")));
        add_piece(pieces, &n, "spans/s %s",
                  text_count(a, live ? text_number(now, "spans_per_second") : 0));
        if (isnan(cost))
                add_piece(pieces, &n, "self-cost -");
        else
                add_piece(pieces, &n, "self-cost %.*f %%", cost < 0.0995 ? 2 : 1, cost * 100);
        if (v->tab == TOP_SPAWNS)
                spawn_pieces(v, pieces, &n);
        return n;
}
