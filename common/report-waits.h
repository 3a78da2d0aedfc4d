/* SPDX-License-Identifier: MIT */
/*
 * The document "infprof.waits/1" (doc/waits.schema.json): what threads waited for, where, and for
 * whom; barriers with their last arrivers and their price.
 * Built from a run file and from nothing else: by the daemon for a live run, by the command for one
 * that is over. What is not known is null, never 0. Errors are those of common/runfile.h; `ret_why`
 * is one line, to be freed.
 */
#pragma once

#include <jansson.h>

struct runfile;

#define WAITS_SCHEMA "infprof.waits/1"

int report_waits_new(json_t **ret, struct runfile *rf, char **ret_why);
int report_waits_file(json_t **ret, const char *path, char **ret_why);
