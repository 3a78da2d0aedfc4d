/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* Switches and wakeups. */
#pragma once

#include "look.h"
#include "off.h"

/* Uninterruptible sleep is also for the kernel's own locks: of a process's memory, or of fork. */
static __always_inline __u32 block_kind(const struct view_task *t, struct task_struct *task)
{
        if (t->fault_start)
                return IFP_BLOCK_FAULT;
        if (t->syscall != VIEW_SYSCALL_NONE) {
                switch (t->sys_class) {
                case VIEW_CLASS_FUTEX:
                        return IFP_BLOCK_FUTEX;
                case VIEW_CLASS_SLEEP:
                        return IFP_BLOCK_SLEEP;
                case VIEW_CLASS_POLL:
                        return IFP_BLOCK_POLL;
                case VIEW_CLASS_IO:
                        return IFP_BLOCK_IO;
                }
        }
        return BPF_CORE_READ_BITFIELD(task, in_iowait) ? IFP_BLOCK_IO : IFP_BLOCK_OTHER;
}

static __always_inline void goes_off(void *ctx, struct task_struct *prev, struct task_struct *next,
                                     bool preempt, __u32 state, __u64 ns)
{
        struct view_task *t = watched(prev);
        struct ifp_kernel_lane *e;
        struct view_proc *p;
        bool voluntary = !preempt && state, own;

        if (!t)
                return;
        p = proc_of(t);
        if (!p)
                return;
        /* In a system call or a fault nothing of it can have changed since it began. */
        if (!t->looked || (t->syscall == VIEW_SYSCALL_NONE && !t->fault_start))
                look(prev, t, p, ns);
        own = is_own(t, p);
        if (with_stacks && p->flags & VIEW_OFFCPU) {
                long stack = bpf_get_stackid(ctx, &stacks, BPF_F_USER_STACK);

                t->stack = stack >= 0 ? (__s32)stack : -1;
                if (stack < 0) {
                        struct view_total *total = total_of(t);

                        if (total)
                                add(&total->stacks_lost, 1);
                }
        }
        t->preempted = 0;
        if (!voluntary && !(t->syscall != VIEW_SYSCALL_NONE && t->sys_class == VIEW_CLASS_YIELD))
                preempted(t, prev, next);
        t->off_switches++;
        e = element(t);
        if (!e)
                return;
        if (own)
                write_begin(e);
        close_stretch(t, e, own, ns);
        t->now = voluntary ? IFP_KERNEL_BLOCKED : IFP_KERNEL_RUNNABLE;
        if (voluntary) {
                t->block = block_kind(t, prev);
                plus(own, &e->voluntary, 1);
        } else {
                plus(own, &e->involuntary, 1);
        }
        if (own) {
                show(e, t);
                write_end(e);
        }
}

/* From what it waited for to the run queue. */
static __always_inline void wakes(struct view_task *t, struct ifp_kernel_lane *e, bool own,
                                  __u64 ns)
{
        __u64 took = ns > t->since ? ns - t->since : 0;

        t->off_blocked += took;
        count_off(t, t->block, took);
        close_stretch(t, e, own, ns);
        t->now = IFP_KERNEL_RUNNABLE;
}

/* All that it did off the CPU, with the same open: one look-up. */
static __always_inline void give_off(struct view_task *t)
{
        struct view_op *op = op_of(t);

        if (op) {
                add(&op->switches, t->off_switches);
                if (t->off_blocked)
                        add(&op->blocked, t->off_blocked);
                if (t->off_runnable)
                        add(&op->runnable, t->off_runnable);
        }
        t->off_switches = 0;
        t->off_blocked = t->off_runnable = 0;
}

static __always_inline void comes_on(struct task_struct *next, __u32 cpu, __u64 ns)
{
        struct view_task *t = watched(next);
        struct ifp_kernel_lane *e;
        struct view_proc *p;
        __u64 took;
        bool own;

        if (!t)
                return;
        p = proc_of(t);
        if (!p)
                return;
        e = element(t);
        if (!e)
                return;
        own = is_own(t, p);
        if (own)
                write_begin(e);
        if (t->now == IFP_KERNEL_RUNNING) { /* its going off was not seen: as we began to look */
                t->now = IFP_KERNEL_BLOCKED;
                t->block = IFP_BLOCK_OTHER;
        }
        if (t->now == IFP_KERNEL_BLOCKED) /* its wakeup was not seen */
                wakes(t, e, own, ns);
        if (t->now == IFP_KERNEL_RUNNABLE) {
                took = ns > t->since ? ns - t->since : 0;
                t->off_runnable += took;
                count_run_queue(t, took);
                if (t->preempted)
                        runs_again(t, took);
                count_off(t, IFP_N_BLOCK_KINDS, took);
        }
        close_stretch(t, e, own, ns);
        t->now = IFP_KERNEL_RUNNING;
        if (t->cpu != cpu && t->cpu != NOBODY)
                plus(own, &e->migrations, 1);
        t->cpu = cpu;
        if (own) {
                show(e, t);
                write_end(e);
        }
        give_off(t);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(switched, bool preempt, struct task_struct *prev, struct task_struct *next,
             unsigned int state)
{
        __u64 ns;

        if (!prev->bpf_storage && !next->bpf_storage)
                return 0;
        ns = bpf_ktime_get_ns();
        goes_off(ctx, prev, next, preempt, state, ns);
        comes_on(next, bpf_get_smp_processor_id(), ns);
        return 0;
}

static __always_inline int wakeup(struct task_struct *task)
{
        struct view_task *t = watched(task);
        struct ifp_kernel_lane *e;
        struct view_proc *p;
        bool own;

        if (!t || t->now != IFP_KERNEL_BLOCKED)
                return 0;
        p = proc_of(t);
        if (!p)
                return 0;
        e = element(t);
        if (!e)
                return 0;
        own = is_own(t, p);
        if (own)
                write_begin(e);
        wakes(t, e, own, bpf_ktime_get_ns());
        if (own) {
                show(e, t);
                write_end(e);
        }
        return 0;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(woken, struct task_struct *task)
{
        return wakeup(task);
}
