/* SPDX-License-Identifier: MIT */
/*
 * Between the table in flops.c and the rules it is made of. A rule returns an amount
 * (common/amount.h); `fits` is asked first, and only where it says yes the others are.
 */
#pragma once

#include "common/flops.h"

struct flops_row {
        const char *op;
        unsigned each; /* FLOPs an element, for those rules that count so */
        bool (*fits)(const struct shape *s);
        uint64_t (*flops)(const struct flops_row *row, const struct shape *s);
        uint64_t (*bytes)(const struct flops_row *row, const struct shape *s);
        bool (*at_most)(const struct shape *s); /* NULL: bytes are what they are */
        const char *source;
};

#define FLOPS_FITS(name)  bool fits_##name(const struct shape *s)
#define FLOPS_RULE(name)  uint64_t flops_##name(const struct flops_row *row, const struct shape *s)
#define FLOPS_BYTES(name) uint64_t bytes_##name(const struct flops_row *row, const struct shape *s)

/* flops-rules.c */
FLOPS_FITS(always);
FLOPS_FITS(map);       /* as many results as elements of the first source */
FLOPS_FITS(broadcast); /* the result is as src[0]; src[1] is repeated to it */
FLOPS_FITS(gated);
FLOPS_FITS(reduce);     /* one result a row */
FLOPS_FITS(reduce_all); /* one result */
FLOPS_FITS(repeat);
FLOPS_FITS(concat);
FLOPS_FITS(larger); /* no extent of the result is below the source's */
FLOPS_FITS(result);
FLOPS_FITS(scaled);
FLOPS_FITS(pool);
FLOPS_FITS(timestep);
FLOPS_FITS(sort);
FLOPS_FITS(get_rows);
FLOPS_FITS(set_rows);
FLOPS_FITS(set);
FLOPS_FITS(add_id);
FLOPS_FITS(norm_mul);

FLOPS_RULE(none);
FLOPS_RULE(unknown);
FLOPS_RULE(each);        /* row->each a result */
FLOPS_RULE(each_source); /* row->each an element of src[0] */
FLOPS_RULE(each_added);  /* row->each an element of src[1] */
FLOPS_RULE(convert);     /* src[0] becomes the type of the result, element by element */
FLOPS_RULE(get_rows);
FLOPS_RULE(im2col);
FLOPS_RULE(soft_max);
FLOPS_RULE(rope);
FLOPS_RULE(pool);
FLOPS_RULE(upscale);

FLOPS_BYTES(none);
FLOPS_BYTES(all);  /* every source and the result, once */
FLOPS_BYTES(copy); /* src[0] and the result */
FLOPS_BYTES(result);
FLOPS_BYTES(get_rows);
FLOPS_BYTES(set_rows);
FLOPS_BYTES(add_id);
FLOPS_BYTES(norm_mul);
FLOPS_BYTES(im2col);
FLOPS_BYTES(soft_max);

bool at_most_get_rows(const struct shape *s);
bool at_most_add_id(const struct shape *s);
bool at_most_always(const struct shape *s);

/* The part of a mask that `rows` rows of scores need: there may be more rows, to fill it up. */
uint64_t flops_mask_bytes(const struct shape_operand *mask, uint64_t rows);

/* flops-products.c */
FLOPS_FITS(mul_mat);
FLOPS_FITS(mul_mat_id);
FLOPS_FITS(out_prod);
FLOPS_FITS(flash_attn);
FLOPS_FITS(conv_2d);
FLOPS_FITS(conv_2d_dw);
FLOPS_FITS(conv_transpose_1d);
FLOPS_FITS(conv_transpose_2d);
FLOPS_FITS(im2col);
FLOPS_FITS(ssm_conv);
FLOPS_FITS(ssm_scan);
FLOPS_FITS(linear_attn);

FLOPS_RULE(mul_mat);
FLOPS_RULE(out_prod);
FLOPS_RULE(flash_attn);
FLOPS_RULE(conv_2d);
FLOPS_RULE(conv_transpose_1d);
FLOPS_RULE(conv_transpose_2d);
FLOPS_RULE(ssm_conv);
FLOPS_RULE(ssm_scan);
FLOPS_RULE(linear_attn);

FLOPS_BYTES(mul_mat_id);
FLOPS_BYTES(flash_attn);
FLOPS_BYTES(ssm_scan);
FLOPS_BYTES(rwkv);

bool at_most_mul_mat_id(const struct shape *s);

/* flops-blas.c: `each` is one of these. */
enum {
        BLAS_GEMM,
        BLAS_SYMM,
        BLAS_SYRK,
        BLAS_SYR2K,
        BLAS_TRMM,
        BLAS_GEMV,
        BLAS_GER,
        BLAS_SYMV,
        BLAS_TRMV,
        BLAS_AXPY,
        BLAS_DOT,
        BLAS_SCAL,
        BLAS_COPY,
        BLAS_ZERO,
        BLAS_SUM,
        BLAS_GEMMT,
        BLAS_GBMV,
        BLAS_SBMV,
        BLAS_TBMV,
        BLAS_SYR,
        BLAS_SYR2,
        BLAS_AXPBY,
        BLAS_SWAP,
        BLAS_ROT,
        BLAS_REAL_SCAL
};

FLOPS_FITS(blas);
FLOPS_FITS(blas_sided); /* the last parameter is a side */
FLOPS_RULE(blas);
FLOPS_BYTES(blas);
