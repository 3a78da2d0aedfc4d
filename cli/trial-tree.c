/* SPDX-License-Identifier: MIT */
/*
 * Descendants by /proc/PID/task/TID/children. Since we are a subreaper, whoever loses his parent
 * becomes our child, so that nobody who forks twice gets away. Processes come and go while we look:
 * what vanishes is passed over. Where the kernel has no such lists the command stands alone.
 */
#include "cli/trial-tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"

#define MAX_PROCESSES 65536 /* of a fork bomb we look at so many */

static bool is_in(const pid_t *pids, size_t n, pid_t pid)
{
        for (size_t i = 0; i < n; i++)
                if (pids[i] == pid)
                        return true;
        return false;
}

static void append(pid_t **pids, size_t *n, size_t *room, pid_t pid)
{
        if (*n == *room) {
                size_t want = *room ? *room * 2 : 16;
                pid_t *more = *n < MAX_PROCESSES ? reallocarray(*pids, want, sizeof(**pids)) : NULL;

                if (!more)
                        return;
                *pids = more;
                *room = want;
        }
        (*pids)[(*n)++] = pid;
}

/* The text of a small file of /proc. Its length, 0: there is none. */
static size_t slurp(const char *path, char *buf, size_t size)
{
        _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n;
        size_t at = 0;

        while (fd >= 0 && at < size - 1 && (n = read(fd, buf + at, size - 1 - at)) > 0)
                at += (size_t)n;
        buf[at] = '\0';
        return at;
}

/* Children of one thread are appended, but those of `but`. */
static void children_of_thread(struct trial_tree *t, const char *path, bool before)
{
        char text[8192], *p = text, *end;

        if (!slurp(path, text, sizeof(text)))
                return;
        for (;; p = end) {
                long pid = strtol(p, &end, 10);

                if (end == p)
                        return;
                if (before)
                        append(&t->before, &t->n_before, &t->room_before, (pid_t)pid);
                else if (!is_in(t->before, t->n_before, (pid_t)pid))
                        append(&t->pids, &t->n, &t->room, (pid_t)pid);
        }
}

static void children_of(struct trial_tree *t, pid_t pid, bool before)
{
        _cleanup_(closedirp) DIR *dir = NULL;
        struct dirent *e;
        char path[64];

        snprintf(path, sizeof(path), "/proc/%ld/task", (long)pid);
        dir = opendir(path);
        while (dir && (e = readdir(dir))) {
                if (e->d_name[0] == '.')
                        continue;
                snprintf(path, sizeof(path), "/proc/%ld/task/%.16s/children", (long)pid, e->d_name);
                children_of_thread(t, path, before);
        }
}

void trial_tree_init(struct trial_tree *ret)
{
        *ret = (struct trial_tree){0};
        children_of(ret, getpid(), true);
}

void trial_tree_done(struct trial_tree *t)
{
        free(t->pids);
        free(t->before);
        *t = (struct trial_tree){0};
}

void trial_tree_look(struct trial_tree *t, pid_t command)
{
        t->n = 0;
        children_of(t, getpid(), false);
        if (command && !is_in(t->pids, t->n, command))
                append(&t->pids, &t->n, &t->room, command);
        for (size_t i = 0; i < t->n; i++)
                children_of(t, t->pids[i], false);
}

uint64_t trial_tree_resident(const struct trial_tree *t)
{
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), sum = 0;
        unsigned long long pages;
        char path[64], text[128];

        for (size_t i = 0; i < t->n; i++) {
                snprintf(path, sizeof(path), "/proc/%ld/statm", (long)t->pids[i]);
                if (slurp(path, text, sizeof(text)) && sscanf(text, "%*s %llu", &pages) == 1)
                        sum += pages * page;
        }
        return sum;
}

size_t trial_tree_living(const struct trial_tree *t)
{
        size_t n = 0;

        for (size_t i = 0; i < t->n; i++) {
                char path[64], text[512], *at;

                snprintf(path, sizeof(path), "/proc/%ld/stat", (long)t->pids[i]);
                at = slurp(path, text, sizeof(text)) ? strrchr(text, ')') : NULL;
                n += at && at[1] && !strchr("ZX", at[2]);
        }
        return n;
}

void trial_tree_signal(const struct trial_tree *t, int number)
{
        for (size_t i = 0; i < t->n; i++)
                kill(t->pids[i], number);
}
