// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * The kernel's view of engines' threads. BTF-typed tracepoints and the software events of page
 * faults; no kprobes. Every switch, wakeup and system call of the machine comes by here, so the
 * first question is the cheapest one: does the task have storage of ours at all? It is made in two
 * places only, for threads that are there when a process is registered (the iterator `find`), and
 * for those that are made by one that has it (`forked`); nobody is looked up by number.
 *
 * What a thread is about is read from the engine's own memory, in the thread's own context and not
 * elsewhere: the lane's address at a fixed offset from the thread pointer, in the lane what
 * is open. None of it is believed: what does not fit is "no lane", "no op".
 *
 * A thread's events follow each other (they happen on the thread, or under its run queue's lock),
 * so its storage and its lane's element have one writer at a time. The last element is
 * everybody's, and added to atomically. What finds no room is counted in `lost`.
 *
 * One file, though a long one: programs and maps are one object, and all of it is inlined.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "view.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* As in <infprof/segment.h> and <infprof/event.h>. */
enum { STATE_NONE, STATE_CALL, STATE_GRAPH, STATE_COMPUTE, STATE_WAIT, STATE_ALLOC };
enum { KIND_KERNEL, KIND_NODE, KIND_GRAPH, KIND_CALL, KIND_WAIT };
#define PHASE_LOAD 1

#define TASK_STATES_SLEEP 0x0003 /* TASK_INTERRUPTIBLE | TASK_UNINTERRUPTIBLE */
#define NOBODY            0xffffffffu

struct {
        __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
        __uint(map_flags, BPF_F_NO_PREALLOC);
        __type(key, int);
        __type(value, struct view_task);
} tasks SEC(".maps");

struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(max_entries, VIEW_PROCS);
        __type(key, __u32);
        __type(value, struct view_proc);
} procs SEC(".maps");

/* Of the same shape as what the daemon makes for each process. */
struct lane_array {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(map_flags, BPF_F_MMAPABLE);
        __uint(max_entries, VIEW_LANES);
        __uint(key_size, sizeof(__u32));
        __uint(value_size, sizeof(struct ifp_kernel_lane));
};

struct {
        __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
        __uint(max_entries, VIEW_PROCS);
        __type(key, __u32);
        __array(values, struct lane_array);
} lanes SEC(".maps");

struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(max_entries, VIEW_PROCS);
        __type(key, __u32);
        __type(value, struct view_total);
} totals SEC(".maps");

struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(max_entries, VIEW_MAX_OPS);
        __type(key, struct view_op_key);
        __type(value, struct view_op);
} ops SEC(".maps");

struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(max_entries, VIEW_MAX_SYSCALLS);
        __type(key, struct view_syscall_key);
        __type(value, struct view_syscall);
} syscalls SEC(".maps");

struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(max_entries, VIEW_MAX_PREEMPTS);
        __type(key, struct view_preempt_key);
        __type(value, struct view_preempt);
} preempts SEC(".maps");

struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(max_entries, VIEW_MAX_OFFCPU);
        __type(key, struct view_off_key);
        __type(value, struct view_off);
} offcpu SEC(".maps");

struct {
        __uint(type, BPF_MAP_TYPE_STACK_TRACE);
        __uint(max_entries, VIEW_MAX_STACKS);
        __uint(key_size, sizeof(__u32));
        __uint(value_size, VIEW_STACK_DEPTH * sizeof(__u64));
} stacks SEC(".maps");

struct {
        __uint(type, BPF_MAP_TYPE_HASH);
        __uint(max_entries, VIEW_MAX_IO);
        __type(key, __u64);
        __type(value, struct view_io);
} requests SEC(".maps");

/* Values as they begin. */
static const struct view_op no_op;
static const struct view_off no_off;
static const struct view_syscall no_syscall;

const volatile bool with_stacks = false;
const volatile __u8 classes[VIEW_SYSCALLS] = {}; /* enum view_class */

#define order()    asm volatile("" ::: "memory")
#define settled(v) asm volatile("" : "+r"(v))

/* ---- small things ---------------------------------------------------------- */

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

/* ---- what the thread is about ---------------------------------------------- */

static __always_inline bool get(void *to, __u32 size, __u64 from)
{
        return bpf_probe_read_user(to, size, (const void *)from) == 0;
}

