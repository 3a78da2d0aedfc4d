/* SPDX-License-Identifier: MIT */
/*
 * Where threads wait: the segment's table of waits, and what each lane has of them. Read at
 * each tick, kept whole, written to the run file by daemon/flush-waits.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <infprof/segment.h>

#include "daemon/course.h"
#include "daemon/kept-hist.h"

struct lane;
struct process;
struct thread;

/* Only grow; see struct ifp_wait. Ticks. */
struct wait_sums {
        uint64_t count, ticks, left, timeouts, last;
        uint64_t unknown, unknown_ticks, others, others_ticks;
};

struct wait_by {
        uint32_t gen; /* of the lane: which of its threads; 0: this place is free */
        uint16_t lane, op;
        int64_t thread; /* -1: not known (yet) */
        uint64_t count, ticks;
};

struct wait {
        bool known; /* complete: what follows holds */
        uint8_t kind, phase;
        uint16_t op, lane, flags;
        uint32_t stack;
        uint64_t object, offset; /* offset: in the object file */
        uint32_t file;           /* index of the object file + 1; 0: it lies in none */
        uint32_t gen;            /* of its lane: whose waits these are; 0: nobody's yet, or see: */
        bool several;            /* of more threads than one, or not to be told */
        int64_t thread;          /* number; -1: not known (yet) */
        uint64_t resumed;        /* count that an earlier daemon wrote, + 1; 0: it wrote none */
        struct wait_sums sums;
        struct wait_by by[IFP_WAIT_BY];
        uint64_t progress_ticks; /* of waits in progress at the last look, */
        uint32_t n_waiting;      /* of which there were so many */
        struct wait_course course;
        uint64_t by_at_tick[IFP_WAIT_BY], by_moved[IFP_WAIT_BY]; /* ticks */
        char *name, *caller, *library; /* of its place; NULL: not known (yet) */
        struct kept_hist hist;
        uint64_t written; /* says whether its rows have changed since; 0: never written */
};

struct waits {
        struct wait *list; /* as in the segment; entry 0 is none */
        uint32_t n, room;
        uint64_t other; /* waits that found no entry */
        bool final;     /* the process is over, and all of it and of its sites is in the file */
        char **paths;   /* of object files, by index; NULL: not asked for */
        uint32_t n_paths;
        uint32_t *over; /* threads of a daemon before us whose waits are over, to be written */
        uint32_t n_over;
};

/* Of one thread, or up to an instant of one lane. Only grows. */
struct thread_waits {
        uint64_t count[IFP_N_WAIT_KINDS], ticks[IFP_N_WAIT_KINDS];
        uint64_t voluntary, involuntary, minor_faults, major_faults; /* told at its end */
};

/* A thread's part in decode steps. Only grows. */
struct thread_ledger {
        uint64_t steps, rows[IFP_N_LEDGER];
};

/* The wait in progress at the last look. */
struct wait_now {
        uint32_t kind, entry; /* kind 0: none; entry 0: not known */
        uint64_t object, since, ticks;
        int64_t by; /* thread that holds the lock or is joined; -1: not known */
};

static inline bool waits_are_on(const struct ifp_header *h)
{
        return h->flags & IFP_HEADER_WAITS;
}

void waits_done(struct waits *w);

/* A tick: everything anew, lanes before it. 0; SEGMENT_E_BAD; -errno. */
int waits_take(struct process *p, const char **ret_why);

/* At the end: were there too many to tell them apart? */
void waits_note(struct process *p);

/* The segment is about to go: what is only there is kept. */
int waits_end(struct process *p);

/* Room for as many as there are in the segment. 0 or -ENOMEM. */
int waits_room(struct process *p);

/* Path of the object file that the wait's object lies in; NULL: none. */
const char *waits_file(const struct process *p, const struct wait *w);

/* ---- daemon/waits-entry.c ---- */

/* A complete entry, checked; still unknown after this if its lane is newer than those we have.
 * 0; SEGMENT_E_BAD; -errno. */
int waits_identify(struct process *p, const struct ifp_wait *from, struct wait *to,
                   const char **ret_why);

/* Where it was waited, once its stack is resolved. 0 or -ENOMEM. */
int waits_name_place(struct process *p, struct wait *w);

/* ---- daemon/thread-waits.c: of lanes ---- */

/* Brings the waits of the lane's thread up to date. 0 or SEGMENT_E_BAD. */
int thread_waits_take(struct process *p, struct lane *l, uint32_t i, const char **ret_why);

/* The lane's thread is over, and all read. */
void thread_waits_end(struct process *p, struct lane *l);

/* What a step gave the lane after its thread was over belongs to that thread still. */
void thread_ledger_settle(struct process *p, struct lane *l, uint32_t i);

/* Of a lane found by a daemon that takes over: what stands there belongs to threads before. */
void thread_waits_adopt(struct process *p, struct lane *l, uint32_t i);

/* One thread's figures join another's. */
void thread_waits_add(struct thread *to, const struct thread *t);

/* The number of the thread that was the `gen`th of `lane`; -1: no row is kept of it. */
int64_t thread_of_lane(const struct process *p, uint32_t lane, uint32_t gen);
int thread_map_add(struct process *p, struct thread *t);
