/* SPDX-License-Identifier: MIT */
/*
 * Slots of the programs' table of arrays. To put an array into one takes the kernel some ten
 * milliseconds, on a busy machine a hundred, until it is sure that no program uses the one that was
 * there. Neither an engine that says hello nor our loop waits for that: a thread does it, one
 * at a time, for the process that has waited longest, or else for whoever comes next (the spare).
 *
 * The thread makes system calls and touches `job` until it has said that it is done; all else is
 * the loop's.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/kernel-private.h"
#include "daemon/process.h"

static struct process *slots[VIEW_PROCS];

static struct {
        bool begun, done; /* done: joined, and not yet taken */
        pthread_t thread;
        int event;
        struct kernel_bpf *bpf;
        struct process *of; /* NULL: a spare */
        uint32_t slot;
        int array; /* of a spare: its own; -errno */
        int error;
} job = {.event = -1};

int kernel_slots_open(void)
{
        job.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        return job.event < 0 ? -errno : job.event;
}

static void *work(void *unused)
{
        static const uint64_t one = 1;

        if (!job.of)
                job.array = kernel_bpf_array();
        job.error = job.array < 0 ? job.array : kernel_bpf_install(job.bpf, job.slot, job.array);
        (void)!write(job.event, &one, sizeof(one));
        return unused;
}

static uint32_t free_slot(void)
{
        uint32_t slot = 0;

        while (slot < VIEW_PROCS && slots[slot])
                slot++;
        return slot;
}

void kernel_slots_begin(struct kernel_bpf *b, struct process *p)
{
        if (job.begun || (job.done && !p))
                return;
        kernel_slots_drop(); /* who waits comes before who may come */
        job.bpf = b;
        job.of = p;
        job.slot = free_slot();
        job.array = p ? p->kernel.array : -1;
        job.begun = job.slot < VIEW_PROCS && !pthread_create(&job.thread, NULL, work, NULL);
}

/* The thread is over, or will be. */
static void join(void)
{
        uint64_t n;

        if (!job.begun)
                return;
        pthread_join(job.thread, NULL);
        (void)!read(job.event, &n, sizeof(n));
        job.begun = false;
        job.done = true;
}

bool kernel_slots_done(struct process **ret_of, int *ret_error)
{
        uint64_t n;

        if (!job.begun || read(job.event, &n, sizeof(n)) != sizeof(n))
                return false;
        join();
        *ret_of = job.of;
        *ret_error = job.error;
        if (job.of) {
                job.done = false;
                job.of->kernel.slot = job.slot;
        } else if (job.error) {
                job.done = false;
                if (job.array >= 0)
                        close(job.array);
        }
        return true;
}

int kernel_slots_spare(uint32_t *ret_slot)
{
        if (!job.done)
                return -1;
        job.done = false;
        *ret_slot = job.slot;
        return job.array;
}

bool kernel_slots_full(void)
{
        return free_slot() == VIEW_PROCS;
}

void kernel_slots_set(uint32_t slot, struct process *p)
{
        slots[slot] = p;
}

void kernel_slots_forget(struct process *p)
{
        if (job.begun && job.of == p) {
                join();
                job.done = false;
        }
        if (p->kernel.proc.number && slots[p->kernel.slot] == p)
                slots[p->kernel.slot] = NULL;
}

void kernel_slots_drop(void)
{
        bool spare = !job.of;

        join();
        if (job.done && spare && job.array >= 0)
                close(job.array);
        job.done = false;
}

void kernel_slots_close(void)
{
        kernel_slots_drop();
        if (job.event >= 0)
                close(job.event);
        job.event = -1;
}
