/* SPDX-License-Identifier: MIT */
#include "objects.h"

NOINLINE long k_step(long x)
{
        __asm__ volatile("");
        return x * 3 + 1;
}

NOINLINE long k_inner(long x)
{
        __asm__ volatile("");
        return x ^ 5;
}

NOINLINE long k_from_table(long x)
{
        __asm__ volatile("");
        return x + 7;
}

static NOINLINE long chosen(long x)
{
        __asm__ volatile("");
        return x - 3;
}

__attribute__((used)) static long (*choose(void))(long)
{
        return chosen;
}
long k_chosen(long x) __attribute__((ifunc("choose")));

long (*const obj_table[3])(long) = {k_step, k_inner, k_from_table};
static long (*volatile own_table[2])(long) = {k_inner, k_from_table};

long (*obj_pointer(void))(long)
{
        return k_step;
}

void obj_run(long n, struct obj_counts *c)
{
        long (*const volatile *table)(long) = obj_table;

        for (long i = 0; i < n; i++) {
                c->sum += k_step(i);
                c->sum += k_inner(i);
                c->sum += k_chosen(i);
                for (int j = 0; j < 3; j++)
                        c->sum += table[j](i);
                c->sum += own_table[0](i) + own_table[1](i);
                c->sum += obj_pointer()(i);
        }
        c->step += 3 * n;
        c->inner += 3 * n;
        c->chosen += n;
        c->from_table += 2 * n;
}
