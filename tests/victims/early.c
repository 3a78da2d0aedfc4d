/* SPDX-License-Identifier: MIT */
/* Calls its kernel in a constructor, before main, and in a destructor, after it. */
long k_early(long x);
long k_late(long x);

static volatile long sum;

__attribute__((noinline)) long k_early(long x)
{
        __asm__ volatile("");
        return x + 1;
}

__attribute__((noinline)) long k_late(long x)
{
        __asm__ volatile("");
        return x + 2;
}

__attribute__((constructor)) static void before(void)
{
        for (int i = 0; i < 5; i++)
                sum += k_early(i);
}

__attribute__((destructor)) static void after(void)
{
        for (int i = 0; i < 7; i++)
                sum += k_late(i);
}
