/* SPDX-License-Identifier: MIT */
/*
 * What a call of BLAS was done on. Extents are those of what is stored, the innermost first:
 * column-major m x k is [m,k], row-major [k,m]; strides come from leading dimensions and
 * increments. Parameters are m, n, k and side, or m, n and the bands below and above
 * (common/flops.h).
 */
#include "preload/engine-blas.h"

struct operands {
        const struct ifp_blas *r;
        int64_t m, n, k, below, above, ld[3], inc[2];
        bool row_major, ta, tb, right, has_m;
        bool refused; /* a leading dimension is too small: BLAS does nothing */
        uint32_t n_ld, n_inc;
        struct ifp_shape *to;
};

static bool is_transposed(const struct operands *b, int64_t flag)
{
        return b->r->cblas ? flag == 112 || flag == 113
                           : flag == 'T' || flag == 't' || flag == 'C' || flag == 'c';
}

static void take(struct operands *b, char letter, int64_t v)
{
        switch (letter) {
        case 's':
                b->right = b->r->cblas ? v == 142 : v == 'R' || v == 'r';
                break;
        case 't':
                b->ta = is_transposed(b, v);
                break;
        case 'T':
                b->tb = is_transposed(b, v);
                break;
        case 'm':
                b->m = v;
                b->has_m = true;
                break;
        case 'n':
                b->n = v;
                break;
        case 'k':
                b->k = v;
                break;
        case 'K':
                b->below = v;
                break;
        case 'U':
                b->above = v;
                break;
        case 'l':
                b->ld[b->n_ld++] = v;
                break;
        default:
                b->inc[b->n_inc++] = v;
        }
}

static void array(struct operands *b, int64_t inner, int64_t outer, uint64_t stride,
                  uint64_t outer_stride)
{
        struct ifp_operand *o = &b->to->at[b->to->n_operands++];

        o->ne[0] = (uint64_t)inner;
        o->ne[1] = (uint64_t)outer;
        o->ne[2] = o->ne[3] = 1;
        o->nb[0] = stride;
        o->nb[1] = outer_stride;
        o->nb[2] = o->nb[3] = outer_stride * (uint64_t)outer;
        o->type = b->r->type;
}

static void matrix(struct operands *b, int64_t n_rows, int64_t n_columns, int64_t ld)
{
        int64_t inner = b->row_major ? n_columns : n_rows;

        b->refused |= ld < (inner > 1 ? inner : 1);
        array(b, b->row_major ? n_columns : n_rows, b->row_major ? n_rows : n_columns, b->r->bytes,
              (uint64_t)ld * b->r->bytes);
}

/* The diagonals of a band lie side by side. */
static void band(struct operands *b, int64_t n_diagonals, int64_t n, int64_t ld)
{
        b->refused |= ld < n_diagonals;
        array(b, n_diagonals, n, b->r->bytes, (uint64_t)ld * b->r->bytes);
}

/* Half a matrix, without the rest. */
static void packed(struct operands *b, int64_t n)
{
        int64_t half = n < INT32_MAX ? n * (n + 1) / 2 : INT64_MAX;

        array(b, half, 1, b->r->bytes, (uint64_t)half * b->r->bytes);
}

static void vector(struct operands *b, int64_t n, uint32_t which)
{
        int64_t inc = b->inc[which] < 0 ? -b->inc[which] : b->inc[which];

        array(b, n, 1, (uint64_t)inc * b->r->bytes, (uint64_t)inc * b->r->bytes * (uint64_t)n);
}

/* Of level 3: the result, then the sources. */
static void put_matrices(struct operands *b)
{
        int64_t order = b->right ? b->n : b->m;

        switch (b->r->row->what) {
        case IFP_BLAS_GEMM:
        case IFP_BLAS_GEMMT:
                matrix(b, b->m, b->n, b->ld[2]);
                matrix(b, b->ta ? b->k : b->m, b->ta ? b->m : b->k, b->ld[0]);
                matrix(b, b->tb ? b->n : b->k, b->tb ? b->k : b->n, b->ld[1]);
                break;
        case IFP_BLAS_SYMM:
                matrix(b, b->m, b->n, b->ld[2]);
                matrix(b, order, order, b->ld[0]);
                matrix(b, b->m, b->n, b->ld[1]);
                break;
        case IFP_BLAS_TRMM:
                matrix(b, b->m, b->n, b->ld[1]);
                matrix(b, order, order, b->ld[0]);
                matrix(b, b->m, b->n, b->ld[1]);
                break;
        default: /* syrk, syr2k */
                matrix(b, b->n, b->n, b->ld[b->n_ld - 1]);
                for (uint32_t i = 0; i + 1 < b->n_ld; i++)
                        matrix(b, b->ta ? b->k : b->n, b->ta ? b->n : b->k, b->ld[i]);
        }
}

