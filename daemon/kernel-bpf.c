/* SPDX-License-Identifier: MIT */
/*
 * The kernel's view, as far as libbpf is needed. Loading takes some tens of milliseconds (the
 * kernel's types are read, the verifier walks each program), in which rings would fill; so a child
 * of ours does it, sends the descriptors of maps and programs, and ends. What it took for that
 * never was in our memory.
 *
 * Programs that are loaded and not attached cost nothing; they are attached while there is a
 * process to watch. A program whose tracepoint this kernel does not have is left out.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <infprof/segment.h>

#include "bpf/syscalls.h"
#include "common/cleanup.h"
#include "daemon/kernel-private.h"
#include "daemon/text.h"
#include "view.skel.h"

_Static_assert(offsetof(struct ifp_lane, top) == VIEW_LANE_TOP &&
                       offsetof(struct ifp_lane, open) == VIEW_LANE_OPEN &&
                       sizeof(struct ifp_open) == VIEW_OPEN_BYTES &&
                       offsetof(struct ifp_open, phase) == VIEW_OPEN_PHASE &&
                       offsetof(struct ifp_open, op) == VIEW_OPEN_PHASE + 1 &&
                       sizeof(struct ifp_op) == VIEW_OP_BYTES &&
                       offsetof(struct ifp_op, kind) == VIEW_OP_KIND && IFP_MAX_OPS == VIEW_OPS &&
                       IFP_N_PHASES == VIEW_PHASES && IFP_MAX_LANES == VIEW_LANES &&
                       (int)IFP_KERNEL_STATES == (int)IFP_N_STATES,
               "bpf/view.h");
_Static_assert(offsetof(struct ifp_lane_waits, since) == 0 &&
                       offsetof(struct ifp_lane_waits, in_alloc) == 40,
               "struct waits_head of bpf/lane.h");
_Static_assert(IFP_STATE_NONE == 0 && IFP_STATE_CALL == 1 && IFP_STATE_GRAPH == 2 &&
                       IFP_STATE_COMPUTE == 3 && IFP_STATE_WAIT == 4 && IFP_STATE_ALLOC == 5 &&
                       IFP_KIND_KERNEL == 0 && IFP_KIND_NODE == 1 && IFP_KIND_GRAPH == 2 &&
                       IFP_KIND_CALL == 3 && IFP_KIND_WAIT == 4 && IFP_PHASE_LOAD == 1,
               "enums of bpf/maps.h");

#define LINE 200

/* In the order in which they are sent. */
static const struct {
        const char *name;
        const char
                *type; /* of the kernel's types: without it this kernel does not have the event */
        bool must;
        int perf; /* software event, or -1 */
} programs[KERNEL_BPF_PROGS] = {
        {"switched", "btf_trace_sched_switch", true, -1},
        {"woken", "btf_trace_sched_wakeup", true, -1},
        {"forked", "btf_trace_sched_process_fork", true, -1},
        {"exited", "btf_trace_sched_process_exit", true, -1},
        {"execs", "btf_trace_sched_process_exec", true, -1},
        {"enters", "btf_trace_sys_enter", true, -1},
        {"leaves", "btf_trace_sys_exit", true, -1},
        {"faults", "btf_trace_page_fault_user", false, -1},
        {"fault_minor", NULL, false, PERF_COUNT_SW_PAGE_FAULTS_MIN},
        {"fault_major", NULL, false, PERF_COUNT_SW_PAGE_FAULTS_MAJ},
        {"io_starts", "btf_trace_block_io_start", false, -1},
        {"io_issued", "btf_trace_block_rq_issue", false, -1},
        {"io_done", "btf_trace_block_io_done", false, -1},
        {"find", NULL, true, -1},
};
#define FIND (KERNEL_BPF_PROGS - 1)

static const char *const maps[KERNEL_BPF_MAPS] = {
        [KERNEL_PROCS] = "procs",   [KERNEL_LANES] = "lanes",       [KERNEL_TOTALS] = "totals",
        [KERNEL_OPS] = "ops",       [KERNEL_SYSCALLS] = "syscalls", [KERNEL_PREEMPTS] = "preempts",
        [KERNEL_OFFCPU] = "offcpu", [KERNEL_STACKS] = "stacks",     [KERNEL_REQUESTS] = "requests",
        [KERNEL_SOUGHT] = "sought",
};

/* ---- why not -------------------------------------------------------------------- */

