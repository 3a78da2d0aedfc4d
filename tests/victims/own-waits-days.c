/* SPDX-License-Identifier: MIT */
/* Waits on bad days. Each case is right by itself without the shim; what the shim wrote must be,
 * too. */
#include "waits.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static int other_tid;
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

static void *takes(void *arg)
{
        other_tid = my_tid();
        reach(1);
        EQUAL(pthread_mutex_lock(arg), 0);
        EQUAL(pthread_mutex_unlock(arg), 0);
        return NULL;
}

/* The mutex is taken here, and wanted by another thread for a moment. */
static void contend(pthread_mutex_t *m)
{
        struct ifp_lane *me = my_lane();
        uint64_t n = waits_of(NULL, IFP_WAIT_MUTEX, m).count,
                 blame = blamed(IFP_WAIT_MUTEX, m, me, me->gen);
        pthread_t t;

        EQUAL(pthread_mutex_lock(m), 0);
        t = start(takes, m);
        until_waiting(other_tid, IFP_WAIT_MUTEX, m);
        EQUAL(pthread_mutex_unlock(m), 0);
        pthread_join(t, NULL);
        EQUAL(waits_of(NULL, IFP_WAIT_MUTEX, m).count, n + 1);
        EQUAL(blamed(IFP_WAIT_MUTEX, m, me, me->gen), blame + 1);
}

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

/* ---- waits that do not return ---- */

static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static sem_t sem;
static volatile int cleaned;

static void give_back(void *arg)
{
        EQUAL(pthread_mutex_unlock(arg), 0); /* the cancelled wait has taken it again */
        cleaned++;
}

static void *cancelled_in_condition(void *arg)
{
        pthread_mutex_lock(arg);
        pthread_cleanup_push(give_back, arg);
        other_tid = my_tid();
        reach(1);
        for (;;)
                pthread_cond_wait(&cond, arg);
        pthread_cleanup_pop(0);
        return NULL;
}

static void *cancelled_in_semaphore(void *arg)
{
        other_tid = my_tid();
        reach(1);
        sem_wait(arg);
        return NULL;
}

static void *cancelled_in_sleep(void *arg)
{
        struct timespec t = {1000, 0};

        other_tid = my_tid();
        reach(1);
        nanosleep(&t, NULL);
        return arg;
}

static void *cancelled_in_join(void *arg)
{
        other_tid = my_tid();
        reach(1);
        pthread_join(*(pthread_t *)arg, NULL);
        return NULL;
}

static void cancel(pthread_t t, uint32_t kind)
{
        struct ifp_lane *other = lane_of(other_tid);
        struct sums before = waits_of(other, kind, NULL), after;
        void *value;

        until_waiting(other_tid, kind, NULL);
        EQUAL(pthread_cancel(t), 0);
        EQUAL(pthread_join(t, &value), 0);
        CHECK(value == PTHREAD_CANCELED);
        after = waits_of(other, kind, NULL);
        EQUAL(after.count, before.count + 1);
        EQUAL(after.left, before.left + 1);
        EQUAL(other->waits.since, 0);
}

static void threads_cancelled_in_a_wait(void)
{
        int tid;
        pthread_t t, sleeper;

        m = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
        cleaned = 0;
        t = start(cancelled_in_condition, &m);
        cancel(t, IFP_WAIT_COND);
        EQUAL(cleaned, 1);
        EQUAL(pthread_mutex_lock(&m), 0);
        EQUAL(pthread_mutex_unlock(&m), 0);
        sem_init(&sem, 0, 0);
        t = start(cancelled_in_semaphore, &sem);
        cancel(t, IFP_WAIT_SEM);
        sleeper = start(cancelled_in_sleep, NULL);
        tid = other_tid;
        t = start(cancelled_in_join, &sleeper);
        cancel(t, IFP_WAIT_JOIN);
        other_tid = tid;
        cancel(sleeper, IFP_WAIT_SLEEP);
}

/* It is a cancellation point also where it need not wait. */
static void *asks_for_what_is_there(void *arg)
{
        reach(1);
        while (phase < 2)
                nap(1);
        sem_wait(arg);
        reach(3);
        return NULL;
}

static void a_semaphore_is_always_a_cancellation_point(void)
{
        void *value;
        pthread_t t;

        sem_init(&sem, 0, 1);
        t = start(asks_for_what_is_there, &sem);
        pthread_cancel(t);
        reach(2);
        pthread_join(t, &value);
        CHECK(value == PTHREAD_CANCELED);
        EQUAL(phase, 2);
}

static sigjmp_buf out;

