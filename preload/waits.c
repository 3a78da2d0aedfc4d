/* SPDX-License-Identifier: MIT */
/*
 * The segment's table of waits. A lane has entries of its own, which need no locked instruction,
 * until the table is half full; from then on new ones are anybody's, and tell objects apart no
 * more.
 */
#include "preload/table.h"
#include "preload/wait.h"

struct key {
        uint64_t object;
        uint32_t stack;
        uint16_t op, lane;
        uint8_t phase, kind;
};

static uint64_t hash_of(const struct key *k)
{
        uint64_t h = ifp_mix(k->object, (uint64_t)k->stack << 32 | (uint32_t)k->op << 16 | k->lane);

        return ifp_mix(h, (uint64_t)k->phase << 8 | k->kind) | 1;
}

static uint32_t *bucket_of(uint64_t hash)
{
        return &ifp_seg->wait_buckets[hash >> 32 & (IFP_MAX_WAITS - 1)];
}

static uint32_t find(const struct key *k, uint64_t hash)
{
        uint32_t i = __atomic_load_n(bucket_of(hash), __ATOMIC_ACQUIRE);

        for (; i; i = ifp_seg->waits[i].next) {
                const struct ifp_wait *e = &ifp_seg->waits[i];

                if (__atomic_load_n(&e->hash, __ATOMIC_ACQUIRE) == hash && e->object == k->object &&
                    e->stack == k->stack && e->op == k->op && e->lane == k->lane &&
                    e->phase == k->phase && e->kind == k->kind)
                        break;
        }
        return i;
}

uint32_t ifp_wait_entry(const struct ifp_tls *tls, const struct ifp_wait_call *w, uint32_t op,
                        uint32_t phase, uint32_t stack, uint32_t stack_flags)
{
        struct ifp_live *live = &ifp_seg->live;
        struct key k = {.object = w->one_of_many ? 0 : w->object,
                        .stack = stack,
                        .op = (uint16_t)op,
                        .lane = tls->lane_number,
                        .phase = (uint8_t)phase,
                        .kind = w->kind};
        uint64_t hash = hash_of(&k);
        uint32_t i = find(&k, hash);
        struct ifp_wait *e;

        if (i)
                return i;
        if (live->n_waits >= IFP_MAX_WAITS / 2) {
                k.lane = IFP_STACK_SHARED;
                k.object = 0;
                hash = hash_of(&k);
                i = find(&k, hash);
                if (i)
                        return i;
        }
        if (!ifp_reserve(&live->n_waits, 1, IFP_MAX_WAITS, &i))
                return 0;
        e = &ifp_seg->waits[i];
        e->object = k.object;
        e->stack = k.stack;
        e->op = k.op;
        e->lane = k.lane;
        e->phase = k.phase;
        e->kind = k.kind;
        e->flags = (uint16_t)(w->flags | (stack_flags & IFP_STACK_ONE ? IFP_WAIT_ONE : 0));
        __atomic_store_n(&e->hash, hash, __ATOMIC_RELEASE);
        ifp_link_in(bucket_of(hash), &e->next, i);
        return i;
}
