/* SPDX-License-Identifier: MIT */
/*
 * Arrivals at barriers. Each object has a count of arrivals, by which an episode's last is known as
 * it arrives; it leaves its name for those that wait, who read it as they come back. The count and
 * the number of threads that have to come are one word: where that number changes (ggml's
 * does from graph to graph) an episode begins anew.
 *
 * An arrival may be missed (a thread that is not seen, an op that was off). Then an episode of the
 * real barrier ends while the count does not: whoever comes back and finds it so puts it right.
 */
#include "preload/wait.h"

#define N_BARRIERS 1024u
#define PROBES     16u
#define COUNT      ((1ull << 48) - 1)

struct ifp_barrier {
        uint64_t object; /* 0: never used */
        uint64_t word;   /* arrivals | number of threads << 48 */
        bool shared;     /* in shared memory: others may come that are not seen */
        struct {
                uint64_t episode; /* + 1; stored last, with release */
                uint64_t who;     /* gen | lane << 32 | op << 48 */
        } last[2];                /* by the episode's parity */
} __attribute__((aligned(64)));

static struct ifp_barrier barriers[N_BARRIERS];

static uint32_t slot_of(uint64_t object)
{
        return (uint32_t)(object * 0x9e3779b97f4a7c15ull >> 54);
}
_Static_assert(N_BARRIERS == 1u << 10, "slot_of");

static struct ifp_barrier *find(uint64_t object, bool take)
{
        uint32_t first = slot_of(object);

        for (uint32_t n = 0; n < PROBES; n++) {
                struct ifp_barrier *b = &barriers[(first + n) % N_BARRIERS];
                uint64_t have = __atomic_load_n(&b->object, __ATOMIC_ACQUIRE);

                if (have == object)
                        return b;
                if (!have)
                        break;
        }
        for (uint32_t n = 0; take && n < PROBES; n++) {
                struct ifp_barrier *b = &barriers[(first + n) % N_BARRIERS];
                uint64_t have = __atomic_load_n(&b->object, __ATOMIC_ACQUIRE);

                if (have <= 1 && __atomic_compare_exchange_n(&b->object, &have, object, false,
                                                             __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
                        /* of who had it before, left there for waiters that asked late */
                        b->last[0].episode = b->last[1].episode = 0;
                        return b;
                }
                if (have == object)
                        return b;
        }
        return NULL;
}

void ifp_barrier_known(const void *object, uint32_t n, bool shared)
{
        struct ifp_barrier *b;

        if (!ifp_waits_on || !n || n > UINT16_MAX)
                return;
        b = find((uint64_t)(uintptr_t)object, true);
        if (!b)
                return;
        b->shared = shared;
        b->last[0].episode = b->last[1].episode = 0;
        __atomic_store_n(&b->word, (uint64_t)n << 48, __ATOMIC_RELEASE);
}

void ifp_barrier_gone(const void *object)
{
        struct ifp_barrier *b = find((uint64_t)(uintptr_t)object, false);

        if (!b)
                return;
        __atomic_store_n(&b->word, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&b->object, 1, __ATOMIC_RELEASE); /* free, but not an end of search */
}

/* The word with one more arrival. */
static uint64_t after(uint64_t word, uint64_t n)
{
        uint64_t had = word >> 48, count = word & COUNT;

        if (had == n)
                return n << 48 | ((count + 1) & COUNT);
        count = had ? (count / had + 2) * n : 0;
        return n << 48 | ((count + 1) & COUNT);
}

static void note_last(struct ifp_barrier *b, uint64_t episode, const struct ifp_tls *tls,
                      uint32_t op)
{
        struct ifp_who who = ifp_who_self(tls);

        __atomic_store_n(&b->last[episode & 1].episode, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&b->last[episode & 1].who,
                         who.gen | (uint64_t)who.lane << 32 | (uint64_t)(op ? op : who.op) << 48,
                         __ATOMIC_RELEASE);
        __atomic_store_n(&b->last[episode & 1].episode, episode + 1, __ATOMIC_RELEASE);
}

struct ifp_arrival ifp_barrier_arrive(const struct ifp_tls *tls, const void *object, uint32_t n,
                                      uint32_t op)
{
        struct ifp_arrival a = {0};
        struct ifp_barrier *b;
        uint64_t word, next;

        if (!ifp_waits_on || !ifp_alive())
                return a;
        b = find((uint64_t)(uintptr_t)object, n != 0);
        if (!b)
                return a;
        word = __atomic_load_n(&b->word, __ATOMIC_RELAXED);
        do {
                uint64_t threads = n ? n : word >> 48;

                if (!threads)
                        return a;
                next = after(word, threads);
        } while (!__atomic_compare_exchange_n(&b->word, &word, next, false, __ATOMIC_ACQ_REL,
                                              __ATOMIC_RELAXED));
        a.barrier = b;
        a.episode = ((next & COUNT) - 1) / (next >> 48);
        a.last = (next & COUNT) == (a.episode + 1) * (next >> 48);
        if (a.last)
                note_last(b, a.episode, tls, op);
        return a;
}

/* The episode is over in truth. Is it by our count? */
static void put_right(struct ifp_barrier *b, uint64_t episode)
{
        uint64_t word = __atomic_load_n(&b->word, __ATOMIC_RELAXED), n = word >> 48;

        while (n && (word & COUNT) / n == episode) {
                if (__atomic_compare_exchange_n(&b->word, &word, n << 48 | (episode + 1) * n, false,
                                                __ATOMIC_RELAXED, __ATOMIC_RELAXED))
                        return;
                n = word >> 48;
        }
}

struct ifp_who ifp_barrier_last(const struct ifp_arrival *a)
{
        struct ifp_barrier *b = a->barrier;
        uint64_t who;

