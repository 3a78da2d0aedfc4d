/* SPDX-License-Identifier: MIT */
/*
 * The segment's table of stacks: each distinct one once, found by its hash, and
 * the stack that this thread has just now.
 */
#include "preload/heap.h"
#include "preload/table.h"

static uint64_t key_of(uint32_t lane, uint32_t op, uint32_t phase, uint32_t flags)
{
        return (uint64_t)lane << 32 | op << 16 | phase << 8 | flags;
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
                a = ifp_mix(a, frames[i]);
        return ifp_mix(ifp_mix(a, b), n) | 1;
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

static uint32_t *bucket_of(uint64_t hash)
{
        return &ifp_seg->stack_buckets[hash >> 32 & (IFP_MAX_STACKS - 1)];
}

static uint32_t find(uint64_t hash, uint64_t key, const uint64_t *frames, uint32_t n)
{
        uint32_t i = __atomic_load_n(bucket_of(hash), __ATOMIC_ACQUIRE);

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

uint32_t ifp_stack(const struct ifp_tls *tls, bool shared, uint32_t op, uint32_t phase,
                   const uint64_t *frames, uint32_t n, uint32_t flags)
{
        struct ifp_live *live = &ifp_seg->live;
        uint32_t lane = shared || tls->crowd ? IFP_STACK_SHARED : tls->lane_number, i, at;
        uint64_t key = key_of(lane, op, phase, flags);
        uint64_t hash = hash_of(key, live->object_epoch, frames, n);
        struct ifp_stack *s;

        i = find(hash, key, frames, n);
        if (IFP_LIKELY(i))
                return i;
        if (lane != IFP_STACK_SHARED && lane != whose(tls)) {
                lane = IFP_STACK_SHARED;
                key = key_of(lane, op, phase, flags);
                hash = hash_of(key, live->object_epoch, frames, n);
                i = find(hash, key, frames, n);
                if (i)
                        return i;
        }
        if (live->n_stacks >= IFP_MAX_STACKS ||
            !ifp_reserve(&live->n_frames, n, IFP_MAX_FRAMES, &at) ||
            !ifp_reserve(&live->n_stacks, 1, IFP_MAX_STACKS, &i))
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
        ifp_link_in(bucket_of(hash), &s->next, i);
        return i;
}

/*
 * Is this thread in the midst of unwinding? Then a signal handler has
 * interrupted it, and that is not to be entered again. What was left by longjmp
 * lies below where the stack stands now.
 */
static bool nested(const struct ifp_tls *tls, uint64_t sp)
{
        bool own = sp >= tls->stack_lo && sp < tls->stack_hi;

        return tls->sampling_sp && !(own && sp > tls->sampling_sp);
}

bool ifp_frames_here(struct ifp_tls *tls, const void *caller, struct ifp_frames *ret)
{
        bool cut = false, free_to = !nested(tls, (uint64_t)(uintptr_t)ret);

        ret->n = ret->flags = 0;
        if (free_to) {
                tls->sampling_sp = (uint64_t)(uintptr_t)ret;
                ret->n = ifp_unwind(tls, ret->at, IFP_FRAMES, &cut);
                tls->sampling_sp = 0;
        }
        if (!ret->n) {
                ret->at[0] = (uint64_t)(uintptr_t)caller;
                ret->n = 1;
                ret->flags = IFP_STACK_ONE;
        }
        if (ret->n > IFP_STACK_DEPTH) {
                ret->n = IFP_STACK_DEPTH;
                cut = true;
        }
        if (cut)
                ret->flags |= IFP_STACK_CUT;
        return free_to;
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
