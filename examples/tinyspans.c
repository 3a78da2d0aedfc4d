/* SPDX-License-Identifier: MIT */
/*
 * The engine's own stopwatch. Every duration is kept, so that a median is a median; the memory
 * comes straight from the kernel, since a malloc here would be counted by whoever counts the
 * engine's.
 */
#include "tinykernels.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

uint64_t tk_now_ns(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void grow(struct tk_spans *spans)
{
        size_t old = spans->room * sizeof(*spans->ns);
        size_t bytes = old ? old * 2 : 64 * 1024;
        void *p =
                old ? mremap(spans->ns, old, bytes, MREMAP_MAYMOVE)
                    : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (p == MAP_FAILED)
                abort();
        spans->ns = p;
        spans->room = bytes / sizeof(*spans->ns);
}

void tk_spans_add(struct tk_spans *spans, uint64_t ns)
{
        if (spans->n == spans->room)
                grow(spans);
        spans->ns[spans->n++] = ns;
}