static void jumps(int s)
{
        (void)s;
        siglongjmp(out, 1);
}

static PLACE void wait_and_be_thrown_out(void)
{
        struct itimerval soon = {.it_value = {0, 20000}};

        if (sigsetjmp(out, 1))
                return;
        setitimer(ITIMER_REAL, &soon, NULL);
        sem_wait(&sem);
        abort();
}

static void a_jump_out_of_a_wait(void)
{
        struct ifp_lane *me = my_lane();
        struct sums before;

        signal(SIGALRM, jumps);
        sem_init(&sem, 0, 0);
        before = waits_of(me, IFP_WAIT_SEM, &sem);
        wait_and_be_thrown_out();
        sched_yield(); /* the next event finds it gone */
        EQUAL(me->waits.since, 0);
        EQUAL(waits_of(me, IFP_WAIT_SEM, &sem).count, before.count + 1);
        EQUAL(waits_of(me, IFP_WAIT_SEM, &sem).left, before.left + 1);
        signal(SIGALRM, SIG_DFL);
}

/* Deeper than the frame that is gone, where something else stands now. */
static PLACE void deep(int n)
{
        volatile char room[512];

        memset((void *)room, n, sizeof(room));
        if (n)
                deep(n - 1);
        else
                sched_yield();
        memset((void *)room, 0, sizeof(room));
}

static void a_jump_and_then_deeper(void)
{
        struct ifp_lane *me = my_lane();
        struct sums before;

        signal(SIGALRM, jumps);
        sem_init(&sem, 0, 0);
        before = waits_of(me, IFP_WAIT_SEM, &sem);
        wait_and_be_thrown_out();
        deep(20);
        EQUAL(me->waits.since, 0);
        EQUAL(waits_of(me, IFP_WAIT_SEM, &sem).left, before.left + 1);
        signal(SIGALRM, SIG_DFL);
}

/* ---- waits in handlers ---- */

static void sleeps(int s)
{
        struct timespec t = {0, 30000000};

        (void)s;
        nanosleep(&t, NULL);
}

static void a_wait_within_a_wait(void)
{
        struct itimerval soon = {.it_value = {0, 10000}};
        struct ifp_lane *me = my_lane();
        uint64_t ms = ms_ticks(), sem_ticks, sleep_ticks, began, took;
        struct sigaction act = {.sa_handler = sleeps, .sa_flags = SA_RESTART | SA_ONSTACK};
        static char room[65536];
        stack_t alt = {.ss_sp = room, .ss_size = sizeof(room)};

        for (int on_alt = 0; on_alt < 2; on_alt++) {
                struct timespec end = in_ms(CLOCK_REALTIME, 60);

                if (on_alt)
                        sigaltstack(&alt, NULL);
                sigaction(SIGALRM, &act, NULL);
                sem_init(&sem, 0, 0);
                sem_ticks = me->waits.ticks[IFP_WAIT_SEM];
                sleep_ticks = me->waits.ticks[IFP_WAIT_SLEEP];
                setitimer(ITIMER_REAL, &soon, NULL);
                began = __builtin_ia32_rdtsc();
                while (sem_timedwait(&sem, &end) && errno == EINTR)
                        ;
                took = __builtin_ia32_rdtsc() - began;
                sem_ticks = me->waits.ticks[IFP_WAIT_SEM] - sem_ticks;
                sleep_ticks = me->waits.ticks[IFP_WAIT_SLEEP] - sleep_ticks;
                AT_LEAST(sleep_ticks, 29 * ms);
                AT_LEAST(sem_ticks, ms);
                AT_LEAST(sem_ticks + sleep_ticks + 20 * ms, took);
                CHECK(sem_ticks + sleep_ticks <= took);
                EQUAL(me->waits.since, 0);
        }
        alt.ss_flags = SS_DISABLE;
        sigaltstack(&alt, NULL);
        signal(SIGALRM, SIG_DFL);
}

static pthread_mutex_t in_handler = PTHREAD_MUTEX_INITIALIZER;
static volatile int storms;

static void does_everything(int s)
{
        int saved = errno;

        (void)s;
        if (!pthread_mutex_trylock(&in_handler)) { /* never twice on one thread */
                void *p = malloc(100);

                sched_yield();
                sem_post(&sem);
                free(p);
                pthread_mutex_unlock(&in_handler);
        }
        storms++;
        errno = saved;
}

static volatile bool over;

static void *busy_with_locks(void *arg)
{
        sigset_t all;

        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, NULL);
        while (!over) {
                pthread_mutex_lock(arg);
                for (volatile int i = 0; i < 500; i++)
                        ;
                pthread_mutex_unlock(arg);
                pthread_cond_broadcast(&cond);
        }
        return NULL;
}

