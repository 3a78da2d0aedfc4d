/* SPDX-License-Identifier: MIT */
/*
 * How the work of a run is cut: its threads, what they waited for, where they were spawned, where
 * the time of each token went and what the kernel saw; between loading it and writing one of its
 * documents. Private to common/report-{threads,waits,spawns,ledger,explain}*.c and explain-*.c.
 *
 * Of several processes, threads and objects stay apart, places (stacks, sites, ops) are one, and
 * ledgers are summed over those that decoded.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include <infprof/segment.h>

#include "common/report-frames.h"
#include "common/report-model.h"
#include "common/report-spread.h"
#include "common/report-work.h"

#define NONE SIZE_MAX

/* Beside each process of the model, under the same index. */
struct work_process {
        bool waits_known; /* they were kept: what has no row did not happen */
        bool has_kernel;  /* its ledger has the kernel's view */
        uint64_t cpus;    /* that it may use; 0: not known */
        size_t crowd; /* the one group of short-lived threads, of which one comes after the other;
                         NONE: there is none, or more than one */
};

/* Beside each thread of the model. */
struct work_thread {
        size_t process; /* index */
        size_t group;
        bool decodes; /* it makes tokens */
        uint64_t wait_count[IFP_N_WAIT_KINDS], wait_ns[IFP_N_WAIT_KINDS];
        uint64_t steps, rows[IFP_N_LEDGER]; /* its part in decode steps */
        struct {
                uint32_t kind; /* 0: none */
                uint64_t object, since_ns, for_ns;
                size_t wait; /* NONE: not known */
                size_t by;   /* thread; NONE: not known */
        } now;
};

/* Threads of the same name from the same place. */
struct work_group {
        const char *name;
        const struct model_site *site; /* one of them; NULL: not known */
        size_t first;                  /* thread */
        uint32_t hash, next;
        uint64_t threads, ended;
        uint64_t lifetime_ns;
};

/* Where threads were asked for: kind, place, stack, op and phase; of all processes. */
struct work_site {
        const struct model_site *place;
        uint32_t kind, phase;
        const char *op;
        uint32_t *frames;
        size_t n_frames;
        uint32_t hash, next;
        uint64_t count;
        bool told; /* by a row of its own; false: nothing but the count is known */
        uint64_t live, peak, ended, team, cpu_ns;
        struct spread cost, life;
        double lived_ns, could_ns; /* of threads that have a row; could: from when they were made
                                      until their process's end */
};

struct work_by {
        size_t thread; /* NONE: no row is kept of it */
        const char *op;
        uint64_t count, total_ns;
};

/* A row of table wait. */
struct work_wait {
        size_t process; /* index */
        uint32_t kind, phase;
        const struct model_op *op; /* NULL: none */
        size_t thread;             /* NONE: several */
        uint64_t object;
        char *library; /* that the object lies in */
        uint64_t offset;
        bool spins, shared, behind;
        bool told;    /* a barrier's work is told by the ops it comes behind */
        bool between; /* a barrier behind its op that counts as one between ops: see
                         report-waits-barriers.c */
        struct spread spread;
        uint64_t left, timeouts, last;
        uint64_t unknown, unknown_ns, others, others_ns;
        struct work_by by[IFP_WAIT_BY];
        size_t n_by;
        size_t site;
        uint64_t now, now_ns; /* in progress at the last look: how many, and their time so far */
};

/* Where was waited: kind, op, phase, stack; of all processes. */
struct work_wait_site {
        uint32_t kind, phase;
        const char *op;
        uint32_t *frames;
        size_t n_frames;
        bool one;
        uint32_t hash, next;
        size_t at; /* its place in the document, where the longest comes first */
        uint64_t total_ns;
};

struct work_row {
        uint64_t total_ns;
        struct spread spread; /* of a step; count and sum are not used */
};

struct work_ledger {
        uint64_t steps, tokens, dropped;
        uint64_t all_ns; /* thread time in them */
        struct spread wall;
        struct work_row rows[IFP_N_LEDGER_WHO][IFP_N_LEDGER];
        size_t n_processes, n_kernel; /* that have a ledger; of these: with the kernel's view */
        uint64_t settled_ns;          /* by which rows did not sum up, before they were made to */
};

