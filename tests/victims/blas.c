/* SPDX-License-Identifier: MIT */
/*
 * blas TIMES [ALPHA BETA]: calls OpenBLAS by CBLAS and by Fortran, each routine of each type TIMES
 * times, with m, n, k = 7, 5, 3 and one band below, two above. What that is in numbers, the test
 * works out.
 */
#include <cblas.h>
#include <f77blas.h>
#include <stdlib.h>

#define LD 16

static double alpha = 1, beta;
static blasint m = 7, n = 5, k = 3, below = 1, above = 2, ld = LD, one = 1, two = 2;
static char N[] = "N", T[] = "T", C[] = "C", U[] = "U", L[] = "L", R[] = "R";

#define ROW CblasRowMajor
#define COL CblasColMajor
#define NO  CblasNoTrans
#define TR  CblasTrans
#define CT  CblasConjTrans
#define UP  CblasUpper
#define LO  CblasLower
#define LE  CblasLeft
#define RI  CblasRight
#define NU  CblasNonUnit

/* The arrays are as large as any routine asks for, and hold what keeps all results finite. */
#define ARRAYS(type)                                                                               \
        static type a[2 * LD * LD], b[2 * LD * LD], c[2 * LD * LD], x[2 * LD], y[2 * LD],          \
                p[2 * LD * LD];                                                                    \
        type al[2] = {(type)alpha}, be[2] = {(type)beta}, res[2], r1 = al[0], r0 = be[0];          \
        for (int i = 0; i < 2 * LD * LD; i++)                                                      \
        a[i] = p[i] = i % (2 * LD + 2) ? 0 : 1

/* A is a scalar as CBLAS takes it. */
#define CBLAS_BOTH(t, A, B)                                                                        \
        do {                                                                                       \
                cblas_##t##gemm(COL, NO, NO, m, n, k, A, a, LD, b, LD, B, c, LD);                  \
                cblas_##t##gemm(ROW, TR, NO, m, n, k, A, a, LD, b, LD, B, c, LD);                  \
                cblas_##t##gemm(ROW, NO, CT, m, n, k, A, a, LD, b, LD, B, c, LD);                  \
                cblas_##t##symm(COL, LE, UP, m, n, A, a, LD, b, LD, B, c, LD);                     \
                cblas_##t##symm(ROW, RI, LO, m, n, A, a, LD, b, LD, B, c, LD);                     \
                cblas_##t##syrk(COL, UP, NO, n, k, A, a, LD, B, c, LD);                            \
                cblas_##t##syr2k(ROW, LO, TR, n, k, A, a, LD, b, LD, B, c, LD);                    \
                cblas_##t##trmm(COL, LE, UP, NO, NU, m, n, A, a, LD, b, LD);                       \
                cblas_##t##trsm(ROW, RI, LO, TR, NU, m, n, A, a, LD, b, LD);                       \
                cblas_##t##gemv(COL, NO, m, n, A, a, LD, x, 1, B, y, 2);                           \
                cblas_##t##gemv(ROW, TR, m, n, A, a, LD, x, -1, B, y, 1);                          \
                cblas_##t##gbmv(COL, NO, m, n, below, above, A, a, LD, x, 1, B, y, 1);             \
                cblas_##t##trmv(COL, UP, NO, NU, n, a, LD, x, 1);                                  \
                cblas_##t##trsv(COL, LO, TR, NU, n, a, LD, x, 1);                                  \
                cblas_##t##tbmv(COL, LO, NO, NU, n, below, a, LD, x, 1);                           \
                cblas_##t##tbsv(COL, LO, NO, NU, n, below, a, LD, x, 1);                           \
                cblas_##t##tpmv(COL, UP, NO, NU, n, p, x, 1);                                      \
                cblas_##t##tpsv(COL, UP, NO, NU, n, p, x, 1);                                      \
                cblas_##t##axpy(n, A, x, 1, y, 2);                                                 \
                cblas_##t##axpby(n, A, x, 1, B, y, 2);                                             \
                cblas_##t##scal(n, A, x, 1);                                                       \
                cblas_##t##copy(n, x, 1, y, 1);                                                    \
                cblas_##t##swap(n, x, 1, y, 1);                                                    \
                cblas_i##t##amax(n, x, 1);                                                         \
        } while (0)

