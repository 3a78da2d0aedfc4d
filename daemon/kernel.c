/* SPDX-License-Identifier: MIT */
/*
 * The life of the kernel's view. What it takes comes in two steps, because an engine waits for our
 * answer and shall not wait for a verifier: at the handshake a process gets its array (a map of the
 * kernel's, empty and cheap), and the programs that fill it come when they are loaded:
 *
 *   nothing ──first process──► loading (a child of ours) ──► loaded ──► attached
 *      └───────── why ◄──────────────┘                          ▲          │
 *                                                               └─nobody───┘ is watched
 *
 * Where it cannot be, each process has one line that says why, and /proc stands in.
 */
#include "daemon/kernel.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/kernel-private.h"
#include "daemon/lane.h"
#include "daemon/process.h"
#include "daemon/procfs.h"
#include "daemon/text.h"

enum phase {
        NOTHING,
        LOADING,
        LOADED,
        FAILED,
};

static struct {
        enum phase phase;
        int epoll;
        int loader; /* what the child says, while LOADING */
        pid_t pid;
        bool stacks; /* asked for, of what is loaded or being loaded */
        bool attached;
        char *why; /* FAILED */
        struct kernel_bpf bpf;
        uint32_t n_watched;
        uint32_t next_number;
} it = {.epoll = -1, .loader = -1, .next_number = 1};

struct kernel_bpf *kernel_programs(void)
{
        return it.phase == LOADED ? &it.bpf : NULL;
}

