/* SPDX-License-Identifier: MIT */
/*
 * One row an op, by the name that ggml has for it (ggml_op_desc); RMS_NORM+MUL is infprof's name
 * for a fused pair. Operands lie as ggml lays them: extents innermost first, a product of src0
 * [k,m] and src1 [k,n] is [m,n], and src0 is repeated along the outer two where src1 has more
 * there.
 *
 * What is not in the table is not known, and neither is what does not fit its row.
 */
#include "common/flops.h"

#include <string.h>

typedef unsigned __int128 wide;

/* More than any sum needs to be, and far from an overflow of 128 bits. */
#define LIMIT ((wide)1 << 100)

static wide times(wide a, wide b)
{
        return a && b > LIMIT / a ? LIMIT : a * b;
}

static wide plus(wide a, wide b)
{
        return a + b > LIMIT ? LIMIT : a + b;
}

static wide elements(const struct shape_operand *o)
{
        return times(times(o->ne[0], o->ne[1]), times(o->ne[2], o->ne[3]));
}

static wide rows(const struct shape_operand *o)
{
        return times(o->ne[1], times(o->ne[2], o->ne[3]));
}

/* Are its extents such as can be? */
static bool is_sane(const struct shape_operand *o)
{
        for (int i = 0; i < 4; i++)
                if (!o->ne[i] || o->ne[i] > INT64_MAX)
                        return false;
        return true;
}

static bool is_quantised(const struct shape_operand *o)
{
        return o->block > 1;
}

/* So many elements, as that operand stores them; false: not known. */
static bool stored(const struct shape_operand *o, wide n, wide *ret)
{
        if (!o->block || !o->block_bytes || o->ne[0] % o->block)
                return false;
        *ret = times(n / o->block, o->block_bytes);
        return true;
}

static bool whole(const struct shape_operand *o, wide *ret)
{
        return stored(o, elements(o), ret);
}

/* ---- bytes ----------------------------------------------------------------------- */

/* Each operand once. */
static bool all_bytes(const struct shape *s, wide *ret, bool *ret_at_most)
{
        wide sum = 0, b;

        (void)ret_at_most;
        for (uint32_t i = 0; i < s->n; i++) {
                if (!whole(&s->at[i], &b))
                        return false;
                sum = plus(sum, b);
        }
        *ret = sum;
        return true;
}

static bool sum_of(const struct shape_operand *a, wide n_a, const struct shape_operand *b, wide n_b,
                   wide *ret)
{
        wide x, y;

        if (!stored(a, n_a, &x) || !stored(b, n_b, &y))
                return false;
        *ret = plus(x, y);
        return true;
}

/* What is copied to is a source as well. */
static bool copy_bytes(const struct shape *s, wide *ret, bool *ret_at_most)
{
        (void)ret_at_most;
        return sum_of(&s->at[1], elements(&s->at[1]), &s->at[0], elements(&s->at[0]), ret);
}

/* The rows that are looked up, their numbers, and the result. */
static bool get_rows_bytes(const struct shape *s, wide *ret, bool *ret_at_most)
{
        wide n = elements(&s->at[0]), rest, ids;

        (void)ret_at_most;
        if (s->n < 3 || !sum_of(&s->at[1], n, &s->at[0], n, &rest) || !whole(&s->at[2], &ids))
                return false;
        *ret = plus(rest, ids);
        return true;
}

/* The rows that are put, as they were and as they are, and their numbers. */
static bool set_rows_bytes(const struct shape *s, wide *ret, bool *ret_at_most)
{
        wide n, rest, ids;

        (void)ret_at_most;
        if (s->n < 3)
                return false;
        n = elements(&s->at[1]);
        if (!sum_of(&s->at[1], n, &s->at[0], n, &rest) || !whole(&s->at[2], &ids))
                return false;
        *ret = plus(rest, ids);
        return true;
}

/* Of the experts those that are used: no two are the same for one token, but may be for several. */
static bool experts_bytes(const struct shape *s, wide *ret, bool *ret_at_most)
{
        const struct shape_operand *w = &s->at[1], *ids = &s->at[3];
        wide used, x, y, z, matrices;

        if (s->n < 4)
                return false;
        used = times(ids->ne[0], ids->ne[1]);
        if (used > w->ne[2])
                used = w->ne[2];
        if (!stored(w, times(times(w->ne[0], w->ne[1]), used), &matrices) ||
            !whole(&s->at[2], &x) || !whole(ids, &y) || !whole(&s->at[0], &z))
                return false;
        *ret_at_most |= ids->ne[1] > 1;
        *ret = plus(plus(matrices, x), plus(y, z));
        return true;
}

