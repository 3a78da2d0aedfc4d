/* SPDX-License-Identifier: MIT */
/*
 * mimalloc: mi_malloc and its like (mimalloc.h of 1.7 to 3.0). malloc, free and operator new are
 * mostly other names for the same functions, so what leads there is found by its address, whatever
 * it is called.
 */
#include "preload/own.h"

static ifp_usable_fn *usable_real;

static size_t usable(const void *p)
{
        return usable_real(p);
}

struct heap; /* mi_heap_t */
#define H struct heap *h

#define ALLOCS(X)                                                                                  \
        X(mi_malloc, (size_t n), (n), n)                                                           \
        X(mi_zalloc, (size_t n), (n), n)                                                           \
        X(mi_malloc_small, (size_t n), (n), n)                                                     \
        X(mi_zalloc_small, (size_t n), (n), n)                                                     \
        X(mi_calloc, (size_t n, size_t size), (n, size), ifp_own_bytes(n, size))                   \
        X(mi_mallocn, (size_t n, size_t size), (n, size), ifp_own_bytes(n, size))                  \
        X(mi_malloc_aligned, (size_t n, size_t al), (n, al), n)                                    \
        X(mi_malloc_aligned_at, (size_t n, size_t al, size_t at), (n, al, at), n)                  \
        X(mi_zalloc_aligned, (size_t n, size_t al), (n, al), n)                                    \
        X(mi_zalloc_aligned_at, (size_t n, size_t al, size_t at), (n, al, at), n)                  \
        X(mi_calloc_aligned, (size_t n, size_t size, size_t al), (n, size, al),                    \
          ifp_own_bytes(n, size))                                                                  \
        X(mi_calloc_aligned_at, (size_t n, size_t size, size_t al, size_t at), (n, size, al, at),  \
          ifp_own_bytes(n, size))                                                                  \
        X(mi_memalign, (size_t al, size_t n), (al, n), n)                                          \
        X(mi_aligned_alloc, (size_t al, size_t n), (al, n), n)                                     \
        X(_aligned_malloc, (size_t al, size_t n), (al, n), n)                                      \
        X(mi_valloc, (size_t n), (n), n)                                                           \
        X(mi_pvalloc, (size_t n), (n), n)                                                          \
        X(aligned_alloc, (size_t al, size_t n), (al, n), n)                                        \
        X(memalign, (size_t al, size_t n), (al, n), n)                                             \
        X(__libc_memalign, (size_t al, size_t n), (al, n), n)                                      \
        X(valloc, (size_t n), (n), n)                                                              \
        X(__libc_valloc, (size_t n), (n), n)                                                       \
        X(pvalloc, (size_t n), (n), n)                                                             \
        X(__libc_pvalloc, (size_t n), (n), n)                                                      \
        X(mi_new_nothrow, (size_t n), (n), n)                                                      \
        X(mi_new_aligned_nothrow, (size_t n, size_t al), (n, al), n)                               \
        X(mi_heap_malloc, (H, size_t n), (h, n), n)                                                \
        X(mi_heap_zalloc, (H, size_t n), (h, n), n)                                                \
        X(mi_heap_malloc_small, (H, size_t n), (h, n), n)                                          \
        X(mi_heap_calloc, (H, size_t n, size_t size), (h, n, size), ifp_own_bytes(n, size))        \
        X(mi_heap_mallocn, (H, size_t n, size_t size), (h, n, size), ifp_own_bytes(n, size))       \
        X(mi_heap_malloc_aligned, (H, size_t n, size_t al), (h, n, al), n)                         \
        X(mi_heap_malloc_aligned_at, (H, size_t n, size_t al, size_t at), (h, n, al, at), n)       \
        X(mi_heap_zalloc_aligned, (H, size_t n, size_t al), (h, n, al), n)                         \
        X(mi_heap_zalloc_aligned_at, (H, size_t n, size_t al, size_t at), (h, n, al, at), n)       \
        X(mi_heap_calloc_aligned, (H, size_t n, size_t size, size_t al), (h, n, size, al),         \
          ifp_own_bytes(n, size))                                                                  \
        X(mi_heap_calloc_aligned_at, (H, size_t n, size_t size, size_t al, size_t at),             \
          (h, n, size, al, at), ifp_own_bytes(n, size))

