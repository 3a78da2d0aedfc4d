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
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/kernel-private.h"
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

/* Programs that are attached cost the whole machine. */
static void detach_unwatched(void)
{
        if (!it.attached)
                return;
        kernel_cost_watched(clock_mono_ns(), it.n_watched);
        if (it.n_watched)
                return;
        kernel_cost_end();
        kernel_bpf_detach(&it.bpf);
        it.attached = false;
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
                        kernel_cost_begin(&it.bpf);
        }
        k->proc.number = it.next_number++;
        if (!r)
                r = kernel_bpf_watch(&it.bpf, k->slot, &k->proc);
        if (r) {
                k->proc.number = 0;
                do_without(p, text_format("the kernel does not let our programs look: %s",
                                          strerror(-r)));
                detach_unwatched();
                return;
        }
        k->wanted = false;
        kernel_slots_set(k->slot, p);
        kernel_cost_watched(clock_mono_ns(), ++it.n_watched);
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
        r = kernel_make_array(p);
        if (r == -EPERM || r == -EACCES || r == -ENOSYS) {
                fail(kernel_bpf_why(-r));
                do_without(p, copy_of_why());
                return;
        }
        if (r) {
                do_without(p, kernel_bpf_why(-r));
                return;
        }
        r = kernel_identify(p, &k->proc);
        if (r) {
                do_without(p, procfs_is_ours()
                                      ? text_format("/proc/%d: %s", (int)p->pid, strerror(-r))
                                      : text_format("/proc is that of another pid namespace"));
                return;
        }
        kernel_describe(p, &k->proc);
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

void kernel_end(struct process *p)
{
        struct kernel *k = &p->kernel;

        if (k->wanted)
                do_without(p, text_format("it was over before our programs were loaded"));
        k->wanted = false;
        kernel_slots_forget(p);
        if (k->proc.number) {
                kernel_bpf_forget(&it.bpf, k->slot);
                kernel_forget_keys(&it.bpf, k->proc.number);
                it.n_watched--;
                detach_unwatched();
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
