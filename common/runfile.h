/* SPDX-License-Identifier: MIT */
/*
 * The run file: one SQLite database a run, written by the daemon as the run
 * goes (WAL), read by whoever wants to know. Rows are put whole and replace
 * what stood under the same key, so a writer that starts over (a new daemon
 * that adopts a process) overwrites and never adds twice.
 *
 * All times are ns, except histograms, whose buckets are ticks of the process
 * that made them (struct runfile_process.ticks_per_second).
 *
 * Errors: 0 is success; a negative errno is fatal and forwarded; RUNFILE_E_*
 * are part of the contract. `ret_why`, where there is one, is set on any failure to one
 * line for a person, to be freed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <infprof/event.h>
#include <infprof/hist.h>
#include <infprof/kernel.h>

#define RUNFILE_SCHEMA 8 /* user_version of the database */

enum {
        RUNFILE_E_FOREIGN = 1, /* not a run file, or damaged */
        RUNFILE_E_NEWER = 2,   /* written by a newer infprof */
        RUNFILE_E_ABSENT = 3,  /* no such file */
        RUNFILE_E_FULL = 4,    /* no room left; what was committed stays readable */
};

struct runfile;

/* How a process or a run ended. */
enum runfile_end {
        RUNFILE_END_LIVE = 0,    /* still runs, as far as the file knows */
        RUNFILE_END_CODE = 1,    /* exit code in end_value */
        RUNFILE_END_SIGNAL = 2,  /* signal number in end_value */
        RUNFILE_END_UNKNOWN = 3, /* gone; nobody could tell us how */
        RUNFILE_END_CUT = 4,     /* the daemon stopped reading it: see `reason` */
        RUNFILE_END_EXEC = 5,    /* replaced itself by another program */
};

struct runfile_run {
        const char *id;         /* "20261120-194500-4711" */
        const char *command;    /* as typed, shell-quoted */
        int64_t pid;            /* of the first process */
        uint64_t started_at_ns; /* CLOCK_REALTIME */
        uint64_t duration_ns;   /* so far */
        enum runfile_end end;   /* of the first process, or of the command `record` ran */
        int end_value;
        const char *infprof_version;
        const char *machine;    /* "Intel Xeon ..., 2 CPUs, Linux 6.1" */
        uint64_t daemon_cpu_ns; /* CPU time the daemon spent on this run */
        uint32_t n_adoptions;   /* times a new daemon took it over */
};

/* One process image. Keyed by `index`, which the daemon counts from 0 in each run. */
struct runfile_process {
        uint32_t index;
        const char *uuid; /* hex */
        int64_t pid, ppid;
        const char *command;
        const char *exe;
        uint64_t started_at_ns, duration_ns;
        uint64_t ticks_per_second;
        enum runfile_end end;
        int end_value;
        const char *reason; /* of a cut, or what trouble the shim met; NULL */
        bool waits;         /* waits, spawns and the ledger were kept (INFPROF_WAITS) */
        bool trivial;       /* did nothing worth a row: shown in one line with its like */
        uint64_t spans;     /* timed spans that ended */
        uint64_t folded, lost, left, open;
        uint64_t untimed; /* calls counted only */
        uint64_t unseen;  /* spans read by a daemon that died: counted and summed, not in histograms
                           */
        uint64_t fold_refused, stubs_refused, ops_refused, slots_patched, spawns_unsited,
                lanes_retaken;
        uint64_t overhead_ns_per_span_x1000; /* ps: measured by the shim at start */
        uint64_t stamp_ps;                   /* the stamps' own share, taken off each */
        uint64_t segment_bytes;              /* resident */
        uint64_t threads_live, threads_peak, spawns;
        int64_t live_bytes, peak_bytes;
        uint64_t prompt_tokens, generated_tokens, sequences;
        uint64_t phase_ns[IFP_N_PHASES];
        uint32_t phase; /* at the last look */

        /* memory */
        uint64_t heap_interval; /* mean of usable bytes between two samples; 1 = each, 0 = none */
        uint32_t unwinding;     /* live.unwinding of the segment: 0, 1, 2 */
        uint64_t samples, samples_other, samples_short, samples_untracked;
        uint64_t unmaps, unmapped_bytes, maps_failed;
        uint32_t allocator;            /* enum ifp_allocator_kind */
        const char *allocator_library; /* NULL: not known */
        const char *blas_core;         /* NULL: not known */
        uint64_t allocator_cost_ns, allocator_looks;
};

struct runfile_op {
        uint32_t process, op;                /* key; op as in the segment */
        const char *name, *kernel, *library; /* kernel, library may be NULL */
        enum ifp_kind kind;
        bool hot;
        uint32_t threads; /* how many threads called it */
};

struct runfile_alloc {
        uint64_t calls, asked_bytes, usable_bytes, frees, freed_bytes, failed, maps, mapped_bytes;
};

/* Key: process, op, phase. */
struct runfile_op_phase {
        uint32_t process, op, phase;
        uint64_t timed, untimed;
        uint64_t total_ns, child_ns; /* of the timed ones */
        uint64_t min_ns, max_ns;     /* UINT64_MAX, 0 where none is known */
        /* Sum, and sum of squares, of the durations that are counted in the histogram (of those
           folded: bucket middles, or values scaled so that their sum is right). sum_ns may be left
           0 where all timed calls are in the histogram: then it is total_ns. */
        double sum_ns, sumsq_ns2;
        uint64_t left, folded;
        struct runfile_alloc alloc;
        const uint64_t *hist; /* IFP_HIST_BUCKETS counts, or NULL; stored sparse */
};

