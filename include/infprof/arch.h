/* SPDX-License-Identifier: MIT */
/*
 * What differs between processors: the clock that is stamped with, and
 * "local" read-modify-write: one that is indivisible against signal handlers
 * of the same thread, and against nothing else. On x86-64 that is one plain
 * instruction without the lock prefix; elsewhere a relaxed atomic serves.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__)

static inline uint64_t ifp_ticks(void)
{
        uint32_t lo, hi;

        __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
        return (uint64_t)hi << 32 | lo;
}

static inline void ifp_local_add(uint64_t *p, uint64_t v)
{
        __asm__ volatile("addq %1, %0" : "+m"(*p) : "er"(v) : "cc");
}

/* Sets *p to `to` if it holds `from`; true when it did. */
static inline bool ifp_local_cas(uint64_t *p, uint64_t from, uint64_t to)
{
        bool done;

        __asm__ volatile("cmpxchgq %3, %0"
                         : "+m"(*p), "=@ccz"(done), "+a"(from)
                         : "r"(to)
                         : "memory");
        return done;
}

#elif defined(__aarch64__)

static inline uint64_t ifp_ticks(void)
{
        uint64_t t;

        __asm__ volatile("mrs %0, cntvct_el0" : "=r"(t));
        return t;
}

static inline void ifp_local_add(uint64_t *p, uint64_t v)
{
        __atomic_fetch_add(p, v, __ATOMIC_RELAXED);
}

static inline bool ifp_local_cas(uint64_t *p, uint64_t from, uint64_t to)
{
        return __atomic_compare_exchange_n(p, &from, to, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

#else
#error "infprof: no clock and no local operations for this processor yet"
#endif
