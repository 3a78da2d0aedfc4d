/* SPDX-License-Identifier: MIT */
/*
 * Where the state of a sweep is kept. The command in it will be run, so it has to be ours, and
 * nobody else's to write; a file is there whole or not at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/sweep.h"
#include "common/cleanup.h"

#define MOST_BYTES (64l << 20)

__attribute__((format(printf, 2, 3))) static int wrong(char **ret_why, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        if (vasprintf(ret_why, format, ap) < 0)
                *ret_why = NULL;
        va_end(ap);
        return *ret_why ? -EINVAL : -ENOMEM;
}

static int failed(char **ret_why, const char *what, const char *path)
{
        int e = errno;

        if (asprintf(ret_why, "cannot %s %s: %s", what, path, strerror(e)) < 0)
                *ret_why = NULL;
        return -e;
}

/* What is in it is run, so it must be ours alone to write. */
static int check_owner(int fd, const char *path, char **ret_why)
{
        struct stat st;

        if (fstat(fd, &st) < 0)
                return failed(ret_why, "read", path);
        if (!S_ISREG(st.st_mode) || st.st_size > MOST_BYTES)
                return wrong(ret_why, "%s is no file of less than 64 MiB", path);
        if (st.st_uid != geteuid() || st.st_mode & 022)
                return wrong(ret_why,
                             "%s may have been written by somebody else, and the command in it "
                             "would be run: make it yours (chown), and yours alone to write "
                             "(chmod go-w)",
                             path);
        return 0;
}

int sweep_load(struct sweep *ret, const char *folder, char **ret_why)
{
        _cleanup_(json_decrefp) json_t *state = NULL;
        _cleanup_(freep) char *path = NULL, *why = NULL;
        _cleanup_(closep) int fd = -1;
        json_error_t error;
        int r;

        *ret = (struct sweep){0};
        *ret_why = NULL;
        if (asprintf(&path, "%s/sweep.json", folder) < 0)
                return -ENOMEM;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0)
                return failed(ret_why, "read", path);
        r = check_owner(fd, path, ret_why);
        if (r)
                return r;
        state = json_loadfd(fd, JSON_REJECT_DUPLICATES, &error);
        if (!state)
                return wrong(ret_why, "%s: line %d: %s", path, error.line, error.text);
        r = sweep_decode(ret, state, &why);
        return r == -EINVAL ? wrong(ret_why, "%s: %s", path, why) : r;
}

/* Whole or not at all. */
int sweep_save(const struct sweep *s, const char *folder, char **ret_why)
{
        _cleanup_(json_decrefp) json_t *state = sweep_encode(s);
        _cleanup_(freep) char *path = NULL, *fresh = NULL;
        _cleanup_(closep) int fd = -1;

        *ret_why = NULL;
        if (!state)
                return wrong(ret_why, "the command or a value is not UTF-8");
        if (asprintf(&path, "%s/sweep.json", folder) < 0)
                return -ENOMEM;
        if (asprintf(&fresh, "%s/sweep.json.new", folder) < 0)
                return -ENOMEM;
        fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return failed(ret_why, "write", fresh);
        if (json_dumpfd(state, fd, JSON_INDENT(1)) < 0 || rename(fresh, path) < 0)
                return failed(ret_why, "write", path);
        return 0;
}
