/* SPDX-License-Identifier: MIT */
/* What the files on BLAS know of each other. */
#pragma once

#include "preload/call-args.h"
#include "preload/engine.h"

#pragma GCC visibility push(hidden)

enum ifp_blas_what {
        IFP_BLAS_GEMM,
        IFP_BLAS_GEMMT,
        IFP_BLAS_SYMM,
        IFP_BLAS_SYRK,
        IFP_BLAS_SYR2K,
        IFP_BLAS_TRMM,
        IFP_BLAS_GEMV,
        IFP_BLAS_GBMV,
        IFP_BLAS_SYMV,
        IFP_BLAS_SBMV,
        IFP_BLAS_SPMV,
        IFP_BLAS_TRMV,
        IFP_BLAS_TBMV,
        IFP_BLAS_TPMV,
        IFP_BLAS_GER,
        IFP_BLAS_SYR,
        IFP_BLAS_SPR,
        IFP_BLAS_SYR2,
        IFP_BLAS_SPR2,
        IFP_BLAS_DOT,    /* of two vectors, a scalar */
        IFP_BLAS_ONE,    /* of a vector, a scalar */
        IFP_BLAS_CHANGE, /* of a vector */
        IFP_BLAS_COPY,
        IFP_BLAS_ADD, /* to y, by x */
};

/*
 * Arguments, in the order of Fortran (CBLAS has the storage order before them, but at level 1):
 *   s side   t T transposed   x another flag   m n k extents   K U bands below and above
 *   a a scalar of the type   r a real one   p an array   l a leading dimension   i an increment
 */
struct ifp_blas_row {
        const char *forms; /* what stands before the name, in words: of these, a complex letter is
                              the type, else the last */
        const char *name;
        const char *args;
        enum ifp_blas_what what;
        const char *formula; /* in common/flops.c */
};

/* A routine of one type, interface and width of integers. */
struct ifp_blas {
        struct ifp_call call; /* keeps storage order, flags but x, and integers */
        struct ifp_want want;
        const struct ifp_blas_row *row;
        uint32_t formula, scaled, zeroed; /* into names */
        uint16_t type;                    /* in the segment; 0: routine not made yet */
        uint8_t bytes;                    /* of an element */
        bool cblas, complex;
};

static inline bool ifp_blas_is_vector(const struct ifp_blas_row *row)
{
        return row->what >= IFP_BLAS_DOT;
}

/* Arguments that are kept: the rest says nothing about the shape. */
static inline bool ifp_blas_keeps(char letter)
{
        return letter != 'x' && letter != 'a' && letter != 'r' && letter != 'p';
}

/* Has the library said for which CPU it computes? It is asked when the first shape is made. */
void ifp_blas_ask(void);

/* As struct ifp_call has it, of one inside a struct ifp_blas. */
bool ifp_blas_shape(const struct ifp_call *call, const int64_t *args, enum ifp_scaled scaled,
                    struct ifp_shape *ret);

#pragma GCC visibility pop
