/* SPDX-License-Identifier: MIT */
/*
 * A file is written where nobody sees it, without a name, and gets its name when it is whole; so
 * neither a full disk nor a signal leaves half of one behind, or takes away what was there. Devices
 * and pipes are written as they are, and so are files on systems that know no files without names.
 */
#include "cli/out-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "common/cleanup.h"

static int failed(const char *verb, const char *path)
{
        cmd_error(verb, "cannot write %s: %s", path, strerror(errno));
        return CMD_NO;
}

static bool write_all(int fd, const char *data, size_t bytes)
{
        while (bytes) {
                ssize_t n = write(fd, data, bytes);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return false;
                data += n;
                bytes -= (size_t)n;
        }
        return true;
}

/* As it goes. */
static int write_in_place(const char *verb, const char *path, const void *data, size_t bytes)
{
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        struct stat st;
        bool regular, whole;

        if (fd < 0)
                return failed(verb, path);
        regular = !fstat(fd, &st) && S_ISREG(st.st_mode);
        whole = write_all(fd, data, bytes);
        if (close(fd) < 0 || !whole) {
                failed(verb, path);
                if (regular)
                        unlink(path);
                return CMD_NO;
        }
        return CMD_DONE;
}

/* A file without a name in the directory of `path`; -1: there is none to be had. */
static int open_nameless(const char *path)
{
        const char *slash = strrchr(path, '/');
        _cleanup_(freep) char *dir =
                slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");

        return dir ? open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666) : -1;
}

/* Gives it the name, in place of `there` if something is. */
static bool give_name(int fd, const char *path, const struct stat *there)
{
        _cleanup_(freep) char *aside = NULL;
        char link[64];

        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        if (!there)
                return !linkat(AT_FDCWD, link, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
        (void)fchmod(fd, there->st_mode & 0777);
        if (asprintf(&aside, "%s.%ld~", path, (long)getpid()) < 0 ||
            linkat(AT_FDCWD, link, AT_FDCWD, aside, AT_SYMLINK_FOLLOW) < 0)
                return false;
        if (rename(aside, path) < 0) {
                int error = errno;

                unlink(aside);
                errno = error;
                return false;
        }
        return true;
}

int out_file_write(const char *verb, const char *path, const void *data, size_t bytes)
{
        _cleanup_(freep) char *real = NULL;
        _cleanup_(closep) int fd = -1;
        struct stat st;
        bool there;

        if (!path || !strcmp(path, "-")) {
                fwrite(data, 1, bytes, stdout);
                return cmd_finish(verb, CMD_DONE);
        }
        there = !stat(path, &st);
        real = there ? realpath(path, NULL) : NULL; /* behind links */
        /* one that may not be written is not replaced either: it is opened, and that says why; what
         * a link leads to is made where it leads */
        if (there ? !S_ISREG(st.st_mode) || !real || access(real, W_OK) < 0 : !lstat(path, &st))
                return write_in_place(verb, path, data, bytes);
        fd = open_nameless(real ? real : path);
        if (fd < 0)
                return write_in_place(verb, path, data, bytes);
        if (!write_all(fd, data, bytes) || !give_name(fd, real ? real : path, there ? &st : NULL))
                return failed(verb, path);
        return CMD_DONE;
}

/* What is not there yet needs a directory that takes it. */
static int can_be_made(const char *path)
{
        _cleanup_(freep) char *dir = strdup(path);
        char *slash = dir ? strrchr(dir, '/') : NULL;
        struct stat st;

        if (!dir)
                return -ENOMEM;
        if (slash)
                slash[slash == dir] = '\0';
        if (stat(slash ? dir : ".", &st) < 0)
                return -errno;
        if (!S_ISDIR(st.st_mode))
                return -ENOTDIR;
        return access(slash ? dir : ".", W_OK | X_OK) < 0 ? -errno : 0;
}

int out_file_can(const char *verb, const char *path)
{
        struct stat st;
        int r = 0;

        if (!strcmp(path, "-"))
                return CMD_DONE;
        if (!*path)
                r = -ENOENT;
        else if (!stat(path, &st))
                r = S_ISDIR(st.st_mode) ? -EISDIR : access(path, W_OK) < 0 ? -errno : 0;
        else if (errno != ENOENT)
                r = -errno;
        else if (lstat(path, &st) < 0) /* else a link to what is not there yet */
                r = path[strlen(path) - 1] == '/' ? -EISDIR : can_be_made(path);
        if (!r)
                return CMD_DONE;
        cmd_error(verb, "cannot write %s: %s; choose another place", *path ? path : "''",
                  strerror(-r));
        return CMD_NO;
}

int out_file_check(const char *verb, const char *path, bool force)
{
        struct stat st;

        if (!strcmp(path, "-") || force || lstat(path, &st) < 0)
                return CMD_DONE;
        cmd_error(verb,
                  S_ISREG(st.st_mode) ? "%s exists; choose another name or give --force"
                                      : "%s is not a regular file; choose another name",
                  path);
        return CMD_NO;
}
