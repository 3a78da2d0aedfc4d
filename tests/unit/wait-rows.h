/* SPDX-License-Identifier: MIT */
/* What a run file has of waits and spawns. */
#pragma once

#include "common/runfile.h"
#include "fake-process.h"

#define MOST_ROWS 64

struct wait_rows {
        struct runfile_wait waits[MOST_ROWS];
        char frames[MOST_ROWS][64], libraries[MOST_ROWS][64];
        uint64_t middle[MOST_ROWS]; /* how many waits took 1000 ticks */
        struct runfile_wait_by by[MOST_ROWS];
        struct runfile_thread_wait threads[MOST_ROWS];
        struct runfile_wait_now now[MOST_ROWS];
        struct runfile_spawn spawns[MOST_ROWS];
        uint64_t cost_middle[MOST_ROWS], life_middle[MOST_ROWS];
        char spawn_frames[MOST_ROWS][64];
        uint32_t n_waits, n_by, n_threads, n_now, n_spawns, n_stacks, n_frames;
};

/* All of them, until the next call. */
const struct wait_rows *wait_rows(const struct world *w);
