/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* The maps, numbers, and what is set before the programs are loaded. */
#pragma once

#include "view.h"

/* As in <infprof/segment.h> and <infprof/event.h>. */
enum { STATE_NONE, STATE_CALL, STATE_GRAPH, STATE_COMPUTE, STATE_WAIT, STATE_ALLOC };
enum { KIND_KERNEL, KIND_NODE, KIND_GRAPH, KIND_CALL, KIND_WAIT, KIND_MARKER = 7 };
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

struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(max_entries, 1);
        __type(key, __u32);
        __type(value, __u32);
} sought SEC(".maps"); /* the slot of the process that is looked for */

/* Values as they begin. */
static const struct view_op no_op;
static const struct view_off no_off;
static const struct view_syscall no_syscall;

const volatile bool with_stacks = false;
const volatile __u8 classes[VIEW_SYSCALLS] = {}; /* enum view_class */

#define order()    asm volatile("" ::: "memory")
#define settled(v) asm volatile("" : "+r"(v))
