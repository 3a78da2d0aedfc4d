/* SPDX-License-Identifier: MIT */
/*
 * The roofline as a picture: one SVG file that needs nothing else, and no script. Ceilings are
 * lines with their names, each row a dot whose area is its time and whose colour is its phase;
 * those that took most time have their names beside them, all of them when pointed at.
 */
#include "cli/roofline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

#define WIDTH   1200.0
#define HEIGHT  780.0
#define LEFT    84.0
#define RIGHT   1172.0
#define TOP     92.0
#define BOTTOM  706.0
#define AREA    2400.0 /* of a dot that took all the time, in pixels */
#define LEAST_R 3.0
#define NAMED   12u /* rows with their names */
#define DEGREES (180 / 3.14159265358979)
#define CHAR    6.3 /* width of a letter of 11 px */
#define LINE    14.0
#define BOXES   64u

struct box {
        double x, y, w, h;
};

struct drawing {
        FILE *out;
        const struct roofline_frame *frame;
        const json_t *document, *rows;
        struct box taken[BOXES]; /* by names, so that none lies upon another */
        size_t n_taken;
};

static const struct {
        const char *phase, *colour;
} colours[] = {{"decode", "#1f6fb4"},
               {"prefill", "#d9741a"},
               {"load", "#5a9a3c"},
               {"idle", "#8a6bb0"},
               {"unknown", "#777777"}};

static void put_escaped(FILE *out, const char *s)
{
        for (; *s; s++)
                if (*s == '&')
                        fputs("&amp;", out);
                else if (*s == '<')
                        fputs("&lt;", out);
                else if (*s == '>')
                        fputs("&gt;", out);
                else if ((unsigned char)*s >= 0x20) /* XML has no others */
                        putc(*s, out);
}

static double px(const struct drawing *d, double x)
{
        const struct roofline_frame *f = d->frame;

        return LEFT + (x - f->x_least) / (f->x_most - f->x_least) * (RIGHT - LEFT);
}

static double py(const struct drawing *d, double y)
{
        const struct roofline_frame *f = d->frame;

        return TOP + (f->y_most - y) / (f->y_most - f->y_least) * (BOTTOM - TOP);
}

static bool is_free(const struct drawing *d, const struct box *b)
{
        for (size_t i = 0; i < d->n_taken; i++) {
                const struct box *t = &d->taken[i];

                if (b->x < t->x + t->w && t->x < b->x + b->w && b->y < t->y + t->h &&
                    t->y < b->y + b->h)
                        return false;
        }
        return b->x >= LEFT && b->x + b->w <= RIGHT && b->y >= TOP && b->y + b->h <= BOTTOM;
}

static void take(struct drawing *d, struct box b)
{
        if (d->n_taken < BOXES)
                d->taken[d->n_taken++] = b;
}

/* ---- paper -------------------------------------------------------------------------------- */

static void put_grid(const struct drawing *d)
{
        const struct roofline_frame *f = d->frame;
        char text[TEXT_CELL];

        for (int i = (int)ceil(f->x_least); i <= f->x_most; i++)
                fprintf(d->out,
                        "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>"
                        "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" "
                        "text-anchor=\"middle\">%s</text>\n",
                        px(d, i), TOP, px(d, i), BOTTOM, px(d, i), BOTTOM + 18,
                        roofline_power(text, i));
        for (int i = (int)ceil(f->y_least); i <= f->y_most; i++)
                fprintf(d->out,
                        "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>"
                        "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" "
                        "text-anchor=\"end\">%s</text>\n",
                        LEFT, py(d, i), RIGHT, py(d, i), LEFT - 8, py(d, i) + 4,
                        roofline_power(text, i));
        fprintf(d->out,
                "<rect class=\"frame\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n"
                "<text class=\"axis\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">FLOP / "
                "byte</text>\n"
                "<text class=\"axis\" x=\"22\" y=\"%.1f\" text-anchor=\"middle\" "
                "transform=\"rotate(-90 22 %.1f)\">GFLOP/s</text>\n",
                LEFT, TOP, RIGHT - LEFT, BOTTOM - TOP, (LEFT + RIGHT) / 2, BOTTOM + 40,
                (TOP + BOTTOM) / 2, (TOP + BOTTOM) / 2);
}

static void put_heads(const struct drawing *d)
{
        const json_t *run = json_object_get(d->document, "run");
        const json_t *m = json_object_get(d->document, "machine");
        char note[96];

        snprintf(note, sizeof(note), " · ceilings at %.0f thread%s", d->frame->threads,
                 d->frame->threads == 1 ? "" : "s");
        fputs("<text class=\"title\" x=\"600\" y=\"34\" text-anchor=\"middle\">roofline: ", d->out);
        put_escaped(d->out, text_string(run, "id", "?"));
        fputs("</text>\n<text class=\"subtitle\" x=\"600\" y=\"56\" text-anchor=\"middle\">",
              d->out);
        put_escaped(d->out, text_string(m, "model", "machine not known"));
        fputs(text_string(m, "ceilings_from", NULL) ? note : " · its ceilings are not known",
              d->out);
        fputs("</text>\n", d->out);
}