#define NEWS(X)                                                                                    \
        X(mi_new, (size_t n), (n), n)                                                              \
        X(mi_new_aligned, (size_t n, size_t al), (n, al), n)                                       \
        X(mi_new_n, (size_t n, size_t size), (n, size), ifp_own_bytes(n, size))                    \
        X(mi_heap_alloc_new, (H, size_t n), (h, n), n)                                             \
        X(mi_heap_alloc_new_n, (H, size_t n, size_t size), (h, n, size), ifp_own_bytes(n, size))

#define MOVES(X)                                                                                   \
        X(mi_realloc, (void *p, size_t n), (p, n), n)                                              \
        X(mi_reallocn, (void *p, size_t n, size_t size), (p, n, size), ifp_own_bytes(n, size))     \
        X(mi_reallocarray, (void *p, size_t n, size_t size), (p, n, size), ifp_own_bytes(n, size)) \
        X(reallocarray, (void *p, size_t n, size_t size), (p, n, size), ifp_own_bytes(n, size))    \
        X(mi_rezalloc, (void *p, size_t n), (p, n), n)                                             \
        X(mi_recalloc, (void *p, size_t n, size_t size), (p, n, size), ifp_own_bytes(n, size))     \
        X(mi_realloc_aligned, (void *p, size_t n, size_t al), (p, n, al), n)                       \
        X(mi_realloc_aligned_at, (void *p, size_t n, size_t al, size_t at), (p, n, al, at), n)     \
        X(mi_rezalloc_aligned, (void *p, size_t n, size_t al), (p, n, al), n)                      \
        X(mi_rezalloc_aligned_at, (void *p, size_t n, size_t al, size_t at), (p, n, al, at), n)    \
        X(mi_recalloc_aligned, (void *p, size_t n, size_t size, size_t al), (p, n, size, al),      \
          ifp_own_bytes(n, size))                                                                  \
        X(mi_recalloc_aligned_at, (void *p, size_t n, size_t size, size_t al, size_t at),          \
          (p, n, size, al, at), ifp_own_bytes(n, size))                                            \
        X(mi_aligned_recalloc, (void *p, size_t n, size_t size, size_t al), (p, n, size, al),      \
          ifp_own_bytes(n, size))                                                                  \
        X(mi_aligned_offset_recalloc, (void *p, size_t n, size_t size, size_t al, size_t at),      \
          (p, n, size, al, at), ifp_own_bytes(n, size))                                            \
        X(mi_new_realloc, (void *p, size_t n), (p, n), n)                                          \
        X(mi_new_reallocn, (void *p, size_t n, size_t size), (p, n, size), ifp_own_bytes(n, size)) \
        X(mi_heap_realloc, (H, void *p, size_t n), (h, p, n), n)                                   \
        X(mi_heap_reallocn, (H, void *p, size_t n, size_t size), (h, p, n, size),                  \
          ifp_own_bytes(n, size))                                                                  \
        X(mi_heap_rezalloc, (H, void *p, size_t n), (h, p, n), n)                                  \
        X(mi_heap_recalloc, (H, void *p, size_t n, size_t size), (h, p, n, size),                  \
          ifp_own_bytes(n, size))                                                                  \
        X(mi_heap_realloc_aligned, (H, void *p, size_t n, size_t al), (h, p, n, al), n)            \
        X(mi_heap_realloc_aligned_at, (H, void *p, size_t n, size_t al, size_t at),                \
          (h, p, n, al, at), n)                                                                    \
        X(mi_heap_rezalloc_aligned, (H, void *p, size_t n, size_t al), (h, p, n, al), n)           \
        X(mi_heap_rezalloc_aligned_at, (H, void *p, size_t n, size_t al, size_t at),               \
          (h, p, n, al, at), n)                                                                    \
        X(mi_heap_recalloc_aligned, (H, void *p, size_t n, size_t size, size_t al),                \
          (h, p, n, size, al), ifp_own_bytes(n, size))                                             \
        X(mi_heap_recalloc_aligned_at, (H, void *p, size_t n, size_t size, size_t al, size_t at),  \
          (h, p, n, size, al, at), ifp_own_bytes(n, size))

