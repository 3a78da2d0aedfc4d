/* SPDX-License-Identifier: MIT */
/* Types of elements, and shapes: what ops were done on. */
#include "preload/shape.h"

#include "preload/table.h"

static uint64_t hash_of(const struct ifp_shape *s)
{
        const uint64_t *words = (const void *)s->at;
        uint64_t h = ifp_mix((uint64_t)s->op << 32 | (uint32_t)s->parts << 16 |
                                     (uint32_t)s->n_params << 8 | s->n_operands,
                             0);

        for (uint32_t i = 0; i < s->n_operands * sizeof(s->at[0]) / sizeof(*words); i++)
                h = ifp_mix(h, words[i]);
        for (uint32_t i = 0; i < s->n_params; i++)
                h = ifp_mix(h, (uint64_t)s->params[i]);
        return ifp_mix(h, s->formula) | 1;
}

static uint32_t *bucket_of(uint64_t hash)
{
        return &ifp_seg->shape_buckets[hash >> 32 & (IFP_MAX_SHAPES - 1)];
}

static bool is_same(const struct ifp_shape *a, const struct ifp_shape *b)
{
        const uint64_t *x = (const void *)a->at, *y = (const void *)b->at;

        if (a->op != b->op || a->parts != b->parts || a->n_operands != b->n_operands ||
            a->n_params != b->n_params || a->formula != b->formula)
                return false;
        for (uint32_t i = 0; i < a->n_params; i++)
                if (a->params[i] != b->params[i])
                        return false;
        for (uint32_t i = 0; i < a->n_operands * sizeof(a->at[0]) / sizeof(*x); i++)
                if (x[i] != y[i])
                        return false;
        return true;
}

uint32_t ifp_shape(const struct ifp_shape *want)
{
        uint64_t hash = hash_of(want);
        uint32_t i = __atomic_load_n(bucket_of(hash), __ATOMIC_ACQUIRE);
        struct ifp_shape *s;

        for (; i; i = ifp_seg->shapes[i].next)
                if (__atomic_load_n(&ifp_seg->shapes[i].hash, __ATOMIC_ACQUIRE) == hash &&
                    is_same(&ifp_seg->shapes[i], want))
                        return i;
        if (!ifp_reserve(&ifp_seg->live.n_shapes, 1, IFP_MAX_SHAPES, &i))
                return 0;
        s = &ifp_seg->shapes[i];
        s->op = want->op;
        s->parts = want->parts;
        s->n_operands = want->n_operands;
        s->n_params = want->n_params;
        s->formula = want->formula;
        ifp_copy(s->at, want->at, want->n_operands * sizeof(s->at[0]));
        ifp_copy(s->params, want->params, want->n_params * sizeof(s->params[0]));
        __atomic_store_n(&s->hash, hash, __ATOMIC_RELEASE);
        ifp_link_in(bucket_of(hash), &s->next, i);
        return i;
}
