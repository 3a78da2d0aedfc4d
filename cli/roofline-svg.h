/* SPDX-License-Identifier: MIT */
/* What the two files that draw a roofline as a picture share. */
#pragma once

#include <stdio.h>

#include "cli/roofline.h"

#define WIDTH  1200.0
#define HEIGHT 780.0
#define LEFT   84.0
#define RIGHT  1172.0
#define TOP    92.0
#define BOTTOM 706.0
#define CHAR   6.3 /* width of a letter of 11 px */
#define LINE   14.0
#define BOXES  64u

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

struct roofline_colour {
        const char *phase, *colour;
};

#define ROOFLINE_COLOURS 5
extern const struct roofline_colour roofline_colours[ROOFLINE_COLOURS];

static inline double px(const struct drawing *d, double x)
{
        const struct roofline_frame *f = d->frame;

        return LEFT + (x - f->x_least) / (f->x_most - f->x_least) * (RIGHT - LEFT);
}

static inline double py(const struct drawing *d, double y)
{
        const struct roofline_frame *f = d->frame;

        return TOP + (f->y_most - y) / (f->y_most - f->y_least) * (BOTTOM - TOP);
}

static inline void take(struct drawing *d, struct box b)
{
        if (d->n_taken < BOXES)
                d->taken[d->n_taken++] = b;
}

/* Escaped, and without control characters, which XML does not have. */
void roofline_svg_text(FILE *out, const char *s);

/* Axes, heads, legend and ceilings. */
void roofline_svg_paper(struct drawing *d);
