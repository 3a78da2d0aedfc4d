/* SPDX-License-Identifier: MIT */
/*
 * Where memory is asked for, as `top` shows it: sampled stacks put together by the first function
 * that says something, its caller, and the op.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct process;

/* Estimates from samples; bytes are usable. */
struct place_sums {
        double alloc_bytes, alloc_objects;
        double inuse_bytes, inuse_objects;
        double moved_bytes, moved_objects; /* allocated in the last interval */
};

struct place {
        char *name;               /* short; of what has no function: its library and offset */
        char *function, *library; /* NULL: not known */
        char *caller;             /* short; NULL: there is none that says something */
        uint32_t op;              /* IFP_OP_NONE: none was open */
        uint32_t next;            /* in its bucket, index + 1 */
        uint64_t samples;
        struct place_sums sums;
};

struct places {
        struct place *list;
        uint32_t n, room;
        uint32_t *buckets;
        struct place_stack {
                uint32_t place;                      /* index + 1; 0: none yet */
                uint64_t alloc_bytes, alloc_objects; /* at the end of the last interval */
        } * stacks;
        uint32_t n_stacks;
};

void places_done(struct places *p);

struct heap_stack;
struct runfile_frame;

/* A resolved stack with frames, in words: the first that says something (`ret`, `ret_name`: short,
 * to be freed) and its caller (NULL: none says something). 0 or -ENOMEM. */
int places_name(const struct process *p, const struct heap_stack *s, struct runfile_frame *ret,
                char **ret_name, char **ret_caller);

/* Sums up all stacks anew. `interval_over`: what moves is counted from here on. 0 or -ENOMEM. */
int places_take(struct process *p, bool interval_over);