#define RUNFILE_LATER 4096u /* the number of the thread that stands for all from there on */

/* Key: process, thread (counted by the daemon from 0). */
struct runfile_thread {
        uint32_t process, thread;
        int64_t tid, parent_tid;
        const char *name;
        uint64_t started_ns;            /* since the process's start */
        uint64_t ended_ns;              /* UINT64_MAX: has not ended */
        int64_t site;                   /* -1: not known */
        uint64_t spans, folded, cpu_ns; /* cpu_ns UINT64_MAX: not known */
        struct runfile_alloc alloc;
        /* RUNFILE_NOT_TOLD where nobody saw it. */
        uint64_t running_ns, runnable_ns; /* on a CPU; could run and did not */
        uint64_t blocked_ns[IFP_N_BLOCK_KINDS];
        uint64_t fault_ns, syscall_ns;
        uint64_t voluntary, involuntary, migrations, minor_faults, major_faults, syscalls;
        uint64_t cpu; /* where it was last seen */
};

/* Key: process, thread, op, phase. */
struct runfile_thread_op {
        uint32_t process, thread, op, phase;
        uint64_t timed, untimed, total_ns, child_ns, min_ns, max_ns;
        struct runfile_alloc alloc;
};

/* Key: process, shape (as in the segment): what an op was done on. */
struct runfile_shape {
        uint32_t process, shape, op;
        uint32_t parts;      /* threads that do one together; each has a span of its own */
        const char *formula; /* the op's name in common/flops.c; NULL: its own */
};

/* Key: process, shape, position: the result (0), or a source (from 1). See struct ifp_operand. */
struct runfile_operand {
        uint32_t process, shape, position;
        const char *type; /* NULL: not known */
        uint32_t block, block_bytes;
        uint64_t ne0, ne1, ne2, ne3, nb0, nb1, nb2, nb3;
        uint32_t align; /* 1 to 64; 0: not known */
};

/* Key: process, shape, position. */
struct runfile_shape_param {
        uint32_t process, shape, position;
        int64_t value;
};

/* Key: process, shape, phase. */
struct runfile_shape_phase {
        uint32_t process, shape, phase;
        uint64_t calls, total_ns, child_ns;
};

/* Key: process, entry (as in the segment's layers), phase. Entries may be alike: their rows add up.
 */
struct runfile_layer {
        uint32_t process, entry, phase;
        uint32_t op;
        uint32_t layer; /* + 1; 0: in none, or not known */
        uint32_t part;  /* enum ifp_part */
        uint32_t shape; /* 0: none, or not told */
        uint64_t calls, total_ns, child_ns;
};

/*
 * Key: process, entry (as in the segment's moe_layers), phase. Entries of the same layer and
 * n_experts add up. `tokens` does not hold all_tokens.
 */
struct runfile_experts {
        uint32_t process, entry, phase;
        uint32_t layer; /* + 1 */
        uint32_t n_experts;
        uint64_t steps, tokens, choices, unknown, steps_known, distinct, all_tokens;
        const char *counts; /* "12,0,7": choices by expert */
};

/* Key: process. What the engine told of itself (infprof.h), and what came of it. */
struct runfile_told {
        uint32_t process;
        uint64_t requests_ok, requests_failed;
        uint64_t instants;                                         /* rows may be fewer */
        uint64_t markers_refused, markers_left, markers_unmatched; /* as in the segment's live */
        uint64_t counters_refused, tiles_unmatched, tiles_unended;
};

/* Key: process, op. The process's live bytes around the calls of a marker. */
struct runfile_marker {
        uint32_t process, op;
        uint64_t n;
        int64_t begin_bytes, change_bytes; /* summed over the calls */
        int64_t first_bytes, last_bytes, least_change, most_change, highest;
};

/* Key: process, counter. */
struct runfile_counter {
        uint32_t process, counter;
        const char *name;
        uint64_t counted, calls;
};

/* Key: process, level. */
struct runfile_tile {
        uint32_t process, level; /* INFPROF_TILE_* */
        uint64_t n, total_ns, elements, flops, least_elements, most_elements, slowest_ns;
        uint32_t slowest_row, slowest_col, rows, cols;
};

/* Key: process, number. */
struct runfile_instant {
        uint32_t process;
        uint64_t number;
        uint64_t at_ns; /* since the process began */
        int64_t tid;
        uint32_t kind; /* enum ifp_instant_kind */
        const char *text;
};

/* Key: process, site. */
struct runfile_site {
        uint32_t process, site;
        const char *function; /* NULL: not resolved */
        const char *library;
        uint64_t offset; /* in the function where that is known, else in the library */
        uint64_t count;
};

/* Key: process, second since the run's start. What moved in that second. */
struct runfile_second {
        uint32_t process;
        uint64_t second;
        uint64_t spans, prompt_tokens, generated_tokens, spawns;
        int64_t live_bytes;
        uint32_t threads_live, phase;
};

/* Exact. Key: process, class: blocks of 2^class .. 2^(class+1) - 1 usable bytes. */
struct runfile_size_class {
        uint32_t process, size_class;
        uint64_t calls, asked_bytes, usable_bytes, frees;
};

