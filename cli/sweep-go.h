/* SPDX-License-Identifier: MIT */
/* Carrying a sweep out. */
#pragma once

#include "cli/sweep.h"

/*
 * Makes the runs that are still wanted; each is in FOLDER/sweep.json when the next one begins.
 * 0: all are made, or a signal came (`complete` tells, *ret_signal which; else 0). A negative errno
 * after a line on stderr.
 */
int sweep_go(struct sweep *s, const char *folder, int *ret_signal);

/* What is kept of the i-th run, below the folder; to be freed. */
char *sweep_run_file(const char *folder, size_t i);

/* Takes what the file of a recorded run tells. */
void sweep_look(struct sweep_run *run, const struct sweep *s, const char *file);
