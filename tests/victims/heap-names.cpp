/* SPDX-License-Identifier: MIT */
/*
 * Kernels of a library that is linked to another allocator, and calls it by the names that all have
 * and by the allocator's own. A realloc of a block is one allocation and one free, whatever it is
 * called.
 */
#include "heap-names.h"

#include <cerrno>
#include <cstdint>
#include <new>

#if defined(JEMALLOC)
#include <jemalloc/jemalloc.h>
#elif defined(MIMALLOC)
#include <mimalloc.h>
#elif defined(TCMALLOC)
#include <gperftools/tcmalloc.h>
#endif

/* One block each time: how it comes, what was asked for, how it goes. */
#define PAIR(name, made, asked, gone)                                                              \
        extern "C" __attribute__((noinline)) void name(struct heap_truth *t, long n)               \
        {                                                                                          \
                for (long i = 1; i <= n; i++) {                                                    \
                        size_t size = (size_t)(i * 53);                                            \
                        void *p = heap_took(t, made, asked);                                       \
                                                                                                   \
                        p = heap_gave(t, p);                                                       \
                        gone;                                                                      \
                }                                                                                  \
        }
/* The same, with a change of size between. */
#define GROW(name, made, more, gone)                                                               \
        extern "C" __attribute__((noinline)) void name(struct heap_truth *t, long n)               \
        {                                                                                          \
                for (long i = 1; i <= n; i++) {                                                    \
                        size_t size = (size_t)(i * 53);                                            \
                        void *p = heap_took(t, made, size);                                        \
                                                                                                   \
                        p = heap_gave(t, p);                                                       \
                        size *= 3;                                                                 \
                        p = heap_took(t, more, size);                                              \
                        p = heap_gave(t, p);                                                       \
                        gone;                                                                      \
                }                                                                                  \
        }
/* n calls that nobody can serve. */
#define FAIL(name, call)                                                                           \
        extern "C" __attribute__((noinline)) void name(struct heap_truth *t, long n)               \
        {                                                                                          \
                size_t size = (size_t)1 << 62;                                                     \
                                                                                                   \
                HEAP_HIDE(size);                                                                   \
                for (long i = 0; i < n; i++)                                                       \
                        heap_took(t, call, 0);                                                     \
        }

PAIR(k_malloc, malloc(size), size, free(p))
PAIR(k_calloc, calloc(2, size), 2 * size, free(p))
GROW(k_realloc, malloc(size), realloc(p, size), free(p))
PAIR(k_aligned, aligned_alloc(64, size * 64), size * 64, free(p))
PAIR(k_new, ::operator new(size), size, ::operator delete(p))
PAIR(k_new_array, ::operator new[](size), size, ::operator delete[](p))
PAIR(k_new_nothrow, ::operator new(size, std::nothrow), size, ::operator delete(p, std::nothrow))
PAIR(k_new_sized, ::operator new(size), size, ::operator delete(p, size))
PAIR(k_new_aligned, ::operator new(size * 128, std::align_val_t(128)), size * 128,
     ::operator delete(p, std::align_val_t(128)))
PAIR(k_new_aligned_sized, ::operator new[](size * 128, std::align_val_t(128)), size * 128,
     ::operator delete[](p, size * 128, std::align_val_t(128)))
FAIL(k_malloc_fails, malloc(size))

#if defined(JEMALLOC)
PAIR(k_mallocx, mallocx(size, 0), size, dallocx(p, 0))
PAIR(k_mallocx_aligned, mallocx(size, MALLOCX_ALIGN(256) | MALLOCX_ZERO), size,
     sdallocx(p, size, MALLOCX_ALIGN(256)))
GROW(k_rallocx, mallocx(size, 0), rallocx(p, size, 0), dallocx(p, 0))
PAIR(k_mallocx_free, mallocx(size, MALLOCX_TCACHE_NONE), size, free(p))
PAIR(k_malloc_dallocx, malloc(size), size, dallocx(p, MALLOCX_TCACHE_NONE))
FAIL(k_mallocx_fails, mallocx(size, 0))
#define OWN(X)                                                                                     \
        X(k_mallocx)                                                                               \
        X(k_mallocx_aligned)                                                                       \
        X(k_rallocx)                                                                               \
        X(k_mallocx_free)                                                                          \
        X(k_malloc_dallocx)                                                                        \
        X(k_mallocx_fails)
