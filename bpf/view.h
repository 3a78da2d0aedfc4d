/* SPDX-License-Identifier: MIT */
/*
 * Between the programs in the kernel and the daemon: what a map holds. The daemon writes `procs`,
 * the programs all the rest. A process that is watched has a slot and, since slots are used again,
 * a number that is never used twice; keys have the number.
 *
 * Shared with programs in the kernel: fixed-size integers, nothing else.
 */
#pragma once

#include <infprof/kernel.h>

#ifndef __bpf__
#include <stdint.h>
#endif

#define VIEW_PROCS 64u /* watched at the same time */
/* IFP_MAX_LANES: all arrays are of one size, so that an element is found by a few instructions and
   not by a call */
#define VIEW_LANES    2048u
#define VIEW_SYSCALLS 512u
/* A number that no system call has; as a key: all of those. */
#define VIEW_SYSCALL_NONE 0xffffffffu
#define VIEW_STACK_DEPTH  64u
#define VIEW_PHASES       5u    /* IFP_N_PHASES */
#define VIEW_OPS          2048u /* IFP_MAX_OPS */

/* How many elements the maps have; a debug setting makes them smaller. */
#define VIEW_MAX_OPS      8192u
#define VIEW_MAX_SYSCALLS 1024u
#define VIEW_MAX_PREEMPTS 2048u
#define VIEW_MAX_OFFCPU   8192u
#define VIEW_MAX_STACKS   8192u
#define VIEW_MAX_IO       4096u

/*
 * Histograms of ns, log-linear like those of <infprof/hist.h> but coarser: 16 buckets an octave, so
 * that a value is at most 1/32 (3.2 %) away from the middle of its bucket. Up to 2^40 ns, 18
 * minutes; longer times count in the last one.
 */
#define VIEW_HIST_SUB_BITS 4
#define VIEW_HIST_SUB      (1u << VIEW_HIST_SUB_BITS)
#define VIEW_HIST_BITS     40
#define VIEW_HIST_BUCKETS  ((VIEW_HIST_BITS - VIEW_HIST_SUB_BITS + 1) * VIEW_HIST_SUB)

/* By steps, as there is no instruction for it in the kernel's programs. */
static inline __attribute__((always_inline)) uint32_t view_hist_index(uint64_t v)
{
        uint32_t e = 0;
        uint64_t w = v;

        if (v < VIEW_HIST_SUB)
                return (uint32_t)v;
        if (v >> VIEW_HIST_BITS)
                return VIEW_HIST_BUCKETS - 1;
        if (w >> 32)
                e += 32, w >>= 32;
        if (w >> 16)
                e += 16, w >>= 16;
        if (w >> 8)
                e += 8, w >>= 8;
        if (w >> 4)
                e += 4, w >>= 4;
        if (w >> 2)
                e += 2, w >>= 2;
        e += (uint32_t)(w >> 1);
        return (e - VIEW_HIST_SUB_BITS + 1) << VIEW_HIST_SUB_BITS |
               (uint32_t)(v >> (e - VIEW_HIST_SUB_BITS) & (VIEW_HIST_SUB - 1));
}

/* Where things lie in the engine's segment; the daemon asserts that they do. */
#define VIEW_LANE_TOP   112u
#define VIEW_LANE_OPEN  192u
#define VIEW_OPEN_BYTES 64u
#define VIEW_OPEN_PHASE 31u /* and op << 48 is in the 8 bytes that follow it */
#define VIEW_OP_BYTES   16u
#define VIEW_OP_KIND    12u

/* A system call that is shorter counts with what was open when its thread was looked at, if that is
   not longer ago. */
#define VIEW_FRESH_NS 20000u

#define VIEW_OFFCPU (1u << 0) /* stacks of blocked time are wanted */

/* A process that is watched. Written by the daemon; number 0: nobody. */
struct view_proc {
        uint32_t number;
        uint32_t flags;
        uint32_t n_lanes;
        uint32_t tgid;  /* in the innermost pid namespace that it is in, */
        uint32_t pidns; /* and the inode of that */
        uint32_t reserved;
        uint64_t lanes_at, lane_bytes;
        int64_t tls_offset; /* 0: not told: all its threads are without a lane */
        uint64_t ops_at, phase_at, waits_offset;
        /* Where its first thread stood when the watch was asked for; from then on it counts. */
        uint64_t since_ns;
        uint64_t running, runnable, voluntary, involuntary, minor_faults, major_faults;
        uint32_t waits;      /* its segment tells them */
        uint32_t first_lane; /* of its first thread; none: n_lanes - 1 */
};

