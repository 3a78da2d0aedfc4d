/* SPDX-License-Identifier: MIT */
/*
 * waits-kinds WAY: waits in one way, a known number of times, each for something that another
 * thread does some ms later; see the table at the end. `for_tid` is the thread that was waited for,
 * `tid` the one that waited, `object` what for.
 */
#include "told.h"

#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/select.h>

enum { TIMES = 6, HOLD_MS = 12 };

/* The other side: when it is asked for, it waits until the first thread sleeps and then does its
 * part. */
static struct {
        pthread_t thread;
        int main_tid;
        void (*ready)(void); /* before the wait; or NULL */
        void (*part)(void);  /* what ends it */
        bool spins;          /* the first does not sleep while it waits */
        _Atomic int asked, tid, is_ready;
} other;

static void *others_life(void *arg)
{
        (void)arg;
        atomic_store(&other.tid, my_tid());
        for (int i = 0; i < TIMES; i++) {
                while (!atomic_load(&other.asked))
                        nap_us(200);
                atomic_store(&other.asked, 0);
                if (other.ready)
                        other.ready();
                atomic_store(&other.is_ready, 1);
                if (other.spins)
                        nap_ms(2);
                else
                        until_asleep(other.main_tid);
                nap_ms(HOLD_MS);
                other.part();
        }
        return NULL;
}

static void other_begin(void (*ready)(void), void (*part)(void))
{
        other.main_tid = my_tid();
        other.ready = ready;
        other.part = part;
        expect(!pthread_create(&other.thread, NULL, others_life, NULL), "create");
        until_set(&other.tid);
        value("tid", other.main_tid);
        value("for_tid", other.tid);
}

static void ask(void)
{
        atomic_store(&other.is_ready, 0);
        atomic_store(&other.asked, 1);
        until_set(&other.is_ready);
}

/* The last thread goes without being waited for. */
static int other_end(void *object)
{
        expect(!pthread_detach(other.thread), "detach");
        nap_ms(20);
        value("object", (long long)(uintptr_t)object);
        return 0;
}

/* ---- locks */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void hold_mutex(void)
{
        expect(!pthread_mutex_lock(&mutex), "lock");
}

static void release_mutex(void)
{
        expect(!pthread_mutex_unlock(&mutex), "unlock");
}

__attribute__((noinline)) static void contend_mutex(void)
{
        for (int i = 0; i < TIMES; i++) {
                ask();
                WAITS("mutex", !pthread_mutex_lock(&mutex));
                pthread_mutex_unlock(&mutex);
        }
}

static int way_mutex(void)
{
        other_begin(hold_mutex, release_mutex);
        contend_mutex();
        return other_end(&mutex);
}

/* Nobody waits here, however often. */
static int way_uncontended(void)
{
        pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
        pthread_spinlock_t spin;
        sem_t sem;

        be_noticed();
        pthread_spin_init(&spin, 0);
        sem_init(&sem, 0, 1);
        for (int i = 0; i < 100000; i++) {
                pthread_mutex_lock(&mutex);
                pthread_mutex_unlock(&mutex);
                pthread_rwlock_rdlock(&rwlock);
                pthread_rwlock_unlock(&rwlock);
                pthread_rwlock_wrlock(&rwlock);
                pthread_rwlock_unlock(&rwlock);
                pthread_spin_lock(&spin);
                pthread_spin_unlock(&spin);
                sem_wait(&sem);
                sem_post(&sem);
        }
        expect(!pthread_mutex_lock(&mutex), "lock");
        expect(pthread_mutex_trylock(&mutex) == EBUSY, "trylock");
        return 0;
}