/* Of the kernel only the extents count. */
static bool image_bytes(const struct shape *s, wide *ret, bool *ret_at_most)
{
        (void)ret_at_most;
        return s->n >= 3 &&
               sum_of(&s->at[2], elements(&s->at[2]), &s->at[0], elements(&s->at[0]), ret);
}

/* ---- FLOPs ----------------------------------------------------------------------- */

static bool product(const struct shape *s, wide *ret)
{
        const struct shape_operand *d = &s->at[0], *a = &s->at[1], *b = &s->at[2];

        if (s->n < 3 || a->ne[0] != b->ne[0] || d->ne[0] != a->ne[1] || d->ne[1] != b->ne[1] ||
            d->ne[2] != b->ne[2] || d->ne[3] != b->ne[3] || b->ne[2] % a->ne[2] ||
            b->ne[3] % a->ne[3])
                return false;
        *ret = times(times(2, a->ne[0]), elements(d));
        return true;
}

static bool expert_product(const struct shape *s, wide *ret)
{
        const struct shape_operand *d = &s->at[0], *a = &s->at[1], *b = &s->at[2], *ids = &s->at[3];

        if (s->n < 4 || a->ne[0] != b->ne[0] || d->ne[0] != a->ne[1] || d->ne[1] != ids->ne[0] ||
            d->ne[2] != ids->ne[1])
                return false;
        *ret = times(times(2, a->ne[0]), elements(d));
        return true;
}

static bool outer_product(const struct shape *s, wide *ret)
{
        const struct shape_operand *d = &s->at[0], *a = &s->at[1], *b = &s->at[2];

        if (s->n < 3 || a->ne[1] != b->ne[1] || d->ne[0] != a->ne[0] || d->ne[1] != b->ne[0])
                return false;
        *ret = times(times(2, a->ne[1]), elements(d));
        return true;
}

/* Scores q k, scaled and masked, their softmax (5 each), and the sum of v: as if no part was
 * skipped. */
static bool attention(const struct shape *s, wide *ret)
{
        const struct shape_operand *q = &s->at[1], *k = &s->at[2], *v = &s->at[3];
        wide scores, each;

        if (s->n < 4 || q->ne[0] != k->ne[0] || k->ne[1] != v->ne[1])
                return false;
        scores = times(rows(q), k->ne[1]);
        each = plus(plus(times(2, k->ne[0]), times(2, v->ne[0])), s->n > 4 ? 7 : 6);
        *ret = times(scores, each);
        return true;
}

static bool convolution(const struct shape *s, wide *ret)
{
        const struct shape_operand *d = &s->at[0], *k = &s->at[1], *x = &s->at[2];

        if (s->n < 3 || d->ne[2] != k->ne[3] || k->ne[2] != x->ne[2] || d->ne[3] != x->ne[3])
                return false;
        *ret = times(times(2, times(k->ne[0], times(k->ne[1], k->ne[2]))), elements(d));
        return true;
}

static bool depthwise_convolution(const struct shape *s, wide *ret)
{
        const struct shape_operand *d = &s->at[0], *k = &s->at[1];

        if (s->n < 3 || d->ne[2] != k->ne[3])
                return false;
        *ret = times(times(2, times(k->ne[0], k->ne[1])), elements(d));
        return true;
}

/* kernel [k,out,in], x [n,in] */
static bool transposed_convolution(const struct shape *s, wide *ret)
{
        const struct shape_operand *k = &s->at[1], *x = &s->at[2];

        if (s->n < 3 || k->ne[2] != x->ne[1])
                return false;
        *ret = times(times(2, times(k->ne[0], k->ne[1])), elements(x));
        return true;
}

/* A mask is one addition more. */
static bool softmax(const struct shape *s, wide *ret)
{
        if (s->n < 2)
                return false;
        *ret = times(s->n > 2 ? 6 : 5, elements(&s->at[0]));
        return true;
}

/* Squares and their sum, and the scaling; mean, epsilon and root of each row. */
static bool rms_norm(const struct shape *s, wide *ret)
{
        *ret = plus(times(3, elements(&s->at[0])), times(3, rows(&s->at[0])));
        return s->n >= 2;
}

