/* SPDX-License-Identifier: MIT */
/* Two sides read, compared and printed: what diff and ab have in common. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/report-diff-sets.h"

struct diff_request {
        const char *verb; /* for messages */
        const char *a, *b;
        enum diff_by by;
        bool as_json;
        const char *flame; /* a picture to this file, too; NULL: none */
        size_t rows;       /* as screen.h */
};

/* The exit code. */
int diff_show(const struct diff_request *request);
