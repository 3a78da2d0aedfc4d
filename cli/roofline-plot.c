/* SPDX-License-Identifier: MIT */
/*
 * The roofline in a terminal: ceilings as lines of braille dots, two by four in a cell, and a
 * letter for each row of the table below. Where the locale has no UTF-8, lines are of one dot a
 * cell.
 */
#include "cli/roofline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/screen.h"
#include "cli/text.h"
#include "common/cleanup.h"

#define LEFT  7u /* columns of the axis */
#define LEAST 30u
#define MOST  150u
#define USUAL 100u
#define LABEL 12u

struct canvas {
        const struct roofline_frame *frame;
        unsigned width; /* cells */
        unsigned height;
        unsigned char *dots; /* a bit each, as U+2800 has them */
        char *letters;       /* 0: none */
        size_t hidden;
};

static double cell_x(const struct canvas *c, double x)
{
        const struct roofline_frame *f = c->frame;

        return (x - f->x_least) / (f->x_most - f->x_least) * c->width;
}

static double cell_y(const struct canvas *c, double y)
{
        const struct roofline_frame *f = c->frame;

        return (f->y_most - y) / (f->y_most - f->y_least) * c->height;
}

static bool inside(const struct canvas *c, double x, double y)
{
        return x >= 0 && x < c->width && y >= 0 && y < c->height;
}

/* In cells, which have parts. */
static void dot(struct canvas *c, double x, double y)
{
        static const unsigned char bits[4][2] = {{1, 8}, {2, 16}, {4, 32}, {64, 128}};

        if (inside(c, x, y))
                c->dots[(unsigned)y * c->width + (unsigned)x] |=
                        bits[(unsigned)(y * 4) % 4][(unsigned)(x * 2) % 2];
}

/* False: there is something else, or right beside it. */
static bool write_at(struct canvas *c, unsigned x, unsigned y, const char *s)
{
        size_t n = strlen(s);

        if (y >= c->height || x + n > c->width)
                return false;
        for (size_t i = x ? x - 1 : 0; i <= x + n && i < c->width; i++)
                if (c->letters[y * c->width + i])
                        return false;
        memcpy(c->letters + y * c->width + x, s, n);
        return true;
}

/* Rows come in the order of their time, so what hides another took longer. Those that the table
 * below does not show are points. */
static void put_rows(struct canvas *c, const json_t *rows, size_t n_shown)
{
        const json_t *row;
        double x, y;
        size_t i;

        json_array_foreach(rows, i, row)
        {
                const char *mark = text_string(row, "mark", NULL);
                char *at;

                if (!mark || !roofline_place(row, &x, &y))
                        continue;
                x = cell_x(c, x);
                y = cell_y(c, y);
                if (!inside(c, x, y))
                        continue;
                at = &c->letters[(unsigned)y * c->width + (unsigned)x];
                c->hidden += *at != 0;
                *at = *at ? *at : (char)(i < n_shown ? *mark : '.');
        }
}

static double top_of(const struct roofline_frame *f)
{
        double top = 0, v;

        for (int t = 0; t < CEILING_N_TYPES; t++)
                if (f->types[t] && ceiling_at(ceilings_compute(&f->ceilings, (enum ceiling_type)t),
                                              f->threads, &v))
                        top = fmax(top, v);
        return top;
}

static void put_slope(struct canvas *c, enum ceiling_level level, double top)
{
        const struct roofline_frame *f = c->frame;
        char text[LABEL + TEXT_CELL], figure[TEXT_CELL];
        bool labelled = false;
        double gbps;

        if (!ceiling_at(&f->ceilings.bandwidth[level], f->threads, &gbps))
                return;
        snprintf(text, sizeof(text), "%s %s", ceiling_levels[level], text_count(figure, gbps));
        for (double px = 0.25; px < c->width; px += 0.5) {
                double x = f->x_least + px / c->width * (f->x_most - f->x_least);
                double y = x + log10(gbps), py = cell_y(c, y);

                if (y > log10(top))
                        break;
                dot(c, px, py);
                /* below the line's beginning, where the next one leaves room */
                if (!labelled && inside(c, px, py))
                        labelled = write_at(c, (unsigned)px + 1, (unsigned)py + 1, text);
        }
}

static void put_flat(struct canvas *c, enum ceiling_type type)
{
        const struct roofline_frame *f = c->frame;
        char text[LABEL + TEXT_CELL], figure[TEXT_CELL];
        double gflops, from = -HUGE_VAL, v, y;

        if (!f->types[type] || !f->ceilings.compute[type].n ||
            !ceiling_at(&f->ceilings.compute[type], f->threads, &gflops))
                return;
        for (int l = 0; l < CEILING_N_LEVELS && from < -1e9; l++)
                if (ceiling_at(&f->ceilings.bandwidth[l], f->threads, &v))
                        from = log10(gflops / v);
        y = cell_y(c, log10(gflops));
        for (double px = 0.25; px < c->width; px += 0.5)
                if (f->x_least + px / c->width * (f->x_most - f->x_least) >= from)
                        dot(c, px, y);
        snprintf(text, sizeof(text), "%s %s", ceiling_types[type], text_count(figure, gflops));
        for (size_t x = c->width - strlen(text); y >= 0 && x < c->width && x > 0; x--)
                if (write_at(c, (unsigned)x, (unsigned)y + 1, text))
                        return;
}

