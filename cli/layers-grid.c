/* SPDX-License-Identifier: MIT */
#include "cli/layers-grid.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text.h"

static bool is_of(const json_t *op, const struct layers_column *c)
{
        return !strcmp(text_string(op, "op", ""), c->op) &&
               !strcmp(text_string(op, "part", ""), c->part);
}

double layers_grid_ns(const json_t *layer, const struct layers_column *column)
{
        const json_t *op;
        double sum = 0;
        size_t i;

        json_array_foreach(json_object_get(layer, "ops"), i, op)
        {
                if (is_of(op, column))
                        sum += fmax(text_number(op, "total_ns"), 0);
        }
        return sum;
}

static int add(struct layers_grid *g, const json_t *op)
{
        double ns = fmax(text_number(op, "total_ns"), 0);
        struct layers_column *more;
        size_t i = 0;

        while (i < g->n && !is_of(op, &g->columns[i]))
                i++;
        if (i == g->n) {
                more = realloc(g->columns, (g->n + 1) * sizeof(*more));
                if (!more)
                        return -ENOMEM;
                g->columns = more;
                g->columns[g->n++] = (struct layers_column){text_string(op, "op", ""),
                                                            text_string(op, "part", ""), 0};
        }
        g->columns[i].total_ns += ns;
        return 0;
}

static int compare(const void *a, const void *b)
{
        const struct layers_column *p = a, *q = b;

        if (p->total_ns != q->total_ns)
                return p->total_ns > q->total_ns ? -1 : 1;
        return strcmp(p->op, q->op) ? strcmp(p->op, q->op) : strcmp(p->part, q->part);
}

static double most(const struct layers_grid *g, bool inside)
{
        const json_t *layer;
        double ns = 0;
        size_t i;

        json_array_foreach(g->layers, i, layer)
        {
                if (inside && json_is_null(json_object_get(layer, "layer")))
                        continue;
                for (size_t c = 0; c < g->n; c++)
                        ns = fmax(ns, layers_grid_ns(layer, &g->columns[c]));
        }
        return ns;
}

int layers_grid_new(struct layers_grid *ret, const json_t *phase)
{
        const json_t *layer, *op;
        size_t i, k;

        *ret = (struct layers_grid){.layers = json_object_get(phase, "layers")};
        json_array_foreach(ret->layers, i, layer)
        {
                json_array_foreach(json_object_get(layer, "ops"), k, op)
                {
                        if (add(ret, op)) {
                                layers_grid_done(ret);
                                return -ENOMEM;
                        }
                }
        }
        if (ret->n)
                qsort(ret->columns, ret->n, sizeof(*ret->columns), compare);
        ret->most_ns = most(ret, true);
        if (ret->most_ns <= 0)
                ret->most_ns = most(ret, false);
        return 0;
}

void layers_grid_done(struct layers_grid *g)
{
        free(g->columns);
        *g = (struct layers_grid){0};
}
