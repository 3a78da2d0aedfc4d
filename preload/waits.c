/* SPDX-License-Identifier: MIT */
/*
 * The segment's table of waits, and how one more is added to an entry. A lane has entries of its
 * own, which need no locked instruction, until the table is half full; from then on new ones are
 * anybody's, and tell objects apart no more.
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

/* ---- adding up --------------------------------------------------------------- */

/* The place of `who`; NULL: there is none. */
static struct ifp_wait_by *place_of(struct ifp_wait *e, const struct ifp_who *who, bool shared)
{
        for (uint32_t i = 0; i < IFP_WAIT_BY; i++) {
                struct ifp_wait_by *by = &e->by[i];
                uint32_t gen = __atomic_load_n(&by->gen, __ATOMIC_ACQUIRE), none = 0;

                if (gen == who->gen && by->lane == who->lane)
                        return by;
                if (gen)
                        continue;
                if (!shared) {
                        by->lane = who->lane;
                        by->op = who->op;
                        __atomic_store_n(&by->gen, who->gen, __ATOMIC_RELEASE);
                        return by;
                }
                /* Two may take the same place: lane and gen go in one word. */
                if (__atomic_compare_exchange_n((uint64_t *)(void *)by, (uint64_t[]){none},
                                                who->gen | (uint64_t)who->lane << 32 |
                                                        (uint64_t)who->op << 48,
                                                false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
                        return by;
                i--; /* look at it again */
        }
        return NULL;
}
_Static_assert(offsetof(struct ifp_wait_by, gen) == 0 && offsetof(struct ifp_wait_by, lane) == 4 &&
                       offsetof(struct ifp_wait_by, op) == 6,
               "place_of");

/* One that was waited for more takes the place of the least, whose sums go to the others'. */
static struct ifp_wait_by *least_of(struct ifp_wait *e, const struct ifp_who *who, uint64_t ticks)
{
        struct ifp_wait_by *least = &e->by[0];

        for (uint32_t i = 1; i < IFP_WAIT_BY; i++)
                if (e->by[i].ticks < least->ticks)
                        least = &e->by[i];
        if (least->ticks >= ticks)
                return NULL;
        __atomic_store_n(&least->gen, 0, __ATOMIC_RELEASE);
        e->others += least->count;
        e->others_ticks += least->ticks;
        least->count = least->ticks = 0;
        least->lane = who->lane;
        least->op = who->op;
        __atomic_store_n(&least->gen, who->gen, __ATOMIC_RELEASE);
        return least;
}

static void blame(struct ifp_wait *e, const struct ifp_who *who, uint64_t ticks, bool shared)
{
        struct ifp_wait_by *by;

        if (!who->gen) {
                ifp_lane_add(&e->unknown, 1, shared);
                ifp_lane_add(&e->unknown_ticks, ticks, shared);
                return;
        }
        by = place_of(e, who, shared);
        if (!by && !shared)
                by = least_of(e, who, ticks);
        ifp_lane_add(by ? &by->count : &e->others, 1, shared);
        ifp_lane_add(by ? &by->ticks : &e->others_ticks, ticks, shared);
}

void ifp_wait_count(uint32_t entry, uint64_t ticks, const struct ifp_who *who,
                    enum ifp_wait_how how, bool left, bool by_another)
{
        struct ifp_wait *e = &ifp_seg->waits[entry];
        bool shared = by_another || e->lane == IFP_STACK_SHARED;

        ifp_lane_add(&e->count, 1, shared);
        ifp_lane_add(&e->ticks, ticks, shared);
        if (how == IFP_WAITED_TIMEOUT)
                ifp_lane_add(&e->timeouts, 1, shared);
        if (left)
                ifp_lane_add(&e->left, 1, shared);
        blame(e, who, ticks, shared);
        ifp_fold(&e->fold, ticks, shared);
}
