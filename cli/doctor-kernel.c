/* SPDX-License-Identifier: MIT */
/*
 * Doctor: the kernel's view of threads. What infprofd does is tried here with our own rights: it
 * has the same where we start it, and may have more where it runs as a service or its file has
 * capabilities. tracefs and kprobes are not looked for: nothing of it needs them.
 */
#include "cli/doctor.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/capabilities.h"
#include "common/cleanup.h"
#include "common/paths.h"

#define BTF "/sys/kernel/btf/vmlinux"

/* The array that each engine gets. 0, or an errno. */
static int try_map(void)
{
        union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY,
                               .key_size = 4,
                               .value_size = 64,
                               .max_entries = 1,
                               .map_flags = BPF_F_MMAPABLE};
        int fd = (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));

        if (fd < 0)
                return errno;
        close(fd);
        return 0;
}

/* Of infprofd, to be freed; NULL: it is not found. */
static char *daemon_file(void)
{
        _cleanup_(freep) char *path = NULL;
        char *real;

        if (ifp_find_part("INFPROF_DAEMON", "../daemon/infprofd", "infprofd", &path))
                return NULL;
        real = realpath(path, NULL);
        return real ? real : strdup(path);
}

static void check_view(struct finding *f)
{
        const char *instead = "switches, faults and CPU time of living threads come from /proc";
        _cleanup_(freep) char *file = daemon_file();
        int error;

        f->check = "bpf";
        if (*KERNEL_NOT_BUILT) {
                finding_set(f, FINDING_WARN, "infprof was built without the kernel's view (%s): %s",
                            KERNEL_NOT_BUILT, instead);
                finding_remedy(f, "install clang, bpftool and libbpf-dev, and build it again");
                return;
        }
        if (file && getxattr(file, "security.capability", NULL, 0) > 0) {
                finding_set(f, FINDING_OK,
                            "infprofd may load its programs: its file has capabilities");
                return;
        }
        error = ifp_may_bpf() ? try_map() : EPERM;
        if (!error) {
                finding_set(f, FINDING_OK, "infprofd may load its programs into the kernel");
                return;
        }
        if (!ifp_may_bpf()) {
                finding_set(f, FINDING_WARN,
                            "no CAP_BPF and CAP_PERFMON, so no view of the kernel: %s", instead);
                finding_remedy(f, "run infprofd as root, or: setcap cap_bpf,cap_perfmon+ep %s",
                               file ? file : "infprofd");
                return;
        }
        finding_set(f, FINDING_WARN, "bpf(2) is refused (%s), so no view of the kernel: %s",
                    strerror(error), instead);
        finding_remedy(f, "allow bpf and perf_event_open in the sandbox (seccomp profile), or lift "
                          "lockdown");
}

static void check_btf(struct finding *f)
{
        f->check = "btf";
        if (access(BTF, R_OK) == 0) {
                finding_set(f, FINDING_OK, "the kernel tells its types (" BTF ")");
                return;
        }
        finding_set(f, FINDING_WARN,
                    BTF ": %s: programs for the kernel cannot be fitted to it, so there is no view "
                        "of it",
                    strerror(errno));
        finding_remedy(f, "use a kernel built with CONFIG_DEBUG_INFO_BTF");
}

/* The end of a page fault is a software event of every CPU. */
static void check_faults(struct finding *f)
{
        struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
                                       .size = sizeof(attr),
                                       .config = PERF_COUNT_SW_PAGE_FAULTS_MIN,
                                       .sample_period = 1,
                                       .disabled = 1};
        int fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);

        f->check = "faults";
        if (fd >= 0) {
                close(fd);
                finding_set(f, FINDING_OK, "page faults can be counted and timed");
                return;
        }
        finding_set(f, FINDING_WARN,
                    "page faults cannot be timed: perf_event_open for a whole CPU: %s",
                    strerror(errno));
        finding_remedy(f, "run infprofd as root, or with CAP_PERFMON");
}

const doctor_check doctor_kernel_checks[] = {check_view, check_btf, check_faults};
const size_t doctor_n_kernel_checks =
        sizeof(doctor_kernel_checks) / sizeof(doctor_kernel_checks[0]);