int kernel_open(void)
{
        struct epoll_event e = {.events = EPOLLIN};
        int fd;

        it.epoll = epoll_create1(EPOLL_CLOEXEC);
        if (it.epoll < 0)
                return -errno;
        fd = kernel_slots_open();
        if (fd < 0)
                return fd;
        e.data.fd = fd;
        return epoll_ctl(it.epoll, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

static void end_loader(void)
{
        if (it.loader < 0)
                return;
        close(it.loader);
        it.loader = -1;
        kill(it.pid, SIGKILL); /* it has nothing more to do */
        while (waitpid(it.pid, NULL, 0) < 0 && errno == EINTR)
                ;
}

int kernel_fd(void)
{
        return it.epoll;
}

/* No programs for this process: /proc stands in. Takes `why`. */
static void do_without(struct process *p, char *why)
{
        struct kernel *k = &p->kernel;

        free(k->why);
        k->why = why;
        k->view = RUNFILE_VIEW_PROC;
        k->wanted = false;
        k->moved = p->dirty = true;
}

static void fail(char *why)
{
        it.phase = FAILED;
        free(it.why);
        it.why = why;
        fprintf(stderr, "infprofd: no view of the kernel: %s\n", why ? why : "out of memory");
}

static char *copy_of_why(void)
{
        return strdup(it.why ? it.why : "out of memory");
}

/* For tests of what happens when maps are full. */
static uint32_t map_max(void)
{
        const char *s = getenv("INFPROF_DEBUG_KERNEL_MAPS");

        return s ? (uint32_t)strtoul(s, NULL, 10) : 0;
}

static void start_loading(bool stacks)
{
        struct epoll_event e = {.events = EPOLLIN};
        int fd = kernel_bpf_load(stacks, map_max(), &it.pid);

        if (fd < 0) {
                fail(kernel_bpf_why(-fd));
                return;
        }
        it.loader = e.data.fd = fd;
        it.stacks = stacks;
        it.phase = LOADING;
        if (epoll_ctl(it.epoll, EPOLL_CTL_ADD, fd, &e) < 0) {
                fail(text_format("epoll: %s", strerror(errno)));
                end_loader();
        }
}

/* ---- what it costs ----------------------------------------------------------------- */

/*
 * To be counted and timed by the kernel costs a program more than what it does. So that is done for
 * the first quarter second, and then for a quarter second of every four; what they did in the rest
 * of the time is taken to be like it.
 */
#define MEASURE_NS 250000000ull
#define EVERY_NS   4000000000ull

static struct {
        bool known; /* the kernel lets us: it takes CAP_SYS_ADMIN */
        bool on;
        uint64_t since_ns;           /* of this stretch, measured or not */
        uint64_t events, ns;         /* of all stretches that are over */
        uint64_t at_events, at_ns;   /* the kernel's counts when the stretch began */
        double events_rate, ns_rate; /* a ns, in the last that was measured */
} cost;

static void close_stretch(uint64_t now_ns)
{
        uint64_t events, ns, missed, took = now_ns - cost.since_ns;

        if (cost.on) {
                kernel_bpf_cost(&it.bpf, &events, &ns, &missed);
                cost.events += events - cost.at_events;
                cost.ns += ns - cost.at_ns;
                if (took) {
                        cost.events_rate = (double)(events - cost.at_events) / (double)took;
                        cost.ns_rate = (double)(ns - cost.at_ns) / (double)took;
                }
        } else {
                cost.events += (uint64_t)(cost.events_rate * (double)took);
                cost.ns += (uint64_t)(cost.ns_rate * (double)took);
        }
        cost.since_ns = now_ns;
}

static void switch_measuring(bool on)
{
        uint64_t missed;

        cost.on = kernel_bpf_measure(&it.bpf, on);
        if (cost.on)
                kernel_bpf_cost(&it.bpf, &cost.at_events, &cost.at_ns, &missed);
}

static void cost_begin(void)
{
        cost.since_ns = clock_mono_ns();
        switch_measuring(true);
        cost.known = cost.on;
}

static void cost_end(void)
{
        close_stretch(clock_mono_ns());
        cost.on = false;
}

bool kernel_cost(uint64_t now_ns, uint64_t *ret_events, uint64_t *ret_ns, uint64_t *ret_missed)
{
        uint64_t took = now_ns - cost.since_ns, events, ns;

        kernel_bpf_cost(&it.bpf, &events, &ns, ret_missed);
        *ret_events = cost.events + (cost.on ? events - cost.at_events
                                             : (uint64_t)(cost.events_rate * (double)took));
        *ret_ns = cost.ns + (cost.on ? ns - cost.at_ns : (uint64_t)(cost.ns_rate * (double)took));
        return cost.known;
}

uint64_t kernel_deadline(void)
{
        return it.attached && cost.known
                       ? cost.since_ns + (cost.on ? MEASURE_NS : EVERY_NS - MEASURE_NS)
                       : UINT64_MAX;
}

void kernel_tick(uint64_t now_ns)
{
        if (now_ns < kernel_deadline())
                return;
        close_stretch(now_ns);
        switch_measuring(!cost.on);
}

/* ---- one process ------------------------------------------------------------------ */

/* Who it is for the kernel: the innermost pid namespace, and its number there. */
static int identify(const struct process *p, struct view_proc *v)
{
        struct kernel_proc_thread t;
        struct stat st;
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)p->pid);
        if (stat(path, &st) < 0)
                return -errno;
        if (!kernel_proc_thread(p->pid, p->pid, &t))
                return -ESRCH;
        v->pidns = (uint32_t)st.st_ino;
        v->tgid = (uint32_t)t.inner;
        v->since_ns = clock_mono_ns();
        v->running = t.running;
        v->runnable = t.runnable;
        v->voluntary = t.voluntary;
        v->involuntary = t.involuntary;
        v->minor_faults = t.minor_faults;
        v->major_faults = t.major_faults;
        return 0;
}

static void describe(const struct process *p, struct view_proc *v)
{
        const struct ifp_header *h = &p->segment.header;

        v->flags = h->flags & IFP_HEADER_OFFCPU ? VIEW_OFFCPU : 0;
        v->n_lanes = h->n_lanes;
        v->mapped_at = h->mapped_at;
        v->lanes_at = h->mapped_at + h->lanes_offset;
        v->lane_bytes = h->lane_bytes;
        v->tls_offset = h->mapped_at ? h->tls_lane_offset : 0;
        v->ops_at = h->mapped_at + offsetof(struct ifp_segment, ops);
        v->phase_at = h->mapped_at + offsetof(struct ifp_segment, live) +
                      offsetof(struct ifp_live, phase);
        v->first_lane = v->n_lanes - 1;
        for (uint32_t i = 0; i < lane_count(p) && v->first_lane == v->n_lanes - 1; i++)
                if (__atomic_load_n(&p->segment.map->lanes[i].tid, __ATOMIC_RELAXED) ==
                    (int32_t)v->tgid)
                        v->first_lane = i;
        v->waits = h->flags & IFP_HEADER_WAITS ? 1 : 0;
        v->waits_offset = offsetof(struct ifp_lane, waits);
}