static bool has_capabilities(uint64_t wanted)
{
        char line[256];
        uint64_t all = 0;
        FILE *f = fopen("/proc/self/status", "re");

        while (f && fgets(line, sizeof(line), f))
                if (sscanf(line, "CapEff: %" SCNx64, &all) == 1)
                        break;
        if (f)
                fclose(f);
        return (all & wanted) == wanted;
}

char *kernel_bpf_why(int error)
{
        bool may = has_capabilities(1ull << 21 /* CAP_SYS_ADMIN */) ||
                   has_capabilities(1ull << 38 | 1ull << 39); /* CAP_PERFMON, CAP_BPF */

        if (access("/sys/kernel/btf/vmlinux", R_OK) < 0)
                return text_format("/sys/kernel/btf/vmlinux cannot be read: %s; it takes a kernel "
                                   "with CONFIG_DEBUG_INFO_BTF",
                                   strerror(errno));
        if (!may) {
                char self[4096];
                ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

                self[n > 0 ? n : 0] = '\0';
                text_clean(self);
                return text_format("infprofd lacks CAP_BPF and CAP_PERFMON: run it as root, or "
                                   "setcap cap_bpf,cap_perfmon+ep %s",
                                   n > 0 ? self : "its file");
        }
        if (error == EPERM || error == EACCES)
                return text_format("bpf(2) is refused although the capabilities are there: allow "
                                   "it in the seccomp profile or container (or lift lockdown)");
        if (error == ENOSYS)
                return text_format("the kernel has no bpf(2)");
        return error ? text_format("bpf(2): %s", strerror(error)) : NULL;
}

int kernel_bpf_array(void)
{
        /* as in bpf/maps.h */
        LIBBPF_OPTS(bpf_map_create_opts, o, .map_flags = BPF_F_MMAPABLE);
        int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "infprof_lanes", sizeof(uint32_t),
                                sizeof(struct ifp_kernel_lane), VIEW_LANES, &o);

        if (fd < 0)
                return -errno;
        /* From now on programs write it and nobody else, whoever has a descriptor. (One that was
           opened by BPF_F_RDONLY cannot be mapped at all.) */
        if (bpf_map_freeze(fd) < 0) {
                int error = errno;

                close(fd);
                return -error;
        }
        return fd;
}

static bool is_array(int fd, uint32_t *ret_id)
{
        struct bpf_map_info info = {0};
        uint32_t n = sizeof(info);

        if (bpf_obj_get_info_by_fd(fd, &info, &n))
                return false;
        *ret_id = info.id;
        return info.type == BPF_MAP_TYPE_ARRAY && info.max_entries == VIEW_LANES &&
               info.value_size == sizeof(struct ifp_kernel_lane) &&
               info.map_flags == BPF_F_MMAPABLE;
}

uint32_t kernel_bpf_array_id(int array)
{
        uint32_t id;

        return is_array(array, &id) ? id : 0;
}

/* It takes CAP_SYS_ADMIN. */
int kernel_bpf_find_array(uint32_t id)
{
        int fd = bpf_map_get_fd_by_id(id);

        if (fd < 0)
                return -errno;
        if (!is_array(fd, &id)) {
                close(fd);
                return -EINVAL;
        }
        return fd;
}

/* ---- the child that loads ---------------------------------------------------------- */

struct loaded {
        int32_t error;
        uint32_t programs; /* bits: which of them come */
        char why[LINE];
};

static char first_line[LINE]; /* of what libbpf complains about */

static int complain(enum libbpf_print_level level, const char *format, va_list ap)
{
        if (level == LIBBPF_WARN && !first_line[0]) {
                vsnprintf(first_line, sizeof(first_line), format, ap);
                first_line[strcspn(first_line, "\n")] = '\0';
        }
        return 0;
}

/* Those whose tracepoints are not there are left out. */
static void choose_programs(struct view_bpf *skel)
{
        struct btf *btf = btf__load_vmlinux_btf();

        for (int i = 0; i < KERNEL_BPF_PROGS; i++) {
                struct bpf_program *p =
                        bpf_object__find_program_by_name(skel->obj, programs[i].name);

                if (!programs[i].must && programs[i].type && btf &&
                    btf__find_by_name_kind(btf, programs[i].type, BTF_KIND_TYPEDEF) < 0)
                        bpf_program__set_autoload(p, false);
        }
        btf__free(btf);
}

