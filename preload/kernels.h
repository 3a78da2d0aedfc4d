/* SPDX-License-Identifier: MIT */
/*
 * The kernels that are wanted, by the address of their definition. Looked up
 * without a lock (dlsym may be called with the loader's held); changed only by
 * ifp_scan.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "preload/engine.h"

#pragma GCC visibility push(hidden)

struct ifp_kernel {
        uint64_t address;
        const char *name; /* in its object's string table */
        const struct ifp_want *want;
        uint32_t load;   /* of its object */
        uint32_t object; /* index in the segment */
        uint32_t stub;   /* index + 1; 0: none yet */
};

bool ifp_kernel_add(uint64_t address, const char *name, const struct ifp_want *want, uint32_t load,
                    uint32_t object);
void ifp_kernels_drop(uint32_t load);
bool ifp_kernel_known(uint64_t address);
/* The entry of the stub for the kernel at `address`, made now if need be; 0: no kernel, or no stub
 * left. */
uint64_t ifp_kernel_stub(uint64_t address);
void ifp_kernels_after_fork(void);

#pragma GCC visibility pop
