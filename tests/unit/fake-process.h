/* SPDX-License-Identifier: MIT */
/* A process as the daemon has it, made from a fake segment, and a run file that it is written to.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/process.h"
#include "fake-segment.h"

struct world {
        struct fake f;
        struct tally_scratch scratch;
        struct process *p;
        struct run *run;
        char path[64];      /* of its file */
        double ns_per_tick; /* 0: as the clock says */
        uint32_t op;
        uint64_t now;
};

/* A segment, and a run with a file, whose process is still to be attached. */
struct world *world_new(uint32_t n_lanes);
int world_teardown(void **state);

/* The daemon takes the process; `adopted`: from one before it. */
void world_attach(struct world *w, bool adopted);

/* Another daemon takes it over, by segment and file. */
void world_resume(struct world *w);

/* A second later: a round and a tick, and what came of them. */
int world_look(struct world *w, const char **ret_why);
void world_tick(struct world *w);
void world_flush(struct world *w);

/* As long as the word is that, the process is to be cut off. */
void world_lie(struct world *w, void *word, size_t bytes, uint64_t value);
#define LIE(word, value) world_lie(w, &(word), sizeof(word), value)