static int way_timedlock(void)
{
        struct timespec t;

        be_noticed();
        expect(!pthread_mutex_lock(&mutex), "lock");
        for (int i = 0; i < TIMES; i++) {
                clock_gettime(CLOCK_REALTIME, &t);
                t.tv_nsec += 10000000;
                t.tv_sec += t.tv_nsec / 1000000000;
                t.tv_nsec %= 1000000000;
                WAITS("mutex", pthread_mutex_timedlock(&mutex, &t) == ETIMEDOUT);
        }
        value("timeouts", TIMES);
        value("object", (long long)(uintptr_t)&mutex);
        return 0;
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;

static void hold_write(void)
{
        expect(!pthread_rwlock_wrlock(&rwlock), "wrlock");
}

static void hold_read(void)
{
        expect(!pthread_rwlock_rdlock(&rwlock), "rdlock");
}

static void release_rwlock(void)
{
        expect(!pthread_rwlock_unlock(&rwlock), "unlock");
}

static int way_rwlock_read(void)
{
        other_begin(hold_write, release_rwlock);
        for (int i = 0; i < TIMES; i++) {
                ask();
                WAITS("rwlock", !pthread_rwlock_rdlock(&rwlock));
                pthread_rwlock_unlock(&rwlock);
        }
        return other_end(&rwlock);
}

static int way_rwlock_write(void)
{
        other_begin(hold_read, release_rwlock);
        for (int i = 0; i < TIMES; i++) {
                ask();
                WAITS("rwlock", !pthread_rwlock_wrlock(&rwlock));
                pthread_rwlock_unlock(&rwlock);
        }
        return other_end(&rwlock);
}

static pthread_spinlock_t spinlock;

static void hold_spin(void)
{
        expect(!pthread_spin_lock(&spinlock), "spin");
}

static void release_spin(void)
{
        expect(!pthread_spin_unlock(&spinlock), "unspin");
}

static int way_spinlock(void)
{
        other.spins = true;
        pthread_spin_init(&spinlock, 0);
        other_begin(hold_spin, release_spin);
        for (int i = 0; i < TIMES; i++) {
                ask();
                WAITS("spinlock", !pthread_spin_lock(&spinlock));
                pthread_spin_unlock(&spinlock);
        }
        return other_end((void *)&spinlock);
}

/* ---- conditions */

static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int n_signals;

static void signal_cond(void)
{
        pthread_mutex_lock(&mutex);
        n_signals++;
        pthread_cond_signal(&cond);
        pthread_mutex_unlock(&mutex);
}

/* Counted by calls: there may be more than signals. */
static int way_cond(void)
{
        other_begin(NULL, signal_cond);
        for (int i = 0; i < TIMES; i++) {
                pthread_mutex_lock(&mutex);
                ask();
                while (n_signals <= i)
                        WAITS("condition", !pthread_cond_wait(&cond, &mutex));
                pthread_mutex_unlock(&mutex);
        }
        return other_end(&cond);
}

static int way_cond_timed(void)
{
        struct timespec t;

        be_noticed();
        pthread_mutex_lock(&mutex);
        for (int i = 0; i < TIMES; i++) {
                clock_gettime(CLOCK_REALTIME, &t);
                t.tv_nsec += 10000000;
                t.tv_sec += t.tv_nsec / 1000000000;
                t.tv_nsec %= 1000000000;
                WAITS("condition", pthread_cond_timedwait(&cond, &mutex, &t) == ETIMEDOUT);
        }
        for (int i = 0; i < TIMES; i++) {
                clock_gettime(CLOCK_MONOTONIC, &t);
                t.tv_sec += (t.tv_nsec + 10000000) / 1000000000;
                t.tv_nsec = (t.tv_nsec + 10000000) % 1000000000;
                WAITS("condition",
                      pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, &t) == ETIMEDOUT);
        }
        value("timeouts", 2 * TIMES);
        value("object", (long long)(uintptr_t)&cond);
        return 0;
}

/* ---- barriers: of three threads, the third is always late */

enum { PARTY = 3 };
static pthread_barrier_t barrier;
static _Atomic int party_tids[PARTY];

static void party(int i)
{
        atomic_store(&party_tids[i], my_tid());
        for (int k = 0; k < TIMES; k++) {
                if (i == PARTY - 1) {
                        for (int j = 0; j < PARTY - 1; j++) {
                                until_set(&party_tids[j]);
                                until_asleep(party_tids[j]);
                        }
                        nap_ms(HOLD_MS);
                        pthread_barrier_wait(&barrier); /* waits for nobody */
                        nap_ms(2); /* whom it wakes sleeps again before it looks at them */
                } else {
                        uint64_t since = now_ns();

                        pthread_barrier_wait(&barrier);
                        told("barrier", since);
                }
        }
}

static void *guests_life(void *arg)
{
        party((int)(intptr_t)arg);
        return NULL;
}

