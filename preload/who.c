/* SPDX-License-Identifier: MIT */
/*
 * Who a wait is for. Which of our lanes a thread id or a pthread_t has: small tables of this
 * process, whose answer is held against the lane itself, so that what is stale says nothing.
 *
 * Who woke: a note by object, which the waiter reads as it comes back. The table is
 * direct-mapped and has no lock; a note is believed only if it is for that object and was written
 * while the waiter waited. It may have been overwritten: then nobody is known.
 */
#include <pthread.h>

#include "preload/wait.h"

#define SLOTS   4096u
#define PROBES  16u
#define N_NOTES 1024u

static uint16_t by_tid[SLOTS], by_thread[SLOTS]; /* lane + 1; 0: free */
static uint64_t threads[IFP_MAX_LANES];          /* pthread_self of the lane's thread */

static uint32_t slot_of(uint64_t v)
{
        return (uint32_t)(v * 0x9e3779b97f4a7c15ull >> 52);
}
_Static_assert(SLOTS == 1u << 12, "slot_of");

static struct ifp_who who_of(uint32_t lane)
{
        struct ifp_lane *l = &ifp_seg->lanes[lane];
        uint64_t top = ifp_word(&l->top);
        struct ifp_who who = {.gen = l->gen, .lane = (uint16_t)lane};

        if (top && top < sizeof(l->open) && top % sizeof(struct ifp_open) == 0)
                who.op = (uint16_t)(ifp_word(&ifp_open_at(l, top)->op) >> 48);
        return who;
}

static bool is_live(uint32_t lane)
{
        return __atomic_load_n(&ifp_seg->lanes[lane].state, __ATOMIC_ACQUIRE) == IFP_LANE_LIVE;
}

static bool is_tid(uint32_t lane, uint64_t tid)
{
        return is_live(lane) && ifp_seg->lanes[lane].tid == (int32_t)tid;
}

static bool is_thread(uint32_t lane, uint64_t thread)
{
        return is_live(lane) && threads[lane] == thread;
}

/* Free is also what a lane does not answer for any more. */
static void enter(uint16_t *table, uint64_t key, uint32_t lane, bool (*is)(uint32_t, uint64_t),
                  uint64_t (*key_of)(uint32_t))
{
        uint32_t at = slot_of(key);

        for (uint32_t n = 0; n < PROBES; n++, at = (at + 1) % SLOTS) {
                uint16_t have = __atomic_load_n(&table[at], __ATOMIC_RELAXED);

                if (have && have != lane + 1 && is(have - 1u, key_of(have - 1u)) &&
                    (at - slot_of(key_of(have - 1u))) % SLOTS < PROBES)
                        continue;
                if (__atomic_compare_exchange_n(&table[at], &have, (uint16_t)(lane + 1), false,
                                                __ATOMIC_RELEASE, __ATOMIC_RELAXED))
                        return;
        }
}

static struct ifp_who find(const uint16_t *table, uint64_t key, bool (*is)(uint32_t, uint64_t))
{
        uint32_t at = slot_of(key);

        for (uint32_t n = 0; n < PROBES; n++, at = (at + 1) % SLOTS) {
                uint16_t have = __atomic_load_n(&table[at], __ATOMIC_ACQUIRE);

                if (have && is(have - 1u, key))
                        return who_of(have - 1u);
        }
        return (struct ifp_who){0};
}

static uint64_t tid_of(uint32_t lane)
{
        return (uint32_t)ifp_seg->lanes[lane].tid;
}

static uint64_t thread_of(uint32_t lane)
{
        return threads[lane];
}

void ifp_who_add(const struct ifp_tls *tls)
{
        uint32_t lane = tls->lane_number;

        threads[lane] = (uint64_t)pthread_self();
        enter(by_tid, tid_of(lane), lane, is_tid, tid_of);
        enter(by_thread, threads[lane], lane, is_thread, thread_of);
}

struct ifp_who ifp_who_tid(int32_t tid)
{
        return tid > 0 && ifp_waits_on ? find(by_tid, (uint32_t)tid, is_tid) : (struct ifp_who){0};
}

struct ifp_who ifp_who_thread(uint64_t thread)
{
        return ifp_waits_on ? find(by_thread, thread, is_thread) : (struct ifp_who){0};
}

struct ifp_who ifp_who_self(const struct ifp_tls *tls)
{
        if (!tls->lane || tls->crowd)
                return (struct ifp_who){0};
        return who_of(tls->lane_number);
}

/* ---- who woke ---------------------------------------------------------------- */

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

void ifp_who_wakes(const void *object)
{
        const struct ifp_tls *tls = &ifp_tls;
        uint64_t key = (uint64_t)(uintptr_t)object;
        struct note *n = note_of(key);

        if (!ifp_waits_on || tls->busy || !tls->lane || tls->crowd || !ifp_alive())
                return;
        __atomic_store_n(&n->object, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&n->word,
                         ifp_ticks() >> 2 << 19 | (uint64_t)tls->lane_number << 8 |
                                 (hash_of(key) >> 40 & 0xff),
                         __ATOMIC_RELEASE);
        __atomic_store_n(&n->object, key, __ATOMIC_RELEASE);
}

struct ifp_who ifp_who_woke(uint64_t object, uint64_t since, uint64_t now)
{
        struct note *n = note_of(object);
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

void ifp_who_after_fork(void)
{
        for (uint32_t i = 0; i < SLOTS; i++)
                by_tid[i] = by_thread[i] = 0;
        for (uint32_t i = 0; i < N_NOTES; i++)
                notes[i] = (struct note){0};
}
