/* SPDX-License-Identifier: MIT */
/*
 * Rules for what is made of matrix products: products, attention, convolution, and recurrences over
 * a state. Each `fits` asks of the operands what the op's constructor in ggml.c asserts.
 */
#include "common/flops-private.h"

#include "common/amount.h"

static bool all_sized(const struct shape *s, uint32_t n)
{
        for (uint32_t i = 0; i < n; i++)
                if (!shape_at(s, i) || shape_elements(&s->at[i]) == AMOUNT_UNKNOWN)
                        return false;
        return true;
}

static bool is(const struct shape_operand *o, uint64_t ne0, uint64_t ne1, uint64_t ne2,
               uint64_t ne3)
{
        return o->ne[0] == ne0 && o->ne[1] == ne1 && o->ne[2] == ne2 && o->ne[3] == ne3;
}

static uint64_t mul4(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
        return amount_mul(amount_mul3(a, b, c), d);
}

/* a [k, m, ..], b [k, n, B2, B3] -> [m, n, B2, B3]; a is repeated to b's heads and batches. */
bool fits_mul_mat(const struct shape *s)
{
        const struct shape_operand *r = &s->at[0], *a = &s->at[1], *b = &s->at[2];

        return all_sized(s, 3) && a->ne[0] == b->ne[0] && b->ne[2] % a->ne[2] == 0 &&
               b->ne[3] % a->ne[3] == 0 && is(r, a->ne[1], b->ne[1], b->ne[2], b->ne[3]);
}

/* as [k, m, experts], b [k, used or fewer, tokens], ids [used, tokens] -> [m, used, tokens] */
bool fits_mul_mat_id(const struct shape *s)
{
        const struct shape_operand *r = &s->at[0], *as = &s->at[1], *b = &s->at[2],
                                   *ids = &s->at[3];

        return all_sized(s, 4) && as->ne[0] == b->ne[0] && as->ne[3] == 1 && b->ne[3] == 1 &&
               is(ids, ids->ne[0], b->ne[2], 1, 1) && ids->ne[0] % b->ne[1] == 0 &&
               is(r, as->ne[1], ids->ne[0], b->ne[2], 1);
}

/* a [m, k, ..], b [n, k, B2, B3] -> [m, n, B2, B3] */
bool fits_out_prod(const struct shape *s)
{
        const struct shape_operand *r = &s->at[0], *a = &s->at[1], *b = &s->at[2];

        return all_sized(s, 3) && a->ne[1] == b->ne[1] && b->ne[2] % a->ne[2] == 0 &&
               b->ne[3] % a->ne[3] == 0 && is(r, a->ne[0], b->ne[0], b->ne[2], b->ne[3]);
}

/* q [d, n, heads, B], k [d, kv, few heads, B], v [e, kv, few heads, B] -> [e, heads, n, B] */
bool fits_flash_attn(const struct shape *s)
{
        const struct shape_operand *r = &s->at[0], *q = &s->at[1], *k = &s->at[2], *v = &s->at[3];

        return all_sized(s, 4) && q->ne[0] == k->ne[0] && k->ne[1] == v->ne[1] &&
               q->ne[2] % k->ne[2] == 0 && q->ne[2] % v->ne[2] == 0 && q->ne[3] % k->ne[3] == 0 &&
               q->ne[3] % v->ne[3] == 0 && is(r, v->ne[0], q->ne[2], q->ne[1], q->ne[3]);
}

/* kernel [KW, KH, C, O], data [W, H, C, N] -> [OW, OH, O, N] */
bool fits_conv_2d(const struct shape *s)
{
        const struct shape_operand *r = &s->at[0], *a = &s->at[1], *b = &s->at[2];

        return all_sized(s, 3) && a->ne[2] == b->ne[2] &&
               is(r, r->ne[0], r->ne[1], a->ne[3], b->ne[3]);
}

/* kernel [KW, KH, 1, C], data [W, H, C, N] -> [OW, OH, C, N] */
bool fits_conv_2d_dw(const struct shape *s)
{
        const struct shape_operand *r = &s->at[0], *a = &s->at[1], *b = &s->at[2];

        return all_sized(s, 3) && a->ne[2] == 1 && a->ne[3] == b->ne[2] &&
               is(r, r->ne[0], r->ne[1], b->ne[2], b->ne[3]);
}