static void put_cell(const struct canvas *c, FILE *out, unsigned x, unsigned y)
{
        unsigned char dots = c->dots[y * c->width + x];
        char letter = c->letters[y * c->width + x];

        if (letter)
                fputc(letter, out);
        else if (!dots)
                fputc(' ', out);
        else if (!text_is_utf8())
                fputc('.', out);
        else
                fprintf(out, "\xe2%c%c", 0xa0 + (dots >> 6), 0x80 + (dots & 63));
}

/* The decade that lies in the row of cells from `top` on, if one does. */
static bool decade_in(double from, double to, double *ret)
{
        *ret = floor(to);
        return *ret >= from;
}

static void put_line(const struct canvas *c, FILE *out, unsigned y)
{
        const struct roofline_frame *f = c->frame;
        double step = (f->y_most - f->y_least) / c->height, decade;
        double to = f->y_most - y * step;
        char figure[TEXT_CELL] = "";
        bool tick = decade_in(to - step, to, &decade) && to > decade;

        if (tick)
                roofline_power(figure, (int)decade);
        fprintf(out, "%*s %s", (int)LEFT - 2, figure,
                text_is_utf8() ? tick ? "┤" : "│"
                : tick         ? "+"
                               : "|");
        for (unsigned x = 0; x < c->width; x++)
                put_cell(c, out, x, y);
        fputc('\n', out);
}

static void put_axis(const struct canvas *c, FILE *out)
{
        const struct roofline_frame *f = c->frame;
        _cleanup_(freep) char *names = malloc(c->width + TEXT_CELL);
        char figure[TEXT_CELL];
        bool utf8 = text_is_utf8();

        if (!names)
                return;
        memset(names, ' ', c->width);
        names[c->width] = '\0';
        fprintf(out, "%*s%s", (int)LEFT - 1, "", utf8 ? "└" : "+");
        for (unsigned x = 0; x < c->width; x++) {
                double step = (f->x_most - f->x_least) / c->width, from = f->x_least + x * step;
                double decade;
                bool tick = decade_in(from, from + step, &decade) && from + step > decade;
                size_t n = tick ? strlen(roofline_power(figure, (int)decade)) : 0;

                fputs(utf8 ? tick ? "┴" : "─" : tick ? "+" : "-", out);
                if (tick && x + n <= c->width)
                        memcpy(names + x, figure, n);
        }
        for (size_t i = c->width; i && names[i - 1] == ' '; i--)
                names[i - 1] = '\0';
        fprintf(out, "\n%*s%s\n", (int)LEFT, "", names);
}

static void say_rest(const struct view *v, const struct canvas *c)
{
        const struct roofline_frame *f = c->frame;

        if (!screen_shows(v, SCREEN_ALL))
                return;
        if (c->hidden)
                view_line(v, "%zu row%s behind those that took longer", c->hidden,
                          c->hidden == 1 ? " lies" : "s lie");
        if (f->n_not)
                view_line(v, "%zu row%s no place in it: without FLOPs, or not known", f->n_not,
                          f->n_not == 1 ? " has" : "s have");
}

bool roofline_plot(const struct view *v, const json_t *document, const json_t *rows, size_t n_most,
                   unsigned height)
{
        unsigned width = v->width ? v->width : USUAL;
        struct roofline_frame frame;
        struct canvas c = {.frame = &frame, .height = height};
        double top;
        bool ok;

        roofline_frame(&frame, document, rows);
        if (!frame.n_drawn)
                return true;
        width = width > MOST ? MOST : width < LEAST ? LEAST : width;
        c.width = width - LEFT;
        c.dots = calloc(c.width, height);
        c.letters = calloc(c.width, height);
        ok = c.dots && c.letters;
        if (ok) {
                top = top_of(&frame);
                put_rows(&c, rows, view_shown(n_most, json_array_size(rows)));
                for (int t = 0; t < CEILING_N_TYPES; t++)
                        put_flat(&c, (enum ceiling_type)t);
                for (int l = 0; top > 0 && l < CEILING_N_LEVELS; l++)
                        put_slope(&c, (enum ceiling_level)l, top);
                if (screen_shows(v, 2))
                        fputc('\n', v->f);
                if (top > 0)
                        view_line(v,
                                  "GFLOP/s by FLOP/byte; ceilings at %.0f thread%s, GB/s and "
                                  "GFLOP/s",
                                  frame.threads, frame.threads == 1 ? "" : "s");
                else
                        view_line(v, "GFLOP/s by FLOP/byte");
                for (unsigned y = 0; y < height; y++)
                        put_line(&c, v->f, y);
                put_axis(&c, v->f);
                say_rest(v, &c);
        }
        free(c.dots);
        free(c.letters);
        return ok;
}
