/* SPDX-License-Identifier: MIT */
#pragma once

#include "heap.h"

struct names_kernel {
        const char *name;
        void (*fn)(struct heap_truth *t, long n);
};
#ifdef __cplusplus
extern "C"
#else
extern
#endif
        const struct names_kernel names_kernels[]; /* up to a NULL name */
