/* SPDX-License-Identifier: MIT */
/*
 * The command line of infprof record.
 */
#pragma once

#include <stdbool.h>

#include "cli/allocator-find.h"
#include "cli/record-ops.h"

/* infprof's own failures, as env(1) has them. */
enum {
        RECORD_FAILED = 125,
        RECORD_CANNOT_RUN = 126,
        RECORD_NOT_FOUND = 127,
};

struct record_options {
        const char *output; /* as given; NULL: the state directory */
        bool force;
        const char *kernels, *level; /* NULL: not given */
        struct record_ops ops;
        char heap_interval[24];     /* in bytes, as the shim reads it; "": not given */
        const char *waits, *kernel; /* "on", "off"; NULL: not given */
        bool offcpu;
        const char *series;                /* of which ops single calls are kept; NULL: of none */
        const struct allocator *allocator; /* NULL: the engine's own */
        char **argv;                       /* of the command; at least one */
};

/* -1: go on; else the exit code. To be done in any case. */
int record_parse(struct record_options *ret, int argc, char **argv);
void record_options_done(struct record_options *o);