/* What only one process has one of. */
struct view_total {
        uint64_t lost;        /* events that found no room */
        uint64_t stacks_lost; /* off-CPU stacks that could not be taken */
        uint64_t io_count, io_bytes, io_ns;
        uint64_t load_io_count, load_io_bytes, load_io_ns;
        uint64_t run_queue[VIEW_HIST_BUCKETS]; /* runnable to running */
        uint64_t io[VIEW_HIST_BUCKETS];
};

struct view_op_key {
        uint32_t number;
        uint16_t op;
        uint16_t phase;
};

struct view_op {
        uint64_t runnable, blocked, fault, minor_faults, major_faults, syscalls, syscall, switches;
};

struct view_syscall_key {
        uint32_t number;
        uint32_t syscall;
};

struct view_syscall {
        uint64_t count, total, max, failed;
        uint32_t hist[VIEW_HIST_BUCKETS];
};

struct view_preempt_key {
        uint32_t number;
        uint32_t pid; /* 0: all that found no place */
};

struct view_preempt {
        uint64_t count, total;
        char name[16];
        uint32_t own;
        uint32_t reserved;
};

struct view_off_key {
        uint32_t number;
        int32_t stack;
        uint16_t op;
        uint8_t phase;
        uint8_t block; /* enum ifp_block_kind; IFP_N_BLOCK_KINDS: preempted */
};

struct view_off {
        uint64_t count, total;
};

/* Of a request on its way. */
struct view_io {
        uint64_t start;
        uint32_t slot, number;
        uint32_t bytes, load;
};

/* What a system call is about. */
enum view_class {
        VIEW_CLASS_OTHER = 0,
        VIEW_CLASS_FUTEX = 1,
        VIEW_CLASS_SLEEP = 2,
        VIEW_CLASS_POLL = 3,
        VIEW_CLASS_YIELD = 4, /* up to here, from FUTEX on: it is a wait, not work */
        VIEW_CLASS_IO = 5,
};

/* What a thread did before the programs looked at it. */
struct view_before {
        uint64_t running, runnable, blocked, voluntary, involuntary, minor_faults, major_faults;
};

/* A thread, in its task's storage. */
struct view_task {
        uint32_t slot, number; /* whose; another number in that slot: nobody's any more */
        uint32_t lane;         /* index; the last one: none of its own */
        uint32_t now;          /* enum ifp_kernel_now */
        uint64_t since;
        uint32_t state; /* enum ifp_state, and what was open, when last looked */
        uint16_t op, phase;
        uint32_t block;   /* while blocked */
        uint32_t cpu;     /* where it ran last; ~0: nowhere yet */
        uint32_t syscall; /* under way; VIEW_SYSCALL_NONE: none */
        uint32_t sys_class;
        uint64_t sys_start;
        uint32_t sys_counts; /* it is no wait: its time goes to ifp_kernel_lane.syscall */
        uint32_t preempted;  /* it was put off by `by`, and did not ask for it */
        uint64_t fault_start;
        uint32_t by;
        int32_t stack;    /* of where it went off the CPU; < 0: none */
        uint32_t looked;  /* since it entered the kernel this time */
        uint32_t kind_of; /* op + 1 whose kind was read last, and the state it means */
        uint32_t kind_state;
        uint32_t calls;     /* system calls that are not in its element yet */
        uint64_t looked_at; /* when that was last; what was open then may serve for a while */
        /* System calls that are no wait, with what was open then, and not yet given to anybody. */
        uint64_t calls_ns;
        uint32_t n_calls, reserved;
        /* Off the CPU, and not yet in `ops`. */
        uint64_t off_blocked, off_runnable;
        uint32_t off_switches;
        uint32_t has_before;
        struct view_before before; /* goes to the first lane that it has */
};