#elif defined(MIMALLOC)
static void *by_posix(size_t size)
{
        void *p = NULL;

        return mi_posix_memalign(&p, 64, size) ? NULL : p;
}
PAIR(k_mi_malloc, mi_malloc(size), size, mi_free(p))
PAIR(k_mi_small, mi_malloc_small(size % 1000), size % 1000, mi_free(p))
PAIR(k_mi_calloc, mi_calloc(3, size), 3 * size, mi_free(p))
PAIR(k_mi_zalloc, mi_zalloc(size), size, mi_free_size(p, size))
PAIR(k_mi_mallocn, mi_mallocn(5, size), 5 * size, mi_free(p))
GROW(k_mi_realloc, mi_malloc(size), mi_realloc(p, size), mi_free(p))
GROW(k_mi_reallocn, mi_malloc(size), mi_reallocn(p, 1, size), mi_free(p))
GROW(k_mi_rezalloc, mi_zalloc(size), mi_rezalloc(p, size), mi_free(p))
PAIR(k_mi_aligned, mi_malloc_aligned(size, 64), size, mi_free_aligned(p, 64))
PAIR(k_mi_zalloc_aligned, mi_zalloc_aligned(size, 256), size, mi_free_size_aligned(p, size, 256))
GROW(k_mi_realloc_aligned, mi_malloc_aligned(size, 64), mi_realloc_aligned(p, size, 64), mi_free(p))
PAIR(k_mi_new, mi_new(size), size, mi_free(p))
PAIR(k_mi_new_nothrow, mi_new_nothrow(size), size, mi_free(p))
PAIR(k_mi_new_aligned, mi_new_aligned(size, 64), size, mi_free(p))
PAIR(k_mi_posix, by_posix(size), size, mi_free(p))
PAIR(k_mi_memalign, mi_memalign(64, size), size, mi_free(p))
PAIR(k_mi_heap, mi_heap_malloc(mi_heap_get_default(), size), size, mi_free(p))
PAIR(k_mi_malloc_free, mi_malloc(size), size, free(p))
PAIR(k_malloc_mi_free, malloc(size), size, mi_free(p))
FAIL(k_mi_fails, mi_malloc(size))
#define OWN(X)                                                                                     \
        X(k_mi_malloc)                                                                             \
        X(k_mi_small)                                                                              \
        X(k_mi_calloc)                                                                             \
        X(k_mi_zalloc)                                                                             \
        X(k_mi_mallocn)                                                                            \
        X(k_mi_realloc)                                                                            \
        X(k_mi_reallocn)                                                                           \
        X(k_mi_rezalloc)                                                                           \
        X(k_mi_aligned)                                                                            \
        X(k_mi_zalloc_aligned)                                                                     \
        X(k_mi_realloc_aligned)                                                                    \
        X(k_mi_new)                                                                                \
        X(k_mi_new_nothrow)                                                                        \
        X(k_mi_new_aligned)                                                                        \
        X(k_mi_posix)                                                                              \
        X(k_mi_memalign)                                                                           \
        X(k_mi_heap)                                                                               \
        X(k_mi_malloc_free)                                                                        \
        X(k_malloc_mi_free)                                                                        \
        X(k_mi_fails)
#elif defined(TCMALLOC)
static void *by_posix(size_t size)
{
        void *p = NULL;

        return tc_posix_memalign(&p, 64, size) ? NULL : p;
}
PAIR(k_tc_malloc, tc_malloc(size), size, tc_free(p))
PAIR(k_tc_calloc, tc_calloc(3, size), 3 * size, tc_cfree(p))
GROW(k_tc_realloc, tc_malloc(size), tc_realloc(p, size), tc_free(p))
PAIR(k_tc_sized, tc_malloc(size), size, tc_free_sized(p, size))
PAIR(k_tc_new, tc_new(size), size, tc_delete(p))
PAIR(k_tc_new_nothrow, tc_new_nothrow(size, std::nothrow), size, tc_delete_nothrow(p, std::nothrow))
PAIR(k_tc_new_array, tc_newarray(size), size, tc_deletearray(p))
PAIR(k_tc_new_sized, tc_new(size), size, tc_delete_sized(p, size))
PAIR(k_tc_memalign, tc_memalign(64, size), size, tc_free(p))
PAIR(k_tc_posix, by_posix(size), size, tc_free(p))
PAIR(k_tc_valloc, tc_valloc(size), size, tc_free(p))
PAIR(k_tc_malloc_free, tc_malloc(size), size, free(p))
PAIR(k_malloc_tc_free, malloc(size), size, tc_free(p))
FAIL(k_tc_fails, tc_malloc(size))
#define OWN(X)                                                                                     \
        X(k_tc_malloc)                                                                             \
        X(k_tc_calloc)                                                                             \
        X(k_tc_realloc)                                                                            \
        X(k_tc_sized)                                                                              \
        X(k_tc_new)                                                                                \
        X(k_tc_new_nothrow)                                                                        \
        X(k_tc_new_array)                                                                          \
        X(k_tc_new_sized)                                                                          \
        X(k_tc_memalign)                                                                           \
        X(k_tc_posix)                                                                              \
        X(k_tc_valloc)                                                                             \
        X(k_tc_malloc_free)                                                                        \
        X(k_malloc_tc_free)                                                                        \
        X(k_tc_fails)
#else
#define OWN(X)
#endif

#define X(name) {#name, name},
extern "C" const struct names_kernel names_kernels[] = {
        X(k_malloc) X(k_calloc) X(k_realloc) X(k_aligned) X(k_new) X(k_new_array) X(k_new_nothrow)
                X(k_new_sized) X(k_new_aligned) X(k_new_aligned_sized) X(k_malloc_fails)
                        OWN(X){nullptr, nullptr}};
