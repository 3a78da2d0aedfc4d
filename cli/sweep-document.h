/* SPDX-License-Identifier: MIT */
/* The document "infprof.sweep/1" (doc/sweep.schema.json): what a sweep found. */
#pragma once

#include <jansson.h>

#include "cli/sweep-rows.h"

#define SWEEP_SCHEMA "infprof.sweep/1"

/* NULL: no memory. `folder`: of its runs; those that tell why a knee is there are read. */
json_t *sweep_document(const struct sweep *s, const char *folder);

/* What the run at a knee and the one beyond it tell of why it is there:
 * {text, sentences: [...], findings: [{id, title, evidence, at_knee}]}. NULL: no memory. */
json_t *sweep_why(const struct sweep *s, const struct sweep_row *rows, const struct sweep_knee *k,
                  const char *folder);

/* Of what spawns, waits and allocations are told: token, unit or run. */
const char *sweep_counts_per(const struct sweep *s);

/* A command as a line that a shell would take, of words; to be freed. */
char *sweep_command_line(char *const *env, char *const *argv);
