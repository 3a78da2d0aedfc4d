/* SPDX-License-Identifier: MIT */
/*
 * tcmalloc (gperftools): tc_malloc and its like. malloc and operator new are other names for the
 * same functions, so what leads there is found by its address, whatever it is called.
 */
#include "preload/own.h"

static ifp_usable_fn *usable_real;

static size_t usable(const void *p)
{
        return usable_real(p);
}

#define ALLOCS(X)                                                                                  \
        X(tc_malloc, (size_t n), (n), n)                                                           \
        X(tc_malloc_skip_new_handler, (size_t n), (n), n)                                          \
        X(tc_calloc, (size_t n, size_t size), (n, size), ifp_own_bytes(n, size))                   \
        X(tc_memalign, (size_t al, size_t n), (al, n), n)                                          \
        X(tc_valloc, (size_t n), (n), n)                                                           \
        X(tc_pvalloc, (size_t n), (n), n)                                                          \
        X(tc_new_nothrow, (size_t n, const void *t), (n, t), n)                                    \
        X(tc_newarray_nothrow, (size_t n, const void *t), (n, t), n)                               \
        X(tc_new_aligned_nothrow, (size_t n, size_t al, const void *t), (n, al, t), n)             \
        X(tc_newarray_aligned_nothrow, (size_t n, size_t al, const void *t), (n, al, t), n)
#define NEWS(X)                                                                                    \
        X(tc_new, (size_t n), (n), n)                                                              \
        X(tc_newarray, (size_t n), (n), n)                                                         \
        X(tc_new_aligned, (size_t n, size_t al), (n, al), n)                                       \
        X(tc_newarray_aligned, (size_t n, size_t al), (n, al), n)
#define MOVES(X) X(tc_realloc, (void *p, size_t n), (p, n), n)
#define FREES(X)                                                                                   \
        X(tc_free, (void *p), (p))                                                                 \
        X(tc_cfree, (void *p), (p))                                                                \
        X(tc_free_sized, (void *p, size_t n), (p, n))                                              \
        X(tc_delete, (void *p), (p))                                                               \
        X(tc_deletearray, (void *p), (p))                                                          \
        X(tc_delete_sized, (void *p, size_t n), (p, n))                                            \
        X(tc_deletearray_sized, (void *p, size_t n), (p, n))                                       \
        X(tc_delete_nothrow, (void *p, const void *t), (p, t))                                     \
        X(tc_deletearray_nothrow, (void *p, const void *t), (p, t))                                \
        X(tc_delete_aligned, (void *p, size_t al), (p, al))                                        \
        X(tc_deletearray_aligned, (void *p, size_t al), (p, al))                                   \
        X(tc_delete_sized_aligned, (void *p, size_t n, size_t al), (p, n, al))                     \
        X(tc_deletearray_sized_aligned, (void *p, size_t n, size_t al), (p, n, al))                \
        X(tc_delete_aligned_nothrow, (void *p, size_t al, const void *t), (p, al, t))              \
        X(tc_deletearray_aligned_nothrow, (void *p, size_t al, const void *t), (p, al, t))

ALLOCS(IFP_OWN_ALLOC)
NEWS(IFP_OWN_NEW)
MOVES(IFP_OWN_REALLOC)
FREES(IFP_OWN_FREE)
IFP_OWN_OPERATORS_NEW(IFP_OWN_NEW)
IFP_OWN_OPERATORS_NOTHROW(IFP_OWN_ALLOC)
IFP_OWN_OPERATORS_DELETE(IFP_OWN_FREE)

static int (*real_tc_posix_memalign)(void **ret, size_t al, size_t n);
static int own_tc_posix_memalign(void **ret, size_t al, size_t n)
{
        int error = real_tc_posix_memalign(ret, al, n);

        ifp_own_got(error ? NULL : *ret, n, usable);
        return error;
}

#define OPERATORS(X)                                                                               \
        IFP_OWN_OPERATORS_NEW(X) IFP_OWN_OPERATORS_NOTHROW(X) IFP_OWN_OPERATORS_DELETE(X)
#define NAMES(X) ALLOCS(X) NEWS(X) MOVES(X) FREES(X) X(tc_posix_memalign) OPERATORS(X)
/*
 * Before its constructor has run tcmalloc says of every block that none of it is usable. What it
 * makes of a size it knows always.
 */
static size_t (*real_tc_nallocx)(size_t n, int flags);
uint64_t ifp_own_unsaid(size_t asked)
{
        return real_tc_nallocx ? real_tc_nallocx(asked, 0) : asked;
}

static const struct ifp_own_name names[] = {NAMES(IFP_OWN_NAME) IFP_OWN_ASKED(tc_nallocx)};

const struct ifp_own ifp_own_tcmalloc = {
        .kind = IFP_ALLOCATOR_TCMALLOC,
        .object = "*tcmalloc*.so*",
        .mark = "tc_malloc",
        .usable = "tc_malloc_size",
        .usable_real = &usable_real,
        .names = names,
        .n_names = IFP_N_NAMES(names),
};
