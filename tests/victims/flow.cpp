/* SPDX-License-Identifier: MIT */
#include "flow.h"

#include <time.h>

/* flow-again.cpp: a compiler may call what it knows itself directly, not through the PLT */
#pragma GCC visibility push(hidden)
long throw_again(long depth);
long recurse_again(long n);
#pragma GCC visibility pop

#define KEEP __asm__ volatile("" ::: "memory")

static long now()
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void busy_until(long end)
{
        while (now() < end)
                ;
}

extern "C" {

long k_leaf(long x)
{
        KEEP;
        return x + 1;
}

long k_call(flow_fn fn, long x)
{
        long r = fn(x);

        KEEP;
        return r + 1;
}

long k_call_too(flow_fn fn, long x)
{
        long r = fn(x);

        KEEP;
        return r + 1;
}

long k_throw(long depth)
{
        long r;

        if (!depth)
                throw 42;
        r = throw_again(depth - 1);
        KEEP;
        return r + 1;
}

long k_catch(long depth)
{
        try {
                return k_throw(depth);
        } catch (int e) {
                return e == 42;
        }
}

long k_recurse(long n)
{
        long r = n ? recurse_again(n - 1) : 0;

        KEEP;
        return r + 1;
}

long k_even(long n)
{
        long r = n ? k_odd(n - 1) : 1;

        KEEP;
        return r;
}

long k_odd(long n)
{
        long r = n ? k_even(n - 1) : 0;

        KEEP;
        return r;
}

long k_tail_a(long n)
{
        KEEP;
        return n > 0 ? k_tail_b(n - 1) : n + 100;
}

long k_tail_b(long n)
{
        KEEP;
        return n > 0 ? k_tail_a(n - 1) : n + 200;
}

void k_busy(long ns)
{
        busy_until(now() + ns);
}

void k_parent(long own_ns, long child_ns, long *child_took)
{
        long before;

        busy_until(now() + own_ns);
        before = now();
        k_busy(child_ns);
        *child_took += now() - before;
        busy_until(now() + own_ns);
}
}

namespace conv {
long apply(int a, double b)
{
        KEEP;
        return (long)(a * b);
}
} // namespace conv
