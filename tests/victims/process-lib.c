/* SPDX-License-Identifier: MIT */
long k_work(long x);

long k_work(long x)
{
        __asm__ volatile("");
        return x + 1;
}
