/* SPDX-License-Identifier: MIT */
/*
 * The environment is that which the process was begun with; what it changes later is not seen.
 * Which objects it loaded is said by the segment, so it is known of a process that is gone, too.
 * Their build-ids are in its memory; where that cannot be read, in the files, if these have not
 * changed since it began. What cannot be had is not known, and nothing waits for it.
 */
#include "daemon/surroundings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/build-id.h"
#include "common/cleanup.h"
#include "common/env-list.h"
#include "daemon/process.h"
#include "daemon/procfs.h"
#include "daemon/text.h"

#define MOST_ENVIRONMENT (256u << 10) /* bytes that are read */
#define MOST_KEPT        (64u << 10)  /* bytes of what is kept of it */
#define MOST_STATUS      4096u

/* ---- what it was begun with ---- */

static int by_name(const void *a, const void *b)
{
        return strcmp(((const struct variable *)a)->name, ((const struct variable *)b)->name);
}

/* False: no memory. */
static bool keep_variable(struct surroundings *s, const char *entry, size_t name, bool secret)
{
        const char *value = entry + name + 1;
        struct variable *list = realloc(s->variables, (s->n_variables + 1) * sizeof(*list));
        struct variable v = {0};

        if (!list)
                return false;
        s->variables = list;
        v.name = text_copy(entry, name);
        v.value = secret ? NULL : text_copy(value, strnlen(value, ENV_LIST_LONGEST));
        if (!v.name || (!v.value && !secret)) {
                free(v.name);
                return false;
        }
        list[s->n_variables++] = v;
        return true;
}

/* libc takes the first of two that have one name. */
static bool has_variable(const struct surroundings *s, const char *name, size_t n)
{
        for (uint32_t i = 0; i < s->n_variables; i++)
                if (!strncmp(s->variables[i].name, name, n) && !s->variables[i].name[n])
                        return true;
        return false;
}

void surroundings_take_environment(struct surroundings *s, const char *environment, size_t n)
{
        size_t room = MOST_KEPT, length;

        for (size_t at = 0; at < n && s->n_variables < ENV_LIST_MOST; at += length + 1) {
                const char *entry = environment + at, *equals;
                enum env_verdict verdict;

                length = strnlen(entry, n - at);
                if (at + length == n) /* its end is missing */
                        break;
                equals = memchr(entry, '=', length);
                if (!equals || length > room)
                        continue;
                verdict = env_list_look(entry, (size_t)(equals - entry), equals + 1);
                if (verdict == ENV_NOT_LISTED || has_variable(s, entry, (size_t)(equals - entry)))
                        continue;
                if (!keep_variable(s, entry, (size_t)(equals - entry), verdict == ENV_SECRET))
                        break;
                room -= length;
        }
        if (s->n_variables)
                qsort(s->variables, s->n_variables, sizeof(*s->variables), by_name);
}

static void read_environment(struct surroundings *s, pid_t pid)
{
        _cleanup_(freep) char *buf = malloc(MOST_ENVIRONMENT);
        char path[64];
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
        n = buf ? procfs_read(path, buf, MOST_ENVIRONMENT) : -ENOMEM;
        if (n > 0)
                surroundings_take_environment(s, buf, (size_t)n);
}

/* The value of a line "Name:\tvalue"; NULL: there is none. */
static char *status_line(const char *text, const char *name)
{
        const char *at = strstr(text, name);

        if (!at)
                return NULL;
        at += strlen(name);
        at += strspn(at, "\t ");
        return text_copy(at, strcspn(at, "\n"));
}

void surroundings_look(struct surroundings *s, pid_t pid)
{
        char path[64], text[MOST_STATUS];

        read_environment(s, pid);
        snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
        if (procfs_read(path, text, sizeof(text)) <= 0)
                return;
        s->cpus = status_line(text, "\nCpus_allowed_list:");
        s->memory_nodes = status_line(text, "\nMems_allowed_list:");
        errno = 0;
        s->nice = getpriority(PRIO_PROCESS, (id_t)pid);
        if (errno)
                s->nice = 0;
}

/* ---- what it loaded ---- */

/* Of the file, if it is the one that was loaded: it has not changed since the process began. */
static bool build_id_of_old_file(char ret[BUILD_ID_SIZE], const char *path, uint64_t began_ns)
{
        time_t began = (time_t)(began_ns / 1000000000u);
        _cleanup_(closep) int fd = -1;
        struct stat st;

        if (path[0] != '/')
                return false;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        return fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_mtime < began &&
               st.st_ctime < began && build_id_of_file_descriptor(ret, fd);
}

static int open_memory(pid_t pid)
{
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
        return procfs_is_ours() ? open(path, O_RDONLY | O_CLOEXEC) : -1;
}

static int take_library(struct process *p, const struct ifp_object *o, int memory,
                        struct library *ret, const char **ret_why)
{
        char id[BUILD_ID_SIZE];
        char *path = NULL;
        int r = segment_name(&p->segment, &p->counts, o->path, &path, ret_why);

        if (r)
                return r;
        free(ret->path);
        free(ret->build_id);
        *ret = (struct library){.load = o->load, .path = path, .changed = true};
        if (!path || !strchr(path, '/')) { /* the kernel's own */
                free(steal_ptr(ret->path));
                return 0;
        }
        if ((memory >= 0 && !o->closed && build_id_of_memory(id, memory, o->start, o->base)) ||
            build_id_of_old_file(id, path, p->segment.header.start_real_ns))
                ret->build_id = strdup(id);
        return 0;
}

static struct ifp_object read_object(const struct process *p, uint32_t i)
{
        const struct ifp_object *from = &p->segment.map->objects[i];

        return (struct ifp_object){
                .base = __atomic_load_n(&from->base, __ATOMIC_RELAXED),
                .start = __atomic_load_n(&from->start, __ATOMIC_RELAXED),
                .path = __atomic_load_n(&from->path, __ATOMIC_RELAXED),
                .load = __atomic_load_n(&from->load, __ATOMIC_RELAXED),
                .closed = __atomic_load_n(&from->closed, __ATOMIC_ACQUIRE),
        };
}

int surroundings_take(struct process *p, const char **ret_why)
{
        struct surroundings *s = &p->surroundings;
        _cleanup_(closep) int memory = -1;
        bool opened = false;
        int r = 0;

        if (s->n_libraries < p->counts.n_objects) {
                struct library *list =
                        realloc(s->libraries, p->counts.n_objects * sizeof(*s->libraries));

                if (!list)
                        return -ENOMEM;
                memset(list + s->n_libraries, 0,
                       (p->counts.n_objects - s->n_libraries) * sizeof(*list));
                s->libraries = list;
                s->n_libraries = p->counts.n_objects;
        }
        for (uint32_t i = 0; !r && i < s->n_libraries; i++) {
                struct ifp_object o = read_object(p, i);

                if (o.load == s->libraries[i].load)
                        continue;
                if (!opened)
                        memory = open_memory(p->pid);
                opened = true;
                r = take_library(p, &o, memory, &s->libraries[i], ret_why);
        }
        return r;
}

void surroundings_done(struct surroundings *s)
{
        for (uint32_t i = 0; i < s->n_variables; i++) {
                free(s->variables[i].name);
                free(s->variables[i].value);
        }
        for (uint32_t i = 0; i < s->n_libraries; i++) {
                free(s->libraries[i].path);
                free(s->libraries[i].build_id);
        }
        free(s->variables);
        free(s->libraries);
        free(s->cpus);
        free(s->memory_nodes);
        *s = (struct surroundings){0};
}
