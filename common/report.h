/* SPDX-License-Identifier: MIT */
/*
 * The document "infprof.report/1" (doc/report.schema.json), built from a run
 * file and from nothing else: by the daemon for a live run, by the command
 * for one that is over.
 *
 * What is not known is null, never 0. Times are whole ns, bytes are bytes.
 * Errors are those of common/runfile.h; `ret_why` is one line, to be freed.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct runfile;

#define REPORT_SCHEMA "infprof.report/1"
#define RUNS_SCHEMA   "infprof.runs/1"

/* The whole document. */
int report_build(struct runfile *rf, json_t **ret, char **ret_why);
int report_build_file(const char *path, json_t **ret, char **ret_why);

/*
 * One entry of "infprof.runs/1": {id, command, pid, started_at, duration_ns,
 * end, exit, live, file, processes, generated, tokens_per_second}. `live` is
 * what the file knows.
 */
/* Is the file a link in the state directory, by the name of another run than is in it now? The run
 * that was kept there has been replaced (record -f). */
bool report_is_stale_link(const char *path, const json_t *summary);

int report_summary(const char *path, json_t **ret, char **ret_why);

/*
 * All of "infprof.runs/1", newest first: a summary of each NAME.infprof in
 * `dir`. Files that cannot be read are in its "unreadable": [{file, reason}]. A
 * directory that is not there has no runs.
 */
int report_list(const char *dir, json_t **ret, char **ret_why);

/* {code} or {signal, name}, or null: how `end` (enum runfile_end) ended. */
json_t *report_exit(int end, int value);
const char *report_end_name(int end);

json_t *report_instant(uint64_t ns); /* since 1970, as RFC 3339 in UTC */
