/* SPDX-License-Identifier: MIT */
/*
 * One run under the profiler, for whoever starts its command: what is settled before, what the
 * daemon is told of it, and what it says afterwards. Trouble with the profiler never keeps a
 * command from running.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "cli/record-env.h"
#include "cli/record-options.h"

struct record_run {
        const char *verb; /* lines on stderr are its; NULL: none are written, see `trouble` */
        char *trouble;    /* the first of those not written; NULL: none */
        const struct record_options *options;
        struct record_env env;
        char *file; /* absolute, or NULL: the daemon chooses */
        char *exe;
        char stamp[32]; /* the run's id without the pid */
        char *warning;  /* of the daemon, about the run's file; NULL: none */
        bool has_daemon;
        bool registered; /* the daemon knows the run */
        bool kept;
};

/* -1: go on; else one of enum RECORD_*, after a line. To be done in any case. `options` stay the
 * caller's. */
int record_run_init(struct record_run *ret, const struct record_options *options, const char *verb);
void record_run_done(struct record_run *r);

/* Sees to it that a daemon listens; where none does the command runs without. */
void record_run_reach(struct record_run *r);

/* Tells the daemon of the run: `pid` is held until then, and is to become the command. */
void record_run_announce(struct record_run *r, pid_t pid);

/* In the process that becomes the command: its environment. 0, or a negative errno. */
int record_run_enter(const struct record_run *r);

/* Tells the daemon how it ended (a status of wait(2)); the run's file is whole afterwards. */
void record_run_end(struct record_run *r, pid_t pid, int status);

/* The id of the run; in buf[64]. */
void record_run_id(const struct record_run *r, pid_t pid, char *buf);

/* A command as a line that a shell would take, secrets left out, for it goes into files; to be
 * freed; NULL: no memory. */
char *record_run_quote(char **argv);

/* The last word, on stderr: where the run is. */
void record_run_say_where(const struct record_run *r, pid_t pid);
