/* SPDX-License-Identifier: MIT */
/*
 * jemalloc: its mallocx family, and operator new and delete. Some of the operators call malloc and
 * free by their slots; where jemalloc serves malloc these slots are led back to itself, so that a
 * block is counted by the stand-in only. Where it does not serve malloc, its operators are a
 * mixture that no engine can use, and are left alone; but an object opened with RTLD_DEEPBIND may
 * have bound malloc itself to it.
 */
#include "preload/own.h"

static ifp_usable_fn *usable_real;

static size_t usable(const void *p)
{
        return usable_real(p);
}

#define ALLOCS(X) X(mallocx, (size_t n, int flags), (n, flags), n)
#define MOVES(X)  X(rallocx, (void *p, size_t n, int flags), (p, n, flags), n)
#define FREES(X)                                                                                   \
        X(dallocx, (void *p, int flags), (p, flags))                                               \
        X(sdallocx, (void *p, size_t n, int flags), (p, n, flags))

#define ASIDE_ALLOCS(X)                                                                            \
        X(malloc, (size_t n), (n), n)                                                              \
        X(calloc, (size_t n, size_t size), (n, size), ifp_own_bytes(n, size))                      \
        X(aligned_alloc, (size_t al, size_t n), (al, n), n)                                        \
        X(memalign, (size_t al, size_t n), (al, n), n)                                             \
        X(valloc, (size_t n), (n), n)
#define ASIDE_MOVES(X) X(realloc, (void *p, size_t n), (p, n), n)
#define ASIDE_FREES(X) X(free, (void *p), (p))

ALLOCS(IFP_OWN_ALLOC)
MOVES(IFP_OWN_REALLOC)
FREES(IFP_OWN_FREE)
IFP_OWN_OPERATORS_NEW(IFP_OWN_NEW)
IFP_OWN_OPERATORS_NOTHROW(IFP_OWN_ALLOC)
IFP_OWN_OPERATORS_DELETE(IFP_OWN_FREE)
ASIDE_ALLOCS(IFP_OWN_ALLOC)
ASIDE_MOVES(IFP_OWN_REALLOC)
ASIDE_FREES(IFP_OWN_FREE)

/* Changes a block's size where it lies; the answer is its size, changed or not. */
static size_t (*real_xallocx)(void *p, size_t n, size_t extra, int flags);
static size_t own_xallocx(void *p, size_t n, size_t extra, int flags)
{
        uint64_t had = usable(p);
        size_t has = real_xallocx(p, n, extra, flags);

        if (has != had) {
                ifp_count_free(p, had);
                ifp_count_alloc(p, n, has);
        }
        return has;
}

static int (*real_posix_memalign)(void **ret, size_t al, size_t n);
static int own_posix_memalign(void **ret, size_t al, size_t n)
{
        int error = real_posix_memalign(ret, al, n);

        ifp_own_got(error ? NULL : *ret, n, usable);
        return error;
}

#define NAMES(X) ALLOCS(X) MOVES(X) FREES(X) X(xallocx)
#define OPERATORS(X)                                                                               \
        IFP_OWN_OPERATORS_NEW(X) IFP_OWN_OPERATORS_NOTHROW(X) IFP_OWN_OPERATORS_DELETE(X)
#define ASIDE(X) ASIDE_ALLOCS(X) ASIDE_MOVES(X) ASIDE_FREES(X) X(posix_memalign)
static const struct ifp_own_name names[] = {NAMES(IFP_OWN_NAME)};
static const struct ifp_own_name serving[] = {OPERATORS(IFP_OWN_NAME)};
static const struct ifp_own_name aside[] = {ASIDE(IFP_OWN_NAME)};

const struct ifp_own ifp_own_jemalloc = {
        .kind = IFP_ALLOCATOR_JEMALLOC,
        .object = "*jemalloc*.so*",
        .mark = "mallocx",
        .usable = "malloc_usable_size",
        .usable_real = &usable_real,
        .names = names,
        .n_names = IFP_N_NAMES(names),
        .serving = serving,
        .n_serving = IFP_N_NAMES(serving),
        .aside = aside,
        .n_aside = IFP_N_NAMES(aside),
        .calls_malloc = true,
};
