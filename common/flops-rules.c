/* SPDX-License-Identifier: MIT */
/*
 * Rules for ops that go element by element or row by row: maps, norms, rows, copies. Each `fits`
 * asks of the operands what the op's constructor in ggml.c asserts, as far as a count depends on
 * it.
 */
#include "common/flops-private.h"

#include <string.h>

#include "common/amount.h"

/* One with extents that can be, or NULL. */
static const struct shape_operand *sized(const struct shape *s, uint32_t i)
{
        const struct shape_operand *o = shape_at(s, i);

        return o && shape_elements(o) != AMOUNT_UNKNOWN ? o : NULL;
}

static bool same(const struct shape_operand *a, const struct shape_operand *b, int from)
{
        for (int i = from; i < 4; i++)
                if (a->ne[i] != b->ne[i])
                        return false;
        return true;
}

/* `a` is `b`, some number of times along each extent. */
static bool repeats(const struct shape_operand *a, const struct shape_operand *b)
{
        for (int i = 0; i < 4; i++)
                if (a->ne[i] % b->ne[i])
                        return false;
        return true;
}

/* Two sums that have both gone beyond what can be told may not be the same, but pass for it. */
static bool same_elements(const struct shape_operand *a, const struct shape_operand *b)
{
        return shape_elements(a) == shape_elements(b);
}

static uint64_t rows(const struct shape_operand *o)
{
        return amount_mul3(o->ne[1], o->ne[2], o->ne[3]);
}

bool fits_always(const struct shape *s)
{
        return true;
}

bool fits_map(const struct shape *s)
{
        const struct shape_operand *r = sized(s, 0), *a = sized(s, 1);

        return r && a && same_elements(r, a);
}

bool fits_broadcast(const struct shape *s)
{
        const struct shape_operand *r = sized(s, 0), *a = sized(s, 1), *b = sized(s, 2);

        return r && a && b && same(r, a, 0) && repeats(a, b);
}

/* Either two sources of the result's size, or one that holds both beside each other. */
bool fits_gated(const struct shape *s)
{
        const struct shape_operand *r = sized(s, 0), *a = sized(s, 1);

        if (!r || !a || !same(r, a, 1))
                return false;
        if (shape_at(s, 2))
                return same(r, a, 0) && sized(s, 2) && same(a, sized(s, 2), 0);
        return a->ne[0] % 2 == 0 && a->ne[0] / 2 == r->ne[0];
}

bool fits_reduce(const struct shape *s)
{
        const struct shape_operand *r = sized(s, 0), *a = sized(s, 1);

        return r && a && shape_elements(r) == rows(a);
}

bool fits_reduce_all(const struct shape *s)
{
        const struct shape_operand *r = sized(s, 0);

        return r && sized(s, 1) && shape_elements(r) == 1;
}

bool fits_repeat(const struct shape *s)
{
        const struct shape_operand *r = sized(s, 0), *a = sized(s, 1);

        return r && a && repeats(r, a);
}

bool fits_concat(const struct shape *s)
{
        const struct shape_operand *r = sized(s, 0), *a = sized(s, 1), *b = sized(s, 2);

        return r && a && b && shape_elements(r) == amount_add(shape_elements(a), shape_elements(b));
}

bool fits_larger(const struct shape *s)
{
        const struct shape_operand *r = sized(s, 0), *a = sized(s, 1);

        for (int i = 0; r && a && i < 4; i++)
                if (r->ne[i] < a->ne[i])
                        return false;
        return r && a;
}

bool fits_result(const struct shape *s)
{
        return sized(s, 0);
}

bool fits_scaled(const struct shape *s)
{
        return sized(s, 0) && sized(s, 1);
}

/* params: how, k0, k1. */
bool fits_pool(const struct shape *s)
{
        return sized(s, 0) && sized(s, 1) && s->n_params >= 3 && s->params[1] > 0 &&
               s->params[2] > 0;
}

bool fits_timestep(const struct shape *s)
{
        const struct shape_operand *r = sized(s, 0), *a = sized(s, 1);

        return r && a && r->ne[1] == a->ne[0];
}

/* All places or the first few of each row. */
bool fits_sort(const struct shape *s)
{
        const struct shape_operand *r = sized(s, 0), *a = sized(s, 1);

        return r && a && same(r, a, 1) && r->ne[0] <= a->ne[0];
}

/* a [n, rows, ..], ids [i, ..] -> [n, i, ..] */
bool fits_get_rows(const struct shape *s)
{
        const struct shape_operand *r = sized(s, 0), *a = sized(s, 1), *ids = sized(s, 2);

        return r && a && ids && r->ne[0] == a->ne[0] && rows(r) == shape_elements(ids);
}

