/* SPDX-License-Identifier: MIT */
/*
 * System calls and the few string functions that the shim may use where
 * libc's own are out of reach: they would touch vector registers that hold
 * the engine's arguments, or set its errno.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
static inline long ifp_sys6(long n, long a, long b, long c, long d, long e, long f)
{
        register long r10 __asm__("r10") = d;
        register long r8 __asm__("r8") = e;
        register long r9 __asm__("r9") = f;
        long ret;

        __asm__ volatile("syscall"
                         : "=a"(ret)
                         : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                         : "rcx", "r11", "memory");
        return ret;
}
#elif defined(__aarch64__)
static inline long ifp_sys6(long n, long a, long b, long c, long d, long e, long f)
{
        register long x8 __asm__("x8") = n;
        register long x0 __asm__("x0") = a;
        register long x1 __asm__("x1") = b;
        register long x2 __asm__("x2") = c;
        register long x3 __asm__("x3") = d;
        register long x4 __asm__("x4") = e;
        register long x5 __asm__("x5") = f;

        __asm__ volatile("svc 0"
                         : "+r"(x0)
                         : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                         : "memory");
        return x0;
}
#endif

/* Each argument becomes a long; a result in -4095..-1 is a negated errno. */
#define IFP_SYS(n, ...) IFP_SYS_(n, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define IFP_SYS_(n, a, b, c, d, e, f, ...)                                                         \
        ifp_sys6(SYS_##n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

static inline bool ifp_sys_failed(long ret)
{
        return ret < 0 && ret >= -4095;
}

static inline size_t ifp_strlen(const char *s)
{
        size_t n = 0;

        while (s[n])
                n++;
        return n;
}

static inline int ifp_strcmp(const char *a, const char *b)
{
        while (*a && *a == *b)
                a++, b++;
        return (unsigned char)*a - (unsigned char)*b;
}

static inline bool ifp_starts(const char *s, const char *prefix)
{
        while (*prefix)
                if (*s++ != *prefix++)
                        return false;
        return true;
}

static inline void ifp_copy(void *to, const void *from, size_t n)
{
#if defined(__x86_64__)
        __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
#else
        volatile uint8_t *t = to;

        for (size_t i = 0; i < n; i++)
                t[i] = ((const uint8_t *)from)[i];
#endif
}

/* Copies at most `size - 1` bytes and terminates; returns what was copied. */
static inline size_t ifp_strcpy(char *to, const char *from, size_t size)
{
        size_t n = 0;

        for (; n + 1 < size && from[n]; n++)
                to[n] = from[n];
        if (size)
                to[n] = '\0';
        return n;
}

/* The part after the last slash. */
static inline const char *ifp_basename(const char *path)
{
        const char *base = path;

        for (; *path; path++)
                if (*path == '/')
                        base = path + 1;
        return base;
}

/* A lock for rare paths: spins, then yields. Never taken on the way of a call. */
static inline void ifp_lock(uint32_t *lock)
{
        for (unsigned n = 0; __atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE); n++)
                if (n > 64)
                        (void)IFP_SYS(sched_yield);
}

static inline void ifp_unlock(uint32_t *lock)
{
        __atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}
