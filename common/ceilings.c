/* SPDX-License-Identifier: MIT */
/*
 * A ceiling is the greatest figure there is for its number of threads, over all ISAs, or over
 * reading, copying and the triad: a mean would be no ceiling.
 */
#include "common/ceilings.h"

#include <string.h>

const char *const ceiling_types[CEILING_N_TYPES] = {"f32", "f64", "bf16", "int8"};
const char *const ceiling_levels[CEILING_N_LEVELS] = {"L1", "L2", "L3", "memory"};

static void note(struct ceiling *c, double threads, double v)
{
        uint32_t i = 0;

        while (i < c->n && c->at[i].threads < threads)
                i++;
        if (i < c->n && c->at[i].threads == threads) {
                c->at[i].best = v > c->at[i].best ? v : c->at[i].best;
                return;
        }
        if (c->n == CEILING_POINTS)
                return;
        memmove(&c->at[i + 1], &c->at[i], (c->n - i) * sizeof(c->at[0]));
        c->at[i].threads = threads;
        c->at[i].best = v;
        c->n++;
}

static void note_all(struct ceiling *to, const char *const *names, int n, const json_t *list,
                     const char *key, const char *unit)
{
        const json_t *o;
        size_t i;

        json_array_foreach(list, i, o)
        {
                const char *name = json_string_value(json_object_get(o, key));

                for (int k = 0; name && k < n; k++)
                        if (!strcmp(name, names[k]))
                                note(&to[k], json_number_value(json_object_get(o, "threads")),
                                     json_number_value(json_object_get(o, unit)));
        }
}

static uint64_t positive(const json_t *o, const char *key)
{
        json_int_t v = json_integer_value(json_object_get(o, key));

        return v > 0 ? (uint64_t)v : 0;
}

static void find_caches(struct ceilings *c, const json_t *caches)
{
        const json_t *o;
        size_t i;

        json_array_foreach(caches, i, o)
        {
                uint64_t level = positive(o, "level"), count = positive(o, "count"),
                         cpus = positive(o, "shared_by_cpus");

                if (level < 1 || level > 3 || count > 65536 || cpus > 65536)
                        continue;
                c->cache[level - 1].bytes = positive(o, "size_bytes");
                c->cache[level - 1].count = count ? (uint32_t)count : 1;
                c->cache[level - 1].cpus = cpus ? (uint32_t)cpus : 1;
        }
}

/* As the architecture has them: 32 of 64 bytes, 16 of 32, 16 of 16. */
static uint32_t registers(const json_t *tiers)
{
        static const struct {
                const char *tier;
                uint32_t bytes;
        } sizes[] = {{"avx512", 2048}, {"avx2", 512}, {"sse2", 256}};
        uint32_t most = 0;
        const json_t *t;
        size_t i;

        json_array_foreach(tiers, i, t)
        {
                for (size_t k = 0; json_is_string(t) && k < sizeof(sizes) / sizeof(sizes[0]); k++)
                        if (!strcmp(json_string_value(t), sizes[k].tier) && sizes[k].bytes > most)
                                most = sizes[k].bytes;
        }
        return most;
}

void ceilings_init(struct ceilings *ret, const json_t *document)
{
        const json_t *c = json_object_get(document, "ceilings");

        *ret = (struct ceilings){.measured = c};
        note_all(ret->compute, ceiling_types, CEILING_N_TYPES, json_object_get(c, "compute"),
                 "type", "gflops");
        note_all(ret->bandwidth, ceiling_levels, CEILING_N_LEVELS, json_object_get(c, "bandwidth"),
                 "level", "gbps");
        find_caches(ret, json_object_get(json_object_get(document, "topology"), "caches"));
        ret->register_bytes = registers(json_object_get(json_object_get(document, "isa"), "tiers"));
}

bool ceiling_at(const struct ceiling *c, double threads, double *ret)
{
        uint32_t i = 0;

        if (!c->n || threads < c->at[0].threads)
                return false;
        while (i + 1 < c->n && c->at[i + 1].threads <= threads)
                i++;
        *ret = c->at[i].best;
        if (i + 1 < c->n)
                *ret += (c->at[i + 1].best - c->at[i].best) * (threads - c->at[i].threads) /
                        (c->at[i + 1].threads - c->at[i].threads);
        return true;
}

const struct ceiling *ceilings_compute(const struct ceilings *c, enum ceiling_type type)
{
        return &c->compute[c->compute[type].n ? type : CEILING_F32];
}

uint64_t ceilings_room(const struct ceilings *c, enum ceiling_level level, uint32_t threads)
{
        uint64_t n = threads ? threads : 1;

        if (level == CEILING_MEMORY)
                return UINT64_MAX;
        if (!c->cache[level].bytes)
                return 0;
        if (level == CEILING_L3)
                n = (n + c->cache[level].cpus - 1) / c->cache[level].cpus;
        if (n > c->cache[level].count)
                n = c->cache[level].count;
        return c->cache[level].bytes > UINT64_MAX / n ? UINT64_MAX : c->cache[level].bytes * n;
}

enum ceiling_level ceilings_holds(const struct ceilings *c, double bytes, uint32_t threads)
{
        for (int level = 0; level < CEILING_MEMORY; level++)
                if (bytes <= (double)ceilings_room(c, (enum ceiling_level)level, threads))
                        return (enum ceiling_level)level;
        return CEILING_MEMORY;
}
