/* SPDX-License-Identifier: MIT */
/* Its constructor opens another library, and starts a thread that does so as well. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

long k_ctor(long x);
void *ctor_opened(void);

static void *opened;

long k_ctor(long x)
{
        return x + 2;
}

__attribute__((constructor)) static void begin(void)
{
        opened = dlopen(getenv("VICTIM_LIBRARY"), RTLD_NOW | RTLD_LOCAL);
}

__attribute__((destructor)) static void end(void)
{
        if (opened)
                dlclose(opened);
}

void *ctor_opened(void)
{
        return opened;
}
