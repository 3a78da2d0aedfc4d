/* SPDX-License-Identifier: MIT */
/*
 * The functions behind the ones this library puts itself in front of. The type
 * of each comes from the prototype, so that a pointer cannot disagree with it.
 */
#pragma once

#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "preload/shim.h"

/* C23's, which libc's headers may not have yet. */
void free_sized(void *p, size_t n);
void free_aligned_sized(void *p, size_t align, size_t n);

#define IFP_REAL_MEMORY(X)                                                                         \
        X(malloc)                                                                                  \
        X(calloc)                                                                                  \
        X(realloc)                                                                                 \
        X(reallocarray)                                                                            \
        X(free)                                                                                    \
        X(posix_memalign)                                                                          \
        X(aligned_alloc)                                                                           \
        X(memalign)                                                                                \
        X(valloc)                                                                                  \
        X(pvalloc)                                                                                 \
        X(free_sized)                                                                              \
        X(free_aligned_sized)                                                                      \
        X(malloc_usable_size)
#define IFP_REAL_REST(X)                                                                           \
        X(mmap)                                                                                    \
        X(mmap64)                                                                                  \
        X(mremap)                                                                                  \
        X(munmap)                                                                                  \
        X(sbrk)                                                                                    \
        X(brk)                                                                                     \
        X(dlopen)                                                                                  \
        X(dlmopen)                                                                                 \
        X(dlclose)                                                                                 \
        X(dlsym)                                                                                   \
        X(dlvsym)                                                                                  \
        X(dladdr)                                                                                  \
        X(dladdr1)                                                                                 \
        X(pthread_create)                                                                          \
        X(fork)                                                                                    \
        X(_exit)

#pragma GCC visibility push(hidden)

struct ifp_real {
#define X(name) __typeof__(name) *name;
        IFP_REAL_MEMORY(X)
        IFP_REAL_REST(X)
#undef X
};
extern struct ifp_real ifp_real;

/* Finds them, once; safe at any time after the loader has relocated libc. */
void ifp_real_init(void);

/* hook-alloc.c: whether block headers may be read; after ifp_real_init. */
void ifp_alloc_init(void);
/* While it is on, what this thread allocates while it is busy comes from the shim's arena. */
void ifp_alloc_own(bool on);

/* hook-map.c: maps that came before there was a segment; the objects are known now. */
void ifp_map_begin(void);
void ifp_map_after_fork(void);

/* hook-process.c */
void ifp_after_fork_child(void);

#pragma GCC visibility pop
