/* SPDX-License-Identifier: MIT */
/*
 * Ownership by the cleanup attribute: a variable declared with
 * `_cleanup_(freep)` gives back what it holds when it leaves its scope, on
 * every path. `steal_ptr` hands the value on and leaves NULL behind.
 */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

#define steal_ptr(p)                                                                               \
        ({                                                                                         \
                __typeof__(p) stolen_ = (p);                                                       \
                (p) = NULL;                                                                        \
                stolen_;                                                                           \
        })

#define steal_fd(fd)                                                                               \
        ({                                                                                         \
                int stolen_ = (fd);                                                                \
                (fd) = -1;                                                                         \
                stolen_;                                                                           \
        })

/* Defines `name(type *)`, which calls `fn` on what the variable holds, unless that is NULL. */
#define DEFINE_CLEANUP(type, fn, name)                                                             \
        static inline void name(type *p)                                                           \
        {                                                                                          \
                if (*p)                                                                            \
                        (void)fn(*p);                                                              \
        }                                                                                          \
        struct cleanup_semicolon_##name

/* For a pointer of any type: free(). */
static inline void freep(void *p)
{
        free(*(void **)p);
}

static inline void closep(int *fd)
{
        if (*fd >= 0)
                close(*fd);
}

DEFINE_CLEANUP(FILE *, fclose, fclosep);
DEFINE_CLEANUP(DIR *, closedir, closedirp);
