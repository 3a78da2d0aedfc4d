/* SPDX-License-Identifier: MIT */
/*
 * Doctor: the parts of infprof, the places they need, and whether a preload
 * enters a program here at all. The places are made if they are not there, as any other verb would.
 */
#include "cli/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/api-client.h"
#include "cli/daemon-start.h"
#include "cli/exe-check.h"
#include "cli/text.h"
#include "common/paths.h"

#define ENOUGH_BYTES (256ull << 20)

/* What a program says on stdout and stderr that runs with `shim` preloaded: first its own memory
 * map. */
static int try_preload(const char *shim, char *buf, size_t n)
{
        int out[2], status = -1;
        ssize_t got;
        size_t used = 0;
        pid_t pid;

        if (pipe2(out, O_CLOEXEC) < 0)
                return -errno;
        pid = fork();
        if (pid == 0) {
                dup2(out[1], 1);
                dup2(out[1], 2);
                setenv("LD_PRELOAD", shim, 1);
                setenv("INFPROF_DAEMON", "off", 1);
                execl("/bin/cat", "cat", "/proc/self/maps", (char *)NULL);
                _exit(127);
        }
        close(out[1]);
        while (pid > 0 && used < n - 1 && (got = read(out[0], buf + used, n - 1 - used)) > 0)
                used += (size_t)got;
        buf[used] = '\0';
        close(out[0]);
        if (pid < 0 || waitpid(pid, &status, 0) < 0)
                return -errno;
        return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ENOEXEC;
}

/* The first line of `text` that has `word` in it, or NULL. */
static char *line_with(char *text, const char *word)
{
        char *at = strstr(text, word);

        if (!at)
                return NULL;
        while (at > text && at[-1] != '\n')
                at--;
        at[strcspn(at, "\n")] = '\0';
        return at;
}

static void check_preload(struct finding *f)
{
        char *shim, *real, *maps, *line;
        int r;

        f->check = "preload";
        if (ifp_find_part("INFPROF_SHIM", "../preload/libinfprof.so", IFP_LIBDIR "/libinfprof.so",
                          &shim) < 0 ||
            access(shim, R_OK) < 0) {
                finding_set(f, FINDING_NO, "libinfprof.so is not found");
                finding_remedy(f, "install it beside infprof, or set INFPROF_SHIM to its path");
                return;
        }
        maps = malloc(65536);
        real = realpath(shim, NULL);
        r = maps ? try_preload(shim, maps, 65536) : -ENOMEM;
        if (r == 0 && real && strstr(maps, real))
                finding_set(f, FINDING_OK, "programs load %s", real);
        else {
                line = r == -ENOMEM ? NULL : line_with(maps, "libinfprof");
                if (line && !strncmp(line, "infprof", 7))
                        finding_set(f, FINDING_NO, "%s", line);
                else
                        finding_set(f, FINDING_NO, "programs do not load %s: %s", shim,
                                    line    ? line
                                    : r < 0 ? strerror(-r)
                                            : "the loader says nothing");
                finding_remedy(f, "check that the file is whole and may be mapped (noexec mount, "
                                  "security module)");
        }
        free(maps);
        free(real);
        free(shim);
}

