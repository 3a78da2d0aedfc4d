/* SPDX-License-Identifier: MIT */
/*
 * An allocator behind one pthread mutex, in a library to be preloaded or in a program, and (with
 * MAIN) a program whose threads fight for it. Whoever watches waits must neither allocate in the
 * midst of one, nor wait for its own waiting.
 */
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>

#ifndef NO_HEAP
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void __libc_free(void *);

static pthread_mutex_t heap = PTHREAD_MUTEX_INITIALIZER;

/* Long enough that another comes meanwhile. */
static void dawdle(void)
{
        for (volatile int i = 0; i < 300; i++)
                ;
}

void *malloc(size_t n)
{
        pthread_mutex_lock(&heap);
        void *p = __libc_malloc(n);
        dawdle();
        pthread_mutex_unlock(&heap);
        return p;
}

void *calloc(size_t n, size_t m)
{
        pthread_mutex_lock(&heap);
        void *p = __libc_calloc(n, m);
        dawdle();
        pthread_mutex_unlock(&heap);
        return p;
}

void *realloc(void *p, size_t n)
{
        pthread_mutex_lock(&heap);
        p = __libc_realloc(p, n);
        dawdle();
        pthread_mutex_unlock(&heap);
        return p;
}

void free(void *p)
{
        pthread_mutex_lock(&heap);
        __libc_free(p);
        dawdle();
        pthread_mutex_unlock(&heap);
}

#endif

#ifdef MAIN
#include <stdio.h>

enum { THREADS = 4, TIMES = 20000 };

static void *life(void *arg)
{
        void *blocks[16] = {0};

        for (unsigned i = 0; i < TIMES; i++) {
                free(blocks[i % 16]);
                blocks[i % 16] = malloc(16 + i % 1000);
        }
        for (int i = 0; i < 16; i++)
                free(blocks[i]);
        return arg;
}

int main(void)
{
        pthread_t t[THREADS];

        for (int i = 0; i < THREADS; i++)
                if (pthread_create(&t[i], NULL, life, NULL))
                        return 1;
        for (int i = 0; i < THREADS; i++)
                pthread_join(t[i], NULL);
        printf("%d\n", THREADS * TIMES);
        return 0;
}
#endif
