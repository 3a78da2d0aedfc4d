/* SPDX-License-Identifier: MIT */
/*
 * Locks. Each is tried first, which is what an uncontended one costs anyway; only one that is taken
 * is a wait. What the try answers else is what the lock would have answered: recursive, robust
 * (EOWNERDEAD) and protected mutexes are theirs alike. Where the lock itself refuses at once
 * (EDEADLK to its owner, a time that is none) that is no wait either.
 *
 * Where libc looks at clock and time before it looks at the lock, so is done here. Unlocking is not
 * hooked: who holds a lock is read from it, as glibc's headers declare it.
 */
#include "preload/real.h"
#include "preload/wait.h"

#define KIND_SHARED  128 /* of a mutex: PTHREAD_MUTEX_PSHARED_BIT */
#define KIND_BY_LOCK 48  /* robust or priority inheritance: the lock word names the owner, too */
#define TID_MASK     0x3fffffff

/* ---- mutexes ----------------------------------------------------------------- */

/* Of a mtx_t, too, which is one in glibc. */
static void ask_holder(struct ifp_wait_call *w, const void *mutex)
{
        const pthread_mutex_t *m = mutex;
        int kind = m->__data.__kind, owner = m->__data.__owner;

        if (kind & KIND_SHARED)
                w->flags |= IFP_WAIT_SHARED_MEMORY;
        if (!owner && (kind & KIND_BY_LOCK))
                owner = m->__data.__lock & TID_MASK;
        w->who = ifp_who_tid(owner);
}

#define TAKE_MUTEX(m, call, how)                                                                   \
        do {                                                                                       \
                IFP_WAIT_CALL(w, IFP_WAIT_MUTEX, m, 0);                                            \
                int ret;                                                                           \
                                                                                                   \
                ask_holder(&w, m);                                                                 \
                ifp_wait_begin(&w);                                                                \
                ret = (call);                                                                      \
                ifp_wait_end(&w, how(ret));                                                        \
                return ret;                                                                        \
        } while (0)

static __attribute__((noinline)) int mutex_taken(pthread_mutex_t *m)
{
        IFP_NEED(pthread_mutex_lock, ENOSYS);
        TAKE_MUTEX(m, ifp_real.pthread_mutex_lock(m), ifp_waited);
}

IFP_EXPORT int pthread_mutex_lock(pthread_mutex_t *m)
{
        int ret;

        IFP_NEED(pthread_mutex_trylock, ENOSYS);
        ret = ifp_real.pthread_mutex_trylock(m);
        return IFP_LIKELY(ret != EBUSY) ? ret : mutex_taken(m);
}

IFP_EXPORT int pthread_mutex_timedlock(pthread_mutex_t *m, const struct timespec *until)
{
        int tried;

        IFP_NEED(pthread_mutex_trylock, ENOSYS);
        IFP_NEED(pthread_mutex_timedlock, ENOSYS);
        tried = ifp_real.pthread_mutex_trylock(m);
        if (IFP_LIKELY(tried != EBUSY))
                return tried;
        TAKE_MUTEX(m, ifp_real.pthread_mutex_timedlock(m, until), ifp_waited);
}

IFP_EXPORT int pthread_mutex_clocklock(pthread_mutex_t *m, clockid_t clock,
                                       const struct timespec *until)
{
        int tried;

        IFP_NEED(pthread_mutex_trylock, ENOSYS);
        IFP_NEED(pthread_mutex_clocklock, ENOSYS);
        if (!ifp_valid_clock(clock))
                return ifp_real.pthread_mutex_clocklock(m, clock, until);
        tried = ifp_real.pthread_mutex_trylock(m);
        if (IFP_LIKELY(tried != EBUSY))
                return tried;
        TAKE_MUTEX(m, ifp_real.pthread_mutex_clocklock(m, clock, until), ifp_waited);
}

IFP_EXPORT int mtx_lock(mtx_t *m)
{
        int tried;

        IFP_NEED(mtx_trylock, thrd_error);
        IFP_NEED(mtx_lock, thrd_error);
        tried = ifp_real.mtx_trylock(m);
        if (IFP_LIKELY(tried != thrd_busy))
                return tried;
        TAKE_MUTEX(m, ifp_real.mtx_lock(m), ifp_waited_c11);
}

IFP_EXPORT int mtx_timedlock(mtx_t *restrict m, const struct timespec *restrict until)
{
        int tried;

        IFP_NEED(mtx_trylock, thrd_error);
        IFP_NEED(mtx_timedlock, thrd_error);
        tried = ifp_real.mtx_trylock(m);
        if (IFP_LIKELY(tried != thrd_busy))
                return tried;
        TAKE_MUTEX(m, ifp_real.mtx_timedlock(m, until), ifp_waited_c11);
}

