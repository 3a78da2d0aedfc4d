/* SPDX-License-Identifier: MIT */
/* Writing: what changed since the last time goes into the run file, in one transaction. */
#pragma once

#include "daemon/process.h"
#include "daemon/run.h"

/*
 * Writes the run and those of `processes` that belong to it. 0, or as
 * common/runfile.h has it, with `ret_why`; then nothing of this time is in the file, and
 * all of it goes there the next time.
 */
int flush_run(struct run *run, struct process *processes, char **ret_why);
