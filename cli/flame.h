/* SPDX-License-Identifier: MIT */
/*
 * The two forms of a flame graph. Whether `out` could be written is seen by the caller (ferror).
 */
#pragma once

#include <stdio.h>

#include "cli/flame-tree.h"

struct flame_text {
        const char *title;
        const char *subtitle;
        const char *unit; /* "bytes", "blocks" or "ns" */
};

/* Both: 0, or a negative value: no memory. */
int flame_svg(FILE *out, const struct flame_node *root, const struct flame_text *text);
int flame_folded(FILE *out, const struct flame_node *root);
