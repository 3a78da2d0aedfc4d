/* SPDX-License-Identifier: MIT */
/*
 * Where the loader finds an allocator's library. The loader itself is asked, with the very
 * variable that will be set: this program is started once more in the loader's tracing mode
 * (LD_TRACE_LOADED_OBJECTS), in which it lists what it would load and runs none of it.
 * So the answer follows ld.so.conf, LD_LIBRARY_PATH and the like. It is right for every engine
 * that the shim can enter, for those are of this program's ELF class.
 */
#include "cli/allocator-find.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"

const struct allocator allocators[] = {
        {"jemalloc", "libjemalloc2", {"libjemalloc.so.2"}},
        {"mimalloc", "libmimalloc2.0", {"libmimalloc.so.2"}},
        {"tcmalloc", "libtcmalloc-minimal4", {"libtcmalloc.so.4", "libtcmalloc_minimal.so.4"}},
};
const size_t n_allocators = sizeof(allocators) / sizeof(allocators[0]);

const struct allocator *allocator_named(const char *name)
{
        for (size_t i = 0; i < n_allocators; i++)
                if (!strcmp(allocators[i].name, name))
                        return &allocators[i];
        return NULL;
}

/* In the child: becomes the loader, which writes to `out`. */
__attribute__((noreturn)) static void trace(const char *soname, int out)
{
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

        dup2(out, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        setenv("LD_PRELOAD", soname, 1);
        setenv("LD_TRACE_LOADED_OBJECTS", "1", 1);
        execl("/proc/self/exe", "infprof", (char *)NULL);
        _exit(127);
}

/* "\tlibx.so.1 => /usr/lib/libx.so.1 (0x7f...)": the path, to be freed. */
static char *path_in(char *line, const char *soname)
{
        static const char arrow[] = " => ";
        char *name = line + strspn(line, "\t "), *path, *end;

        if (strncmp(name, soname, strlen(soname)) != 0 ||
            strncmp(name + strlen(soname), arrow, strlen(arrow)) != 0)
                return NULL;
        path = name + strlen(soname) + strlen(arrow);
        end = strrchr(path, '(');
        if (!end || path[0] != '/')
                return NULL;
        end[-1] = '\0';
        return strdup(path);
}

int loader_find(const char *soname, char **ret_path)
{
        _cleanup_(fclosep) FILE *f = NULL;
        _cleanup_(freep) char *line = NULL;
        char *path = NULL;
        size_t room = 0;
        int out[2];
        pid_t pid;

        if (pipe2(out, O_CLOEXEC) < 0)
                return -errno;
        pid = fork();
        if (pid == 0)
                trace(soname, out[1]);
        close(out[1]);
        f = fdopen(out[0], "r");
        while (f && pid > 0 && getline(&line, &room, f) > 0)
                if (!path)
                        path = path_in(line, soname);
        if (!f)
                close(out[0]);
        if (pid < 0 || waitpid(pid, NULL, 0) < 0) {
                free(path);
                return -EAGAIN;
        }
        if (!path)
                return -ENOENT;
        *ret_path = path;
        return 0;
}

int allocator_find(const struct allocator *a, char **ret_path)
{
        int r = -ENOENT;

        for (size_t i = 0; a->sonames[i] && r == -ENOENT; i++)
                r = loader_find(a->sonames[i], ret_path);
        return r;
}