static void put_legend(const struct drawing *d)
{
        double x = LEFT;

        for (size_t i = 0; i < sizeof(colours) / sizeof(colours[0]); i++) {
                const json_t *row;
                bool there = false;
                size_t k;

                json_array_foreach(d->rows, k, row)
                {
                        there |= !strcmp(text_string(row, "phase", ""), colours[i].phase);
                }
                if (!there)
                        continue;
                fprintf(d->out,
                        "<circle cx=\"%.1f\" cy=\"76\" r=\"6\" fill=\"%s\" fill-opacity=\".7\"/>"
                        "<text class=\"tick\" x=\"%.1f\" y=\"80\">%s</text>\n",
                        x + 6, colours[i].colour, x + 17, colours[i].phase);
                x += 30 + CHAR * (double)strlen(colours[i].phase) + 14;
        }
        fprintf(d->out, "<text class=\"tick\" x=\"%.1f\" y=\"80\">area: time</text>\n", x);
}

/* ---- ceilings ------------------------------------------------------------------------------ */

static double top_of(const struct roofline_frame *f)
{
        double top = 0, v;

        for (int t = 0; t < CEILING_N_TYPES; t++)
                if (f->types[t] && ceiling_at(ceilings_compute(&f->ceilings, (enum ceiling_type)t),
                                              f->threads, &v))
                        top = fmax(top, v);
        return top;
}

static void put_slope(struct drawing *d, enum ceiling_level level, double top)
{
        const struct roofline_frame *f = d->frame;
        char text[TEXT_CELL];
        double gbps, x1, x2, y1, y2, angle;

        if (!ceiling_at(&f->ceilings.bandwidth[level], f->threads, &gbps))
                return;
        x2 = fmin(log10(top / gbps), f->x_most);
        x1 = fmax(f->x_least, f->y_least - log10(gbps));
        if (x1 >= x2)
                return;
        y1 = py(d, x1 + log10(gbps));
        y2 = py(d, x2 + log10(gbps));
        x1 = px(d, x1);
        x2 = px(d, x2);
        angle = atan2(y2 - y1, x2 - x1) * DEGREES;
        fprintf(d->out,
                "<line class=\"slope\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n"
                "<text class=\"ceiling\" transform=\"translate(%.1f %.1f) rotate(%.1f)\" x=\"8\" "
                "y=\"-5\">%s %s GB/s</text>\n",
                x1, y1, x2, y2, x1, y1, angle, ceiling_levels[level], text_count(text, gbps));
        take(d, (struct box){x1, y1 - 120 * sin(-angle / DEGREES) - LINE, 120,
                             120 * sin(-angle / DEGREES) + LINE});
}

static void put_flat(struct drawing *d, enum ceiling_type type)
{
        const struct roofline_frame *f = d->frame;
        double gflops, gbps, from = f->x_least, y;
        char text[TEXT_CELL];

        if (!f->types[type] || !f->ceilings.compute[type].n ||
            !ceiling_at(&f->ceilings.compute[type], f->threads, &gflops))
                return;
        for (int l = CEILING_N_LEVELS - 1; l >= 0; l--) /* the nearest meets it first */
                if (ceiling_at(&f->ceilings.bandwidth[l], f->threads, &gbps))
                        from = fmax(log10(gflops / gbps), f->x_least);
        y = py(d, log10(gflops));
        fprintf(d->out,
                "<line class=\"flat\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n"
                "<text class=\"ceiling\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s %s "
                "GFLOP/s</text>\n",
                px(d, from), y, RIGHT, y, RIGHT - 6, y - 5, ceiling_types[type],
                text_count(text, gflops));
        /* names keep off it */
        take(d, (struct box){RIGHT - 160, y - LINE - 3, 160, LINE + 3});
}

/* ---- rows ---------------------------------------------------------------------------------- */

static double radius(const struct drawing *d, const json_t *row)
{
        double all = 0, wall = text_number(row, "wall_ns");
        const json_t *o;
        size_t i;

        json_array_foreach(d->rows, i, o)
        {
                double v = text_number(o, "wall_ns");

                all += isnan(v) ? 0 : v;
        }
        return all > 0 && wall > 0 ? fmax(LEAST_R, sqrt(AREA * wall / all)) : LEAST_R;
}

static const char *colour_of(const json_t *row)
{
        for (size_t i = 0; i < sizeof(colours) / sizeof(colours[0]); i++)
                if (!strcmp(colours[i].phase, text_string(row, "phase", "")))
                        return colours[i].colour;
        return "#777777";
}