static void put_half(struct operands *b)
{
        switch (b->r->row->what) {
        case IFP_BLAS_SBMV:
        case IFP_BLAS_TBMV:
                band(b, b->k + 1, b->n, b->ld[0]);
                break;
        case IFP_BLAS_SPMV:
        case IFP_BLAS_TPMV:
        case IFP_BLAS_SPR:
        case IFP_BLAS_SPR2:
                packed(b, b->n);
                break;
        default:
                matrix(b, b->n, b->n, b->ld[0]);
        }
}

/* Of level 2. */
static void put_matrix_and_vectors(struct operands *b)
{
        switch (b->r->row->what) {
        case IFP_BLAS_GEMV:
                vector(b, b->ta ? b->n : b->m, 1);
                matrix(b, b->m, b->n, b->ld[0]);
                vector(b, b->ta ? b->m : b->n, 0);
                break;
        case IFP_BLAS_GBMV:
                vector(b, b->ta ? b->n : b->m, 1);
                band(b, b->below + b->above + 1, b->row_major ? b->m : b->n, b->ld[0]);
                vector(b, b->ta ? b->m : b->n, 0);
                break;
        case IFP_BLAS_GER:
                matrix(b, b->m, b->n, b->ld[0]);
                vector(b, b->m, 0);
                vector(b, b->n, 1);
                break;
        case IFP_BLAS_SYR:
        case IFP_BLAS_SPR:
        case IFP_BLAS_SYR2:
        case IFP_BLAS_SPR2:
                put_half(b);
                for (uint32_t i = 0; i < b->n_inc; i++)
                        vector(b, b->n, i);
                break;
        default: /* A x, to y or to x */
                vector(b, b->n, b->n_inc - 1);
                put_half(b);
                vector(b, b->n, 0);
        }
}

static void put_vectors(struct operands *b)
{
        switch (b->r->row->what) {
        case IFP_BLAS_DOT:
                array(b, 1, 1, b->r->bytes, b->r->bytes);
                vector(b, b->n, 0);
                vector(b, b->n, 1);
                break;
        case IFP_BLAS_ONE:
        case IFP_BLAS_CHANGE:
                vector(b, b->n, 0);
                break;
        case IFP_BLAS_COPY:
                vector(b, b->n, 1);
                vector(b, b->n, 0);
                break;
        default:
                vector(b, b->n, 1);
                vector(b, b->n, 0);
                vector(b, b->n, 1);
        }
}

/* How many elements of the result beta is a factor of. */
static int64_t n_results(const struct operands *b)
{
        switch (b->r->row->what) {
        case IFP_BLAS_GEMM:
        case IFP_BLAS_SYMM:
        case IFP_BLAS_TRMM:
                return b->n && b->m > INT64_MAX / b->n ? INT64_MAX : b->m * b->n;
        case IFP_BLAS_GEMMT:
        case IFP_BLAS_SYRK:
        case IFP_BLAS_SYR2K:
                return b->n < INT32_MAX ? b->n * (b->n + 1) / 2 : INT64_MAX;
        case IFP_BLAS_GEMV:
        case IFP_BLAS_GBMV:
                return b->ta ? b->n : b->m;
        default:
                return b->n;
        }
}

/* Of a product by 0 there is no more than what becomes of the result. */
static void put_scaled(const struct operands *b, enum ifp_scaled scaled)
{
        struct ifp_shape *to = b->to;

        to->n_operands = 1;
        to->formula = scaled == IFP_ZEROED ? b->r->zeroed : b->r->scaled;
        to->n_params = 2;
        to->params[0] = 0;
        to->params[1] = scaled == IFP_LEFT_ALONE ? 0 : n_results(b);
}

bool ifp_blas_shape(const struct ifp_call *call, const int64_t *args, enum ifp_scaled scaled,
                    struct ifp_shape *ret)
{
        const struct ifp_blas *r = (const void *)call; /* its first member */
        struct operands b = {.r = r, .to = ret};
        enum ifp_blas_what what = r->row->what;
        uint32_t i = 0;

        ifp_blas_ask();
        if (r->cblas && !ifp_blas_is_vector(r->row))
                b.row_major = args[i++] == 101;
        for (const char *letter = r->row->args; *letter; letter++)
                if (ifp_blas_keeps(*letter))
                        take(&b, *letter, args[i++]);
        if (!b.has_m)
                b.m = b.n;
        if (b.m < 0 || b.n < 0 || b.k < 0 || b.below < 0 || b.above < 0)
                return false;
        if (what <= IFP_BLAS_TRMM)
                put_matrices(&b);
        else if (ifp_blas_is_vector(r->row))
                put_vectors(&b);
        else
                put_matrix_and_vectors(&b);
        if (b.refused)
                return false;
        if (scaled) {
                put_scaled(&b, scaled);
                return true;
        }
        ret->formula = r->formula;
        ret->n_params = 4;
        ret->params[0] = b.m;
        ret->params[1] = b.n;
        ret->params[2] = what == IFP_BLAS_GBMV ? b.below : b.k;
        ret->params[3] = what == IFP_BLAS_GBMV ? b.above : b.right;
        return true;
}
