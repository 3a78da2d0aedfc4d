/* SPDX-License-Identifier: MIT */
/*
 * What one call of an op works on: operands with type and extents, and the op's parameters. Plain
 * values without pointers: made from what an engine's memory holds, so nothing in one is believed
 * before it has been looked at.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHAPE_MAX       6
#define SHAPE_PARAMS    6
#define SHAPE_TEXT_SIZE 520 /* no shape's text is longer */

/* One with nothing in it at all is no operand: an optional source that is not there. */
struct shape_operand {
        char type[16];        /* "f32", "q4_0"; "": not known */
        uint32_t block;       /* elements in a block, 1 for plain types */
        uint32_t block_bytes; /* bytes of a block */
        uint64_t ne[4];       /* extents, innermost first; those that are not used are 1 */
};

struct shape {
        char op[64];
        uint32_t n;                         /* of `at` */
        struct shape_operand at[SHAPE_MAX]; /* the result, then the sources in their order */
        int64_t params[SHAPE_PARAMS];       /* flops.h says which */
        uint32_t n_params;
};

/* The i-th operand, 0 the result; NULL: there is none. */
const struct shape_operand *shape_at(const struct shape *s, uint32_t i);

/*
 * Amounts (common/amount.h). Elements are unknown where an extent is 0 or none that memory could
 * have, bytes also where the type is unknown or a row is not made of whole blocks.
 */
uint64_t shape_elements(const struct shape_operand *o);
uint64_t shape_row_bytes(const struct shape_operand *o);
uint64_t shape_bytes(const struct shape_operand *o);

/*
 * The sources, or else the result, as documents have it: "q4_0[288,768] x f32[288,1]". Extents of 1
 * at the end are left out from the third on. What does not fit `size` ends in "...". Returns buf.
 */
const char *shape_text(char *buf, size_t size, const struct shape *s);
