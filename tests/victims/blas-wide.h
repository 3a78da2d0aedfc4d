/* SPDX-License-Identifier: MIT */
#pragma once

void dgemm_(const char *ta, const char *tb, const int *m, const int *n, const int *k,
            const double *alpha, const double *a, const int *lda, const double *b, const int *ldb,
            const double *beta, double *c, const int *ldc);
void cblas_dgemm(int order, int ta, int tb, int m, int n, int k, double alpha, const double *a,
                 int lda, const double *b, int ldb, double beta, double *c, int ldc);

typedef void dgemm_wide(const char *ta, const char *tb, const long *m, const long *n, const long *k,
                        const double *alpha, const double *a, const long *lda, const double *b,
                        const long *ldb, const double *beta, double *c, const long *ldc);
typedef void cblas_dgemm_wide(int order, int ta, int tb, long m, long n, long k, double alpha,
                              const double *a, long lda, const double *b, long ldb, double beta,
                              double *c, long ldc);
dgemm_wide dgemm_64_, dgemm64_, scipy_dgemm_64_;
cblas_dgemm_wide cblas_dgemm_64, cblas_dgemm64_, scipy_cblas_dgemm64_;

void cblas_sgemmt(int order, int uplo, int ta, int tb, int n, int k, float alpha, const float *a,
                  int lda, const float *b, int ldb, float beta, float *c, int ldc);
void cblas_dgemm_batch(int order, int what);
