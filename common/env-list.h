/* SPDX-License-Identifier: MIT */
/*
 * Which variables of an engine's environment are kept with a run: those that are known to change
 * how it runs. What is not on the list is not written down, nor is a secret that is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define ENV_LIST_MOST    256  /* variables of a process that are kept */
#define ENV_LIST_LONGEST 4096 /* bytes of a value; what is longer is cut */

enum env_verdict {
        ENV_LISTED,     /* name and value may be kept */
        ENV_SECRET,     /* its name is on the list, but it or its value looks like a secret */
        ENV_NOT_LISTED, /* nothing of it is kept */
};

/* `name` of `n` bytes with that value. */
enum env_verdict env_list_look(const char *name, size_t n, const char *value);

/* The patterns of the list, each a name or the beginning of names with * behind it; NULL after the
 * last. */
extern const char *const env_list[];
