/* SPDX-License-Identifier: MIT */
/*
 * The daemon as one thing: its processes, its runs, and the loop that serves
 * them. One thread; nothing in here is called from anywhere else.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/process.h"
#include "daemon/run.h"

struct api;
struct intake;

struct refusal {
        pid_t pid;
        char *reason;
};

#define SERVER_REFUSALS 32u

struct server_options {
        bool stay;
        uint64_t idle_ns; /* leaves after so long without engine and question */
};

struct server {
        struct server_options options;
        char *runtime_dir;
        char *state_dir; /* NULL: there is none, and `state_why` says why */
        char *state_why;
        int epoll, signals;
        struct intake *intake;
        struct api *api;

        struct process *processes;
        struct run *runs; /* newest first */
        struct tally_scratch scratch;
        uint32_t n_live;
        struct refusal refused[SERVER_REFUSALS];
        uint32_t n_refused; /* ever */
        struct refusal not_adoptable[SERVER_REFUSALS];
        uint32_t n_not_adoptable;
        uint64_t n_trivial; /* runs that were not worth a file */

        uint64_t started_ns, active_ns, next_tick_ns, nap_ns;
        uint64_t drained;
        uint64_t cpu_ns; /* used up to when runs were charged last */
        bool stopping;
        bool trim_due; /* something ended: see runs_trim */
};

int server_new(struct server **ret, const struct server_options *options, char **ret_why);
struct server *server_free(struct server *s);

/* Serves until told to stop, or idle. */
int server_serve(struct server *s);

/* Takes over a segment; on success it is the server's. SEGMENT_E_BAD: `ret_why`, a literal. */
int server_attach(struct server *s, struct segment *segment, pid_t pid, bool adopted,
                  const char **ret_why);
void server_refuse(struct server *s, pid_t pid, const char *reason);

/* All figures of a run (NULL: of all) up to this instant, in memory. */
void server_look(struct server *s, struct run *run);

/* The same, and in the run's file. */
void server_refresh(struct server *s, struct run *run);

struct process *server_find_pid(struct server *s, pid_t pid);

/* daemon/runs.c: which run */
struct run *runs_find(struct server *s, const char *id);
int runs_add(struct server *s, const char *id, const char *command, pid_t pid,
             uint64_t started_at_ns, struct run **ret);
int runs_assign(struct server *s, struct process *p, const char **ret_why);
int runs_register(struct server *s, const char *id, const char *command, pid_t pid,
                  const char *path, struct run **ret);
void runs_process_ended(struct server *s, struct process *p);
void runs_tell_end(struct run *run, enum runfile_end end, int value);
bool runs_is_trivial(const struct process *p); /* did nothing worth a row, so far */
bool runs_is_worth_a_file(struct server *s, const struct run *run);
void runs_trim(struct server *s);       /* frees processes and runs: not in the midst of a walk */
uint64_t runs_cpu_ns(struct server *s); /* that the daemon has used since it was asked last */
void runs_charge(struct server *s);
void runs_tick(struct server *s);
void runs_close(struct server *s);

/* daemon/run-files.c: where they are kept */
struct run *runs_revive(struct server *s, const char *id); /* from its file; NULL: there is none */
void runs_flush(struct server *s, struct run *run);

/* A process that an earlier daemon read: the run it was in goes on, in the same file. It has no run
 * then, if that file is not found. */
int runs_resume(struct server *s, struct process *p, const char **ret_why);
