/* SPDX-License-Identifier: MIT */
/* gemm N: the GFLOP/s of OpenBLAS's dgemm of N x N matrices, and the GB/s of a copy of 256 MiB by
 * memcpy, both at one thread; the best of some. */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TIMES 10
#define BYTES (256ul << 20)

static double now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
        int n = argc > 1 ? atoi(argv[1]) : 1024;
        size_t elements = (size_t)n * (size_t)n;
        double *a = malloc(elements * 8), *b = malloc(elements * 8), *c = malloc(elements * 8);
        char *from = malloc(BYTES), *to = malloc(BYTES);
        double gemm = 0, copy = 0;

        if (!a || !b || !c || !from || !to)
                return 1;
        for (size_t i = 0; i < elements; i++) {
                a[i] = (double)(i % 7);
                b[i] = (double)(i % 5);
        }
        memset(from, 1, BYTES);
        memset(to, 2, BYTES);
        for (int i = 0; i < TIMES; i++) {
                double since = now(), took;

                cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, a, n, b, n, 0, c,
                            n);
                took = now() - since;
                gemm = 2.0 * n * n * n / took > gemm ? 2.0 * n * n * n / took : gemm;
                since = now();
                memcpy(to, from, BYTES);
                __asm__ volatile("" : : "r"(to) : "memory");
                took = now() - since;
                copy = 2.0 * BYTES / took > copy ? 2.0 * BYTES / took : copy;
        }
        printf("{\"gflops\": %.3f, \"gbps\": %.3f}\n", gemm * 1e-9, copy * 1e-9);
        return 0;
}