static void choose_sizes(struct view_bpf *skel, bool stacks, uint32_t map_max)
{
        static const enum kernel_map sized[] = {KERNEL_OPS,    KERNEL_SYSCALLS, KERNEL_PREEMPTS,
                                                KERNEL_OFFCPU, KERNEL_STACKS,   KERNEL_REQUESTS};

        for (size_t i = 0; i < sizeof(sized) / sizeof(sized[0]); i++) {
                struct bpf_map *m = bpf_object__find_map_by_name(skel->obj, maps[sized[i]]);
                bool of_stacks = sized[i] == KERNEL_STACKS || sized[i] == KERNEL_OFFCPU;

                if (of_stacks && !stacks)
                        bpf_map__set_max_entries(m, 1);
                else if (map_max && map_max < bpf_map__max_entries(m))
                        bpf_map__set_max_entries(m, map_max);
        }
        skel->rodata->with_stacks = stacks;
        for (uint32_t i = 0; i < VIEW_SYSCALLS; i++)
                skel->rodata->classes[i] = view_classes[i];
}

static void send_all(int fd, const struct loaded *what, const int *fds, uint32_t n)
{
        union {
                char bytes[CMSG_SPACE((KERNEL_BPF_MAPS + KERNEL_BPF_PROGS) * sizeof(int))];
                struct cmsghdr align;
        } control = {0};
        struct iovec iov = {.iov_base = (void *)what, .iov_len = sizeof(*what)};
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

        if (n) {
                m.msg_control = control.bytes;
                m.msg_controllen = CMSG_SPACE(n * sizeof(int));
                control.align.cmsg_level = SOL_SOCKET;
                control.align.cmsg_type = SCM_RIGHTS;
                control.align.cmsg_len = CMSG_LEN(n * sizeof(int));
                memcpy(CMSG_DATA(&control.align), fds, n * sizeof(int));
        }
        (void)!sendmsg(fd, &m, MSG_NOSIGNAL);
}

static int open_and_load(struct view_bpf **ret, bool choose, bool stacks, uint32_t map_max)
{
        struct view_bpf *skel = view_bpf__open();
        int r = skel ? 0 : -errno;

        first_line[0] = '\0';
        if (r)
                return r;
        if (choose)
                choose_programs(skel);
        choose_sizes(skel, stacks, map_max);
        r = view_bpf__load(skel);
        if (r)
                view_bpf__destroy(skel);
        else
                *ret = skel;
        return r;
}

static void load(int fd, bool stacks, uint32_t map_max)
{
        int fds[KERNEL_BPF_MAPS + KERNEL_BPF_PROGS];
        struct loaded what = {0};
        struct view_bpf *skel = NULL;
        uint32_t n = 0;
        int r;

        libbpf_set_print(complain);
        r = open_and_load(&skel, false, stacks, map_max);
        if (r && r != -EPERM) /* to look first costs as much as to load */
                r = open_and_load(&skel, true, stacks, map_max);
        if (r) {
                what.error = r;
                strcpy(what.why, first_line);
                send_all(fd, &what, NULL, 0);
                return;
        }
        for (int i = 0; i < KERNEL_BPF_MAPS; i++)
                fds[n++] = bpf_map__fd(bpf_object__find_map_by_name(skel->obj, maps[i]));
        for (int i = 0; i < KERNEL_BPF_PROGS; i++) {
                int got = bpf_program__fd(
                        bpf_object__find_program_by_name(skel->obj, programs[i].name));

                if (got < 0)
                        continue;
                fds[n++] = got;
                what.programs |= 1u << i;
        }
        send_all(fd, &what, fds, n);
}

int kernel_bpf_load(bool stacks, uint32_t map_max, pid_t *ret_pid)
{
        int pair[2];
        pid_t pid, parent = getpid();

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        pid = fork();
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                prctl(PR_SET_NAME, "infprof-load");    /* it is no daemon */
                (void)setpriority(PRIO_PROCESS, 0, 0); /* soon over, and somebody waits */
                if (getppid() == parent)
                        load(pair[1], stacks, map_max);
                _exit(0);
        }
        close(pair[1]);
        if (pid < 0) {
                int error = errno;

                close(pair[0]);
                return -error;
        }
        *ret_pid = pid;
        return pair[0];
}

/* ---- what it sent -------------------------------------------------------------------- */

static uint32_t take_fds(struct msghdr *m, int *to, uint32_t room)
{
        uint32_t n = 0;

        for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;
                for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) && n < room; i++)
                        memcpy(&to[n++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
        }
        return n;
}

