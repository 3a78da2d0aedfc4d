/* SPDX-License-Identifier: MIT */
/*
 * Layers against ops as a picture: one panel a phase, a row a layer, a column an op; the darker a
 * cell, the more time. The scale ends with the longest cell within a layer; what is outside of
 * layers may be longer, and is as dark. Where layers have experts, a second panel has a row a layer
 * and a column an expert; the darker, the more tokens, against the busiest of the phase.
 */
#include "cli/run-verb.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/layers-grid.h"
#include "cli/svg.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

#define LEFT   90
#define CELL_W 74
#define CELL_H 20
#define HEAD   64  /* of the picture */
#define TITLE  28  /* of a panel */
#define NAMES  126 /* of columns, slanted */
#define GAP    24
#define MIN_W  640
#define CHAR   6.6 /* of a letter, at 12px, in most sans-serif fonts less */
#define WIDEST 960 /* experts of a layer */

static const char *const order[] = {"decode", "prefill", "load", "idle", "unknown"};

#define N_PHASES (sizeof(order) / sizeof(order[0]))

/* From nearly white over orange to dark red. */
static void put_colour(FILE *out, double share)
{
        double s = sqrt(fmin(fmax(share, 0), 1)); /* so that small ones differ, too */

        fprintf(out, "rgb(%d,%d,%d)", (int)(255 - 105 * s * s), (int)(246 - 222 * s),
                (int)(232 - 214 * fmin(1, 1.4 * s)));
}

static void put_cell(FILE *out, double x, double y, const struct layers_column *c,
                     const char *layer, double ns, double each, double most)
{
        char text[TEXT_CELL], all[FMT_SIZE];
        double share = most > 0 ? ns / most : 0;

        fprintf(out, "<g><title>");
        svg_escaped(out, c->op);
        fprintf(out,
                " (%s), layer %s: %s</title><rect x=\"%.0f\" y=\"%.0f\" width=\"%d\" "
                "height=\"%d\" fill=\"",
                c->part, layer, fmt_ns(all, (uint64_t)llround(ns)), x, y, CELL_W - 2, CELL_H - 2);
        put_colour(out, share);
        fprintf(out,
                "\"/><text x=\"%.0f\" y=\"%.0f\" class=\"n\" style=\"fill:%s\">%s</text></g>\n",
                x + (CELL_W - 2) / 2.0, y + 13, share > 0.35 ? "#fff" : "#222",
                text_duration(text, each));
}

static void put_names(FILE *out, double y, const struct layers_grid *g)
{
        for (size_t c = 0; c < g->n; c++) {
                fprintf(out, "<text transform=\"translate(%.0f,%.0f) rotate(-38)\">",
                        LEFT + (double)c * CELL_W + CELL_W / 2.0, y - 6);
                svg_escaped(out, g->columns[c].op);
                fprintf(out, " · %s</text>\n", g->columns[c].part);
        }
}

static void put_panel(FILE *out, double y, const char *name, const json_t *phase,
                      const struct layers_grid *g)
{
        double tokens = text_number(phase, "tokens");
        const json_t *layer;
        size_t i;
        char n[TEXT_CELL], all[TEXT_CELL];

        fprintf(out,
                "<text x=\"12\" y=\"%.0f\" class=\"h\">%s</text>"
                "<text x=\"90\" y=\"%.0f\">%s in ops with layers%s%s%s</text>\n",
                y + 18, name, y + 18, text_duration(all, text_number(phase, "total_ns")),
                tokens > 0 ? "; cells are per token, of " : "",
                tokens > 0 ? text_exact(n, tokens) : "", tokens > 0 ? " tokens" : "");
        y += TITLE + NAMES;
        put_names(out, y, g);
        json_array_foreach(g->layers, i, layer)
        {
                double number = text_number(layer, "layer");
                char label[24] = "outside";

                if (!isnan(number))
                        snprintf(label, sizeof(label), "%.0f", number);
                fprintf(out, "<text x=\"%d\" y=\"%.0f\" class=\"r\">%s%s</text>\n", LEFT - 8,
                        y + 13, isnan(number) ? "" : "layer ", label);
                for (size_t c = 0; c < g->n; c++) {
                        double ns = layers_grid_ns(layer, &g->columns[c]);

                        if (ns > 0)
                                put_cell(out, LEFT + (double)c * CELL_W, y, &g->columns[c], label,
                                         ns, ns / (tokens > 0 ? tokens : 1), g->most_ns);
                }
                y += CELL_H;
        }
}

/* Layers of a phase that have experts; the most experts, and the most tokens, that one has. */
static size_t count_experts(const struct layers_grid *g, size_t *ret_columns, double *ret_most)
{
        const json_t *layer, *count;
        size_t rows = 0, i, k;

        *ret_columns = 0;
        *ret_most = 0;
        json_array_foreach(g->layers, i, layer)
        {
                const json_t *counts = json_object_get(json_object_get(layer, "experts"), "counts");

                rows += json_is_array(counts);
                if (json_array_size(counts) > *ret_columns)
                        *ret_columns = json_array_size(counts);
                json_array_foreach(counts, k, count)
                {
                        *ret_most = fmax(*ret_most, json_number_value(count));
                }
        }
        return rows;
}