/* b [n, i, ..] is put into rows of the result, ids [i, ..] says which. */
bool fits_set_rows(const struct shape *s)
{
        const struct shape_operand *r = sized(s, 0), *b = sized(s, 1), *ids = sized(s, 2);

        return r && b && ids && r->ne[0] == b->ne[0] && b->ne[1] == ids->ne[0];
}

bool fits_set(const struct shape *s)
{
        const struct shape_operand *r = sized(s, 0), *a = sized(s, 1), *b = sized(s, 2);

        return r && a && b && same(r, a, 0) && shape_elements(b) <= shape_elements(a);
}

/* a [n, used, tokens], b [n, experts], ids [used, tokens] */
bool fits_add_id(const struct shape *s)
{
        const struct shape_operand *r = sized(s, 0), *a = sized(s, 1), *b = sized(s, 2),
                                   *ids = sized(s, 3);

        return r && a && b && ids && same(r, a, 0) && a->ne[0] == b->ne[0] &&
               a->ne[1] == ids->ne[0] && a->ne[2] == ids->ne[1];
}

bool fits_norm_mul(const struct shape *s)
{
        const struct shape_operand *by = shape_at(s, 2);

        return fits_map(s) && (!by || (sized(s, 2) && repeats(&s->at[0], by)));
}

uint64_t flops_none(const struct flops_row *row, const struct shape *s)
{
        return 0;
}

uint64_t flops_unknown(const struct flops_row *row, const struct shape *s)
{
        return AMOUNT_UNKNOWN;
}

uint64_t flops_each(const struct flops_row *row, const struct shape *s)
{
        return amount_mul(row->each, shape_elements(&s->at[0]));
}

uint64_t flops_each_source(const struct flops_row *row, const struct shape *s)
{
        return amount_mul(row->each, shape_elements(&s->at[1]));
}

uint64_t flops_each_added(const struct flops_row *row, const struct shape *s)
{
        return amount_mul(row->each, shape_elements(&s->at[2]));
}

/*
 * FLOPs an element, out of the type and into it. Out: a scale, and an offset where there is one.
 * Into: the block's largest (abs, max) or its range (min, max, less the minimum), a scale,
 * rounding. The K types are made by a search for scales of its own length: 0, not known. Types that
 * are not here are not known either.
 */
static const struct {
        const char *type;
        unsigned out, into;
} quantised[] = {
        {"q4_0", 2, 4}, {"q4_1", 2, 5}, {"q5_0", 2, 4}, {"q5_1", 2, 5}, {"q8_0", 1, 4},
        {"q2_K", 2, 0}, {"q3_K", 2, 0}, {"q4_K", 2, 0}, {"q5_K", 2, 0}, {"q6_K", 2, 0},
};

static uint64_t quantised_cost(const struct shape_operand *o, bool into)
{
        for (size_t i = 0; i < sizeof(quantised) / sizeof(quantised[0]); i++) {
                unsigned cost = into ? quantised[i].into : quantised[i].out;

                if (!strncmp(o->type, quantised[i].type, sizeof(o->type)))
                        return cost ? cost : AMOUNT_UNKNOWN;
        }
        return AMOUNT_UNKNOWN;
}

/* From a plain type to another is one; between a plain one and blocks it goes by f32. */
static uint64_t conversion(const struct shape_operand *from, const struct shape_operand *to)
{
        bool from_f32 = !strncmp(from->type, "f32", sizeof(from->type));
        bool to_f32 = !strncmp(to->type, "f32", sizeof(to->type));
        uint64_t out, into;

        if (!from->type[0] || !to->type[0] || !from->block || !to->block)
                return AMOUNT_UNKNOWN;
        if (!strncmp(from->type, to->type, sizeof(from->type)))
                return 0;
        if (from->block == 1 && to->block == 1)
                return 1;
        out = from->block == 1 ? !from_f32 : quantised_cost(from, false);
        into = to->block == 1 ? !to_f32 : quantised_cost(to, true);
        return amount_add(out, into);
}

uint64_t flops_convert(const struct flops_row *row, const struct shape *s)
{
        return amount_mul(conversion(&s->at[1], &s->at[0]), shape_elements(&s->at[1]));
}

uint64_t flops_get_rows(const struct flops_row *row, const struct shape *s)
{
        return amount_mul(conversion(&s->at[1], &s->at[0]), shape_elements(&s->at[0]));
}

uint64_t flops_im2col(const struct flops_row *row, const struct shape *s)
{
        return amount_mul(conversion(&s->at[2], &s->at[0]), shape_elements(&s->at[0]));
}