#define FREES(X)                                                                                   \
        X(mi_free, (void *p), (p))                                                                 \
        X(vfree, (void *p), (p))                                                                   \
        X(mi_free_size, (void *p, size_t n), (p, n))                                               \
        X(mi_free_size_aligned, (void *p, size_t n, size_t al), (p, n, al))                        \
        X(mi_free_aligned, (void *p, size_t al), (p, al))

ALLOCS(IFP_OWN_ALLOC)
NEWS(IFP_OWN_NEW)
MOVES(IFP_OWN_REALLOC)
FREES(IFP_OWN_FREE)
IFP_OWN_OPERATORS_NEW(IFP_OWN_NEW)
IFP_OWN_OPERATORS_NOTHROW(IFP_OWN_ALLOC)
IFP_OWN_OPERATORS_DELETE(IFP_OWN_FREE)

/* ---- copies of strings: what was asked for is seen by the result ---- */

static size_t length(const char *s)
{
        return s ? ifp_strlen(s) + 1 : 0;
}

#define COPIES(X)                                                                                  \
        X(mi_strdup, (const char *s), (s))                                                         \
        X(mi_mbsdup, (const char *s), (s))                                                         \
        X(mi_strndup, (const char *s, size_t n), (s, n))                                           \
        X(mi_heap_strdup, (H, const char *s), (h, s))                                              \
        X(mi_heap_strndup, (H, const char *s, size_t n), (h, s, n))