static double expert_width(size_t columns)
{
        return fmax(2, fmin(CELL_W, floor(WIDEST / (double)columns)));
}

static void put_expert(FILE *out, double x, double y, double w, const char *layer, size_t expert,
                       double tokens, double most)
{
        char text[TEXT_CELL];

        fprintf(out,
                "<g><title>expert %zu of layer %s: %s tokens</title><rect x=\"%.0f\" y=\"%.0f\" "
                "width=\"%.0f\" height=\"%d\" fill=\"",
                expert, layer, text_exact(text, tokens), x, y, w > 4 ? w - 1 : w, CELL_H - 2);
        put_colour(out, most > 0 ? tokens / most : 0);
        fputs("\"/></g>\n", out);
}

static void put_experts(FILE *out, double y, const char *name, const struct layers_grid *g)
{
        const json_t *layer, *count;
        size_t columns, i, k;
        double most, w;
        char text[TEXT_CELL];

        if (!count_experts(g, &columns, &most))
                return;
        w = expert_width(columns);
        fprintf(out,
                "<text x=\"12\" y=\"%.0f\" class=\"h\">%s</text><text x=\"90\" y=\"%.0f\">tokens "
                "by "
                "expert, from 0; the most are %s</text>\n",
                y + 18, name, y + 18, text_exact(text, most));
        y += TITLE;
        json_array_foreach(g->layers, i, layer)
        {
                const json_t *counts = json_object_get(json_object_get(layer, "experts"), "counts");
                char label[24];

                if (!json_is_array(counts))
                        continue;
                snprintf(label, sizeof(label), "%.0f", text_number(layer, "layer"));
                fprintf(out, "<text x=\"%d\" y=\"%.0f\" class=\"r\">layer %s</text>\n", LEFT - 8,
                        y + 13, label);
                json_array_foreach(counts, k, count)
                {
                        put_expert(out, LEFT + (double)k * w, y, w, label, k,
                                   json_number_value(count), most);
                }
                y += CELL_H;
        }
}

static double experts_height(const struct layers_grid *g)
{
        size_t columns;
        double most;
        size_t rows = count_experts(g, &columns, &most);

        return rows ? TITLE + (double)rows * CELL_H + GAP : 0;
}

static double experts_width(const struct layers_grid *g)
{
        size_t columns;
        double most;

        return count_experts(g, &columns, &most) ? (double)columns * expert_width(columns) : 0;
}

static double panel_height(const struct layers_grid *g)
{
        return TITLE + NAMES + (double)json_array_size(g->layers) * CELL_H + GAP;
}

/* In one line of that width. */
static void put_run(FILE *out, const json_t *run, double width)
{
        static const char end[] = " · all threads together";
        const char *id = text_string(run, "id", "?");
        double room = (width - 24) / CHAR - text_width(id) - sizeof(end) - 8;
        _cleanup_(freep) char *command =
                text_middle(text_string(run, "command", "?"), (unsigned)fmax(room, 16));

        fputs("run ", out);
        svg_escaped(out, id);
        fputs(" · ", out);
        svg_escaped(out, command ? command : "");
        fputs(end, out);
}

bool layers_is_empty(const json_t *document)
{
        const char *name;
        json_t *phase;

        json_object_foreach(json_object_get(document, "phases"), name, phase)
        {
                if (json_array_size(json_object_get(phase, "layers")))
                        return false;
        }
        return true;
}

void layers_draw(FILE *out, const json_t *document)
{
        const json_t *phases = json_object_get(document, "phases"),
                     *run = json_object_get(document, "run");
        struct layers_grid grids[N_PHASES] = {0};
        double width = MIN_W, height = HEAD, y = HEAD;

        for (size_t i = 0; i < N_PHASES; i++) {
                const json_t *phase = json_object_get(phases, order[i]);

                if (!phase || layers_grid_new(&grids[i], phase))
                        continue;
                width = fmax(width, LEFT + (double)grids[i].n * CELL_W + 90);
                width = fmax(width, LEFT + experts_width(&grids[i]) + 20);
                height += panel_height(&grids[i]) + experts_height(&grids[i]);
        }
        fprintf(out,
                "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>\n"
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
                "viewBox=\"0 0 %.0f %.0f\">\n"
                "<style>text{font:12px sans-serif;fill:#222}.h{font-weight:bold;font-size:15px}"
                ".n{font-size:11px;text-anchor:middle}.r{text-anchor:end}</style>\n"
                "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
                "<text x=\"12\" y=\"26\" class=\"h\">Time by layer and op</text>\n"
                "<text x=\"12\" y=\"46\">",
                width, height, width, height);
        put_run(out, run, width);
        fputs("</text>\n", out);
        for (size_t i = 0; i < N_PHASES; i++) {
                if (grids[i].layers) {
                        put_panel(out, y, order[i], json_object_get(phases, order[i]), &grids[i]);
                        y += panel_height(&grids[i]);
                        put_experts(out, y, order[i], &grids[i]);
                        y += experts_height(&grids[i]);
                }
                layers_grid_done(&grids[i]);
        }
        fputs("</svg>\n", out);
}
