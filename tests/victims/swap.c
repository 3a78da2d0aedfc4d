/* SPDX-License-Identifier: MIT */
/* Two libraries of one layout: what is mapped where the other was has another name. */
#define PASTE_(a, b) a##b
#define PASTE(a, b)  PASTE_(a, b)

long PASTE(k_, WHICH)(long x);
long swap_run(long n);

long PASTE(k_, WHICH)(long x)
{
        __asm__ volatile("");
        return x * VALUE;
}

long swap_run(long n)
{
        long sum = 0;

        for (long i = 0; i < n; i++)
                sum += PASTE(k_, WHICH)(i);
        return sum;
}