static void a_storm_of_signals(void)
{
        struct itimerval often = {{0, 100}, {0, 100}}, never = {0};
        struct sigaction act = {.sa_handler = does_everything, .sa_flags = SA_RESTART};
        struct timespec end = in_ms(CLOCK_MONOTONIC, 1000), now;
        uint64_t malloc_free = 0;
        pthread_t t;

        over = false;
        m = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
        sem_init(&sem, 0, 0);
        pthread_create(&t, NULL, busy_with_locks, &m);
        sigaction(SIGALRM, &act, NULL);
        setitimer(ITIMER_REAL, &often, NULL);
        do {
                struct timespec soon = in_ms(CLOCK_REALTIME, 1);

                pthread_mutex_lock(&m);
                pthread_cond_timedwait(&cond, &m, &soon);
                pthread_mutex_unlock(&m);
                sched_yield();
                while (!sem_trywait(&sem))
                        malloc_free++;
                clock_gettime(CLOCK_MONOTONIC, &now);
        } while (now.tv_sec < end.tv_sec ||
                 (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
        setitimer(ITIMER_REAL, &never, NULL);
        nap(5);
        over = true;
        pthread_join(t, NULL);
        signal(SIGALRM, SIG_DFL);
        CHECK(storms > 10 && malloc_free > 10);
        EQUAL(my_lane()->waits.since, 0);
}

/* ---- another stack ---- */

static ucontext_t here, there;

static void on_its_own_stack(void)
{
        struct timespec t = {0, 1000000};

        nanosleep(&t, NULL);
        swapcontext(&there, &here);
        nanosleep(&t, NULL);
}

static void coroutines_wait(void)
{
        static char room[262144];
        uint64_t n = my_lane()->waits.count[IFP_WAIT_SLEEP];
        struct timespec t = {0, 1000000};

        getcontext(&there);
        there.uc_stack.ss_sp = room;
        there.uc_stack.ss_size = sizeof(room);
        there.uc_link = &here;
        makecontext(&there, on_its_own_stack, 0);
        swapcontext(&here, &there);
        nanosleep(&t, NULL);
        swapcontext(&here, &there);
        EQUAL(my_lane()->waits.count[IFP_WAIT_SLEEP], n + 3);
        EQUAL(my_lane()->waits.since, 0);
}

/* ---- early and late ---- */

static pthread_mutex_t early = PTHREAD_MUTEX_INITIALIZER;
static volatile bool early_done;

static void *takes_early(void *arg)
{
        pthread_mutex_lock(&early);
        pthread_mutex_unlock(&early);
        early_done = true;
        return arg;
}

__attribute__((constructor)) static void before_main(void)
{
        pthread_t t;

        pthread_mutex_lock(&early);
        pthread_create(&t, NULL, takes_early, NULL);
        nap(50);
        pthread_mutex_unlock(&early);
        pthread_join(t, NULL);
}

static void before_main_there_are_waits(void)
{
        struct sums s = waits_of(NULL, IFP_WAIT_MUTEX, &early);

        CHECK(early_done);
        EQUAL(s.count, 1);
        EQUAL(s.by, 1);
}

static pthread_key_t key;

static void late_destructor(void *arg)
{
        pthread_mutex_lock(arg);
        pthread_mutex_unlock(arg);
        sched_yield();
}

static void *has_a_destructor(void *arg)
{
        pthread_setspecific(key, arg);
        other_tid = my_tid();
        reach(1);
        return NULL;
}

static void a_destructor_that_waits(void)
{
        uint64_t n;
        pthread_t t;

        pthread_key_create(&key, late_destructor);
        m = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
        n = waits_of(NULL, IFP_WAIT_MUTEX, &m).count;
        pthread_mutex_lock(&m);
        t = start(has_a_destructor, &m);
        until_waiting(other_tid, IFP_WAIT_MUTEX, &m);
        pthread_mutex_unlock(&m);
        pthread_join(t, NULL);
        EQUAL(waits_of(NULL, IFP_WAIT_MUTEX, &m).count, n + 1);
}

/* A fork child has a segment of its own once it spawns, and waits are counted there. */
static void in_a_fork_child(void)
{
        int status;
        pid_t pid;

        m = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
        pid = fork();
        if (!pid) {
                struct ifp_segment *parents = seg;
                pthread_t t;
                int bad;

                pthread_mutex_lock(&m); /* before it has one */
                pthread_mutex_unlock(&m);
                sched_yield();
                t = start(takes, &early);
                pthread_join(t, NULL);
                find_segment();
                CHECK(seg == parents); /* another, at the same place */
                EQUAL(seg->header.pid, getpid());
                EQUAL(seg->header.mapped_at, (uintptr_t)seg);
                contend(&m);
                EQUAL(waits_of(NULL, IFP_WAIT_MUTEX, NULL).count, 1);
                check_all();
                bad = n_failed();
                fflush(stdout);
                _exit(bad ? 9 : 0);
        }
        waitpid(pid, &status, 0);
        EQUAL(status, 0);
        CHECK(seg->header.pid == getpid());
}

/* ---- numbers ---- */

static void *one_of_many(void *arg)
{
        __atomic_fetch_add((int *)&phase, 1, __ATOMIC_SEQ_CST);
        pthread_mutex_lock(arg);
        pthread_mutex_unlock(arg);
        return NULL;
}

/* More than there are lanes: the rest is the crowd's. */
static void two_thousand_threads(void)
{
        enum { N = 2200 };
        static pthread_t t[N];
        struct ifp_lane *crowd = &seg->lanes[seg->header.n_lanes - 1];
        uint64_t before = crowd->waits.count[IFP_WAIT_MUTEX], sum = 0;
        pthread_attr_t attr;
        int n = 0;

        m = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
        sum -= waits_of(NULL, IFP_WAIT_MUTEX, &m).count;
        pthread_attr_init(&attr);
        pthread_attr_setstacksize(&attr, 65536);
        pthread_mutex_lock(&m);
        phase = 0;
        while (n < N && !pthread_create(&t[n], &attr, one_of_many, &m))
                n++;
        await(n);
        nap(300);
        pthread_mutex_unlock(&m);
        for (int i = 0; i < n; i++)
                pthread_join(t[i], NULL);
        AT_LEAST(n, 500);
        sum += waits_of(NULL, IFP_WAIT_MUTEX, &m).count + crowd->waits.count[IFP_WAIT_MUTEX] -
               before;
        AT_LEAST(sum, (uint64_t)n * 9 / 10); /* all but those that came too late to wait */
        CHECK(sum <= (uint64_t)n);
        if (n == N)
                CHECK(crowd->waits.count[IFP_WAIT_MUTEX] > before);
}

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

static void more_objects_than_entries(void)
{
        enum { N = 20000 };
        pthread_mutex_t *all = calloc(N, sizeof(*all));
        struct ifp_lane *me = my_lane();
        uint64_t n = me->waits.count[IFP_WAIT_MUTEX];
        struct timespec past = {1, 0};

        for (int i = 0; i < N; i++) {
                pthread_mutex_lock(&all[i]);
                EQUAL(pthread_mutex_timedlock(&all[i], &past), ETIMEDOUT);
        }
        EQUAL(me->waits.count[IFP_WAIT_MUTEX], n + N);
        AT_LEAST(seg->live.n_waits, IFP_MAX_WAITS / 2);
        CHECK(seg->live.n_waits < IFP_MAX_WAITS / 2 + 1000); /* what came then shares an entry */
        EQUAL(seg->live.waits_other, 0);
        free(all);
}

/* ---- by hand ---- */

static uint32_t word;

static int raw_child(void *arg)
{
        (void)arg;
        __atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
        syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0);
        return 0;
}

/* Its thread pointer is ours: it must not disturb. */
static void raw_clones_and_futexes(void)
{
        static char stack[65536] __attribute__((aligned(16)));

        for (int i = 0; i < 100; i++) {
                int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                            CLONE_SYSVSEM | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID;
                int tid = 1;

                word = 0;
                if (clone(raw_child, stack + sizeof(stack), flags, NULL, NULL, NULL, &tid) < 0)
                        abort();
                while (!__atomic_load_n(&word, __ATOMIC_SEQ_CST))
                        syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0);
                while (__atomic_load_n(&tid, __ATOMIC_SEQ_CST))
                        nap(0);
        }
        EQUAL(my_lane()->waits.since, 0);
}

