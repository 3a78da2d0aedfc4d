/* SPDX-License-Identifier: MIT */
/*
 * The kernel's view of the engines' threads: by our programs in the kernel (bpf/) where that can
 * be, else by what /proc tells of threads that live.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/view.h"
#include "common/runfile.h"

struct process;
struct thread;
struct lane;

/* Of a thread or a lane; ns. Only grow. */
struct kernel_figures {
        uint64_t running, runnable, blocked[IFP_N_BLOCK_KINDS], fault, syscall;
        uint64_t voluntary, involuntary, migrations, minor_faults, major_faults, syscalls;
};

/* What is known of a thread; RUNFILE_NOT_TOLD in figures that are not. */
struct kernel_thread {
        bool told;
        uint32_t cpu; /* where it ran last; UINT32_MAX: not known */
        struct kernel_figures f;
};

struct kernel_op_row {
        struct view_op_key key;
        struct view_op v;
};

struct kernel_syscall_row {
        struct view_syscall_key key;
        struct view_syscall v;
};

struct kernel_preempt_row {
        struct view_preempt_key key;
        struct view_preempt v;
};

struct kernel_off_row {
        struct view_off_key key;
        struct view_off v;
        bool resolved;
        uint32_t n_frames, n_addresses;
        uint32_t *frames; /* logical ones */
        uint64_t addresses[VIEW_STACK_DEPTH];
};

/* What the run file had of it already. */
struct kernel_before_syscall {
        struct runfile_syscall row; /* its hist is NULL */
        uint64_t *hist;
};

struct kernel_before {
        struct runfile_kernel all; /* without histograms */
        uint64_t *run_queue, *io;
        struct runfile_kernel_op *ops;
        struct kernel_before_syscall *syscalls;
        uint32_t n_ops, n_syscalls;
        uint32_t next_preempt, next_off; /* rows that are taken */
};

/* Of one process. */
struct kernel {
        enum runfile_view view;
        char *why;   /* it is not BPF; NULL: it is */
        bool wanted; /* waits for the programs to be loaded */
        uint32_t slot;
        bool installed; /* its array is in the slot already */
        int array;      /* -1: none */
        const struct ifp_kernel_lane *lanes;
        size_t lanes_bytes;
        struct view_proc proc; /* number 0: not registered */
        uint64_t events_before, cost_before_ns, missed_before;

        uint64_t events, cost_ns; /* RUNFILE_NOT_TOLD: nobody could measure them */
        uint64_t cpus;
        struct view_total total;
        struct kernel_op_row *ops;
        struct kernel_syscall_row *syscalls;
        struct kernel_preempt_row *preempts;
        struct kernel_off_row *offs;
        uint32_t n_ops, n_syscalls, n_preempts, n_offs, offs_room;
        uint32_t *off_places;         /* of offs, by key */
        bool moved;                   /* since the last writing */
        struct kernel_before *before; /* NULL: nothing */
};

/* The daemon's. -errno, or 0; then kernel_fd() is to be watched, and kernel_serve called. */
int kernel_open(void);
void kernel_close(void);
int kernel_fd(void);
void kernel_serve(struct process *processes);
/* To be called again then; UINT64_MAX: never. */
uint64_t kernel_deadline(void);
void kernel_tick(uint64_t now_ns);

/* A process is taken over: makes its array, and sees to it that the programs look at it. */
void kernel_begin(struct process *p);

/* The array's descriptor, which cannot be written by; -1: none. */
int kernel_array(const struct process *p);

/* Brings all but the threads' figures up to date. */
void kernel_take(struct process *p);

/* Names for stacks: so many as a tick has time for, or all. */
void kernel_off_resolve(struct process *p, bool is_over);

/* Nobody looks at it any more. What was read stays until kernel_done. */
void kernel_end(struct process *p);
void kernel_done(struct process *p);

/* The figures of lane `i` less `base`, into the thread that has it. */
void kernel_refresh(struct process *p, struct thread *t, uint32_t i,
                    const struct kernel_figures *base);

/* That thread is over: the next begins where it ended. */
void kernel_figures_add(struct kernel_figures *to, const struct kernel_thread *t);

/* Fills the columns that are known, and leaves the others. */
void kernel_thread_figures(const struct process *p, const struct thread *t,
                           struct runfile_thread *row);

/* Of a process that an earlier daemon watched: what the file has of it, and of the thread of a
 * lane. */
struct runfile;
int kernel_resume(struct process *p, struct runfile *rf, uint32_t index);
void kernel_resume_thread(struct lane *l, const struct runfile_thread *row);

/* Counts of a histogram of view.h, as one of <infprof/hist.h>, of ns. */
void kernel_hist(const uint64_t *from, uint64_t *to);
void kernel_hist32(const uint32_t *from, uint64_t *to);
