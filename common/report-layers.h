/* SPDX-License-Identifier: MIT */
/*
 * The document "infprof.layers/1" (doc/layers.schema.json): in which layers of the model the time
 * of its ops went, by phase, and for which part of them. Built from a run file and from nothing
 * else: by the daemon for a live run, by the command for one that is over. Errors are those of
 * common/runfile.h; `ret_why` is one line, to be freed.
 */
#pragma once

#include <jansson.h>

struct runfile;

#define LAYERS_SCHEMA "infprof.layers/1"

int report_layers_new(json_t **ret, struct runfile *rf, char **ret_why);
int report_layers_file(json_t **ret, const char *path, char **ret_why);
