/* SPDX-License-Identifier: MIT */
/*
 * Rules for the BLAS, from m, n and k. LAPACK Working Note 41 counts products and sums apart, so
 * that complex ones are 6 and 2 of the real ones. Lengths of 0 are allowed there, and are no work.
 */
#include "common/flops-private.h"

#include "common/amount.h"

struct count {
        uint64_t products, sums, elements;
};

/* How many of the parameters must be there. */
static uint32_t needs(unsigned what)
{
        switch (what) {
        case BLAS_SYMM:
        case BLAS_TRMM:
                return 4;
        case BLAS_GEMM:
        case BLAS_SYRK:
        case BLAS_SYR2K:
                return 3;
        default:
                return 2;
        }
}

/* n (n + 1) / 2: the half of a matrix with its diagonal. */
static uint64_t half(uint64_t n)
{
        return amount_clamp((unsigned __int128)n * (n + 1) / 2);
}

/* n (n - 1) / 2 */
static uint64_t half_less(uint64_t n)
{
        return n ? half(n - 1) : 0;
}

static uint64_t sum3(uint64_t a, uint64_t b, uint64_t c)
{
        return amount_add(amount_add(a, b), c);
}

/*
 * What is only read or only written is one element, what is changed in place two. Whether C or y is
 * read for beta is not known, and not counted; of what is symmetric or triangular, one half is.
 */
static struct count count(unsigned what, uint64_t m, uint64_t n, uint64_t k, bool right)
{
        uint64_t order = right ? n : m, other = right ? m : n, mn = amount_mul(m, n);

        switch (what) {
        case BLAS_GEMM:
                return (struct count){amount_mul(mn, k), amount_mul(mn, k),
                                      sum3(amount_mul(m, k), amount_mul(k, n), mn)};
        case BLAS_SYMM:
                return (struct count){amount_mul(mn, order), amount_mul(mn, order),
                                      sum3(half(order), mn, mn)};
        case BLAS_SYRK:
                return (struct count){amount_mul(k, half(n)), amount_mul(k, half(n)),
                                      amount_add(amount_mul(n, k), half(n))};
        case BLAS_SYR2K:
                return (struct count){amount_mul3(k, n, n), amount_add(amount_mul3(k, n, n), n),
                                      amount_add(amount_mul3(2, n, k), half(n))};
        case BLAS_TRMM:
                return (struct count){amount_mul(other, half(order)),
                                      amount_mul(other, half_less(order)),
                                      sum3(half(order), mn, mn)};
        case BLAS_GEMV:
                return (struct count){mn, mn, sum3(mn, m, n)};
        case BLAS_GER:
                return (struct count){mn, mn, sum3(amount_mul(2, mn), m, n)};
        case BLAS_SYMV:
                return (struct count){amount_mul(n, n), amount_mul(n, n), sum3(half(n), n, n)};
        case BLAS_TRMV:
                return (struct count){half(n), half_less(n), sum3(half(n), n, n)};
        case BLAS_AXPY:
                return (struct count){n, n, amount_mul(3, n)};
        case BLAS_DOT:
                return (struct count){n, n, amount_mul(2, n)};
        case BLAS_SCAL:
                return (struct count){n, 0, amount_mul(2, n)};
        case BLAS_COPY:
                return (struct count){0, 0, amount_mul(2, n)};
        case BLAS_SUM: /* nrm2: square and add; asum: abs and add; a complex one is two reals */
        default:
                return (struct count){0, amount_mul(2, n), n};
        }
}

static struct count count_of(const struct flops_row *row, const struct shape *s)
{
        if (s->n_params < needs(row->each))
                return (struct count){AMOUNT_UNKNOWN, AMOUNT_UNKNOWN, AMOUNT_UNKNOWN};
        return count(row->each, (uint64_t)s->params[0], (uint64_t)s->params[1],
                     s->n_params > 2 ? (uint64_t)s->params[2] : 0, s->n_params > 3 && s->params[3]);
}

bool fits_blas(const struct shape *s)
{
        uint32_t n = s->n_params < SHAPE_PARAMS ? s->n_params : SHAPE_PARAMS;

        for (uint32_t i = 0; i < n; i++)
                if (s->params[i] < 0)
                        return false;
        return s->n && s->at[0].type[0] && s->n_params <= SHAPE_PARAMS &&
               (s->n_params < 4 || s->params[3] <= 1);
}

uint64_t flops_blas(const struct flops_row *row, const struct shape *s)
{
        struct count c = count_of(row, s);
        bool complex = s->at[0].type[0] == 'c';

        return amount_add(amount_mul(complex ? 6 : 1, c.products),
                          amount_mul(complex ? 2 : 1, c.sums));
}

uint64_t bytes_blas(const struct flops_row *row, const struct shape *s)
{
        if (s->at[0].block != 1 || !s->at[0].block_bytes)
                return AMOUNT_UNKNOWN;
        return amount_mul(s->at[0].block_bytes, count_of(row, s).elements);
}
