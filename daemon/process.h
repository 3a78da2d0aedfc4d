/* SPDX-License-Identifier: MIT */
/*
 * One process image under the shim: its segment, what was read of it, and
 * how it ended.
 *
 *   attached ──round, tick──► ended (its last figures stand)
 *        └──── it lies ─────► cut   (the figures so far stand, with a reason)
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/runfile.h"
#include "daemon/clock.h"
#include "daemon/drain.h"
#include "daemon/heap.h"
#include "daemon/kv.h"
#include "daemon/ledger.h"
#include "daemon/kernel.h"
#include "daemon/outside.h"
#include "daemon/places.h"
#include "daemon/rates.h"
#include "daemon/experts.h"
#include "daemon/layers.h"
#include "daemon/shapes.h"
#include "daemon/told.h"
#include "daemon/segment.h"
#include "daemon/surroundings.h"
#include "daemon/tally.h"
#include "daemon/waits.h"

#define PROCESS_MAX_THREADS 4096u /* with a row of their own; further ones share one */
#define PROCESS_SPARK       RATES_SPARK

struct run;

/* One order of `pause` or `resume`; the last that matches an op decides. */
struct rule {
        char *glob;
        bool on;
};

struct thread_range {
        uint64_t min, max; /* ticks */
};

struct thread {
        uint32_t index;
        int64_t tid, parent_tid;
        char name[64];
        int64_t site; /* -1: not known */
        uint64_t start_ticks, end_ticks;
        bool ended, dirty, named;
        uint64_t folded, cpu_ns; /* cpu_ns UINT64_MAX: not known */
        uint64_t busy_ticks;     /* within any op, waits left out */
        struct figures sum;
        struct tally tally;          /* an ended thread's is dropped when it is written */
        struct thread_range *ranges; /* of each row */
        uint32_t lane, gen;          /* which it has, or had; gen 0: not known */
        struct thread_waits waits;
        struct thread_ledger ledger;
        struct wait_now now;
        struct thread_course course;
        uint64_t written_waits, written_ledger; /* say whether these have changed since */
        struct wait_now written_now;
        struct kernel_thread kernel;
        uint64_t kernel_running; /* by /proc, at the last look */
};

/* What we keep of a lane. */
struct lane {
        uint32_t gen;          /* of the thread that has it, or had it last */
        struct thread *thread; /* NULL: nobody */
        struct tally base;     /* where the rows stood when the thread before ended */
        uint64_t base_folded;
        struct thread_waits base_waits;
        struct thread_ledger base_ledger;
        struct thread *last; /* whose row gets what a step adds after its end; NULL: nobody's */
        uint32_t waits_from, waits_next;   /* gen of the first thread that can have waited since the
                                              last look; 0: none was taken */
        uint32_t later_from;               /* gen of the first one that shares a row; 0: none yet */
        struct kernel_figures kernel_base; /* where the lane's element stood then */
        struct drain_lane drain;
        uint64_t given_back; /* position up to which the ring's memory was given back */
};

struct op {
        char *name, *kernel, *library; /* kernel, library may be NULL */
        uint8_t kind;
        bool hot, written;
        uint32_t n_threads, n_threads_ended; /* that called it */
        uint64_t calls, calls_now;           /* at the last tick, at the last look */
        uint32_t spark[PROCESS_SPARK]; /* calls in each second, the newest at process.spark_at */
        uint32_t alloc_spark[PROCESS_SPARK]; /* the same of allocations made in it */
        struct readings readings;
        uint64_t written_mark[IFP_N_PHASES]; /* says whether its rows have changed since */
};

struct site {
        char *function, *library;
        uint64_t offset; /* as to be shown */
        uint64_t count, written_count;
        uint64_t at_tick, before; /* its counts at the last two ticks */
        bool resolved, known;     /* known: what follows holds */
        uint8_t kind, phase;
        uint16_t op;
        uint32_t stack, live, peak;
        uint64_t cost_ticks, ended, life_ticks, cpu_ns, team;
        struct kept_hist cost, life;
        uint64_t written; /* says whether its row in `spawn` has changed since */
};

/* What moves, at one look. */
struct gauges {
        uint64_t spans, untimed, folded, left;
        uint64_t prompt_tokens, generated_tokens, sequences, spawns;
        uint64_t threads_live, threads_peak;
        int64_t live_bytes, peak_bytes;
        uint64_t phase_ns[IFP_N_PHASES];
        uint32_t phase;
};

/* Trouble that the shim counts. */
struct shim_counts {
        uint64_t fold_refused, stubs_refused, ops_refused, slots_patched, spawns_unsited,
                lanes_retaken;
};

enum process_state {
        PROCESS_LIVE,
        PROCESS_ENDED,
        PROCESS_CUT,
};

struct process {
        struct process *next; /* all of the server's */
        struct run *run;
        uint32_t index; /* in its run */
        pid_t pid, ppid;
        int pidfd; /* -1: ended */
        char uuid[33], parent_uuid[33];
        char *command, *exe;
        enum process_state state;
        enum runfile_end end;
        int end_value;
        char *reason;
        bool trivial, adopted;

