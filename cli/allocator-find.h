/* SPDX-License-Identifier: MIT */
/*
 * Other allocators to put under an engine (record --allocator), from Debian's packages.
 */
#pragma once

#include <stddef.h>

struct allocator {
        const char *name;       /* as in --allocator */
        const char *package;    /* Debian's, to be named where it is missing */
        const char *sonames[3]; /* the best first, up to NULL */
};

extern const struct allocator allocators[];
extern const size_t n_allocators;

/* NULL: none of that name. "system" is none of these: it is what the engine has anyway. */
const struct allocator *allocator_named(const char *name);

/* The path that the loader finds a library by, to be freed; -ENOENT: it finds none. */
int loader_find(const char *soname, char **ret_path);

/* The path that the loader finds its library by, to be freed; -ENOENT: it finds none. */
int allocator_find(const struct allocator *a, char **ret_path);
