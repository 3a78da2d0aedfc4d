/* SPDX-License-Identifier: MIT */
/*
 * heap-even N: the same on each run, with sizes that are usable to the last byte in glibc (a
 * multiple of 16, and 8), so that a profiler that counts what was asked for counts the same as one
 * that counts what is usable. N rounds; what is alive grows to its peak in the midst and shrinks
 * again.
 */
#include "heap.h"

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

int main(int argc, char **argv)
{
        static const size_t sizes[] = {24, 40, 104, 1032, 4104, 20008};
        long n = argc > 1 ? atol(argv[1]) : 1, at = 0;

        for (long i = 0; i < n; i++) {
                size_t size = sizes[i % 6];
                void *p = i % 2 ? even_take(size) : even_zeroed(size);

                if (malloc_usable_size(p) != size)
                        return 3;
                if (i % 3 == 0 && at < 4096)
                        blocks[at++] = p;
                else
                        HEAP_FREE(&truth, p);
        }
        while (at > 100) /* a hundred stay */
                HEAP_FREE(&truth, blocks[--at]);
        heap_print("memory", &truth);
        return 0;
}