/* Whether a file can be made and written in `path`; 0, or a negative errno. */
static int try_write(const char *path)
{
        char name[4200];
        int fd, r;

        snprintf(name, sizeof(name), "%s/.doctor-XXXXXX", path);
        fd = mkostemp(name, O_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = write(fd, "x", 1) == 1 ? 0 : -errno;
        unlink(name);
        close(fd);
        return r;
}

/* An error's line says what to do behind its last semicolon. Frees it. */
static void set_from_line(struct finding *f, char *line)
{
        char *remedy = line ? strrchr(line, ';') : NULL;

        if (remedy)
                *remedy++ = '\0';
        finding_set(f, FINDING_NO, "%s", line ? line : "out of memory");
        if (remedy)
                finding_remedy(f, "%s", remedy + strspn(remedy, " "));
        free(line);
}

static void check_runtime(struct finding *f)
{
        char *path, *why = NULL;
        int r;

        f->check = "sockets";
        if (ifp_runtime_dir(true, &path, &why) < 0) {
                set_from_line(f, why);
                return;
        }
        r = try_write(path);
        if (r < 0) {
                finding_set(f, FINDING_NO, "cannot write to %s: %s", path, strerror(-r));
                finding_remedy(
                        f, "set XDG_RUNTIME_DIR to a directory of your own that can be written");
        } else if (strlen(path) > 90) {
                finding_set(f, FINDING_NO, "%s is too long for sockets", path);
                finding_remedy(f, "set XDG_RUNTIME_DIR to a shorter path");
        } else
                finding_set(f, FINDING_OK, "%s is ours and can be written", path);
        free(path);
}

static void check_state(struct finding *f)
{
        char *path, *why = NULL, room[TEXT_CELL];
        struct statvfs fs;
        int r;

        f->check = "runs";
        r = ifp_state_dir(true, &path, &why);
        if (r < 0) {
                set_from_line(f, why);
                return;
        }
        r = try_write(path);
        if (r < 0) {
                finding_set(f, FINDING_NO, "cannot write to %s: %s", path, strerror(-r));
                finding_remedy(
                        f, r == -ENOSPC ? "make room: infprof runs rm, or set XDG_STATE_HOME"
                                        : "set XDG_STATE_HOME to a directory that can be written");
        } else if (statvfs(path, &fs) == 0 && fs.f_bavail * fs.f_frsize < ENOUGH_BYTES) {
                finding_set(f, FINDING_WARN, "only %sB are left for runs in %s",
                            text_bytes(room, (double)(fs.f_bavail * fs.f_frsize)), path);
                finding_remedy(f, "make room: infprof runs rm");
        } else
                finding_set(f, FINDING_OK, "are kept in %s", path);
        free(path);
}

static void check_daemon(struct finding *f)
{
        const char *how = getenv("INFPROF_DAEMON");
        char *path = daemon_find();
        json_t *status = NULL;

        f->check = "infprofd";
        if (api_get("/v1/status", &status, NULL) == 0) {
                const json_t *d = json_object_get(status, "daemon");

                finding_set(f, FINDING_OK, "%s is running, pid %.0f",
                            text_string(d, "version", "?"), text_number(d, "pid"));
        } else if (how && !strcmp(how, "off")) {
                finding_set(f, FINDING_NO,
                            "is not running, and INFPROF_DAEMON=off keeps it from being started");
                finding_remedy(f, "unset INFPROF_DAEMON, or start infprofd by hand");
        } else if (!path || access(path, X_OK) < 0) {
                finding_set(f, FINDING_NO, "%s%s", path ? path : "",
                            path ? " cannot be run" : "is not found");
                finding_remedy(f, "install it beside infprof, or set INFPROF_DAEMON to its path");
        } else
                finding_set(f, FINDING_OK, "%s will be started when it is needed", path);
        json_decref(status);
        free(path);
}

void doctor_check_command(struct finding *f, const char *command)
{
        struct exe_check check;
        char *path;
        int r;

        f->check = "command";
        r = exe_find(command, &path);
        if (r < 0) {
                finding_set(f, FINDING_NO, "%s: %s", command,
                            r == -ENOENT ? "no such command" : strerror(-r));
                finding_remedy(f, "check its name and PATH");
                return;
        }
        exe_check(&check, path);
        if (check.verdict == EXE_OK) {
                finding_set(f, FINDING_OK, "the shim can enter %s", check.path);
        } else {
                finding_set(f, FINDING_NO, "%s %s", check.path, exe_verdict_text(check.verdict));
                finding_remedy(f, "%s", exe_verdict_remedy(check.verdict));
        }
        exe_check_done(&check);
        free(path);
}

const doctor_check doctor_parts_checks[] = {check_preload, check_daemon, check_runtime,
                                            check_state};
const size_t doctor_n_parts_checks = sizeof(doctor_parts_checks) / sizeof(doctor_parts_checks[0]);
