/* SPDX-License-Identifier: MIT */
/* Waits and spawns as they should be: each function that is hooked, once at least. */
#include "waits.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

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
        AT_LEAST(other->waits.voluntary, 1); /* it has slept */
        t = start(naps, NULL);
        nap(60); /* it has ended: nothing to wait for */
        EQUAL(pthread_join(t, NULL), 0);
        EQUAL(me->waits.count[IFP_WAIT_JOIN], before + 1);
}

/* ---- every way to take a lock ---- */

struct lock {
        pthread_mutex_t m;
        mtx_t c11;
        pthread_rwlock_t rw;
        pthread_spinlock_t spin;
};
static struct lock lock;

#define LATER(clock) (&(struct timespec[]){in_ms(clock, 20000)}[0])
#define SOON(clock)  (&(struct timespec[]){in_ms(clock, 5)}[0])

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

/* ---- conditions of both kinds ---- */

static cnd_t c11_cond;

static int wait_clock(void)
{
        return pthread_cond_clockwait(&cond, &lock.m, CLOCK_MONOTONIC, LATER(CLOCK_MONOTONIC));
}
static int wait_timed(void)
{
        return pthread_cond_timedwait(&cond, &lock.m, LATER(CLOCK_REALTIME));
}
static int wait_c11(void)
{
        return cnd_wait(&c11_cond, &lock.c11);
}
static int wait_c11_timed(void)
{
        return cnd_timedwait(&c11_cond, &lock.c11, LATER(CLOCK_REALTIME));
}
static int all_posix(void)
{
        return pthread_cond_broadcast(&cond);
}
static int one_c11(void)
{
        return cnd_signal(&c11_cond);
}
static int all_c11(void)
{
        return cnd_broadcast(&c11_cond);
}

static const struct cond_way {
        int (*take)(void), (*give)(void), (*wait)(void), (*wake)(void);
        void *object;
} cond_ways[] = {
        {take_mutex, give_mutex, wait_clock, all_posix, &cond},
        {take_mutex, give_mutex, wait_timed, all_posix, &cond},
        {take_mtx, give_mtx, wait_c11, one_c11, &c11_cond},
        {take_mtx, give_mtx, wait_c11_timed, all_c11, &c11_cond},
};

static void *waits_for_word(void *arg)
{
        const struct cond_way *w = arg;

        other_tid = my_tid();
        w->take();
        reach(1);
        while (!said)
                EQUAL(w->wait(), 0);
        w->give();
        return NULL;
}

static void every_way_to_wait_for_a_condition(void)
{
        struct ifp_lane *me = my_lane();

        cnd_init(&c11_cond);
        for (size_t i = 0; i < sizeof(cond_ways) / sizeof(cond_ways[0]); i++) {
                const struct cond_way *w = &cond_ways[i];
                uint64_t blame = blamed(IFP_WAIT_COND, w->object, me, me->gen);
                uint64_t count = waits_of(NULL, IFP_WAIT_COND, w->object).count;
                pthread_t t;

                said = false;
                t = start(waits_for_word, (void *)w);
                until_waiting(other_tid, IFP_WAIT_COND, w->object);
                w->take();
                said = true;
                w->wake();
                w->give();
                pthread_join(t, NULL);
                EQUAL(waits_of(NULL, IFP_WAIT_COND, w->object).count, count + 1);
                EQUAL(blamed(IFP_WAIT_COND, w->object, me, me->gen), blame + 1);
        }
        mtx_lock(&lock.c11);
        EQUAL(cnd_timedwait(&c11_cond, &lock.c11, SOON(CLOCK_REALTIME)), thrd_timedout);
        mtx_unlock(&lock.c11);
        EQUAL(waits_of(me, IFP_WAIT_COND, &c11_cond).timeouts, 1);
}

/* Nobody wakes it: it is seen waiting. */
static void a_condition_that_never_comes(void)
{
        struct ifp_lane_waits *w;
        struct ifp_lane *other;
        pthread_t t;

        said = false;
        t = start(wants_cond, NULL);
        other = lane_of(other_tid);
        w = &other->waits;
        until_waiting(other_tid, IFP_WAIT_COND, &cond);
        nap(30);
        EQUAL(w->kind, IFP_WAIT_COND);
        EQUAL(w->object, (uintptr_t)&cond);
        CHECK(w->since && w->entry && w->entry < seg->live.n_waits);
        EQUAL(seg->waits[w->entry].kind, IFP_WAIT_COND);
        EQUAL(seg->waits[w->entry].object, (uintptr_t)&cond);
        EQUAL(seg->waits[w->entry].lane, other - seg->lanes);
        pthread_mutex_lock(&mutex);
        said = true;
        pthread_cond_signal(&cond);
        pthread_mutex_unlock(&mutex);
        pthread_join(t, NULL);
}

