/* SPDX-License-Identifier: MIT */
#include "declared.h"

double many(double a, double b, double c, double d, double e, double f, double g, double h,
            const void *p, int32_t m, uint32_t n, int64_t k, uint64_t l, const void *q, double i,
            int32_t last)
{
        return i * last;
}

void by_address(const int32_t *m, const int64_t *n, const float *alpha)
{
        __asm__ volatile("" ::: "memory");
}

void plain(int64_t n)
{
        __asm__ volatile("" ::: "memory");
}

int none(void)
{
        return 7;
}
