/* SPDX-License-Identifier: MIT */
/*
 * Who a wait is for. Which of our lanes a thread id or a pthread_t has: small tables of this
 * process, in which a thread is from taking its lane to giving it up.
 *
 * Who woke: a note by object, which the waiter reads as it comes back. The table is
 * direct-mapped and has no lock; a note is believed only if it is for that object and was written
 * while the waiter waited. It may have been overwritten: then nobody is known. A thread that gives
 * its lane up leaves one for its pthread_t, for who joins it: it may have had no lane when that
 * began.
 */
#include <pthread.h>

#include "preload/wait.h"

#define SLOTS   4096u
#define PROBES  16u
#define N_NOTES 1024u

/* Written by the thread that it is about: as it takes its lane, and as it gives it up. */
struct known {
        uint64_t key;
        uint32_t lane; /* + 1; 0: free */
};

static struct known by_tid[SLOTS], by_thread[SLOTS];

static uint32_t slot_of(uint64_t v)
{
        return (uint32_t)(v * 0x9e3779b97f4a7c15ull >> 52);
}
_Static_assert(SLOTS == 1u << 12, "slot_of");

/* ---- notes ------------------------------------------------------------------- */

/*
 * word: ticks / 4 (45 bits), lane (11), and 8 more of the object's hash, so that what two
 * writers have left together is not taken for one.
 */
struct note {
        uint64_t object, word;
};

static struct note notes[N_NOTES] __attribute__((aligned(64)));

static uint64_t hash_of(uint64_t object)
{
        return object * 0x9e3779b97f4a7c15ull;
}

static struct note *note_of(uint64_t object)
{
        return &notes[hash_of(object) >> 54];
}
_Static_assert(N_NOTES == 1u << 10 && IFP_MAX_LANES == 1u << 11, "note_of, word");

static void write_note(uint64_t key, uint32_t lane)
{
        struct note *n = note_of(key);

        __atomic_store_n(&n->object, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&n->word,
                         ifp_ticks() >> 2 << 19 | (uint64_t)lane << 8 | (hash_of(key) >> 40 & 0xff),
                         __ATOMIC_RELEASE);
        __atomic_store_n(&n->object, key, __ATOMIC_RELEASE);
}

static struct ifp_who who_of(uint32_t lane)
{
        struct ifp_lane *l = &ifp_seg->lanes[lane];
        uint64_t top = ifp_word(&l->top);
        struct ifp_who who = {.gen = l->gen, .lane = (uint16_t)lane};

        if (top && top < sizeof(l->open) && top % sizeof(struct ifp_open) == 0)
                who.op = (uint16_t)(ifp_word(&ifp_open_at(l, top)->op) >> 48);
        return who;
}