/* ---- semaphores ---- */

static sem_t sem;

static int sem_plain(void)
{
        return sem_wait(&sem);
}
static int sem_timed(void)
{
        return sem_timedwait(&sem, LATER(CLOCK_REALTIME));
}
static int sem_clock(void)
{
        return sem_clockwait(&sem, CLOCK_MONOTONIC, LATER(CLOCK_MONOTONIC));
}

static void *waits_for_sem(void *arg)
{
        int (*wait)(void) = *(int (**)(void))arg;

        other_tid = my_tid();
        reach(1);
        EQUAL(wait(), 0);
        return NULL;
}

static void a_semaphore(void)
{
        static int (*const waits[])(void) = {sem_plain, sem_timed, sem_clock};
        struct timespec bad = {0, -1};
        struct ifp_lane *me = my_lane();
        uint64_t n = 0;

        sem_init(&sem, 0, 0);
        for (size_t i = 0; i < 3; i++, n++) {
                pthread_t t;

                sem_post(&sem); /* to be had at once: no wait */
                errno = 77;
                EQUAL(waits[i](), 0);
                EQUAL(errno, 77);
                EQUAL(waits_of(NULL, IFP_WAIT_SEM, &sem).count, n);
                t = start(waits_for_sem, (void *)&waits[i]);
                until_waiting(other_tid, IFP_WAIT_SEM, &sem);
                sem_post(&sem);
                pthread_join(t, NULL);
                EQUAL(waits_of(NULL, IFP_WAIT_SEM, &sem).count, n + 1);
                EQUAL(blamed(IFP_WAIT_SEM, &sem, me, me->gen), n + 1);
        }
        errno = 0;
        EQUAL(sem_timedwait(&sem, SOON(CLOCK_REALTIME)), -1);
        EQUAL(errno, ETIMEDOUT);
        EQUAL(waits_of(me, IFP_WAIT_SEM, &sem).timeouts, 1);
        EQUAL(sem_timedwait(&sem, &bad), -1);
        EQUAL(errno, EINVAL);
        EQUAL(sem_clockwait(&sem, CLOCK_TAI, SOON(CLOCK_REALTIME)), -1);
        EQUAL(errno, EINVAL);
        EQUAL(waits_of(me, IFP_WAIT_SEM, &sem).count, 1);
        CHECK(!(waits_of(NULL, IFP_WAIT_SEM, &sem).flags & IFP_WAIT_SHARED_MEMORY));
}

/* ---- barriers, more of them ---- */

static pthread_barrier_t three;
static int arrived;

static void *comes_thrice(void *arg)
{
        (void)arg;
        __atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
        for (int i = 0; i < 300; i++)
                pthread_barrier_wait(&three);
        return NULL;
}

static void a_barrier_of_three(void)
{
        struct sums s;
        pthread_t t[2];

        pthread_barrier_init(&three, NULL, 3);
        for (int i = 0; i < 2; i++)
                pthread_create(&t[i], NULL, comes_thrice, NULL);
        comes_thrice(NULL);
        for (int i = 0; i < 2; i++)
                pthread_join(t[i], NULL);
        s = waits_of(NULL, IFP_WAIT_BARRIER, &three);
        EQUAL(s.last, 300); /* one of each episode */
        EQUAL(s.count, 600);
        EQUAL(s.by + s.others, 600); /* and each of the others knows it */
        EQUAL(s.unknown, 0);
        pthread_barrier_destroy(&three);
}

/* ---- joins ---- */

static int naps_c11(void *arg)
{
        naps(arg);
        return 42;
}

static void every_way_to_join(void)
{
        struct ifp_lane *me = my_lane();
        uint64_t n = me->waits.count[IFP_WAIT_JOIN];
        void *value;
        pthread_t t;
        thrd_t c11;
        int result;

        t = start(naps, &other_tid);
        EQUAL(pthread_timedjoin_np(t, &value, SOON(CLOCK_REALTIME)), ETIMEDOUT);
        EQUAL(pthread_timedjoin_np(t, &value, LATER(CLOCK_REALTIME)), 0);
        CHECK(value == &other_tid);
        EQUAL(me->waits.count[IFP_WAIT_JOIN], n + 2);
        t = start(naps, NULL);
        EQUAL(pthread_clockjoin_np(t, NULL, CLOCK_MONOTONIC, LATER(CLOCK_MONOTONIC)), 0);
        EQUAL(me->waits.count[IFP_WAIT_JOIN], n + 3);
        EQUAL(pthread_join(pthread_self(), NULL), EDEADLK);
        EQUAL(me->waits.count[IFP_WAIT_JOIN], n + 3);
        phase = 0;
        EQUAL(thrd_create(&c11, naps_c11, NULL), thrd_success);
        await(1);
        EQUAL(thrd_join(c11, &result), thrd_success);
        EQUAL(result, 42);
        EQUAL(me->waits.count[IFP_WAIT_JOIN], n + 4);
        phase = 0;
        EQUAL(thrd_create(&c11, naps_c11, NULL), thrd_success);
        await(1);
        nap(60);
        result = 0;
        EQUAL(thrd_join(c11, &result), thrd_success);
        EQUAL(result, 42);
        EQUAL(me->waits.count[IFP_WAIT_JOIN], n + 4);
}

