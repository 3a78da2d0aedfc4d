/* SPDX-License-Identifier: MIT */
/* Calls what looks like a BLAS: with integers that 32 bits do not hold, nested, and not at all fit.
 */
#include "blas-wide.h"

int main(void)
{
        long m = 5000000000, n = 3, k = 2, ld = 6000000000;
        int few = 4, many = 9, negative = -1, short_ld = 3;
        double one = 1, a = 0, b = 0, c = 0;
        float f = 0;

        dgemm_64_("N", "T", &m, &n, &k, &one, &a, &ld, &b, &ld, &one, &c, &ld);
        dgemm64_("N", "T", &m, &n, &k, &one, &a, &ld, &b, &ld, &one, &c, &ld);
        scipy_dgemm_64_("N", "T", &m, &n, &k, &one, &a, &ld, &b, &ld, &one, &c, &ld);
        cblas_dgemm_64(102, 111, 112, m, n, k, 1, &a, ld, &b, ld, 1, &c, ld);
        cblas_dgemm64_(102, 111, 112, m, n, k, 1, &a, ld, &b, ld, 1, &c, ld);
        scipy_cblas_dgemm64_(102, 111, 112, m, n, k, 1, &a, ld, &b, ld, 1, &c, ld);
        cblas_dgemm(101, 111, 111, 4, 9, 4, 1, &a, 4, &b, 9, 1, &c, 9);
        cblas_dgemm(101, 111, 111, 4, 9, 4, 1, &a, 4, &b, 9, 1, &c, 9);
        dgemm_("N", "N", &few, &many, &few, &one, &a, &few, &b, &few, &one, &c, &few);
        dgemm_("N", "N", &few, &many, &few, &one, &a, &short_ld, &b, &few, &one, &c, &few);
        dgemm_("N", "N", &negative, &many, &few, &one, &a, &few, &b, &few, &one, &c, &few);
        cblas_sgemmt(102, 121, 111, 111, 6, 4, 1, &f, 6, &f, 4, 0, &f, 6);
        cblas_dgemm_batch(101, 1);
        return c == 12345;
}
