/* SPDX-License-Identifier: MIT */
/*
 * The kernel's view of a process that another daemon watched before us. Its programs went with it,
 * and what they had counted by op, system call and culprit is what the run file has; ours count on
 * from there. The array of lanes may still be there, because the engine has it mapped: with
 * CAP_SYS_ADMIN it is found by its number, and goes on; else the engine looks at one that stands
 * still.
 *
 * What happened while no daemon watched is in none of it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/kernel-private.h"
#include "daemon/lane.h"
#include "daemon/process.h"

struct resumed {
        struct process *p;
        uint32_t index;
};

static struct kernel_before *before_of(struct process *p)
{
        if (!p->kernel.before)
                p->kernel.before = calloc(1, sizeof(*p->kernel.before));
        return p->kernel.before;
}

static void copy_hist(uint64_t **to, const uint64_t *from)
{
        if (!from)
                return;
        *to = malloc(IFP_HIST_BUCKETS * sizeof(**to));
        if (*to)
                memcpy(*to, from, IFP_HIST_BUCKETS * sizeof(**to));
}

static int load_kernel(const struct runfile_kernel *row, void *userdata)
{
        struct resumed *x = userdata;
        struct kernel_before *b;

        if (row->process != x->index || row->view != RUNFILE_VIEW_BPF)
                return 0;
        b = before_of(x->p);
        if (!b)
                return -ENOMEM;
        b->all = *row;
        b->all.why = NULL;
        b->all.run_queue_hist = b->all.io_hist = NULL;
        copy_hist(&b->run_queue, row->run_queue_hist);
        copy_hist(&b->io, row->io_hist);
        return 0;
}

static int append(void *rows, uint32_t *n, const void *row, size_t size)
{
        char *new = realloc(*(void **)rows, (*n + 1) * size);

        if (!new)
                return -ENOMEM;
        memcpy(new + *n *size, row, size);
        *(void **)rows = new;
        (*n)++;
        return 0;
}

static int load_op(const struct runfile_kernel_op *row, void *userdata)
{
        struct resumed *x = userdata;
        struct kernel_before *b = row->process == x->index ? before_of(x->p) : NULL;

        return b ? append(&b->ops, &b->n_ops, row, sizeof(*row)) : 0;
}

static int load_syscall(const struct runfile_syscall *row, void *userdata)
{
        struct resumed *x = userdata;
        struct kernel_before *b = row->process == x->index ? before_of(x->p) : NULL;
        struct kernel_before_syscall s = {.row = *row};

        if (!b)
                return 0;
        s.row.hist = NULL;
        copy_hist(&s.hist, row->hist);
        return append(&b->syscalls, &b->n_syscalls, &s, sizeof(s));
}

static int load_preempt(const struct runfile_preempt *row, void *userdata)
{
        struct resumed *x = userdata;
        struct kernel_before *b = row->process == x->index ? before_of(x->p) : NULL;

        if (b && row->slot >= b->next_preempt)
                b->next_preempt = row->slot + 1;
        return 0;
}

static int load_off(const struct runfile_off_cpu *row, void *userdata)
{
        struct resumed *x = userdata;
        struct kernel_before *b = row->process == x->index ? before_of(x->p) : NULL;

        if (b && row->stack >= b->next_off)
                b->next_off = row->stack + 1;
        return 0;
}

int kernel_resume(struct process *p, struct runfile *rf, uint32_t index)
{
        struct resumed x = {p, index};
        int r;

        r = runfile_each_kernel(rf, load_kernel, &x);
        if (!r)
                r = runfile_each_kernel_op(rf, load_op, &x);
        if (!r)
                r = runfile_each_syscall(rf, load_syscall, &x);
        if (!r)
                r = runfile_each_preempt(rf, load_preempt, &x);
        if (!r)
                r = runfile_each_off_cpu(rf, load_off, &x);
        return r;
}

static uint64_t known(uint64_t v)
{
        return v == RUNFILE_NOT_TOLD ? 0 : v;
}

/* Bases are differences: what the element has now, less what the thread has already, whatever is
 * greater. */
void kernel_resume_thread(struct lane *l, const struct runfile_thread *row)
{
        struct kernel_figures *b = &l->kernel_base;

        if (row->running_ns == RUNFILE_NOT_TOLD || row->syscalls == RUNFILE_NOT_TOLD)
                return;
        b->running -= known(row->running_ns);
        b->runnable -= known(row->runnable_ns);
        for (unsigned i = 0; i < IFP_N_BLOCK_KINDS; i++)
                b->blocked[i] -= known(row->blocked_ns[i]);
        b->fault -= known(row->fault_ns);
        b->syscall -= known(row->syscall_ns);
        b->voluntary -= known(row->voluntary);
        b->involuntary -= known(row->involuntary);
        b->migrations -= known(row->migrations);
        b->minor_faults -= known(row->minor_faults);
        b->major_faults -= known(row->major_faults);
        b->syscalls -= known(row->syscalls);
}

void kernel_resume_lanes(struct process *p)
{
        uint64_t now = clock_mono_ns();

        for (uint32_t i = 0; i < p->n_lanes && i < p->kernel.proc.n_lanes; i++) {
                struct kernel_thread at = {.told = true};

                kernel_read_lane(&p->kernel.lanes[i], now, &at.f, &at.cpu);
                kernel_figures_add(&p->lanes[i].kernel_base, &at);
        }
}

void kernel_before_free(struct kernel_before *b)
{
        if (!b)
                return;
        for (uint32_t i = 0; i < b->n_syscalls; i++)
                free(b->syscalls[i].hist);
        free(b->syscalls);
        free(b->ops);
        free(b->run_queue);
        free(b->io);
        free(b);
}