/* The first free place; where there is none the thread is not known. */
static void enter(struct known *table, uint64_t key, uint32_t lane)
{
        uint32_t at = slot_of(key);

        for (uint32_t n = 0; n < PROBES; n++, at = (at + 1) % SLOTS) {
                uint32_t none = 0;

                if (__atomic_load_n(&table[at].lane, __ATOMIC_RELAXED) ||
                    !__atomic_compare_exchange_n(&table[at].lane, &none, UINT32_MAX, false,
                                                 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
                        continue;
                table[at].key = key;
                __atomic_store_n(&table[at].lane, lane + 1, __ATOMIC_RELEASE);
                return;
        }
}

static struct known *find(struct known *table, uint64_t key)
{
        uint32_t at = slot_of(key);

        for (uint32_t n = 0; n < PROBES; n++, at = (at + 1) % SLOTS) {
                uint32_t lane = __atomic_load_n(&table[at].lane, __ATOMIC_ACQUIRE);

                if (lane && lane != UINT32_MAX && ifp_word(&table[at].key) == key)
                        return &table[at];
        }
        return NULL;
}

static void leave(struct known *table, uint64_t key, uint32_t lane)
{
        struct known *k = find(table, key);

        if (k && k->lane == lane + 1)
                __atomic_store_n(&k->lane, 0, __ATOMIC_RELEASE);
}

void ifp_who_add(const struct ifp_tls *tls)
{
        enter(by_tid, (uint32_t)tls->lane->tid, tls->lane_number);
        enter(by_thread, (uint64_t)pthread_self(), tls->lane_number);
}

void ifp_who_drop(const struct ifp_tls *tls)
{
        write_note((uint64_t)pthread_self(), tls->lane_number); /* for who joins it */
        leave(by_tid, (uint32_t)tls->lane->tid, tls->lane_number);
        leave(by_thread, (uint64_t)pthread_self(), tls->lane_number);
}

static struct ifp_who known_as(struct known *table, uint64_t key)
{
        struct known *k = ifp_waits_on ? find(table, key) : NULL;
        uint32_t lane = k ? __atomic_load_n(&k->lane, __ATOMIC_ACQUIRE) - 1 : UINT32_MAX;

        if (lane >= IFP_MAX_LANES ||
            __atomic_load_n(&ifp_seg->lanes[lane].state, __ATOMIC_ACQUIRE) != IFP_LANE_LIVE)
                return (struct ifp_who){0};
        return who_of(lane);
}

struct ifp_who ifp_who_tid(int32_t tid)
{
        struct ifp_who who = tid > 0 ? known_as(by_tid, (uint32_t)tid) : (struct ifp_who){0};

        /* a raw clone's child may have left without a word, and another have its number */
        if (who.gen && ifp_seg->lanes[who.lane].tid != tid)
                who.gen = 0;
        return who;
}

struct ifp_who ifp_who_thread(uint64_t thread)
{
        return known_as(by_thread, thread);
}

struct ifp_who ifp_who_self(const struct ifp_tls *tls)
{
        if (!tls->lane || tls->crowd)
                return (struct ifp_who){0};
        return who_of(tls->lane_number);
}

/* ---- who woke ---------------------------------------------------------------- */

void ifp_who_wakes(const void *object)
{
        const struct ifp_tls *tls = &ifp_tls;

        if (!ifp_waits_on || tls->busy || !tls->lane || tls->crowd || !ifp_alive())
                return;
        write_note((uint64_t)(uintptr_t)object, tls->lane_number);
}

struct ifp_who ifp_who_woke(uint64_t object, uint64_t since, uint64_t now)
{
        const struct note *n = note_of(object);
        uint64_t have = __atomic_load_n(&n->object, __ATOMIC_ACQUIRE),
                 word = __atomic_load_n(&n->word, __ATOMIC_ACQUIRE), mask = (1ull << 45) - 1, ago;
        uint32_t lane = (uint32_t)(word >> 8) & (IFP_MAX_LANES - 1);

        if (have != object || (word & 0xff) != (hash_of(object) >> 40 & 0xff) ||
            lane >= ifp_seg->header.n_lanes)
                return (struct ifp_who){0};
        ago = ((now >> 2) - (word >> 19)) & mask; /* modulo: far off where it is none of ours */
        if (now - since > mask || ago > (now - since) >> 2)
                return (struct ifp_who){0};
        if (ifp_seg->lanes[lane].start_ticks > now - ago * 4) /* another thread's by now */
                return (struct ifp_who){0};
        return who_of(lane);
}

/*
 * The thread joined gives its lane up a while before it is over; who begins to wait in between
 * finds its note all the same. What a thread leaves that had the same pthread_t before, the next
 * one overwrites, or takes away.
 */
struct ifp_who ifp_who_joined(uint64_t thread, uint64_t since, uint64_t now)
{
        uint64_t a_while = ifp_seg->header.ticks_per_second / 50;

        return ifp_who_woke(thread, since > a_while ? since - a_while : 0, now);
}

void ifp_who_forget(void)
{
        uint64_t key = (uint64_t)pthread_self();
        struct note *n = note_of(key);

        __atomic_compare_exchange_n(&n->object, &key, 0, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

/* A fork child's pages stay its parent's where there is nothing to forget. */
void ifp_who_anew(void)
{
        for (uint32_t i = 0; i < SLOTS; i++) {
                if (by_tid[i].lane)
                        by_tid[i].lane = 0;
                if (by_thread[i].lane)
                        by_thread[i].lane = 0;
        }
        for (uint32_t i = 0; i < N_NOTES; i++)
                if (notes[i].object)
                        notes[i].object = 0;
}
