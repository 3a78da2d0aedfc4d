/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* System calls. */
#pragma once

#include "look.h"

static __always_inline __u32 class_of(__u32 syscall)
{
        return syscall < VIEW_SYSCALLS ? classes[syscall] : VIEW_CLASS_OTHER;
}

/*
 * Where it is made from is looked up when it leaves the CPU, or at its end: in between nothing of
 * it can change. Of those that only wait, at the end nobody asks.
 */
SEC("tp_btf/sys_enter")
int BPF_PROG(enters, struct pt_regs *regs, long id)
{
        struct task_struct *task = bpf_get_current_task_btf();
        struct view_task *t;

        if (!task->bpf_storage)
                return 0;
        t = watched(task);
        if (!t)
                return 0;
        t->fault_start = 0; /* one that came to nothing (a signal instead) has no end of its own */
        t->syscall = (unsigned long)id < VIEW_SYSCALLS ? (__u32)id : VIEW_SYSCALLS;
        t->sys_class = class_of(t->syscall);
        t->sys_start = bpf_ktime_get_ns();
        t->calls++;
        t->looked = 0;
        t->sys_counts = 0;
        return 0;
}

static __always_inline void count_syscall(struct view_task *t, bool failed, __u64 took)
{
        struct view_syscall_key key = {.number = t->number, .syscall = t->syscall};
        struct view_syscall *s;
        __u32 i = view_hist_index(took);

        if (key.syscall == VIEW_SYSCALLS)
                key.syscall = VIEW_SYSCALL_NONE;
        s = bpf_map_lookup_elem(&syscalls, &key);
        if (!s) {
                bpf_map_update_elem(&syscalls, &key, &no_syscall, BPF_NOEXIST);
                s = bpf_map_lookup_elem(&syscalls, &key);
        }
        if (!s) {
                lose(t);
                return;
        }
        add(&s->count, 1);
        add(&s->total, took);
        if (took > s->max) /* of two at the same time, one may be overwritten by the smaller */
                s->max = took;
        if (failed)
                add(&s->failed, 1);
        if (i < VIEW_HIST_BUCKETS)
                add(&s->hist[i], 1);
}

static __always_inline void end_syscall(struct view_task *t, struct view_proc *p, long ret,
                                        __u64 ns)
{
        __u64 took = ns > t->sys_start ? ns - t->sys_start : 0;
        bool shown = t->looked;

        if (t->syscall == VIEW_SYSCALL_NONE)
                return;
        count_syscall(t, ret < 0 && ret >= -4095, took);
        t->syscall = VIEW_SYSCALL_NONE;
        t->looked = 0;
        if (!t->sys_counts)
                return;
        t->n_calls++;
        t->calls_ns += took;
        if (shown)
                give_calls(t, p);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(leaves, struct pt_regs *regs, long ret)
{
        struct task_struct *task = bpf_get_current_task_btf();
        struct view_task *t;
        struct view_proc *p;
        __u64 ns;

        if (!task->bpf_storage)
                return 0;
        t = watched(task);
        p = t && t->syscall != VIEW_SYSCALL_NONE ? proc_of(t) : NULL;
        if (!p)
                return 0;
        ns = bpf_ktime_get_ns();
        if (!t->looked && !is_wait(t->sys_class)) {
                if (ns - t->looked_at > VIEW_FRESH_NS)
                        look(task, t, p, ns);
                else
                        t->sys_counts = t->state != STATE_WAIT;
        }
        end_syscall(t, p, ret, ns);
        return 0;
}
