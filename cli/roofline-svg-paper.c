/* SPDX-License-Identifier: MIT */
/* The paper that a roofline is drawn on: axes, heads, legend, and the ceilings with their names. */
#include "cli/roofline-svg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/svg.h"
#include "cli/text.h"
#include "common/cleanup.h"

#define DEGREES (180 / 3.14159265358979)

const struct roofline_colour roofline_colours[ROOFLINE_COLOURS] = {{"decode", "#1f6fb4"},
                                                                   {"prefill", "#d9741a"},
                                                                   {"load", "#5a9a3c"},
                                                                   {"idle", "#8a6bb0"},
                                                                   {"unknown", "#777777"}};

void roofline_svg_text(FILE *out, const char *s)
{
        _cleanup_(freep) char *clean = text_clean(s, 1u << 20);

        svg_escaped(out, clean ? clean : "");
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
        roofline_svg_text(d->out, text_string(run, "id", "?"));
        fputs("</text>\n<text class=\"subtitle\" x=\"600\" y=\"56\" text-anchor=\"middle\">",
              d->out);
        roofline_svg_text(d->out, text_string(m, "model", "machine not known"));
        fputs(text_string(m, "ceilings_from", NULL) ? note : " · its ceilings are not known",
              d->out);
        fputs("</text>\n", d->out);
}

static void put_legend(const struct drawing *d)
{
        double x = LEFT;

        for (size_t i = 0; i < ROOFLINE_COLOURS; i++) {
                const json_t *row;
                bool there = false;
                size_t k;

                json_array_foreach(d->rows, k, row)
                {
                        there |= !strcmp(text_string(row, "phase", ""), roofline_colours[i].phase);
                }
                if (!there)
                        continue;
                fprintf(d->out,
                        "<circle cx=\"%.1f\" cy=\"76\" r=\"6\" fill=\"%s\" fill-opacity=\".7\"/>"
                        "<text class=\"tick\" x=\"%.1f\" y=\"80\">%s</text>\n",
                        x + 6, roofline_colours[i].colour, x + 17, roofline_colours[i].phase);
                x += 30 + CHAR * (double)strlen(roofline_colours[i].phase) + 14;
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

void roofline_svg_paper(struct drawing *d)
{
        double top = top_of(d->frame);

        put_heads(d);
        put_legend(d);
        put_grid(d);
        for (int l = 0; top > 0 && l < CEILING_N_LEVELS; l++)
                put_slope(d, (enum ceiling_level)l, top);
        for (int t = 0; t < CEILING_N_TYPES; t++)
                put_flat(d, (enum ceiling_type)t);
}
