/* SPDX-License-Identifier: MIT */
/* A row in the hierarchy of memories: where its working set lies, its roof at each tier, and what
 * finds room in which cache. */
#include <math.h>

#include "common/report-roofline-private.h"
#include "common/roof-fit.h"
#include "common/roof-levels.h"

static json_t *whole(double v)
{
        return isnan(v) || v < 0 || v > 9e18 ? json_null() : json_integer((json_int_t)v);
}

static json_t *build_tier(const struct roof_at_tier *t, enum roof_tier tier, double gflops)
{
        json_t *o = json_object();

        report_set(o, "tier", json_string(roof_tiers[tier]));
        report_set(o, "level", t->known ? json_string(ceiling_levels[t->level]) : json_null());
        report_set(o, "bytes_at_least", whole(t->known ? t->bytes : NAN));
        report_set(o, "intensity_at_most", report_fraction(t->known ? t->intensity : NAN));
        report_set(o, "roof_gflops", report_fraction(t->known ? t->roof_gflops : NAN));
        /* what is faster than a tier allows had its data from nearer */
        report_set(o, "efficiency",
                   report_fraction(t->known && gflops <= t->roof_gflops ? gflops / t->roof_gflops
                                                                        : NAN));
        return o;
}

void roofline_put_levels(json_t *o, const struct report_roof *r, const struct report_shape *s,
                         const struct work_amount *each, const struct roof *roof, double gflops)
{
        uint32_t threads = roof ? roof->threads : s->parts;
        struct roof_work work = {.shape = &s->is, .amount = *each, .threads = threads};
        struct roof_at_tier tiers[ROOF_N_TIERS] = {0};
        bool known = each->bytes_known && !each->saturated;
        bool sized = known && r->ceilings.cache[0].bytes;
        double bytes = known ? roof_footprint(&s->is, each) : NAN;
        enum ceiling_level own =
                sized ? ceilings_holds(&r->ceilings, bytes, threads) : CEILING_MEMORY;
        json_t *set = json_object(), *list = json_array();

        report_set(set, "bytes", whole(bytes));
        report_set(set, "level", sized ? json_string(ceiling_levels[own]) : json_null());
        report_set(set, "tier", sized ? json_string(roof_tiers[roof_tier_of(own)]) : json_null());
        report_set(o, "working_set", set);
        if (roof)
                roof_tiers_of(tiers, &r->ceilings, &work,
                              roof->level == CEILING_MEMORY ? CEILING_MEMORY : CEILING_L3);
        for (int t = 0; t < ROOF_N_TIERS; t++)
                json_array_append_new(list, build_tier(&tiers[t], (enum roof_tier)t, gflops));
        report_set(o, "levels", list);
}

static json_t *build_over(const struct roof_parts *p, double room)
{
        json_t *o = json_object();

        report_set(o, "weights_bytes", whole(fmax(0, p->weights - room)));
        report_set(o, "activations_bytes", whole(fmax(0, p->activations - room)));
        report_set(o, "intermediate_bytes", whole(fmax(0, p->intermediate - room)));
        report_set(o, "whole_bytes", whole(fmax(0, p->whole - room)));
        return o;
}

static json_t *build_fit(const struct report_shape *s, const struct work_amount *each,
                         const struct roof_parts *p, const struct ceilings *c,
                         enum ceiling_level level)
{
        double room = (double)ceilings_room(c, level, s->parts);
        struct roof_extents e;
        json_t *o = json_object(), *most = json_object();

        roof_extents_of(&e, &s->is, each, room);
        report_set(o, "level", json_string(ceiling_levels[level]));
        report_set(o, "room_bytes", whole(room));
        report_set(o, "over", build_over(p, room));
        report_set(most, "batch", whole(e.batch));
        report_set(most, "sequence", whole(e.sequence));
        report_set(most, "d_ff", whole(e.d_ff));
        report_set(most, "tile", whole(e.tile));
        report_set(o, "fits_up_to", most);
        return o;
}

void roofline_put_cache(json_t *o, const struct report_roof *r, const struct report_shape *s,
                        const struct work_amount *each)
{
        struct roof_parts p;
        json_t *cache = json_object(), *list = json_array();

        if (!roof_parts_of(&p, &s->is, each)) {
                report_set(o, "cache", json_null());
                json_decref(cache);
                json_decref(list);
                return;
        }
        report_set(cache, "weights_bytes", whole(p.weights));
        report_set(cache, "activations_bytes", whole(p.activations));
        report_set(cache, "intermediate_bytes", whole(p.intermediate));
        report_set(cache, "whole_bytes", whole(p.whole));
        for (int level = 0; level < CEILING_MEMORY; level++)
                if (r->ceilings.cache[level].bytes)
                        json_array_append_new(list, build_fit(s, each, &p, &r->ceilings,
                                                              (enum ceiling_level)level));
        report_set(cache, "levels", list);
        report_set(o, "cache", cache);
}
