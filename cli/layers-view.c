/* SPDX-License-Identifier: MIT */
/*
 * Layers, for people: a view of infprof.layers/1. Of each phase its parts, then each layer with a
 * strip of shades, one for each op: the darker, the longer, against the longest in any layer.
 */
#include "cli/run-verb.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/layers-experts.h"
#include "cli/layers-grid.h"
#include "cli/rows.h"
#include "cli/screen.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

#define SHADES      5  /* nothing, and four */
#define MAX_COLUMNS 26 /* that have a letter */

/* Two cells wide. */
static const char *shade(double ns, double of)
{
        static const char *const blocks[SHADES] = {" ·", "░░", "▒▒", "▓▓", "██"};
        static const char *const ascii[SHADES] = {" .", "--", "++", "##", "@@"};
        int level = 0;

        if (ns > 0 && of > 0)
                level = (int)fmin(1 + floor(ns / of * (SHADES - 1)), SHADES - 1);
        return (text_is_utf8() ? blocks : ascii)[level];
}

static json_t *strip(const struct layers_grid *g, const json_t *layer)
{
        char text[MAX_COLUMNS * 8 + 1] = "", *p = text;

        for (size_t i = 0; i < g->n && i < MAX_COLUMNS; i++) {
                double ns = layers_grid_ns(layer, &g->columns[i]);

                p = stpcpy(p, ns > 0 ? shade(ns, g->most_ns) : "  ");
        }
        return json_string(text);
}

/* What a token took, or the whole where there are none. */
static double time_of(const json_t *o, double tokens)
{
        return text_number(o, "total_ns") / (tokens > 0 ? tokens : 1);
}

static double part_time(const json_t *layer, const char *name, double tokens)
{
        const json_t *part;
        size_t i;

        json_array_foreach(json_object_get(layer, "parts"), i, part)
        {
                if (!strcmp(text_string(part, "part", ""), name))
                        return time_of(part, tokens);
        }
        return NAN;
}

static void set_time(json_t *row, const char *key, double ns)
{
        json_object_set_new(row, key, isnan(ns) ? json_null() : json_real(ns));
}

/* "attention 64.0%, mlp 18.1%" */
static void print_parts_briefly(const struct page *p, const json_t *parts)
{
        char text[160] = "", share[FMT_SIZE];
        const json_t *part;
        size_t used = 0, i;

        json_array_foreach(parts, i, part)
        {
                int n = snprintf(text + used, sizeof(text) - used, "%s%s %s", used ? ", " : "",
                                 text_string(part, "part", "?"), view_share(share, part, "share"));

                used += n > 0 && (size_t)n < sizeof(text) - used ? (size_t)n : 0;
        }
        if (used)
                view_line(&p->v, "%s", text);
}

static bool print_parts(const struct page *p, const json_t *phase, double tokens)
{
        static const struct rows_column columns[] = {
                {{"part", false, false, 0}, "part", ROWS_TEXT},
                {{"time", true, false, 0}, "total_ns", ROWS_TIME},
                {{"a token", true, false, 0}, "per_token_ns", ROWS_TIME, NULL, true},
                {{"%", true, false, 0}, "share", ROWS_PERCENT},
                {{"calls", true, false, 1}, "calls", ROWS_COUNT},
        };
        _cleanup_(json_decrefp) json_t *sorted =
                rows_sorted(json_object_get(phase, "parts"), "total_ns");

        if (sorted && !screen_shows(&p->v, SCREEN_ALL)) {
                print_parts_briefly(p, sorted);
                return true;
        }
        (void)tokens;
        return sorted && ROWS_PRINT(&p->v, sorted, json_array_size(sorted), columns);
}

static json_t *layer_row(const struct layers_grid *g, const json_t *layer, double tokens)
{
        json_t *row = json_object();
        double number = text_number(layer, "layer");
        char label[24] = "outside";

        if (!isnan(number))
                snprintf(label, sizeof(label), "%.0f", number);
        json_object_set_new(row, "layer", json_string(label));
        set_time(row, "time", time_of(layer, tokens));
        json_object_set(row, "share", json_object_get(layer, "share"));
        set_time(row, "attention", part_time(layer, "attention", tokens));
        set_time(row, "mlp", part_time(layer, "mlp", tokens));
        set_time(row, "rest", part_time(layer, "rest", tokens));
        json_object_set_new(row, "strip", strip(g, layer));
        return row;
}

/* " a b c", above the strip. */
static const char *letters(char *buf, size_t n)
{
        char *p = buf;

        for (size_t i = 0; i < n && i < MAX_COLUMNS; i++) {
                *p++ = ' ';
                *p++ = (char)('a' + i);
        }
        *p = '\0';
        return buf;
}

