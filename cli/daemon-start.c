/* SPDX-License-Identifier: MIT */
/*
 * Starts infprofd. It must live on when whoever needed it has gone, and must
 * inherit nothing from there: a session of its own, no terminal, no descriptors, the default
 * signals, no preload. Until it listens its stderr is a memfd, so that its reason is at hand
 * where it would not start.
 */
#include "cli/daemon-start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <infprof/handshake.h>

#include "common/paths.h"

#define START_TIMEOUT_MS 5000
#define START_POLL_MS    10

__attribute__((format(printf, 3, 4))) static int fail(int error, char **ret_why, const char *format,
                                                      ...)
{
        va_list ap;

        if (ret_why) {
                va_start(ap, format);
                if (vasprintf(ret_why, format, ap) < 0)
                        *ret_why = NULL;
                va_end(ap);
        }
        return error;
}

char *daemon_find(void)
{
        char *path;

        return ifp_find_part("INFPROF_DAEMON", "../daemon/infprofd", "infprofd", &path) < 0 ? NULL
                                                                                            : path;
}

/* 1: somebody listens, 0: nobody; or a negative errno. */
static int is_listening(char **ret_why)
{
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        char *dir;
        int fd, r;

        r = ifp_runtime_dir(true, &dir, ret_why);
        if (r < 0)
                return r;
        if ((size_t)snprintf(a.sun_path, sizeof(a.sun_path), "%s/" IFP_API_SOCKET, dir) >=
            sizeof(a.sun_path)) {
                r = fail(-ENAMETOOLONG, ret_why,
                         "%s is too long for a socket; set XDG_RUNTIME_DIR to a shorter one", dir);
                free(dir);
                return r;
        }
        free(dir);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return fail(-errno, ret_why, "cannot make a socket: %s", strerror(errno));
        r = connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
        close(fd);
        return r;
}

/* In the daemon-to-be, before its exec. */
__attribute__((noreturn)) static void become(const char *path, int errors)
{
        struct sigaction dfl = {.sa_handler = SIG_DFL};
        sigset_t none;
        int null;

        for (int s = 1; s < NSIG; s++)
                sigaction(s, &dfl, NULL);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        unsetenv("LD_PRELOAD");
        unsetenv("INFPROF_RUN");
        unsetenv("INFPROF_KERNELS");
        unsetenv("INFPROF_KERNELS_LEVEL");
        unsetenv("INFPROF_OPS");
        umask(077);
        null = open("/dev/null", O_RDWR);
        if (null >= 0) {
                dup2(null, 0);
                dup2(null, 1);
        }
        dup2(errors >= 0 ? errors : null, 2);
        close_range(3, ~0u, 0);
        if (chdir("/") == 0)
                execl(path, "infprofd", (char *)NULL);
        dprintf(2, "%s: %s\n", path, strerror(errno));
        _exit(127);
}

/* A pidfd of the started process, or a negative errno. */
static int start(const char *path, int errors)
{
        int tell[2], r;
        pid_t middle, pid = 0;

        if (pipe2(tell, O_CLOEXEC) < 0)
                return -errno;
        middle = fork();
        if (middle < 0) {
                r = -errno;
                close(tell[0]);
                close(tell[1]);
                return r;
        }
        if (middle == 0) {
                setsid();
                pid = fork();
                if (pid == 0)
                        become(path, errors);
                if (write(tell[1], &pid, sizeof(pid)) < 0)
                        _exit(1);
                _exit(0);
        }
        close(tell[1]);
        r = read(tell[0], &pid, sizeof(pid)) == sizeof(pid) && pid > 0 ? 0 : -EAGAIN;
        close(tell[0]);
        while (waitpid(middle, NULL, 0) < 0 && errno == EINTR)
                ;
        if (r < 0)
                return r;
        /* It may have ended and been reaped already: then there is none, and that is an answer too.
         */
        r = (int)syscall(SYS_pidfd_open, pid, 0);
        return r < 0 ? -errno : r;
}

/* The last line that was written to `errors`. */
static void read_reason(int errors, char *buf, size_t n)
{
        ssize_t got;
        char *line;

        got = pread(errors, buf, n - 1, 0);
        buf[got > 0 ? got : 0] = '\0';
        while (got > 0 && buf[got - 1] == '\n')
                buf[--got] = '\0';
        line = strrchr(buf, '\n');
        if (line)
                memmove(buf, line + 1, strlen(line + 1) + 1);
}

/* Waits until the started one listens, or has ended and no other does. */
static int await(int pidfd, const char *path, int errors, char **ret_why)
{
        char reason[512];
        int r, waited = 0, ended_at = pidfd < 0 ? 0 : -1;

        for (; waited < START_TIMEOUT_MS; waited += START_POLL_MS) {
                struct pollfd p = {.fd = ended_at < 0 ? pidfd : -1, .events = POLLIN};

                r = is_listening(ret_why);
                if (r != 0)
                        return r < 0 ? r : 0;
                /* One that lost the race against another ends; the other may need a moment more. */
                if (ended_at >= 0 && waited - ended_at > 500)
                        break;
                if (poll(&p, 1, START_POLL_MS) > 0)
                        ended_at = waited;
        }
        read_reason(errors, reason, sizeof(reason));
        if (!strncmp(reason, "infprofd: ", 10))
                return fail(-ECONNREFUSED, ret_why, "%s", reason);
        if (reason[0])
                return fail(-ECONNREFUSED, ret_why, "infprofd would not start: %s", reason);
        return fail(-ECONNREFUSED, ret_why, "%s would not start; run it by hand to see why", path);
}

int daemon_ensure(char **ret_why)
{
        const char *how = getenv("INFPROF_DAEMON");
        char *path;
        int r, pidfd, errors;

        if (ret_why)
                *ret_why = NULL;
        r = is_listening(ret_why);
        if (r != 0)
                return r < 0 ? r : 0;
        if (how && !strcmp(how, "off"))
                return fail(-ECONNREFUSED, ret_why,
                            "no infprofd is running, and INFPROF_DAEMON=off keeps it from being "
                            "started");
        if (how && how[0] != '/' && how[0] != '\0' && strcmp(how, "auto") != 0)
                return fail(-EINVAL, ret_why,
                            "INFPROF_DAEMON=%s is neither auto nor off nor an absolute path", how);
        path = daemon_find();
        if (!path)
                return fail(-ENOENT, ret_why,
                            "infprofd is not found beside infprof; set INFPROF_DAEMON to its path");
        if (access(path, X_OK) < 0) {
                r = fail(-errno, ret_why, "cannot start %s: %s", path, strerror(errno));
                free(path);
                return r;
        }
        errors = memfd_create("infprofd-stderr", MFD_CLOEXEC);
        pidfd = start(path, errors);
        if (pidfd < 0 && pidfd != -ESRCH)
                r = fail(pidfd, ret_why, "cannot start %s: %s", path, strerror(-pidfd));
        else
                r = await(pidfd, path, errors, ret_why);
        if (pidfd >= 0)
                close(pidfd);
        if (errors >= 0)
                close(errors);
        free(path);
        return r;
}
