/* SPDX-License-Identifier: MIT */
/*
 * The document "infprof.explain/1" (doc/explain.schema.json): findings. Each has its evidence from
 * this run, what it costs, its cause, a remedy and the gain to expect; one that has no numbers of
 * this run is not made. Built from a run file and from nothing else: by the daemon for a live run,
 * by the command for one that is over. What is not known is null, never 0. Errors are those of
 * common/runfile.h; `ret_why` is one line, to be freed.
 */
#pragma once

#include <jansson.h>

struct runfile;

#define EXPLAIN_SCHEMA "infprof.explain/1"

int report_explain_new(json_t **ret, struct runfile *rf, char **ret_why);
int report_explain_file(json_t **ret, const char *path, char **ret_why);
