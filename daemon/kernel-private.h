/* SPDX-License-Identifier: MIT */
/* Between the parts of the kernel's view. */
#pragma once

#include "daemon/kernel.h"

/* daemon/kernel.c */
struct kernel_bpf;
struct kernel_bpf *kernel_programs(void); /* NULL: none are loaded */

/* daemon/kernel-slots.c: arrays come into slots one at a time, by a thread. */
int kernel_slots_open(void); /* the descriptor that tells when one is done, or -errno */
void kernel_slots_close(void);
/* Begins with the array of `p` (NULL: a spare), where no other is under way or lies ready. */
void kernel_slots_begin(struct kernel_bpf *b, struct process *p);
bool kernel_slots_done(struct process **ret_of, int *ret_error);
int kernel_slots_spare(uint32_t *ret_slot); /* an array that lies ready in its slot; -1: none */
bool kernel_slots_full(void);
void kernel_slots_set(uint32_t slot, struct process *p);
void kernel_slots_forget(struct process *p);
void kernel_slots_drop(void); /* of the programs that are loaded, all is void */

/* daemon/kernel-process.c: 0, or -errno */
int kernel_identify(const struct process *p, struct view_proc *v);
void kernel_describe(const struct process *p, struct view_proc *v);
int kernel_make_array(struct process *p); /* and maps it */

/* daemon/kernel-cost.c: from when they are attached until nobody is watched */
void kernel_cost_begin(struct kernel_bpf *b);
void kernel_cost_end(void);
void kernel_cost_watched(uint64_t now_ns, uint32_t n); /* so many from now on */
/* Runs of the programs and time in them, as came to a process that is watched since they were
 * attached: an estimate. What they missed is of all. false: the first two are not known. */
bool kernel_cost(uint64_t now_ns, uint64_t *ret_events, uint64_t *ret_ns, uint64_t *ret_missed);

/* daemon/kernel-proc.c: what /proc tells of the threads. */
void kernel_proc_take(struct process *p);

/* What stands in /proc of one thread; false: it is gone. */
struct kernel_proc_thread {
        int64_t inner; /* its number in the innermost pid namespace */
        uint64_t running, runnable, voluntary, involuntary, minor_faults, major_faults;
        uint32_t cpu;
};
bool kernel_proc_thread(pid_t pid, pid_t tid, struct kernel_proc_thread *ret);

/* daemon/kernel-forget.c */
void kernel_forget_keys(struct kernel_bpf *b, uint32_t number);

/* daemon/kernel-off.c: stacks of time off the CPU */
void kernel_off_take(struct kernel_bpf *b, struct process *p);
void kernel_off_done(struct kernel *k);

/* daemon/kernel-resume.c */
void kernel_resume_lanes(struct process *p);
void kernel_before_free(struct kernel_before *b);

/* daemon/kernel-read.c */
void kernel_read_forget(void);
void kernel_read_lane(const struct ifp_kernel_lane *e, uint64_t now_ns, struct kernel_figures *ret,
                      uint32_t *ret_cpu);

/* daemon/kernel-bpf.c and kernel-load.c, or kernel-none.c where they are not built in */
#define KERNEL_BPF_MAPS  10
#define KERNEL_BPF_PROGS 14
#define KERNEL_FIND      (KERNEL_BPF_PROGS - 1) /* the iterator, which is attached to nothing */
#define KERNEL_FAULTS    9                      /* behind those that tell a fault's end */
extern const struct kernel_program {
        const char *name, *type; /* of the kernel's types: without it there is no such event */
        bool must;
        int perf; /* software event, or -1 */
} kernel_program[KERNEL_BPF_PROGS];

struct kernel_bpf {
        int maps[KERNEL_BPF_MAPS], programs[KERNEL_BPF_PROGS]; /* -1: none */
        int *links;
        uint32_t n_links, room;
        int stats; /* while they are measured; -1 */
        bool counts_faults, times_faults;
};

enum kernel_map {
        KERNEL_PROCS,
        KERNEL_LANES,
        KERNEL_TOTALS,
        KERNEL_OPS,
        KERNEL_SYSCALLS,
        KERNEL_PREEMPTS,
        KERNEL_OFFCPU,
        KERNEL_STACKS,
        KERNEL_REQUESTS,
        KERNEL_SOUGHT,
};

/* One line: why it cannot be, as far as that is known without trying; NULL: it may be. */
char *kernel_bpf_why(int error);
int kernel_bpf_array(void);
uint32_t kernel_bpf_array_id(int array); /* by which another daemon finds it; 0: not known */
int kernel_bpf_find_array(uint32_t id);  /* such a one, if that is what it is; or -errno */

/* Loads in a process of its own; the socket that says when it is done, or -errno. */
int kernel_bpf_load(bool stacks, uint32_t map_max, pid_t *ret_pid);
/* What it says: 0 and the programs, or -errno and a line; -EAGAIN: nothing yet. */
int kernel_bpf_loaded(int fd, struct kernel_bpf *ret, char **ret_why);
void kernel_bpf_unload(struct kernel_bpf *b);

int kernel_bpf_attach(struct kernel_bpf *b);
void kernel_bpf_detach(struct kernel_bpf *b);
/* The array of whatever process has the slot: waits until no program uses the one before. */
int kernel_bpf_install(const struct kernel_bpf *b, uint32_t slot, int array);
int kernel_bpf_watch(struct kernel_bpf *b, uint32_t slot, const struct view_proc *p);
void kernel_bpf_forget(struct kernel_bpf *b, uint32_t slot);
/* Whether the kernel counts their runs and times them, which costs more than they do: as it is now.
 */
bool kernel_bpf_measure(struct kernel_bpf *b, bool on);
void kernel_bpf_cost(struct kernel_bpf *b, uint64_t *ret_events, uint64_t *ret_ns,
                     uint64_t *ret_missed);

int kernel_bpf_get(struct kernel_bpf *b, enum kernel_map map, const void *key, void *value);
void kernel_bpf_delete(struct kernel_bpf *b, enum kernel_map map, const void *key);
/* All elements, in arrays of their sizes. Their number, or -errno. */
int kernel_bpf_all(struct kernel_bpf *b, enum kernel_map map, size_t key_bytes, size_t value_bytes,
                   void **ret_keys, void **ret_values);
