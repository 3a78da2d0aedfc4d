/* SPDX-License-Identifier: MIT */
/* A run: the tree of processes under one command, and its file. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/runfile.h"
#include "daemon/beginning.h"

struct process;

struct run {
        struct run *next;
        char id[64];
        char *command;
        char *path;    /* of its file; NULL: nowhere to write it */
        char *series;  /* of which ops single calls are kept (daemon/series.h); NULL: of none */
        char *trouble; /* why its file cannot be written, as last told; NULL: it can */
        pid_t pid;     /* of its first process */
        uint64_t started_at_ns, started_mono_ns, ended_mono_ns;
        uint64_t started_ticks;
        enum runfile_end end;
        int end_value;
        bool registered;   /* by `record`: kept whatever it does */
        bool told_end;     /* `record` said how it ended */
        bool dirty;        /* its own row is to be written */
        bool machine_told; /* the machine's row is in its file */
        struct runfile *file;
        uint32_t n_processes; /* ever; the next one's index */
        uint32_t n_live;
        uint32_t n_trivial; /* processes that are in the file only */
        uint32_t n_adoptions;
        uint32_t n_marks;        /* ever; the next one's number */
        uint32_t n_surroundings; /* processes whose surroundings are in the file */
        struct beginning beginning;
        uint64_t cpu_ns;    /* CPU time of the daemon for it */
        uint64_t opened_ns; /* when the file was tried last */
};

struct run *run_new(const char *id, const char *command, pid_t pid, uint64_t started_at_ns);
struct run *run_free(struct run *run);

/* "YYYYmmdd-HHMMSS-PID", local time; `ret` has room for 64 bytes. */
void run_make_id(char *ret, uint64_t started_at_ns, pid_t pid);

/* As its row has it. The strings are the run's. */
void run_describe(const struct run *run, struct runfile_run *ret);
uint64_t run_duration_ns(const struct run *run);
bool run_is_live(const struct run *run);
