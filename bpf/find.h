/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* What belongs to a thread: its storage, its process, its lane's element, its op's sums. */
#pragma once

#include "maps.h"

#define add(where, n) __sync_fetch_and_add(where, n)

/* To a word of an element: only the last one has more than one writer. */
#define plus(own, where, n)                                                                        \
        ({                                                                                         \
                if (own)                                                                           \
                        *(where) += (n);                                                           \
                else                                                                               \
                        add(where, n);                                                             \
        })

static __always_inline struct view_total *total_of(const struct view_task *t)
{
        __u32 slot = t->slot;

        return bpf_map_lookup_elem(&totals, &slot);
}

static __always_inline void lose(const struct view_task *t)
{
        struct view_total *total = total_of(t);

        if (total)
                add(&total->lost, 1);
}

static __always_inline struct view_proc *proc_of(const struct view_task *t)
{
        __u32 slot = t->slot;
        struct view_proc *p = bpf_map_lookup_elem(&procs, &slot);

        return p && p->number && p->number == t->number ? p : NULL;
}

static __always_inline struct ifp_kernel_lane *element(const struct view_task *t)
{
        __u32 slot = t->slot, lane = t->lane;
        void *array = bpf_map_lookup_elem(&lanes, &slot);

        return array ? bpf_map_lookup_elem(array, &lane) : NULL;
}

static __always_inline struct view_op *op_of(const struct view_task *t)
{
        struct view_op_key key = {.number = t->number, .op = t->op, .phase = t->phase};
        struct view_op *op = bpf_map_lookup_elem(&ops, &key);

        if (op)
                return op;
        bpf_map_update_elem(&ops, &key, &no_op, BPF_NOEXIST);
        op = bpf_map_lookup_elem(&ops, &key);
        if (!op)
                lose(t);
        return op;
}

/* The storage of a task that is watched. */
static __always_inline struct view_task *watched(struct task_struct *task)
{
        struct view_task *t;

        if (!task->bpf_storage)
                return NULL;
        t = bpf_task_storage_get(&tasks, task, NULL, 0);
        return t && t->now != IFP_KERNEL_GONE ? t : NULL;
}