/* kernel [K, O, C], data [L, C] -> [OL, O] */
bool fits_conv_transpose_1d(const struct shape *s)
{
        const struct shape_operand *r = &s->at[0], *a = &s->at[1], *b = &s->at[2];

        return all_sized(s, 3) && a->ne[3] == 1 && a->ne[2] == b->ne[1] && b->ne[2] == 1 &&
               b->ne[3] == 1 && is(r, r->ne[0], a->ne[1], 1, 1);
}

/* kernel [KW, KH, O, C], data [W, H, C, N] -> [OW, OH, O, N] */
bool fits_conv_transpose_2d(const struct shape *s)
{
        const struct shape_operand *r = &s->at[0], *a = &s->at[1], *b = &s->at[2];

        return all_sized(s, 3) && a->ne[3] == b->ne[2] &&
               is(r, r->ne[0], r->ne[1], a->ne[2], b->ne[3]);
}

/* kernel, data -> [what one place of the kernel sees, places ..] */
bool fits_im2col(const struct shape *s)
{
        const struct shape_operand *r = &s->at[0], *a = &s->at[1];

        return all_sized(s, 3) && (r->ne[0] == amount_mul(a->ne[0], a->ne[1]) ||
                                   r->ne[0] == amount_mul3(a->ne[0], a->ne[1], a->ne[2]));
}

/* x [width - 1 + tokens, inner, N], kernel [width, inner] -> [inner, tokens, N] */
bool fits_ssm_conv(const struct shape *s)
{
        const struct shape_operand *r = &s->at[0], *x = &s->at[1], *c = &s->at[2];

        return all_sized(s, 3) && x->ne[1] == c->ne[1] && x->ne[0] >= c->ne[0] &&
               is(r, c->ne[1], x->ne[0] - c->ne[0] + 1, x->ne[2], 1);
}

/*
 * state [state, dim, heads, kept], x [dim, heads, tokens, N], dt [heads, tokens, N],
 * A [1 or state, heads], B [state, groups, tokens, N]; C is as B, and ids [N] is beyond SHAPE_MAX.
 */
bool fits_ssm_scan(const struct shape *s)
{
        const struct shape_operand *state = &s->at[1], *x = &s->at[2], *dt = &s->at[3],
                                   *a = &s->at[4], *b = &s->at[5];

        return all_sized(s, 6) && state->ne[1] == x->ne[0] && state->ne[2] == x->ne[1] &&
               is(dt, x->ne[1], x->ne[2], x->ne[3], 1) &&
               (a->ne[0] == 1 || a->ne[0] == state->ne[0]) && a->ne[1] == x->ne[1] &&
               is(b, state->ne[0], b->ne[1], x->ne[2], x->ne[3]);
}

/* Some [size, heads, tokens], the result [size * heads, tokens + size * N]: outputs, then states.
 */
bool fits_linear_attn(const struct shape *s)
{
        const struct shape_operand *r = &s->at[0], *k = &s->at[1];

        if (!all_sized(s, 6))
                return false;
        for (int i = 2; i <= 3; i++)
                if (!is(&s->at[i], k->ne[0], k->ne[1], k->ne[2], 1))
                        return false;
        return r->ne[0] == amount_mul(k->ne[0], k->ne[1]) && r->ne[1] > k->ne[2] &&
               (r->ne[1] - k->ne[2]) % k->ne[0] == 0;
}

uint64_t flops_mul_mat(const struct flops_row *row, const struct shape *s)
{
        return amount_mul3(2, s->at[1].ne[0], shape_elements(&s->at[0]));
}

uint64_t flops_out_prod(const struct flops_row *row, const struct shape *s)
{
        return amount_mul3(2, s->at[1].ne[1], shape_elements(&s->at[0]));
}

/* Q K^T and P V, and `each` a score for the softmax between them: one more with a mask. */
uint64_t flops_flash_attn(const struct flops_row *row, const struct shape *s)
{
        const struct shape_operand *q = &s->at[1], *v = &s->at[3];
        uint64_t scores = mul4(q->ne[1], v->ne[1], q->ne[2], q->ne[3]);
        uint64_t each = amount_mul(2, amount_add(q->ne[0], v->ne[0]));
        uint64_t n = amount_mul(amount_add(each, row->each + !!shape_at(s, 4)), scores);

        if (shape_at(s, 5))
                n = amount_add(n, mul4(4, q->ne[1], q->ne[2], q->ne[3]));
        return n;
}