static void a_lock_freed_while_held(void)
{
        for (int i = 0; i < 100; i++) {
                pthread_mutex_t *p = malloc(sizeof(*p));

                pthread_mutex_init(p, NULL);
                pthread_mutex_lock(p);
                memset(p, 0xee, sizeof(*p));
                free(p);
                p = calloc(1, sizeof(*p));
                if (i % 20 == 0)
                        contend(p);
                free(p);
        }
}

/* What was linked with the first version of conditions has pointers there. */
struct old_cond {
        void *real;
};
extern int old_wait(struct old_cond *c, pthread_mutex_t *m);
extern int old_signal(struct old_cond *c);
extern int old_init(struct old_cond *c, void *attr);
__asm__(".symver old_wait, pthread_cond_wait@GLIBC_2.2.5");
__asm__(".symver old_signal, pthread_cond_signal@GLIBC_2.2.5");
__asm__(".symver old_init, pthread_cond_init@GLIBC_2.2.5");

static struct {
        struct old_cond cond;
        uint64_t guard[8];
} old;
static bool said;

static void *waits_the_old_way(void *arg)
{
        pthread_mutex_lock(arg);
        reach(1);
        while (!said)
                old_wait(&old.cond, arg);
        pthread_mutex_unlock(arg);
        return NULL;
}