#define CBLAS_REAL(t)                                                                              \
        do {                                                                                       \
                CBLAS_BOTH(t, r1, r0);                                                             \
                cblas_##t##symv(COL, UP, n, r1, a, LD, x, 1, r0, y, 1);                            \
                cblas_##t##sbmv(COL, UP, n, above, r1, a, LD, x, 1, r0, y, 1);                     \
                cblas_##t##spmv(COL, UP, n, r1, p, x, 1, r0, y, 1);                                \
                cblas_##t##ger(COL, m, n, r1, x, 1, y, 1, c, LD);                                  \
                cblas_##t##syr(ROW, UP, n, r1, x, 1, c, LD);                                       \
                cblas_##t##spr(COL, UP, n, r1, x, 1, b);                                           \
                cblas_##t##syr2(COL, UP, n, r1, x, 1, y, 1, c, LD);                                \
                cblas_##t##spr2(COL, UP, n, r1, x, 1, y, 1, b);                                    \
                cblas_##t##dot(n, x, 1, y, 1);                                                     \
                cblas_##t##nrm2(n, x, 1);                                                          \
                cblas_##t##asum(n, x, 1);                                                          \
                cblas_##t##rot(n, x, 1, y, 1, r1, r0);                                             \
        } while (0)

#define CBLAS_COMPLEX(t, r)                                                                        \
        do {                                                                                       \
                CBLAS_BOTH(t, al, be);                                                             \
                cblas_##t##gemm3m(COL, NO, NO, m, n, k, al, a, LD, b, LD, be, c, LD);              \
                cblas_##t##hemm(COL, RI, UP, m, n, al, a, LD, b, LD, be, c, LD);                   \
                cblas_##t##herk(COL, UP, NO, n, k, r1, a, LD, r0, c, LD);                          \
                cblas_##t##her2k(COL, UP, NO, n, k, al, a, LD, b, LD, r0, c, LD);                  \
                cblas_##t##hemv(COL, UP, n, al, a, LD, x, 1, be, y, 1);                            \
                cblas_##t##hbmv(COL, UP, n, above, al, a, LD, x, 1, be, y, 1);                     \
                cblas_##t##hpmv(COL, UP, n, al, p, x, 1, be, y, 1);                                \
                cblas_##t##geru(COL, m, n, al, x, 1, y, 1, c, LD);                                 \
                cblas_##t##gerc(ROW, m, n, al, x, 1, y, 1, c, LD);                                 \
                cblas_##t##her(COL, UP, n, r1, x, 1, c, LD);                                       \
                cblas_##t##hpr(COL, UP, n, r1, x, 1, b);                                           \
                cblas_##t##her2(COL, UP, n, al, x, 1, y, 1, c, LD);                                \
                cblas_##t##hpr2(COL, UP, n, al, x, 1, y, 1, b);                                    \
                cblas_##t##dotu_sub(n, x, 1, y, 1, res);                                           \
                cblas_##t##dotc_sub(n, x, 1, y, 1, res);                                           \
                cblas_##r##t##nrm2(n, x, 1);                                                       \
                cblas_##r##t##asum(n, x, 1);                                                       \
                cblas_##t##r##scal(n, r1, x, 1);                                                   \
        } while (0)

