/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* Page faults. */
#pragma once

#include "look.h"

SEC("tp_btf/page_fault_user")
int BPF_PROG(faults, unsigned long address, struct pt_regs *regs, unsigned long code)
{
        struct task_struct *task = bpf_get_current_task_btf();
        struct ifp_kernel_lane *e;
        struct view_task *t;
        struct view_proc *p;
        __u64 ns;

        if (!task->bpf_storage)
                return 0;
        t = watched(task);
        p = t ? proc_of(t) : NULL;
        if (!p)
                return 0;
        ns = bpf_ktime_get_ns();
        t->syscall = VIEW_SYSCALL_NONE; /* it faults in user mode: one that did not say its end */
        look(task, t, p, ns);
        t->fault_start = ns;
        e = is_own(t, p) ? element(t) : NULL;
        if (!e)
                return 0;
        write_begin(e);
        show(e, t);
        write_end(e);
        return 0;
}

/*
 * The end of a fault, as the kernel accounts for it (mm_account_fault): a software event of perf.
 * Those that a system call runs into have no begin: they are counted, and their time is the call's.
 */
static __always_inline int fault_ends(bool major)
{
        struct task_struct *task = bpf_get_current_task_btf();
        struct ifp_kernel_lane *e;
        struct view_task *t;
        struct view_proc *p;
        struct view_op *op;
        __u64 took = 0, ns;
        __u32 state;
        bool own;

        if (!task->bpf_storage)
                return 0;
        t = watched(task);
        p = t ? proc_of(t) : NULL;
        if (!p)
                return 0;
        if (t->fault_start) {
                ns = bpf_ktime_get_ns();
                took = ns > t->fault_start ? ns - t->fault_start : 0;
        }
        if (!t->looked) /* in a wait, which did not look */
                look(task, t, p, bpf_ktime_get_ns());
        state = t->state < IFP_KERNEL_STATES ? t->state : 0;
        t->fault_start = 0;
        op = op_of(t);
        if (op) {
                add(&op->fault, took);
                add(major ? &op->major_faults : &op->minor_faults, 1);
        }
        e = element(t);
        if (!e)
                return 0;
        own = is_own(t, p);
        if (own)
                write_begin(e);
        plus(own, &e->fault[state], took);
        if (major)
                plus(own, &e->major_faults, 1);
        else
                plus(own, &e->minor_faults, 1);
        if (own) {
                e->fault_since = 0;
                write_end(e);
        }
        return 0;
}

SEC("perf_event")
int fault_minor(struct bpf_perf_event_data *ctx)
{
        return fault_ends(false);
}

SEC("perf_event")
int fault_major(struct bpf_perf_event_data *ctx)
{
        return fault_ends(true);
}
