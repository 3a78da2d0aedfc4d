/* SPDX-License-Identifier: MIT */
/* Built twice, with WHICH 1 and 2: which k_deep does a call from here reach? */
#include <pthread.h>
#include <stdlib.h>

long k_deep(long x);
long deep_run(long n);
void *deep_block(size_t bytes);
void deep_free(void *block);
int deep_spawn(void);

long k_deep(long x)
{
        return x * 10 + WHICH;
}

#if WHICH == 2
long deep_run(long n)
{
        long sum = 0;

        for (long i = 0; i < n; i++)
                sum += k_deep(i);
        return sum;
}

void *deep_block(size_t bytes)
{
        return malloc(bytes);
}

void deep_free(void *block)
{
        free(block);
}

static void *thread(void *arg)
{
        return arg;
}

int deep_spawn(void)
{
        pthread_t t;

        return pthread_create(&t, NULL, thread, NULL) || pthread_join(t, NULL);
}
#endif
