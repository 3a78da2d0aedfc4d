/* SPDX-License-Identifier: MIT */
/*
 * What the programs in the kernel have written, taken into our memory: the elements of lanes as the
 * figures of the threads that have them, the maps as rows of the process. All of it only grows
 * while the process is watched, and is read whole each time.
 *
 * An element has the sums up to the last event, and since when the thread does what it does now:
 * that stretch is added here, so that a thread that computes for minutes is not without time.
 */
#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <infprof/hist.h>

#include "daemon/kernel-private.h"
#include "daemon/process.h"

#define TRIES     64u
#define N_FIGURES (sizeof(struct kernel_figures) / sizeof(uint64_t))

static void copy_element(struct ifp_kernel_lane *to, const struct ifp_kernel_lane *from)
{
        const uint64_t *f = (const uint64_t *)(const void *)from;
        uint64_t *t = (uint64_t *)(void *)to;

        for (size_t i = 0; i < sizeof(*to) / sizeof(*t); i++)
                t[i] = __atomic_load_n(&f[i], __ATOMIC_RELAXED);
}

/* As it stood at one instant. Who writes all the time is taken as he is in the end. */
static void take_element(struct ifp_kernel_lane *to, const struct ifp_kernel_lane *from)
{
        for (unsigned i = 0; i < TRIES; i++) {
                uint64_t seq = __atomic_load_n(&from->seq, __ATOMIC_ACQUIRE);

                copy_element(to, from);
                __atomic_thread_fence(__ATOMIC_ACQUIRE);
                if (!(seq & 1) && __atomic_load_n(&from->seq, __ATOMIC_RELAXED) == seq)
                        return;
        }
}

static uint64_t sum(const uint64_t *v, size_t n)
{
        uint64_t all = 0;

        while (n)
                all += v[--n];
        return all;
}

static uint64_t since(uint64_t begin, uint64_t now_ns)
{
        return begin && now_ns > begin ? now_ns - begin : 0;
}

void kernel_read_lane(const struct ifp_kernel_lane *e, uint64_t now_ns, struct kernel_figures *ret,
                      uint32_t *ret_cpu)
{
        struct ifp_kernel_lane k = {0};
        uint64_t open;

        take_element(&k, e);
        *ret = (struct kernel_figures){
                .running = k.running,
                .runnable = sum(k.runnable, IFP_KERNEL_STATES),
                .fault = sum(k.fault, IFP_KERNEL_STATES) + since(k.fault_since, now_ns),
                .syscall = sum(k.syscall, IFP_KERNEL_STATES) + since(k.sys_since, now_ns),
                .voluntary = k.voluntary,
                .involuntary = k.involuntary,
                .migrations = k.migrations,
                .minor_faults = k.minor_faults,
                .major_faults = k.major_faults,
                .syscalls = k.syscalls,
        };
        memcpy(ret->blocked, k.blocked, sizeof(k.blocked));
        open = since(k.since, now_ns);
        if (k.now == IFP_KERNEL_RUNNING)
                ret->running += open;
        else if (k.now == IFP_KERNEL_RUNNABLE)
                ret->runnable += open;
        else if (k.now == IFP_KERNEL_BLOCKED && k.block < IFP_N_BLOCK_KINDS)
                ret->blocked[k.block] += open;
        *ret_cpu = k.seq ? k.cpu : UINT32_MAX;
}

void kernel_refresh(struct process *p, struct thread *t, uint32_t i,
                    const struct kernel_figures *base)
{
        const uint64_t *b = (const uint64_t *)(const void *)base;
        uint64_t *to = (uint64_t *)(void *)&t->kernel.f;
        const struct kernel_bpf *programs = kernel_programs();
        struct kernel_figures now;
        const uint64_t *n = (const uint64_t *)(const void *)&now;
        bool moved = false;

        if (!p->kernel.proc.number || i >= p->kernel.proc.n_lanes)
                return;
        kernel_read_lane(&p->kernel.lanes[i], clock_mono_ns(), &now, &t->kernel.cpu);
        for (size_t k = 0; k < N_FIGURES; k++) {
                uint64_t v = n[k] - b[k]; /* the base may be below zero: kernel_resume_thread */

                if (v > INT64_MAX)
                        v = 0;
                if (t->kernel.told && v < to[k])
                        continue; /* a stretch that was under way counts elsewhere in the end */
                moved |= v != to[k];
                to[k] = v;
        }
        if (programs && !programs->counts_faults)
                t->kernel.f.minor_faults = t->kernel.f.major_faults = RUNFILE_NOT_TOLD;
        if (programs && !programs->times_faults)
                t->kernel.f.fault = RUNFILE_NOT_TOLD;
        t->dirty |= moved;
        t->kernel.told = true;
}

void kernel_figures_add(struct kernel_figures *to, const struct kernel_thread *t)
{
        const uint64_t *f = (const uint64_t *)(const void *)&t->f;
        uint64_t *v = (uint64_t *)(void *)to;

        for (size_t k = 0; t->told && k < N_FIGURES; k++)
                if (f[k] != RUNFILE_NOT_TOLD)
                        v[k] += f[k];
}

static uint64_t told(uint64_t v)
{
        return v <= INT64_MAX ? v : RUNFILE_NOT_TOLD;
}

void kernel_thread_figures(const struct process *p, const struct thread *t,
                           struct runfile_thread *row)
{
        const struct kernel_figures *f = &t->kernel.f;