static __always_inline __u32 state_of_kind(__u8 kind)
{
        switch (kind) {
        case KIND_KERNEL:
        case KIND_NODE:
                return STATE_COMPUTE;
        case KIND_GRAPH:
                return STATE_GRAPH;
        case KIND_CALL:
                return STATE_CALL;
        case KIND_WAIT:
                return STATE_WAIT;
        default:
                return STATE_NONE;
        }
}

/* Its lane: the address, and the number. Where its memory cannot be read, the thread stays what it
 * was. */
static __always_inline bool lane_of(struct task_struct *task, const struct view_proc *p,
                                    __u64 *ret_at, __u32 *ret_lane)
{
        __u64 at = 0, offset;

        *ret_at = 0;
        *ret_lane = p->n_lanes - 1;
        if (!p->tls_offset)
                return true;
        if (!get(&at, sizeof(at), task->thread.fsbase + p->tls_offset))
                return false;
        offset = at - p->lanes_at;
        if (at < p->lanes_at || !p->lane_bytes || offset / p->lane_bytes >= p->n_lanes ||
            offset % p->lane_bytes)
                return true;
        *ret_lane = offset / p->lane_bytes;
        *ret_at = at;
        return true;
}

struct waits_head {
        __u64 since, sp, object;
        __u32 entry, kind;
        __u64 inner;
        __u32 in_alloc, reserved;
};

static __always_inline void read_open(struct view_task *t, const struct view_proc *p, __u64 lane)
{
        struct {
                __u8 rest[7], phase;
                __u64 op;
        } open;
        struct waits_head waits;
        __u64 top = 0;
        __u32 phase = 0;
        __u8 kind = 255;

        t->op = 0;
        t->state = STATE_NONE;
        if (lane && get(&top, sizeof(top), lane + VIEW_LANE_TOP) && top &&
            top % VIEW_OPEN_BYTES == 0 && top < 256 * VIEW_OPEN_BYTES &&
            get(&open, sizeof(open), lane + VIEW_LANE_OPEN + top + VIEW_OPEN_PHASE - 7)) {
                __u32 op = open.op >> 48;

                phase = open.phase;
                t->op = op < VIEW_OPS ? op : 0;
                if (t->kind_of != t->op + 1u &&
                    get(&kind, sizeof(kind), p->ops_at + t->op * VIEW_OP_BYTES + VIEW_OP_KIND)) {
                        t->kind_of = t->op + 1u; /* it never changes */
                        t->kind_state = state_of_kind(kind);
                }
                t->state = t->kind_of == t->op + 1u ? t->kind_state : STATE_NONE;
        } else {
                get(&phase, sizeof(phase), p->phase_at);
        }
        t->phase = phase < VIEW_PHASES ? phase : 0;
        if (!lane || !p->waits || !get(&waits, sizeof(waits), lane + p->waits_offset))
                return;
        if (waits.since)
                t->state = STATE_WAIT;
        else if (waits.in_alloc)
                t->state = STATE_ALLOC;
}

/* ---- what it did ------------------------------------------------------------ */

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

static __always_inline bool is_wait(__u32 class)
{
        return class >= VIEW_CLASS_FUTEX && class <= VIEW_CLASS_YIELD;
}

/* Its element is written between these two; the last one is everybody's and has no order. */
static __always_inline void write_begin(struct ifp_kernel_lane *e)
{
        *(volatile __u64 *)&e->seq += 1;
        order();
}

static __always_inline void write_end(struct ifp_kernel_lane *e)
{
        order();
        *(volatile __u64 *)&e->seq += 1;
}

static __always_inline void add_stretch(struct ifp_kernel_lane *e, const struct view_task *t,
                                        bool own, __u64 ns)
{
        __u32 state = t->state < IFP_KERNEL_STATES ? t->state : 0;
        __u32 block = t->block < IFP_N_BLOCK_KINDS ? t->block : IFP_BLOCK_OTHER;

        if (t->now == IFP_KERNEL_RUNNING) {
                plus(own, &e->running, ns);
        } else if (t->now == IFP_KERNEL_RUNNABLE) {
                plus(own, &e->runnable[state], ns);
                if (t->fault_start)
                        plus(own, &e->fault_runnable[state], ns);
                else if (t->syscall != VIEW_SYSCALL_NONE && t->sys_counts)
                        plus(own, &e->syscall_runnable[state], ns);
        } else {
                plus(own, &e->blocked[block], ns);
        }
}