static bool rms_norm_mul(const struct shape *s, wide *ret)
{
        *ret = plus(times(4, elements(&s->at[0])), times(3, rows(&s->at[0])));
        return s->n >= 3;
}

/* Sum, difference, squares and their sum, scaling; two means, epsilon and root of each row. */
static bool norm(const struct shape *s, wide *ret)
{
        *ret = plus(times(5, elements(&s->at[0])), times(4, rows(&s->at[0])));
        return s->n >= 2;
}

/* A quantised element is one multiplication to read and three operations to make: the greatest of
 * its block is sought, and it is scaled and rounded. */
static bool conversion(const struct shape *s, wide *ret)
{
        wide n;

        if (s->n < 2)
                return false;
        n = elements(&s->at[1]);
        *ret = plus(is_quantised(&s->at[1]) ? n : 0, is_quantised(&s->at[0]) ? times(3, n) : 0);
        return true;
}

static bool looked_up(const struct shape *s, wide *ret)
{
        if (s->n < 3)
                return false;
        *ret = is_quantised(&s->at[1]) ? elements(&s->at[0]) : 0;
        return true;
}

/* ---- the table ------------------------------------------------------------------- */

#define GGML  "semantics of the op in ggml"
#define DEF   "the function's definition, operation by operation"
#define LAWN  "2mnp for a product of m x p and p x n: LAPACK Working Note 41, table of GEMM"
#define CONV  "Dumoulin and Visin 2016, arXiv:1603.07285"
#define MOVES "moves, and computes nothing"

static const struct row {
        const char *op;
        bool (*flops)(const struct shape *s, wide *ret);
        unsigned each; /* where there is no function: of each element */
        enum { OF_RESULT, OF_SOURCE } of;
        bool (*bytes)(const struct shape *s, wide *ret, bool *ret_at_most); /* NULL: all_bytes */
        const char *source;
} table[] = {
        {"MUL_MAT", product, .source = LAWN},
        {"MUL_MAT_ID", expert_product, .bytes = experts_bytes,
         .source = LAWN "; one product for each expert that a token uses: Shazeer et al. 2017, "
                        "arXiv:1701.06538"},
        {"OUT_PROD", outer_product, .source = LAWN},
        {"FLASH_ATTN_EXT", attention,
         .source = "softmax(q k^T) v: Vaswani et al. 2017, arXiv:1706.03762; 4 n_q n_kv d for the "
                   "two "
                   "products: Dao 2023, arXiv:2307.08691"},
        {"SOFT_MAX", softmax, .source = DEF ": greatest, difference, exp, sum, quotient"},
        {"RMS_NORM", rms_norm, .source = "Zhang and Sennrich 2019, arXiv:1910.07467"},
        {"RMS_NORM+MUL", rms_norm_mul, .source = "Zhang and Sennrich 2019, arXiv:1910.07467"},
        {"NORM", norm, .source = "Ba, Kiros and Hinton 2016, arXiv:1607.06450"},
        {"L2_NORM", rms_norm, .source = DEF},
        {"ROPE", .each = 3,
         .source = "a rotation of each pair is 4 products and 2 sums: Su et al. 2021, "
                   "arXiv:2104.09864; angles are taken as tabled"},
        {"GET_ROWS", looked_up, .bytes = get_rows_bytes, .source = GGML ": a table's rows"},
        {"SET_ROWS", conversion, .bytes = set_rows_bytes, .source = GGML ": a table's rows"},
        {"CPY", conversion, .bytes = copy_bytes, .source = GGML ": a copy, with conversion"},
        {"CONT", conversion, .bytes = copy_bytes, .source = GGML ": a copy"},
        {"DUP", conversion, .bytes = copy_bytes, .source = GGML ": a copy"},
        {"CONCAT", .each = 0, .source = MOVES},
        {"REPEAT", .each = 0, .source = MOVES},
        {"PAD", .each = 0, .source = MOVES},
        {"DIAG_MASK_INF", .each = 0, .source = MOVES},
        {"IM2COL", .each = 0, .bytes = image_bytes, .source = MOVES},
        {"CONV_2D", convolution, .source = CONV},
        {"CONV_2D_DW", depthwise_convolution, .source = CONV},
        {"CONV_TRANSPOSE_1D", transposed_convolution, .source = CONV},
        {"ADD", .each = 1, .source = DEF},
        {"ADD1", .each = 1, .source = DEF},
        {"SUB", .each = 1, .source = DEF},
        {"MUL", .each = 1, .source = DEF},
        {"DIV", .each = 1, .source = DEF},
        {"SCALE", .each = 1, .source = DEF},
        {"SQR", .each = 1, .source = DEF},
        {"SQRT", .each = 1, .source = DEF},
        {"LOG", .each = 1, .source = DEF},
        {"SIN", .each = 1, .source = DEF},
        {"COS", .each = 1, .source = DEF},
        {"CLAMP", .each = 2, .source = DEF},
        {"SUM", .each = 1, .of = OF_SOURCE, .source = DEF},
        {"SUM_ROWS", .each = 1, .of = OF_SOURCE, .source = DEF},
        {"MEAN", .each = 1, .of = OF_SOURCE, .source = DEF},
        {"ARGMAX", .each = 1, .of = OF_SOURCE, .source = DEF ": a comparison each"},
        {"ABS", .each = 1, .source = DEF},
        {"NEG", .each = 1, .source = DEF},
        {"EXP", .each = 1, .source = DEF},
        {"TANH", .each = 1, .source = DEF},
        {"RELU", .each = 1, .source = DEF},
        {"SIGMOID", .each = 4, .source = DEF ": 1 / (1 + exp(-x))"},
        {"SILU", .each = 5, .source = "x sigmoid(x): Elfwing et al. 2017, arXiv:1702.03118"},
        {"GELU", .each = 9,
         .source = "x/2 (1 + tanh(a x (1 + b x^2))): Hendrycks and Gimpel 2016, arXiv:1606.08415"},
        {"GELU_QUICK", .each = 6, .source = "x sigmoid(a x): arXiv:1606.08415"},
        {"GELU_ERF", .each = 5, .source = "x/2 (1 + erf(x/sqrt(2))): arXiv:1606.08415"},
        {"REGLU", .each = 2, .source = "Shazeer 2020, arXiv:2002.05202"},
        {"SWIGLU", .each = 6, .source = "silu(a) b: Shazeer 2020, arXiv:2002.05202"},
        {"GEGLU", .each = 10, .source = "gelu(a) b: Shazeer 2020, arXiv:2002.05202"},
        {"GEGLU_QUICK", .each = 7, .source = "Shazeer 2020, arXiv:2002.05202"},
        {"GEGLU_ERF", .each = 6, .source = "Shazeer 2020, arXiv:2002.05202"},
};
#define N_ROWS (sizeof(table) / sizeof(table[0]))

