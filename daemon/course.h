/* SPDX-License-Identifier: MIT */
/* How threads and waits move from second to second: what stood there at the last two ticks. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <infprof/segment.h>

struct process;
struct thread;

/* Two readings, waits in progress included. */
struct wait_course {
        uint64_t count_at_tick, count_before, ticks_at_tick, ticks_before;
};

/* What became of a thread's time between two ticks; ns. Unknown is UINT64_MAX. */
struct thread_course {
        uint64_t waited[IFP_N_WAIT_KINDS]; /* ticks, by kind */
        uint64_t waited_at_tick[IFP_N_WAIT_KINDS];
        uint64_t running, runnable;
        uint64_t running_at_tick, runnable_at_tick;
        uint32_t n_ticks; /* that it has lived through: its first interval is not whole */
};

/* An interval is over. */
void course_take(struct process *p);
