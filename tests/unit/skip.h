/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdio.h>

/* cmocka's own skip() is "not ok" in TAP, which meson takes for a failure. */
#define SKIP_HERE(reason)                                                                          \
        do {                                                                                       \
                printf("# skipped: %s: %s\n", __func__, reason);                                   \
                return;                                                                            \
        } while (0)
