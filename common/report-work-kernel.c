/* SPDX-License-Identifier: MIT */
/*
 * Loading the kernel's view, that of all processes summed.
 */
#include "common/report-work-private.h"

#include <errno.h>

#include "common/report-private.h"

#define NS_PER_SECOND 1000000000u /* these histograms are of ns */

static int load_kernel(const struct runfile_kernel *row, void *userdata)
{
        struct work *w = userdata;
        struct work_kernel *k = &w->kernel;
        size_t process = work_process(w, "kernel", row->process);
        int r;

        if (process == NONE)
                return RUNFILE_E_FOREIGN;
        w->processes[process].cpus = row->cpus;
        k->there = true;
        k->view = row->view > k->view ? row->view : k->view;
        if (row->view != RUNFILE_VIEW_BPF && !k->why && row->why) {
                k->why = strdup(row->why);
                if (!k->why)
                        return -ENOMEM;
        }
        k->lost = sum_u64(k->lost, row->lost);
        runfile_add_told(&k->events, row->events);
        runfile_add_told(&k->cost_ns, row->cost_ns);
        k->stacks_lost = sum_u64(k->stacks_lost, row->stacks_lost);
        k->io.count = sum_u64(k->io.count, row->io_count);
        k->io.total_ns = sum_u64(k->io.total_ns, row->io_ns);
        k->io_bytes = sum_u64(k->io_bytes, row->io_bytes);
        k->load_io_count = sum_u64(k->load_io_count, row->load_io_count);
        k->load_io_bytes = sum_u64(k->load_io_bytes, row->load_io_bytes);
        k->load_io_ns = sum_u64(k->load_io_ns, row->load_io_ns);
        r = spread_add_hist(&k->io, row->io_hist, NS_PER_SECOND);
        return r ? r : spread_add_hist(&k->run_queue, row->run_queue_hist, NS_PER_SECOND);
}

static int load_kernel_op(const struct runfile_kernel_op *row, void *userdata)
{
        struct work *w = userdata;
        const struct model_op *op = row->op ? model_op(&w->model, row->process, row->op) : NULL;
        struct work_kernel_op *to = NULL;

        if (work_process(w, "kernel_op", row->process) == NONE)
                return RUNFILE_E_FOREIGN;
        if (row->op && !op)
                return work_dangling(w, "kernel_op", "op", row->process, row->op);
        for (size_t i = 0; i < w->n_kernel_ops && !to; i++)
                if (w->kernel_ops[i].phase == row->phase &&
                    merge_same_text(w->kernel_ops[i].op, op ? op->name : NULL))
                        to = &w->kernel_ops[i];
        if (!to)
                to = GROW(&w->kernel_ops, &w->n_kernel_ops, &w->room_kernel_ops);
        if (!to)
                return -ENOMEM;
        to->op = op ? op->name : NULL;
        to->phase = row->phase;
        to->runnable_ns = sum_u64(to->runnable_ns, row->runnable_ns);
        to->blocked_ns = sum_u64(to->blocked_ns, row->blocked_ns);
        to->fault_ns = sum_u64(to->fault_ns, row->fault_ns);
        to->minor_faults = sum_u64(to->minor_faults, row->minor_faults);
        to->major_faults = sum_u64(to->major_faults, row->major_faults);
        to->syscalls = sum_u64(to->syscalls, row->syscalls);
        to->syscall_ns = sum_u64(to->syscall_ns, row->syscall_ns);
        to->switches = sum_u64(to->switches, row->switches);
        return 0;
}

static int load_syscall(const struct runfile_syscall *row, void *userdata)
{
        struct work *w = userdata;
        struct work_syscall *to = NULL;

        if (work_process(w, "syscall", row->process) == NONE)
                return RUNFILE_E_FOREIGN;
        for (size_t i = 0; i < w->n_syscalls && !to; i++)
                if (w->syscalls[i].number == row->number)
                        to = &w->syscalls[i];
        if (!to) {
                to = GROW(&w->syscalls, &w->n_syscalls, &w->room_syscalls);
                if (!to)
                        return -ENOMEM;
                spread_init(&to->spread);
        }
        to->number = row->number;
        to->failed = sum_u64(to->failed, row->failed);
        to->spread.count = sum_u64(to->spread.count, row->count);
        to->spread.total_ns = sum_u64(to->spread.total_ns, row->total_ns);
        to->spread.max_ns = row->max_ns > to->spread.max_ns ? row->max_ns : to->spread.max_ns;
        return spread_add_hist(&to->spread, row->hist, NS_PER_SECOND);
}

