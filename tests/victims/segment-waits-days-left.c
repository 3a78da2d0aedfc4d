/* SPDX-License-Identifier: MIT */
/* Waits that do not return, and waits in handlers and on other stacks. Each case is right by itself
 * without the shim; what the shim wrote must be, too. */
#include "segment-waits.h"

#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>

static pthread_mutex_t m;

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

/* ---- at any moment ---- */

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
        t = start(takes_mutex, &m);
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
                {"threads_cancelled_in_a_wait", threads_cancelled_in_a_wait},
                {"a_semaphore_is_always_a_cancellation_point",
                 a_semaphore_is_always_a_cancellation_point},
                {"a_jump_out_of_a_wait", a_jump_out_of_a_wait},
                {"a_jump_and_then_deeper", a_jump_and_then_deeper},
                {"a_wait_within_a_wait", a_wait_within_a_wait},
                {"a_storm_of_signals", a_storm_of_signals},
                {"coroutines_wait", coroutines_wait},
        };

        if (argc == 2 && !strcmp(argv[1], "jumps")) {
                find_segment();
                return jumps_at_any_moment();
        }
        return run_cases(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
