/* SPDX-License-Identifier: MIT */
/* The command line of infprof sweep. */
#pragma once

#include "cli/sweep.h"

struct sweep_request {
        struct sweep sweep; /* as asked for; without --resume and --show */
        const char *folder; /* -o; NULL: one is made */
        const char *resume, *show, *svg;
        size_t rows;
        bool as_json, has_command;
};

/* -1: go on; else the exit code. The sweep is to be done in any case. */
int sweep_parse(struct sweep_request *ret, int argc, char **argv);

/* A word more in a list that ends with NULL. -1: done; else the exit code. */
int sweep_add_word(char ***words, const char *word);

/* -1: all is well; else the exit code, after a line. */
int sweep_check(const struct sweep *s);
