/* SPDX-License-Identifier: MIT */
/*
 * The frames of a stack, as the documents have them, for people.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "cli/view.h"

/* A line a frame, `indent` before it; not more than some, unless `full`. False: no memory. */
bool stack_print(const struct view *v, const json_t *stack, const char *indent, bool full);

/* A stack in one line: the innermost function that is not the C++ library's own, and what called
 * it; to be freed. NULL: no memory. */
char *stack_site(const json_t *stack);
