/* SPDX-License-Identifier: MIT */
/* The kernel's view, as rows of the run file. A system call's histogram and the run queue's are of
 * ns. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/flush-private.h"
#include "daemon/text.h"

static uint64_t buckets[IFP_HIST_BUCKETS], io_buckets[IFP_HIST_BUCKETS];

static void add_hist(uint64_t *to, const uint64_t *from)
{
        for (uint32_t i = 0; from && i < IFP_HIST_BUCKETS; i++)
                to[i] += from[i];
}

static uint64_t told(uint64_t v)
{
        return v == RUNFILE_NOT_TOLD ? v : flush_sane(v);
}

/* By an earlier daemon. */
static void add_before(const struct kernel_before *b, struct runfile_kernel *row)
{
        if (!b)
                return;
        row->lost += b->all.lost;
        runfile_add_told(&row->events, b->all.events);
        runfile_add_told(&row->cost_ns, b->all.cost_ns);
        row->io_count += b->all.io_count;
        row->io_bytes += b->all.io_bytes;
        row->io_ns += b->all.io_ns;
        row->load_io_count += b->all.load_io_count;
        row->load_io_bytes += b->all.load_io_bytes;
        row->load_io_ns += b->all.load_io_ns;
        row->stacks_lost += b->all.stacks_lost;
        add_hist(buckets, b->run_queue);
        add_hist(io_buckets, b->io);
}

static int put_kernel(struct run *run, const struct process *p)
{
        const struct kernel *k = &p->kernel;
        struct runfile_kernel row = {
                .process = p->index,
                .view = k->view,
                .why = k->why,
                .lost = flush_sane(k->total.lost),
                .events = told(k->events),
                .cost_ns = told(k->cost_ns),
                .io_count = flush_sane(k->total.io_count),
                .io_bytes = flush_sane(k->total.io_bytes),
                .io_ns = flush_sane(k->total.io_ns),
                .load_io_count = flush_sane(k->total.load_io_count),
                .load_io_bytes = flush_sane(k->total.load_io_bytes),
                .load_io_ns = flush_sane(k->total.load_io_ns),
                .stacks_lost = flush_sane(k->total.stacks_lost),
                .cpus = k->cpus,
        };

        if (k->view == RUNFILE_VIEW_BPF) {
                kernel_hist(k->total.run_queue, buckets);
                kernel_hist(k->total.io, io_buckets);
                add_before(k->before, &row);
                row.run_queue_hist = buckets;
                row.io_hist = row.io_count ? io_buckets : NULL;
        }
        return runfile_put_kernel(run->file, &row);
}

static int put_op(struct run *run, const struct process *p, const struct kernel_op_row *o)
{
        const struct kernel_before *b = p->kernel.before;
        struct runfile_kernel_op row = {
                .process = p->index,
                .op = o->key.op,
                .phase = o->key.phase,
                .runnable_ns = flush_sane(o->v.runnable),
                .blocked_ns = flush_sane(o->v.blocked),
                .fault_ns = flush_sane(o->v.fault),
                .minor_faults = flush_sane(o->v.minor_faults),
                .major_faults = flush_sane(o->v.major_faults),
                .syscalls = flush_sane(o->v.syscalls),
                .syscall_ns = flush_sane(o->v.syscall),
                .switches = flush_sane(o->v.switches),
        };

        for (uint32_t i = 0; b && i < b->n_ops; i++)
                if (b->ops[i].op == row.op && b->ops[i].phase == row.phase) {
                        row.runnable_ns += b->ops[i].runnable_ns;
                        row.blocked_ns += b->ops[i].blocked_ns;
                        row.fault_ns += b->ops[i].fault_ns;
                        row.minor_faults += b->ops[i].minor_faults;
                        row.major_faults += b->ops[i].major_faults;
                        row.syscalls += b->ops[i].syscalls;
                        row.syscall_ns += b->ops[i].syscall_ns;
                        row.switches += b->ops[i].switches;
                }
        return runfile_put_kernel_op(run->file, &row);
}

