/* SPDX-License-Identifier: MIT */
/* blas CALLS: calls what looks like cblas_sgemm, of some shapes in turns, and prints the ns a call.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "blas.h"

static uint64_t now_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int main(int argc, char **argv)
{
        long calls = argc > 1 ? atol(argv[1]) : 1;
        float x = 0;
        uint64_t since;

        for (int n = 8; n < 16; n++)
                cblas_sgemm(101, 111, 112, 8, n, 8, 1, &x, 8, &x, 8, 0, &x, 16);
        since = now_ns();
        for (long i = 0; i < calls; i++)
                cblas_sgemm(101, 111, 112, 8, 8 + (int)(i % 8), 8, 1, &x, 8, &x, 8, 0, &x, 16);
        printf("%.3f\n", (double)(now_ns() - since) / (double)calls);
        return 0;
}
