/* SPDX-License-Identifier: MIT */
/*
 * Small questions to /proc. A process may end, and its number be given to
 * another, between any two of them: what comes from here names things, and is
 * never what a count rests on.
 */
#include "daemon/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "daemon/text.h"

#define LONGEST_COMMAND (16u << 10)

bool procfs_is_ours(void)
{
        static int known; /* 1: it is, -1: it is not */
        char self[32];
        ssize_t n;

        if (!known) {
                n = readlink("/proc/self", self, sizeof(self) - 1);
                self[n > 0 ? n : 0] = '\0';
                known = n > 0 && atoi(self) == (int)getpid() ? 1 : -1;
        }
        return known > 0;
}

/* Is it about a process by its number, and are the numbers in there others than ours? */
static bool is_of_another(const char *path)
{
        return !strncmp(path, "/proc/", 6) && path[6] >= '0' && path[6] <= '9' && !procfs_is_ours();
}

ssize_t procfs_read(const char *path, char *buf, size_t size)
{
        _cleanup_(closep) int fd = -1;
        size_t got = 0;
        ssize_t n = 0;

        if (is_of_another(path))
                return -ESRCH;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return -errno;
        while (got < size - 1 && (n = read(fd, buf + got, size - 1 - got)) > 0)
                got += (size_t)n;
        if (n < 0 && !got)
                return -errno;
        buf[got] = '\0';
        return (ssize_t)got;
}

char *procfs_command(pid_t pid)
{
        char path[64], *buf = malloc(LONGEST_COMMAND), *s;
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
        n = buf ? procfs_read(path, buf, LONGEST_COMMAND) : -ENOMEM;
        s = n > 0 ? text_shell_words(buf, (size_t)n) : strdup("?");
        free(buf);
        return s;
}

char *procfs_exe(pid_t pid)
{
        char path[64], exe[PATH_MAX + 1];
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
        n = is_of_another(path) ? -1 : readlink(path, exe, sizeof(exe) - 1);
        return n > 0 ? text_copy(exe, (size_t)n) : strdup("?");
}

/* The text behind the name in /proc/PID/stat, or NULL. */
static char *stat_fields(pid_t pid, char *buf, size_t size)
{
        char path[64], *end;

        snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        if (procfs_read(path, buf, size) <= 0)
                return NULL;
        end = strrchr(buf, ')');
        return end && end[1] ? end + 2 : NULL;
}

pid_t procfs_parent(pid_t pid)
{
        char buf[1024], *fields = stat_fields(pid, buf, sizeof(buf)), state;
        int parent;

        return fields && sscanf(fields, "%c %d", &state, &parent) == 2 ? parent : 0;
}

bool procfs_zombie_status(pid_t pid, int *ret_status)
{
        char buf[1024], *fields = stat_fields(pid, buf, sizeof(buf)), *last;

        if (!fields || fields[0] != 'Z')
                return false;
        last = strrchr(fields, ' ');
        if (!last)
                return false;
        *ret_status = atoi(last);
        return true;
}

bool procfs_thread_name(pid_t pid, int64_t tid, char *ret, size_t size)
{
        char path[96], *nl;

        snprintf(path, sizeof(path), "/proc/%d/task/%" PRId64 "/comm", (int)pid, tid);
        if (procfs_read(path, ret, size) <= 0)
                return false;
        nl = strrchr(ret, '\n');
        if (nl && !nl[1])
                *nl = '\0';
        text_clean(ret);
        return true;
}

bool procfs_thread_cpu_ns(pid_t pid, int64_t tid, uint64_t *ret)
{
        char path[96], buf[128];

        snprintf(path, sizeof(path), "/proc/%d/task/%" PRId64 "/schedstat", (int)pid, tid);
        return procfs_read(path, buf, sizeof(buf)) > 0 && sscanf(buf, "%" SCNu64, ret) == 1;
}

bool procfs_thread_state(pid_t pid, int64_t tid, char *ret)
{
        char path[96], buf[256];
        const char *end;

        snprintf(path, sizeof(path), "/proc/%d/task/%" PRId64 "/stat", (int)pid, tid);
        if (procfs_read(path, buf, sizeof(buf)) <= 0)
                return false;
        end = strrchr(buf, ')'); /* of the name, which may be anything */
        if (!end || end[1] != ' ' || !end[2])
                return false;
        *ret = end[2];
        return true;
}

uint64_t procfs_resident_bytes(pid_t pid)
{
        char path[64], buf[128];
        uint64_t size, resident;

        snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
        if (procfs_read(path, buf, sizeof(buf)) <= 0 ||
            sscanf(buf, "%" SCNu64 " %" SCNu64, &size, &resident) != 2)
                return 0;
        return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}
