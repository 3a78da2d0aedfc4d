/* SPDX-License-Identifier: MIT */
/* Stands before next-back and passes on, by RTLD_NEXT: which object comes next depends on who asks.
 */
#include <dlfcn.h>
#include <stddef.h>

long k_relay(long x);
long next_run(long n, int *found);
long next_back(void);

long k_relay(long x)
{
        long (*next)(long) = (long (*)(long))dlsym(RTLD_NEXT, "k_relay");

        return next ? next(x) + 1 : -1;
}

long next_run(long n, int *found)
{
        long sum = next_back();

        for (long i = 0; i < n; i++)
                sum += k_relay(i);
        *found = dlsym(RTLD_NEXT, "k_relay") != NULL;
        return sum;
}
