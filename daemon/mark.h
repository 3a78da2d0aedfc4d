/* SPDX-License-Identifier: MIT */
/* A named instant of a process: how its memory counts stood then. */
#pragma once

#include "daemon/process.h"

#define MARK_MAX_NAME 100u  /* bytes */
#define MARK_MAX      1000u /* of one run */
#define MARK_WAITING  16u   /* of one process, that no file has yet */

struct mark_row {
        uint32_t key; /* op * IFP_N_PHASES + phase */
        struct figures f;
};

struct mark_stack {
        uint32_t stack;
        struct heap_sums sums;
};

struct mark {
        struct mark *next;
        uint32_t number; /* in its run */
        char *name;
        uint64_t at_ns; /* since the run's start */
        int64_t live_bytes;
        struct mark_row *rows;
        struct mark_stack *stacks;
        uint32_t n_rows, n_stacks;
        struct heap_class classes[IFP_SIZE_CLASSES];
};

/* Keeps how `p` stood at its last tick until it is written. 0 or -ENOMEM. */
int mark_take(struct process *p, uint32_t number, const char *name, uint64_t at_ns);

uint32_t mark_count(const struct process *p);
struct mark *mark_free_all(struct mark *m); /* NULL */
