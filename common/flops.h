/* SPDX-License-Identifier: MIT */
/*
 * What work an op is, by its shape. The table is in flops.c, each row with its source.
 *
 * FLOPs: a multiply-add counts two; so does nothing else. Addition, multiplication, division,
 * comparison, exp, tanh, erf, square root count one each. Bytes are the least traffic there can be:
 * each operand once, as it is stored; of a table that is looked into, the rows that are looked up.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/shape.h"

struct work_amount {
        bool flops_known,
                bytes_known; /* false: there is no formula, or the shape does not fit it */
        uint64_t flops, bytes;
        bool saturated;     /* one of them is more than INT64_MAX, and that is told */
        bool bytes_at_most; /* bytes depend on values that are not known; they are no more than this
                             */
};

struct work_amount flops_of(const struct shape *s);

/* Where the formula for an op comes from; NULL: there is none. */
const char *flops_source(const char *op);

/* The ops there is a formula for, by number; NULL: no more. */
const char *flops_op(size_t i);