        struct segment segment; /* map NULL: let go */
        struct segment_counts counts;
        uint64_t segment_bytes;
        struct clock clock;
        uint64_t end_ticks;
        uint64_t ended_ticks; /* lifetimes of threads that ended */

        struct drain drain;
        struct lane *lanes;
        uint32_t n_lanes; /* room in lanes */
        struct lane crowd;
        uint64_t drained, skipped, in_flight, open;
        uint64_t drained_before; /* by daemons before this one */
        uint64_t unseen;         /* of these, what no run file kept */

        struct thread **threads;
        uint32_t n_threads, n_threads_room;
        uint32_t next_thread; /* number of the next one */
        uint32_t *thread_map; /* by lane and gen: position in threads + 1; 0: free */
        uint32_t thread_map_room, n_thread_map;
        struct thread *later;                       /* those beyond PROCESS_MAX_THREADS */
        struct wait_course kinds[IFP_N_WAIT_KINDS]; /* waits of all threads */
        uint64_t n_later;

        struct op *ops;
        uint32_t n_ops, n_ops_room;
        struct figures *retired;           /* of threads that ended: [op * IFP_N_PHASES + phase] */
        struct figures *total;             /* of all, at the last tick */
        char *notes[IFP_MAX_PATTERNS + 7]; /* ops were paused; malloc is elsewhere; waits found no
                                              room; shapes are not known, or they or layers found
                                              none; experts that are not counted (2); patterns that
                                              came to nothing */
        uint32_t n_notes;
        bool was_paused;
        struct site *sites;
        uint32_t n_sites, n_sites_room;

        struct gauges now;             /* at the last look */
        struct gauges at_tick, before; /* at the last two ticks, tick_ns and tick_before_ns */
        struct gauges in_file;         /* at the last writing */
        struct gauges second_base;     /* at the beginning of the second that was written last */
        uint64_t second;               /* which one that is; UINT64_MAX: none yet */
        struct shim_counts shim;
        struct rates rates;
        struct heap heap;
        struct shapes shapes;
        struct layers layers;
        struct experts experts;
        struct told told;
        struct waits waits;
        struct ledger *ledger; /* NULL: no decode step so far */
        struct kv *kv;         /* NULL: no call that took a prompt in or decoded so far */
        struct outside outside;
        struct surroundings surroundings;
        struct places places;
        struct kernel kernel;
        struct mark *marks; /* not yet written */
        uint64_t tick_ns, tick_before_ns;
        uint32_t spark_at;
        uint32_t n_ticks;
        bool dirty;     /* something to write */
        bool write_all; /* nothing of it is known to be in the file */

        struct rule *rules;
        uint32_t n_rules;
        struct tally_scratch *scratch; /* the server's */
};

/* Takes over a checked segment of `pid`. */
int process_new(struct process **ret, struct segment *segment, pid_t pid, int pidfd, bool adopted,
                struct tally_scratch *scratch, const char **ret_why);
struct process *process_free(struct process *p);

/*
 * Of one taken over: goes on from what its run file has of it (NULL: there is none). 0; -errno;
 * SEGMENT_E_BAD.
 */
struct runfile;
int process_resume(struct process *p, struct runfile *rf, uint32_t index, const char **ret_why);

/* Reads what the rings hold. `ret_n` records; `ret_fullest` the greatest number found in one ring.
 * 0; SEGMENT_E_BAD: it lies, with a reason, and is to be cut; -errno. */
int process_round(struct process *p, uint64_t now_ns, uint64_t *ret_n, uint64_t *ret_fullest,
                  const char **ret_why);

/* Brings ops, threads, totals and gauges up to date. The same errors. */
int process_tick(struct process *p, uint64_t now_ns, const char **ret_why);

/* Sums over threads, as far as they are known. */
void process_sum(struct process *p);

/* Takes the names of ops that are new. */
int process_take_ops(struct process *p, const char **ret_why);

/* Is there such an op, which may be newer than those we have? SEGMENT_E_BAD says `lie`. */
int process_check_op(struct process *p, uint32_t op, const char *lie, const char **ret_why);

/* The last reading: everything that is still to be had, then the segment is let go. */
void process_end(struct process *p, enum runfile_end end, int value, uint64_t now_ns);

/* Stops believing it. Figures read so far stand. */
void process_cut(struct process *p, const char *why);

/* The distribution of one op and phase, drained and folded, into `buckets` (zeroed by the callee).
 */
struct process_hist {
        uint64_t count, min, max, left, folded;
        double sumsq;
};
void process_hist(const struct process *p, uint32_t op, uint32_t phase, uint64_t *buckets,
                  struct process_hist *ret);

/* Spans that were counted and never reached a histogram or a fold table; 0 while it lives. */
uint64_t process_lost(const struct process *p);

uint64_t process_duration_ns(const struct process *p);

/* Switches all ops that match. Returns how many changed; `ret_matching` how many match. */
uint32_t process_switch(struct process *p, const char *glob, bool on, uint32_t *ret_matching);
uint32_t process_n_off(const struct process *p);

static inline uint64_t figures_calls(const struct figures *f)
{
        return f->timed + f->untimed;
}
