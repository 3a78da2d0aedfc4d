/* SPDX-License-Identifier: MIT */
/*
 * The kernel's view of an engine's threads: what the programs in bpf/ write, the daemon reads,
 * and the shim reads at the end of each token. One array a process, one element a lane; an element
 * goes on growing when its lane is taken by another thread, as the lane's rows do. Of threads
 * without a lane the last element has the sum.
 *
 * It reaches the shim, read-only, as a descriptor beside the answer to its greeting (handshake.h).
 *
 * Shared with programs in the kernel: fixed-size integers, nothing else.
 */
#pragma once

#ifndef __bpf__
#include <stdint.h>
#endif

enum ifp_kernel_now {
        IFP_KERNEL_RUNNING = 0,
        IFP_KERNEL_RUNNABLE = 1,
        IFP_KERNEL_BLOCKED = 2,
        IFP_KERNEL_GONE = 3,
};

/* What a thread that is neither running nor runnable is blocked in. */
enum ifp_block_kind {
        IFP_BLOCK_FUTEX = 0,
        IFP_BLOCK_IO = 1,    /* uninterruptible, or read, write and the like */
        IFP_BLOCK_FAULT = 2, /* a page fault waits for its page */
        IFP_BLOCK_SLEEP = 3, /* nanosleep */
        IFP_BLOCK_POLL = 4,  /* poll, select, epoll */
        IFP_BLOCK_OTHER = 5,
        IFP_N_BLOCK_KINDS = 6,
};

#define IFP_KERNEL_STATES 6 /* enum ifp_state of segment.h */

/* All times in ns of CLOCK_MONOTONIC. Written by one CPU at a time; only grows, but for `now`. */
struct ifp_kernel_lane {
        uint64_t seq;         /* odd while it is being written */
        uint64_t since;       /* when `now` began; the time since then is not yet in any sum */
        uint32_t now;         /* enum ifp_kernel_now */
        uint32_t state;       /* enum ifp_state when it began */
        uint32_t block;       /* enum ifp_block_kind, where now is BLOCKED */
        uint32_t cpu;         /* where it ran last */
        uint64_t sys_since;   /* the system call under way, as it counts to syscall; 0 = none */
        uint64_t fault_since; /* the page fault under way; 0 = none */
        uint64_t running;
        uint64_t runnable[IFP_KERNEL_STATES];
        uint64_t blocked[IFP_N_BLOCK_KINDS];
        /* Wall time in page faults, and in system calls that are no wait (those with state WAIT are
           left out); runnable time within them is not taken off here: it is in *_runnable. */
        uint64_t fault[IFP_KERNEL_STATES];
        uint64_t syscall[IFP_KERNEL_STATES];
        uint64_t fault_runnable[IFP_KERNEL_STATES], syscall_runnable[IFP_KERNEL_STATES];
        uint64_t voluntary, involuntary, migrations, minor_faults, major_faults, syscalls;
        uint64_t reserved[7];
};

#ifndef __bpf__
_Static_assert(sizeof(struct ifp_kernel_lane) == 448, "shared with the kernel");
#endif
