/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* The beginning and the end of threads. */
#pragma once

#include "look.h"
#include "on-syscall.h"

static __always_inline void begin(struct view_task *t, __u32 slot, const struct view_proc *p)
{
        t->slot = slot;
        t->lane = p->n_lanes - 1;
        t->cpu = NOBODY;
        t->syscall = VIEW_SYSCALL_NONE;
        t->sys_counts = 0;
        t->fault_start = 0;
        t->preempted = 0;
        t->stack = -1;
        t->op = t->phase = 0;
        t->state = STATE_NONE;
        t->block = IFP_BLOCK_OTHER;
        t->looked = 0;
        t->looked_at = 0;
        t->kind_of = 0;
        t->calls = t->n_calls = t->off_switches = 0;
        t->calls_ns = t->off_blocked = t->off_runnable = 0;
        t->has_before = 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(forked, struct task_struct *parent, struct task_struct *child)
{
        struct view_task *from, *t;
        struct view_proc *p;

        if (!parent->bpf_storage || parent->tgid != child->tgid)
                return 0;
        from = watched(parent);
        p = from ? proc_of(from) : NULL;
        if (!p)
                return 0;
        t = bpf_task_storage_get(&tasks, child, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
        if (!t) {
                lose(from);
                return 0;
        }
        begin(t, from->slot, p);
        t->number = p->number;
        t->phase = from->phase;
        t->since = bpf_ktime_get_ns();
        t->now = IFP_KERNEL_RUNNABLE; /* its first wakeup follows at once */
        return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(exited, struct task_struct *task)
{
        struct view_task *t = watched(task);
        struct ifp_kernel_lane *e;
        struct view_proc *p;
        __u64 ns;
        bool own;

        p = t ? proc_of(t) : NULL;
        if (!p)
                return 0;
        ns = bpf_ktime_get_ns();
        t->fault_start = 0;
        end_syscall(t, p, 0, ns);
        give_calls(t, p);
        e = element(t);
        if (!e)
                return 0;
        own = is_own(t, p);
        if (own)
                write_begin(e);
        close_stretch(t, e, own, ns);
        t->now = IFP_KERNEL_GONE;
        if (own) {
                show(e, t);
                write_end(e);
        }
        return 0;
}

/* Another program: what we know of its memory is void; its own shim will say hello. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(execs, struct task_struct *task, int old_pid)
{
        if (task->bpf_storage)
                bpf_task_storage_delete(&tasks, task);
        return 0;
}
