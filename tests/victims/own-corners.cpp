/* SPDX-License-Identifier: MIT */
/*
 * libown-corners-ALLOCATOR.so: what an allocator can do that no other can, and operator new that
 * throws. Blocks are measured by the allocator's own function, so that it need not serve malloc.
 */
#include <dlfcn.h>
#include <new>

#include "heap-names.h"

#if defined(JEMALLOC)
#include <jemalloc/jemalloc.h>
#define USABLE(p) sallocx(p, 0)
#elif defined(MIMALLOC)
#include <mimalloc.h>
#define USABLE(p) mi_usable_size(p)
#elif defined(TCMALLOC)
#include <gperftools/tcmalloc.h>
#define USABLE(p) tc_malloc_size(p)
#endif

#define KERNEL extern "C" __attribute__((noinline)) void

static void *took(struct heap_truth *t, void *p, size_t asked)
{
        HEAP_HIDE(p);
        if (!p)
                abort();
        t->calls++;
        t->asked += (long long)asked;
        t->usable += (long long)USABLE(p);
        return p;
}

static void *gave(struct heap_truth *t, void *p)
{
        t->frees++;
        t->freed += (long long)USABLE(p);
        HEAP_HIDE(p);
        return p;
}

#if defined(JEMALLOC)
KERNEL k_in_place(struct heap_truth *t, long n)
{
        for (long i = 0; i < n; i++) {
                void *p = took(t, mallocx(200000, 0), 200000);
                size_t had = sallocx(p, 0), has = xallocx(p, 100000, 0, 0);

                if (has != had) { /* one free and one allocation, as any realloc */
                        t->frees++;
                        t->freed += (long long)had;
                        took(t, p, 100000);
                }
                if (xallocx(p, 100000, 0, 0) != has) /* nothing happens */
                        abort();
                dallocx(gave(t, p), 0);
        }
}

/* Its address is the library's, for who asks. */
KERNEL k_by_pointer(struct heap_truth *t, long n)
{
        void *(*volatile make)(size_t, int) = mallocx;
        auto asked = (void *(*)(size_t, int))dlsym(RTLD_DEFAULT, "mallocx");
        Dl_info info;

        if (!dladdr((void *)make, &info) || !strstr(info.dli_fname, "libjemalloc") ||
            strcmp(info.dli_sname, "mallocx") || (void *)asked != (void *)make)
                abort();
        for (long i = 0; i < n; i++) {
                dallocx(gave(t, took(t, make(77, 0), 77)), 0);
                dallocx(gave(t, took(t, asked(78, 0), 78)), 0);
        }
}
#define OWN(X) X(k_in_place) X(k_by_pointer)
#elif defined(MIMALLOC)
KERNEL k_heap(struct heap_truth *t, long n)
{
        for (long i = 0; i < n; i++) {
                mi_heap_t *heap = mi_heap_new();

                for (size_t size = 10; size < 300000; size *= 2) {
                        void *p = took(t, mi_heap_malloc(heap, size), size);

                        if (size % 100 == 0)
                                mi_free(gave(t, p));
                        else
                                gave(t, p); /* goes with the heap */
                }
                mi_heap_destroy(heap);
        }
}

KERNEL k_copies(struct heap_truth *t, long n)
{
        for (long i = 0; i < n; i++) {
                mi_free(gave(t, took(t, mi_strdup("seven b"), 8)));
                mi_free(gave(t, took(t, mi_strndup("seven bytes", 5), 6)));
        }
}

KERNEL k_moves(struct heap_truth *t, long n)
{
        for (long i = 0; i < n; i++) {
                void *p = took(t, mi_malloc(100), 100);

                gave(t, p);
                p = took(t, mi_realloc(p, 5000), 5000);
                if (mi_realloc(p, (size_t)1 << 62))
                        abort();
                t->failed++; /* and p stays */
                gave(t, p);
                p = took(t, mi_rezalloc(p, 70000), 70000);
                gave(t, p);
                if (mi_reallocf(p, (size_t)1 << 62))
                        abort();
                t->failed++; /* and p is gone */
        }
}
#define OWN(X) X(k_heap) X(k_copies) X(k_moves)
#else
#define OWN(X)
#endif

#if !defined(MIMALLOC) /* it ends the program */
__attribute__((noinline)) static void *deeper(size_t n)
{
        void *p = ::operator new(n);

        HEAP_HIDE(p);
        return p;
}

/* The exception was a block as well, of libstdc++'s; it is gone now. Another of its size tells
 * more. */
static void thrown(struct heap_truth *t)
{
        void *p = took(t, malloc(136), 136);

        t->calls++;
        t->asked += 136;
        t->usable += (long long)USABLE(p);
        gave(t, p);
        free(gave(t, p));
}

KERNEL k_throws(struct heap_truth *t, long n)
{
        size_t much = (size_t)1 << 62;

        HEAP_HIDE(much);
        for (long i = 0; i < n; i++) {
                try {
                        deeper(much);
                        abort();
                } catch (const std::bad_alloc &) {
                        t->failed++;
                        thrown(t);
                }
                if (::operator new(much, std::nothrow))
                        abort();
                t->failed++;
                ::operator delete(gave(t, took(t, deeper(50), 50)));
        }
}
#define THROWS(X) X(k_throws)
#else
#define THROWS(X)
#endif

#define X(name) {#name, name},
extern "C" const struct names_kernel names_kernels[] = {OWN(X) THROWS(X){nullptr, nullptr}};