struct work_slow {
        struct runfile_slow_token row;
        uint64_t rows[IFP_N_LEDGER_WHO][IFP_N_LEDGER];
};

struct work_kernel_op {
        const char *op;
        uint32_t phase;
        uint64_t runnable_ns, blocked_ns, fault_ns, minor_faults, major_faults, syscalls,
                syscall_ns, switches;
};

struct work_syscall {
        uint32_t number;
        uint64_t failed;
        struct spread spread;
};

struct work_preempt {
        int64_t pid;
        char *name;
        bool own;
        uint64_t count, total_ns;
};

struct work_kernel {
        uint32_t view; /* the best that some process has */
        char *why;     /* of one that has less than BPF */
        bool there;
        uint64_t lost, stacks_lost;
        uint64_t events, cost_ns; /* RUNFILE_NOT_TOLD */
        uint64_t io_bytes, load_io_count, load_io_bytes, load_io_ns;
        struct spread io, run_queue;
};

struct work {
        struct model model;
        struct runfile *rf;
        char *why; /* of what is found wrong while loading */

        struct work_process *processes;
        struct work_thread *threads;
        struct work_group *groups;
        size_t n_groups, room_groups;
        struct merge_buckets group_buckets;

        struct frames frames;
        struct work_site *sites; /* most first */
        size_t n_sites, room_sites;
        struct merge_buckets site_buckets;
        struct merge_refs site_refs;

        struct work_wait *waits;
        size_t n_waits, room_waits;
        struct merge_refs wait_refs;
        struct work_wait_site *wait_sites;
        size_t n_wait_sites, room_wait_sites;
        struct merge_buckets wait_site_buckets;

        struct work_ledger ledger;
        struct work_slow *slow;
        size_t n_slow, room_slow;

        struct work_kernel kernel;
        struct work_kernel_op *kernel_ops;
        size_t n_kernel_ops, room_kernel_ops;
        struct work_syscall *syscalls;
        size_t n_syscalls, room_syscalls;
        struct work_preempt *preempts;
        size_t n_preempts, room_preempts;
};

/* *w is to be done also on failure. */
int work_load(struct work *w, struct runfile *rf, char **ret_why);
void work_done(struct work *w);

/* Loads, and hands what `build` makes of it on. */
typedef int (*work_build_fn)(struct work *w, json_t **ret);
int work_document(json_t **ret, struct runfile *rf, work_build_fn build, char **ret_why);
int work_document_file(json_t **ret, const char *path, work_build_fn build, char **ret_why);

/* The index of a process, or NONE and a reason: there is none. */
size_t work_process(struct work *w, const char *table, uint32_t process);
int work_dangling(struct work *w, const char *table, const char *what, uint32_t process,
                  uint32_t number);
size_t work_thread(const struct work *w, uint32_t process, int64_t thread); /* NONE: no row */

/* Parts of loading. */
int work_load_sites(struct work *w);
int work_load_waits(struct work *w);
int work_load_ledger(struct work *w);
int work_load_kernel(struct work *w);
int work_group_threads(struct work *w);
void work_sites_done(struct work *w);
void work_waits_done(struct work *w);
void work_ledger_done(struct work *w);
void work_kernel_done(struct work *w);

/* Tokens decoded and the time that took, of the ledger, or else of spans; false: not known. */
bool work_pace(const struct work *w, double *ret_tokens, double *ret_wall_ns);

/* Only of these threads lived long enough, or one after the other? */
enum work_class { CLASS_UNKNOWN, CLASS_POOL, CLASS_SHORT };
enum work_class work_site_class(const struct work *w, const struct work_site *s);

/* Its `to` is the place in `sites` of where the thread was asked for; NULL: not known. */
const struct merge_ref *work_spawn(const struct work *w, size_t thread);
/* Waits for one object of one process; and an order in which they are beside each other. */
static inline bool work_same_object(const struct work_wait *a, const struct work_wait *b)
{
        return a->process == b->process && a->kind == b->kind && a->object == b->object;
}

