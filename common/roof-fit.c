/* SPDX-License-Identifier: MIT */
/*
 * Extents lie as ggml has them: a product of src0 [k,m] and src1 [k,n] is [m,n]; src0 are weights
 * where there is one matrix of them, and keys or values where there is one for each head.
 */
#include "common/roof-fit.h"

#include <math.h>
#include <string.h>

#include "common/roof.h"

static double elements(const struct shape_operand *o)
{
        return (double)o->ne[0] * (double)o->ne[1] * (double)o->ne[2] * (double)o->ne[3];
}

/* NaN: not known */
static double element_bytes(const struct shape_operand *o)
{
        return o->block && o->block_bytes ? (double)o->block_bytes / o->block : NAN;
}

/* One with nothing in it is none. */
static double bytes(const struct shape_operand *o)
{
        return elements(o) > 0 ? elements(o) * element_bytes(o) : 0;
}

static bool is_product(const struct shape *s)
{
        return !strcmp(s->op, "MUL_MAT") && s->n >= 3;
}

static bool is_attention(const struct shape *s)
{
        return !strcmp(s->op, "FLASH_ATTN_EXT") && s->n >= 4;
}

/* Is its result made row by row, each of its own rows of the sources? */
static bool goes_by_rows(const struct shape *s)
{
        static const char *const others[] = {"MUL_MAT", "OUT_PROD", "CONV",
                                             "IM2COL",  "ROWS",     "gem"};

        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
                if (strstr(s->op, others[i]))
                        return false;
        return !is_attention(s);
}

static bool has_weights(const struct shape *s)
{
        const struct shape_operand *w = &s->at[1];

        return (is_product(s) && w->ne[2] == 1 && w->ne[3] == 1) || !strcmp(s->op, "MUL_MAT_ID") ||
               !strcmp(s->op, "GET_ROWS");
}

bool roof_parts_of(struct roof_parts *ret, const struct shape *s, const struct work_amount *a)
{
        struct roof_parts p = {.whole = roof_footprint(s, a)};

        if (!a->bytes_known || a->saturated || s->n < 2)
                return false;
        for (uint32_t i = has_weights(s) ? 2 : 1; i < s->n; i++)
                p.activations += bytes(&s->at[i]);
        if (roof_is_in_place(s))
                p.activations -= bytes(&s->at[0]);
        /* what is put into a table is no more than the rows that are put */
        p.intermediate = strcmp(s->op, "SET_ROWS") ? bytes(&s->at[0]) : p.whole - p.activations;
        /* of a triangular or symmetric one half is touched */
        if (!has_weights(s) && p.activations + p.intermediate > p.whole)
                p.activations = fmax(0, p.whole - p.intermediate);
        p.weights = has_weights(s) ? p.whole - p.activations - p.intermediate : 0;
        if (!(p.weights >= 0 && p.intermediate >= 0 && p.activations >= 0))
                return false;
        *ret = p;
        return true;
}

/* How many of what takes `each` find room beside what takes `fixed`. */
static double how_many(double room, double fixed, double each)
{
        double n = floor((room - fixed) / each);

        return isnan(n) || isinf(n) ? NAN : n > 0 ? n : 0;
}

static void of_product(struct roof_extents *e, const struct shape *s, double room)
{
        const struct shape_operand *d = &s->at[0], *a = &s->at[1], *b = &s->at[2];
        double k = (double)a->ne[0], times = (double)b->ne[2] * (double)b->ne[3];
        double half = k * (element_bytes(a) + element_bytes(b)) / 2, out = element_bytes(d);

        e->batch =
                how_many(room, bytes(a), times * (k * element_bytes(b) + (double)d->ne[0] * out));
        if (has_weights(s))
                e->d_ff = how_many(room, bytes(b),
                                   k * element_bytes(a) + times * (double)b->ne[1] * out);
        /* t k (a + b) + t t d = room */
        e->tile = floor((sqrt(half * half + out * room) - half) / out);
}

static void of_attention(struct roof_extents *e, const struct shape *s, double room)
{
        const struct shape_operand *d = &s->at[0], *q = &s->at[1], *k = &s->at[2], *v = &s->at[3];
        double mask = s->n > 4 ? bytes(&s->at[4]) : 0;

        e->sequence = how_many(room, bytes(q) + bytes(d),
                               (bytes(k) + bytes(v) + mask) / (double)k->ne[1]);
        e->batch = how_many(room, bytes(k) + bytes(v),
                            (bytes(q) + bytes(d) + mask) / (double)q->ne[1]);
}

void roof_extents_of(struct roof_extents *ret, const struct shape *s, const struct work_amount *a,
                     double room)
{
        const struct shape_operand *d = &s->at[0];
        double rows = (double)d->ne[1] * (double)d->ne[2] * (double)d->ne[3];

        *ret = (struct roof_extents){NAN, NAN, NAN, NAN};
        if (!a->bytes_known || a->saturated)
                return;
        if (is_product(s))
                of_product(ret, s, room);
        else if (is_attention(s))
                of_attention(ret, s, room);
        else if (goes_by_rows(s) && rows > 0)
                ret->batch = how_many(room, 0, (double)a->bytes / rows);
}
