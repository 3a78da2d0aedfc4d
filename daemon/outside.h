/* SPDX-License-Identifier: MIT */
/*
 * A process seen from outside: what the kernel says of its memory, and which large files and
 * models it has mapped. Nothing here rests on what the process says of itself.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define OUTSIDE_MOST_FILES 256u

/* Bytes, and faults since the process's start; RUNFILE_NOT_TOLD where it is not known. */
struct outside_look {
        uint64_t rss, pss, anonymous, file, huge, swap, minor_faults, major_faults;
};

/* A file is known by device and inode, as maps shows them. */
struct outside_file {
        uint64_t device, inode;
        char *raw, *path; /* to open it; clean, to show it */
        char *nodes;      /* NULL: one node, or not known */
        uint64_t size, mapped_bytes;
        bool sized;              /* size is the file's own; else it is at least that large */
        uint64_t resident_bytes; /* RUNFILE_NOT_TOLD */
        bool mapped;             /* at the last look */
        bool written;            /* as it is now */
};

/* The pages of one file after the other are counted, a little at a time. */
struct outside_pass {
        bool goes_on;
        uint32_t file;
        int fd; /* of that file; -1: not open */
        uint64_t at, resident_bytes, cost_ns, next_ns;
};

struct outside {
        struct outside_look last;
        bool known;
        uint64_t start; /* of the process, in the kernel's ticks: a number may be given again */
        uint64_t due_look_ns, due_files_ns, quiet_until_ns;

        struct outside_file *files;
        uint32_t n_files;
        uint64_t files_wait_ns, due_nodes_ns;
        bool files_changed; /* since the last look at them */
        struct outside_pass pass;
};

void outside_init(struct outside *o, uint64_t now_ns);
void outside_done(struct outside *o);

/* The process is over: its last look and files stay. */
void outside_end(struct outside *o, pid_t pid);

/*
 * The last look, a new one if it is time: the engine waits for its memory lock meanwhile, so at
 * most one in a second, and never more than a hundredth of the time. false: there was none yet.
 */
bool outside_look(struct outside *o, pid_t pid, uint64_t now_ns, struct outside_look *ret);

/* Looks whatever is due; to be called often. true: something is not as it was. */
bool outside_take(struct outside *o, pid_t pid, uint64_t now_ns);

/* ---- parts, for tests ---- */

/* `rollup` may be NULL: it was not to be had. `status` as well. */
struct outside_look outside_parse(const char *rollup, const char *status);
bool outside_parse_stat(const char *stat, uint64_t *ret_minor, uint64_t *ret_major,
                        uint64_t *ret_start);

/* A line of /proc/PID/maps that is of a file; `path` points into it. */
struct outside_mapping {
        uint64_t start, end, offset, device, inode;
        bool code;
        const char *path;
};
bool outside_parse_mapping(char *line, struct outside_mapping *ret);

/* By their names alone; of a file that is not there any more as well. */
bool outside_is_model(const char *path);
bool outside_is_library(const char *path);

/* A whole maps; and a numa_maps read right after it, or NULL. */
void outside_read_files(struct outside *o, FILE *maps, FILE *numa_maps);

/* ---- between the parts ---- */

/* daemon/outside-files.c */
void outside_look_at_files(struct outside *o, pid_t pid, uint64_t now_ns);
void outside_files_done(struct outside *o);

/* daemon/outside-pages.c: goes on with counting pages, for some two milliseconds, if it is time. */
void outside_count_pages(struct outside *o, pid_t pid);
void outside_stop_counting(struct outside *o);
