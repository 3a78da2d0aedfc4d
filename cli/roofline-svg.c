/* SPDX-License-Identifier: MIT */
/*
 * The roofline as a picture: one SVG file that needs nothing else, and no script. Ceilings are
 * lines with their names, each row a dot whose area is its time and whose colour is its phase;
 * those that took most time have their names beside them, all of them when pointed at.
 */
#include "cli/roofline-svg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text.h"
#include "common/cleanup.h"
#include "common/fmt.h"

#define AREA    2400.0 /* of a dot that took all the time, in pixels */
#define LEAST_R 3.0
#define NAMED   12u /* rows with their names */

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
        for (size_t i = 0; i < ROOFLINE_COLOURS; i++)
                if (!strcmp(roofline_colours[i].phase, text_string(row, "phase", "")))
                        return roofline_colours[i].colour;
        return "#777777";
}

static void put_tip(const struct drawing *d, const json_t *row)
{
        char time[FMT_SIZE], a[TEXT_CELL], b[TEXT_CELL], c[TEXT_CELL], share[FMT_SIZE];

        fputs("<title>", d->out);
        roofline_svg_text(d->out, text_string(row, "op", ""));
        putc(' ', d->out);
        roofline_svg_text(d->out, text_string(row, "shape", ""));
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
                roofline_svg_text(d->out, text);
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

        roofline_frame(&frame, document, rows);
        fprintf(out,
                "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>\n"
                "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"%.0f\" "
                "height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\">\n<style>\n%s</style>\n"
                "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
                WIDTH, HEIGHT, WIDTH, HEIGHT, style);
        roofline_svg_paper(&d);
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
