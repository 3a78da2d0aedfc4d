/* SPDX-License-Identifier: MIT */
#include "kernels.h"

unsigned bench_steps = 100;

/* Each begins on a line of its own: where it lies must not make it faster than the others. */
#define KERNEL(name) __attribute__((noinline, aligned(64))) void name(void)

#define EMPTY(name)                                                                                \
        KERNEL(name)                                                                               \
        {                                                                                          \
                __asm__ volatile("");                                                              \
        }
EMPTY(empty_bare)
EMPTY(empty_plain)
EMPTY(empty_args)
EMPTY(empty_hot)
EMPTY(empty_off)

#define WORK(name)                                                                                 \
        KERNEL(name)                                                                               \
        {                                                                                          \
                static unsigned long chain = 3;                                                    \
                unsigned long x = chain;                                                           \
                                                                                                   \
                for (unsigned i = bench_steps; i; i--)                                             \
                        __asm__ volatile("imul %0, %0" : "+r"(x));                                 \
                chain = x;                                                                         \
        }
WORK(work_bare)
WORK(work_full)
WORK(work_hot)

#define DEFINE_OP(n) EMPTY(op_##n)
BENCH_OPS(DEFINE_OP)
