/* SPDX-License-Identifier: MIT */
/*
 * An entry is a block of the pool with a count, a sum and extremes, and
 * with the numbers of further blocks, one an octave of its histogram. The
 * numbers are the engine's and may point anywhere: they are held against the
 * count of blocks handed out. What lies in a block can be any number, which harms
 * nobody but the process that wrote it.
 */
#include "daemon/fold.h"

bool fold_is_there(const struct segment *s, uint32_t index)
{
        /* loaded after the index was, so it covers every true one */
        return index <= __atomic_load_n(&s->map->live.n_blocks, __ATOMIC_ACQUIRE) &&
               index <= IFP_POOL_BLOCKS;
}

static int block_at(const struct segment *s, uint32_t index, const union ifp_block **ret,
                    const char **ret_why)
{
        if (!fold_is_there(s, index)) {
                *ret_why = "a histogram of its points outside of the pool";
                return SEGMENT_E_BAD;
        }
        *ret = &s->map->pool[index - 1];
        return 0;
}

static uint64_t load(const uint64_t *p)
{
        return __atomic_load_n(p, __ATOMIC_RELAXED);
}

/* Σ n and Σ n·v and Σ n·v² over one octave, v being the middles of its buckets. */
struct sums {
        double n, v, v2;
};

static void octave_add(const union ifp_block *b, uint32_t octave, uint64_t *buckets,
                       struct sums *sums)
{
        for (uint32_t i = 0; i < IFP_HIST_SUB; i++) {
                uint32_t index = octave * IFP_HIST_SUB + i;
                uint64_t n = load(&b->bucket[i]);
                double v;

                if (!n)
                        continue;
                v = (double)ifp_hist_floor(index) + (double)(ifp_hist_width(index) - 1) / 2;
                sums->n += (double)n;
                sums->v += (double)n * v;
                sums->v2 += (double)n * v * v;
                if (buckets)
                        buckets[index] += n;
        }
}

int fold_block(const struct segment *s, uint32_t index, uint64_t *buckets, struct fold *f,
               const char **ret_why)
{
        const union ifp_block *b, *o;
        struct sums sums = {0};
        uint64_t count, min, max;
        double scale;
        int r;

        if (!index)
                return 0;
        r = block_at(s, index, &b, ret_why);
        if (r)
                return r;
        count = load(&b->fold.count);
        min = load(&b->fold.min);
        max = load(&b->fold.max);
        for (uint32_t k = 0; k < IFP_HIST_OCTAVES; k++) {
                uint32_t octave = __atomic_load_n(&b->fold.octave[k], __ATOMIC_ACQUIRE);

                if (!octave)
                        continue;
                r = block_at(s, octave, &o, ret_why);
                if (r)
                        return r;
                octave_add(o, k, buckets, &sums);
        }
        f->count += count;
        if (min < f->min)
                f->min = min;
        if (max > f->max)
                f->max = max;
        /* The middles are up to 0.8 % off, the sum is exact: scale them to it. */
        scale = sums.v > 0 ? (double)load(&b->fold.total) / sums.v : 1;
        f->sumsq += sums.v2 * scale * scale;
        return 0;
}

int fold_read(const struct segment *s, const struct ifp_lane *lane, uint32_t op, uint32_t phase,
              uint64_t *buckets, struct fold *f, const char **ret_why)
{
        return fold_block(s, __atomic_load_n(&lane->fold[op][phase], __ATOMIC_ACQUIRE), buckets, f,
                          ret_why);
}