/* Of a process that an earlier daemon gave its array: the same, as the engine looks at that. */
static int find_array(const struct process *p)
{
        uint32_t id = __atomic_load_n(&p->segment.map->live.daemon_kernel_map, __ATOMIC_RELAXED);

        return p->adopted && id ? kernel_bpf_find_array(id) : -1;
}

static int make_array(struct process *p)
{
        struct kernel *k = &p->kernel;
        size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes;
        void *at;

        k->array = find_array(p);
        if (k->array < 0) {
                k->array = kernel_slots_spare(&k->slot);
                k->installed = k->array >= 0;
        }
        if (k->array < 0)
                k->array = kernel_bpf_array();
        if (k->array < 0)
                return k->array;
        bytes = (VIEW_LANES * sizeof(struct ifp_kernel_lane) + page - 1) / page * page;
        at = mmap(NULL, bytes, PROT_READ, MAP_SHARED, k->array, 0);
        if (at == MAP_FAILED) {
                int error = errno;

                close(k->array);
                k->array = -1;
                return -error;
        }
        (void)madvise(at, bytes, MADV_DONTFORK);
        k->lanes = at;
        k->lanes_bytes = bytes;
        __atomic_store_n(&p->segment.map->live.daemon_kernel_map, kernel_bpf_array_id(k->array),
                         __ATOMIC_RELAXED);
        return 0;
}

/* Its array is in its slot: the programs may look. */
static void watch(struct process *p)
{
        struct kernel *k = &p->kernel;
        int r = 0;

        if (!it.attached) {
                r = kernel_bpf_attach(&it.bpf);
                it.attached = !r;
                if (!r)
                        cost_begin();
        }
        k->proc.number = it.next_number++;
        if (!r)
                r = kernel_bpf_watch(&it.bpf, k->slot, &k->proc);
        if (r) {
                k->proc.number = 0;
                do_without(p, text_format("the kernel does not let our programs look: %s",
                                          strerror(-r)));
                return;
        }
        k->wanted = false;
        kernel_slots_set(k->slot, p);
        it.n_watched++;
        (void)kernel_cost(clock_mono_ns(), &k->events_before, &k->cost_before_ns,
                          &k->missed_before);
}

/* The next array into a slot: of who waits for it, or a spare. */
static void next_slot(struct process *processes)
{
        struct process *first = NULL;

        for (struct process *p = processes; p; p = p->next)
                if (p->kernel.wanted) /* the newest comes first */
                        first = p;
        if (first && kernel_slots_full())
                do_without(first, text_format("%u processes are watched already: no more at a time",
                                              VIEW_PROCS));
        else
                kernel_slots_begin(&it.bpf, first);
}

void kernel_begin(struct process *p)
{
        struct kernel *k = &p->kernel;
        bool stacks = p->segment.header.flags & IFP_HEADER_OFFCPU;
        int r;

        k->array = -1;
        if (p->segment.header.flags & IFP_HEADER_NO_KERNEL) {
                do_without(p, strdup("INFPROF_KERNEL=off"));
                return;
        }
        if (it.phase == FAILED) {
                do_without(p, copy_of_why());
                return;
        }
        /* what is loaded has no room for stacks, and nobody needs it: once more, with */
        if (it.phase == LOADED && stacks && !it.stacks && !it.n_watched) {
                kernel_slots_drop();
                kernel_bpf_unload(&it.bpf);
                it.phase = NOTHING;
        }
        r = make_array(p);
        if (r == -EPERM || r == -EACCES || r == -ENOSYS) {
                fail(kernel_bpf_why(-r));
                do_without(p, copy_of_why());
                return;
        }
        if (r) {
                do_without(p, kernel_bpf_why(-r));
                return;
        }
        r = identify(p, &k->proc);
        if (r) {
                do_without(p, procfs_is_ours()
                                      ? text_format("/proc/%d: %s", (int)p->pid, strerror(-r))
                                      : text_format("/proc is that of another pid namespace"));
                return;
        }
        describe(p, &k->proc);
        if (p->adopted)
                kernel_resume_lanes(p);
        k->view = RUNFILE_VIEW_BPF;
        k->wanted = true;
        if (it.phase == NOTHING)
                start_loading(stacks);
        if (it.phase == FAILED)
                do_without(p, copy_of_why());
        else if (it.phase == LOADED && k->installed)
                watch(p);
        if (it.phase == LOADED)
                next_slot(p); /* the newest of the list */
}

