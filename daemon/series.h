/* SPDX-License-Identifier: MIT */
/*
 * Single calls in time, of those ops that a run asks for: what else is only counted and summed, for
 * whoever looks at how a time moves from call to call.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <infprof/segment.h>

struct process;

#define SERIES_MOST 65536u /* of a process: the first */

struct series_call {
        uint64_t start, ticks;
        uint32_t op, phase;
};

struct series {
        bool *wanted;    /* of each op seen so far */
        uint32_t n_seen; /* those from here on are kept until it is known what they are */
        struct series_call *calls;
        uint32_t n, room, n_settled,
                n_written; /* the first so many are of wanted ops, in the file */
};

/* What a run may ask for: "token", "graph", "op:NAME", "marker:NAME". */
bool series_is_wish(const char *wish);

/* Before rings are read: learns which of the ops are wanted. Without a wish, or memory, none are.
 */
void series_prepare(struct process *p);
struct series *series_free(struct series *s);

/* A call that was read. */
void series_take(struct series *s, uint64_t start, uint64_t ticks, uint32_t op, uint32_t phase);
