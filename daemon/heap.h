/* SPDX-License-Identifier: MIT */
/*
 * Memory as a process's segment tells it: what its rows by op do not say. Read at
 * each tick, kept whole, and written to the run file by daemon/flush-heap.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/runfile.h"
#include "daemon/segment.h"
#include "daemon/tally.h"

struct process;
struct frames;

/* All lanes together. Only grows. */
struct heap_class {
        uint64_t calls, asked_bytes, usable_bytes, frees;
};

/* Counts of the process. Only grow. */
struct heap_counts {
        uint64_t samples, samples_other, samples_short, samples_untracked;
        uint64_t unmaps, unmapped_bytes, maps_failed;
};

/* What was sampled at a stack, as it stands in the segment (see struct ifp_stack for units). Only
 * grows. */
struct heap_sums {
        uint64_t samples, samples_freed;
        uint64_t alloc_objects, freed_objects, alloc_bytes, freed_bytes;
        uint64_t asked_bytes, short_objects, lifetime_ticks;
        uint64_t alloc_objects_var, freed_objects_var, alloc_bytes_var, freed_bytes_var;
        uint64_t inherited_objects, inherited_bytes;
};

struct heap_stack {
        bool known;    /* complete: what follows holds */
        bool resolved; /* `frames` are all there are */
        uint8_t phase, flags;
        uint16_t op, n_addresses;
        uint32_t first_frame, epoch;
        uint32_t n_frames;
        uint32_t *frames; /* logical ones, by number, the innermost first */
        struct heap_sums sums;
        uint64_t written; /* says whether its row has changed since; 0: never written */
};

struct heap_allocator {
        uint32_t kind, n_arenas;
        uint32_t library_at; /* where the name was found */
        char *library;       /* NULL: not known */
        uint64_t ticks, cost_ns, n_looks;
        uint64_t allocated, active, metadata, resident, mapped, retained, free_bytes, releasable;
        struct ifp_arena arenas[IFP_MAX_ARENAS];
};

struct heap_tokens {
        uint64_t n, n_calls_zero, calls, asked_bytes;
        uint64_t *calls_hist, *bytes_hist; /* NULL: no token yet */
        struct ifp_token_point *points;    /* not yet written, by token */
        uint32_t n_points, room;
        uint32_t seq, n_taken; /* of the points, at the last look */
        uint64_t last;         /* token of the newest one that was taken */
        uint64_t written_n;
};

struct heap {
        struct heap_class classes[IFP_SIZE_CLASSES], classes_written[IFP_SIZE_CLASSES];
        struct heap_counts counts;
        uint32_t unwinding;
        bool has_inherited;      /* said once and for all */
        int64_t inherited_bytes; /* of a fork child: live before its first row */

        struct heap_stack *stacks;
        uint32_t n_stacks, room;
        struct frames *frames; /* NULL: none was looked up */
        uint32_t shim_looked;  /* objects that were held against the shim's name */
        uint64_t shim_start, shim_end;
        struct heap_allocator allocator;
        uint64_t allocator_written; /* looks */
        struct heap_tokens tokens;
};

void heap_done(struct heap *h);

/* A tick: everything anew. 0; SEGMENT_E_BAD; -errno. */
int heap_take(struct process *p, const char **ret_why);

/* Of a process that an earlier daemon read: the numbers of frames go on after those in its file. */
int heap_resume(struct process *p, struct runfile *rf, uint32_t index);

/* Nothing more is to be had: what is not resolved yet, is now, within reason. */
int heap_end(struct process *p, const char **ret_why);

/* What can be let go once all of an ended process is written. */
void heap_written(struct process *p);

/* Of all ops and phases, at the last tick. */
struct heap_totals {
        uint64_t calls, asked_bytes, usable_bytes, frees, freed_bytes, failed, maps, mapped_bytes;
        int64_t live_bytes, peak_bytes;
};
void heap_totals(const struct process *p, struct heap_totals *ret);

/* ---- between the parts ---- */

#define HEAP_MOST_FRAMES 1024u /* logical ones of a stack */

/* As the run file has them: "12,7,3". */
void heap_frames_text(const struct heap_stack *s, char *ret, size_t size);

/* Has anything happened there? Most that a fork child has of its parent's have not. */
static inline bool heap_stack_is_used(const struct heap_stack *s)
{
        return s->known && (s->sums.samples || s->sums.samples_freed || s->sums.inherited_objects);
}

/* daemon/heap-stacks.c */
int heap_take_stacks(struct process *p, const char **ret_why);
/* Does the address lie in the shim? */
bool heap_is_shim(struct process *p, uint64_t address);
/* Looks up so many addresses; ret_all: there are no more. */
int heap_resolve(struct process *p, unsigned budget, bool *ret_all, const char **ret_why);
void heap_stacks_done(struct heap *h);

/* daemon/heap-told.c: what is told under a sequence count */
int heap_take_allocator(struct process *p, const char **ret_why);
int heap_take_tokens(struct process *p, const char **ret_why);

static inline uint64_t heap_load(const uint64_t *p)
{
        return __atomic_load_n(p, __ATOMIC_RELAXED);
}

/* Entries of the table of stacks that may be named by now. */
uint32_t heap_n_stacks(const struct process *p);

/* What SQL can hold. */
static inline uint64_t heap_bounded(uint64_t v)
{
        return v <= INT64_MAX ? v : INT64_MAX;
}
