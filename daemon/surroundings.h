/* SPDX-License-Identifier: MIT */
/* What a process ran with: its environment, what it was held to, what it loaded. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process;

struct variable {
        char *name, *value; /* value NULL: not to be kept */
};

struct library {
        uint32_t load;  /* number of the load it was read of */
        char *path;     /* NULL: nothing with a file */
        char *build_id; /* NULL: it has none, or it is not known */
        bool changed;   /* since it was written */
};

struct surroundings {
        char *cpus, *memory_nodes; /* NULL: not known */
        int nice;
        struct variable *variables; /* by name */
        uint32_t n_variables;
        struct library *libraries; /* by index in the segment's table of objects */
        uint32_t n_libraries;
        bool told; /* it is one of those processes whose surroundings are in the file */
};

/* What /proc has of a process that has just begun. */
void surroundings_look(struct surroundings *s, pid_t pid);

/* Keeps of `n` bytes as in /proc/PID/environ what common/env-list.h lists. */
void surroundings_take_environment(struct surroundings *s, const char *environment, size_t n);

/* Takes what was loaded since. 0; SEGMENT_E_BAD: it lies; -errno. */
int surroundings_take(struct process *p, const char **ret_why);

void surroundings_done(struct surroundings *s);
