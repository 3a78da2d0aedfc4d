/* SPDX-License-Identifier: MIT */
/*
 * infprofd: one for each user. Its starter has detached it already, so it
 * stays in the foreground; what it has to say goes to stderr. See infprofd(8).
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <infprof/handshake.h>
#include <infprof/version.h>

#include "common/cleanup.h"
#include "common/paths.h"
#include "daemon/adopt.h"
#include "daemon/bury.h"
#include "daemon/notify.h"
#include "daemon/server.h"

enum {
        EXIT_DONE = 0,
        EXIT_RUNNING = 1, /* another daemon serves this user */
        EXIT_USAGE = 2,
        EXIT_FAILED = 3,
};

#define IDLE_S 30

/* As little as a daemon needs; see jemalloc(3). */
const char *malloc_conf = "narenas:1,tcache_max:4096,dirty_decay_ms:500,muzzy_decay_ms:0";

static void usage(void)
{
        puts("usage: infprofd [OPTION...]\n"
             "\n"
             "Collects what the shims of this user's engines write, and answers questions about "
             "it.\n"
             "It is started when one is needed, and leaves when none is.\n"
             "\n"
             "      --stay                  never leave\n"
             "      --idle-timeout SECONDS  leave after so long without engine and question (30)\n"
             "      --foreground            accepted: it never leaves the foreground\n"
             "  -h, --help                  this help\n"
             "  -V, --version               the version\n"
             "\n"
             "Exit codes: 0 done, 1 another infprofd serves this user, 2 usage, 3 it cannot "
             "serve.");
}

/* 0, or the exit code; -1: go on. */
static int parse(int argc, char **argv, struct server_options *o)
{
        static const struct option options[] = {
                {"stay", no_argument, NULL, 's'},
                {"idle-timeout", required_argument, NULL, 'i'},
                {"foreground", no_argument, NULL, 'f'},
                {"help", no_argument, NULL, 'h'},
                {"version", no_argument, NULL, 'V'},
                {0},
        };
        char *end;
        double s;
        int c;

        opterr = 0;
        while ((c = getopt_long(argc, argv, "hV", options, NULL)) != -1) {
                switch (c) {
                case 's':
                        o->stay = true;
                        break;
                case 'f':
                        break;
                case 'i':
                        s = strtod(optarg, &end);
                        if (end == optarg || *end || !(s >= 0 && s <= 1e9)) {
                                fprintf(stderr, "infprofd: --idle-timeout takes seconds, not %s\n",
                                        optarg);
                                return EXIT_USAGE;
                        }
                        o->idle_ns = (uint64_t)(s * 1e9);
                        break;
                case 'h':
                        usage();
                        return EXIT_DONE;
                case 'V':
                        puts("infprofd " IFP_VERSION);
                        return EXIT_DONE;
                default:
                        fprintf(stderr,
                                "infprofd: no such option: %s; infprofd --help lists them\n",
                                argv[optind - 1]);
                        return EXIT_USAGE;
                }
        }
        if (optind < argc) {
                fprintf(stderr, "infprofd: it takes no argument: %s\n", argv[optind]);
                return EXIT_USAGE;
        }
        return -1;
}

/* The lock is held as long as we live. The descriptor; -EWOULDBLOCK: somebody has it. */
static int take_lock(char **ret_why)
{
        _cleanup_(freep) char *dir = NULL, *path = NULL;
        _cleanup_(closep) int fd = -1;
        char pid[32];
        int r, n;

        r = ifp_runtime_dir(true, &dir, ret_why);
        if (r < 0)
                return r;
        if (asprintf(&path, "%s/" IFP_LOCK_FILE, dir) < 0)
                return -ENOMEM;
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0) {
                r = -errno;
                if (asprintf(ret_why, "cannot open %s: %s", path, strerror(errno)) < 0)
                        *ret_why = NULL;
                return r;
        }
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                r = -errno;
                n = (int)pread(fd, pid, sizeof(pid) - 1, 0);
                pid[n > 0 ? n : 0] = '\0';
                if (asprintf(ret_why, "another infprofd serves this user (pid %d)", atoi(pid)) < 0)
                        *ret_why = NULL;
                return r;
        }
        n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
        if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)n, 0) != n)
                fprintf(stderr, "infprofd: cannot write %s: %s\n", path, strerror(errno));
        return steal_fd(fd);
}

/* Engines with many processes need many descriptors: two each. */
static void raise_limits(void)
{
        struct rlimit l;

        if (!getrlimit(RLIMIT_NOFILE, &l)) {
                l.rlim_cur = l.rlim_max;
                (void)setrlimit(RLIMIT_NOFILE, &l);
        }
        (void)setpriority(PRIO_PROCESS, 0, 10);
        umask(077);
}

int main(int argc, char **argv)
{
        struct server_options options = {.idle_ns = IDLE_S * 1000000000ull};
        _cleanup_(freep) char *why = NULL;
        struct server *s;
        int r, lock;

        r = parse(argc, argv, &options);
        if (r >= 0)
                return r;
        raise_limits();
        lock = take_lock(&why);
        if (lock < 0) {
                fprintf(stderr, "infprofd: %s\n", why ? why : strerror(-lock));
                return lock == -EWOULDBLOCK ? EXIT_RUNNING : EXIT_FAILED;
        }
        r = server_new(&s, &options, &why);
        if (r) {
                fprintf(stderr, "infprofd: %s\n", why ? why : strerror(-r));
                return EXIT_FAILED;
        }
        adopt_all(s);
        bury_all(s);
        notify("READY=1");
        r = server_serve(s);
        notify("STOPPING=1");
        server_free(s);
        close(lock);
        if (r)
                fprintf(stderr, "infprofd: %s\n", strerror(-r));
        return r ? EXIT_FAILED : EXIT_DONE;
}
