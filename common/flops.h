/* SPDX-License-Identifier: MIT */
/*
 * How much arithmetic one call of an op is and how many bytes it must move, from its shape alone.
 * The table with the formulas, where they come from and what is counted by which convention is in
 * common/flops.c.
 *
 * Ops go by the names that ggml_op_desc gives them. Operands are those of the ggml tensor: the
 * result, then src[0], src[1] and so on; where src[i] is NULL and a later one is not, an operand
 * with nothing in it. `params` are the first four of the tensor's op_params, read as int32_t.
 *
 * "RMS_NORM+MUL" has the result of the product, what is normalised, and what it is multiplied by.
 *
 * The BLAS go by their names without the letter of the type ("gemm"), `at[0]` tells the element:
 * its type, where "cf32" and "cf64" are complex, block 1, and bytes; the rest of the operands are
 * for the text only. `params` are m, n, k, and the side of symm, trmm and trsm (0 left, 1 right).
 * What has only a length has it in n; symv, trmv, trsv, syrk and syr2k have their order in n. gbmv
 * has the diagonals below the main one in the place of k, and those above in that of the side;
 * sbmv, tbmv and tbsv have those beside it in k. What is said of symm and syrk is so of hemm and
 * herk, and of what is packed as of what is not. "rscal" is scal of complex numbers by a real one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/shape.h"

struct work_amount {
        bool flops_known, bytes_known;
        uint64_t flops, bytes; /* 0 where not known */
        bool saturated;        /* one is above INT64_MAX, which stands for it */
        bool bytes_at_most;    /* rows may have been looked up twice, or nothing copied */
};

/* Not known: an op that is not in the table, or operands that it cannot have. */
struct work_amount flops_of(const struct shape *s);

/* Where the op's formula comes from; NULL: the op is not in the table. */
const char *flops_source(const char *op);

/* The name of the i-th row; NULL: there are no more. */
const char *flops_op(size_t i);
