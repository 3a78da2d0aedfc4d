/* SPDX-License-Identifier: MIT */
/*
 * Starting infprofd from inside a stranger's process. The first child has no
 * exit signal and is reaped here; its own child becomes the daemon, an orphan
 * in a session of its own, with the engine's environment less the preload,
 * and none of its descriptors, limits, affinity, umask, directory or signals.
 */
#include "preload/launch.h"
#include "preload/shim.h"
#include "preload/slots.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#ifndef IFP_BINDIR
#define IFP_BINDIR "/usr/local/bin"
#endif

static bool executable(const char *path)
{
        return !ifp_sys_failed(IFP_SYS(faccessat, AT_FDCWD, path, 1 /* X_OK */));
}

bool ifp_launch_find(char *to, size_t size)
{
        const char *self = ifp_self_path();
        size_t dir = (size_t)(ifp_basename(self) - self);

        if (dir && dir + 32 < size) {
                ifp_copy(to, self, dir);
                ifp_strcpy(to + dir, "../daemon/infprofd", size - dir); /* the build tree */
                if (executable(to))
                        return true;
                ifp_strcpy(to + dir, "../bin/infprofd", size - dir);
                if (executable(to))
                        return true;
                ifp_strcpy(to + dir, "../../bin/infprofd", size - dir); /* lib/x86_64-linux-gnu */
                if (executable(to))
                        return true;
        }
        ifp_strcpy(to, IFP_BINDIR "/infprofd", size);
        return executable(to);
}

static bool unwanted(const char *variable)
{
        return ifp_starts(variable, "LD_PRELOAD=") || ifp_starts(variable, "LD_LIBRARY_PATH=") ||
               ifp_starts(variable, "LD_AUDIT=") || ifp_starts(variable, "LD_BIND_NOW=") ||
               ifp_starts(variable, "MALLOC_") || ifp_starts(variable, "GLIBC_TUNABLES=") ||
               ifp_starts(variable, "INFPROF_RUN=") || ifp_starts(variable, "INFPROF_KERNELS") ||
               ifp_starts(variable, "INFPROF_OPS=");
}

static void shed(void)
{
        static const uint64_t no_signals;
        uint8_t all_cpus[128];
        long null;

        IFP_SYS(setsid);
        IFP_SYS(rt_sigprocmask, SIG_SETMASK, &no_signals, NULL, 8);
        for (int i = 1; i <= 64; i++) {
                struct {
                        void *handler;
                        unsigned long flags;
                        void *restorer;
                        uint64_t mask;
                } dfl = {0};

                IFP_SYS(rt_sigaction, i, &dfl, NULL, 8);
        }
        IFP_SYS(chdir, "/");
        IFP_SYS(umask, 022);
        for (size_t i = 0; i < sizeof(all_cpus); i++)
                all_cpus[i] = 0xff;
        IFP_SYS(sched_setaffinity, 0, sizeof(all_cpus), all_cpus);
        for (int i = 0; i < 16; i++) { /* limits: as far up as we may */
                struct {
                        uint64_t soft, hard;
                } limit;

                if (i == RLIMIT_CORE || i == RLIMIT_STACK ||
                    ifp_sys_failed(IFP_SYS(prlimit64, 0, i, NULL, &limit)))
                        continue;
                limit.soft = limit.hard;
                IFP_SYS(prlimit64, 0, i, &limit, NULL);
        }
        null = IFP_SYS(openat, AT_FDCWD, "/dev/null", O_RDWR);
        for (int i = 0; i < 3; i++)
                IFP_SYS(dup3, null, i, 0);
        if (ifp_sys_failed(IFP_SYS(close_range, 3, ~0u, 0)))
                for (int i = 3; i < 4096; i++)
                        IFP_SYS(close, i);
}

static void become(const char *path)
{
        static char *env[1024];
        char *argv[] = {(char *)(uintptr_t)path, NULL};
        size_t n = 0;

        for (char **e = ifp_config.env; e && *e && n + 1 < sizeof(env) / sizeof(env[0]); e++)
                if (!unwanted(*e))
                        env[n++] = *e;
        env[n] = NULL;
        shed();
        IFP_SYS(execve, path, argv, env);
        IFP_SYS(exit_group, 127);
}

int ifp_launch(const char *path)
{
        long child, ret;
        int status;

        if (!executable(path))
                return -ENOENT;
        child = IFP_SYS(clone, 0 /* no exit signal */, 0, 0, 0, 0);
        if (ifp_sys_failed(child))
                return (int)child;
        if (!child) {
                long daemon = IFP_SYS(clone, SIGCHLD, 0, 0, 0, 0);

                if (!daemon)
                        become(path);
                IFP_SYS(exit_group, ifp_sys_failed(daemon) ? 1 : 0);
        }
        do
                ret = IFP_SYS(wait4, child, &status, 0x80000000 /* __WCLONE */, NULL);
        while (ret == -EINTR);
        if (ifp_sys_failed(ret))
                return (int)ret;
        return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EAGAIN;
}
