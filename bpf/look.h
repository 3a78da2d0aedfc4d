/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* A look at where a thread stands. What it did before is given to what was open then. */
#pragma once

#include "lane.h"
#include "stretch.h"

static __always_inline bool is_wait(__u32 class)
{
        return class >= VIEW_CLASS_FUTEX && class <= VIEW_CLASS_YIELD;
}

/* It has a lane now: what it did before we looked belongs there. */
static __always_inline void give_before(struct view_task *t)
{
        struct ifp_kernel_lane *e = element(t);

        t->has_before = 0;
        if (!e)
                return;
        write_begin(e);
        e->running += t->before.running;
        e->runnable[STATE_NONE] += t->before.runnable;
        e->blocked[IFP_BLOCK_OTHER] += t->before.blocked;
        e->voluntary += t->before.voluntary;
        e->involuntary += t->before.involuntary;
        e->minor_faults += t->before.minor_faults;
        e->major_faults += t->before.major_faults;
        write_end(e);
}

/* System calls that have ended since it was looked at last. */
static __always_inline void give_calls(struct view_task *t, const struct view_proc *p)
{
        __u32 state = t->state < IFP_KERNEL_STATES ? t->state : 0;
        struct ifp_kernel_lane *e;
        struct view_op *op;

        if (!t->n_calls)
                return;
        op = op_of(t);
        if (op) {
                add(&op->syscalls, t->n_calls);
                add(&op->syscall, t->calls_ns);
        }
        e = element(t);
        if (e && is_own(t, p)) {
                write_begin(e);
                e->syscall[state] += t->calls_ns;
                e->syscalls += t->calls;
                e->sys_since = 0;
                write_end(e);
                t->calls = 0;
        } else if (e) {
                add(&e->syscall[state], t->calls_ns);
        }
        t->n_calls = 0;
        t->calls_ns = 0;
}

/*
 * Looks where the thread stands, and what is open there. Between two looks a thread may have got
 * its lane, or have given it up: the stretch that goes on belongs to the lane.
 */
static __always_inline void look(struct task_struct *task, struct view_task *t,
                                 const struct view_proc *p, __u64 ns)
{
        struct ifp_kernel_lane *e;
        bool had = is_own(t, p);
        __u32 lane, before = t->lane;
        __u64 at;
        bool readable = lane_of(task, p, &at, &lane);

        give_calls(t, p);
        t->looked_at = ns;
        t->looked = 1;
        if (!readable)
                goto out;
        if (lane != before && had) {
                e = element(t);
                if (e) {
                        write_begin(e);
                        close_stretch(t, e, true, ns);
                        e->now = IFP_KERNEL_GONE;
                        e->since = e->sys_since = e->fault_since = 0;
                        write_end(e);
                }
        }
        t->lane = lane;
        if (t->has_before && at && is_own(t, p))
                give_before(t);
        read_open(t, p, at);
out:
        if (t->syscall != VIEW_SYSCALL_NONE)
                t->sys_counts = !is_wait(t->sys_class) && t->state != STATE_WAIT;
}
