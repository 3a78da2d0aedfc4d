/* SPDX-License-Identifier: MIT */
/*
 * What a victim knows of its own allocations: from all threads, from handlers, from children. A
 * block is counted right after it came and right before it goes. Printed as one line of JSON, with
 * write(2), so that it can be the last thing a process does.
 */
#pragma once

#include <malloc.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct heap_truth {
        long long calls, asked, usable, frees, freed, failed;
};

#define HEAP_HIDE(p) __asm__ volatile("" : "+r"(p)::"memory")

static inline void heap_add(long long *to, long long n)
{
        __atomic_fetch_add(to, n, __ATOMIC_RELAXED);
}

static inline void *heap_took(struct heap_truth *t, void *p, size_t asked)
{
        HEAP_HIDE(p);
        if (p) {
                heap_add(&t->calls, 1);
                heap_add(&t->asked, (long long)asked);
                heap_add(&t->usable, (long long)malloc_usable_size(p));
        } else {
                heap_add(&t->failed, 1);
        }
        return p;
}

static inline void *heap_gave(struct heap_truth *t, void *p)
{
        if (p) {
                heap_add(&t->frees, 1);
                heap_add(&t->freed, (long long)malloc_usable_size(p));
        }
        HEAP_HIDE(p);
        return p;
}

#define HEAP_MALLOC(t, n) heap_took(t, malloc(n), n)
#define HEAP_FREE(t, p)   free(heap_gave(t, p))

/* Shared with children. */
static inline struct heap_truth *heap_shared(void)
{
        void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        return p == MAP_FAILED ? NULL : (struct heap_truth *)p;
}

static inline int heap_text(char *to, size_t room, const struct heap_truth *t)
{
        return snprintf(to, room,
                        "{\"calls\": %lld, \"asked_bytes\": %lld, \"usable_bytes\": %lld, "
                        "\"frees\": %lld, \"freed_bytes\": %lld, \"failed_calls\": %lld}",
                        t->calls, t->asked, t->usable, t->frees, t->freed, t->failed);
}

/* {name: {...}} */
static inline void heap_print(const char *name, const struct heap_truth *t)
{
        char text[1024];
        int n = snprintf(text, sizeof(text), "{\"%s\": ", name);

        n += heap_text(text + n, sizeof(text) - (size_t)n, t);
        n += snprintf(text + n, sizeof(text) - (size_t)n, "}\n");
        if (write(1, text, (size_t)n) != n)
                _exit(9);
}
