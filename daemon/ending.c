/* SPDX-License-Identifier: MIT */
/*
 * We are not the parent of what we watch, so its wait status is not ours to
 * collect. A pidfd says when it died; how, is told by the kernel through the
 * same pidfd once the parent has collected it (PIDFD_GET_INFO, Linux 6.15), and
 * by /proc/PID/stat until then. The pidfd keeps meaning the same process,
 * whoever gets its number.
 */
#include "daemon/ending.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/procfs.h"

/* As in <linux/pidfd.h> of Linux 6.15, which may be newer than our headers. */
struct info {
        uint64_t mask;
        uint64_t cgroupid;
        uint32_t ids[11];
        int32_t exit_code;
};
#define INFO_EXIT (1ull << 3)
#define GET_INFO  _IOWR(0xff, 11, struct info)
_Static_assert(sizeof(struct info) == 64, "kernel ABI");

int ending_watch(pid_t pid)
{
        int fd = (int)syscall(SYS_pidfd_open, pid, 0);

        return fd < 0 ? -errno : fd;
}

bool ending_is_dead(int pidfd)
{
        struct pollfd p = {.fd = pidfd, .events = POLLIN};

        return poll(&p, 1, 0) > 0;
}

static enum runfile_end decode(int status, int *ret_value)
{
        if (WIFSIGNALED(status)) {
                *ret_value = WTERMSIG(status);
                return RUNFILE_END_SIGNAL;
        }
        *ret_value = WEXITSTATUS(status);
        return RUNFILE_END_CODE;
}

static bool ask_kernel(int pidfd, int *ret_status)
{
        struct info info = {.mask = INFO_EXIT};

        if (ioctl(pidfd, GET_INFO, &info) < 0 || !(info.mask & INFO_EXIT))
                return false;
        *ret_status = info.exit_code;
        return true;
}

enum runfile_end ending_read(int pidfd, pid_t pid, int *ret_value)
{
        int status;

        /* Collected between the two questions: so the first one again. */
        if (ask_kernel(pidfd, &status) || procfs_zombie_status(pid, &status) ||
            ask_kernel(pidfd, &status))
                return decode(status, ret_value);
        *ret_value = 0;
        return RUNFILE_END_UNKNOWN;
}
