/* SPDX-License-Identifier: MIT */
/* Whether an op's operands find room in a cache, by how much they do not, and which extents would.
 */
#pragma once

#include <stdbool.h>

#include "common/flops.h"
#include "common/shape.h"

/* Bytes. */
struct roof_parts {
        double weights;      /* of a product its matrix, of a lookup the rows that are looked up */
        double activations;  /* all other sources; keys and values as well */
        double intermediate; /* the result */
        double whole;
};

/* The greatest extents with which the whole op finds room, all others as they are; NaN: it has no
 * such extent, 0: not even with 1. */
struct roof_extents {
        double batch; /* columns of activations (tokens at a time); rows, where it is no product */
        double sequence; /* keys and values of an attention */
        double d_ff;     /* rows of the weights */
        double tile;     /* so many rows of weights by as many columns of activations */
};

/* False: not known. */
bool roof_parts_of(struct roof_parts *ret, const struct shape *s, const struct work_amount *a);

void roof_extents_of(struct roof_extents *ret, const struct shape *s, const struct work_amount *a,
                     double room_bytes);
