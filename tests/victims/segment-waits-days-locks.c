/* SPDX-License-Identifier: MIT */
/* Locks on bad days. Each case is right by itself without the shim; what the shim wrote must be,
 * too. */
#include "segment-waits.h"

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- kinds of mutexes ---- */

static pthread_mutex_t of_kind(int type, int protocol, int robust)
{
        pthread_mutexattr_t attr;
        pthread_mutex_t m;

        pthread_mutexattr_init(&attr);
        pthread_mutexattr_settype(&attr, type);
        pthread_mutexattr_setprotocol(&attr, protocol);
        pthread_mutexattr_setrobust(&attr, robust);
        if (pthread_mutex_init(&m, &attr))
                abort();
        return m;
}

static pthread_mutex_t m;

static void mutexes_of_all_kinds(void)
{
        static const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
                                    PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ADAPTIVE_NP};

        for (int i = 0; i < 16; i++) {
                int protocol = i & 4 ? PTHREAD_PRIO_INHERIT : PTHREAD_PRIO_NONE;
                int robust = i & 8 ? PTHREAD_MUTEX_ROBUST : PTHREAD_MUTEX_STALLED;

                m = of_kind(types[i & 3], protocol, robust);
                contend(&m);
                pthread_mutex_destroy(&m);
        }
}

static void relocking_is_no_wait(void)
{
        uint64_t n = my_lane()->waits.count[IFP_WAIT_MUTEX];

        m = of_kind(PTHREAD_MUTEX_ERRORCHECK, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED);
        EQUAL(pthread_mutex_lock(&m), 0);
        EQUAL(pthread_mutex_lock(&m), EDEADLK);
        EQUAL(pthread_mutex_unlock(&m), 0);
        EQUAL(pthread_mutex_unlock(&m), EPERM);
        m = of_kind(PTHREAD_MUTEX_ERRORCHECK, PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_ROBUST);
        EQUAL(pthread_mutex_lock(&m), 0);
        EQUAL(pthread_mutex_lock(&m), EDEADLK);
        EQUAL(pthread_mutex_unlock(&m), 0);
        m = of_kind(PTHREAD_MUTEX_RECURSIVE, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED);
        EQUAL(pthread_mutex_lock(&m), 0);
        EQUAL(pthread_mutex_lock(&m), 0);
        EQUAL(pthread_mutex_unlock(&m), 0);
        EQUAL(pthread_mutex_unlock(&m), 0);
        EQUAL(pthread_mutex_unlock(&m), EPERM);
        EQUAL(my_lane()->waits.count[IFP_WAIT_MUTEX], n);
        pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
        pthread_rwlock_wrlock(&rw);
        EQUAL(pthread_rwlock_wrlock(&rw), EDEADLK);
        EQUAL(pthread_rwlock_rdlock(&rw), EDEADLK);
        EQUAL(my_lane()->waits.count[IFP_WAIT_RWLOCK], 0);
}

/* A ceiling wants privileges: what the lock answers is what libc answers. */
static void a_protected_mutex(void)
{
        m = of_kind(PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_PROTECT, PTHREAD_MUTEX_STALLED);
        if (pthread_mutex_lock(&m) == 0) {
                EQUAL(pthread_mutex_unlock(&m), 0);
                contend(&m);
        }
}

static void *dies_with_it(void *arg)
{
        other_tid = my_tid();
        EQUAL(pthread_mutex_lock(arg), 0);
        reach(1);
        await(2);
        nap(20); /* until the other waits */
        return NULL;
}

static void a_robust_mutex_whose_owner_dies(void)
{
        for (int pi = 0; pi < 2; pi++) {
                struct ifp_lane *other;
                uint32_t gen;
                pthread_t t;

                m = of_kind(PTHREAD_MUTEX_NORMAL, pi ? PTHREAD_PRIO_INHERIT : PTHREAD_PRIO_NONE,
                            PTHREAD_MUTEX_ROBUST);
                uint64_t n = waits_of(NULL, IFP_WAIT_MUTEX, &m).count;
                t = start(dies_with_it, &m);
                other = lane_of(other_tid);
                gen = other->gen;
                reach(2);
                EQUAL(pthread_mutex_lock(&m), EOWNERDEAD);
                EQUAL(waits_of(NULL, IFP_WAIT_MUTEX, &m).count, n + 1);
                EQUAL(blamed(IFP_WAIT_MUTEX, &m, other, gen), 1);
                EQUAL(pthread_mutex_unlock(&m), 0); /* not made consistent */
                EQUAL(pthread_mutex_lock(&m), ENOTRECOVERABLE);
                EQUAL(waits_of(NULL, IFP_WAIT_MUTEX, &m).count, n + 1);
                pthread_join(t, NULL);
        }
        /* dead before it is asked for: no wait at all */
        m = of_kind(PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST);
        uint64_t n = waits_of(NULL, IFP_WAIT_MUTEX, &m).count;
        pthread_t t = start(dies_with_it, &m);
        reach(2);
        pthread_join(t, NULL);
        EQUAL(pthread_mutex_lock(&m), EOWNERDEAD);
        EQUAL(pthread_mutex_consistent(&m), 0);
        EQUAL(pthread_mutex_unlock(&m), 0);
        EQUAL(pthread_mutex_lock(&m), 0);
        EQUAL(waits_of(NULL, IFP_WAIT_MUTEX, &m).count, n);
}

/* ---- between processes ---- */

struct common {
        pthread_mutex_t mutex;
        pthread_cond_t cond;
        sem_t sem;
        pthread_barrier_t barrier;
        volatile int phase;
};

