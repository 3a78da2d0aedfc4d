/* SPDX-License-Identifier: MIT */
/*
 * The segment's table of stacks: each distinct one once, found by its hash.
 * No lock, as for all that a signal handler may interrupt: an entry is filled
 * and then linked in; two threads that bring the same stack at the same instant
 * make two entries, which the report adds up.
 */
#include "preload/heap.h"

static uint64_t key_of(uint32_t lane, uint32_t op, uint32_t phase, uint32_t flags)
{
        return (uint64_t)lane << 32 | op << 16 | phase << 8 | flags;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
        h = (h ^ v) * 0x9fb21c651e98df25ull;
        return h ^ h >> 32;
}

/* Two streams, so that one multiplication need not wait for the other. */
static uint64_t hash_of(uint64_t key, uint32_t epoch, const uint64_t *frames, uint32_t n)
{
        uint64_t a = key, b = epoch;
        uint32_t i;

        for (i = 0; i + 4 <= n; i += 4) {
                a = (a ^ frames[i]) * 0x9fb21c651e98df25ull + frames[i + 1];
                b = (b ^ frames[i + 2]) * 0x9e3779b97f4a7c15ull + frames[i + 3];
                a ^= a >> 29;
                b ^= b >> 31;
        }
        for (; i < n; i++)
                a = mix(a, frames[i]);
        return mix(mix(a, b), n) | 1;
}

static bool same(const struct ifp_stack *s, uint64_t hash, uint64_t key, const uint64_t *frames,
                 uint32_t n)
{
        const uint64_t *have = ifp_seg->frames + s->first_frame;
        uint64_t differ;

        if (__atomic_load_n(&s->hash, __ATOMIC_ACQUIRE) != hash || s->n_frames != n)
                return false;
        differ = key ^ key_of(s->lane, s->op, s->phase, s->flags);
        for (uint32_t i = 0; i < n; i++)
                differ |= have[i] ^ frames[i];
        return !differ;
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

static uint32_t find(uint64_t hash, uint64_t key, const uint64_t *frames, uint32_t n)
{
        uint32_t i = __atomic_load_n(&ifp_seg->stack_buckets[hash >> 32 & (IFP_MAX_STACKS - 1)],
                                     __ATOMIC_ACQUIRE);

        while (i && !same(&ifp_seg->stacks[i], hash, key, frames, n))
                i = ifp_seg->stacks[i].next;
        return i;
}

/* One entry for all threads, once the tables are half full. */
static uint32_t whose(const struct ifp_tls *tls)
{
        const struct ifp_live *live = &ifp_seg->live;

        if (tls->crowd || live->n_stacks >= IFP_MAX_STACKS / 2 ||
            live->n_frames >= IFP_MAX_FRAMES / 2)
                return IFP_STACK_SHARED;
        return tls->lane_number;
}

uint32_t ifp_stack(const struct ifp_tls *tls, uint32_t op, uint32_t phase, const uint64_t *frames,
                   uint32_t n, uint32_t flags)
{
        struct ifp_live *live = &ifp_seg->live;
        uint32_t lane = tls->crowd ? IFP_STACK_SHARED : tls->lane_number, i, at;
        uint64_t key = key_of(lane, op, phase, flags);
        uint64_t hash = hash_of(key, live->object_epoch, frames, n);
        struct ifp_stack *s;

        i = find(hash, key, frames, n);
        if (IFP_LIKELY(i))
                return i;
        if (lane != whose(tls)) {
                lane = IFP_STACK_SHARED;
                key = key_of(lane, op, phase, flags);
                hash = hash_of(key, live->object_epoch, frames, n);
                i = find(hash, key, frames, n);
                if (i)
                        return i;
        }
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
        s->lane = (uint16_t)lane;
        s->epoch = live->object_epoch;
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