uint64_t flops_conv_2d(const struct flops_row *row, const struct shape *s)
{
        const struct shape_operand *a = &s->at[1];

        return mul4(2, a->ne[0], a->ne[1], amount_mul(a->ne[2], shape_elements(&s->at[0])));
}

uint64_t flops_conv_transpose_1d(const struct flops_row *row, const struct shape *s)
{
        return mul4(2, s->at[1].ne[0], s->at[1].ne[1], shape_elements(&s->at[2]));
}

uint64_t flops_conv_transpose_2d(const struct flops_row *row, const struct shape *s)
{
        const struct shape_operand *a = &s->at[1];

        return mul4(2, a->ne[0], a->ne[1], amount_mul(a->ne[2], shape_elements(&s->at[2])));
}

uint64_t flops_ssm_conv(const struct flops_row *row, const struct shape *s)
{
        return amount_mul3(2, s->at[2].ne[0], shape_elements(&s->at[0]));
}

/* `each` an element of the state; where each has a decay of its own, its product and exp too. */
uint64_t flops_ssm_scan(const struct flops_row *row, const struct shape *s)
{
        uint64_t own = s->at[4].ne[0] == 1 ? 0 : 2;

        return amount_mul3(row->each + own, s->at[1].ne[0], shape_elements(&s->at[2]));
}

/* `each` an element of the state, which is size x size a head. */
uint64_t flops_linear_attn(const struct flops_row *row, const struct shape *s)
{
        return amount_mul3(row->each, s->at[1].ne[0], shape_elements(&s->at[1]));
}

uint64_t bytes_mul_mat_id(const struct flops_row *row, const struct shape *s)
{
        const struct shape_operand *as = &s->at[1];
        uint64_t used = shape_elements(&s->at[3]);
        uint64_t n = used < as->ne[2] ? used : as->ne[2];

        n = amount_mul3(n, as->ne[1], shape_row_bytes(as));
        n = amount_add(n, amount_add(shape_bytes(&s->at[2]), shape_bytes(&s->at[3])));
        return amount_add(n, shape_bytes(&s->at[0]));
}

/* The experts of one token are different ones; those of another may be the same. */
bool at_most_mul_mat_id(const struct shape *s)
{
        return s->at[3].ne[1] > 1 && s->at[1].ne[2] > 1;
}

uint64_t bytes_flash_attn(const struct flops_row *row, const struct shape *s)
{
        uint64_t n = 0;

        for (uint32_t i = 0; i < 4; i++)
                n = amount_add(n, shape_bytes(&s->at[i]));
        if (shape_at(s, 4))
                n = amount_add(n, flops_mask_bytes(&s->at[4], s->at[1].ne[1]));
        return shape_at(s, 5) ? amount_add(n, shape_bytes(&s->at[5])) : n;
}

/* Of the states only those of the sequences; C as B; ids are i32. */
uint64_t bytes_ssm_scan(const struct flops_row *row, const struct shape *s)
{
        const struct shape_operand *state = &s->at[1];
        uint64_t sequences = s->at[2].ne[3];
        uint64_t n = mul4(shape_row_bytes(state), state->ne[1], state->ne[2], sequences);

        for (uint32_t i = 2; i < 6; i++)
                n = amount_add(n, shape_bytes(&s->at[i]));
        n = amount_add(n, amount_add(shape_bytes(&s->at[5]), amount_mul(4, sequences)));
        return amount_add(n, shape_bytes(&s->at[0]));
}

/*
 * What is beyond SHAPE_MAX follows from the rest: the state that is read is as large as the one
 * that is written, the result's part behind the tokens; and wkv7 (`each` 9) has one more source of
 * the first one's size.
 */
uint64_t bytes_rwkv(const struct flops_row *row, const struct shape *s)
{
        const struct shape_operand *r = &s->at[0], *k = &s->at[1];
        uint64_t n = amount_mul(shape_row_bytes(r), r->ne[1] - k->ne[2]);

        for (uint32_t i = 0; i < 6; i++)
                n = amount_add(n, shape_bytes(&s->at[i]));
        return row->each == 9 ? amount_add(n, shape_bytes(k)) : n;
}
