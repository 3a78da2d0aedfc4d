/* SPDX-License-Identifier: MIT */
/*
 * Conditions, barriers, semaphores and joins, and the C11 forms of them, which libc does not
 * build on its public functions.
 *
 * Who wakes leaves a note (who.c). A semaphore that is to be had at once and a thread that has
 * ended already are no waits, so both are tried first.
 */
#include "preload/real.h"
#include "preload/wait.h"

/* ---- conditions -------------------------------------------------------------- */

static uint32_t shared_cond(const pthread_cond_t *c)
{
        return c->__data.__wrefs & 1 ? IFP_WAIT_SHARED_MEMORY : 0;
}

#define WAIT_COND(c, flags, call, how)                                                             \
        do {                                                                                       \
                IFP_WAIT_CALL(w, IFP_WAIT_COND, c, flags);                                         \
                int ret;                                                                           \
                                                                                                   \
                ifp_wait_begin(&w);                                                                \
                ret = (call);                                                                      \
                ifp_wait_end(&w, how(ret));                                                        \
                return ret;                                                                        \
        } while (0)

IFP_EXPORT int pthread_cond_wait(pthread_cond_t *restrict c, pthread_mutex_t *restrict m)
{
        IFP_NEED(pthread_cond_wait, ENOSYS);
        WAIT_COND(c, shared_cond(c), ifp_real.pthread_cond_wait(c, m), ifp_waited);
}

IFP_EXPORT int pthread_cond_timedwait(pthread_cond_t *restrict c, pthread_mutex_t *restrict m,
                                      const struct timespec *restrict until)
{
        IFP_NEED(pthread_cond_timedwait, ENOSYS);
        WAIT_COND(c, shared_cond(c), ifp_real.pthread_cond_timedwait(c, m, until), ifp_waited);
}

IFP_EXPORT int pthread_cond_clockwait(pthread_cond_t *c, pthread_mutex_t *m, clockid_t clock,
                                      const struct timespec *until)
{
        IFP_NEED(pthread_cond_clockwait, ENOSYS);
        WAIT_COND(c, shared_cond(c), ifp_real.pthread_cond_clockwait(c, m, clock, until),
                  ifp_waited);
}

IFP_EXPORT int cnd_wait(cnd_t *c, mtx_t *m)
{
        IFP_NEED(cnd_wait, thrd_error);
        WAIT_COND(c, 0, ifp_real.cnd_wait(c, m), ifp_waited_c11);
}

IFP_EXPORT int cnd_timedwait(cnd_t *restrict c, mtx_t *restrict m,
                             const struct timespec *restrict until)
{
        IFP_NEED(cnd_timedwait, thrd_error);
        WAIT_COND(c, 0, ifp_real.cnd_timedwait(c, m, until), ifp_waited_c11);
}

#define WAKE(name, type, failure)                                                                  \
        IFP_EXPORT int name(type *o)                                                               \
        {                                                                                          \
                IFP_NEED(name, failure);                                                           \
                ifp_who_wakes(o);                                                                  \
                return ifp_real.name(o);                                                           \
        }
WAKE(pthread_cond_signal, pthread_cond_t, ENOSYS)
WAKE(pthread_cond_broadcast, pthread_cond_t, ENOSYS)
WAKE(cnd_signal, cnd_t, thrd_error)
WAKE(cnd_broadcast, cnd_t, thrd_error)

/* ---- semaphores -------------------------------------------------------------- */

static int no_semaphore(void)
{
        errno = ENOSYS;
        return -1;
}

IFP_EXPORT int sem_post(sem_t *s)
{
        IFP_NEED(sem_post, no_semaphore());
        ifp_who_wakes(s);
        return ifp_real.sem_post(s);
}

/* Is it to be had at once? Waiting for one is a cancellation point also where it is. */
static bool sem_taken(sem_t *s)
{
        IFP_KEEP_ERRNO;

        pthread_testcancel();
        return ifp_real.sem_trywait && ifp_real.sem_trywait(s) == 0;
}

/* glibc: value and number of waiters, then whether it is of one process. */
static uint32_t shared_sem(const sem_t *s)
{
        return ((const int *)(const void *)s)[2] ? IFP_WAIT_SHARED_MEMORY : 0;
}

#define WAIT_SEM(s, call)                                                                          \
        do {                                                                                       \
                IFP_WAIT_CALL(w, IFP_WAIT_SEM, s, shared_sem(s));                                  \
                int ret;                                                                           \
                                                                                                   \
                ifp_wait_begin(&w);                                                                \
                ret = (call);                                                                      \
                ifp_wait_end(&w, ifp_waited_errno(ret));                                           \
                return ret;                                                                        \
        } while (0)

IFP_EXPORT int sem_wait(sem_t *s)
{
        IFP_NEED(sem_wait, no_semaphore());
        if (sem_taken(s))
                return 0;
        WAIT_SEM(s, ifp_real.sem_wait(s));
}

