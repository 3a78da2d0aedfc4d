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
        case BLAS_GBMV:
                return 4;
        case BLAS_GEMM:
        case BLAS_SYRK:
        case BLAS_SYR2K:
        case BLAS_GEMMT:
        case BLAS_SBMV:
        case BLAS_TBMV:
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

typedef unsigned __int128 u128;

/* min(bound, 1) + ... + min(bound, n) */
static u128 ramp(uint64_t n, uint64_t bound)
{
        u128 rising = n < bound ? n : bound;

        return rising * (rising + 1) / 2 + (n - rising) * bound;
}

/* Elements of an m x n matrix that lie in its band: not so far below or above the diagonal. No more
 * than INT64_MAX each, so that nothing overflows. */
static uint64_t band(uint64_t m, uint64_t n, uint64_t below, uint64_t above)
{
        u128 out = 0;

        if (m > below + 1)
                out += ramp(m - 1 - below, n);
        if (n > above + 1)
                out += ramp(n - 1 - above, m);
        return amount_clamp((u128)m * n - out);
}

static uint64_t sum3(uint64_t a, uint64_t b, uint64_t c)
{
        return amount_add(amount_add(a, b), c);
}

static bool has_m(unsigned what)
{
        return what == BLAS_GEMM || what == BLAS_SYMM || what == BLAS_TRMM || what == BLAS_GEMV ||
               what == BLAS_GBMV || what == BLAS_GER;
}

/*
 * What is only read or only written is one element, what is changed in place two. Whether C or y is
 * read for beta is not known, and not counted; of what is symmetric or triangular, one half is.
 */
static struct count count(unsigned what, uint64_t m, uint64_t n, uint64_t k, uint64_t fourth)
{
        uint64_t order = fourth ? n : m, other = fourth ? m : n, mn = amount_mul(m, n), in;

        if (!n || (!m && has_m(what))) /* the reference returns at once */
                return (struct count){0};
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
        case BLAS_ZERO:
                return (struct count){0, 0, n};
        case BLAS_GEMMT:
                return (struct count){amount_mul(k, half(n)), amount_mul(k, half(n)),
                                      amount_add(amount_mul3(2, n, k), half(n))};
        case BLAS_GBMV:
                in = band(m, n, k, fourth);
                return (struct count){in, in, sum3(in, m, n)};
        case BLAS_SBMV:
                in = band(n, n, k, k);
                return (struct count){in, in, sum3(band(n, n, k, 0), n, n)};
        case BLAS_TBMV:
                in = band(n, n, k, 0);
                return (struct count){in, in < AMOUNT_MANY ? in - n : in, sum3(in, n, n)};
        case BLAS_SYR:
                return (struct count){half(n), half(n), sum3(half(n), half(n), n)};
        case BLAS_SYR2:
                return (struct count){amount_mul(2, half(n)), amount_mul(2, half(n)),
                                      amount_add(amount_mul(2, half(n)), amount_mul(2, n))};
        case BLAS_AXPBY:
                return (struct count){amount_mul(2, n), n, amount_mul(3, n)};
        case BLAS_SWAP:
                return (struct count){0, 0, amount_mul(4, n)};
        case BLAS_ROT: /* by real numbers: a complex element is two reals */
                return (struct count){0, amount_mul(6, n), amount_mul(4, n)};
        case BLAS_REAL_SCAL:
                return (struct count){0, n, amount_mul(2, n)};
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
                     s->n_params > 2 ? (uint64_t)s->params[2] : 0,
                     s->n_params > 3 ? (uint64_t)s->params[3] : 0);
}

bool fits_blas(const struct shape *s)
{
        uint32_t n = s->n_params < SHAPE_PARAMS ? s->n_params : SHAPE_PARAMS;

        for (uint32_t i = 0; i < n; i++)
                if (s->params[i] < 0)
                        return false;
        return s->n && s->at[0].type[0] && s->n_params <= SHAPE_PARAMS;
}

bool fits_blas_sided(const struct shape *s)
{
        return fits_blas(s) && (s->n_params < 4 || s->params[3] <= 1);
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
