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
        /* Colours are of the difference to what it is held against: red is more of it, blue less.
         */
        bool differs;
};

/* Both: 0, or a negative value: no memory. `differs`: two counts a line, before and now. */
int flame_svg(FILE *out, const struct flame_node *root, const struct flame_text *text);
int flame_folded(FILE *out, const struct flame_node *root, bool differs);
