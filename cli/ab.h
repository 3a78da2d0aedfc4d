/* SPDX-License-Identifier: MIT */
/* infprof ab: what its parts know of each other. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/trial.h"
#include "common/report-diff-sets.h"

struct ab_options {
        char **argv[2]; /* the commands; each ends with NULL */
        uint64_t runs, warmup;
        uint64_t time_ns; /* of one run; 0: no limit */
        const char *output;
        bool bare, as_json;
        enum diff_by by;
        char **record_args; /* of infprof record; ends with NULL */
        size_t n_record_args;
        size_t rows;
};

/* -1: go on; else the exit code. To be done in any case. */
int ab_parse(struct ab_options *ret, int argc, char **argv);
void ab_options_done(struct ab_options *o);

struct ab_run {
        struct trial trial;
        char file[32]; /* name in its folder; "": none */
};

struct ab_side {
        char *folder;
        struct ab_run *runs;
        size_t n, n_failed;
        bool ran; /* at least once, be it to warm up */
};

struct ab {
        const struct ab_options *options;
        char *folder; /* of both */
        struct ab_side sides[2];
        int signal;  /* that ended it; 0: none */
        int refused; /* side whose command cannot be run; -1: none */
        char trouble[256];
};

/* Makes the folders and the runs; 0, or the exit code after one line. To be done in any case. */
int ab_run(struct ab *ret, const struct ab_options *options);
void ab_done(struct ab *ab);

/* " 3 and 2 runs are kept ..." and how to read them, in one line. */
void ab_say_kept(const struct ab *ab, char *buf, size_t n);

/* ab-trials.c: writes what is known of the runs of a side. 0, or a negative errno. */
int ab_write_trials(const struct ab *ab, int side);
