/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* Block I/O. */
#pragma once

#include "find.h"

SEC("tp_btf/block_io_start")
int BPF_PROG(io_starts, struct request *rq)
{
        struct task_struct *task = bpf_get_current_task_btf();
        __u64 key = (__u64)rq;
        struct view_task *t;
        struct view_io io = {};

        if (!task->bpf_storage)
                return 0;
        t = watched(task);
        if (!t || !proc_of(t))
                return 0;
        io.start = bpf_ktime_get_ns();
        io.slot = t->slot;
        io.number = t->number;
        io.bytes = rq->__data_len;
        io.load = t->phase == PHASE_LOAD;
        if (bpf_map_update_elem(&requests, &key, &io, BPF_ANY))
                lose(t);
        return 0;
}

/* What was merged into it meanwhile is in it now. */
SEC("tp_btf/block_rq_issue")
int BPF_PROG(io_issued, struct request *rq)
{
        __u64 key = (__u64)rq;
        struct view_io *io = bpf_map_lookup_elem(&requests, &key);

        if (io)
                io->bytes = rq->__data_len;
        return 0;
}

SEC("tp_btf/block_io_done")
int BPF_PROG(io_done, struct request *rq)
{
        __u64 key = (__u64)rq, took, ns;
        struct view_io *io = bpf_map_lookup_elem(&requests, &key);
        struct view_total *total;
        struct view_proc *p;
        __u32 slot, i;

        if (!io)
                return 0;
        slot = io->slot;
        p = bpf_map_lookup_elem(&procs, &slot);
        total = bpf_map_lookup_elem(&totals, &slot);
        if (p && total && p->number == io->number) {
                ns = bpf_ktime_get_ns();
                took = ns > io->start ? ns - io->start : 0;
                i = view_hist_index(took);
                add(&total->io_count, 1);
                add(&total->io_bytes, io->bytes);
                add(&total->io_ns, took);
                if (i < VIEW_HIST_BUCKETS)
                        add(&total->io[i], 1);
                if (io->load) {
                        add(&total->load_io_count, 1);
                        add(&total->load_io_bytes, io->bytes);
                        add(&total->load_io_ns, took);
                }
        }
        bpf_map_delete_elem(&requests, &key);
        return 0;
}