#define FORTRAN_BOTH(t)                                                                            \
        do {                                                                                       \
                t##gemm_(N, N, &m, &n, &k, al, a, &ld, b, &ld, be, c, &ld);                        \
                t##gemm_(T, C, &m, &n, &k, al, a, &ld, b, &ld, be, c, &ld);                        \
                t##symm_(R, U, &m, &n, al, a, &ld, b, &ld, be, c, &ld);                            \
                t##syrk_(L, T, &n, &k, al, a, &ld, be, c, &ld);                                    \
                t##syr2k_(U, N, &n, &k, al, a, &ld, b, &ld, be, c, &ld);                           \
                t##trmm_(R, U, N, N, &m, &n, al, a, &ld, b, &ld);                                  \
                t##trsm_(L, U, N, N, &m, &n, al, a, &ld, b, &ld);                                  \
                t##gemv_(T, &m, &n, al, a, &ld, x, &one, be, y, &two);                             \
                t##gbmv_(N, &m, &n, &below, &above, al, a, &ld, x, &one, be, y, &one);             \
                t##trmv_(U, N, N, &n, a, &ld, x, &one);                                            \
                t##trsv_(U, N, N, &n, a, &ld, x, &one);                                            \
                t##tbmv_(L, N, N, &n, &below, a, &ld, x, &one);                                    \
                t##tpmv_(U, N, N, &n, p, x, &one);                                                 \
                t##axpy_(&n, al, x, &one, y, &two);                                                \
                t##scal_(&n, al, x, &one);                                                         \
                t##copy_(&n, x, &one, y, &one);                                                    \
                t##swap_(&n, x, &one, y, &one);                                                    \
                i##t##amax_(&n, x, &one);                                                          \
        } while (0)

#define FORTRAN_REAL(t)                                                                            \
        do {                                                                                       \
                FORTRAN_BOTH(t);                                                                   \
                t##symv_(U, &n, al, a, &ld, x, &one, be, y, &one);                                 \
                t##sbmv_(U, &n, &above, al, a, &ld, x, &one, be, y, &one);                         \
                t##ger_(&m, &n, al, x, &one, y, &one, c, &ld);                                     \
                t##syr_(U, &n, al, x, &one, c, &ld);                                               \
                t##spr2_(U, &n, al, x, &one, y, &one, b);                                          \
                t##dot_(&n, x, &one, y, &one);                                                     \
                t##nrm2_(&n, x, &one);                                                             \
                t##asum_(&n, x, &one);                                                             \
                t##rot_(&n, x, &one, y, &one, &r1, &r0);                                           \
        } while (0)

#define FORTRAN_COMPLEX(t, r)                                                                      \
        do {                                                                                       \
                FORTRAN_BOTH(t);                                                                   \
                t##hemm_(L, U, &m, &n, al, a, &ld, b, &ld, be, c, &ld);                            \
                t##herk_(U, C, &n, &k, &r1, a, &ld, &r0, c, &ld);                                  \
                t##her2k_(U, N, &n, &k, al, a, &ld, b, &ld, &r0, c, &ld);                          \
                t##hemv_(U, &n, al, a, &ld, x, &one, be, y, &one);                                 \
                t##gerc_(&m, &n, al, x, &one, y, &one, c, &ld);                                    \
                t##her_(U, &n, &r1, x, &one, c, &ld);                                              \
                (void)t##dotu_(&n, x, &one, y, &one);                                              \
                r##t##nrm2_(&n, x, &one);                                                          \
                t##r##scal_(&n, &r1, x, &one);                                                     \
                t##r##rot_(&n, x, &one, y, &one, &r1, &r0);                                        \
        } while (0)

static void singles(void)
{
        ARRAYS(float);

        CBLAS_REAL(s);
        FORTRAN_REAL(s);
        CBLAS_COMPLEX(c, s);
        FORTRAN_COMPLEX(c, s);
        cblas_dsdot(n, x, 1, y, 1);
        cblas_sdsdot(n, 1, x, 1, y, 1);
        sdsdot_(&n, &r1, x, &one, y, &one);
}

static void doubles(void)
{
        ARRAYS(double);

        CBLAS_REAL(d);
        FORTRAN_REAL(d);
        CBLAS_COMPLEX(z, d);
        FORTRAN_COMPLEX(z, d);
}

int main(int argc, char **argv)
{
        if (argc > 3) {
                alpha = atof(argv[2]);
                beta = atof(argv[3]);
        }
        for (int i = argc > 1 ? atoi(argv[1]) : 1; i > 0; i--) {
                singles();
                doubles();
        }
        return 0;
}
