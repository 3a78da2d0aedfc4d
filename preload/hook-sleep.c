/* SPDX-License-Identifier: MIT */
/*
 * Sleeping, yielding, and waiting for descriptors; and futexes as a program uses them itself, by
 * libc's syscall(), which comes here from hook-x86_64.S with that one number only.
 *
 * What does not wait (a poll with a timeout of 0) is passed on as it is.
 */
#include <linux/futex.h>

#include "preload/real.h"
#include "preload/wait.h"

static int nothing_there(void)
{
        errno = ENOSYS;
        return -1;
}

#define WAIT(type, kind, flags, call, how)                                                         \
        do {                                                                                       \
                IFP_WAIT_CALL(w, kind, NULL, flags);                                               \
                type ret;                                                                          \
                                                                                                   \
                ifp_wait_begin(&w);                                                                \
                ret = (call);                                                                      \
                ifp_wait_end(&w, how);                                                             \
                return ret;                                                                        \
        } while (0)

/* ---- sleep and yield ----------------------------------------------------------- */

IFP_EXPORT int nanosleep(const struct timespec *t, struct timespec *rest)
{
        IFP_NEED(nanosleep, nothing_there());
        WAIT(int, IFP_WAIT_SLEEP, 0, ifp_real.nanosleep(t, rest), ifp_waited_errno(ret));
}

IFP_EXPORT int clock_nanosleep(clockid_t clock, int flags, const struct timespec *t,
                               struct timespec *rest)
{
        IFP_NEED(clock_nanosleep, ENOSYS);
        WAIT(int, IFP_WAIT_SLEEP, 0, ifp_real.clock_nanosleep(clock, flags, t, rest),
             ret == EINTR ? IFP_WAITED
             : ret        ? IFP_WAITED_NOT
                          : IFP_WAITED);
}

IFP_EXPORT int usleep(useconds_t us)
{
        IFP_NEED(usleep, nothing_there());
        WAIT(int, IFP_WAIT_SLEEP, 0, ifp_real.usleep(us), ifp_waited_errno(ret));
}

IFP_EXPORT unsigned sleep(unsigned seconds)
{
        IFP_NEED(sleep, seconds);
        WAIT(unsigned, IFP_WAIT_SLEEP, 0, ifp_real.sleep(seconds), IFP_WAITED);
}

IFP_EXPORT int thrd_sleep(const struct timespec *t, struct timespec *rest)
{
        IFP_NEED(thrd_sleep, -2);
        WAIT(int, IFP_WAIT_SLEEP, 0, ifp_real.thrd_sleep(t, rest),
             ret == -2 ? IFP_WAITED_NOT : IFP_WAITED);
}

IFP_EXPORT int sched_yield(void)
{
        IFP_NEED(sched_yield, nothing_there());
        WAIT(int, IFP_WAIT_YIELD, IFP_WAIT_SPINS, ifp_real.sched_yield(), IFP_WAITED);
}

/* The headers make one of the two. */
IFP_EXPORT int ifp_pthread_yield(void) __asm__("pthread_yield");

int ifp_pthread_yield(void)
{
        IFP_NEED(sched_yield, nothing_there());
        WAIT(int, IFP_WAIT_YIELD, IFP_WAIT_SPINS, ifp_real.sched_yield(), IFP_WAITED);
}

IFP_EXPORT void thrd_yield(void)
{
        IFP_WAIT_CALL(w, IFP_WAIT_YIELD, NULL, IFP_WAIT_SPINS);

        if (!ifp_real.thrd_yield)
                ifp_real_init();
        if (!ifp_real.thrd_yield)
                return;
        ifp_wait_begin(&w);
        ifp_real.thrd_yield();
        ifp_wait_end(&w, IFP_WAITED);
}

/* ---- descriptors ----------------------------------------------------------------- */

#define DESCRIPTORS(call)                                                                          \
        WAIT(int, IFP_WAIT_POLL, 0, call, ret ? ifp_waited_errno(ret) : IFP_WAITED_TIMEOUT)

static bool no_time(const struct timespec *t)
{
        return t && !t->tv_sec && !t->tv_nsec;
}

IFP_EXPORT int poll(struct pollfd *fds, nfds_t n, int timeout)
{
        IFP_NEED(poll, nothing_there());
        if (!timeout)
                return ifp_real.poll(fds, n, timeout);
        DESCRIPTORS(ifp_real.poll(fds, n, timeout));
}

IFP_EXPORT int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t bytes)
{
        IFP_NEED(__poll_chk, nothing_there());
        if (!timeout)
                return ifp_real.__poll_chk(fds, n, timeout, bytes);
        DESCRIPTORS(ifp_real.__poll_chk(fds, n, timeout, bytes));
}