static void conditions_of_the_first_version(void)
{
        pthread_t t;

        m = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
        memset(&old, 0, sizeof(old));
        old_init(&old.cond, NULL);
        said = false;
        t = start(waits_the_old_way, &m);
        nap(20);
        pthread_mutex_lock(&m);
        said = true;
        old_signal(&old.cond);
        pthread_mutex_unlock(&m);
        pthread_join(t, NULL);
        for (int i = 0; i < 8; i++)
                EQUAL(old.guard[i], 0);
}

/*
 * A handler that jumps at any moment may leave the shim in the midst of an addition: sums are
 * not exact then, but it goes on, and nothing is counted as being under way for good.
 */
static int jumps_at_any_moment(void)
{
        struct itimerval often = {{0, 150}, {0, 150}}, never = {0};
        static volatile int n, sum;
        uint64_t before;
        pthread_t t;

        signal(SIGALRM, jumps);
        m = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
        sem_init(&sem, 0, 0);
        setitimer(ITIMER_REAL, &often, NULL);
        while (sigsetjmp(out, 1))
                if (++n == 3000)
                        break;
        while (n < 3000) {
                deep(sum++ % 8);
                sched_yield();
        }
        setitimer(ITIMER_REAL, &never, NULL);
        signal(SIGALRM, SIG_IGN);
        sched_yield(); /* it finds what was left */
        before = my_lane()->waits.count[IFP_WAIT_YIELD];
        for (int i = 0; i < 10; i++)
                sched_yield();
        EQUAL(my_lane()->waits.count[IFP_WAIT_YIELD], before + 10);
        EQUAL(my_lane()->waits.since, 0);
        before = waits_of(NULL, IFP_WAIT_MUTEX, &m).count;
        pthread_mutex_lock(&m);
        t = start(takes, &m);
        until_waiting(other_tid, IFP_WAIT_MUTEX, &m);
        pthread_mutex_unlock(&m);
        pthread_join(t, NULL);
        EQUAL(waits_of(NULL, IFP_WAIT_MUTEX, &m).count, before + 1);
        printf("%sok - jumps_at_any_moment\n", n_failed() ? "not " : "");
        return n_failed() != 0;
}

int main(int argc, char **argv)
{
        static const struct named_case cases[] = {
                {"before_main_there_are_waits", before_main_there_are_waits},
                {"mutexes_of_all_kinds", mutexes_of_all_kinds},
                {"relocking_is_no_wait", relocking_is_no_wait},
                {"a_protected_mutex", a_protected_mutex},
                {"a_robust_mutex_whose_owner_dies", a_robust_mutex_whose_owner_dies},
                {"shared_memory", shared_memory},
                {"threads_cancelled_in_a_wait", threads_cancelled_in_a_wait},
                {"a_semaphore_is_always_a_cancellation_point",
                 a_semaphore_is_always_a_cancellation_point},
                {"a_jump_out_of_a_wait", a_jump_out_of_a_wait},
                {"a_jump_and_then_deeper", a_jump_and_then_deeper},
                {"a_wait_within_a_wait", a_wait_within_a_wait},
                {"a_storm_of_signals", a_storm_of_signals},
                {"coroutines_wait", coroutines_wait},
                {"a_destructor_that_waits", a_destructor_that_waits},
                {"in_a_fork_child", in_a_fork_child},
                {"thread_numbers_come_again", thread_numbers_come_again},
                {"raw_clones_and_futexes", raw_clones_and_futexes},
                {"a_lock_freed_while_held", a_lock_freed_while_held},
                {"conditions_of_the_first_version", conditions_of_the_first_version},
                {"two_thousand_threads", two_thousand_threads},
                {"more_objects_than_entries", more_objects_than_entries},
        };

        if (argc == 2 && !strcmp(argv[1], "jumps")) {
                find_segment();
                return jumps_at_any_moment();
        }
        return run_cases(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