        if (!b)
                return (struct ifp_who){0};
        if (__atomic_load_n(&b->last[a->episode & 1].episode, __ATOMIC_ACQUIRE) != a->episode + 1) {
                put_right(b, a->episode);
                return (struct ifp_who){0};
        }
        who = __atomic_load_n(&b->last[a->episode & 1].who, __ATOMIC_ACQUIRE);
        if (__atomic_load_n(&b->last[a->episode & 1].episode, __ATOMIC_ACQUIRE) != a->episode + 1)
                return (struct ifp_who){0};
        return (struct ifp_who){
                .gen = (uint32_t)who, .lane = (uint16_t)(who >> 32), .op = (uint16_t)(who >> 48)};
}

bool ifp_barrier_shared(const struct ifp_arrival *a)
{
        return a->barrier && a->barrier->shared;
}

/* ---- barriers that are kernels ------------------------------------------------- */

/* The barrier that a lane's thread is in, on lines of its own. */
static struct visit {
        uint64_t back; /* as in wait.c */
        struct ifp_wait_call wait;
        struct ifp_arrival arrival;
        bool inside, waits;
} __attribute__((aligned(64))) visits[IFP_MAX_LANES];

static uint64_t back_at(uint64_t sp)
{
        return *(const volatile uint64_t *)(uintptr_t)(sp + 8);
}

/* One barrier may be made of another: the outer one counts. */
static bool is_within(const struct visit *v, const struct ifp_tls *tls, uint64_t sp)
{
        return v->inside && sp < v->wait.sp && v->wait.sp < tls->stack_hi && sp >= tls->stack_lo &&
               back_at(v->wait.sp) == v->back;
}

void ifp_barrier_enter(struct ifp_tls *tls, const struct ifp_barrier_call *c)
{
        struct visit *v = &visits[tls->lane_number];

        if (is_within(v, tls, c->sp))
                return;
        *v = (struct visit){.back = back_at(c->sp),
                            .inside = true,
                            .wait = {.sp = c->sp,
                                     .object = c->shown,
                                     .flags = IFP_WAIT_SPINS,
                                     .kind = IFP_WAIT_BARRIER,
                                     .one_of_many = c->one_of_many,
                                     .has_op = true,
                                     .op = (uint16_t)c->op},
                            .arrival = ifp_barrier_arrive(tls, c->object, c->n_threads, c->op)};
        if (v->arrival.last)
                ifp_wait_last(&v->wait, true);
        else
                v->waits = ifp_wait_begin_saved(&v->wait);
}

void ifp_barrier_leave(struct ifp_tls *tls, uint64_t sp)
{
        struct visit *v = &visits[tls->lane_number];

        if (!v->inside || v->wait.sp != sp)
                return;
        v->inside = false;
        if (!v->waits)
                return;
        v->wait.who = ifp_barrier_last(&v->arrival);
        ifp_wait_end(&v->wait, IFP_WAITED);
}
