/* SPDX-License-Identifier: MIT */
/*
 * Loading the programs takes some tens of milliseconds (the kernel's types are read, the verifier
 * walks each program), in which rings would fill; so a child of ours does it, sends the descriptors
 * of maps and programs, and ends. What it took for that never was in our memory.
 *
 * A program whose tracepoint this kernel does not have is left out.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <infprof/segment.h>

#include "bpf/syscalls.h"
#include "common/capabilities.h"
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
const struct kernel_program kernel_program[KERNEL_BPF_PROGS] = {
        {"switched", "btf_trace_sched_switch", true, -1},
        {"woken", "btf_trace_sched_wakeup", true, -1},
        {"forked", "btf_trace_sched_process_fork", true, -1},
        {"exited", "btf_trace_sched_process_exit", true, -1},
        {"execs", "btf_trace_sched_process_exec", true, -1},
        {"enters", "btf_trace_sys_enter", true, -1},
        {"leaves", "btf_trace_sys_exit", true, -1},
        {"fault_minor", NULL, false, PERF_COUNT_SW_PAGE_FAULTS_MIN},
        {"fault_major", NULL, false, PERF_COUNT_SW_PAGE_FAULTS_MAJ},
        [KERNEL_FAULTS] = {"faults", "btf_trace_page_fault_user", false, -1},
        {"io_starts", "btf_trace_block_io_start", false, -1},
        {"io_issued", "btf_trace_block_rq_issue", false, -1},
        {"io_done", "btf_trace_block_io_done", false, -1},
        [KERNEL_FIND] = {"find", NULL, true, -1},
};

static const char *const maps[KERNEL_BPF_MAPS] = {
        [KERNEL_PROCS] = "procs",   [KERNEL_LANES] = "lanes",       [KERNEL_TOTALS] = "totals",
        [KERNEL_OPS] = "ops",       [KERNEL_SYSCALLS] = "syscalls", [KERNEL_PREEMPTS] = "preempts",
        [KERNEL_OFFCPU] = "offcpu", [KERNEL_STACKS] = "stacks",     [KERNEL_REQUESTS] = "requests",
        [KERNEL_SOUGHT] = "sought",
};

/* ---- why not -------------------------------------------------------------------- */

char *kernel_bpf_why(int error)
{
        if (access("/sys/kernel/btf/vmlinux", R_OK) < 0)
                return text_format("/sys/kernel/btf/vmlinux cannot be read: %s; it takes a kernel "
                                   "with CONFIG_DEBUG_INFO_BTF",
                                   strerror(errno));
        if (!ifp_may_bpf()) {
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
                        bpf_object__find_program_by_name(skel->obj, kernel_program[i].name);

                if (!kernel_program[i].must && kernel_program[i].type && btf &&
                    btf__find_by_name_kind(btf, kernel_program[i].type, BTF_KIND_TYPEDEF) < 0)
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
                        bpf_object__find_program_by_name(skel->obj, kernel_program[i].name));

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
        ssize_t got;

        got = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
                return -EAGAIN;
        if (got != sizeof(what)) {
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