/* Time of the n-th layer by its time; those with less are not shown. */
static double least_of(const json_t *layers, size_t n)
{
        _cleanup_(json_decrefp) json_t *sorted = rows_sorted(layers, "total_ns");

        return n && n < json_array_size(sorted)
                       ? text_number(json_array_get(sorted, n - 1), "total_ns")
                       : -1;
}

static bool print_grid(const struct page *p, const struct layers_grid *g, double tokens)
{
        char title[2 * MAX_COLUMNS + 1];
        const struct rows_column columns[] = {
                {{"layer", true, false, 0}, "layer", ROWS_TEXT},
                {{tokens > 0 ? "a token" : "time", true, false, 0}, "time", ROWS_TIME},
                {{"%", true, false, 0}, "share", ROWS_PERCENT},
                {{"attention", true, false, 2}, "attention", ROWS_TIME},
                {{"mlp", true, false, 3}, "mlp", ROWS_TIME},
                {{"rest", true, false, 4}, "rest", ROWS_TIME},
                {{letters(title, g->n), false, true, 0}, "strip", ROWS_TEXT},
        };
        _cleanup_(json_decrefp) json_t *rows = json_array();
        const json_t *layer;
        double least = least_of(g->layers, p->rows);
        size_t i;

        json_array_foreach(g->layers, i, layer)
        {
                if (least < 0 ||
                    (text_number(layer, "total_ns") >= least && json_array_size(rows) < p->rows))
                        json_array_append_new(rows, layer_row(g, layer, tokens));
        }
        if (screen_shows(&p->v, SCREEN_ALL))
                fputc('\n', p->v.f);
        if (!ROWS_PRINT(&p->v, rows, json_array_size(rows), columns))
                return false;
        screen_say_more(&p->v, p->rows, json_array_size(g->layers), "layer");
        return true;
}

/* Its first line, of whole entries. */
static void legend_briefly(char *text, unsigned width)
{
        char *end = width && strlen(text) > width ? text + width - 5 : NULL;

        while (end && end > text && *end != ',')
                end--;
        if (end && end > text)
                strcpy(end, ", ...");
}

static void print_legend(const struct page *p, const struct layers_grid *g, double total)
{
        _cleanup_(freep) char *text = NULL;
        size_t bytes;
        FILE *f = open_memstream(&text, &bytes);
        char share[FMT_SIZE];

        if (!f)
                return;
        for (size_t i = 0; i < g->n && i < MAX_COLUMNS; i++)
                fprintf(f, "%s%c %s (%s) %s", i ? ", " : "", (int)('a' + i), g->columns[i].op,
                        g->columns[i].part,
                        total > 0 ? fmt_share(share, g->columns[i].total_ns / total) : "-");
        if (g->n > MAX_COLUMNS)
                fprintf(f, ", and %zu more", g->n - MAX_COLUMNS);
        if (fclose(f) == EOF)
                return;
        if (!screen_shows(&p->v, SCREEN_ALL))
                legend_briefly(text, p->v.width);
        view_line(&p->v, "%s", text);
}

static bool print_phase(const struct page *p, const char *name, const json_t *phase)
{
        double tokens = text_number(phase, "tokens"), total = text_number(phase, "total_ns");
        char n[FMT_SIZE], all[FMT_SIZE], each[FMT_SIZE], of[2 * FMT_SIZE + 32] = "";
        struct layers_grid g;
        bool ok;

        if (tokens > 0 && total >= 0)
                snprintf(of, sizeof(of), ": %s token%s, %s each",
                         fmt_count(n, (uint64_t)llround(tokens)), tokens == 1 ? "" : "s",
                         fmt_ns(each, (uint64_t)llround(total / tokens)));
        view_heading(&p->v, "%s%s; %s in ops with layers, all threads", name, of,
                     view_figure(all, phase, "total_ns", fmt_ns));
        if (!print_parts(p, phase, tokens))
                return false;
        if (layers_grid_new(&g, phase))
                return false;
        ok = print_grid(p, &g, tokens);
        if (ok)
                print_legend(p, &g, total);
        if (ok)
                ok = layers_print_experts(p, phase);
        layers_grid_done(&g);
        return ok;
}

bool layers_print(const struct page *p)
{
        static const char *const order[] = {"decode", "prefill", "load", "idle", "unknown"};
        const json_t *phases = json_object_get(p->document, "phases");
        size_t n_shown = 0;

        view_run(&p->v, json_object_get(p->document, "run"));
        for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
                const json_t *phase = json_object_get(phases, order[i]);

                if (phase && n_shown && !screen_shows(&p->v, 1))
                        screen_leave(&p->v, 1, "phase");
                else if (phase && !print_phase(p, order[i], phase))
                        return false;
                n_shown += phase != NULL;
        }
        view_notes(&p->v, p->document);
        return true;
}
