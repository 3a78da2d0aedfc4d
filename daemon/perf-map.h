/* SPDX-License-Identifier: MIT */
/* Functions generated at run time, as runtimes list them in /tmp/perf-PID.map. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct perf_map;

/* A list older than the process's start (CLOCK_REALTIME) is another's. */
struct perf_map *perf_map_new(pid_t pid, uint64_t started_ns);
struct perf_map *perf_map_free(struct perf_map *m);

/* The function at `address`: its name, to be freed, and where it begins. Reads the list again when
 * it has grown, but at most once in a second while the process goes on. */
bool perf_map_find(struct perf_map *m, uint64_t address, bool is_over, char **ret_name,
                   uint64_t *ret_start);

/* Takes lines "START SIZE NAME" (numbers in hex); those that are not of this form are left out. */
void perf_map_parse(struct perf_map *m, char *text);
