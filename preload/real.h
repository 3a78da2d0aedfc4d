/* SPDX-License-Identifier: MIT */
/*
 * The functions behind the ones this library puts itself in front of. The type
 * of each comes from the prototype, so that a pointer cannot disagree with it.
 */
#pragma once

#include <dlfcn.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include "preload/shim.h"

/* C23's, which libc's headers may not have yet. */
void free_sized(void *p, size_t n);
void free_aligned_sized(void *p, size_t align, size_t n);

/* These came later than others: libc's headers, or libc itself, may not have them yet. */
int pthread_mutex_clocklock(pthread_mutex_t *m, clockid_t clock, const struct timespec *until);
int pthread_rwlock_clockrdlock(pthread_rwlock_t *l, clockid_t clock, const struct timespec *until);
int pthread_rwlock_clockwrlock(pthread_rwlock_t *l, clockid_t clock, const struct timespec *until);
int pthread_cond_clockwait(pthread_cond_t *c, pthread_mutex_t *m, clockid_t clock,
                           const struct timespec *until);
int pthread_clockjoin_np(pthread_t thread, void **ret, clockid_t clock,
                         const struct timespec *until);
int sem_clockwait(sem_t *s, clockid_t clock, const struct timespec *until);
int epoll_pwait2(int fd, struct epoll_event *events, int n, const struct timespec *timeout,
                 const sigset_t *mask);
/* What poll and ppoll are called by in programs built with _FORTIFY_SOURCE. */
int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t bytes);
int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask,
                size_t bytes);

#define IFP_REAL_MEMORY(X)                                                                         \
        X(malloc)                                                                                  \
        X(calloc)                                                                                  \
        X(realloc)                                                                                 \
        X(reallocarray)                                                                            \
        X(free)                                                                                    \
        X(posix_memalign)                                                                          \
        X(aligned_alloc)                                                                           \
        X(memalign)                                                                                \
        X(valloc)                                                                                  \
        X(pvalloc)                                                                                 \
        X(free_sized)                                                                              \
        X(free_aligned_sized)                                                                      \
        X(malloc_usable_size)
#define IFP_REAL_REST(X)                                                                           \
        X(mmap)                                                                                    \
        X(mmap64)                                                                                  \
        X(mremap)                                                                                  \
        X(munmap)                                                                                  \
        X(sbrk)                                                                                    \
        X(brk)                                                                                     \
        X(dlopen)                                                                                  \
        X(dlmopen)                                                                                 \
        X(dlclose)                                                                                 \
        X(dlsym)                                                                                   \
        X(dlvsym)                                                                                  \
        X(dladdr)                                                                                  \
        X(dladdr1)                                                                                 \
        X(pthread_create)                                                                          \
        X(thrd_create)                                                                             \
        X(fork)                                                                                    \
        X(posix_spawn)                                                                             \
        X(posix_spawnp)                                                                            \
        X(clone)                                                                                   \
        X(_exit)

#define IFP_REAL_WAITS(X)                                                                          \
        X(pthread_mutex_lock)                                                                      \
        X(pthread_mutex_trylock)                                                                   \
        X(pthread_mutex_timedlock)                                                                 \
        X(pthread_mutex_clocklock)                                                                 \
        X(pthread_rwlock_rdlock)                                                                   \
        X(pthread_rwlock_tryrdlock)                                                                \
        X(pthread_rwlock_timedrdlock)                                                              \
        X(pthread_rwlock_clockrdlock)                                                              \
        X(pthread_rwlock_wrlock)                                                                   \
        X(pthread_rwlock_trywrlock)                                                                \
        X(pthread_rwlock_timedwrlock)                                                              \
        X(pthread_rwlock_clockwrlock)                                                              \
        X(pthread_spin_lock)                                                                       \
        X(pthread_spin_trylock)                                                                    \
        X(mtx_lock)                                                                                \
        X(mtx_trylock)                                                                             \
        X(mtx_timedlock)                                                                           \
        X(pthread_cond_wait)                                                                       \
        X(pthread_cond_timedwait)                                                                  \
        X(pthread_cond_clockwait)                                                                  \
        X(pthread_cond_signal)                                                                     \
        X(pthread_cond_broadcast)                                                                  \
        X(cnd_wait)                                                                                \
        X(cnd_timedwait)                                                                           \
        X(cnd_signal)                                                                              \
        X(cnd_broadcast)                                                                           \
        X(pthread_barrier_init)                                                                    \
        X(pthread_barrier_wait)                                                                    \
        X(pthread_barrier_destroy)                                                                 \
        X(sem_wait)                                                                                \
        X(sem_trywait)                                                                             \
        X(sem_timedwait)                                                                           \
        X(sem_clockwait)                                                                           \
        X(sem_post)                                                                                \
        X(pthread_join)                                                                            \
        X(pthread_tryjoin_np)                                                                      \
        X(pthread_timedjoin_np)                                                                    \
        X(pthread_clockjoin_np)                                                                    \
        X(thrd_join)                                                                               \
        X(nanosleep)                                                                               \
        X(clock_nanosleep)                                                                         \
        X(usleep)                                                                                  \
        X(sleep)                                                                                   \
        X(thrd_sleep)                                                                              \
        X(sched_yield)                                                                             \
        X(thrd_yield)                                                                              \
        X(poll)                                                                                    \
        X(ppoll)                                                                                   \
        X(__poll_chk)                                                                              \
        X(__ppoll_chk)                                                                             \
        X(select)                                                                                  \
        X(pselect)                                                                                 \
        X(epoll_wait)                                                                              \
        X(epoll_pwait)                                                                             \
        X(epoll_pwait2)                                                                            \
        X(syscall)

#pragma GCC visibility push(hidden)

struct ifp_real {
#define X(name) __typeof__(name) *name;
        IFP_REAL_MEMORY(X)
        IFP_REAL_REST(X)
        IFP_REAL_WAITS(X)
#undef X
};
extern struct ifp_real ifp_real;
extern __typeof__(syscall) *ifp_syscall_real; /* the same, for hook-x86_64.S */

/* In a hook: its real function, or the answer that it is not to be had. */
#define IFP_NEED(name, failure)                                                                    \
        do {                                                                                       \
                if (IFP_UNLIKELY(!ifp_real.name)) {                                                \
                        ifp_real_init();                                                           \
                        if (!ifp_real.name)                                                        \
                                return (failure);                                                  \
                }                                                                                  \
        } while (0)

/* Finds them, once; safe at any time after the loader has relocated libc. */
void ifp_real_init(void);

/* hook-alloc.c: whether block headers may be read; after ifp_real_init. */
void ifp_alloc_init(void);
/* While it is on, what this thread allocates while it is busy comes from the shim's arena. */
void ifp_alloc_own(bool on);

/* hook-map.c: maps that came before there was a segment; the objects are known now. */
void ifp_map_begin(void);
void ifp_map_after_fork(void);

/* hook-process.c */
void ifp_after_fork_child(void);

#pragma GCC visibility pop