static int load_preempt(const struct runfile_preempt *row, void *userdata)
{
        struct work *w = userdata;
        struct work_preempt *to = NULL;

        if (work_process(w, "preempt", row->process) == NONE)
                return RUNFILE_E_FOREIGN;
        for (size_t i = 0; i < w->n_preempts && !to; i++)
                if (w->preempts[i].pid == row->pid && w->preempts[i].own == row->own &&
                    merge_same_text(w->preempts[i].name, row->name))
                        to = &w->preempts[i];
        if (!to) {
                bool failed = false;

                to = GROW(&w->preempts, &w->n_preempts, &w->room_preempts);
                if (!to)
                        return -ENOMEM;
                to->name = merge_copy_text(row->name, &failed);
                if (failed)
                        return -ENOMEM;
        }
        to->pid = row->pid;
        to->own = row->own;
        to->count = sum_u64(to->count, row->count);
        to->total_ns = sum_u64(to->total_ns, row->total_ns);
        return 0;
}

static int compare_kernel_ops(const void *a, const void *b)
{
        const struct work_kernel_op *p = a, *q = b;
        uint64_t x = sum_u64(p->runnable_ns, sum_u64(p->blocked_ns, p->fault_ns)),
                 y = sum_u64(q->runnable_ns, sum_u64(q->blocked_ns, q->fault_ns));

        if (x != y)
                return x > y ? -1 : 1;
        if (p->phase != q->phase)
                return p->phase < q->phase ? -1 : 1;
        return strcmp(p->op ? p->op : "", q->op ? q->op : "");
}

static int compare_syscalls(const void *a, const void *b)
{
        const struct work_syscall *p = a, *q = b;

        if (p->spread.total_ns != q->spread.total_ns)
                return p->spread.total_ns > q->spread.total_ns ? -1 : 1;
        return p->number < q->number ? -1 : p->number > q->number;
}

static int compare_preempts(const void *a, const void *b)
{
        const struct work_preempt *p = a, *q = b;

        if (p->total_ns != q->total_ns)
                return p->total_ns > q->total_ns ? -1 : 1;
        return p->pid < q->pid ? -1 : p->pid > q->pid;
}

int work_load_kernel(struct work *w)
{
        struct work_kernel *k = &w->kernel;
        int r;

        spread_init(&k->io);
        spread_init(&k->run_queue);
        r = runfile_each_kernel(w->rf, load_kernel, w);
        if (!r)
                r = runfile_each_kernel_op(w->rf, load_kernel_op, w);
        if (!r)
                r = runfile_each_syscall(w->rf, load_syscall, w);
        if (!r)
                r = runfile_each_preempt(w->rf, load_preempt, w);
        if (r)
                return r;
        spread_settle(&k->io);
        spread_settle(&k->run_queue);
        k->run_queue.count = k->run_queue.points.count;
        for (size_t i = 0; i < k->run_queue.points.n; i++) {
                const struct point *p = &k->run_queue.points.at[i];
                uint64_t ns;

                if (__builtin_mul_overflow(p->ns, p->count, &ns))
                        ns = INT64_MAX;
                k->run_queue.total_ns = sum_u64(k->run_queue.total_ns, ns);
        }
        if (w->n_kernel_ops)
                qsort(w->kernel_ops, w->n_kernel_ops, sizeof(*w->kernel_ops), compare_kernel_ops);
        for (size_t i = 0; i < w->n_syscalls; i++)
                spread_settle(&w->syscalls[i].spread);
        if (w->n_syscalls)
                qsort(w->syscalls, w->n_syscalls, sizeof(*w->syscalls), compare_syscalls);
        if (w->n_preempts)
                qsort(w->preempts, w->n_preempts, sizeof(*w->preempts), compare_preempts);
        return 0;
}

void work_kernel_done(struct work *w)
{
        spread_done(&w->kernel.io);
        spread_done(&w->kernel.run_queue);
        free(w->kernel.why);
        free(w->kernel_ops);
        for (size_t i = 0; i < w->n_syscalls; i++)
                spread_done(&w->syscalls[i].spread);
        free(w->syscalls);
        for (size_t i = 0; i < w->n_preempts; i++)
                free(w->preempts[i].name);
        free(w->preempts);
}