static void put_tip(const struct drawing *d, const json_t *row)
{
        char time[FMT_SIZE], a[TEXT_CELL], b[TEXT_CELL], c[TEXT_CELL], share[FMT_SIZE];

        fputs("<title>", d->out);
        put_escaped(d->out, text_string(row, "op", ""));
        putc(' ', d->out);
        put_escaped(d->out, text_string(row, "shape", ""));
        fprintf(d->out,
                "\n%s, %s\n%s GFLOP/s, %s GB/s, %s FLOP/byte\nbound: %s, %s of its roof</title>",
                text_string(row, "phase", "?"), view_figure(time, row, "wall_ns", fmt_ns),
                text_count(a, text_number(row, "gflops")), text_count(b, text_number(row, "gbps")),
                text_count(c, text_number(row, "intensity")),
                text_string(row, "bound", "not known"), view_share(share, row, "roof_share"));
}

static void put_dot(const struct drawing *d, const json_t *row)
{
        double x, y;

        if (!roofline_place(row, &x, &y))
                return;
        fprintf(d->out,
                "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"%s\" "
                "stroke=\"%s\">",
                px(d, x), py(d, y), radius(d, row), colour_of(row), colour_of(row));
        put_tip(d, row);
        fputs("</circle>\n", d->out);
}

/* Beside its dot, where that is free; else above, below, and further off, with a line to it. */
static void put_name(struct drawing *d, const json_t *row)
{
        _cleanup_(freep) char *full = NULL, *text = NULL;
        double x, y, r = radius(d, row);
        struct box b = {.h = LINE};

        if (!roofline_place(row, &x, &y) ||
            asprintf(&full, "%s %s", text_string(row, "op", ""), text_string(row, "shape", "")) < 0)
                return;
        text = text_clean(full, 46);
        if (!text)
                return;
        x = px(d, x);
        y = py(d, y);
        b.w = CHAR * (double)text_width(text) + 4;
        for (int i = 0; i < 24; i++) {
                double off = (i / 4 * 2 + 1) / 2 * LINE * (i / 2 % 2 ? 1 : -1);

                b.x = i % 2 ? x - r - 6 - b.w : x + r + 6;
                b.y = y - LINE / 2 + off;
                if (!is_free(d, &b))
                        continue;
                take(d, b);
                if (off != 0)
                        fprintf(d->out,
                                "<line class=\"lead\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" "
                                "y2=\"%.1f\"/>",
                                x, y, i % 2 ? b.x + b.w : b.x, b.y + LINE / 2);
                fprintf(d->out, "<text class=\"name\" x=\"%.1f\" y=\"%.1f\">", b.x,
                        b.y + LINE - 3.5);
                put_escaped(d->out, text);
                fputs("</text>\n", d->out);
                return;
        }
}

static const char style[] =
        "text{font-family:'DejaVu Sans',Verdana,Helvetica,sans-serif;fill:#222}\n"
        ".title{font-size:18px}\n"
        ".subtitle{font-size:13px;fill:#555}\n"
        ".axis{font-size:13px}\n"
        ".tick{font-size:11px;fill:#444}\n"
        ".ceiling{font-size:11.5px;fill:#8c1d1d}\n"
        ".name{font-size:11px;paint-order:stroke;stroke:#fff;stroke-width:3px;"
        "stroke-linejoin:round}\n"
        ".grid{stroke:#ddd;stroke-width:1}\n"
        ".frame{fill:none;stroke:#888}\n"
        ".slope,.flat{stroke:#b03030;stroke-width:1.6}\n"
        ".lead{stroke:#aaa;stroke-width:.8}\n"
        ".dot{fill-opacity:.55;stroke-width:1.2}\n"
        ".dot:hover{fill-opacity:1}\n";

int roofline_svg(FILE *out, const json_t *document, const json_t *rows)
{
        struct roofline_frame frame;
        struct drawing d = {.out = out, .frame = &frame, .document = document, .rows = rows};
        size_t i, n = 0;
        const json_t *row;
        double top;

        roofline_frame(&frame, document, rows);
        top = top_of(&frame);
        fprintf(out,
                "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>\n"
                "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"%.0f\" "
                "height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\">\n<style>\n%s</style>\n"
                "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
                WIDTH, HEIGHT, WIDTH, HEIGHT, style);
        put_heads(&d);
        put_legend(&d);
        put_grid(&d);
        for (int l = 0; top > 0 && l < CEILING_N_LEVELS; l++)
                put_slope(&d, (enum ceiling_level)l, top);
        for (int t = 0; t < CEILING_N_TYPES; t++)
                put_flat(&d, (enum ceiling_type)t);
        json_array_foreach(rows, i, row)
        {
                put_dot(&d, row);
        }
        json_array_foreach(rows, i, row)
        {
                double x, y, r = radius(&d, row);

                if (d.n_taken < BOXES / 2 && roofline_place(row, &x, &y))
                        take(&d, (struct box){px(&d, x) - r, py(&d, y) - r, 2 * r, 2 * r});
        }
        json_array_foreach(rows, i, row)
        {
                double x, y;

                if (n < NAMED && roofline_place(row, &x, &y) && ++n)
                        put_name(&d, row);
        }
        fputs("</svg>\n", out);
        return ferror(out) ? -1 : 0;
}
