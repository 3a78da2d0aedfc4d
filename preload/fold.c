/* SPDX-License-Identifier: MIT */
/*
 * Distributions: minimum, maximum and a histogram, whose octaves take blocks
 * from the segment's pool as values fall into them. The fold table of a lane is made of
 * them: where a span goes when the ring is full (counts and sums are in the lane's rows already).
 * So are waits and spawn sites.
 *
 * Each word is changed by one instruction, so a signal handler that folds in
 * the midst of a fold loses nothing, and the reader needs no lock: the words
 * only grow (min only shrinks), and all are final once the thread rests.
 */
#include "preload/shim.h"

/* A zeroed block, index + 1; 0: the pool is empty. */
static uint32_t block_take(void)
{
        uint32_t i = __atomic_fetch_add(&ifp_seg->live.n_blocks, 1, __ATOMIC_RELAXED);

        if (i < IFP_POOL_BLOCKS)
                return i + 1;
        __atomic_fetch_sub(&ifp_seg->live.n_blocks, 1, __ATOMIC_RELAXED);
        return 0;
}

/* The block that `*slot` names, taken now if it names none. A handler may have been quicker: then
 * ours stays unused. */
static union ifp_block *block_at(uint32_t *slot, bool fold)
{
        uint32_t have = __atomic_load_n(slot, __ATOMIC_RELAXED), expect = 0;

        if (IFP_UNLIKELY(!have)) {
                have = block_take();
                if (!have)
                        return NULL;
                if (fold)
                        ifp_seg->pool[have - 1].fold.min = ~0ull;
                if (!__atomic_compare_exchange_n(slot, &expect, have, false, __ATOMIC_RELEASE,
                                                 __ATOMIC_RELAXED))
                        have = expect;
        }
        return &ifp_seg->pool[have - 1];
}

static void lower(uint64_t *p, uint64_t v, bool shared)
{
        uint64_t old = ifp_word(p);

        while (v < old)
                if (shared ? __atomic_compare_exchange_n(p, &old, v, false, __ATOMIC_RELAXED,
                                                         __ATOMIC_RELAXED)
                           : ifp_local_cas(p, old, v))
                        return;
                else
                        old = ifp_word(p);
}

static void raise_to(uint64_t *p, uint64_t v, bool shared)
{
        uint64_t old = ifp_word(p);

        while (v > old)
                if (shared ? __atomic_compare_exchange_n(p, &old, v, false, __ATOMIC_RELAXED,
                                                         __ATOMIC_RELAXED)
                           : ifp_local_cas(p, old, v))
                        return;
                else
                        old = ifp_word(p);
}

void ifp_fold(uint32_t *slot, uint64_t value, bool shared)
{
        union ifp_block *b = block_at(slot, true), *octave;
        uint32_t index = ifp_hist_index(value);

        octave = b ? block_at(&b->fold.octave[index / IFP_HIST_SUB], false) : NULL;
        if (IFP_UNLIKELY(!octave)) {
                __atomic_fetch_add(&ifp_seg->live.fold_refused, 1, __ATOMIC_RELAXED);
                return;
        }
        ifp_lane_add(&octave->bucket[index % IFP_HIST_SUB], 1, shared);
        ifp_lane_add(&b->fold.count, 1, shared);
        ifp_lane_add(&b->fold.total, value, shared);
        lower(&b->fold.min, value, shared);
        raise_to(&b->fold.max, value, shared);
}