int kernel_bpf_loaded(int fd, struct kernel_bpf *ret, char **ret_why)
{
        int fds[KERNEL_BPF_MAPS + KERNEL_BPF_PROGS];
        union {
                char bytes[CMSG_SPACE(sizeof(fds))];
                struct cmsghdr align;
        } control;
        struct loaded what;
        struct iovec iov = {.iov_base = &what, .iov_len = sizeof(what)};
        struct msghdr m = {.msg_iov = &iov,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof(control.bytes)};
        uint32_t n, at = 0;

        if (recvmsg(fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) != sizeof(what)) {
                *ret_why = text_format("the process that loads the programs died");
                return -EIO;
        }
        n = take_fds(&m, fds, KERNEL_BPF_MAPS + KERNEL_BPF_PROGS);
        if (what.error || n != KERNEL_BPF_MAPS + (uint32_t)__builtin_popcount(what.programs)) {
                what.why[LINE - 1] = '\0';
                *ret_why = kernel_bpf_why(-what.error == EPERM ? EPERM : 0);
                if (!*ret_why)
                        *ret_why = text_format("the kernel does not take our programs: %s (%s)",
                                               what.why[0] ? what.why : "no reason told",
                                               strerror(what.error ? -what.error : EIO));
                while (n)
                        close(fds[--n]);
                return what.error ? what.error : -EIO;
        }
        *ret = (struct kernel_bpf){.stats = -1};
        for (int i = 0; i < KERNEL_BPF_MAPS; i++)
                ret->maps[i] = fds[at++];
        for (int i = 0; i < KERNEL_BPF_PROGS; i++)
                ret->programs[i] = what.programs >> i & 1 ? fds[at++] : -1;
        return 0;
}

void kernel_bpf_unload(struct kernel_bpf *b)
{
        kernel_bpf_detach(b);
        for (int i = 0; i < KERNEL_BPF_MAPS; i++)
                close(b->maps[i]);
        for (int i = 0; i < KERNEL_BPF_PROGS; i++)
                if (b->programs[i] >= 0)
                        close(b->programs[i]);
        free(b->links);
        b->links = NULL;
}

/* ---- attached or not ------------------------------------------------------------------- */

static int add_link(struct kernel_bpf *b, int fd)
{
        if (fd < 0)
                return -errno;
        if (b->n_links == b->room) {
                uint32_t room = b->room ? 2 * b->room : 32;
                int *new = realloc(b->links, room * sizeof(*new));

                if (!new) {
                        close(fd);
                        return -ENOMEM;
                }
                b->links = new;
                b->room = room;
        }
        b->links[b->n_links++] = fd;
        return 0;
}

/* A software event of each CPU runs it. Those that are not there now are left out. */
static int attach_perf(struct kernel_bpf *b, int program, uint64_t event)
{
        struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
                                       .size = sizeof(attr),
                                       .config = event,
                                       .sample_period = 1};
        int n = libbpf_num_possible_cpus(), r = 0;

        for (int cpu = 0; !r && cpu < n; cpu++) {
                int fd =
                        (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

                if (fd < 0 && errno == ENODEV)
                        continue;
                r = add_link(b, fd);
                if (!r && (ioctl(fd, PERF_EVENT_IOC_SET_BPF, program) < 0 ||
                           ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) < 0))
                        r = -errno;
        }
        return r;
}

int kernel_bpf_attach(struct kernel_bpf *b)
{
        int r = 0;

        for (int i = 0; !r && i < FIND; i++) {
                if (b->programs[i] < 0)
                        continue;
                r = programs[i].perf >= 0
                            ? attach_perf(b, b->programs[i], (uint64_t)programs[i].perf)
                            : add_link(b, bpf_raw_tracepoint_open(NULL, b->programs[i]));
                if (r && !programs[i].must)
                        r = 0; /* faults or block I/O are not told then */
        }
        if (r)
                kernel_bpf_detach(b);
        return r;
}

void kernel_bpf_detach(struct kernel_bpf *b)
{
        (void)kernel_bpf_measure(b, false);
        while (b->n_links)
                close(b->links[--b->n_links]);
}

bool kernel_bpf_measure(struct kernel_bpf *b, bool on)
{
        if (on && b->stats < 0)
                b->stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
        if (!on && b->stats >= 0) {
                close(b->stats);
                b->stats = -1;
        }
        return b->stats >= 0;
}

