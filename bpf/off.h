/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* What kept a thread off the CPU: the run queue, who took the CPU from it, stacks. */
#pragma once

#include "find.h"

static __always_inline void count_run_queue(const struct view_task *t, __u64 ns)
{
        struct view_total *total = total_of(t);
        __u32 i = view_hist_index(ns);

        if (total && i < VIEW_HIST_BUCKETS)
                add(&total->run_queue[i], 1);
}

static __always_inline struct view_preempt *preempt_of(const struct view_task *t, __u32 pid,
                                                       const struct view_preempt *new)
{
        struct view_preempt_key key = {.number = t->number, .pid = pid};
        struct view_preempt *p = bpf_map_lookup_elem(&preempts, &key);

        if (p)
                return p;
        bpf_map_update_elem(&preempts, &key, new, BPF_NOEXIST);
        p = bpf_map_lookup_elem(&preempts, &key);
        if (p)
                return p;
        key.pid = 0; /* the daemon has made it */
        p = bpf_map_lookup_elem(&preempts, &key);
        if (!p)
                lose(t);
        return p;
}

/* An involuntary switch: who took the CPU. */
static __always_inline void preempted(struct view_task *t, struct task_struct *prev,
                                      struct task_struct *next)
{
        struct view_preempt new = {}, *p;

        t->preempted = 1;
        t->by = next->tgid;
        if (!t->by)
                return;
        new.own = next->tgid == prev->tgid;
        bpf_probe_read_kernel_str(new.name, sizeof(new.name), next->comm);
        p = preempt_of(t, t->by, &new);
        if (!p)
                return;
        add(&p->count, 1);
        if (*(__u64 *)p->name != *(__u64 *)new.name) /* it may have become another program */
                __builtin_memcpy(p->name, new.name, sizeof(p->name));
}

static __always_inline void runs_again(struct view_task *t, __u64 ns)
{
        struct view_preempt_key key = {.number = t->number, .pid = t->by};
        struct view_preempt *p = bpf_map_lookup_elem(&preempts, &key);

        if (!p) {
                key.pid = 0;
                p = bpf_map_lookup_elem(&preempts, &key);
        }
        if (p)
                add(&p->total, ns);
        t->preempted = 0;
}

static __always_inline void count_off(struct view_task *t, __u32 block, __u64 ns)
{
        struct view_off_key key = {.number = t->number,
                                   .stack = t->stack,
                                   .op = t->op,
                                   .phase = t->phase,
                                   .block = block};
        struct view_off *off;

        if (!with_stacks || t->stack < 0)
                return;
        off = bpf_map_lookup_elem(&offcpu, &key);
        if (!off) {
                bpf_map_update_elem(&offcpu, &key, &no_off, BPF_NOEXIST);
                off = bpf_map_lookup_elem(&offcpu, &key);
        }
        if (!off) {
                lose(t);
                return;
        }
        add(&off->count, 1);
        add(&off->total, ns);
        t->stack = -1;
}
