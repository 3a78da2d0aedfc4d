/* SPDX-License-Identifier: MIT */
/*
 * What is moved between two levels is not seen. It is no less than each operand once; and of a
 * product, no less than F multiply-adds take that have S elements of fast memory: 2F / sqrt(S) - 2S
 * elements (Hong and Kung 1981, doi:10.1145/800076.802486; with these factors Smith et al. 2017,
 * arXiv:1702.02017). Each thread does its part in caches and registers of its own. Elements are
 * taken as small as the smallest operand's, so that the bound holds for all.
 */
#include "common/roof-levels.h"

#include <math.h>
#include <string.h>

const char *const roof_tiers[ROOF_N_TIERS] = {"micro", "midi", "macro"};

enum roof_tier roof_tier_of(enum ceiling_level level)
{
        return level == CEILING_L1 ? ROOF_MICRO : level == CEILING_L2 ? ROOF_MIDI : ROOF_MACRO;
}

static bool is_product(const char *op)
{
        return strstr(op, "MUL_MAT") || strstr(op, "OUT_PROD") || strstr(op, "gemm");
}

/* 0: not known */
static double smallest_element(const struct shape *s)
{
        double least = 0;

        for (uint32_t i = 0; i < s->n && i < 3; i++) {
                double bytes = s->at[i].block ? (double)s->at[i].block_bytes / s->at[i].block : 0;

                if (bytes > 0 && (!least || bytes < least))
                        least = bytes;
        }
        return least;
}

static double product_bytes(const struct roof_work *w, double fast_bytes)
{
        double element = smallest_element(w->shape), f = (double)w->amount.flops / 2 / w->threads;
        double elements;

        if (!element || !(fast_bytes > 0))
                return 0;
        elements = 2 * f / sqrt(fast_bytes / element) - 2 * fast_bytes / element;
        return elements > 0 ? w->threads * elements * element : 0;
}

void roof_tiers_of(struct roof_at_tier ret[ROOF_N_TIERS], const struct ceilings *c,
                   const struct roof_work *w, enum ceiling_level from)
{
        const double fast[ROOF_N_TIERS] = {c->register_bytes, (double)c->cache[0].bytes,
                                           (double)c->cache[1].bytes};
        const enum ceiling_level levels[ROOF_N_TIERS] = {
                CEILING_L1, CEILING_L2, from == CEILING_MEMORY ? CEILING_MEMORY : CEILING_L3};
        double gflops, gbps;

        memset(ret, 0, ROOF_N_TIERS * sizeof(*ret));
        if (!ceiling_at(ceilings_compute(c, roof_type(w->shape)), w->threads, &gflops))
                return;
        for (int t = 0; t < ROOF_N_TIERS; t++) {
                double bytes = (double)w->amount.bytes;

                if (!ceiling_at(&c->bandwidth[levels[t]], w->threads, &gbps) || !(bytes > 0))
                        continue;
                if (is_product(w->shape->op))
                        bytes = fmax(bytes, product_bytes(w, fast[t]));
                ret[t] = (struct roof_at_tier){.known = true,
                                               .level = levels[t],
                                               .bytes = bytes,
                                               .intensity = (double)w->amount.flops / bytes};
                ret[t].roof_gflops = fmin(gflops, ret[t].intensity * gbps);
        }
}
