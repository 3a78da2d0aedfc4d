/* SPDX-License-Identifier: MIT */
/* Joins, sleeps, yields, polls and futexes as they should be: each function that is hooked, once at
 * least. */
#include "segment-waits.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <threads.h>
#include <unistd.h>

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

int main(int argc, char **argv)
{
        static const struct named_case cases[] = {
                {"a_join", a_join},
                {"every_way_to_join", every_way_to_join},
                {"sleeps_and_yields", sleeps_and_yields},
                {"polls", polls},
                {"a_futex", a_futex},
        };

        return run_cases(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
