/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* Threads that are there when a process is registered. */
#pragma once

#include "look.h"
#include "on-thread.h"

static __always_inline bool is_of(struct task_struct *task, const struct view_proc *p)
{
        struct pid *pid = BPF_CORE_READ(task, group_leader, thread_pid);
        unsigned int level;
        struct upid upid;

        if (!pid)
                return false;
        level = BPF_CORE_READ(pid, level);
        if (level > 32 || bpf_core_read(&upid, sizeof(upid),
                                        (void *)pid + bpf_core_field_offset(struct pid, numbers) +
                                                level * bpf_core_type_size(struct upid)))
                return false;
        return (__u32)upid.nr == p->tgid && BPF_CORE_READ(upid.ns, ns.inum) == p->pidns;
}

/* What it did before we began to look: since the watch was asked for, or since its own start. */
static __always_inline void take_before(struct view_task *t, const struct view_proc *p,
                                        struct task_struct *task, __u64 ns)
{
        __u64 started = task->start_time, since = p->since_ns, from;
        bool first = task->tgid == task->pid;
        struct view_before b = {};

        settled(started); /* else the two loads become one, of either pointer */
        settled(since);
        if (!since)
                return;
        if (started <
            since) { /* it was there then: only of the first one is known where it stood */
                if (!first)
                        return;
                b.running = p->running;
                b.runnable = p->runnable;
                b.voluntary = p->voluntary;
                b.involuntary = p->involuntary;
                b.minor_faults = p->minor_faults;
                b.major_faults = p->major_faults;
                from = since;
        } else {
                from = started;
        }
        if (from >= ns)
                return;
        b.running = task->se.sum_exec_runtime - b.running;
        b.runnable = task->sched_info.run_delay - b.runnable;
        if (b.running > ns - from)
                b.running = ns - from;
        if (b.runnable > ns - from - b.running)
                b.runnable = ns - from - b.running;
        b.blocked = ns - from - b.running - b.runnable;
        b.voluntary = task->nvcsw - b.voluntary;
        b.involuntary = task->nivcsw - b.involuntary;
        b.minor_faults = task->min_flt - b.minor_faults;
        b.major_faults = task->maj_flt - b.major_faults;
        t->before = b;
        t->has_before = 1;
}

/* The first thread's lane is known, which may long be blocked by now. */
static __always_inline void settle_first(struct view_task *t, const struct view_proc *p)
{
        struct ifp_kernel_lane *e;

        t->lane = p->first_lane;
        if (!is_own(t, p))
                return;
        if (t->has_before)
                give_before(t);
        e = element(t);
        if (!e)
                return;
        write_begin(e);
        show(e, t);
        write_end(e);
}

/*
 * A thread of the process that is looked for gets its storage. `number` is written last: until then
 * no event touches it.
 */
SEC("iter/task")
int find(struct bpf_iter__task *ctx)
{
        struct task_struct *task = ctx->task;
        __u32 zero = 0, slot, number, *which;
        struct view_proc *p;
        struct view_task *t;

        which = bpf_map_lookup_elem(&sought, &zero);
        if (!task || !which)
                return 0;
        slot = *which;
        p = bpf_map_lookup_elem(&procs, &slot);
        if (!p || !p->number || !is_of(task, p))
                return 0;
        number = p->number;
        t = bpf_task_storage_get(&tasks, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
        if (!t || t->number == number)
                return 0;
        *(volatile __u32 *)&t->number = 0;
        order();
        begin(t, slot, p);
        t->since = bpf_ktime_get_ns();
        t->now = task->__state & TASK_STATES_SLEEP ? IFP_KERNEL_BLOCKED
                 : task->on_cpu                    ? IFP_KERNEL_RUNNING
                                                   : IFP_KERNEL_RUNNABLE;
        take_before(t, p, task, t->since);
        if (task->tgid == task->pid)
                settle_first(t, p);
        order();
        *(volatile __u32 *)&t->number = number;
        return 0;
}
