/* SPDX-License-Identifier: MIT */
/*
 * heap-even N: the same on each run, with blocks that are usable to the last byte as they were
 * asked for, so that a profiler that counts the one comes to the same as one that counts the other.
 * In glibc a block of 8 less than a multiple of 16 is; but what would leave 16 bytes over is given
 * whole, hence multiples of 32, in an arena that nobody else uses: a thread's. N rounds; what is
 * alive grows to its peak in the midst and shrinks again.
 */
#include "heap.h"

#include <pthread.h>

static struct heap_truth truth;
static void *blocks[4096];

__attribute__((noinline)) static void *even_take(size_t size)
{
        void *p = HEAP_MALLOC(&truth, size);

        HEAP_HIDE(p);
        return p;
}

__attribute__((noinline)) static void *even_zeroed(size_t size)
{
        void *p = heap_took(&truth, calloc(1, size), size);

        HEAP_HIDE(p);
        return p;
}

static void *work(void *arg)
{
        static const size_t sizes[] = {24, 56, 120, 1048, 4120, 20024};
        long n = atol(arg), at = 0;

        for (long i = 0; i < n; i++) {
                size_t size = sizes[i % 6];
                void *p = i % 2 ? even_take(size) : even_zeroed(size);

                if (malloc_usable_size(p) != size)
                        exit(3);
                if (i % 3 == 0 && at < 4096)
                        blocks[at++] = p;
                else
                        HEAP_FREE(&truth, p);
        }
        while (at > 100) /* a hundred stay */
                HEAP_FREE(&truth, blocks[--at]);
        return NULL;
}

int main(int argc, char **argv)
{
        pthread_t thread;

        if (argc != 2 || pthread_create(&thread, NULL, work, argv[1]))
                return 2;
        pthread_join(thread, NULL);
        heap_print("memory", &truth);
        return 0;
}