static const struct row *row_of(const char *op)
{
        for (size_t i = 0; i < N_ROWS; i++)
                if (!strcmp(op, table[i].op))
                        return &table[i];
        return NULL;
}

static bool by_element(const struct row *row, const struct shape *s, wide *ret)
{
        if (s->n < 2)
                return false;
        *ret = times(row->each, elements(&s->at[row->of == OF_SOURCE]));
        return true;
}

static uint64_t told(wide v, bool *saturated)
{
        *saturated |= v > INT64_MAX;
        return v > INT64_MAX ? INT64_MAX : (uint64_t)v;
}

struct work_amount flops_of(const struct shape *s)
{
        const struct row *row = row_of(s->op);
        struct work_amount w = {0};
        wide flops, bytes;

        if (!row || !s->n || s->n > SHAPE_MAX)
                return w;
        for (uint32_t i = 0; i < s->n; i++)
                if (!is_sane(&s->at[i]))
                        return w;
        w.flops_known = row->flops ? row->flops(s, &flops) : by_element(row, s, &flops);
        if (!w.flops_known)
                return w; /* it is not what its row is of */
        w.flops = told(flops, &w.saturated);
        w.bytes_known = (row->bytes ? row->bytes : all_bytes)(s, &bytes, &w.bytes_at_most);
        w.bytes = w.bytes_known ? told(bytes, &w.saturated) : 0;
        w.bytes_at_most &= w.bytes_known;
        return w;
}

const char *flops_source(const char *op)
{
        const struct row *row = row_of(op);

        return row ? row->source : NULL;
}

const char *flops_op(size_t i)
{
        return i < N_ROWS ? table[i].op : NULL;
}