static void shared_memory(void)
{
        struct common *c =
                mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        struct ifp_lane *me = my_lane();
        pthread_barrierattr_t ba;
        pthread_mutexattr_t ma;
        pthread_condattr_t ca;
        struct sums s;
        pid_t pid;

        pthread_mutexattr_init(&ma);
        pthread_mutexattr_setpshared(&ma, PTHREAD_PROCESS_SHARED);
        pthread_mutexattr_setrobust(&ma, PTHREAD_MUTEX_ROBUST);
        pthread_mutex_init(&c->mutex, &ma);
        pthread_condattr_init(&ca);
        pthread_condattr_setpshared(&ca, PTHREAD_PROCESS_SHARED);
        pthread_cond_init(&c->cond, &ca);
        pthread_barrierattr_init(&ba);
        pthread_barrierattr_setpshared(&ba, PTHREAD_PROCESS_SHARED);
        pthread_barrier_init(&c->barrier, &ba, 2);
        sem_init(&c->sem, 1, 0);
        pid = fork();
        if (!pid) {
                pthread_mutex_lock(&c->mutex);
                c->phase = 1;
                nap(50);
                pthread_mutex_unlock(&c->mutex);
                nap(50);
                sem_post(&c->sem);
                nap(50);
                pthread_barrier_wait(&c->barrier);
                nap(50);
                pthread_mutex_lock(&c->mutex);
                pthread_cond_signal(&c->cond);
                c->phase = 2;
                _exit(0); /* with the mutex: the waiter comes back to a dead owner */
        }
        while (c->phase < 1)
                nap(1);
        EQUAL(pthread_mutex_lock(&c->mutex), 0);
        EQUAL(pthread_mutex_unlock(&c->mutex), 0);
        s = waits_of(me, IFP_WAIT_MUTEX, &c->mutex);
        EQUAL(s.count, 1);
        EQUAL(s.unknown, 1);
        CHECK(s.flags & IFP_WAIT_SHARED_MEMORY);
        EQUAL(sem_wait(&c->sem), 0);
        s = waits_of(me, IFP_WAIT_SEM, &c->sem);
        EQUAL(s.count, 1);
        EQUAL(s.unknown, 1);
        CHECK(s.flags & IFP_WAIT_SHARED_MEMORY);
        pthread_mutex_lock(&c->mutex);
        pthread_barrier_wait(&c->barrier);
        s = waits_of(me, IFP_WAIT_BARRIER, &c->barrier);
        EQUAL(s.count, 1); /* the other's arrival is not seen: nobody was the last */
        EQUAL(s.unknown, 1);
        CHECK(s.flags & IFP_WAIT_SHARED_MEMORY);
        EQUAL(pthread_cond_wait(&c->cond, &c->mutex), EOWNERDEAD);
        s = waits_of(me, IFP_WAIT_COND, &c->cond);
        EQUAL(s.count, 1);
        EQUAL(s.unknown, 1);
        CHECK(s.flags & IFP_WAIT_SHARED_MEMORY);
        waitpid(pid, NULL, 0);
        munmap(c, 4096);
}

/* ---- numbers ---- */

/* Thread numbers that come again: a wait is blamed on the thread that has it now. */
static void thread_numbers_come_again(void)
{
        struct ifp_lane *me = my_lane(), *other;
        int again = 0, last = 0;

        m = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
        for (int i = 0; i < 30; i++) {
                FILE *f = fopen("/proc/sys/kernel/ns_last_pid", "w");
                uint32_t gen;
                pthread_t t;

                if (f) {
                        fprintf(f, "%d", last ? last - 1 : my_tid() + 50);
                        fclose(f);
                }
                t = start(dies_with_it, &m);
                again += other_tid == last;
                last = other_tid;
                other = lane_of(other_tid);
                gen = other->gen;
                /* it dies with the mutex: waiting for it runs out */
                uint64_t n = blamed(IFP_WAIT_MUTEX, &m, other, gen), all;
                struct timespec soon = in_ms(CLOCK_REALTIME, 2);

                all = waits_of(me, IFP_WAIT_MUTEX, &m).count;
                EQUAL(pthread_mutex_timedlock(&m, &soon), ETIMEDOUT);
                EQUAL(waits_of(me, IFP_WAIT_MUTEX, &m).count, all + 1);
                if (waits_of(me, IFP_WAIT_MUTEX, &m).others == 0)
                        EQUAL(blamed(IFP_WAIT_MUTEX, &m, other, gen), n + 1);
                reach(2);
                pthread_join(t, NULL);
                /* now its number is nobody's */
                soon = in_ms(CLOCK_REALTIME, 1);
                uint64_t unknown = waits_of(me, IFP_WAIT_MUTEX, &m).unknown;
                EQUAL(pthread_mutex_timedlock(&m, &soon), ETIMEDOUT);
                EQUAL(waits_of(me, IFP_WAIT_MUTEX, &m).unknown, unknown + 1);
                m = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
        }
        printf("# thread numbers came again %d times\n", again);
}

int main(int argc, char **argv)
{
        static const struct named_case cases[] = {
                {"mutexes_of_all_kinds", mutexes_of_all_kinds},
                {"relocking_is_no_wait", relocking_is_no_wait},
                {"a_protected_mutex", a_protected_mutex},
                {"a_robust_mutex_whose_owner_dies", a_robust_mutex_whose_owner_dies},
                {"shared_memory", shared_memory},
                {"thread_numbers_come_again", thread_numbers_come_again},
        };

        return run_cases(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
