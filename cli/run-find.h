/* SPDX-License-Identifier: MIT */
/*
 * What a person means by RUN: a file or a bundle, an id, `latest`, or the pid of an engine
 * that runs; and where the answer about it is to be had. A run that is over is
 * read from its file; for one that goes on the daemon knows more than the file does.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

/* A document about one run. */
struct run_document {
        const char *path; /* where the daemon has it, below /v1/runs/ID/ */
        /* Makes it of a run file; errors are those of common/runfile.h. */
        int (*build)(const char *file, const void *userdata, json_t **ret, char **ret_why);
        const void *userdata;
        int refused_code; /* exit code where the daemon has none to give and says why; 0: CMD_NO */
};

/*
 * The document of `run` (NULL: the latest). 0, or the exit code after one line on stderr. `verb` is
 * for that line.
 */
int run_find_document(const char *verb, const char *run, const struct run_document *what,
                      json_t **ret);

/* The file that it is kept in, to be freed; of one that goes on, as far as it is written. */
int run_find_file(const char *verb, const char *run, char **ret);

/* Of these: its report (infprof.report/1). */
int run_find_report(const char *verb, const char *run, json_t **ret);

/*
 * All runs (infprof.runs/1), newest first: what is in the state directory, and
 * what the daemon knows besides.
 */
int run_find_all(const char *verb, json_t **ret);

/* Says of a run which the daemon could not write to a file why; false: there is none. */
bool run_find_unkept(const char *verb);
