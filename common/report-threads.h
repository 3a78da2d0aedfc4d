/* SPDX-License-Identifier: MIT */
/*
 * The document "infprof.threads/1" (doc/threads.schema.json): where the time of each thread went,
 * and what the kernel saw of it. Built from a run file and from nothing else: by the daemon for a
 * live run, by the command for one that is over. What is not known is null, never 0. Errors are
 * those of common/runfile.h; `ret_why` is one line, to be freed.
 */
#pragma once

#include <jansson.h>

struct runfile;

#define THREADS_SCHEMA "infprof.threads/1"

int report_threads_new(json_t **ret, struct runfile *rf, char **ret_why);
int report_threads_file(json_t **ret, const char *path, char **ret_why);