IFP_EXPORT int sem_timedwait(sem_t *restrict s, const struct timespec *restrict until)
{
        IFP_NEED(sem_timedwait, no_semaphore());
        if (!ifp_valid_time(until))
                return ifp_real.sem_timedwait(s, until);
        if (sem_taken(s))
                return 0;
        WAIT_SEM(s, ifp_real.sem_timedwait(s, until));
}

IFP_EXPORT int sem_clockwait(sem_t *s, clockid_t clock, const struct timespec *until)
{
        IFP_NEED(sem_clockwait, no_semaphore());
        if (!ifp_valid_time(until) || !ifp_valid_clock(clock))
                return ifp_real.sem_clockwait(s, clock, until);
        if (sem_taken(s))
                return 0;
        WAIT_SEM(s, ifp_real.sem_clockwait(s, clock, until));
}

/* ---- barriers ---------------------------------------------------------------- */

IFP_EXPORT int pthread_barrier_init(pthread_barrier_t *restrict b,
                                    const pthread_barrierattr_t *restrict attr, unsigned n)
{
        int shared = PTHREAD_PROCESS_PRIVATE, ret;

        IFP_NEED(pthread_barrier_init, ENOSYS);
        ret = ifp_real.pthread_barrier_init(b, attr, n);
        if (!ret && attr)
                pthread_barrierattr_getpshared(attr, &shared);
        if (!ret)
                ifp_barrier_known(b, n, shared == PTHREAD_PROCESS_SHARED);
        return ret;
}

IFP_EXPORT int pthread_barrier_destroy(pthread_barrier_t *b)
{
        IFP_NEED(pthread_barrier_destroy, ENOSYS);
        ifp_barrier_gone(b);
        return ifp_real.pthread_barrier_destroy(b);
}

IFP_EXPORT int pthread_barrier_wait(pthread_barrier_t *b)
{
        struct ifp_tls *tls = &ifp_tls;
        IFP_WAIT_CALL(w, IFP_WAIT_BARRIER, b, 0);
        struct ifp_arrival a;
        int ret;

        IFP_NEED(pthread_barrier_wait, ENOSYS);
        a = ifp_barrier_arrive(tls, b, 0, 0);
        if (ifp_barrier_shared(&a))
                w.flags |= IFP_WAIT_SHARED_MEMORY;
        if (a.last) {
                uint64_t since;
                IFP_KEEP_ERRNO;

                ifp_wait_last(&w, false);
                since = ifp_ticks();
                ret = ifp_real.pthread_barrier_wait(b);
                ifp_wait_woke(tls, since);
                return ret;
        }
        ifp_wait_begin(&w);
        ret = ifp_real.pthread_barrier_wait(b);
        w.who = ifp_barrier_last(&a);
        ifp_wait_end(&w, IFP_WAITED);
        return ret;
}

/* ---- joins ------------------------------------------------------------------- */

#define JOIN(thread, call, how)                                                                    \
        do {                                                                                       \
                IFP_WAIT_CALL(w, IFP_WAIT_JOIN, thread, 0);                                        \
                int ret;                                                                           \
                                                                                                   \
                w.who = ifp_who_thread(thread);                                                    \
                w.one_of_many = true;                                                              \
                ifp_wait_begin(&w);                                                                \
                ret = (call);                                                                      \
                ifp_wait_end(&w, how(ret));                                                        \
                return ret;                                                                        \
        } while (0)

/* Has it ended already? Then there is nothing to wait for. */
static bool joined(pthread_t thread, void **ret)
{
        return ifp_real.pthread_tryjoin_np && !ifp_real.pthread_tryjoin_np(thread, ret);
}

IFP_EXPORT int pthread_join(pthread_t thread, void **value)
{
        IFP_NEED(pthread_join, ENOSYS);
        if (joined(thread, value))
                return 0;
        JOIN(thread, ifp_real.pthread_join(thread, value), ifp_waited);
}

IFP_EXPORT int pthread_timedjoin_np(pthread_t thread, void **value, const struct timespec *until)
{
        IFP_NEED(pthread_timedjoin_np, ENOSYS);
        if (joined(thread, value))
                return 0;
        JOIN(thread, ifp_real.pthread_timedjoin_np(thread, value, until), ifp_waited);
}

IFP_EXPORT int pthread_clockjoin_np(pthread_t thread, void **value, clockid_t clock,
                                    const struct timespec *until)
{
        IFP_NEED(pthread_clockjoin_np, ENOSYS);
        if (!ifp_valid_clock(clock))
                return ifp_real.pthread_clockjoin_np(thread, value, clock, until);
        if (joined(thread, value))
                return 0;
        JOIN(thread, ifp_real.pthread_clockjoin_np(thread, value, clock, until), ifp_waited);
}

IFP_EXPORT int thrd_join(thrd_t thread, int *value)
{
        void *result;

        IFP_NEED(thrd_join, thrd_error);
        if (joined(thread, &result)) {
                if (value)
                        *value = (int)(intptr_t)result;
                return thrd_success;
        }
        JOIN(thread, ifp_real.thrd_join(thread, value), ifp_waited_c11);
}
