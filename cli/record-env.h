/* SPDX-License-Identifier: MIT */
/*
 * What infprof record puts into the environment of the command.
 */
#pragma once

#include <stdbool.h>

#include "cli/record-options.h"

struct record_env {
        char *shim;
        char *allocator; /* path of its library; NULL: the engine's own */
};

/* Finds the shim and the allocator; a negative errno after one line on stderr. */
int record_env_init(struct record_env *ret, const struct record_options *o);
void record_env_done(struct record_env *e);

/* In the process that becomes the command. 0, or a negative errno. */
int record_env_set(const struct record_env *e, const struct record_options *o, const char *run_id,
                   bool has_daemon);
