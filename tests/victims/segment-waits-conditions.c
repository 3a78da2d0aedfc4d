/* SPDX-License-Identifier: MIT */
/* Conditions, semaphores and barriers as they should be: each function that is hooked, once at
 * least. */
#include "segment-waits.h"

#include <errno.h>
#include <semaphore.h>
#include <threads.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

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

/* ---- conditions of both kinds ---- */

static mtx_t c11;
static cnd_t c11_cond;

static int take_mutex(void)
{
        return pthread_mutex_lock(&mutex);
}
static int give_mutex(void)
{
        return pthread_mutex_unlock(&mutex);
}
static int take_mtx(void)
{
        return mtx_lock(&c11);
}
static int give_mtx(void)
{
        return mtx_unlock(&c11);
}

static int wait_clock(void)
{
        return pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, LATER(CLOCK_MONOTONIC));
}
static int wait_timed(void)
{
        return pthread_cond_timedwait(&cond, &mutex, LATER(CLOCK_REALTIME));
}
static int wait_c11(void)
{
        return cnd_wait(&c11_cond, &c11);
}
static int wait_c11_timed(void)
{
        return cnd_timedwait(&c11_cond, &c11, LATER(CLOCK_REALTIME));
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

        mtx_init(&c11, mtx_timed);
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
        mtx_lock(&c11);
        EQUAL(cnd_timedwait(&c11_cond, &c11, SOON(CLOCK_REALTIME)), thrd_timedout);
        mtx_unlock(&c11);
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

/* ---- barriers, more of them ---- */

static pthread_barrier_t three;

static void *comes_thrice(void *arg)
{
        (void)arg;
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

int main(int argc, char **argv)
{
        static const struct named_case cases[] = {
                {"a_condition", a_condition},
                {"every_way_to_wait_for_a_condition", every_way_to_wait_for_a_condition},
                {"a_condition_that_never_comes", a_condition_that_never_comes},
                {"a_semaphore", a_semaphore},
                {"a_barrier", a_barrier},
                {"a_barrier_of_three", a_barrier_of_three},
        };

        return run_cases(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