/* ---- sleeping, yielding, polling ---- */

static void sleeps_and_yields(void)
{
        struct timespec t = {0, 2000000}, bad = {0, -1};
        struct ifp_lane *me = my_lane();
        uint64_t sleeps = me->waits.count[IFP_WAIT_SLEEP], yields = me->waits.count[IFP_WAIT_YIELD],
                 ticks = me->waits.ticks[IFP_WAIT_SLEEP], entries;

        EQUAL(nanosleep(&t, NULL), 0);
        EQUAL(clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL), 0);
        EQUAL(usleep(2000), 0);
        EQUAL(thrd_sleep(&t, NULL), 0);
        EQUAL(sleep(0), 0);
        EQUAL(nanosleep(&bad, NULL), -1);
        EQUAL(errno, EINVAL);
        EQUAL(clock_nanosleep(CLOCK_MONOTONIC, 0, &bad, NULL), EINVAL);
        EQUAL(me->waits.count[IFP_WAIT_SLEEP], sleeps + 5);
        AT_LEAST(me->waits.ticks[IFP_WAIT_SLEEP] - ticks, ms_ticks() * 8);
        entries = waits_of(me, IFP_WAIT_YIELD, NULL).entries;
        for (int i = 0; i < 1000; i++)
                sched_yield();
        thrd_yield();
        EQUAL(me->waits.count[IFP_WAIT_YIELD], yields + 1001);
        EQUAL(waits_of(me, IFP_WAIT_YIELD, NULL).entries, entries + 2);
        CHECK(waits_of(me, IFP_WAIT_YIELD, NULL).flags & IFP_WAIT_SPINS);
}

static void polls(void)
{
        struct ifp_lane *me = my_lane();
        uint64_t n = me->waits.count[IFP_WAIT_POLL];
        struct timespec soon = {0, 1000000}, never = {0, 0};
        struct timeval tv = {0, 1000}, none = {0, 0};
        struct epoll_event event;
        int fd[2], ep = epoll_create1(0);
        struct pollfd p;

        if (pipe(fd))
                abort();
        p = (struct pollfd){.fd = fd[0], .events = POLLIN};
        EQUAL(poll(&p, 1, 1), 0);
        EQUAL(ppoll(&p, 1, &soon, NULL), 0);
        EQUAL(select(0, NULL, NULL, NULL, &tv), 0);
        EQUAL(pselect(0, NULL, NULL, NULL, &soon, NULL), 0);
        EQUAL(epoll_wait(ep, &event, 1, 1), 0);
        EQUAL(epoll_pwait(ep, &event, 1, 1, NULL), 0);
        EQUAL(epoll_pwait2(ep, &event, 1, &soon, NULL), 0);
        EQUAL(me->waits.count[IFP_WAIT_POLL], n + 7);
        EQUAL(waits_of(me, IFP_WAIT_POLL, NULL).timeouts, n + 7);
        EQUAL(poll(&p, 1, 0), 0); /* these look only */
        EQUAL(ppoll(&p, 1, &never, NULL), 0);
        EQUAL(select(0, NULL, NULL, NULL, &none), 0);
        EQUAL(pselect(0, NULL, NULL, NULL, &never, NULL), 0);
        EQUAL(epoll_wait(ep, &event, 1, 0), 0);
        EQUAL(epoll_pwait(ep, &event, 1, 0, NULL), 0);
        EQUAL(epoll_pwait2(ep, &event, 1, &never, NULL), 0);
        EQUAL(me->waits.count[IFP_WAIT_POLL], n + 7);
        if (write(fd[1], "x", 1) != 1)
                abort();
        EQUAL(poll(&p, 1, 1000), 1);
        EQUAL(epoll_wait(-1, &event, 1, 1000), -1);
        EQUAL(errno, EBADF);
        EQUAL(me->waits.count[IFP_WAIT_POLL], n + 8);
        close(fd[0]);
        close(fd[1]);
        close(ep);
}