static inline int work_compare_object(const struct work_wait *a, const struct work_wait *b)
{
        if (a->process != b->process)
                return a->process < b->process ? -1 : 1;
        if (a->kind != b->kind)
                return a->kind < b->kind ? -1 : 1;
        return a->object < b->object ? -1 : a->object > b->object;
}

bool work_same_place(const struct model_site *a, const struct model_site *b);
/* The group that a thread works in: of threads that share a row, the one whose come and go. */
size_t work_crew(const struct work *w, size_t thread);
/* Its threads come and go; so many of them lived at one time. */
bool work_group_is_short(const struct work *w, size_t group);
double work_group_width(const struct work *w, size_t group);
uint64_t work_lifetime(const struct work *w, size_t thread);
/* Time in outermost ops; false: not known. */
bool work_in_ops(const struct work *w, size_t thread, uint64_t *ret_ns);
/* Self time in an op, or (NULL) in all that compute. */
uint64_t work_self(const struct work *w, size_t thread, const struct model_op *op, uint32_t phase);

/* Sorts them, and leaves one of each; how many that are. */
size_t work_distinct(size_t *at, size_t n);

/* Members pid, tid, name of a thread (NONE: all null). */
void work_put_thread(json_t *o, const struct work *w, size_t thread);
json_t *work_build_place(const struct model_site *s); /* {function, library, offset} or null */
json_t *work_build_object(uint64_t object);           /* "0x..." or null */
json_t *work_head(const struct work *w, const char *schema); /* schema, run */
json_t *work_notes(const struct work *w);
int work_off_cpu(struct work *w, json_t **ret); /* stacks off the CPU, longest first */

/*
 * Who was waited for, or came last: one thread each, or, where more than eight of them were, one
 * row for all threads of the same name from the same place.
 */
struct blame {
        size_t thread; /* NONE: not known */
        size_t group;  /* NONE: not known */
        const char *op;
        uint64_t count, total_ns;
        /* of the threads together; 1 unless they were put together */
        uint64_t threads;
        uint64_t times; /* came last */
        uint32_t hash, next;
};

struct blames {
        struct blame *at;
        size_t n, room;
        struct merge_buckets buckets;
};

void blames_done(struct blames *b);

/* Adds to the one with the same thread and op; `process` is whose crowd may be meant by NONE. */
int blame_add(struct blames *b, const struct work *w, size_t process, const struct blame *item);
void blame_settle(struct blames *b, const struct work *w); /* put together, longest first */
void blame_sort_by_times(struct blames *b);                /* who came last most often first */
void blame_put_who(json_t *o, const struct work *w, const struct blame *b);
const char *blame_name(const struct work *w, const struct blame *b, char *buf, size_t size);

/* How work is spread over threads. */
struct balance {
        double sum_ns, mean_ns, max_ns; /* of a thread's part */
        size_t busiest;                 /* thread; NONE: not known */
};

/* A barrier's meetings in one op and phase; see report-waits-barriers.c and -balance.c. */
struct barrier {
        size_t process;
        const struct model_op *op; /* NULL: between ops */
        uint32_t phase;
        uint64_t object; /* 0: none, or several */
        size_t objects;
        bool spins;
        bool told;        /* between ops: its work is told by the ops it comes behind */
        uint64_t threads; /* that meet at one time; 0: not known */
        uint64_t episodes;
        uint64_t wait_ns, count;
        bool busy_known;
        uint64_t busy_ns;
        struct balance whole;            /* of all work that ends there */
        const struct model_op *worst_op; /* `op`, or the one between two meetings that is spread
                                            worst; NULL: not known */
        struct balance worst;            /* of that */
        uint64_t decoder_ns;             /* of wait_ns: by threads that decode, in phase decode */
        struct blames last;              /* who came last most often first */
};

struct barriers {
        struct barrier *at; /* longest waits first */
        size_t n, room;
};

int work_barriers(const struct work *w, struct barriers *ret);
void barriers_done(struct barriers *b);
double barrier_imbalance(const struct balance *b);  /* NaN: not known */
double barrier_efficiency(const struct barrier *b); /* NaN: not known */
