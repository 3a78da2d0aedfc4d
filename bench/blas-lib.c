/* SPDX-License-Identifier: MIT */
/* By its name a BLAS, and computes nothing: the shortest call that has a product's arguments. */
#include "blas.h"

void cblas_sgemm(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a,
                 int lda, const float *b, int ldb, float beta, float *c, int ldc)
{
        (void)order, (void)ta, (void)tb, (void)m, (void)n, (void)k, (void)alpha, (void)a, (void)lda;
        (void)b, (void)ldb, (void)beta, (void)c, (void)ldc;
}