int kernel_array(const struct process *p)
{
        return p->kernel.view == RUNFILE_VIEW_BPF ? p->kernel.array : -1;
}

static void take_loaded(struct process *processes)
{
        char *why = NULL;
        int r = kernel_bpf_loaded(it.loader, &it.bpf, &why);

        if (r == -EAGAIN)
                return;
        end_loader();
        if (!r) {
                it.phase = LOADED;
                next_slot(processes);
                return;
        }
        fail(why);
        for (struct process *p = processes; p; p = p->next)
                if (p->kernel.wanted)
                        do_without(p, copy_of_why());
}

void kernel_serve(struct process *processes)
{
        struct process *of;
        int r;

        if (it.phase == LOADING)
                take_loaded(processes);
        if (!kernel_slots_done(&of, &r))
                return;
        if (of && r)
                do_without(of, text_format("the kernel does not let our programs look: %s",
                                           strerror(-r)));
        else if (of)
                watch(of);
        if (!r)
                next_slot(processes);
}

/* What has the number of a process that is over makes room for others. */
static void forget_keys(uint32_t number)
{
        static const struct {
                enum kernel_map map;
                size_t key, value;
        } keyed[] = {
                {KERNEL_OPS, sizeof(struct view_op_key), sizeof(struct view_op)},
                {KERNEL_SYSCALLS, sizeof(struct view_syscall_key), sizeof(struct view_syscall)},
                {KERNEL_PREEMPTS, sizeof(struct view_preempt_key), sizeof(struct view_preempt)},
                {KERNEL_OFFCPU, sizeof(struct view_off_key), sizeof(struct view_off)},
        };

        for (size_t i = 0; i < sizeof(keyed) / sizeof(keyed[0]); i++) {
                char *keys = NULL, *values = NULL;
                int n = kernel_bpf_all(&it.bpf, keyed[i].map, keyed[i].key, keyed[i].value,
                                       (void **)&keys, (void **)&values);

                for (int e = 0; e < n; e++)
                        if (*(uint32_t *)(void *)(keys + (size_t)e * keyed[i].key) == number)
                                kernel_bpf_delete(&it.bpf, keyed[i].map,
                                                  keys + (size_t)e * keyed[i].key);
                free(keys);
                free(values);
        }
}

void kernel_end(struct process *p)
{
        struct kernel *k = &p->kernel;

        if (k->wanted)
                do_without(p, text_format("it was over before our programs were loaded"));
        k->wanted = false;
        kernel_slots_forget(p);
        if (k->proc.number) {
                kernel_bpf_forget(&it.bpf, k->slot);
                forget_keys(k->proc.number);
                if (--it.n_watched == 0) {
                        cost_end();
                        kernel_bpf_detach(&it.bpf);
                        it.attached = false;
                }
        }
        k->proc.number = 0;
        if (k->lanes)
                munmap((void *)(uintptr_t)k->lanes, k->lanes_bytes);
        k->lanes = NULL;
        if (k->array > 0)
                close(k->array);
        k->array = -1;
}

void kernel_done(struct process *p)
{
        struct kernel *k = &p->kernel;

        kernel_end(p);
        free(k->why);
        free(k->ops);
        free(k->syscalls);
        free(k->preempts);
        kernel_off_done(k);
        kernel_before_free(k->before);
        *k = (struct kernel){.array = -1};
}

void kernel_close(void)
{
        end_loader();
        kernel_slots_close();
        kernel_read_forget();
        if (it.phase == LOADED)
                kernel_bpf_unload(&it.bpf);
        it.phase = NOTHING;
        free(it.why);
        it.why = NULL;
        if (it.epoll >= 0)
                close(it.epoll);
        it.epoll = -1;
}