static __always_inline void show(struct ifp_kernel_lane *e, const struct view_task *t)
{
        e->now = t->now;
        e->since = t->now == IFP_KERNEL_GONE ? 0 : t->since;
        e->state = t->state;
        e->block = t->block;
        e->cpu = t->cpu;
        e->sys_since = t->syscall != VIEW_SYSCALL_NONE && t->sys_counts ? t->sys_start : 0;
        e->fault_since = t->fault_start;
}

static __always_inline bool is_own(const struct view_task *t, const struct view_proc *p)
{
        return t->lane + 1 < p->n_lanes;
}

/* The stretch so far is over; another one begins. `e` is being written. */
static __always_inline void close_stretch(struct view_task *t, struct ifp_kernel_lane *e, bool own,
                                          __u64 ns)
{
        __u64 took = ns > t->since ? ns - t->since : 0;

        add_stretch(e, t, own, took);
        t->since = ns;
        if (t->calls) {
                plus(own, &e->syscalls, t->calls);
                t->calls = 0;
        }
}

/* It has a lane now: what it did before we looked belongs there. */
static __always_inline void give_before(struct view_task *t)
{
        struct ifp_kernel_lane *e = element(t);

        t->has_before = 0;
        if (!e)
                return;
        write_begin(e);
        e->running += t->before.running;
        e->runnable[STATE_NONE] += t->before.runnable;
        e->blocked[IFP_BLOCK_OTHER] += t->before.blocked;
        e->voluntary += t->before.voluntary;
        e->involuntary += t->before.involuntary;
        e->minor_faults += t->before.minor_faults;
        e->major_faults += t->before.major_faults;
        write_end(e);
}

/* System calls that have ended since it was looked at last. */
static __always_inline void give_calls(struct view_task *t, const struct view_proc *p)
{
        __u32 state = t->state < IFP_KERNEL_STATES ? t->state : 0;
        struct ifp_kernel_lane *e;
        struct view_op *op;

        if (!t->n_calls)
                return;
        op = op_of(t);
        if (op) {
                add(&op->syscalls, t->n_calls);
                add(&op->syscall, t->calls_ns);
        }
        e = element(t);
        if (e && is_own(t, p)) {
                write_begin(e);
                e->syscall[state] += t->calls_ns;
                e->syscalls += t->calls;
                e->sys_since = 0;
                write_end(e);
                t->calls = 0;
        } else if (e) {
                add(&e->syscall[state], t->calls_ns);
        }
        t->n_calls = 0;
        t->calls_ns = 0;
}

/*
 * Looks where the thread stands, and what is open there. Between two looks a thread may have got
 * its lane, or have given it up: the stretch that goes on belongs to the lane.
 */
static __always_inline void look(struct task_struct *task, struct view_task *t,
                                 const struct view_proc *p, __u64 ns)
{
        struct ifp_kernel_lane *e;
        bool had = is_own(t, p);
        __u32 lane, before = t->lane;
        __u64 at;
        bool readable = lane_of(task, p, &at, &lane);

        give_calls(t, p);
        t->looked_at = ns;
        t->looked = 1;
        if (!readable)
                goto out;
        if (lane != before && had) {
                e = element(t);
                if (e) {
                        write_begin(e);
                        close_stretch(t, e, true, ns);
                        e->now = IFP_KERNEL_GONE;
                        e->since = e->sys_since = e->fault_since = 0;
                        write_end(e);
                }
        }
        t->lane = lane;
        if (t->has_before && at && is_own(t, p))
                give_before(t);
        read_open(t, p, at);
out:
        if (t->syscall != VIEW_SYSCALL_NONE)
                t->sys_counts = !is_wait(t->sys_class) && t->state != STATE_WAIT;
}

/* ---- switches and wakeups ---------------------------------------------------- */

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

/* ---- the beginning and the end of threads ------------------------------------- */

