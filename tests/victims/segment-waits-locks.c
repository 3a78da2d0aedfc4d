/* SPDX-License-Identifier: MIT */
/* Locks as they should be: each function that is hooked, once at least. */
#include "segment-waits.h"

#include <errno.h>
#include <stdio.h>
#include <threads.h>

/* ---- mutex ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static PLACE int take_it(pthread_mutex_t *m)
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
        AT_LEAST(s.ticks, ms_ticks() * 20);
        EQUAL(blamed(IFP_WAIT_MUTEX, &mutex, me, me->gen), 1);
        CHECK(passes(s.e->stack, (const void *)take_it));
        CHECK(!(s.flags & (IFP_WAIT_ONE | IFP_WAIT_SPINS | IFP_WAIT_SHARED_MEMORY)));
        EQUAL(other->waits.since, 0);
}

/* ---- every way to take a lock ---- */

struct lock {
        pthread_mutex_t m;
        mtx_t c11;
        pthread_rwlock_t rw;
        pthread_spinlock_t spin;
};
static struct lock lock;

static int take_mutex(void)
{
        return pthread_mutex_lock(&lock.m);
}
static int take_timed(void)
{
        return pthread_mutex_timedlock(&lock.m, LATER(CLOCK_REALTIME));
}
static int take_clock(void)
{
        return pthread_mutex_clocklock(&lock.m, CLOCK_MONOTONIC, LATER(CLOCK_MONOTONIC));
}
static int give_mutex(void)
{
        return pthread_mutex_unlock(&lock.m);
}
static int take_mtx(void)
{
        return mtx_lock(&lock.c11);
}
static int take_mtx_timed(void)
{
        return mtx_timedlock(&lock.c11, LATER(CLOCK_REALTIME));
}
static int give_mtx(void)
{
        return mtx_unlock(&lock.c11);
}
static int take_write(void)
{
        return pthread_rwlock_wrlock(&lock.rw);
}
static int take_read(void)
{
        return pthread_rwlock_rdlock(&lock.rw);
}
static int take_write_timed(void)
{
        return pthread_rwlock_timedwrlock(&lock.rw, LATER(CLOCK_REALTIME));
}
static int take_read_timed(void)
{
        return pthread_rwlock_timedrdlock(&lock.rw, LATER(CLOCK_REALTIME));
}
static int take_write_clock(void)
{
        return pthread_rwlock_clockwrlock(&lock.rw, CLOCK_MONOTONIC, LATER(CLOCK_MONOTONIC));
}
static int take_read_clock(void)
{
        return pthread_rwlock_clockrdlock(&lock.rw, CLOCK_MONOTONIC, LATER(CLOCK_MONOTONIC));
}
static int give_rwlock(void)
{
        return pthread_rwlock_unlock(&lock.rw);
}
static int take_spin(void)
{
        return pthread_spin_lock(&lock.spin);
}
static int give_spin(void)
{
        return pthread_spin_unlock(&lock.spin);
}

static const struct way {
        const char *name;
        int (*take)(void), (*give)(void);
        int (*held)(void); /* how the other holds it */
        void *object;
        uint32_t kind;
        bool holder_known;
} ways[] = {
        {"pthread_mutex_lock", take_mutex, give_mutex, take_mutex, &lock.m, IFP_WAIT_MUTEX, true},
        {"pthread_mutex_timedlock", take_timed, give_mutex, take_mutex, &lock.m, IFP_WAIT_MUTEX,
         true},
        {"pthread_mutex_clocklock", take_clock, give_mutex, take_mutex, &lock.m, IFP_WAIT_MUTEX,
         true},
        {"mtx_lock", take_mtx, give_mtx, take_mtx, &lock.c11, IFP_WAIT_MUTEX, true},
        {"mtx_timedlock", take_mtx_timed, give_mtx, take_mtx, &lock.c11, IFP_WAIT_MUTEX, true},
        {"pthread_rwlock_wrlock", take_write, give_rwlock, take_write, &lock.rw, IFP_WAIT_RWLOCK,
         true},
        {"a writer for readers", take_write, give_rwlock, take_read, &lock.rw, IFP_WAIT_RWLOCK,
         false},
        {"pthread_rwlock_rdlock", take_read, give_rwlock, take_write, &lock.rw, IFP_WAIT_RWLOCK,
         true},
        {"pthread_rwlock_timedwrlock", take_write_timed, give_rwlock, take_write, &lock.rw,
         IFP_WAIT_RWLOCK, true},
        {"pthread_rwlock_timedrdlock", take_read_timed, give_rwlock, take_write, &lock.rw,
         IFP_WAIT_RWLOCK, true},
        {"pthread_rwlock_clockwrlock", take_write_clock, give_rwlock, take_write, &lock.rw,
         IFP_WAIT_RWLOCK, true},
        {"pthread_rwlock_clockrdlock", take_read_clock, give_rwlock, take_write, &lock.rw,
         IFP_WAIT_RWLOCK, true},
        {"pthread_spin_lock", take_spin, give_spin, take_spin, (void *)&lock.spin,
         IFP_WAIT_SPINLOCK, false},
};

