/* SPDX-License-Identifier: MIT */
/* Layers against ops, as both views of infprof.layers/1 have them. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct layers_column {
        const char *op, *part; /* of the document */
        double total_ns;       /* in all layers */
};

/* Of one phase. */
struct layers_grid {
        const json_t *layers;
        struct layers_column *columns; /* the one that takes most time first */
        size_t n;
        double most_ns; /* of a cell within a layer, or of any where there is none */
};

/* 0 or -ENOMEM. To be done after success. */
int layers_grid_new(struct layers_grid *ret, const json_t *phase);
void layers_grid_done(struct layers_grid *g);

/* Time of an op in a layer (an element of `layers`); 0: it is not done there. */
double layers_grid_ns(const json_t *layer, const struct layers_column *column);