#define COPY(name, params, args)                                                                   \
        static char *(*real_##name)params;                                                         \
        static char *own_##name params                                                             \
        {                                                                                          \
                char *q = real_##name args;                                                        \
                                                                                                   \
                if (q || s)                                                                        \
                        ifp_own_got(q, length(q), usable);                                         \
                return q;                                                                          \
        }
COPIES(COPY)

static unsigned short *(*real_mi_wcsdup)(const unsigned short *s);
static unsigned short *own_mi_wcsdup(const unsigned short *s)
{
        unsigned short *q = real_mi_wcsdup(s);
        size_t n = 0;

        while (q && q[n])
                n++;
        if (q || s)
                ifp_own_got(q, q ? (n + 1) * sizeof(*q) : 0, usable);
        return q;
}

static char *(*real_mi_realpath)(const char *path, char *room);
static char *own_mi_realpath(const char *path, char *room)
{
        char *q = real_mi_realpath(path, room);

        if (q && !room)
                ifp_own_got(q, length(q), usable);
        return q;
}

static char *(*real_mi_heap_realpath)(H, const char *path, char *room);
static char *own_mi_heap_realpath(H, const char *path, char *room)
{
        char *q = real_mi_heap_realpath(h, path, room);

        if (q && !room)
                ifp_own_got(q, length(q), usable);
        return q;
}

static int (*real_mi_dupenv_s)(char **ret, size_t *ret_n, const char *name);
static int own_mi_dupenv_s(char **ret, size_t *ret_n, const char *name)
{
        int error = real_mi_dupenv_s(ret, ret_n, name);

        if (!error && *ret)
                ifp_own_got(*ret, length(*ret), usable);
        return error;
}

/* ---- others of their own kind ---- */

/* Where it fails, the block is freed all the same. */
static void *(*real_mi_reallocf)(void *p, size_t n);
static void *own_mi_reallocf(void *p, size_t n)
{
        struct ifp_own_move move;
        void *q;

        ifp_own_move_begin(&move, p, usable);
        q = real_mi_reallocf(p, n);
        ifp_own_move_end(&move, q, n, true, usable);
        return q;
}

static void *(*real_mi_heap_reallocf)(H, void *p, size_t n);
static void *own_mi_heap_reallocf(H, void *p, size_t n)
{
        struct ifp_own_move move;
        void *q;

        ifp_own_move_begin(&move, p, usable);
        q = real_mi_heap_reallocf(h, p, n);
        ifp_own_move_end(&move, q, n, true, usable);
        return q;
}

/* `at` is where the pointer stands. */
#define REALLOCARRS(X) X(mi_reallocarr) X(reallocarr)
#define REALLOCARR(name)                                                                           \
        static int (*real_##name)(void *at, size_t n, size_t size);                                \
        static int own_##name(void *at, size_t n, size_t size)                                     \
        {                                                                                          \
                struct ifp_own_move move;                                                          \
                int error;                                                                         \
                                                                                                   \
                if (!at)                                                                           \
                        return real_##name(at, n, size);                                           \
                ifp_own_move_begin(&move, *(void **)at, usable);                                   \
                error = real_##name(at, n, size);                                                  \
                ifp_own_move_end(&move, error ? NULL : *(void **)at, ifp_own_bytes(n, size),       \
                                 false, usable);                                                   \
                return error;                                                                      \
        }
REALLOCARRS(REALLOCARR)

#define POSIX(X) X(mi_posix_memalign) X(posix_memalign) X(__posix_memalign)
#define POSIX_MEMALIGN(name)                                                                       \
        static int (*real_##name)(void **ret, size_t al, size_t n);                                \
        static int own_##name(void **ret, size_t al, size_t n)                                     \
        {                                                                                          \
                int error = real_##name(ret, al, n);                                               \
                                                                                                   \
                ifp_own_got(error ? NULL : *ret, n, usable);                                       \
                return error;                                                                      \
        }
POSIX(POSIX_MEMALIGN)

/* Frees what is mimalloc's, and leaves the rest alone. */
static bool (*real_mi_is_in_heap_region)(const void *p);
#define CFREES(X) X(mi_cfree) X(cfree)
#define CFREE(name)                                                                                \
        static void (*real_##name)(void *p);                                                       \
        static void own_##name(void *p)                                                            \
        {                                                                                          \
                if (p && real_mi_is_in_heap_region && real_mi_is_in_heap_region(p))                \
                        ifp_own_goes(p, usable);                                                   \
                real_##name(p);                                                                    \
        }
CFREES(CFREE)

/* A heap that is destroyed frees its blocks without a call for each. */
static bool gone(const struct heap *h, const void *area, void *block, size_t size, void *arg)
{
        (void)h;
        (void)area;
        (void)size;
        (void)arg;
        ifp_own_goes(block, usable);
        return true;
}

static struct heap *(*real_mi_heap_get_backing)(void);
static bool (*real_mi_heap_visit_blocks)(const H, bool all, __typeof__(gone) *fn, void *arg);
static void (*real_mi_heap_destroy)(H);
static void own_mi_heap_destroy(H)
{
        /* the thread's first heap keeps its blocks: it may hold those of threads that ended */
        if (h && real_mi_heap_visit_blocks && real_mi_heap_get_backing &&
            h != real_mi_heap_get_backing())
                real_mi_heap_visit_blocks(h, true, gone, NULL);
        real_mi_heap_destroy(h);
}

#define OPERATORS(X)                                                                               \
        IFP_OWN_OPERATORS_NEW(X) IFP_OWN_OPERATORS_NOTHROW(X) IFP_OWN_OPERATORS_DELETE(X)
#define OTHERS(X)                                                                                  \
        X(mi_wcsdup)                                                                               \
        X(mi_realpath)                                                                             \
        X(mi_heap_realpath)                                                                        \
        X(mi_dupenv_s)                                                                             \
        X(mi_reallocf) X(mi_heap_reallocf) REALLOCARRS(X) POSIX(X) CFREES(X) X(mi_heap_destroy)
#define ASKED(X) X(mi_is_in_heap_region) X(mi_heap_get_backing) X(mi_heap_visit_blocks)
#define NAMES(X) ALLOCS(X) NEWS(X) MOVES(X) FREES(X) COPIES(X) OTHERS(X) OPERATORS(X)
static const struct ifp_own_name names[] = {NAMES(IFP_OWN_NAME) ASKED(IFP_OWN_ASKED)};

const struct ifp_own ifp_own_mimalloc = {
        .kind = IFP_ALLOCATOR_MIMALLOC,
        .object = "*mimalloc*.so*",
        .mark = "mi_malloc",
        .usable = "mi_usable_size",
        .usable_real = &usable_real,
        .names = names,
        .n_names = IFP_N_NAMES(names),
};