/* ---- futex by hand ---- */

static uint32_t word;

static void *waits_for_word_to_change(void *arg)
{
        (void)arg;
        other_tid = my_tid();
        reach(1);
        EQUAL(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), 0);
        return NULL;
}

static void a_futex(void)
{
        struct timespec soon = {0, 2000000};
        struct ifp_lane *me = my_lane();
        pthread_t t;

        word = 0;
        t = start(waits_for_word_to_change, NULL);
        until_waiting(other_tid, IFP_WAIT_FUTEX, &word);
        EQUAL(syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 1);
        pthread_join(t, NULL);
        EQUAL(waits_of(NULL, IFP_WAIT_FUTEX, &word).count, 1);
        EQUAL(blamed(IFP_WAIT_FUTEX, &word, me, me->gen), 1);
        CHECK(!(waits_of(NULL, IFP_WAIT_FUTEX, &word).flags & IFP_WAIT_SHARED_MEMORY));
        EQUAL(syscall(SYS_futex, &word, FUTEX_WAIT, 0, &soon, NULL, 0), -1);
        EQUAL(errno, ETIMEDOUT);
        EQUAL(waits_of(me, IFP_WAIT_FUTEX, &word).timeouts, 1);
        EQUAL(syscall(SYS_futex, &word, FUTEX_WAIT, 1, &soon, NULL, 0), -1);
        EQUAL(errno, EAGAIN); /* it is not 1: refused at once */
        EQUAL(waits_of(me, IFP_WAIT_FUTEX, &word).count, 1);
        /* all else as it came: six arguments, results, errors */
        EQUAL(syscall(SYS_getpid), getpid());
        EQUAL(syscall(SYS_close, -1), -1);
        EQUAL(errno, EBADF);
        void *p = (void *)syscall(SYS_mmap, NULL, 4096, 3, 0x22, -1, 0L);
        CHECK(p != (void *)-1);
        EQUAL(syscall(SYS_munmap, p, 4096), 0);
}

/* ---- spawns ---- */

static void *nothing(void *arg)
{
        return arg;
}

static PLACE void spawn_ten(void)
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

                if (!passes(s->stack, (const void *)spawn_ten))
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

static struct ifp_site *site_of(const void *function)
{
        struct ifp_site *found = NULL;

        for (uint32_t i = 0; i < seg->live.n_sites; i++)
                if (passes(seg->sites[i].stack, function)) {
                        CHECK(!found);
                        found = &seg->sites[i];
                }
        CHECK(found);
        return found;
}

static PLACE void spawn_fork(void)
{
        int status;
        pid_t pid = fork();

        if (!pid)
                _exit(3);
        EQUAL(waitpid(pid, &status, 0), pid);
        EQUAL(WEXITSTATUS(status), 3);
}

static PLACE void spawn_vfork(void)
{
        int status;
        pid_t pid = vfork();

        if (!pid)
                _exit(4);
        EQUAL(waitpid(pid, &status, 0), pid);
        EQUAL(WEXITSTATUS(status), 4);
}

static PLACE void spawn_posix(const char *path)
{
        char *argv[] = {"true", NULL}, *env[] = {NULL};
        int status, failed;
        pid_t pid;

        failed = *path == '/' ? posix_spawn(&pid, path, NULL, NULL, argv, env)
                              : posix_spawnp(&pid, path, NULL, NULL, argv, env);
        EQUAL(failed != 0, *path == '/');
        if (!failed)
                waitpid(pid, &status, 0);
}

static int clone_child(void *arg)
{
        return *(int *)arg;
}

static PLACE void spawn_clone(void)
{
        static char stack[65536] __attribute__((aligned(16)));
        int status, code = 5, parent = 0;
        pid_t pid = clone(clone_child, stack + sizeof(stack), SIGCHLD | CLONE_PARENT_SETTID, &code,
                          &parent);

        EQUAL(pid, parent);
        EQUAL(waitpid(pid, &status, 0), pid);
        EQUAL(WEXITSTATUS(status), 5);
}

static PLACE void spawn_clone_badly(void)
{
        EQUAL(clone(clone_child, NULL, SIGCHLD, NULL), -1);
        EQUAL(errno, EINVAL);
}

static PLACE void spawn_too_large(void)
{
        pthread_attr_t attr;
        pthread_t t;

        pthread_attr_init(&attr);
        pthread_attr_setstacksize(&attr, 1ull << 46);
        CHECK(pthread_create(&t, &attr, nothing, NULL));
}

