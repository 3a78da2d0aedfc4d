/* SPDX-License-Identifier: MIT */
/*
 * blas-loop gemm|gemv N TIMES: one routine of OpenBLAS again and again, on N x N matrices of f32.
 * gemm is bound by arithmetic, gemv by where the matrix comes from.
 */
#include <cblas.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
        int n = argc > 2 ? atoi(argv[2]) : 0, times = argc > 3 ? atoi(argv[3]) : 0;
        size_t elements = (size_t)n * (size_t)n;
        float *a = aligned_alloc(64, (elements * 4 + 63) / 64 * 64), *b = NULL, *c = NULL;
        bool whole = argc > 1 && !strcmp(argv[1], "gemm");

        if (n < 1 || !a) {
                fprintf(stderr, "usage: blas-loop gemm|gemv N TIMES\n");
                return 2;
        }
        b = calloc(whole ? elements : (size_t)n, sizeof(*b));
        c = calloc(whole ? elements : (size_t)n, sizeof(*c));
        if (!b || !c)
                return 1;
        for (size_t i = 0; i < elements; i++)
                a[i] = (float)(i % 7);
        for (int i = 0; i < times; i++)
                if (whole)
                        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, a, n, b,
                                    n, 0, c, n);
                else
                        cblas_sgemv(CblasColMajor, CblasTrans, n, n, 1, a, n, b, 1, 0, c, 1);
        free(a);
        free(b);
        free(c);
        return 0;
}