static int way_barrier(void)
{
        pthread_t guests[PARTY];

        pthread_barrier_init(&barrier, NULL, PARTY);
        for (int i = 1; i < PARTY; i++)
                pthread_create(&guests[i], NULL, guests_life, (void *)(intptr_t)i);
        party(0);
        nap_ms(20);
        for (int i = 1; i < PARTY; i++)
                pthread_detach(guests[i]);
        value("episodes", TIMES);
        value("last_tid", party_tids[PARTY - 1]);
        value("object", (long long)(uintptr_t)&barrier);
        return 0;
}

/* ---- others */

static sem_t sem;

static void post(void)
{
        expect(!sem_post(&sem), "post");
}

static int way_sem(void)
{
        sem_init(&sem, 0, 0);
        other_begin(NULL, post);
        for (int i = 0; i < TIMES; i++) {
                ask();
                WAITS("semaphore", !sem_wait(&sem));
        }
        return other_end(&sem);
}

static _Atomic int short_tid;

static void *short_life(void *arg)
{
        (void)arg;
        atomic_store(&short_tid, my_tid());
        nap_ms(HOLD_MS);
        return NULL;
}

static int way_join(void)
{
        pthread_t t;

        for (int i = 0; i < TIMES; i++) {
                atomic_store(&short_tid, 0);
                pthread_create(&t, NULL, short_life, NULL);
                until_set(&short_tid);
                WAITS("join", !pthread_join(t, NULL));
        }
        value("tid", my_tid());
        value("for_tid", short_tid); /* the last of them */
        return 0;
}

static _Atomic int word;

static void wake_word(void)
{
        atomic_fetch_add(&word, 1);
        syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static int way_futex(void)
{
        other_begin(NULL, wake_word);
        for (int i = 0; i < TIMES; i++) {
                ask();
                while (atomic_load(&word) == i)
                        WAITS("futex",
                              !syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, i, NULL, NULL, 0));
        }
        return other_end(&word);
}

static int way_sleep(void)
{
        struct timespec t = {0, 10000000}, at;

        be_noticed();
        WAITS("sleep", !nanosleep(&t, NULL));
        WAITS("sleep", !usleep(10000));
        WAITS("sleep", !clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL));
        clock_gettime(CLOCK_MONOTONIC, &at);
        at.tv_sec += (at.tv_nsec + 10000000) / 1000000000;
        at.tv_nsec = (at.tv_nsec + 10000000) % 1000000000;
        WAITS("sleep", !clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL));
        WAITS("sleep", !sleep(1));
        return 0;
}

static int way_yield(void)
{
        be_noticed();
        for (int i = 0; i < 1000; i++)
                WAITS("yield", !sched_yield());
        return 0;
}

static int way_poll(void)
{
        int pipes[2], epoll = epoll_create1(0);
        struct timespec t = {0, 10000000};
        struct timeval v = {0, 10000};
        struct epoll_event event = {.events = EPOLLIN};
        struct pollfd fd;
        fd_set set;

        be_noticed();
        expect(!pipe(pipes), "pipe");
        fd = (struct pollfd){.fd = pipes[0], .events = POLLIN};
        epoll_ctl(epoll, EPOLL_CTL_ADD, pipes[0], &event);
        WAITS("poll", !poll(&fd, 1, 10));
        WAITS("poll", !ppoll(&fd, 1, &t, NULL));
        FD_ZERO(&set);
        FD_SET(pipes[0], &set);
        WAITS("poll", !select(pipes[0] + 1, &set, NULL, NULL, &v));
        FD_SET(pipes[0], &set);
        WAITS("poll", !pselect(pipes[0] + 1, &set, NULL, NULL, &t, NULL));
        WAITS("poll", !epoll_wait(epoll, &event, 1, 10));
        WAITS("poll", !epoll_pwait(epoll, &event, 1, 10, NULL));
        return 0;
}

int main(int argc, char **argv)
{
        static const struct way ways[] = {
                {"mutex", way_mutex},
                {"uncontended", way_uncontended},
                {"timedlock", way_timedlock},
                {"rwlock-read", way_rwlock_read},
                {"rwlock-write", way_rwlock_write},
                {"spinlock", way_spinlock},
                {"cond", way_cond},
                {"cond-timed", way_cond_timed},
                {"barrier", way_barrier},
                {"sem", way_sem},
                {"join", way_join},
                {"futex", way_futex},
                {"sleep", way_sleep},
                {"yield", way_yield},
                {"poll", way_poll},
                {0},
        };

        return live_one(ways, argc, argv);
}
