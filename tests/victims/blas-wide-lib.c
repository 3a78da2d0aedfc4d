/* SPDX-License-Identifier: MIT */
/* Looks like a BLAS, and computes nothing: names that OpenBLAS was not built with here, and one
 * that calls another. */
#include "blas-wide.h"

void dgemm_(const char *ta, const char *tb, const int *m, const int *n, const int *k,
            const double *alpha, const double *a, const int *lda, const double *b, const int *ldb,
            const double *beta, double *c, const int *ldc)
{
        *c = *alpha * *m * *n * *k;
}

void cblas_dgemm(int order, int ta, int tb, int m, int n, int k, double alpha, const double *a,
                 int lda, const double *b, int ldb, double beta, double *c, int ldc)
{
        dgemm_("N", "N", &m, &n, &k, &alpha, a, &lda, b, &ldb, &beta, c, &ldc);
}

#define WIDE(name)                                                                                 \
        void name(const char *ta, const char *tb, const long *m, const long *n, const long *k,     \
                  const double *alpha, const double *a, const long *lda, const double *b,          \
                  const long *ldb, const double *beta, double *c, const long *ldc)                 \
        {                                                                                          \
                *c = 2;                                                                            \
        }
WIDE(dgemm_64_)
WIDE(dgemm64_)
WIDE(scipy_dgemm_64_)

#define WIDE_CBLAS(name)                                                                           \
        void name(int order, int ta, int tb, long m, long n, long k, double alpha,                 \
                  const double *a, long lda, const double *b, long ldb, double beta, double *c,    \
                  long ldc)                                                                        \
        {                                                                                          \
                *c = alpha;                                                                        \
        }
WIDE_CBLAS(cblas_dgemm_64)
WIDE_CBLAS(cblas_dgemm64_)
WIDE_CBLAS(scipy_cblas_dgemm64_)

void cblas_sgemmt(int order, int uplo, int ta, int tb, int n, int k, float alpha, const float *a,
                  int lda, const float *b, int ldb, float beta, float *c, int ldc)
{
        *c = alpha;
}

void cblas_dgemm_batch(int order, int what)
{
        (void)what;
}