/* ---- rwlocks ----------------------------------------------------------------- */

/* Only a writer is told by name. */
#define TAKE_RWLOCK(l, call)                                                                       \
        do {                                                                                       \
                IFP_WAIT_CALL(w, IFP_WAIT_RWLOCK, l,                                               \
                              (l)->__data.__shared ? IFP_WAIT_SHARED_MEMORY : 0);                  \
                int ret;                                                                           \
                                                                                                   \
                w.who = ifp_who_tid((l)->__data.__cur_writer);                                     \
                ifp_wait_begin(&w);                                                                \
                ret = (call);                                                                      \
                ifp_wait_end(&w, ifp_waited(ret));                                                 \
                return ret;                                                                        \
        } while (0)

#define RWLOCK(name, try)                                                                          \
        IFP_EXPORT int name(pthread_rwlock_t *l)                                                   \
        {                                                                                          \
                int tried;                                                                         \
                                                                                                   \
                IFP_NEED(try, ENOSYS);                                                             \
                IFP_NEED(name, ENOSYS);                                                            \
                tried = ifp_real.try(l);                                                           \
                if (IFP_LIKELY(tried != EBUSY))                                                    \
                        return tried;                                                              \
                TAKE_RWLOCK(l, ifp_real.name(l));                                                  \
        }
RWLOCK(pthread_rwlock_rdlock, pthread_rwlock_tryrdlock)
RWLOCK(pthread_rwlock_wrlock, pthread_rwlock_trywrlock)

#define RWLOCK_TIMED(name, try)                                                                    \
        IFP_EXPORT int name(pthread_rwlock_t *restrict l, const struct timespec *restrict until)   \
        {                                                                                          \
                int tried;                                                                         \
                                                                                                   \
                IFP_NEED(try, ENOSYS);                                                             \
                IFP_NEED(name, ENOSYS);                                                            \
                if (!ifp_valid_time(until))                                                        \
                        return ifp_real.name(l, until);                                            \
                tried = ifp_real.try(l);                                                           \
                if (IFP_LIKELY(tried != EBUSY))                                                    \
                        return tried;                                                              \
                TAKE_RWLOCK(l, ifp_real.name(l, until));                                           \
        }
RWLOCK_TIMED(pthread_rwlock_timedrdlock, pthread_rwlock_tryrdlock)
RWLOCK_TIMED(pthread_rwlock_timedwrlock, pthread_rwlock_trywrlock)

#define RWLOCK_CLOCK(name, try)                                                                    \
        IFP_EXPORT int name(pthread_rwlock_t *l, clockid_t clock, const struct timespec *until)    \
        {                                                                                          \
                int tried;                                                                         \
                                                                                                   \
                IFP_NEED(try, ENOSYS);                                                             \
                IFP_NEED(name, ENOSYS);                                                            \
                if (!ifp_valid_clock(clock) || !ifp_valid_time(until))                             \
                        return ifp_real.name(l, clock, until);                                     \
                tried = ifp_real.try(l);                                                           \
                if (IFP_LIKELY(tried != EBUSY))                                                    \
                        return tried;                                                              \
                TAKE_RWLOCK(l, ifp_real.name(l, clock, until));                                    \
        }
RWLOCK_CLOCK(pthread_rwlock_clockrdlock, pthread_rwlock_tryrdlock)
RWLOCK_CLOCK(pthread_rwlock_clockwrlock, pthread_rwlock_trywrlock)

/* ---- spinlocks --------------------------------------------------------------- */

static __attribute__((noinline)) int spinlock_taken(pthread_spinlock_t *l)
{
        IFP_WAIT_CALL(w, IFP_WAIT_SPINLOCK, l, IFP_WAIT_SPINS);
        int ret;

        IFP_NEED(pthread_spin_lock, ENOSYS);
        ifp_wait_begin(&w);
        ret = ifp_real.pthread_spin_lock(l);
        ifp_wait_end(&w, ifp_waited(ret));
        return ret;
}

IFP_EXPORT int pthread_spin_lock(pthread_spinlock_t *l)
{
        int ret;

        IFP_NEED(pthread_spin_trylock, ENOSYS);
        ret = ifp_real.pthread_spin_trylock(l);
        return IFP_LIKELY(ret != EBUSY) ? ret : spinlock_taken(l);
}
