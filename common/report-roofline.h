/* SPDX-License-Identifier: MIT */
/*
 * The document "infprof.roofline/1" (doc/roofline.schema.json): each op by shape, phase and
 * threads, held against the ceilings of the machine that the run was on. Built from a run file: by
 * the daemon for a live run, by the command for one that is over. What is not known is null, never
 * 0. Errors are those of common/runfile.h; `ret_why` is one line, to be freed.
 */
#pragma once

#include <jansson.h>

struct runfile;

#define ROOFLINE_SCHEMA "infprof.roofline/1"

int report_roofline_new(json_t **ret, struct runfile *rf, char **ret_why);
int report_roofline_file(json_t **ret, const char *path, char **ret_why);
