/* SPDX-License-Identifier: MIT */
/* The kernel's view of this process: ifp_kernel of shim.h. */
#pragma once

#include "preload/shim.h"

#pragma GCC visibility push(hidden)

/* Maps what came with the answer to our greeting, and closes it. */
void ifp_kernel_take(int fd);

#pragma GCC visibility pop
