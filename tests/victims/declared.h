/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

/* Five integers in registers, one behind them on the stack, and before it the ninth of nine
 * doubles. */
double many(double a, double b, double c, double d, double e, double f, double g, double h,
            const void *p, int32_t m, uint32_t n, int64_t k, uint64_t l, const void *q, double i,
            int32_t last);
void by_address(const int32_t *m, const int64_t *n, const float *alpha);
void plain(int64_t n);
int none(void);
