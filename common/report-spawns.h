/* SPDX-License-Identifier: MIT */
/*
 * The document "infprof.spawns/1" (doc/spawns.schema.json): where threads, processes and parallel
 * regions are asked for, how many, how long they live and what that costs.
 * Built from a run file and from nothing else: by the daemon for a live run, by the command for one
 * that is over. What is not known is null, never 0. Errors are those of common/runfile.h; `ret_why`
 * is one line, to be freed.
 */
#pragma once

#include <jansson.h>

struct runfile;

#define SPAWNS_SCHEMA "infprof.spawns/1"

int report_spawns_new(json_t **ret, struct runfile *rf, char **ret_why);
int report_spawns_file(json_t **ret, const char *path, char **ret_why);
