/* SPDX-License-Identifier: MIT */
/*
 * Doctor: what the kernel and the processor allow. Everything is tried and not
 * looked up where trying is harmless, for versions say little in containers and VMs.
 */
#include "cli/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <infprof/arch.h>
#include <infprof/segment.h>

static void check_memfd(struct finding *f)
{
        int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, fd, r;
        void *p;

        f->check = "memfd";
        fd = memfd_create("infprof-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0) {
                finding_set(f, FINDING_NO, "memfd_create: %s", strerror(errno));
                finding_remedy(f,
                               "allow memfd_create in the sandbox (seccomp profile) this runs in");
                return;
        }
        r = ftruncate(fd, 4096) < 0 || fcntl(fd, F_ADD_SEALS, seals) < 0 ? -errno : 0;
        p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED)
                r = r ? r : -errno;
        else
                munmap(p, 4096);
        if (!r && ftruncate(fd, 0) == 0)
                r = -ENOTSUP;
        close(fd);
        if (r) {
                finding_set(f, FINDING_NO, "a memfd cannot be sealed and mapped: %s", strerror(-r));
                finding_remedy(f, "use a kernel from 3.17 on, outside an emulating sandbox");
                return;
        }
        finding_set(f, FINDING_OK, "memory can be shared and sealed against shrinking");
}

static void check_segment(struct finding *f)
{
        uint64_t bytes = ifp_segment_bytes(IFP_MAX_LANES);
        struct rlimit as, size;
        int fd;

        f->check = "limits";
        getrlimit(RLIMIT_AS, &as);
        getrlimit(RLIMIT_FSIZE, &size);
        fd = memfd_create("infprof-doctor", MFD_CLOEXEC);
        if (fd >= 0 && size.rlim_cur == RLIM_INFINITY && ftruncate(fd, (off_t)bytes) == 0) {
                void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
                               0);

                close(fd);
                if (p != MAP_FAILED) {
                        munmap(p, bytes);
                        finding_set(f, FINDING_OK,
                                    "address space and file size are not limited (a segment spans "
                                    "%.1f GiB, "
                                    "of which only what is used is resident)",
                                    (double)bytes / (1u << 30));
                        return;
                }
                fd = -1;
        }
        if (fd >= 0)
                close(fd);
        finding_set(f, FINDING_WARN,
                    "a limit keeps a full segment (%.1f GiB of address space) from being mapped",
                    (double)bytes / (1u << 30));
        finding_remedy(f, "%s",
                       as.rlim_cur != RLIM_INFINITY ? "ulimit -v unlimited"
                       : size.rlim_cur != RLIM_INFINITY
                               ? "ulimit -f unlimited"
                               : "allow overcommit: sysctl vm.overcommit_memory=0");
}

static void check_wipeonfork(struct finding *f)
{
        unsigned char *page =
                mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        int status = 0;
        pid_t pid;

        f->check = "fork";
        if (page == MAP_FAILED || madvise(page, 4096, MADV_WIPEONFORK) < 0) {
                finding_set(f, FINDING_WARN,
                            "MADV_WIPEONFORK: %s; fork children are not recognised",
                            strerror(errno));
                finding_remedy(f, "use a kernel from 4.14 on");
                return;
        }
        *page = 1;
        pid = fork();
        if (pid == 0)
                _exit(*page);
        waitpid(pid, &status, 0);
        munmap(page, 4096);
        if (pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status)) {
                finding_set(f, FINDING_WARN,
                            "MADV_WIPEONFORK is accepted and does nothing; fork children are "
                            "not recognised");
                finding_remedy(f, "run outside the emulating sandbox");
                return;
        }
        finding_set(f, FINDING_OK, "fork children are recognised (MADV_WIPEONFORK)");
}

static bool has_cpu_flag(const char *flag)
{
        char line[8192], wanted[64];
        FILE *f = fopen("/proc/cpuinfo", "re");
        bool found = false;

        snprintf(wanted, sizeof(wanted), " %s ", flag);
        while (f && !found && fgets(line, sizeof(line), f)) {
                if (strncmp(line, "flags", 5) != 0)
                        continue;
                line[strcspn(line, "\n")] = ' ';
                found = strstr(line, wanted);
                break;
        }
        if (f)
                fclose(f);
        return found;
}

static void check_clock(struct finding *f)
{
        char source[64] = "";
        unsigned a = 0, b = 0, c = 0, d = 0;
        bool invariant = true;
        FILE *file;

        f->check = "clock";
#if defined(__x86_64__)
        invariant = __get_cpuid(0x80000007, &a, &b, &c, &d) && (d & (1u << 8));
#endif
        file = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");
        if (file) {
                if (fgets(source, sizeof(source), file))
                        source[strcspn(source, "\n")] = '\0';
                fclose(file);
        }
        if (invariant) {
                finding_set(f, FINDING_OK,
                            "the time stamp counter is invariant (the kernel's clock: %s)",
                            source[0] ? source : "not told");
                return;
        }
        if (has_cpu_flag("constant_tsc") && !strcmp(source, "tsc")) {
                finding_set(f, FINDING_OK,
                            "the time stamp counter is not said to be invariant, but the kernel "
                            "trusts it (clocksource tsc)");
                return;
        }
        finding_set(f, FINDING_WARN,
                    "the time stamp counter is not said to be invariant (the kernel's clock: %s): "
                    "times may be "
                    "wrong when the processor's frequency changes",
                    source[0] ? source : "not told");
        finding_remedy(f, "in a VM, pass the host's invtsc through; else fix the frequency");
}

