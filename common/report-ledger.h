/* SPDX-License-Identifier: MIT */
/*
 * The document "infprof.ledger/1" (doc/ledger.schema.json): where the wall time of each decoded
 * token went. The rows sum to that time, exactly. Built from a run file and from nothing else: by
 * the daemon for a live run, by the command for one that is over. What is not known is null, never
 * 0. Errors are those of common/runfile.h; `ret_why` is one line, to be freed.
 */
#pragma once

#include <jansson.h>

struct runfile;

#define LEDGER_SCHEMA "infprof.ledger/1"

int report_ledger_new(json_t **ret, struct runfile *rf, char **ret_why);
int report_ledger_file(json_t **ret, const char *path, char **ret_why);