/*
 * Key: process, frame: a logical frame, symbolised. Inlined functions are frames of their own.
 */
struct runfile_frame {
        uint32_t process, frame;
        const char *function; /* demangled; NULL: not resolved */
        const char *library; /* path of the object; NULL: none ("[jit]" where code was generated) */
        uint64_t offset;  /* of the call: in the function where that is known, else in the library,
                             else the address */
        const char *file; /* of the source; NULL: not known */
        uint32_t line;    /* 0: not known */
        bool inlined;     /* into the next frame out */
};

/*
 * Key: process, stack. Estimates (exact where heap_interval is 1); bytes are usable.
 * In use = alloc - freed, at the end of the run these are what was not given back.
 */
struct runfile_stack {
        uint32_t process, stack; /* stack 0: those that found no room in the table */
        uint32_t op, phase;      /* op as in the segment; 0 = none was open */
        bool cut;                /* outer frames are missing */
        bool one;                /* only the caller is known */
        const char *frames;      /* "12,7,3": frame numbers, innermost first; "" = none */
        uint64_t samples, samples_freed;
        double alloc_objects, freed_objects, alloc_bytes, freed_bytes, asked_bytes;
        double short_objects; /* freed within IFP_SHORT_LIFE_NS */
        double lifetime_ns;   /* sum over the samples freed */
        double alloc_objects_var, freed_objects_var, alloc_bytes_var, freed_bytes_var;
        double inherited_objects, inherited_bytes; /* from before a fork; part of what is in use */
};

/* One look at the process from outside, and at what the allocator said last. Key: process, second
 * since the run's start. RUNFILE_NOT_TOLD where it is not known. */
#define RUNFILE_NOT_TOLD UINT64_MAX
struct runfile_memory {
        uint32_t process;
        uint64_t second;
        uint64_t rss, pss, anonymous, file, huge,
                swap;                        /* smaps_rollup; file = rss - anonymous - shmem */
        uint64_t minor_faults, major_faults; /* since the process's start */
        int64_t live_bytes;                  /* malloc family, usable */
        uint64_t calls, asked_bytes, frees, mapped_bytes; /* cumulative, since the start */
        uint64_t allocated, active, metadata, resident, mapped, retained, free_bytes, releasable;
};

/* Key: process, arena. At the allocator's last word. */
struct runfile_arena {
        uint32_t process, arena;
        uint64_t allocated, active, resident, mapped;
};

/* A file mapped into the process that is large (16 MiB) or a model (*.gguf, *.safetensors, *.onnx,
 * *.bin). Key: process, path. At the last look. */
struct runfile_mapped_file {
        uint32_t process;
        const char *path;
        uint64_t size, mapped_bytes;
        uint64_t resident_bytes; /* of the file, in the page cache (mincore); RUNFILE_NOT_TOLD */
        const char *nodes;       /* "N0=123 N1=4": pages by node; NULL: one node, or not known */
};

/* Key: process. Allocations of each decoded token: struct ifp_tokens. */
struct runfile_token_alloc {
        uint32_t process;
        uint64_t n, n_calls_zero, calls, asked_bytes;
        const uint64_t *calls_hist,
                *bytes_hist; /* IFP_HIST_BUCKETS counts of tokens; stored sparse */
};

/* Key: process, token. */
struct runfile_token_point {
        uint32_t process;
        uint64_t token;
        uint64_t at_ns; /* since the process's start */
        int64_t live_bytes;
        uint64_t calls;
};

/* Key: process. Calls that take prompts in, and what is in no row of kv_bin: struct ifp_kv. */
struct runfile_kv {
        uint32_t process;
        bool no_prompt; /* how many tokens prompts had is not known: KV lengths are without them */
        uint64_t prefills, prompt_tokens, prefill_ns, beside, no_length;
        uint64_t from_ns; /* since the process's start */
        uint64_t width_ns;
};

/* Key: process, piece. Tokens of calls that ended in a piece of time. */
struct runfile_kv_piece {
        uint32_t process, piece;
        uint64_t prompt, generated;
};

/* Key: process, bin. Tokens by KV length: struct ifp_kv_sums. */
struct runfile_kv_bin {
        uint32_t process, bin;
        uint64_t tokens, lengths, total_ns;
};

/* Key: process, bin, op. What an op did in these tokens. */
struct runfile_kv_op {
        uint32_t process, bin, op;
        uint64_t timed, untimed, total_ns, child_ns;
};

/* Key: process, number (in the order in which they were read). Calls in time, of ops that were
 * asked for. */
struct runfile_span {
        uint32_t process, number;
        uint32_t op, phase;
        uint64_t start_ns; /* since the process's start */
        uint64_t duration_ns;
};

/* A named instant (infprof mark), and where all stood then. Key: process, mark (0, 1, ...). */
struct runfile_mark {
        uint32_t process, mark;
        const char *name;
        uint64_t at_ns; /* since the run's start */
        int64_t live_bytes;
};

/* Key: process, mark, op, phase: the row as it stood at the mark; what is zero is left out. */
struct runfile_mark_op {
        uint32_t process, mark, op, phase;
        struct runfile_alloc alloc;
};

/* Key: process, mark, class. */
struct runfile_mark_class {
        uint32_t process, mark, size_class;
        uint64_t calls, asked_bytes, usable_bytes, frees;
};

