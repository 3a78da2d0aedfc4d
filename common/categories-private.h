/* SPDX-License-Identifier: MIT */
/* Rules, between categories-parse.c and categories.c. */
#pragma once

#include <stddef.h>

enum pattern_kind {
        PATTERN_FUNCTION, /* and library, where there is one */
        PATTERN_OP,
        PATTERN_PHASE,
};

struct pattern {
        enum pattern_kind kind;
        char *glob, *library; /* library NULL: any */
};

struct rule {
        char *name;
        struct pattern *patterns;
        size_t n, room;
};

struct categories {
        struct rule *rules;
        size_t n, room;
};

/* The built-in rules: made from data/categories/builtin.rules by meson. */
extern const char categories_builtin_text[];
extern const size_t categories_builtin_size;
