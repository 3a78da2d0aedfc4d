/* SPDX-License-Identifier: MIT */
/* What became of the patterns by which a user named kernels. */
#pragma once

#include "common/runfile.h"
#include "daemon/process.h"

/* Keeps what is to be said of each pattern that named nothing, or only what no slot leads to. */
void pattern_take(struct process *p);

/* Puts that into the run file. Forwards the run file's errors. */
int pattern_put_notes(struct runfile *file, const struct process *p);
