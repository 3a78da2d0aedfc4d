/* SPDX-License-Identifier: MIT */
/* Between the parts of taking a process over from a daemon before us. */
#pragma once

#include "daemon/process.h"

struct resume {
        struct process *p;
        uint32_t index;
        uint64_t loaded;           /* spans in distributions */
        struct figures *left_over; /* in no thread's row: [op * IFP_N_PHASES + phase] */
        struct thread_waits waits; /* likewise */
        struct thread_ledger ledger;
        uint32_t last_thread, last_op; /* counted as a caller */
};

/* The lane of the thread of this number; NULL: it has none any more. */
struct lane *resume_lane_with(struct process *p, uint32_t thread);

/* daemon/resume-waits.c. `rf` NULL: there is no file. Errors as those of runfile_each_*. */
int resume_waits(struct resume *x, struct runfile *rf);
bool resume_has_waits(const struct resume *x);             /* that are in no thread's row */
void resume_unwatched(struct resume *x, struct thread *t); /* gets them */
