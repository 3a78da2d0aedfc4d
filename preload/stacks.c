/* SPDX-License-Identifier: MIT */
/*
 * The segment's table of stacks: each distinct one once, found by its hash.
 * No lock, as for all that a signal handler may interrupt: an entry is filled
 * and then linked in; two threads that bring the same stack at the same instant
 * make two entries, which the report adds up.
 */
#include "preload/heap.h"

static uint64_t mix(uint64_t h, uint64_t v)
{
        h = (h ^ v) * 0x9fb21c651e98df25ull;
        return h ^ h >> 32;
}

static uint64_t hash_of(uint32_t op, uint32_t phase, uint32_t epoch, const uint64_t *frames,
                        uint32_t n, uint32_t flags)
{
        uint64_t h = mix((uint64_t)op << 40 | (uint64_t)phase << 36 | (uint64_t)flags << 32, epoch);

        for (uint32_t i = 0; i < n; i++)
                h = mix(h, frames[i]);
        return h | 1;
}

static bool same(const struct ifp_stack *s, uint64_t hash, const uint64_t *frames, uint32_t n)
{
        const uint64_t *have = ifp_seg->frames + s->first_frame;

        if (__atomic_load_n(&s->hash, __ATOMIC_ACQUIRE) != hash || s->n_frames != n)
                return false;
        for (uint32_t i = 0; i < n; i++)
                if (have[i] != frames[i])
                        return false;
        return true;
}

/* The next `n` of a table that holds `max`; false: there are none. */
static bool reserve(uint32_t *used, uint32_t n, uint32_t max, uint32_t *ret)
{
        uint32_t at = __atomic_load_n(used, __ATOMIC_RELAXED);

        do {
                if (at + n > max)
                        return false;
        } while (!__atomic_compare_exchange_n(used, &at, at + n, false, __ATOMIC_RELAXED,
                                              __ATOMIC_RELAXED));
        *ret = at;
        return true;
}

static void link_in(uint32_t index)
{
        struct ifp_stack *s = &ifp_seg->stacks[index];
        uint32_t *bucket = &ifp_seg->stack_buckets[s->hash >> 32 & (IFP_MAX_STACKS - 1)];
        uint32_t first = __atomic_load_n(bucket, __ATOMIC_RELAXED);

        do
                s->next = first;
        while (!__atomic_compare_exchange_n(bucket, &first, index, false, __ATOMIC_RELEASE,
                                            __ATOMIC_RELAXED));
}

uint32_t ifp_stack(uint32_t op, uint32_t phase, const uint64_t *frames, uint32_t n, uint32_t flags)
{
        struct ifp_live *live = &ifp_seg->live;
        uint32_t epoch = live->object_epoch, i, at;
        uint64_t hash = hash_of(op, phase, epoch, frames, n, flags);
        struct ifp_stack *s;

        i = __atomic_load_n(&ifp_seg->stack_buckets[hash >> 32 & (IFP_MAX_STACKS - 1)],
                            __ATOMIC_ACQUIRE);
        for (; i; i = ifp_seg->stacks[i].next)
                if (same(&ifp_seg->stacks[i], hash, frames, n))
                        return i;
        if (live->n_stacks >= IFP_MAX_STACKS || !reserve(&live->n_frames, n, IFP_MAX_FRAMES, &at) ||
            !reserve(&live->n_stacks, 1, IFP_MAX_STACKS, &i))
                return IFP_STACK_OTHER;
        ifp_copy(ifp_seg->frames + at, frames, n * sizeof(*frames));
        s = &ifp_seg->stacks[i];
        s->first_frame = at;
        s->n_frames = (uint16_t)n;
        s->op = (uint16_t)op;
        s->phase = (uint8_t)phase;
        s->flags = (uint8_t)flags;
        s->epoch = epoch;
        __atomic_store_n(&s->hash, hash, __ATOMIC_RELEASE);
        link_in(i);
        return i;
}

/* A fork child goes on with its parent's numbers; what is half filled there stays so here. */
void ifp_stacks_inherit(const struct ifp_segment *parent, struct ifp_segment *seg)
{
        uint32_t n = __atomic_load_n(&parent->live.n_stacks, __ATOMIC_ACQUIRE);

        seg->live.n_frames = __atomic_load_n(&parent->live.n_frames, __ATOMIC_ACQUIRE);
        seg->live.n_stacks = n;
        ifp_copy(seg->frames, parent->frames, seg->live.n_frames * sizeof(seg->frames[0]));
        for (uint32_t i = 1; i < n; i++) {
                const struct ifp_stack *from = &parent->stacks[i];
                struct ifp_stack *to = &seg->stacks[i];
                uint64_t hash = __atomic_load_n(&from->hash, __ATOMIC_ACQUIRE);
                uint32_t *bucket = &seg->stack_buckets[hash >> 32 & (IFP_MAX_STACKS - 1)];

                if (!hash)
                        continue;
                ifp_copy(to, from, offsetof(struct ifp_stack, samples));
                to->next = *bucket;
                *bucket = i;
        }
}
