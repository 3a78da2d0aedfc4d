/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* A thread's stretches (running, runnable, blocked), and how they come into its lane's element. */
#pragma once

#include "find.h"

/* Its element is written between these two; the last one is everybody's and has no order. */
static __always_inline void write_begin(struct ifp_kernel_lane *e)
{
        *(volatile __u64 *)&e->seq += 1;
        order();
}

static __always_inline void write_end(struct ifp_kernel_lane *e)
{
        order();
        *(volatile __u64 *)&e->seq += 1;
}

static __always_inline void add_stretch(struct ifp_kernel_lane *e, const struct view_task *t,
                                        bool own, __u64 ns)
{
        __u32 state = t->state < IFP_KERNEL_STATES ? t->state : 0;
        __u32 block = t->block < IFP_N_BLOCK_KINDS ? t->block : IFP_BLOCK_OTHER;

        if (t->now == IFP_KERNEL_RUNNING) {
                plus(own, &e->running, ns);
        } else if (t->now == IFP_KERNEL_RUNNABLE) {
                plus(own, &e->runnable[state], ns);
                if (t->fault_start)
                        plus(own, &e->fault_runnable[state], ns);
                else if (t->syscall != VIEW_SYSCALL_NONE && t->sys_counts)
                        plus(own, &e->syscall_runnable[state], ns);
        } else {
                plus(own, &e->blocked[block], ns);
        }
}

static __always_inline void show(struct ifp_kernel_lane *e, const struct view_task *t)
{
        e->now = t->now;
        e->since = t->now == IFP_KERNEL_GONE ? 0 : t->since;
        e->state = t->state;
        e->block = t->block;
        e->cpu = t->cpu;
        e->sys_since = t->syscall != VIEW_SYSCALL_NONE && t->sys_counts ? t->sys_start : 0;
        e->fault_since = t->fault_start;
}

static __always_inline bool is_own(const struct view_task *t, const struct view_proc *p)
{
        return t->lane + 1 < p->n_lanes;
}

/* The stretch so far is over; another one begins. `e` is being written. */
static __always_inline void close_stretch(struct view_task *t, struct ifp_kernel_lane *e, bool own,
                                          __u64 ns)
{
        __u64 took = ns > t->since ? ns - t->since : 0;

        add_stretch(e, t, own, took);
        t->since = ns;
        if (t->calls) {
                plus(own, &e->syscalls, t->calls);
                t->calls = 0;
        }
}