static __always_inline void begin(struct view_task *t, __u32 slot, const struct view_proc *p)
{
        t->slot = slot;
        t->lane = p->n_lanes - 1;
        t->cpu = NOBODY;
        t->syscall = VIEW_SYSCALL_NONE;
        t->sys_counts = 0;
        t->fault_start = 0;
        t->preempted = 0;
        t->stack = -1;
        t->op = t->phase = 0;
        t->state = STATE_NONE;
        t->block = IFP_BLOCK_OTHER;
        t->looked = 0;
        t->looked_at = 0;
        t->kind_of = 0;
        t->calls = t->n_calls = t->off_switches = 0;
        t->calls_ns = t->off_blocked = t->off_runnable = 0;
        t->has_before = 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(forked, struct task_struct *parent, struct task_struct *child)
{
        struct view_task *from, *t;
        struct view_proc *p;

        if (!parent->bpf_storage || parent->tgid != child->tgid)
                return 0;
        from = watched(parent);
        p = from ? proc_of(from) : NULL;
        if (!p)
                return 0;
        t = bpf_task_storage_get(&tasks, child, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
        if (!t) {
                lose(from);
                return 0;
        }
        begin(t, from->slot, p);
        t->number = p->number;
        t->phase = from->phase;
        t->since = bpf_ktime_get_ns();
        t->now = IFP_KERNEL_RUNNABLE; /* its first wakeup follows at once */
        return 0;
}

static __always_inline void end_syscall(struct view_task *t, struct view_proc *p, long ret,
                                        __u64 ns);

SEC("tp_btf/sched_process_exit")
int BPF_PROG(exited, struct task_struct *task)
{
        struct view_task *t = watched(task);
        struct ifp_kernel_lane *e;
        struct view_proc *p;
        __u64 ns;
        bool own;

        p = t ? proc_of(t) : NULL;
        if (!p)
                return 0;
        ns = bpf_ktime_get_ns();
        t->fault_start = 0;
        end_syscall(t, p, 0, ns);
        give_calls(t, p);
        e = element(t);
        if (!e)
                return 0;
        own = is_own(t, p);
        if (own)
                write_begin(e);
        close_stretch(t, e, own, ns);
        t->now = IFP_KERNEL_GONE;
        if (own) {
                show(e, t);
                write_end(e);
        }
        return 0;
}

/* Another program: what we know of its memory is void; its own shim will say hello. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(execs, struct task_struct *task, int old_pid)
{
        if (task->bpf_storage)
                bpf_task_storage_delete(&tasks, task);
        return 0;
}

/* ---- system calls ------------------------------------------------------------- */

static __always_inline __u32 class_of(__u32 syscall)
{
        return syscall < VIEW_SYSCALLS ? classes[syscall] : VIEW_CLASS_OTHER;
}

/*
 * Where it is made from is looked up when it leaves the CPU, or at its end: in between nothing of
 * it can change. Of those that only wait, at the end nobody asks.
 */
SEC("tp_btf/sys_enter")
int BPF_PROG(enters, struct pt_regs *regs, long id)
{
        struct task_struct *task = bpf_get_current_task_btf();
        struct view_task *t;

        if (!task->bpf_storage)
                return 0;
        t = watched(task);
        if (!t)
                return 0;
        t->fault_start = 0; /* one that came to nothing (a signal instead) has no end of its own */
        t->syscall = (unsigned long)id < VIEW_SYSCALLS ? (__u32)id : VIEW_SYSCALLS;
        t->sys_class = class_of(t->syscall);
        t->sys_start = bpf_ktime_get_ns();
        t->calls++;
        t->looked = 0;
        t->sys_counts = 0;
        return 0;
}

static __always_inline void count_syscall(struct view_task *t, bool failed, __u64 took)
{
        struct view_syscall_key key = {.number = t->number, .syscall = t->syscall};
        struct view_syscall *s;
        __u32 i = view_hist_index(took);

        if (key.syscall == VIEW_SYSCALLS)
                key.syscall = VIEW_SYSCALL_NONE;
        s = bpf_map_lookup_elem(&syscalls, &key);
        if (!s) {
                bpf_map_update_elem(&syscalls, &key, &no_syscall, BPF_NOEXIST);
                s = bpf_map_lookup_elem(&syscalls, &key);
        }
        if (!s) {
                lose(t);
                return;
        }
        add(&s->count, 1);
        add(&s->total, took);
        if (took > s->max) /* of two at the same time, one may be overwritten by the smaller */
                s->max = took;
        if (failed)
                add(&s->failed, 1);
        if (i < VIEW_HIST_BUCKETS)
                add(&s->hist[i], 1);
}

static __always_inline void end_syscall(struct view_task *t, struct view_proc *p, long ret,
                                        __u64 ns)
{
        __u64 took = ns > t->sys_start ? ns - t->sys_start : 0;
        bool shown = t->looked;

        if (t->syscall == VIEW_SYSCALL_NONE)
                return;
        count_syscall(t, ret < 0 && ret >= -4095, took);
        t->syscall = VIEW_SYSCALL_NONE;
        t->looked = 0;
        if (!t->sys_counts)
                return;
        t->n_calls++;
        t->calls_ns += took;
        if (shown)
                give_calls(t, p);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(leaves, struct pt_regs *regs, long ret)
{
        struct task_struct *task = bpf_get_current_task_btf();
        struct view_task *t;
        struct view_proc *p;
        __u64 ns;

        if (!task->bpf_storage)
                return 0;
        t = watched(task);
        p = t && t->syscall != VIEW_SYSCALL_NONE ? proc_of(t) : NULL;
        if (!p)
                return 0;
        ns = bpf_ktime_get_ns();
        if (!t->looked && !is_wait(t->sys_class)) {
                if (ns - t->looked_at > VIEW_FRESH_NS)
                        look(task, t, p, ns);
                else
                        t->sys_counts = t->state != STATE_WAIT;
        }
        end_syscall(t, p, ret, ns);
        return 0;
}

/* ---- page faults ----------------------------------------------------------------- */

SEC("tp_btf/page_fault_user")
int BPF_PROG(faults, unsigned long address, struct pt_regs *regs, unsigned long code)
{
        struct task_struct *task = bpf_get_current_task_btf();
        struct ifp_kernel_lane *e;
        struct view_task *t;
        struct view_proc *p;
        __u64 ns;

        if (!task->bpf_storage)
                return 0;
        t = watched(task);
        p = t ? proc_of(t) : NULL;
        if (!p)
                return 0;
        ns = bpf_ktime_get_ns();
        t->syscall = VIEW_SYSCALL_NONE; /* it faults in user mode: one that did not say its end */
        look(task, t, p, ns);
        t->fault_start = ns;
        e = is_own(t, p) ? element(t) : NULL;
        if (!e)
                return 0;
        write_begin(e);
        show(e, t);
        write_end(e);
        return 0;
}

/*
 * The end of a fault, as the kernel accounts for it (mm_account_fault): a software event of perf.
 * Those that a system call runs into have no begin: they are counted, and their time is the call's.
 */
static __always_inline int fault_ends(bool major)
{
        struct task_struct *task = bpf_get_current_task_btf();
        struct ifp_kernel_lane *e;
        struct view_task *t;
        struct view_proc *p;
        struct view_op *op;
        __u64 took = 0, ns;
        __u32 state;
        bool own;

        if (!task->bpf_storage)
                return 0;
        t = watched(task);
        p = t ? proc_of(t) : NULL;
        if (!p)
                return 0;
        if (t->fault_start) {
                ns = bpf_ktime_get_ns();
                took = ns > t->fault_start ? ns - t->fault_start : 0;
        }
        if (!t->looked) /* in a wait, which did not look */
                look(task, t, p, bpf_ktime_get_ns());
        state = t->state < IFP_KERNEL_STATES ? t->state : 0;
        t->fault_start = 0;
        op = op_of(t);
        if (op) {
                add(&op->fault, took);
                add(major ? &op->major_faults : &op->minor_faults, 1);
        }
        e = element(t);
        if (!e)
                return 0;
        own = is_own(t, p);
        if (own)
                write_begin(e);
        plus(own, &e->fault[state], took);
        if (major)
                plus(own, &e->major_faults, 1);
        else
                plus(own, &e->minor_faults, 1);
        if (own) {
                e->fault_since = 0;
                write_end(e);
        }
        return 0;
}

SEC("perf_event")
int fault_minor(struct bpf_perf_event_data *ctx)
{
        return fault_ends(false);
}

SEC("perf_event")
int fault_major(struct bpf_perf_event_data *ctx)
{
        return fault_ends(true);
}

/* ---- block I/O ------------------------------------------------------------------- */

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

/* ---- threads that are there already ------------------------------------------------ */

struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(max_entries, 1);
        __type(key, __u32);
        __type(value, __u32);
} sought SEC(".maps"); /* the slot of the process that is looked for */

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