/* With a mask one more an element; a sink is one more score a row: max, less, exp, sum. */
uint64_t flops_soft_max(const struct flops_row *row, const struct shape *s)
{
        uint64_t n = amount_mul(row->each + !!shape_at(s, 2), shape_elements(&s->at[1]));

        return shape_at(s, 3) ? amount_add(n, amount_mul(4, rows(&s->at[1]))) : n;
}

/* params: -, how many of a row are turned. */
uint64_t flops_rope(const struct flops_row *row, const struct shape *s)
{
        uint64_t n = s->at[0].ne[0];

        if (s->n_params >= 2) {
                if (s->params[1] <= 0 || (uint64_t)s->params[1] > n)
                        return AMOUNT_UNKNOWN;
                n = (uint64_t)s->params[1];
        }
        return amount_mul3(row->each, n, rows(&s->at[0]));
}

uint64_t flops_pool(const struct flops_row *row, const struct shape *s)
{
        return amount_mul3((uint64_t)s->params[1], row->each == 2 ? (uint64_t)s->params[2] : 1,
                           shape_elements(&s->at[0]));
}

/* params: how, with flags above the lowest byte; 0 is the nearest. */
uint64_t flops_upscale(const struct flops_row *row, const struct shape *s)
{
        return s->n_params && !(s->params[0] & 0xff) ? 0 : AMOUNT_UNKNOWN;
}

uint64_t bytes_none(const struct flops_row *row, const struct shape *s)
{
        return 0;
}

uint64_t bytes_all(const struct flops_row *row, const struct shape *s)
{
        uint64_t n = 0;

        for (uint32_t i = 0; i < SHAPE_MAX; i++)
                if (shape_at(s, i))
                        n = amount_add(n, shape_bytes(&s->at[i]));
        return n;
}

uint64_t bytes_copy(const struct flops_row *row, const struct shape *s)
{
        return amount_add(shape_bytes(&s->at[0]), shape_bytes(&s->at[1]));
}

uint64_t bytes_result(const struct flops_row *row, const struct shape *s)
{
        return shape_bytes(&s->at[0]);
}

/* The rows of `o` that so many look-ups can touch. */
static uint64_t looked_up(const struct shape_operand *o, uint64_t n)
{
        return amount_mul(shape_row_bytes(o), n < rows(o) ? n : rows(o));
}

uint64_t bytes_get_rows(const struct flops_row *row, const struct shape *s)
{
        uint64_t n = looked_up(&s->at[1], shape_elements(&s->at[2]));

        return amount_add(n, amount_add(shape_bytes(&s->at[2]), shape_bytes(&s->at[0])));
}

uint64_t bytes_set_rows(const struct flops_row *row, const struct shape *s)
{
        uint64_t n = amount_mul(shape_row_bytes(&s->at[0]), rows(&s->at[1]));

        return amount_add(n, amount_add(shape_bytes(&s->at[1]), shape_bytes(&s->at[2])));
}

uint64_t bytes_add_id(const struct flops_row *row, const struct shape *s)
{
        uint64_t n = looked_up(&s->at[2], shape_elements(&s->at[3]));

        return amount_add(amount_add(n, shape_bytes(&s->at[3])), bytes_copy(row, s));
}

uint64_t bytes_norm_mul(const struct flops_row *row, const struct shape *s)
{
        return shape_at(s, 2) ? bytes_all(row, s) : AMOUNT_UNKNOWN;
}

/* Of the kernel only the extents are looked at. */
uint64_t bytes_im2col(const struct flops_row *row, const struct shape *s)
{
        return amount_add(shape_bytes(&s->at[0]), shape_bytes(&s->at[2]));
}

uint64_t flops_mask_bytes(const struct shape_operand *mask, uint64_t n)
{
        if (shape_elements(mask) == AMOUNT_UNKNOWN || n > mask->ne[1])
                return AMOUNT_UNKNOWN;
        return amount_mul(shape_row_bytes(mask), amount_mul3(n, mask->ne[2], mask->ne[3]));
}

uint64_t bytes_soft_max(const struct flops_row *row, const struct shape *s)
{
        uint64_t n = bytes_copy(row, s);

        if (shape_at(s, 2))
                n = amount_add(n, flops_mask_bytes(&s->at[2], s->at[1].ne[1]));
        return shape_at(s, 3) ? amount_add(n, shape_bytes(&s->at[3])) : n;
}

bool at_most_get_rows(const struct shape *s)
{
        return shape_elements(&s->at[2]) > 1 && rows(&s->at[1]) > 1;
}

bool at_most_add_id(const struct shape *s)
{
        return s->at[3].ne[1] > 1 && s->at[2].ne[1] > 1;
}

bool at_most_always(const struct shape *s)
{
        return true;
}
