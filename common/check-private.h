/* SPDX-License-Identifier: MIT */
/* Between reading conditions and the names in them. */
#pragma once

#include "common/check.h"

enum { CHECK_PATH_MAX = 8 };

/* A step of a path: a member, or an element of a list by its name or number. */
struct check_step {
        char *name;
        bool of_list;
};

/* What a name stands for. */
struct check_name {
        struct check_step steps[CHECK_PATH_MAX];
        size_t n;
        size_t column;  /* of the condition, from 1 */
        char *function; /* with `steps[0].name` as its argument; NULL: it is a path */
};

/*
 * Its value in that run. CHECK_E_MALFORMED: there is no such; *ret_why is the part of the line
 * behind the column. A figure that is null is not known, and `why` (size bytes) says which.
 */
int check_look_up(struct check_value *ret, const struct check_name *name,
                  const struct check_source *from, enum check_run run, char *why, size_t size,
                  char **ret_why);
