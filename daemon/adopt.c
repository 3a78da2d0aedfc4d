/* SPDX-License-Identifier: MIT */
/*
 * An engine does not notice that its daemon is gone: it goes on writing, and
 * folds what the rings cannot hold. A new daemon finds it by the mapping in
 * /proc/PID/maps and gets at the segment through a descriptor in /proc/PID/fd,
 * as long as the engine has not closed it. The run goes on in the same file.
 *
 * A fork child still maps and holds its parent's segment until it makes one of
 * its own; the pid in the header tells whose it is.
 */
#include "daemon/adopt.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <infprof/handshake.h>

#include "common/cleanup.h"
#include "daemon/procfs.h"
#include "daemon/server.h"
#include "daemon/text.h"

#define MAPPED "/memfd:" IFP_SEGMENT_NAME

static bool is_ours(pid_t pid)
{
        char path[64];
        struct stat st;

        snprintf(path, sizeof(path), "/proc/%d", (int)pid);
        return !stat(path, &st) && st.st_uid == geteuid();
}

/* Does it map a segment? */
static bool maps_segment(pid_t pid, uint64_t *ret_inode)
{
        char path[64], line[512];
        _cleanup_(fclosep) FILE *f = NULL;

        snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
        f = fopen(path, "re");
        while (f && fgets(line, sizeof(line), f)) {
                unsigned long inode;
                int at = 0;

                if (sscanf(line, "%*s %*s %*s %*s %lu %n", &inode, &at) == 1 && at &&
                    !strncmp(line + at, MAPPED, strlen(MAPPED))) {
                        *ret_inode = inode;
                        return true;
                }
        }
        return false;
}

/* A descriptor for its segment, or a negative errno. */
static int open_segment(pid_t pid, uint64_t inode)
{
        char path[64], target[64];
        _cleanup_(closedirp) DIR *d = NULL;
        struct dirent *e;

        snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
        d = opendir(path);
        if (!d)
                return -errno;
        while ((e = readdir(d))) {
                ssize_t n = readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);
                struct stat st;
                int fd;

                if (n < 0)
                        continue;
                target[n] = '\0';
                if (strncmp(target, MAPPED, strlen(MAPPED)))
                        continue;
                fd = openat(dirfd(d), e->d_name, O_RDWR | O_CLOEXEC);
                if (fd < 0)
                        return -errno;
                if (!fstat(fd, &st) && st.st_ino == inode)
                        return fd;
                close(fd);
        }
        return -ENOENT;
}

static const char *variable(const char *environ_, size_t n, const char *name)
{
        size_t length = strlen(name);

        for (size_t i = 0; i < n; i += strlen(environ_ + i) + 1)
                if (!strncmp(environ_ + i, name, length) && environ_[i + length] == '=')
                        return environ_ + i + length + 1;
        return NULL;
}

/* Would it have knocked at our door? Users may have several runtime directories, each with a daemon
 * of its own. */
static bool is_from_here(const struct server *s, pid_t pid)
{
        static char buf[1 << 20];
        char path[64], dir[4096];
        const char *base;
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
        n = procfs_read(path, buf, sizeof(buf));
        if (n < 0)
                return false;
        base = variable(buf, (size_t)n, "XDG_RUNTIME_DIR");
        if (base && base[0] == '/')
                snprintf(dir, sizeof(dir), "%s/" IFP_RUNTIME_SUBDIR, base);
        else
                snprintf(dir, sizeof(dir), IFP_RUNTIME_FALLBACK "%u", (unsigned)geteuid());
        return !strcmp(dir, s->runtime_dir);
}

static bool is_known(const struct server *s, uint64_t inode)
{
        for (const struct process *p = s->processes; p; p = p->next)
                if (p->segment.map && p->segment.inode == inode)
                        return true;
        return false;
}

static void note_not_adoptable(struct server *s, pid_t pid, const char *reason)
{
        struct refusal *r = &s->not_adoptable[s->n_not_adoptable++ % SERVER_REFUSALS];

        free(r->reason);
        *r = (struct refusal){.pid = pid, .reason = strdup(reason)};
        fprintf(stderr, "infprofd: process %d goes on unread: %s\n", (int)pid, reason);
}

static void adopt(struct server *s, pid_t pid, uint64_t inode)
{
        struct segment segment;
        const char *why = "";
        int fd, r;

        if (is_known(s, inode) || !is_from_here(s, pid))
                return;
        fd = open_segment(pid, inode);
        if (fd < 0) {
                note_not_adoptable(s, pid,
                                   fd == -ENOENT
                                           ? "it has closed the descriptor of its segment"
                                           : "the descriptor of its segment cannot be opened");
                return;
        }
        r = segment_open(&segment, fd, &why);
        if (r) {
                close(fd);
                if (r != SEGMENT_E_TAKEN)
                        note_not_adoptable(s, pid, r < 0 ? strerror(-r) : why);
                return;
        }
        if (segment.header.pid != pid) { /* its parent's, which is looked at on its own */
                segment_close(&segment);
                return;
        }
        r = server_attach(s, &segment, pid, true, &why);
        if (r) {
                segment_close(&segment);
                note_not_adoptable(s, pid, r < 0 ? strerror(-r) : why);
        }
}

void adopt_all(struct server *s)
{
        _cleanup_(closedirp) DIR *d = opendir("/proc");
        struct dirent *e;

        while (d && (e = readdir(d))) {
                pid_t pid = isdigit((unsigned char)e->d_name[0]) ? (pid_t)atoi(e->d_name) : 0;
                uint64_t inode;

                if (pid > 0 && pid != getpid() && is_ours(pid) && maps_segment(pid, &inode))
                        adopt(s, pid, inode);
        }
}
