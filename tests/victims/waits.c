/* SPDX-License-Identifier: MIT */
/* Waits and spawns as they should be: each function that is hooked, once at least. */
#include "waits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int other_tid; /* of the thread a case started */
static volatile int phase;

static void reach(int p)
{
        __atomic_store_n(&phase, p, __ATOMIC_SEQ_CST);
}

static void await(int p)
{
        while (__atomic_load_n(&phase, __ATOMIC_SEQ_CST) < p)
                nap(1);
}

static pthread_t start(void *(*fn)(void *), void *arg)
{
        pthread_t t;

        phase = 0;
        if (pthread_create(&t, NULL, fn, arg))
                abort();
        await(1);
        return t;
}

/* ---- mutex ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static __attribute__((noinline)) int take_it(pthread_mutex_t *m)
{
        int ret = pthread_mutex_lock(m);

        __asm__ volatile("");
        return ret;
}

static void *wants_mutex(void *arg)
{
        other_tid = my_tid();
        reach(1);
        EQUAL(take_it(arg), 0);
        pthread_mutex_unlock(arg);
        return NULL;
}

static void a_mutex(void)
{
        struct ifp_lane *me = my_lane(), *other;
        struct sums s;
        pthread_t t;

        for (int i = 0; i < 1000; i++) { /* uncontended: nothing to tell */
                pthread_mutex_lock(&mutex);
                pthread_mutex_unlock(&mutex);
        }
        EQUAL(waits_of(NULL, IFP_WAIT_MUTEX, &mutex).entries, 0);
        pthread_mutex_lock(&mutex);
        t = start(wants_mutex, &mutex);
        other = lane_of(other_tid);
        until_waiting(other_tid, IFP_WAIT_MUTEX, &mutex);
        nap(20);
        pthread_mutex_unlock(&mutex);
        pthread_join(t, NULL);
        s = waits_of(other, IFP_WAIT_MUTEX, &mutex);
        EQUAL(s.count, 1);
        EQUAL(s.entries, 1);
        AT_LEAST(s.ticks, seg->header.ticks_per_second / 1000 * 20);
        EQUAL(blamed(IFP_WAIT_MUTEX, &mutex, me, me->gen), 1);
        CHECK(passes(s.e->stack, (const void *)take_it, 64));
        CHECK(!(s.flags & (IFP_WAIT_ONE | IFP_WAIT_SPINS | IFP_WAIT_SHARED_MEMORY)));
        EQUAL(other->waits.since, 0);
}

/* ---- condition ---- */

static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static bool said;

static void *wants_cond(void *arg)
{
        (void)arg;
        other_tid = my_tid();
        pthread_mutex_lock(&mutex);
        reach(1);
        while (!said)
                pthread_cond_wait(&cond, &mutex);
        pthread_mutex_unlock(&mutex);
        return NULL;
}

static void a_condition(void)
{
        struct ifp_lane *me = my_lane(), *other;
        struct timespec soon = in_ms(CLOCK_REALTIME, 10);
        struct sums s;
        pthread_t t;

        said = false;
        t = start(wants_cond, NULL);
        other = lane_of(other_tid);
        until_waiting(other_tid, IFP_WAIT_COND, &cond);
        pthread_mutex_lock(&mutex);
        said = true;
        pthread_cond_signal(&cond);
        pthread_mutex_unlock(&mutex);
        pthread_join(t, NULL);
        s = waits_of(other, IFP_WAIT_COND, &cond);
        EQUAL(s.count, 1);
        EQUAL(s.unknown, 0);
        EQUAL(blamed(IFP_WAIT_COND, &cond, me, me->gen), 1);
        pthread_mutex_lock(&mutex);
        EQUAL(pthread_cond_timedwait(&cond, &mutex, &soon), ETIMEDOUT);
        pthread_mutex_unlock(&mutex);
        s = waits_of(me, IFP_WAIT_COND, &cond);
        EQUAL(s.timeouts, 1);
        EQUAL(s.unknown, 1);
}

/* ---- barrier ---- */

#define ROUNDS 50
static pthread_barrier_t barrier;

static void *comes_late(void *arg)
{
        (void)arg;
        other_tid = my_tid();
        reach(1);
        for (int i = 0; i < ROUNDS; i++) {
                nap(2);
                pthread_barrier_wait(&barrier);
        }
        return NULL;
}

static void a_barrier(void)
{
        struct ifp_lane *me = my_lane(), *other;
        uint32_t gen;
        struct sums s;
        pthread_t t;

        pthread_barrier_init(&barrier, NULL, 2);
        t = start(comes_late, NULL);
        other = lane_of(other_tid);
        gen = other->gen;
        for (int i = 0; i < ROUNDS; i++)
                pthread_barrier_wait(&barrier);
        pthread_join(t, NULL);
        s = waits_of(me, IFP_WAIT_BARRIER, &barrier);
        EQUAL(s.count + s.last, ROUNDS);
        AT_LEAST(s.count, ROUNDS - 5); /* the other naps before each */
        EQUAL(blamed(IFP_WAIT_BARRIER, &barrier, other, gen), s.count);
        EQUAL(waits_of(other, IFP_WAIT_BARRIER, &barrier).last, s.count);
        EQUAL(s.entries, 1);
        pthread_barrier_destroy(&barrier);
}

/* ---- join ---- */

static void *naps(void *arg)
{
        other_tid = my_tid();
        reach(1);
        nap(30);
        return arg;
}

static void a_join(void)
{
        struct ifp_lane *me = my_lane(), *other;
        uint64_t before = me->waits.count[IFP_WAIT_JOIN];
        void *value = NULL;
        uint32_t gen;
        pthread_t t = start(naps, &other_tid);

        other = lane_of(other_tid);
        gen = other->gen;
        EQUAL(pthread_join(t, &value), 0);
        CHECK(value == &other_tid);
        EQUAL(me->waits.count[IFP_WAIT_JOIN], before + 1);
        EQUAL(blamed(IFP_WAIT_JOIN, NULL, other, gen), 1);
        t = start(naps, NULL);
        nap(60); /* it has ended: nothing to wait for */
        EQUAL(pthread_join(t, NULL), 0);
        EQUAL(me->waits.count[IFP_WAIT_JOIN], before + 1);
}

/* ---- spawns ---- */

static void *nothing(void *arg)
{
        return arg;
}

static __attribute__((noinline)) void spawn_ten(void)
{
        for (int i = 0; i < 10; i++) {
                pthread_t t;

                pthread_create(&t, NULL, nothing, NULL);
                pthread_join(t, NULL);
        }
}

static void a_spawn_site(void)
{
        uint64_t sites = 0, spawns = seg->live.spawns;

        spawn_ten();
        for (uint32_t i = 0; i < seg->live.n_sites; i++) {
                const struct ifp_site *s = &seg->sites[i];

                if (!passes(s->stack, (const void *)spawn_ten, 128))
                        continue;
                sites++;
                EQUAL(s->kind, IFP_SPAWN_THREAD);
                EQUAL(s->count, 10);
                EQUAL(s->ended, 10);
                EQUAL(s->live, 0);
                EQUAL(s->peak, 1);
                CHECK(s->cost_ticks && s->life_ticks && s->cpu_ns);
        }
        EQUAL(sites, 1);
        EQUAL(seg->live.spawns, spawns + 10);
}

int main(int argc, char **argv)
{
        static const struct named_case cases[] = {
                {"a_mutex", a_mutex}, {"a_condition", a_condition},   {"a_barrier", a_barrier},
                {"a_join", a_join},   {"a_spawn_site", a_spawn_site},
        };

        return run_cases(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
