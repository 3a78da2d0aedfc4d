/* SPDX-License-Identifier: MIT */
/* infprof.diff/1 as a differential flame graph: ops, layers and shapes, as wide as in B. */
#pragma once

#include <jansson.h>
#include <stdio.h>

/* 0; or the exit code after one line. */
int diff_flame(const char *verb, const json_t *document, const char *path);