/* Key: process, mark, stack. */
struct runfile_mark_stack {
        uint32_t process, mark, stack;
        uint64_t samples, samples_freed;
        double alloc_objects, freed_objects, alloc_bytes, freed_bytes, asked_bytes, short_objects,
                lifetime_ns, alloc_objects_var, freed_objects_var, alloc_bytes_var, freed_bytes_var;
};

/* Key: process, thread, kind. Waits of a thread, by enum ifp_wait_kind; what is zero is left out.
 */
struct runfile_thread_wait {
        uint32_t process, thread, kind;
        uint64_t count, total_ns;
};

/* Key: process, wait. An entry of the segment's table of waits, see struct ifp_wait. */
struct runfile_wait {
        uint32_t process, wait;
        uint32_t kind, op, phase;   /* op 0: none */
        int64_t thread;             /* -1: several */
        uint64_t object;            /* address; 0: none, or one of many */
        const char *object_library; /* that the object lies in; NULL: none, or not known */
        uint64_t object_offset;     /* in it */
        bool spins, shared, one;    /* burns CPU; process-shared; only the caller is known */
        bool behind;                /* a barrier behind its op, whose time does not hold it */
        const char *frames;         /* as of a stack; "": not known */
        uint64_t count, total_ns, min_ns, max_ns; /* UINT64_MAX, 0: not known */
        uint64_t left, timeouts, last, unknown, unknown_ns, others, others_ns;
        const uint64_t *hist;
};

/* Key: process, wait, slot: one thread that was waited for. */
struct runfile_wait_by {
        uint32_t process, wait, slot;
        int64_t thread; /* -1: no row is kept of it */
        uint32_t op;
        uint64_t count, total_ns;
};

/* Key: process, thread. A wait in progress at the last look; kind 0: none. */
struct runfile_wait_now {
        uint32_t process, thread, kind;
        uint64_t object, since_ns, for_ns; /* since: of the process's start */
        int64_t wait;                      /* -1: not known */
        int64_t by_thread;                 /* that holds the lock or is joined; -1: not known */
};

/* Key: process, site: what else is known of a site. See struct ifp_site. */
struct runfile_spawn {
        uint32_t process, site;
        uint32_t kind, op, phase;
        const char *frames;
        uint64_t count, live, peak, ended, team;
        uint64_t cost_ns, life_ns, cpu_ns; /* sums */
        const uint64_t *cost_hist, *life_hist;
};

/* Key: process. Decode steps, and how long they took. */
struct runfile_ledger {
        uint32_t process;
        uint64_t steps, tokens, dropped;
        uint64_t wall_ns, all_ns; /* sums */
        bool kernel;              /* the kernel's view was there */
        const uint64_t *hist;     /* wall time of a step */
};

/* Key: process, who (enum ifp_ledger_who), row (enum ifp_ledger). */
struct runfile_ledger_row {
        uint32_t process, who, row;
        uint64_t total_ns;
        const uint64_t *hist; /* of a step; zeros are in bucket 0 */
};

/* Key: process, thread, row. A thread's part in decode steps. */
struct runfile_ledger_thread {
        uint32_t process, thread, row;
        uint64_t total_ns, steps;
};

/* A sum that is known only where each of its parts is. */
static inline void runfile_add_told(uint64_t *to, uint64_t v)
{
        bool known = *to != RUNFILE_NOT_TOLD && v != RUNFILE_NOT_TOLD;
        uint64_t sum;

        if (!known)
                *to = RUNFILE_NOT_TOLD;
        else
                *to = __builtin_add_overflow(*to, v, &sum) || sum > INT64_MAX ? INT64_MAX : sum;
}

#define RUNFILE_SLOW_TOKENS 16u /* of a process */

/* Key: process, slot. A step that took more than three times the median. */
struct runfile_slow_token {
        uint32_t process, slot;
        uint64_t number;                    /* of the step, from 1 */
        uint64_t start_ns, wall_ns, all_ns; /* start: since the process's start */
        uint32_t tokens, threads;
        uint64_t allocs, alloc_bytes, spawns, waits;
        uint64_t voluntary, involuntary, migrations, minor_faults, major_faults, syscalls;
};

/* Key: process, slot, who, row. */
struct runfile_slow_token_row {
        uint32_t process, slot, who, row;
        uint64_t ns;
};

enum runfile_view {
        RUNFILE_VIEW_NONE = 0,
        RUNFILE_VIEW_PROC = 1, /* /proc/PID/task/TID/schedstat and status */
        RUNFILE_VIEW_BPF = 2,
};

/* Key: process. The kernel's view, as a whole. */
struct runfile_kernel {
        uint32_t process;
        uint32_t view;            /* enum runfile_view */
        const char *why;          /* not BPF, one line; NULL: it is */
        uint64_t lost;            /* events that found no room */
        uint64_t events, cost_ns; /* its part of our programs' runs and time; or NOT_TOLD */
        uint64_t io_count, io_bytes, io_ns; /* block I/O while its threads asked for it */
        uint64_t load_io_count, load_io_bytes, load_io_ns; /* of these, in phase load */
        uint64_t stacks_lost;           /* off-CPU stacks that could not be taken */
        uint64_t cpus;                  /* that the process may run on, at the last look */
        const uint64_t *run_queue_hist; /* ns from runnable to running; ns, not ticks */
        const uint64_t *io_hist;        /* ns */
};