IFP_EXPORT int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
                     const sigset_t *mask)
{
        IFP_NEED(ppoll, nothing_there());
        if (no_time(timeout))
                return ifp_real.ppoll(fds, n, timeout, mask);
        DESCRIPTORS(ifp_real.ppoll(fds, n, timeout, mask));
}

IFP_EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
                           const sigset_t *mask, size_t bytes)
{
        IFP_NEED(__ppoll_chk, nothing_there());
        if (no_time(timeout))
                return ifp_real.__ppoll_chk(fds, n, timeout, mask, bytes);
        DESCRIPTORS(ifp_real.__ppoll_chk(fds, n, timeout, mask, bytes));
}

IFP_EXPORT int select(int n, fd_set *restrict r, fd_set *restrict w_, fd_set *restrict e,
                      struct timeval *restrict timeout)
{
        IFP_NEED(select, nothing_there());
        if (timeout && !timeout->tv_sec && !timeout->tv_usec)
                return ifp_real.select(n, r, w_, e, timeout);
        DESCRIPTORS(ifp_real.select(n, r, w_, e, timeout));
}

IFP_EXPORT int pselect(int n, fd_set *restrict r, fd_set *restrict w_, fd_set *restrict e,
                       const struct timespec *restrict timeout, const sigset_t *restrict mask)
{
        IFP_NEED(pselect, nothing_there());
        if (no_time(timeout))
                return ifp_real.pselect(n, r, w_, e, timeout, mask);
        DESCRIPTORS(ifp_real.pselect(n, r, w_, e, timeout, mask));
}

IFP_EXPORT int epoll_wait(int fd, struct epoll_event *events, int n, int timeout)
{
        IFP_NEED(epoll_wait, nothing_there());
        if (!timeout)
                return ifp_real.epoll_wait(fd, events, n, timeout);
        DESCRIPTORS(ifp_real.epoll_wait(fd, events, n, timeout));
}

IFP_EXPORT int epoll_pwait(int fd, struct epoll_event *events, int n, int timeout,
                           const sigset_t *mask)
{
        IFP_NEED(epoll_pwait, nothing_there());
        if (!timeout)
                return ifp_real.epoll_pwait(fd, events, n, timeout, mask);
        DESCRIPTORS(ifp_real.epoll_pwait(fd, events, n, timeout, mask));
}

IFP_EXPORT int epoll_pwait2(int fd, struct epoll_event *events, int n,
                            const struct timespec *timeout, const sigset_t *mask)
{
        IFP_NEED(epoll_pwait2, nothing_there());
        if (no_time(timeout))
                return ifp_real.epoll_pwait2(fd, events, n, timeout, mask);
        DESCRIPTORS(ifp_real.epoll_pwait2(fd, events, n, timeout, mask));
}

/* ---- futexes --------------------------------------------------------------------- */

/* Called from hook-x86_64.S. */
__attribute__((visibility("hidden"))) long ifp_failed(long error);
__attribute__((visibility("hidden"))) long ifp_futex(long number, uint64_t futex, int op,
                                                     long value, long timeout, long futex2,
                                                     long value3);

long ifp_failed(long error)
{
        errno = (int)-error;
        return -1;
}

static bool wakes(int command)
{
        return command == FUTEX_WAKE || command == FUTEX_WAKE_BITSET || command == FUTEX_WAKE_OP ||
               command == FUTEX_REQUEUE || command == FUTEX_CMP_REQUEUE ||
               command == FUTEX_CMP_REQUEUE_PI || command == FUTEX_UNLOCK_PI;
}

static bool waits(int command)
{
        return command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET ||
               command == FUTEX_WAIT_REQUEUE_PI || command == FUTEX_LOCK_PI ||
               command == 13 /* FUTEX_LOCK_PI2 */;
}

long ifp_futex(long number, uint64_t futex, int op, long value, long timeout, long futex2,
               long value3)
{
        IFP_WAIT_CALL(w, IFP_WAIT_FUTEX, futex,
                      op & FUTEX_PRIVATE_FLAG ? 0 : IFP_WAIT_SHARED_MEMORY);
        bool wait = waits(op & FUTEX_CMD_MASK);
        long ret;

        IFP_NEED(syscall, nothing_there());
        if (wakes(op & FUTEX_CMD_MASK))
                ifp_who_wakes((const void *)(uintptr_t)futex);
        if (wait)
                ifp_wait_begin(&w);
        ret = ifp_real.syscall(number, futex, op, value, timeout, futex2, value3);
        if (wait)
                ifp_wait_end(&w, ifp_waited_errno(ret));
        return ret;
}
