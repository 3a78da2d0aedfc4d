/* SPDX-License-Identifier: MIT */
/* What a roofline plot has to show: which rows, which ceilings, and from where to where. */
#include "cli/roofline.h"

#include <math.h>
#include <string.h>

#include "cli/text.h"
#include "common/cleanup.h"

#define MARGIN 0.15 /* decades */

bool roofline_place(const json_t *row, double *ret_x, double *ret_y)
{
        double intensity = text_number(row, "intensity"), gflops = text_number(row, "gflops");

        if (!(intensity > 0 && gflops > 0))
                return false;
        *ret_x = log10(intensity);
        *ret_y = log10(gflops);
        return true;
}

const char *roofline_power(char *buf, int decade)
{
        if (decade < -3 || decade > 8)
                snprintf(buf, TEXT_CELL, "1e%d", decade);
        else
                snprintf(buf, TEXT_CELL, "%g%s",
                         pow(10, decade >= 6   ? decade - 6
                                 : decade >= 3 ? decade - 3
                                               : decade),
                         decade >= 6   ? "M"
                         : decade >= 3 ? "k"
                                       : "");
        return buf;
}

static void find_ceilings(struct roofline_frame *f, const json_t *machine)
{
        _cleanup_(json_decrefp) json_t *o = json_pack(
                "{s:{s:O?, s:O?}}", "ceilings", "compute", json_object_get(machine, "compute"),
                "bandwidth", json_object_get(machine, "bandwidth"));

        ceilings_init(&f->ceilings, json_is_object(machine) ? o : NULL);
}

static void include(struct roofline_frame *f, double x, double y)
{
        f->x_least = fmin(f->x_least, x);
        f->x_most = fmax(f->x_most, x);
        f->y_least = fmin(f->y_least, y);
        f->y_most = fmax(f->y_most, y);
}

static void include_row(struct roofline_frame *f, const json_t *row)
{
        double x, y;

        if (!roofline_place(row, &x, &y)) {
                f->n_not++;
                return;
        }
        if (!f->n_drawn++) {
                f->x_least = f->x_most = x;
                f->y_least = f->y_most = y;
        }
        include(f, x, y);
}

/* Types and threads are those of all rows of the document: what is put together has none of its
 * own. */
static void find_types(struct roofline_frame *f, const json_t *rows)
{
        const json_t *row;
        size_t i;

        json_array_foreach(rows, i, row)
        {
                const char *type = text_string(row, "compute_type", "");

                for (int t = 0; t < CEILING_N_TYPES; t++)
                        f->types[t] |= !strcmp(type, ceiling_types[t]);
        }
}

/* The number of threads that most of the time was spent at. */
static double most_threads(const json_t *rows)
{
        const json_t *row, *other;
        double most = -1, threads = 1;
        size_t i, k;

        json_array_foreach(rows, i, row)
        {
                double n = text_number(row, "threads"), sum = 0;

                json_array_foreach(rows, k, other)
                {
                        double wall = text_number(other, "wall_ns");

                        if (text_number(other, "threads") == n && !isnan(wall))
                                sum += wall;
                }
                if (sum > most) {
                        most = sum;
                        threads = n;
                }
        }
        return threads;
}

/* The highest compute ceiling and the ridge where memory meets it are to be seen. */
static void include_ceilings(struct roofline_frame *f)
{
        double top = 0, v;

        for (int t = 0; t < CEILING_N_TYPES; t++)
                if (f->types[t] && ceiling_at(ceilings_compute(&f->ceilings, (enum ceiling_type)t),
                                              f->threads, &v))
                        top = fmax(top, v);
        if (!(top > 0))
                return;
        include(f, f->x_most, log10(top));
        for (int l = 0; l < CEILING_N_LEVELS; l++)
                if (ceiling_at(&f->ceilings.bandwidth[l], f->threads, &v))
                        include(f, log10(top / v), log10(top));
}

void roofline_frame(struct roofline_frame *ret, const json_t *document, const json_t *rows)
{
        const json_t *all = json_object_get(document, "rows"), *row;
        size_t i;

        *ret = (struct roofline_frame){.threads = most_threads(all)};
        find_ceilings(ret, json_object_get(document, "machine"));
        find_types(ret, all);
        json_array_foreach(rows, i, row)
        {
                include_row(ret, row);
        }
        include_ceilings(ret);
        ret->x_least -= MARGIN;
        ret->x_most += MARGIN;
        ret->y_least -= MARGIN;
        ret->y_most += MARGIN;
}