/* Key: process, op, phase. The kernel's view by what was open. */
struct runfile_kernel_op {
        uint32_t process, op, phase;
        uint64_t runnable_ns, blocked_ns, fault_ns, minor_faults, major_faults, syscalls,
                syscall_ns, switches;
};

/* Key: process, number. */
struct runfile_syscall {
        uint32_t process, number;
        uint64_t count, total_ns, max_ns, failed;
        const uint64_t *hist; /* ns */
};

/* Key: process, slot. Who took the CPU from its threads. */
struct runfile_preempt {
        uint32_t process, slot;
        int64_t pid;              /* 0: all others together */
        const char *name;         /* of the thread that ran instead */
        bool own;                 /* a thread of this very process */
        uint64_t count, total_ns; /* until it ran again */
};

/* Key: process, stack. Time off the CPU, by stack; frames as far as frame pointers lead. */
struct runfile_off_cpu {
        uint32_t process, stack;
        uint32_t op, phase, block; /* enum ifp_block_kind; IFP_N_BLOCK_KINDS: preempted */
        const char *frames;
        uint64_t count, total_ns;
};

/* Something that a reader of the run must know. Key: process (RUNFILE_WHOLE_RUN: none), text. */
#define RUNFILE_WHOLE_RUN UINT32_MAX
struct runfile_note {
        uint32_t process;
        const char *text;
};

/* Key: moment. The state that the machine was in; one row, of the run's beginning. A load is in
 * thousandths. */
struct runfile_surroundings {
        uint32_t moment; /* 0: the beginning */
        const char *kernel;
        const char *os, *libc, *governor, *huge_pages; /* NULL: not known */
        uint64_t turbo, numa_balancing;                /* 0, 1, or NOT_TOLD, as all that follow */
        uint64_t memory_bytes, available_bytes;
        uint64_t load_1, load_5, load_15; /* averages over so many minutes */
        uint64_t runnable;                /* threads that could run, without whoever looked */
        uint64_t cpu_pressure;            /* share of the last 10 s that some thread waited */
        const char *daemon_build_id;
};

/* Key: process. What it was held to when it was first seen. */
struct runfile_confines {
        uint32_t process;
        const char *cpus, *memory_nodes; /* that it may use, "0-3,8"; NULL: not known */
        int32_t nice;
};

/* Key: process, name. Variables of its environment that common/env-list.h lists. */
struct runfile_environment {
        uint32_t process;
        const char *name, *value; /* value NULL: it looks like a secret and was left out */
};

/* Key: process, object. The program and the libraries that it loaded. */
struct runfile_library {
        uint32_t process, object;
        const char *path, *build_id; /* build_id NULL: it has none, or it is not known */
};

/* Key: fingerprint. The machine that the run was on; one row. */
struct runfile_machine {
        const char *fingerprint;
        const char *document; /* infprof.machine/1, without `ceilings` where none were measured */
};

/*
 * Creates `path` (mode 0600) or, if it holds the same run, reopens it for
 * writing; -EEXIST: it holds another run. The row of a reopened run is replaced.
 */
int runfile_create(struct runfile **ret, const char *path, const struct runfile_run *run,
                   char **ret_why);

/*
 * Opens to read, also while somebody writes: what is read between open and
 * close is one instant of the run. A path that is RUNFILE_BY_DESCRIPTOR and the number of an open
 * file is that file, which need not have a name.
 */
#define RUNFILE_BY_DESCRIPTOR "/proc/self/fd/"
int runfile_open(struct runfile **ret, const char *path, char **ret_why);

/*
 * That instant of the run as a file would have it; -EFBIG: it is more than `most` bytes. To be
 * given back.
 */
int runfile_bytes(struct runfile *rf, size_t most, uint8_t **ret, size_t *ret_n);
void runfile_bytes_free(uint8_t *bytes);

#define RUNFILE_NO_TEXT "***" /* stands where a text of the engine was */

/* How many texts the engine told (infprof_text()) are in such bytes. */
int runfile_bytes_texts(const uint8_t *bytes, size_t n, uint64_t *ret_texts);

/* Takes them out of such bytes, which are others then (NULL where that failed half-way). */
int runfile_bytes_drop_texts(uint8_t **bytes, size_t *n, uint64_t *ret_texts);

/*
 * NULL, for assignment. A writer's close leaves the run in this one file,
 * readable from a read-only directory, if no reader is in the way.
 */
struct runfile *runfile_close(struct runfile *rf);

/*
 * Writes between begin and commit become visible together; abort drops them.
 * A put that fails drops all since begin, and the commit then says why.
 */
int runfile_begin(struct runfile *rf);
int runfile_commit(struct runfile *rf, char **ret_why);
void runfile_abort(struct runfile *rf);

