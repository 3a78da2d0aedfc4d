/* SPDX-License-Identifier: MIT */
/*
 * A run's memory, between loading it and writing its document. Private to common/report-memory*.c.
 *
 * All that the file holds is cumulative. A window is what stood at its end less what stood at its
 * beginning; each process meets the two at a bound of its own: before it began, at a mark, or
 * at its own end. A whole run is the window from nothing to all.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include <infprof/segment.h>

#include "common/report-frames.h"
#include "common/report-model.h"

struct memory_options;

enum bound_kind {
        BOUND_NOTHING, /* the process had not begun */
        BOUND_MARK,
        BOUND_ALL, /* the process was over; or the window has no end */
};

struct bound {
        enum bound_kind kind;
        uint32_t mark;
};

/* Beside each process of the model, under the same index. */
struct memory_process {
        struct bound from, to;
        uint64_t began_ns, ended_ns; /* since the run's start; UINT64_MAX: lives */
        uint64_t calls;              /* of all its rows */
};

struct memory_mark {
        size_t process; /* index into processes */
        uint32_t mark;
        char *name;
        uint64_t at_ns;
        int64_t live_bytes;
};

/* What stood at the end of the window, and at its beginning. */
struct memory_alloc {
        struct runfile_alloc to, from;
};

struct memory_class {
        struct runfile_size_class to, from;
};

/* Sums of samples; estimates but for the first two. */
enum sum {
        SUM_SAMPLES,
        SUM_SAMPLES_FREED,
        SUM_ALLOC_OBJECTS,
        SUM_FREED_OBJECTS,
        SUM_ALLOC_BYTES,
        SUM_FREED_BYTES,
        SUM_ASKED_BYTES,
        SUM_SHORT_OBJECTS,
        SUM_LIFETIME_NS,
        SUM_ALLOC_OBJECTS_VAR,
        SUM_FREED_OBJECTS_VAR,
        SUM_ALLOC_BYTES_VAR,
        SUM_FREED_BYTES_VAR,
        SUM_INHERITED_OBJECTS,
        SUM_INHERITED_BYTES,
        N_SUMS,
};

/* One over all processes: the same op, phase and frames. */
struct memory_stack {
        const char *op; /* NULL: none; the model's */
        uint32_t phase;
        bool cut, one, other;
        uint32_t *frames; /* indices, innermost first */
        size_t n_frames;
        double sums[N_SUMS];
        uint32_t hash, next;
};

struct memory_stacks {
        struct frames frames;
        struct memory_stack *stacks;
        size_t n_stacks, room_stacks;
        struct merge_buckets stack_buckets;
        struct merge_refs stack_refs;
};

/* Looks at all processes together: see report-memory-looks.c. */
enum gauge {
        GAUGE_RSS,
        GAUGE_PSS,
        GAUGE_ANONYMOUS,
        GAUGE_FILE,
        GAUGE_HUGE,
        GAUGE_SWAP,
        GAUGE_LIVE,
        GAUGE_ALLOCATED,
        GAUGE_ACTIVE,
        GAUGE_METADATA,
        GAUGE_RESIDENT,
        GAUGE_MAPPED,
        GAUGE_RETAINED,
        GAUGE_FREE,
        GAUGE_RELEASABLE,
        GAUGE_USEFUL, /* over held: efficiency */
        GAUGE_HELD,
        GAUGE_IN_BLOCKS, /* over in_pages: 1 - fragmentation */
        GAUGE_IN_PAGES,
        N_GAUGES, /* from here on: counters, which stay when their process is gone */
        COUNTER_CALLS = N_GAUGES,
        COUNTER_ASKED,
        COUNTER_FREES,
        COUNTER_MAPPED,
        COUNTER_MINOR_FAULTS,
        COUNTER_MAJOR_FAULTS,
        N_FIGURES,
};

struct look {
        uint64_t second;
        int64_t value[N_FIGURES];
        uint32_t told[N_FIGURES]; /* by so many processes; 0: not known */
};

/* The looks of the window, one for each second that has one. */
struct looks {
        struct look *at;
        size_t n;
        const struct runfile_process *main; /* the process that allocated most */
        struct look last;                   /* as that was looked at last */
        double useful, held;                /* sums over the looks that know both */
};

struct memory_look {
        size_t process;
        struct runfile_memory row;
};

