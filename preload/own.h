/* SPDX-License-Identifier: MIT */
/*
 * Allocators with names of their own (mallocx, mi_malloc, tc_malloc), and with an operator new that
 * goes past malloc. These names are not exported here: an engine that looks whether there is a
 * mallocx must not find ours. Instead what leads to such a function is led to a stand-in, which
 * calls it and counts: slots of all objects but the allocator's own, and answers of dlsym.
 *
 * One file an allocator, own-<name>.c, with a table of names; one line in own.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "preload/count.h"
#include "preload/elf.h"
#include "preload/heap.h"
#include "preload/shim.h"

#pragma GCC visibility push(hidden)

struct ifp_own_name {
        const char *name;
        void *ours; /* NULL: none */
        void **real;
};

struct ifp_own {
        uint32_t kind;      /* enum ifp_allocator_kind */
        const char *object; /* glob over the base name */
        const char *mark;   /* a function that it has, to be sure */
        const char *usable; /* the name of its function for a block's size */
        size_t (**usable_real)(const void *p);
        const struct ifp_own_name *names;
        uint32_t n_names;
        /* Only where it serves malloc as well, or only where it does not; see own-jemalloc.c. */
        const struct ifp_own_name *serving, *aside;
        uint32_t n_serving, n_aside;
        bool calls_malloc; /* some of its names call malloc and free by their slots */
};

extern const struct ifp_own ifp_own_jemalloc, ifp_own_mimalloc, ifp_own_tcmalloc;

/* ---- for slots.c and hook-dl.c ---- */

/* `alone`: with RTLD_DEEPBIND, so that it is the malloc of those it came with, and its own. */
void ifp_own_opened(const struct ifp_elf *e, const char *file, bool alone);
void ifp_own_closed(const struct ifp_elf *e);
/* The stand-in for the function at this address; 0: it has none. */
uint64_t ifp_own_for(uint64_t address);
/* May a reference to this name need a stand-in? */
bool ifp_own_named(const char *name);
/* The function that a stand-in stands for; else the address itself. */
const void *ifp_own_meant(const void *address);
/*
 * What an object's reference to `name` is to lead to, where it is an allocator that serves malloc
 * and is asked for its own malloc: itself, so that nothing is counted twice. Else 0.
 */
uint64_t ifp_own_inside(const struct ifp_elf *e, const char *name);
/* Is it a name of the malloc family, which is exported here? */
bool ifp_own_family(const char *name);
/* Its slots are left alone: it is what stands behind our malloc. */
bool ifp_own_serves(const struct ifp_elf *e);

/* Does the address lie in an allocator, in libc or in the loader? */
bool ifp_own_backs_heap(const void *address);

/* ---- for own-*.c ---- */

typedef size_t ifp_usable_fn(const void *p);

static inline void *ifp_own_got(void *p, size_t asked, ifp_usable_fn *usable)
{
        uint64_t bytes = p ? usable(p) : 0;

        ifp_count_alloc(p, asked, p && !bytes ? ifp_own_unsaid(asked) : bytes);
        return p;
}

static inline void ifp_own_goes(const void *p, ifp_usable_fn *usable)
{
        if (p)
                ifp_count_free(p, usable(p));
}

/* n * size, or what no allocator gives. */
static inline size_t ifp_own_bytes(size_t n, size_t size)
{
        size_t bytes;

        return __builtin_mul_overflow(n, size, &bytes) ? SIZE_MAX : bytes;
}

/* A block that may move: what was sampled of it is out of the table meanwhile. */
struct ifp_own_move {
        const void *old;
        uint64_t had;
        struct ifp_sample sample;
        bool sampled;
};
void ifp_own_move_begin(struct ifp_own_move *m, const void *old, ifp_usable_fn *usable);
/* `p` NULL: it was not moved; `gone`: but it is freed. */
void ifp_own_move_end(struct ifp_own_move *m, void *p, size_t asked, bool gone,
                      ifp_usable_fn *usable);

/*
 * A stand-in that the real function may throw through counts the failure: its frame names this as
 * its personality, which adds one and lets the exception pass.
 */
#define IFP_OWN_THROWS __asm__ volatile(".cfi_personality 0x1b, ifp_own_thrown")