int runfile_put_run(struct runfile *rf, const struct runfile_run *run);
int runfile_put_process(struct runfile *rf, const struct runfile_process *p);
int runfile_put_op(struct runfile *rf, const struct runfile_op *op);
int runfile_put_op_phase(struct runfile *rf, const struct runfile_op_phase *row);
int runfile_put_thread(struct runfile *rf, const struct runfile_thread *t);
int runfile_put_thread_op(struct runfile *rf, const struct runfile_thread_op *row);
int runfile_put_shape(struct runfile *rf, const struct runfile_shape *row);
int runfile_put_operand(struct runfile *rf, const struct runfile_operand *row);
int runfile_put_shape_param(struct runfile *rf, const struct runfile_shape_param *row);
int runfile_put_shape_phase(struct runfile *rf, const struct runfile_shape_phase *row);
int runfile_put_layer(struct runfile *rf, const struct runfile_layer *row);
int runfile_put_experts(struct runfile *rf, const struct runfile_experts *row);
int runfile_put_told(struct runfile *rf, const struct runfile_told *row);
int runfile_put_marker(struct runfile *rf, const struct runfile_marker *row);
int runfile_put_counter(struct runfile *rf, const struct runfile_counter *row);
int runfile_put_tile(struct runfile *rf, const struct runfile_tile *row);
int runfile_put_instant(struct runfile *rf, const struct runfile_instant *row);
int runfile_put_site(struct runfile *rf, const struct runfile_site *s);
int runfile_put_second(struct runfile *rf, const struct runfile_second *s);
int runfile_put_size_class(struct runfile *rf, const struct runfile_size_class *c);
int runfile_put_frame(struct runfile *rf, const struct runfile_frame *f);
int runfile_put_stack(struct runfile *rf, const struct runfile_stack *s);
int runfile_put_memory(struct runfile *rf, const struct runfile_memory *m);
int runfile_put_arena(struct runfile *rf, const struct runfile_arena *a);
int runfile_put_mapped_file(struct runfile *rf, const struct runfile_mapped_file *f);
int runfile_put_token_alloc(struct runfile *rf, const struct runfile_token_alloc *t);
int runfile_put_token_point(struct runfile *rf, const struct runfile_token_point *p);
int runfile_put_kv(struct runfile *rf, const struct runfile_kv *row);
int runfile_put_kv_piece(struct runfile *rf, const struct runfile_kv_piece *row);
int runfile_put_kv_bin(struct runfile *rf, const struct runfile_kv_bin *row);
int runfile_put_kv_op(struct runfile *rf, const struct runfile_kv_op *row);
int runfile_put_span(struct runfile *rf, const struct runfile_span *row);
int runfile_put_mark(struct runfile *rf, const struct runfile_mark *m);
int runfile_put_mark_op(struct runfile *rf, const struct runfile_mark_op *m);
int runfile_put_mark_class(struct runfile *rf, const struct runfile_mark_class *m);
int runfile_put_mark_stack(struct runfile *rf, const struct runfile_mark_stack *m);
int runfile_put_thread_wait(struct runfile *rf, const struct runfile_thread_wait *row);
int runfile_put_wait(struct runfile *rf, const struct runfile_wait *row);
int runfile_put_wait_by(struct runfile *rf, const struct runfile_wait_by *row);
int runfile_put_wait_now(struct runfile *rf, const struct runfile_wait_now *row);
int runfile_put_spawn(struct runfile *rf, const struct runfile_spawn *row);
int runfile_put_ledger(struct runfile *rf, const struct runfile_ledger *row);
int runfile_put_ledger_row(struct runfile *rf, const struct runfile_ledger_row *row);
int runfile_put_ledger_thread(struct runfile *rf, const struct runfile_ledger_thread *row);
int runfile_put_slow_token(struct runfile *rf, const struct runfile_slow_token *row);
int runfile_put_slow_token_row(struct runfile *rf, const struct runfile_slow_token_row *row);
int runfile_put_kernel(struct runfile *rf, const struct runfile_kernel *row);
int runfile_put_kernel_op(struct runfile *rf, const struct runfile_kernel_op *row);
int runfile_put_syscall(struct runfile *rf, const struct runfile_syscall *row);
int runfile_put_preempt(struct runfile *rf, const struct runfile_preempt *row);
int runfile_put_off_cpu(struct runfile *rf, const struct runfile_off_cpu *row);
int runfile_put_note(struct runfile *rf, const struct runfile_note *note);
int runfile_put_machine(struct runfile *rf, const struct runfile_machine *row);
int runfile_put_surroundings(struct runfile *rf, const struct runfile_surroundings *row);
int runfile_put_confines(struct runfile *rf, const struct runfile_confines *row);
int runfile_put_environment(struct runfile *rf, const struct runfile_environment *row);
int runfile_put_library(struct runfile *rf, const struct runfile_library *row);

/*
 * What an adopting daemon needs of a process it finds again: false = not in
 * this file. Strings in *ret live until the next call or close.
 */
bool runfile_find_process(struct runfile *rf, const char *uuid, struct runfile_process *ret);

/*
 * Reading: the one run, and every row of a table in the order of its key. The row and
 * its strings and histogram live until `fn` returns; `fn` stops the walk with
 * a value other than 0, which is forwarded. Damage met on the way is RUNFILE_E_FOREIGN.
 * Strings are as they were put, not necessarily valid UTF-8. Of a histogram, its blob
 * has been checked; that the numbers agree with each other has not.
 */
int runfile_get_run(struct runfile *rf, struct runfile_run *ret); /* strings live until close */

