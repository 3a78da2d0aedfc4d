/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

/* The infprofd that belongs to this shim: beside it in the build tree, or as installed. */
bool ifp_launch_find(char *to, size_t size);

/* Starts `path` as a daemon and returns at once; 0, or a negated errno. */
int ifp_launch(const char *path);

#pragma GCC visibility pop
