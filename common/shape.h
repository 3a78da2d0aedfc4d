/* SPDX-License-Identifier: MIT */
/* The operands of an op, as formulas and documents have them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHAPE_MAX  6   /* the result, and as many sources */
#define SHAPE_TEXT 320 /* bytes that hold any text, with the NUL */

struct shape_operand {
        char type[16];  /* "f32", "q4_0"; "": not known */
        uint32_t block; /* elements that are stored together; 1: each by itself; 0: not known */
        uint32_t block_bytes; /* of these */
        uint64_t ne[4];       /* extents in elements, the innermost first; 1 where there is none */
};

struct shape {
        char op[64];
        uint32_t n;
        struct shape_operand at[SHAPE_MAX]; /* the result, then the sources in order */
};

/*
 * The sources, as `q4_0[288,768] x f32[288,1]`; the result where there are none. Extents of 1
 * beyond the second are left out. What does not fit is cut. Returns buf.
 */
const char *shape_text(char *buf, size_t size, const struct shape *s);