typedef int (*runfile_process_fn)(const struct runfile_process *p, void *userdata);
typedef int (*runfile_op_fn)(const struct runfile_op *op, void *userdata);
typedef int (*runfile_op_phase_fn)(const struct runfile_op_phase *row, void *userdata);
typedef int (*runfile_thread_fn)(const struct runfile_thread *t, void *userdata);
typedef int (*runfile_thread_op_fn)(const struct runfile_thread_op *row, void *userdata);
typedef int (*runfile_shape_fn)(const struct runfile_shape *row, void *userdata);
typedef int (*runfile_operand_fn)(const struct runfile_operand *row, void *userdata);
typedef int (*runfile_shape_param_fn)(const struct runfile_shape_param *row, void *userdata);
typedef int (*runfile_shape_phase_fn)(const struct runfile_shape_phase *row, void *userdata);
typedef int (*runfile_layer_fn)(const struct runfile_layer *row, void *userdata);
typedef int (*runfile_experts_fn)(const struct runfile_experts *row, void *userdata);
typedef int (*runfile_told_fn)(const struct runfile_told *row, void *userdata);
typedef int (*runfile_marker_fn)(const struct runfile_marker *row, void *userdata);
typedef int (*runfile_counter_fn)(const struct runfile_counter *row, void *userdata);
typedef int (*runfile_tile_fn)(const struct runfile_tile *row, void *userdata);
typedef int (*runfile_instant_fn)(const struct runfile_instant *row, void *userdata);
typedef int (*runfile_site_fn)(const struct runfile_site *s, void *userdata);
typedef int (*runfile_second_fn)(const struct runfile_second *s, void *userdata);
typedef int (*runfile_size_class_fn)(const struct runfile_size_class *c, void *userdata);
typedef int (*runfile_frame_fn)(const struct runfile_frame *f, void *userdata);
typedef int (*runfile_stack_fn)(const struct runfile_stack *s, void *userdata);
typedef int (*runfile_memory_fn)(const struct runfile_memory *m, void *userdata);
typedef int (*runfile_arena_fn)(const struct runfile_arena *a, void *userdata);
typedef int (*runfile_mapped_file_fn)(const struct runfile_mapped_file *f, void *userdata);
typedef int (*runfile_token_alloc_fn)(const struct runfile_token_alloc *t, void *userdata);
typedef int (*runfile_token_point_fn)(const struct runfile_token_point *p, void *userdata);
typedef int (*runfile_kv_fn)(const struct runfile_kv *row, void *userdata);
typedef int (*runfile_kv_piece_fn)(const struct runfile_kv_piece *row, void *userdata);
typedef int (*runfile_kv_bin_fn)(const struct runfile_kv_bin *row, void *userdata);
typedef int (*runfile_kv_op_fn)(const struct runfile_kv_op *row, void *userdata);
typedef int (*runfile_span_fn)(const struct runfile_span *row, void *userdata);
typedef int (*runfile_mark_fn)(const struct runfile_mark *m, void *userdata);
typedef int (*runfile_mark_op_fn)(const struct runfile_mark_op *m, void *userdata);
typedef int (*runfile_mark_class_fn)(const struct runfile_mark_class *m, void *userdata);
typedef int (*runfile_mark_stack_fn)(const struct runfile_mark_stack *m, void *userdata);
typedef int (*runfile_thread_wait_fn)(const struct runfile_thread_wait *row, void *userdata);
typedef int (*runfile_wait_fn)(const struct runfile_wait *row, void *userdata);
typedef int (*runfile_wait_by_fn)(const struct runfile_wait_by *row, void *userdata);
typedef int (*runfile_wait_now_fn)(const struct runfile_wait_now *row, void *userdata);
typedef int (*runfile_spawn_fn)(const struct runfile_spawn *row, void *userdata);
typedef int (*runfile_ledger_fn)(const struct runfile_ledger *row, void *userdata);
typedef int (*runfile_ledger_row_fn)(const struct runfile_ledger_row *row, void *userdata);
typedef int (*runfile_ledger_thread_fn)(const struct runfile_ledger_thread *row, void *userdata);
typedef int (*runfile_slow_token_fn)(const struct runfile_slow_token *row, void *userdata);
typedef int (*runfile_slow_token_row_fn)(const struct runfile_slow_token_row *row, void *userdata);
typedef int (*runfile_kernel_fn)(const struct runfile_kernel *row, void *userdata);
typedef int (*runfile_kernel_op_fn)(const struct runfile_kernel_op *row, void *userdata);
typedef int (*runfile_syscall_fn)(const struct runfile_syscall *row, void *userdata);
typedef int (*runfile_preempt_fn)(const struct runfile_preempt *row, void *userdata);
typedef int (*runfile_off_cpu_fn)(const struct runfile_off_cpu *row, void *userdata);
typedef int (*runfile_note_fn)(const struct runfile_note *note, void *userdata);
typedef int (*runfile_machine_fn)(const struct runfile_machine *row, void *userdata);
typedef int (*runfile_surroundings_fn)(const struct runfile_surroundings *row, void *userdata);
typedef int (*runfile_confines_fn)(const struct runfile_confines *row, void *userdata);
typedef int (*runfile_environment_fn)(const struct runfile_environment *row, void *userdata);
typedef int (*runfile_library_fn)(const struct runfile_library *row, void *userdata);

