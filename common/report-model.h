/* SPDX-License-Identifier: MIT */
/*
 * A run in memory: the rows of its file, with the ops of all its processes
 * merged. Private to common/report*.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/runfile.h"

/* Makes room for one more in an array {items, n, room}; the new one is zeroed. */
#define GROW(items, n, room)                                                                       \
        ({                                                                                         \
                void *new_ = *(n) < *(room) ? (void *)*(items) : NULL;                             \
                if (!new_) {                                                                       \
                        size_t want_ = *(room) ? *(room)*2 : 16;                                   \
                        new_ = reallocarray(*(items), want_, sizeof(**(items)));                   \
                        if (new_) {                                                                \
                                *(items) = new_;                                                   \
                                *(room) = want_;                                                   \
                        }                                                                          \
                }                                                                                  \
                if (new_)                                                                          \
                        memset(&(*(items))[*(n)], 0, sizeof(**(items)));                           \
                new_ ? &(*(items))[(*(n))++] : NULL;                                               \
        })

/* So many calls took about so long: one bucket of one process's histogram. */
struct point {
        uint64_t ns;
        uint64_t count;
};

struct points {
        struct point *at;
        size_t n, room;
        uint64_t count;
};

struct figures {
        uint64_t timed, untimed;
        uint64_t total_ns, child_ns; /* of the timed */
        uint64_t min_ns, max_ns;     /* UINT64_MAX, 0: none known */
        double sum_ns, sumsq_ns2;
        bool sums_known; /* sum_ns is there for every histogram */
        uint64_t left, folded;
        uint64_t threads;
        struct runfile_alloc alloc;
        struct points points;
};

/* One (name, kernel, library), over all processes of the run. */
struct model_op {
        char *name, *kernel, *library;
        enum ifp_kind kind;
        bool hot;
        uint64_t threads;
        struct figures phase[IFP_N_PHASES];
        uint32_t index;        /* in ops */
        struct model_op *next; /* in its hash bucket */
};

static inline bool model_is_compute(const struct model_op *op)
{
        return op->kind == IFP_KIND_KERNEL || op->kind == IFP_KIND_NODE;
}

/* A row of table op: which merged op it is. */
struct model_op_ref {
        uint32_t process, op;
        uint32_t to; /* index into ops */
};

struct model_thread_op {
        uint32_t op; /* index into ops */
        uint32_t phase;
        struct figures figures; /* without histogram */
};

struct model_thread {
        struct runfile_thread row;
        uint64_t n; /* threads that the row stands for: 1, unless it is that of RUNFILE_LATER */
        struct model_thread_op *ops;
        size_t n_ops, room_ops;
};

struct model_site {
        struct runfile_site row;
};

#define MODEL_BUCKETS 1024

struct model {
        struct runfile_run run;
        struct runfile_process *processes;
        size_t n_processes, room_processes;
        struct model_op **ops;
        size_t n_ops, room_ops;
        struct model_op *buckets[MODEL_BUCKETS];
        struct model_op_ref *refs;
        size_t n_refs, room_refs;
        struct model_thread *threads;
        size_t n_threads, room_threads;
        struct model_site *sites;
        size_t n_sites, room_sites;
        char **notes;
        size_t n_notes, room_notes;
        struct figures none[IFP_N_PHASES]; /* op 0: allocations outside any op */
};

/* Reads everything. *ret is to be done even on failure: it is filled as far as it came. */
int model_load(struct model *ret, struct runfile *rf, char **ret_why);
void model_done(struct model *m);

void figures_init(struct figures *f);
void figures_done(struct figures *f);
void alloc_add(struct runfile_alloc *to, const struct runfile_alloc *a);
int figures_add(struct figures *to, const struct figures *f); /* sums, extremes, histograms */

int points_add(struct points *to, const struct points *points);
/* Counts of ticks become counts of ns. */
int points_add_hist(struct points *to, const uint64_t *hist, uint64_t ticks_per_second);

/* Sums that stay at INT64_MAX where they would leave what JSON and SQL can say. */
uint64_t sum_u64(uint64_t a, uint64_t b);
int64_t sum_i64(int64_t a, int64_t b);

const struct runfile_process *model_process(const struct model *m, uint32_t index);

/* The most that was live in a process at one time: what it ended with, at least. */
int64_t model_peak_bytes(const struct runfile_process *p);

/* Of these two the one that had more at one time, else the first; NULL: none, as yet. */
const struct runfile_process *model_larger(const struct runfile_process *first,
                                           const struct runfile_process *second);
/* Its place in `processes`; SIZE_MAX and a reason: there is none. */
size_t model_process_index(const struct model *m, const struct runfile *rf, const char *table,
                           uint32_t process, char **why);
/* A row speaks of one that is not there. */
int model_dangling(const struct runfile *rf, const char *table, const char *what, uint32_t process,
                   uint32_t number, char **why);
struct model_op *model_op(const struct model *m, uint32_t process, uint32_t op); /* NULL: op 0 */
const struct model_site *model_site(const struct model *m, uint32_t process, uint32_t site);
/* Where it was asked for; NULL: not known. */
const struct model_site *model_thread_site(const struct model *m, const struct model_thread *t);