void kernel_bpf_cost(struct kernel_bpf *b, uint64_t *ret_events, uint64_t *ret_ns,
                     uint64_t *ret_missed)
{
        *ret_events = *ret_ns = *ret_missed = 0;
        for (int i = 0; i < FIND; i++) {
                struct bpf_prog_info info = {0};
                uint32_t n = sizeof(info);

                if (b->programs[i] < 0 || bpf_obj_get_info_by_fd(b->programs[i], &info, &n))
                        continue;
                *ret_events += info.run_cnt;
                *ret_ns += info.run_time_ns;
                *ret_missed += info.recursion_misses;
        }
}

/* ---- processes --------------------------------------------------------------------------- */

/* Threads that are there already. Twice: one may be made by another just before that is found. */
static int find_threads(struct kernel_bpf *b, uint32_t slot)
{
        uint32_t zero = 0;
        char buf[64];
        int link, r = 0;

        if (bpf_map_update_elem(b->maps[KERNEL_SOUGHT], &zero, &slot, BPF_ANY))
                return -errno;
        link = bpf_link_create(b->programs[FIND], 0, BPF_TRACE_ITER, NULL);
        if (link < 0)
                return -errno;
        for (int i = 0; !r && i < 2; i++) {
                int it = bpf_iter_create(link);
                ssize_t n = it < 0 ? -1 : 0;

                while (it >= 0 && (n = read(it, buf, sizeof(buf))) > 0)
                        ;
                r = n < 0 ? -errno : 0;
                if (it >= 0)
                        close(it);
        }
        close(link);
        return r;
}

int kernel_bpf_install(const struct kernel_bpf *b, uint32_t slot, int array)
{
        return bpf_map_update_elem(b->maps[KERNEL_LANES], &slot, &array, BPF_ANY) ? -errno : 0;
}

int kernel_bpf_watch(struct kernel_bpf *b, uint32_t slot, const struct view_proc *p)
{
        static const struct view_total none;
        struct view_preempt_key others = {.number = p->number};
        struct view_preempt no_preempt = {0};
        int r = 0;

        if (bpf_map_update_elem(b->maps[KERNEL_TOTALS], &slot, &none, BPF_ANY) ||
            bpf_map_update_elem(b->maps[KERNEL_PROCS], &slot, p, BPF_ANY))
                r = -errno;
        /* where it finds no room, what would go there is lost, and counted */
        (void)bpf_map_update_elem(b->maps[KERNEL_PREEMPTS], &others, &no_preempt, BPF_ANY);
        if (!r)
                r = find_threads(b, slot);
        if (r)
                kernel_bpf_forget(b, slot);
        return r;
}

void kernel_bpf_forget(struct kernel_bpf *b, uint32_t slot)
{
        static const struct view_proc none;

        (void)bpf_map_update_elem(b->maps[KERNEL_PROCS], &slot, &none, BPF_ANY);
}

/* ---- maps ------------------------------------------------------------------------------------ */

int kernel_bpf_get(struct kernel_bpf *b, enum kernel_map map, const void *key, void *value)
{
        return bpf_map_lookup_elem(b->maps[map], key, value) ? -errno : 0;
}

void kernel_bpf_delete(struct kernel_bpf *b, enum kernel_map map, const void *key)
{
        (void)bpf_map_delete_elem(b->maps[map], key);
}

static int grow(char **array, size_t bytes)
{
        char *new = realloc(*array, bytes);

        if (!new)
                return -ENOMEM;
        *array = new;
        return 0;
}

int kernel_bpf_all(struct kernel_bpf *b, enum kernel_map map, size_t key_bytes, size_t value_bytes,
                   void **ret_keys, void **ret_values)
{
        LIBBPF_OPTS(bpf_map_batch_opts, o);
        _cleanup_(freep) char *keys = NULL, *values = NULL;
        uint32_t room = 0, n = 0, batch = 0;
        bool first = true, more = true, full = true;

        while (more) {
                uint32_t got;
                int error;

                if (full) {
                        room = room ? 2 * room : 128;
                        if (grow(&keys, room * key_bytes) || grow(&values, room * value_bytes))
                                return -ENOMEM;
                }
                got = room - n;
                error = bpf_map_lookup_batch(b->maps[map], first ? NULL : &batch, &batch,
                                             keys + n * key_bytes, values + n * value_bytes, &got,
                                             &o)
                                ? errno
                                : 0;
                if (error && error != ENOENT && error != ENOSPC)
                        return -error;
                if (error != ENOSPC) { /* else the next bucket does not fit, and nothing is moved */
                        n += got;
                        first = false;
                }
                more = error != ENOENT;
                full = error == ENOSPC || n == room;
        }
        *ret_keys = steal_ptr(keys);
        *ret_values = steal_ptr(values);
        return (int)n;
}
