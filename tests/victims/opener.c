/* SPDX-License-Identifier: MIT */
/* Opens a library that only its own RUNPATH leads to. */
#include <dlfcn.h>
#include <stddef.h>

void *opener_open(const char *name);

void *opener_open(const char *name)
{
        return dlopen(name, RTLD_NOW);
}
