/* SPDX-License-Identifier: MIT */
/*
 * blas-loop gemm|gemv|turned N TIMES: one routine of OpenBLAS again and again, on N x N matrices of
 * f32. gemm is bound by arithmetic, gemv by where the matrix comes from; turned multiplies matrices
 * of N x 2N and 2N x N, as they are and both transposed, which is twice as much work on the same.
 */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int n;
static float *a, *b, *c;

static void gemm(void)
{
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, a, n, b, n, 0, c, n);
}

static void gemv(void)
{
        cblas_sgemv(CblasColMajor, CblasTrans, n, n, 1, a, n, b, 1, 0, c, 1);
}

static void turned(void)
{
        cblas_sgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, n, n, 2 * n, 1, a, n, b, 2 * n, 0, c,
                    n);
        cblas_sgemm(CblasColMajor, CblasTrans, CblasTrans, 2 * n, 2 * n, n, 1, a, n, b, 2 * n, 0, c,
                    2 * n);
}

int main(int argc, char **argv)
{
        static const struct {
                const char *name;
                void (*run)(void);
                size_t factor; /* of n * n elements */
        } ways[] = {{"gemm", gemm, 1}, {"gemv", gemv, 1}, {"turned", turned, 4}};
        size_t way = 0, elements;

        while (way < 3 && argc == 4 && strcmp(argv[1], ways[way].name) != 0)
                way++;
        n = argc == 4 ? atoi(argv[2]) : 0;
        if (n < 1 || way == 3) {
                fprintf(stderr, "usage: blas-loop gemm|gemv|turned N TIMES\n");
                return 2;
        }
        elements = ways[way].factor * (size_t)n * (size_t)n;
        a = aligned_alloc(64, (elements * 4 + 63) / 64 * 64);
        b = calloc(elements, sizeof(*b));
        c = calloc(elements, sizeof(*c));
        if (!a || !b || !c)
                return 1;
        for (size_t i = 0; i < elements; i++)
                a[i] = (float)(i % 7);
        for (int i = atoi(argv[3]); i > 0; i--)
                ways[way].run();
        free(a);
        free(b);
        free(c);
        return 0;
}
