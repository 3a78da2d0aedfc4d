/* SPDX-License-Identifier: MIT */
/* What the user declares of kernels of his own, for the shim: INFPROF_OPS. */
#pragma once

#include <stddef.h>

struct record_ops {
        char *text; /* one declaration a line; NULL: there are none */
        size_t n, bytes;
};

/* One declaration, or those of a file. -1: go on; else the exit code, and it has been said why. */
int record_ops_add(struct record_ops *o, const char *declaration);
int record_ops_add_file(struct record_ops *o, const char *path);
void record_ops_done(struct record_ops *o);