static void check_cores(struct finding *f)
{
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        cpu_set_t set;
        int ours;

        f->check = "cores";
        ours = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : (int)online;
        if (ours > 1) {
                finding_set(f, FINDING_OK, "%d of %ld cores to run on", ours, online);
                return;
        }
        finding_set(f, FINDING_WARN,
                    "one core only (of %ld): infprofd takes its time from the engine", online);
        finding_remedy(f, "give it a second core (taskset, cpuset, the VM's size); counts stay "
                          "exact either way");
}

static int open_perf(uint32_t type, uint64_t config)
{
        struct perf_event_attr attr = {.type = type,
                                       .size = sizeof(attr),
                                       .config = config,
                                       .disabled = 1,
                                       .exclude_kernel = 1};

        return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static bool in_vm(void)
{
        return has_cpu_flag("hypervisor");
}

static int read_int(const char *path, int otherwise)
{
        FILE *f = fopen(path, "re");
        int v = otherwise;

        if (f) {
                if (fscanf(f, "%d", &v) != 1)
                        v = otherwise;
                fclose(f);
        }
        return v;
}

static void check_perf(struct finding *f)
{
        int paranoid = read_int("/proc/sys/kernel/perf_event_paranoid", -2), fd, error;

        f->check = "perf";
        fd = open_perf(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK);
        error = errno;
        if (fd < 0) {
                finding_set(f, FINDING_WARN, "perf_event_open: %s (perf_event_paranoid is %d)",
                            strerror(error), paranoid);
                if (error == ENOSYS || paranoid < 3)
                        finding_remedy(f, "allow perf_event_open in the sandbox (seccomp profile); "
                                          "only counters "
                                          "and sampling need it");
                else
                        finding_remedy(f, "sysctl kernel.perf_event_paranoid=2; only counters and "
                                          "sampling need "
                                          "it");
                return;
        }
        close(fd);
        fd = open_perf(PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES);
        error = errno;
        if (fd >= 0) {
                close(fd);
                finding_set(f, FINDING_OK, "hardware counters and the software clock can be read");
                return;
        }
        if (error == EACCES || error == EPERM) {
                finding_set(f, FINDING_WARN, "the software clock works; hardware counters: %s",
                            strerror(error));
                finding_remedy(f, "sysctl kernel.perf_event_paranoid=1");
                return;
        }
        finding_set(f, FINDING_WARN, "the software clock works; hardware counters are absent%s",
                    in_vm() ? ", as in most virtual machines" : "");
        finding_remedy(f, "%s; only cycles, cache misses and the like need them",
                       in_vm() ? "let the hypervisor pass the PMU through"
                               : "use a processor with a PMU");
}

/* What an adopting daemon does: opens a descriptor of another process of the same user. */
static void check_adopt(struct finding *f)
{
        int go[2], fd = memfd_create(IFP_SEGMENT_NAME, MFD_CLOEXEC), got = -1, error;
        char path[64], byte;
        pid_t pid;

        f->check = "adoption";
        if (fd < 0 || pipe2(go, O_CLOEXEC) < 0) {
                finding_set(f, FINDING_WARN, "could not be tried: %s", strerror(errno));
                return;
        }
        pid = fork();
        if (pid == 0) {
                close(go[1]);
                _exit(read(go[0], &byte, 1) != 0);
        }
        close(go[0]);
        snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
        if (pid > 0)
                got = open(path, O_RDWR | O_CLOEXEC);
        error = errno;
        close(go[1]);
        if (pid > 0)
                waitpid(pid, NULL, 0);
        close(fd);
        if (got >= 0) {
                close(got);
                finding_set(f, FINDING_OK,
                            "a new infprofd can take over engines that run (/proc/PID/fd can be "
                            "opened)");
                return;
        }
        finding_set(f, FINDING_WARN,
                    "should infprofd crash, the next one cannot take over engines that run: %s: %s",
                    path, strerror(error));
        finding_remedy(
                f,
                "mount /proc, without hidepid; else only what comes after such a crash is missed");
}

const doctor_check doctor_machine_checks[] = {
        check_memfd, check_segment, check_wipeonfork, check_clock,
        check_cores, check_adopt,   check_perf,
};
const size_t doctor_n_machine_checks =
        sizeof(doctor_machine_checks) / sizeof(doctor_machine_checks[0]);