struct memory_file {
        char *path, *nodes;
        uint64_t size, mapped_bytes, resident_bytes;
};

struct memory_point {
        size_t process;
        uint64_t token, at_ns; /* since the run's start */
        int64_t live_bytes;
};

struct memory_tokens {
        uint64_t n, n_calls_zero, calls, asked_bytes;
        uint64_t calls_hist[IFP_HIST_BUCKETS], bytes_hist[IFP_HIST_BUCKETS];
};

struct memory {
        struct model model;
        struct runfile *rf;
        char *why; /* of what is found wrong while loading */

        struct memory_process *processes;
        struct memory_mark *marks;
        size_t n_marks, room_marks;

        bool windowed;
        const char *from, *to;
        uint64_t from_ns, to_ns;
        size_t n_unmarked; /* processes that lived at a mark and have it not */

        struct memory_alloc *allocs; /* [model.n_ops + 1][IFP_N_PHASES]; the last op: none */
        struct memory_class classes[IFP_SIZE_CLASSES];
        struct memory_stacks stacks;
        struct memory_look *looks;
        size_t n_looks, room_looks;
        struct runfile_arena *arenas;
        size_t n_arenas, room_arenas;
        struct memory_file *files;
        size_t n_files, room_files;
        struct memory_point *points;
        size_t n_points, room_points;
        struct memory_tokens tokens;

        /* found while building, for the notes */
        bool held_is_anonymous, held_is_resident; /* what efficiency was divided by */
        bool useful_over_held;
        size_t n_kv_resets;
};

/* *m is to be done also on failure. */
int memory_load(struct memory *m, struct runfile *rf, const struct memory_options *o,
                char **ret_why);
void memory_done(struct memory *m);

/* The index of a process; SIZE_MAX and a reason: there is none. */
size_t memory_process(struct memory *m, const char *table, uint32_t process);
int memory_dangling(struct memory *m, const char *table, const char *what, uint32_t process,
                    uint32_t number);

/* Sets the bounds; the marks are loaded. */
int memory_find_window(struct memory *m, const struct memory_options *o, char **ret_why);

/* +1 or -1 or 0: what a row counts at the window's two ends, and so in the window. */
static inline bool bound_has_all(struct bound b)
{
        return b.kind == BOUND_ALL;
}
static inline bool bound_is_mark(struct bound b, uint32_t mark)
{
        return b.kind == BOUND_MARK && b.mark == mark;
}

/* What happened in the window; never less than nothing. */
struct runfile_alloc memory_in_window(const struct memory_alloc *a);

int memory_load_stacks(struct memory *m);
void memory_stacks_done(struct memory_stacks *s);

/* Over all stacks, in the window. */
void memory_sum_stacks(const struct memory *m, double sums[N_SUMS]);

/* In use; in a window by how much that grew. */
double memory_inuse_objects(const struct memory *m, const double *sums);
double memory_inuse_bytes(const struct memory *m, const double *sums);
double memory_inuse_stderr(const struct memory *m, const double *sums); /* NaN: not known */

/* The process that allocated most; NULL: there is none. */
const struct runfile_process *memory_main_process(const struct memory *m);

/* One row as figures. */
struct look look_of(const struct runfile_memory *row);

/* Members of an object from a look, null where nobody told. */
enum look_part { LOOK_OUTSIDE, LOOK_ALLOCATOR, LOOK_COUNTERS };
void look_put(json_t *o, const struct look *l, enum look_part part);
json_t *look_value(const struct look *l, int figure);
json_t *look_efficiency(const struct look *l);
json_t *look_fragmentation(const struct look *l);

/* Parts of the document. */
json_t *memory_build_samples(const struct memory *m);
int memory_build_stacks(struct memory *m, json_t **ret);
json_t *memory_build_leaks(const struct memory *m);
json_t *memory_build_per_token(const struct memory *m);
int memory_build_kv(struct memory *m, json_t **ret);
int memory_build_looks(struct memory *m, json_t *document); /* allocator, outside, timeline */
json_t *memory_build_allocator(struct memory *m, const struct looks *l);
json_t *memory_build_outside(const struct memory *m, const struct looks *l);
json_t *memory_build_files(const struct memory *m);
json_t *memory_build_marks(const struct memory *m);
json_t *memory_notes(const struct memory *m);
