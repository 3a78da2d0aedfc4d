/* SPDX-License-Identifier: MIT */
#include "memory.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define HIDE(v) __asm__ volatile("" : "+r"(v))

void k_malloc(struct memory_truth *t, long n)
{
        for (long i = 0; i < n; i++) {
                void *p = got(t, malloc((size_t)i * 37), (size_t)i * 37);

                HIDE(p);
                if (i % 3)
                        free(gone(t, p)); /* each third is kept */
        }
        free(NULL);
}

void k_calloc(struct memory_truth *t, long n)
{
        for (long i = 0; i < n; i++) {
                void *p = got(t, calloc((size_t)i, 24), (size_t)i * 24);

                HIDE(p);
                free(gone(t, p));
        }
}

void k_realloc(struct memory_truth *t, long n)
{
        for (long i = 0; i < n; i++) {
                long long calls = t->calls;
                void *p = got(t, realloc(NULL, 10), 10), *q;

                for (size_t size = 100; size < 400000; size *= 3) { /* grows, also by mremap */
                        gone(t, p);
                        p = got(t, realloc(p, size), size);
                }
                for (size_t size = 100000; size > 10; size /= 3) {
                        gone(t, p);
                        p = got(t, realloc(p, size), size);
                }
                if (t->calls - calls < 10)
                        abort();
                gone(t, p);
                q = realloc(p, 0); /* frees, and gives nothing */
                HIDE(q);
                if (q)
                        got(t, q, 0);
        }
}

void k_reallocarray(struct memory_truth *t, long n)
{
        size_t most = SIZE_MAX / 8;

        HIDE(most);
        for (long i = 0; i < n; i++) {
                void *p = got(t, reallocarray(NULL, 10, 10), 100), *q;

                q = reallocarray(p, most, 16);
                HIDE(q);
                got(t, q, 0);
                if (q || errno != ENOMEM)
                        abort();
                gone(t, p);
                p = got(t, reallocarray(p, 100, 10), 1000);
                free(gone(t, p));
        }
}

void k_aligned(struct memory_truth *t, long n)
{
        for (long i = 0; i < n; i++) {
                for (size_t align = 8; align <= 65536; align *= 2) {
                        void *p = NULL;

                        if (posix_memalign(&p, align, 100))
                                abort();
                        got(t, p, 100);
                        if ((uintptr_t)p % align)
                                abort();
                        free(gone(t, p));
                        p = got(t, aligned_alloc(align, align * 3), align * 3);
                        if ((uintptr_t)p % align)
                                abort();
                        free(gone(t, p));
                        p = got(t, memalign(align, 77), 77);
                        if ((uintptr_t)p % align)
                                abort();
                        free(gone(t, p));
                }
        }
}

void k_paged(struct memory_truth *t, long n)
{
        for (long i = 0; i < n; i++) {
                void *p = got(t, valloc(100), 100);

                if ((uintptr_t)p % 4096)
                        abort();
                free(gone(t, p));
                p = got(t, pvalloc(5000), 5000);
                if ((uintptr_t)p % 4096)
                        abort();
                free(gone(t, p));
        }
}

void k_failing(struct memory_truth *t, long n)
{
        for (long i = 0; i < n; i++) {
                size_t much = (size_t)PTRDIFF_MAX - 5;
                void *p = got(t, malloc(10), 10), *q = NULL;

                HIDE(much);
                errno = 0;
                got(t, malloc(much), 0);
                if (errno != ENOMEM)
                        abort();
                got(t, calloc(much, 4), 0);
                got(t, realloc(p, much), 0);
                got(t, aligned_alloc(64, much - much % 64), 0);
                got(t, memalign(64, much), 0);
                got(t, valloc(much), 0);
                errno = 7;
                if (posix_memalign(&q, 3, 10) != EINVAL || posix_memalign(&q, 64, much) != ENOMEM ||
                    errno == 0)
                        abort();
                t->failed += 2;
                if (q || !p)
                        abort();
                free(gone(t, p));
        }
}

/* What a kernel called from another allocates is its own. */
void k_nested(struct memory_truth *t, long n)
{
        struct memory_truth inner = {0};

        for (long i = 0; i < n; i++) {
                void *p = got(t, malloc(50), 50);

                k_take(&inner, k_give(&inner, 60));
                free(gone(t, p));
        }
}

void k_strdup(struct memory_truth *t, long n)
{
        for (long i = 0; i < n; i++) {
                char *p = strdup("what libc allocates counts as well");

                got(t, p, strlen(p) + 1);
                free(gone(t, p));
        }
}

void *k_give(struct memory_truth *t, size_t bytes)
{
        return got(t, malloc(bytes), bytes);
}

void k_take(struct memory_truth *t, void *block)
{
        free(gone(t, block));
}
