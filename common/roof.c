/* SPDX-License-Identifier: MIT */
/*
 * At its roof an op takes as long as its multiply-adds take at the ceiling of their type, or its
 * bytes at the bandwidth of where they come from, whichever is longer.
 *
 * Where they come from is not seen but worked out. What the op before has just made lies where the
 * op's operands find room. Weights, tables and caches of keys and values were last used a whole
 * pass ago: they lie where all that a pass moves finds room. An op that was faster than that allows
 * had its data nearer, so the next level nearer that holds its operands is taken. What is still
 * faster is told as it is: over its roof.
 */
#include "common/roof.h"

#include <string.h>

#include "common/amount.h"

const char *const roof_bounds[ROOF_N_BOUNDS] = {"L1",      "L2",       "L3",     "memory",
                                                "compute", "overhead", "waiting"};

static bool is_product(const struct shape *s)
{
        static const char *const parts[] = {"MUL_MAT", "OUT_PROD", "FLASH_ATTN", "CONV_",
                                            "gemm",    "gemv",     "GEMM",       "GEMV"};

        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
                if (strstr(s->op, parts[i]))
                        return true;
        return false;
}

/* Only products are made of blocks and of halves as these are stored; else they are unpacked, and
 * computed as f32. */
enum ceiling_type roof_type(const struct shape *s)
{
        const struct shape_operand *o = &s->at[s->n > 1];

        if (!strcmp(s->op, "FLASH_ATTN_EXT") && s->n > 2)
                o = &s->at[2];      /* queries become what keys are */
        if (strstr(o->type, "f64")) /* cf64, too: complex */
                return CEILING_F64;
        if (!is_product(s))
                return CEILING_F32;
        if (o->block > 1 || !strcmp(o->type, "i8") || !strcmp(o->type, "u8"))
                return CEILING_INT8;
        return !strcmp(o->type, "bf16") ? CEILING_BF16 : CEILING_F32;
}

bool roof_streams(const struct shape *s)
{
        return is_product(s) || !strcmp(s->op, "GET_ROWS");
}

bool roof_is_in_place(const struct shape *s)
{
        static const char *const names[] = {"trmm", "trsm", "trmv",  "trsv", "tbmv",
                                            "tbsv", "axpy", "axpby", "swap", "rot"};

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (!strcmp(s->op, names[i]))
                        return true;
        return false;
}

double roof_footprint(const struct shape *s, const struct work_amount *a)
{
        uint64_t all = 0, twice = 0;

        for (uint32_t i = roof_is_in_place(s); i < s->n; i++)
                if (shape_at(s, i))
                        all = amount_add(all, shape_bytes(shape_at(s, i)));
        if (roof_is_in_place(s) && shape_at(s, 0))
                twice = shape_bytes(shape_at(s, 0));
        if (twice < a->bytes && a->bytes - twice < all)
                return (double)(a->bytes - twice);
        return (double)(all && all < a->bytes ? all : a->bytes);
}

static bool is_over(const struct roof *r, double wall_ns)
{
        return r->least_ns > wall_ns;
}

/* Held against the bandwidth of that level. False: it was not measured. */
static bool hold(struct roof *r, const struct ceilings *c, const struct roof_work *w,
                 enum ceiling_level level)
{
        double compute_ns = (double)w->amount.flops / r->gflops, memory_ns, gbps;

        if (!ceiling_at(&c->bandwidth[level], w->threads, &gbps))
                return false;
        memory_ns = (double)w->amount.bytes / gbps;
        r->level = level;
        r->gbps = gbps;
        r->bound = compute_ns >= memory_ns ? ROOF_COMPUTE : (enum roof_bound)level;
        r->least_ns = compute_ns >= memory_ns ? compute_ns : memory_ns;
        return true;
}

/* From where its data should come to where it can come from. */
static bool find_level(struct roof *r, const struct ceilings *c, const struct roof_work *w)
{
        double bytes = roof_footprint(w->shape, &w->amount);
        bool streams = roof_streams(w->shape) && w->pass_bytes > bytes;
        enum ceiling_level from;
        bool found = false;

        r->own = ceilings_holds(c, bytes, w->threads);
        from = streams ? ceilings_holds(c, w->pass_bytes, w->threads) : r->own;
        for (int level = from > r->own ? (int)from : (int)r->own; level >= (int)r->own; level--) {
                if (found && !is_over(r, w->wall_ns))
                        return true;
                found |= hold(r, c, w, (enum ceiling_level)level);
        }
        /* the caches are not known, or were not measured: whatever lies further out */
        for (int level = (int)r->own + 1; !found && level < CEILING_N_LEVELS; level++)
                found = hold(r, c, w, (enum ceiling_level)level);
        return found;
}

bool roof_of(struct roof *ret, const struct ceilings *c, const struct roof_work *w)
{
        const struct work_amount *a = &w->amount;
        struct roof r = {.type = roof_type(w->shape), .threads = w->threads};

        if (!a->flops_known || !a->bytes_known || a->saturated || !(a->flops || a->bytes) ||
            !(w->wall_ns > 0) || !w->threads)
                return false;
        if (!ceiling_at(ceilings_compute(c, r.type), w->threads, &r.gflops) ||
            !find_level(&r, c, w))
                return false;
        r.share = r.least_ns / w->wall_ns;
        r.over = is_over(&r, w->wall_ns);
        if (w->waits)
                r.bound = ROOF_WAITING;
        else if (r.least_ns < ROOF_SMALL_NS && r.share < ROOF_SMALL_SHARE)
                r.bound = ROOF_OVERHEAD;
        *ret = r;
        return true;
}