int runfile_each_process(struct runfile *rf, runfile_process_fn fn, void *userdata);
int runfile_each_op(struct runfile *rf, runfile_op_fn fn, void *userdata);
int runfile_each_op_phase(struct runfile *rf, runfile_op_phase_fn fn, void *userdata);
int runfile_each_thread(struct runfile *rf, runfile_thread_fn fn, void *userdata);
int runfile_each_thread_op(struct runfile *rf, runfile_thread_op_fn fn, void *userdata);
int runfile_each_shape(struct runfile *rf, runfile_shape_fn fn, void *userdata);
int runfile_each_operand(struct runfile *rf, runfile_operand_fn fn, void *userdata);
int runfile_each_shape_param(struct runfile *rf, runfile_shape_param_fn fn, void *userdata);
int runfile_each_shape_phase(struct runfile *rf, runfile_shape_phase_fn fn, void *userdata);
int runfile_each_layer(struct runfile *rf, runfile_layer_fn fn, void *userdata);
int runfile_each_experts(struct runfile *rf, runfile_experts_fn fn, void *userdata);
int runfile_each_told(struct runfile *rf, runfile_told_fn fn, void *userdata);
int runfile_each_marker(struct runfile *rf, runfile_marker_fn fn, void *userdata);
int runfile_each_counter(struct runfile *rf, runfile_counter_fn fn, void *userdata);
int runfile_each_tile(struct runfile *rf, runfile_tile_fn fn, void *userdata);
int runfile_each_instant(struct runfile *rf, runfile_instant_fn fn, void *userdata);
int runfile_each_site(struct runfile *rf, runfile_site_fn fn, void *userdata);
int runfile_each_second(struct runfile *rf, runfile_second_fn fn, void *userdata);
int runfile_each_size_class(struct runfile *rf, runfile_size_class_fn fn, void *userdata);
int runfile_each_frame(struct runfile *rf, runfile_frame_fn fn, void *userdata);
int runfile_each_stack(struct runfile *rf, runfile_stack_fn fn, void *userdata);
int runfile_each_memory(struct runfile *rf, runfile_memory_fn fn, void *userdata);
int runfile_each_arena(struct runfile *rf, runfile_arena_fn fn, void *userdata);
int runfile_each_mapped_file(struct runfile *rf, runfile_mapped_file_fn fn, void *userdata);
int runfile_each_token_alloc(struct runfile *rf, runfile_token_alloc_fn fn, void *userdata);
int runfile_each_token_point(struct runfile *rf, runfile_token_point_fn fn, void *userdata);
int runfile_each_kv(struct runfile *rf, runfile_kv_fn fn, void *userdata);
int runfile_each_kv_piece(struct runfile *rf, runfile_kv_piece_fn fn, void *userdata);
int runfile_each_kv_bin(struct runfile *rf, runfile_kv_bin_fn fn, void *userdata);
int runfile_each_kv_op(struct runfile *rf, runfile_kv_op_fn fn, void *userdata);
int runfile_each_span(struct runfile *rf, runfile_span_fn fn, void *userdata);
int runfile_each_mark(struct runfile *rf, runfile_mark_fn fn, void *userdata);
int runfile_each_mark_op(struct runfile *rf, runfile_mark_op_fn fn, void *userdata);
int runfile_each_mark_class(struct runfile *rf, runfile_mark_class_fn fn, void *userdata);
int runfile_each_mark_stack(struct runfile *rf, runfile_mark_stack_fn fn, void *userdata);
int runfile_each_thread_wait(struct runfile *rf, runfile_thread_wait_fn fn, void *userdata);
int runfile_each_wait(struct runfile *rf, runfile_wait_fn fn, void *userdata);
int runfile_each_wait_by(struct runfile *rf, runfile_wait_by_fn fn, void *userdata);
int runfile_each_wait_now(struct runfile *rf, runfile_wait_now_fn fn, void *userdata);
int runfile_each_spawn(struct runfile *rf, runfile_spawn_fn fn, void *userdata);
int runfile_each_ledger(struct runfile *rf, runfile_ledger_fn fn, void *userdata);
int runfile_each_ledger_row(struct runfile *rf, runfile_ledger_row_fn fn, void *userdata);
int runfile_each_ledger_thread(struct runfile *rf, runfile_ledger_thread_fn fn, void *userdata);
int runfile_each_slow_token(struct runfile *rf, runfile_slow_token_fn fn, void *userdata);
int runfile_each_slow_token_row(struct runfile *rf, runfile_slow_token_row_fn fn, void *userdata);
int runfile_each_kernel(struct runfile *rf, runfile_kernel_fn fn, void *userdata);
int runfile_each_kernel_op(struct runfile *rf, runfile_kernel_op_fn fn, void *userdata);
int runfile_each_syscall(struct runfile *rf, runfile_syscall_fn fn, void *userdata);
int runfile_each_preempt(struct runfile *rf, runfile_preempt_fn fn, void *userdata);
int runfile_each_off_cpu(struct runfile *rf, runfile_off_cpu_fn fn, void *userdata);
int runfile_each_note(struct runfile *rf, runfile_note_fn fn, void *userdata);
int runfile_each_machine(struct runfile *rf, runfile_machine_fn fn, void *userdata);
int runfile_each_surroundings(struct runfile *rf, runfile_surroundings_fn fn, void *userdata);
int runfile_each_confines(struct runfile *rf, runfile_confines_fn fn, void *userdata);
int runfile_each_environment(struct runfile *rf, runfile_environment_fn fn, void *userdata);
int runfile_each_library(struct runfile *rf, runfile_library_fn fn, void *userdata);

/* Time in which tokens were decoded (once where threads do so side by side), and number of first
 * tokens (TTFT spans), all processes. */
int runfile_token_ns(struct runfile *rf, uint64_t *ret_ns, uint64_t *ret_n_first);

/* One line on why the last read failed; owned by `rf`. */
const char *runfile_why(struct runfile *rf);