static void every_way_to_spawn(void)
{
        uint64_t spawns = seg->live.spawns, in = my_lane()->waits.spawn_ticks[IFP_STATE_NONE];
        struct ifp_site *s;

        spawn_fork();
        spawn_vfork();
        spawn_posix("true");
        spawn_posix("/does/not/exist");
        spawn_clone();
        spawn_clone_badly();
        spawn_too_large();
        EQUAL(seg->live.spawns, spawns + 4);
        CHECK(my_lane()->waits.spawn_ticks[IFP_STATE_NONE] > in);
        EQUAL(my_lane()->waits.in_alloc, 0);
        s = site_of((const void *)spawn_fork);
        EQUAL(s->kind, IFP_SPAWN_FORK);
        EQUAL(s->count, 1);
        s = site_of((const void *)spawn_vfork);
        EQUAL(s->kind, IFP_SPAWN_VFORK);
        EQUAL(s->count, 1);
        CHECK(s->cost_ticks);
        s = site_of((const void *)spawn_clone);
        EQUAL(s->kind, IFP_SPAWN_CLONE);
        EQUAL(s->count, 1);
        EQUAL(site_of((const void *)spawn_clone_badly)->count, 0);
        s = site_of((const void *)spawn_too_large);
        EQUAL(s->count + s->live + s->peak + s->ended, 0);
        uint64_t posix = 0;
        for (uint32_t i = 0; i < seg->live.n_sites; i++)
                if (seg->sites[i].kind == IFP_SPAWN_POSIX)
                        posix += seg->sites[i].count;
        EQUAL(posix, 1);
}

/* ---- threads at once ---- */

static PLACE void spawn_five(void)
{
        pthread_t t[5];

        phase = 0;
        for (int i = 0; i < 5; i++)
                pthread_create(&t[i], NULL, comes_thrice, NULL);
        for (int i = 0; i < 5; i++)
                pthread_join(t[i], NULL);
}

static void five_are_alive_at_once(void)
{
        struct ifp_site *s;

        pthread_barrier_init(&three, NULL, 5);
        spawn_five();
        s = site_of((const void *)spawn_five);
        EQUAL(s->count, 5);
        EQUAL(s->peak, 5);
        EQUAL(s->ended, 5);
        EQUAL(s->live, 0);
        pthread_barrier_destroy(&three);
}

/* ---- switched off ---- */

static void nothing_is_kept(void)
{
        struct ifp_site *s;

        EQUAL(seg->header.flags & IFP_HEADER_WAITS, 0);
        pthread_mutex_lock(&mutex);
        phase = 0;
        pthread_t t = start(wants_mutex, &mutex);
        nap(20);
        pthread_mutex_unlock(&mutex);
        pthread_join(t, NULL);
        sched_yield();
        usleep(1000);
        spawn_ten();
        spawn_fork();
        EQUAL(seg->live.n_waits, 1);
        for (uint32_t i = 0; i < seg->live.n_lanes_used; i++)
                for (uint32_t k = 0; k < IFP_N_WAIT_KINDS; k++)
                        EQUAL(seg->lanes[i].waits.count[k], 0);
        s = site_of((const void *)spawn_ten); /* spawns are told still, by the caller alone */
        EQUAL(s->count, 10);
        EQUAL(s->ended, 10);
        EQUAL(seg->stacks[s->stack].n_frames, 1);
        CHECK(seg->stacks[s->stack].flags & IFP_STACK_ONE);
}

int main(int argc, char **argv)
{
        static const struct named_case off[] = {{"nothing_is_kept", nothing_is_kept}};
        static const struct named_case cases[] = {
                {"a_mutex", a_mutex},
                {"a_condition", a_condition},
                {"a_barrier", a_barrier},
                {"a_join", a_join},
                {"every_way_to_take_a_lock", every_way_to_take_a_lock},
                {"locks_that_time_out", locks_that_time_out},
                {"every_way_to_wait_for_a_condition", every_way_to_wait_for_a_condition},
                {"a_condition_that_never_comes", a_condition_that_never_comes},
                {"a_semaphore", a_semaphore},
                {"a_barrier_of_three", a_barrier_of_three},
                {"every_way_to_join", every_way_to_join},
                {"sleeps_and_yields", sleeps_and_yields},
                {"polls", polls},
                {"a_futex", a_futex},
                {"a_spawn_site", a_spawn_site},
                {"every_way_to_spawn", every_way_to_spawn},
                {"five_are_alive_at_once", five_are_alive_at_once},
        };

        if (argc == 2 && !strcmp(argv[1], "off"))
                return run_cases(off, 1, 1, argv);
        return run_cases(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