/*
 * Tables of names, X(name, parameters, arguments[, bytes asked for]), and what is made of each
 * line. A file that uses them has a function `usable`.
 */
#define IFP_OWN_ALLOC(name, params, args, asked)                                                   \
        static void *(*real_##name)params;                                                         \
        static void *own_##name params                                                             \
        {                                                                                          \
                return ifp_own_got(real_##name args, asked, usable);                               \
        }
#define IFP_OWN_NEW(name, params, args, asked)                                                     \
        static void *(*real_##name)params;                                                         \
        static void *own_##name params                                                             \
        {                                                                                          \
                IFP_OWN_THROWS;                                                                    \
                return ifp_own_got(real_##name args, asked, usable);                               \
        }
#define IFP_OWN_REALLOC(name, params, args, asked)                                                 \
        static void *(*real_##name)params;                                                         \
        static void *own_##name params                                                             \
        {                                                                                          \
                struct ifp_own_move move;                                                          \
                void *q;                                                                           \
                                                                                                   \
                ifp_own_move_begin(&move, p, usable);                                              \
                q = real_##name args;                                                              \
                ifp_own_move_end(&move, q, asked, !(asked), usable);                               \
                return q;                                                                          \
        }
#define IFP_OWN_FREE(name, params, args)                                                           \
        static void(*real_##name) params;                                                          \
        static void own_##name params                                                              \
        {                                                                                          \
                ifp_own_goes(p, usable);                                                           \
                real_##name args;                                                                  \
        }
#define IFP_OWN_NAME(name, ...) {#name, (void *)own_##name, (void **)&real_##name},
/* No stand-in: it is only asked by others. */
#define IFP_OWN_ASKED(name) {#name, NULL, (void **)&real_##name},

/* operator new and delete; al: std::align_val_t, t: std::nothrow_t. */
#define IFP_OWN_OPERATORS_NEW(X)                                                                   \
        X(_Znwm, (size_t n), (n), n)                                                               \
        X(_Znam, (size_t n), (n), n)                                                               \
        X(_ZnwmSt11align_val_t, (size_t n, size_t al), (n, al), n)                                 \
        X(_ZnamSt11align_val_t, (size_t n, size_t al), (n, al), n)
#define IFP_OWN_OPERATORS_NOTHROW(X)                                                               \
        X(_ZnwmRKSt9nothrow_t, (size_t n, const void *t), (n, t), n)                               \
        X(_ZnamRKSt9nothrow_t, (size_t n, const void *t), (n, t), n)                               \
        X(_ZnwmSt11align_val_tRKSt9nothrow_t, (size_t n, size_t al, const void *t), (n, al, t), n) \
        X(_ZnamSt11align_val_tRKSt9nothrow_t, (size_t n, size_t al, const void *t), (n, al, t), n)
#define IFP_OWN_OPERATORS_DELETE(X)                                                                \
        X(_ZdlPv, (void *p), (p))                                                                  \
        X(_ZdaPv, (void *p), (p))                                                                  \
        X(_ZdlPvm, (void *p, size_t n), (p, n))                                                    \
        X(_ZdaPvm, (void *p, size_t n), (p, n))                                                    \
        X(_ZdlPvRKSt9nothrow_t, (void *p, const void *t), (p, t))                                  \
        X(_ZdaPvRKSt9nothrow_t, (void *p, const void *t), (p, t))                                  \
        X(_ZdlPvSt11align_val_t, (void *p, size_t al), (p, al))                                    \
        X(_ZdaPvSt11align_val_t, (void *p, size_t al), (p, al))                                    \
        X(_ZdlPvmSt11align_val_t, (void *p, size_t n, size_t al), (p, n, al))                      \
        X(_ZdaPvmSt11align_val_t, (void *p, size_t n, size_t al), (p, n, al))                      \
        X(_ZdlPvSt11align_val_tRKSt9nothrow_t, (void *p, size_t al, const void *t), (p, al, t))    \
        X(_ZdaPvSt11align_val_tRKSt9nothrow_t, (void *p, size_t al, const void *t), (p, al, t))

#define IFP_N_NAMES(table) (sizeof(table) / sizeof((table)[0]))

#pragma GCC visibility pop