        if (!t->kernel.told)
                return;
        row->running_ns = told(f->running);
        row->runnable_ns = told(f->runnable);
        for (unsigned i = 0; i < IFP_N_BLOCK_KINDS; i++)
                row->blocked_ns[i] = told(f->blocked[i]);
        row->fault_ns = told(f->fault);
        row->syscall_ns = told(f->syscall);
        row->voluntary = told(f->voluntary);
        row->involuntary = told(f->involuntary);
        row->migrations = told(f->migrations);
        row->minor_faults = told(f->minor_faults);
        row->major_faults = told(f->major_faults);
        row->syscalls = told(f->syscalls);
        row->cpu = t->kernel.cpu == UINT32_MAX ? RUNFILE_NOT_TOLD : t->kernel.cpu;
}

/* ---- histograms ---- */

/* The bucket of ours in which the middle of theirs lies. */
static uint32_t bucket_of(uint32_t i)
{
        uint32_t octave = i >> VIEW_HIST_SUB_BITS, sub = i & (VIEW_HIST_SUB - 1);
        uint64_t low = octave ? (uint64_t)(VIEW_HIST_SUB + sub) << (octave - 1) : sub;
        uint64_t width = octave ? 1ull << (octave - 1) : 1;

        return ifp_hist_index(low + width / 2);
}

void kernel_hist(const uint64_t *from, uint64_t *to)
{
        memset(to, 0, IFP_HIST_BUCKETS * sizeof(*to));
        for (uint32_t i = 0; i < VIEW_HIST_BUCKETS; i++)
                to[bucket_of(i)] += from[i];
}

void kernel_hist32(const uint32_t *from, uint64_t *to)
{
        memset(to, 0, IFP_HIST_BUCKETS * sizeof(*to));
        for (uint32_t i = 0; i < VIEW_HIST_BUCKETS; i++)
                to[bucket_of(i)] += from[i];
}

/* ---- maps ---- */

/* What a map held at one instant. It has the rows of all processes, so a tick of many reads it
 * once. */
#define FRESH_NS 100000000ull

static struct copy {
        char *keys, *values;
        int n;
        uint64_t at_ns;
} copies[KERNEL_BPF_MAPS];

static const struct copy *copy_of(struct kernel_bpf *b, enum kernel_map map, size_t key,
                                  size_t value, bool anew)
{
        struct copy *c = &copies[map];
        uint64_t now = clock_mono_ns();

        if (!anew && c->keys && now - c->at_ns < FRESH_NS)
                return c;
        free(c->keys);
        free(c->values);
        *c = (struct copy){.at_ns = now};
        c->n = kernel_bpf_all(b, map, key, value, (void **)&c->keys, (void **)&c->values);
        return c;
}

void kernel_read_forget(void)
{
        for (unsigned i = 0; i < KERNEL_BPF_MAPS; i++) {
                free(copies[i].keys);
                free(copies[i].values);
                copies[i] = (struct copy){0};
        }
}

/* Those of `number`, put together as rows of `row` bytes: the key, and behind it at `value_at` the
 * value. */
static int take_map(const struct copy *c, uint32_t number, size_t key, size_t value_at,
                    size_t value, size_t row, void **ret, uint32_t *ret_n)
{
        uint32_t m = 0, wanted = 0;
        char *rows;

        for (int i = 0; i < c->n; i++)
                wanted += *(const uint32_t *)(const void *)(c->keys + (size_t)i * key) == number;
        rows = calloc((size_t)wanted + 1, row);
        for (int i = 0; rows && i < c->n; i++) {
                const char *k = c->keys + (size_t)i * key;

                if (*(const uint32_t *)(const void *)k != number)
                        continue;
                memcpy(rows + m * row, k, key);
                memcpy(rows + m++ * row + value_at, c->values + (size_t)i * value, value);
        }
        if (!rows || c->n < 0) {
                free(rows);
                return c->n < 0 ? c->n : -ENOMEM;
        }
        free(*ret);
        *ret = rows;
        *ret_n = m;
        return 0;
}

#define TAKE(map, rows, type)                                                                      \
        take_map(copy_of(b, map, sizeof(k->rows->key), sizeof(k->rows->v), is_over),               \
                 k->proc.number, sizeof(k->rows->key), offsetof(struct kernel_##type##_row, v),    \
                 sizeof(k->rows->v), sizeof(struct kernel_##type##_row), (void **)&k->rows,        \
                 &k->n_##rows)

static void take_cost(struct kernel *k)
{
        uint64_t events, ns, missed;

        bool known = kernel_cost(clock_mono_ns(), &events, &ns, &missed);

        k->events = known ? events - k->events_before : RUNFILE_NOT_TOLD;
        k->cost_ns = known ? ns - k->cost_before_ns : RUNFILE_NOT_TOLD;
        k->total.lost += missed - k->missed_before;
}

static void take_cpus(struct process *p)
{
        cpu_set_t set;

        if (p->state == PROCESS_LIVE && !sched_getaffinity(p->pid, sizeof(set), &set))
                p->kernel.cpus = (uint64_t)CPU_COUNT(&set);
}

void kernel_take(struct process *p)
{
        struct kernel_bpf *b = kernel_programs();
        struct kernel *k = &p->kernel;
        bool is_over = p->end_ticks != 0; /* what is read now is the last */

        if (k->view == RUNFILE_VIEW_NONE)
                return;
        take_cpus(p);
        if (k->view == RUNFILE_VIEW_PROC) {
                kernel_proc_take(p);
                k->moved = true;
                return;
        }
        if (!b || !k->proc.number)
                return;
        (void)kernel_bpf_get(b, KERNEL_TOTALS, &k->slot, &k->total);
        take_cost(k);
        (void)TAKE(KERNEL_OPS, ops, op);
        (void)TAKE(KERNEL_SYSCALLS, syscalls, syscall);
        (void)TAKE(KERNEL_PREEMPTS, preempts, preempt);
        kernel_off_take(b, p);
        kernel_off_resolve(p, false);
        k->moved = p->dirty = true;
}
