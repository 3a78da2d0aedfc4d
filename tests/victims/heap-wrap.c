/* SPDX-License-Identifier: MIT */
/*
 * libheap-wrap.so: a wrapper of malloc as many are written: it looks for what is behind it when it
 * is first called, by a dlsym that allocates (it looks for something first that is not there).
 */
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *(*next_malloc)(size_t), *(*next_calloc)(size_t, size_t),
        *(*next_realloc)(void *, size_t);
static void (*next_free)(void *);
static volatile int looking; /* dlsym is said not to call back: it does */

/* For those who come while it looks. */
static _Alignas(16) char first[4096];
static size_t first_used;

static void *from_first(size_t n)
{
        void *p = first + first_used + 16; /* zero before it: of no size, to libc */

        n = ((n + 15) & ~(size_t)15) + 16;
        if (first_used + n > sizeof(first))
                return NULL;
        first_used += n;
        return p;
}

static int look(void)
{
        if (looking)
                return 0;
        if (!next_free) {
                looking = 1;
                if (dlsym(RTLD_NEXT, "malloc_that_is_not_there"))
                        looking = 2;
                next_malloc = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
                next_calloc = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "calloc");
                next_realloc = (void *(*)(void *, size_t))dlsym(RTLD_NEXT, "realloc");
                next_free = (void (*)(void *))dlsym(RTLD_NEXT, "free");
                looking = 0;
        }
        return 1;
}

static int is_first(const void *p)
{
        return (const char *)p >= first && (const char *)p < first + sizeof(first);
}

void *malloc(size_t n)
{
        return look() ? next_malloc(n) : from_first(n);
}

void *calloc(size_t n, size_t size)
{
        return look() ? next_calloc(n, size) : from_first(n * size);
}

void *realloc(void *p, size_t n)
{
        if (!look() || is_first(p)) {
                void *q = from_first(n);

                if (p && q)
                        memcpy(q, p, n < 64 ? n : 64);
                return q;
        }
        return next_realloc(p, n);
}

void free(void *p)
{
        if (p && !is_first(p) && look())
                next_free(p);
}