static int put_syscall(struct run *run, const struct process *p, const struct kernel_syscall_row *s)
{
        const struct kernel_before *b = p->kernel.before;
        struct runfile_syscall row = {
                .process = p->index,
                .number = s->key.syscall,
                .count = flush_sane(s->v.count),
                .total_ns = flush_sane(s->v.total),
                .max_ns = flush_sane(s->v.max),
                .failed = flush_sane(s->v.failed),
                .hist = buckets,
        };

        kernel_hist32(s->v.hist, buckets);
        for (uint32_t i = 0; b && i < b->n_syscalls; i++) {
                const struct runfile_syscall *was = &b->syscalls[i].row;

                if (was->number != row.number)
                        continue;
                row.count += was->count;
                row.total_ns += was->total_ns;
                row.failed += was->failed;
                if (was->max_ns > row.max_ns)
                        row.max_ns = was->max_ns;
                add_hist(buckets, b->syscalls[i].hist);
        }
        return runfile_put_syscall(run->file, &row);
}

/* Those that have nothing, and are not written, are the last: so each place is written again. */
static int by_time(const void *a, const void *b)
{
        const struct kernel_preempt_row *x = a, *y = b;

        if (x->v.total != y->v.total)
                return x->v.total < y->v.total ? 1 : -1;
        return x->v.count < y->v.count ? 1 : x->v.count > y->v.count ? -1 : 0;
}

static int put_preempts(struct run *run, const struct process *p)
{
        const struct kernel *k = &p->kernel;
        int r = 0;

        if (k->n_preempts)
                qsort(k->preempts, k->n_preempts, sizeof(*k->preempts), by_time);
        for (uint32_t i = 0; !r && i < k->n_preempts; i++) {
                const struct view_preempt *v = &k->preempts[i].v;
                char name[sizeof(v->name) + 1] = "";
                struct runfile_preempt row = {
                        .process = p->index,
                        .slot = i + (k->before ? k->before->next_preempt : 0),
                        .pid = k->preempts[i].key.pid,
                        .own = v->own,
                        .count = flush_sane(v->count),
                        .total_ns = flush_sane(v->total),
                };

                memcpy(name, v->name, sizeof(v->name));
                text_clean(name);
                row.name = name[0] ? name : NULL;
                if (v->count)
                        r = runfile_put_preempt(run->file, &row);
        }
        return r;
}

static int put_offs(struct run *run, const struct process *p)
{
        const struct kernel *k = &p->kernel;
        int r = 0;

        for (uint32_t i = 0; !r && i < k->n_offs; i++) {
                const struct kernel_off_row *o = &k->offs[i];
                char text[12 * VIEW_STACK_DEPTH * 4];
                struct runfile_off_cpu row = {
                        .process = p->index,
                        .stack = i + (k->before ? k->before->next_off : 0),
                        .op = o->key.op,
                        .phase = o->key.phase,
                        .block = o->key.block,
                        .frames = text,
                        .count = flush_sane(o->v.count),
                        .total_ns = flush_sane(o->v.total),
                };
                size_t n = 0;

                text[0] = '\0';
                for (uint32_t f = 0; f < o->n_frames && n + 12 <= sizeof(text); f++)
                        n += (size_t)sprintf(text + n, n ? ",%u" : "%u", o->frames[f]);
                if (o->resolved)
                        r = runfile_put_off_cpu(run->file, &row);
        }
        return r;
}

int flush_kernel(struct run *run, const struct process *p)
{
        const struct kernel *k = &p->kernel;
        int r = 0;

        if (k->view == RUNFILE_VIEW_NONE || !(k->moved || p->write_all))
                return 0;
        r = put_kernel(run, p);
        for (uint32_t i = 0; !r && i < k->n_ops; i++)
                if (k->ops[i].key.op < IFP_MAX_OPS && k->ops[i].key.phase < IFP_N_PHASES)
                        r = put_op(run, p, &k->ops[i]);
        for (uint32_t i = 0; !r && i < k->n_syscalls; i++)
                r = put_syscall(run, p, &k->syscalls[i]);
        if (!r)
                r = put_preempts(run, p);
        return r ? r : put_offs(run, p);
}

void flush_kernel_written(struct process *p)
{
        p->kernel.moved = false;
}
