/* SPDX-License-Identifier: MIT */
/*
 * The blocks that were sampled and are not freed yet, by address. Every free
 * asks whether its block is one of them, so the answer no has to be quick: a
 * count by the address's home bucket, mostly zero, decides.
 *
 * No lock: a signal handler may come in the midst, and a fork may leave any
 * other thread's work half done. A slot is claimed by exchanging its key;
 * an address is in the table at most once, because it is put in by the thread that got the block
 * and taken out by the one that frees it, before the allocator can give it to another. A sample
 * lies in its home bucket or in one of the next few (`spill` says how far); when these are full, in
 * another, larger table.
 */
#include "preload/heap.h"

#include <sys/mman.h>

#define SLOTS    8u
#define REACH    8u /* buckets from home on that are tried */
#define N_TABLES 4u
#define CLAIMED  1ull

struct table {
        uint64_t (*keys)[SLOTS]; /* 0 free; CLAIMED: being filled */
        struct ifp_sample (*samples)[SLOTS];
        uint8_t *spill;
        uint32_t shift; /* 64 - log2 of the number of buckets */
        uint32_t mask;
};

uint16_t ifp_live_filter[IFP_LIVE_HOMES];
static struct table tables[N_TABLES];
static uint32_t n_tables, growing;

static const uint32_t log2_buckets[N_TABLES] = {13, 16, 19, 22};

static bool table_new(struct table *t, uint32_t bits)
{
        uint64_t n = 1ull << bits, bytes;
        long at;

        bytes = n * (sizeof(*t->keys) + sizeof(*t->samples) + 1);
        at = IFP_SYS(mmap, NULL, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (ifp_sys_failed(at))
                return false;
        t->keys = (void *)at;
        t->samples = (void *)(at + (long)(n * sizeof(*t->keys)));
        t->spill = (uint8_t *)(at + (long)(n * (sizeof(*t->keys) + sizeof(*t->samples))));
        t->shift = 64 - bits;
        t->mask = (uint32_t)(n - 1);
        return true;
}

void ifp_live_init(void)
{
        if (!n_tables && table_new(&tables[0], log2_buckets[0]))
                __atomic_store_n(&n_tables, 1, __ATOMIC_RELEASE);
}

/* One more table; only one thread at a time tries, and a handler never waits for it. */
static bool grow(uint32_t had)
{
        uint32_t idle = 0;
        bool done;

        if (had >= N_TABLES || !__atomic_compare_exchange_n(&growing, &idle, 1, false,
                                                            __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
                return false;
        done = n_tables > had || table_new(&tables[had], log2_buckets[had]);
        if (done && n_tables == had)
                __atomic_store_n(&n_tables, had + 1, __ATOMIC_RELEASE);
        __atomic_store_n(&growing, 0, __ATOMIC_RELEASE);
        return done;
}

static uint32_t home_in(const struct table *t, const void *p)
{
        return (uint32_t)((((uintptr_t)p >> 4) * 0x9e3779b97f4a7c15ull) >> t->shift);
}

static void note_spill(uint8_t *spill, uint8_t distance)
{
        uint8_t was = __atomic_load_n(spill, __ATOMIC_RELAXED);

        while (was < distance && !__atomic_compare_exchange_n(spill, &was, distance, false,
                                                              __ATOMIC_RELEASE, __ATOMIC_RELAXED))
                ;
}

static bool add_to(struct table *t, const void *p, const struct ifp_sample *s)
{
        uint32_t home = home_in(t, p);

        for (uint32_t d = 0; d < REACH; d++) {
                uint32_t b = (home + d) & t->mask;

                for (uint32_t i = 0; i < SLOTS; i++) {
                        uint64_t *key = &t->keys[b][i], nobody = 0;

                        if (__atomic_load_n(key, __ATOMIC_RELAXED) ||
                            !__atomic_compare_exchange_n(key, &nobody, CLAIMED, false,
                                                         __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
                                continue;
                        t->samples[b][i] = *s;
                        note_spill(&t->spill[home], (uint8_t)d);
                        __atomic_store_n(key, (uint64_t)(uintptr_t)p, __ATOMIC_RELEASE);
                        return true;
                }
        }
        return false;
}

bool ifp_live_add(const void *p, const struct ifp_sample *s)
{
        uint32_t n = __atomic_load_n(&n_tables, __ATOMIC_ACQUIRE);
        bool done = false;

        for (uint32_t i = 0; i < n && !done; i++)
                done = add_to(&tables[i], p, s);
        if (!done && grow(n))
                done = add_to(&tables[n], p, s);
        if (done)
                __atomic_fetch_add(&ifp_live_filter[ifp_live_home(p)], 1, __ATOMIC_RELAXED);
        return done;
}

static bool take_from(struct table *t, const void *p, struct ifp_sample *ret)
{
        uint32_t home = home_in(t, p);
        uint32_t far = __atomic_load_n(&t->spill[home], __ATOMIC_ACQUIRE);

        for (uint32_t d = 0; d <= far; d++) {
                uint32_t b = (home + d) & t->mask;

                for (uint32_t i = 0; i < SLOTS; i++) {
                        if (__atomic_load_n(&t->keys[b][i], __ATOMIC_ACQUIRE) !=
                            (uint64_t)(uintptr_t)p)
                                continue;
                        *ret = t->samples[b][i];
                        __atomic_store_n(&t->keys[b][i], 0, __ATOMIC_RELEASE);
                        return true;
                }
        }
        return false;
}

bool ifp_live_take(const void *p, struct ifp_sample *ret)
{
        uint32_t n = __atomic_load_n(&n_tables, __ATOMIC_ACQUIRE);

        for (uint32_t i = 0; i < n; i++) {
                if (!take_from(&tables[i], p, ret))
                        continue;
                __atomic_fetch_sub(&ifp_live_filter[ifp_live_home(p)], 1, __ATOMIC_RELAXED);
                return true;
        }
        return false;
}

void ifp_live_each(void (*fn)(const struct ifp_sample *s))
{
        for (uint32_t t = 0; t < n_tables; t++)
                for (uint32_t b = 0; b <= tables[t].mask; b++)
                        for (uint32_t i = 0; i < SLOTS; i++)
                                if (tables[t].keys[b][i] > CLAIMED)
                                        fn(&tables[t].samples[b][i]);
}