static void *takes(void *arg)
{
        const struct way *w = arg;

        other_tid = my_tid();
        reach(1);
        EQUAL(w->take(), 0);
        EQUAL(w->give(), 0);
        return NULL;
}

static void every_way_to_take_a_lock(void)
{
        struct ifp_lane *me = my_lane(), *other;

        pthread_mutex_init(&lock.m, NULL);
        mtx_init(&lock.c11, mtx_timed);
        pthread_rwlock_init(&lock.rw, NULL);
        pthread_spin_init(&lock.spin, 0);
        for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
                const struct way *w = &ways[i];
                struct sums before = waits_of(NULL, w->kind, w->object), now;
                uint64_t blame = blamed(w->kind, w->object, me, me->gen);
                pthread_t t;

                EQUAL(w->take(), 0); /* with nobody else about */
                EQUAL(w->give(), 0);
                EQUAL(waits_of(NULL, w->kind, w->object).count, before.count);
                w->held();
                t = start(takes, (void *)w);
                other = lane_of(other_tid);
                until_waiting(other_tid, w->kind, w->object);
                w->give();
                pthread_join(t, NULL);
                now = waits_of(NULL, w->kind, w->object);
                EQUAL(now.count, before.count + 1);
                EQUAL(now.e->lane, other - seg->lanes);
                EQUAL(blamed(w->kind, w->object, me, me->gen), blame + w->holder_known);
                EQUAL(!!(now.flags & IFP_WAIT_SPINS), w->kind == IFP_WAIT_SPINLOCK);
                if (waits_of(NULL, w->kind, w->object).count != before.count + 1)
                        printf("# that was %s\n", w->name);
        }
}

static void *holds(void *arg)
{
        const struct way *w = arg;

        w->held();
        reach(1);
        await(2);
        w->give();
        return NULL;
}

/* Held by another for good: times run out, and what is no time is refused as libc does it. */
static void locks_that_time_out(void)
{
        struct timespec bad = {0, 1000000000};
        struct ifp_lane *me = my_lane();
        struct sums m, rw;
        pthread_t t = start(holds, (void *)&ways[0]);

        m = waits_of(me, IFP_WAIT_MUTEX, &lock.m);
        EQUAL(pthread_mutex_timedlock(&lock.m, SOON(CLOCK_REALTIME)), ETIMEDOUT);
        EQUAL(pthread_mutex_clocklock(&lock.m, CLOCK_MONOTONIC, SOON(CLOCK_MONOTONIC)), ETIMEDOUT);
        EQUAL(pthread_mutex_timedlock(&lock.m, &bad), EINVAL);
        EQUAL(pthread_mutex_clocklock(&lock.m, CLOCK_PROCESS_CPUTIME_ID, SOON(CLOCK_MONOTONIC)),
              EINVAL);
        EQUAL(waits_of(me, IFP_WAIT_MUTEX, &lock.m).count, m.count + 2);
        EQUAL(waits_of(me, IFP_WAIT_MUTEX, &lock.m).timeouts, m.timeouts + 2);
        reach(2);
        pthread_join(t, NULL);
        EQUAL(pthread_mutex_clocklock(&lock.m, CLOCK_PROCESS_CPUTIME_ID, SOON(CLOCK_MONOTONIC)),
              EINVAL);

        t = start(holds, (void *)&ways[5]);
        rw = waits_of(me, IFP_WAIT_RWLOCK, &lock.rw);
        EQUAL(pthread_rwlock_timedrdlock(&lock.rw, SOON(CLOCK_REALTIME)), ETIMEDOUT);
        EQUAL(pthread_rwlock_timedwrlock(&lock.rw, SOON(CLOCK_REALTIME)), ETIMEDOUT);
        EQUAL(pthread_rwlock_clockrdlock(&lock.rw, CLOCK_MONOTONIC, SOON(CLOCK_MONOTONIC)),
              ETIMEDOUT);
        EQUAL(pthread_rwlock_clockwrlock(&lock.rw, CLOCK_MONOTONIC, SOON(CLOCK_MONOTONIC)),
              ETIMEDOUT);
        EQUAL(pthread_rwlock_timedrdlock(&lock.rw, &bad), EINVAL);
        EQUAL(waits_of(me, IFP_WAIT_RWLOCK, &lock.rw).count, rw.count + 4);
        EQUAL(waits_of(me, IFP_WAIT_RWLOCK, &lock.rw).timeouts, rw.timeouts + 4);
        reach(2);
        pthread_join(t, NULL);
        EQUAL(pthread_rwlock_timedwrlock(&lock.rw, &bad), EINVAL); /* also where it is free */
        EQUAL(pthread_rwlock_clockrdlock(&lock.rw, CLOCK_TAI, SOON(CLOCK_MONOTONIC)), EINVAL);
}

int main(int argc, char **argv)
{
        static const struct named_case cases[] = {
                {"a_mutex", a_mutex},
                {"every_way_to_take_a_lock", every_way_to_take_a_lock},
                {"locks_that_time_out", locks_that_time_out},
        };

        return run_cases(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
