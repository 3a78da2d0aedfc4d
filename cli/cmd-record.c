/* SPDX-License-Identifier: MIT */
/*
 * infprof record: runs a command under the shim and keeps the run.
 *
 * To the command and to whoever waits for us we are not there: signals sent to us go on to it, its
 * exit code or signal becomes ours, its standard streams are untouched. Trouble with the profiler
 * never keeps the command from running; it is one line on stderr.
 *
 * The child is forked first and held until the daemon knows the run, because its
 * pid is part of the run's id; it then becomes the command.
 */
#include "cli/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/api-client.h"
#include "cli/daemon-start.h"
#include "cli/exe-check.h"
#include "cli/text.h"
#include "common/paths.h"

enum {
        RECORD_FAILED = 125,
        RECORD_CANNOT_RUN = 126,
        RECORD_NOT_FOUND = 127,
};

static const int forwarded[] = {SIGINT,  SIGTERM, SIGHUP,   SIGQUIT,
                                SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT};

struct record {
        const char *output; /* as given, or NULL */
        char *file;         /* absolute, or NULL: the daemon chooses */
        const char *kernels;
        const char *level;
        bool force;
        char *exe;
        char *shim;
        char **argv;
        char stamp[32]; /* the run's id without the pid */
        char *warning;  /* of the daemon, about the run's file; NULL: none */
        bool has_daemon;
        bool registered; /* the daemon knows the run */
        bool kept;
};

static void usage(void)
{
        puts("usage: infprof record [-o FILE] [--kernels SPEC] [--kernels-level LEVEL] [--] CMD "
             "[ARG...]\n"
             "\n"
             "Runs CMD under the profiler and keeps the run. CMD's exit code is passed on; where a "
             "signal\n"
             "ended CMD, infprof ends by the same. Signals sent to infprof go on to CMD.\n"
             "\n"
             "  -o, --output FILE        keep the run in FILE, not in the state directory\n"
             "  -f, --force              replace FILE when it exists\n"
             "  -k, --kernels SPEC       further functions to time: OBJECT:SYMBOL,... where both "
             "are "
             "globs,\n"
             "                           as in 'libfoo.so*:conv_*,myengine:step_*'\n"
             "      --kernels-level LEVEL\n"
             "                           outer (default), or inner: also what kernels call inside\n"
             "  -h, --help               this help\n"
             "\n"
             "Exit codes of infprof itself: 125 it failed, 126 CMD cannot be run, 127 CMD is not "
             "found.");
}

/* The command as a line that a shell would take. */
static char *quote_command(char **argv)
{
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                    "_-+=./,:@%^";
        char *line = NULL;
        size_t n;
        FILE *f = open_memstream(&line, &n);

        if (!f)
                return NULL;
        for (char **a = argv; *a; a++) {
                if (a > argv)
                        putc(' ', f);
                if (**a && !(*a)[strspn(*a, plain)]) {
                        fputs(*a, f);
                        continue;
                }
                putc('\'', f);
                for (const char *p = *a; *p; p++) {
                        if (*p == '\'')
                                fputs("'\\''", f);
                        else
                                putc(*p, f);
                }
                putc('\'', f);
        }
        if (fclose(f) == EOF) {
                free(line);
                return NULL;
        }
        return line;
}

/* Settles where the run goes; what would fail after the run is refused before it. */
static int prepare_output(struct record *r)
{
        char *slash, *cwd = NULL;
        struct stat st;
        int n;

        if (!r->output)
                return 0;
        if (r->output[0] != '/')
                cwd = getcwd(NULL, 0);
        n = asprintf(&r->file, "%s%s%s", cwd ? cwd : "", cwd ? "/" : "", r->output);
        free(cwd);
        if (n < 0)
                return -ENOMEM;
        if (lstat(r->file, &st) == 0) {
                if (!S_ISREG(st.st_mode)) {
                        cmd_error("record", "%s is not a regular file; choose another name",
                                  r->output);
                        return -EEXIST;
                }
                if (!r->force) {
                        cmd_error("record", "%s exists; choose another name or give --force",
                                  r->output);
                        return -EEXIST;
                }
                if (unlink(r->file) < 0) {
                        cmd_error("record", "cannot replace %s: %s", r->output, strerror(errno));
                        return -EEXIST;
                }
        }
        slash = strrchr(r->file, '/');
        *slash = '\0';
        n = access(slash == r->file ? "/" : r->file, W_OK | X_OK) < 0 ? -errno : 0;
        *slash = '/';
        if (n < 0)
                cmd_error("record", "cannot write %s: %s; choose another place with -o", r->output,
                          strerror(-n));
        return n;
}

static int prepare_shim(struct record *r)
{
        if (ifp_find_part("INFPROF_SHIM", "../preload/libinfprof.so", IFP_LIBDIR "/libinfprof.so",
                          &r->shim) < 0) {
                cmd_error("record", "libinfprof.so is not found; set INFPROF_SHIM to its path");
                return -ENOENT;
        }
        if (access(r->shim, R_OK) < 0) {
                cmd_error("record", "cannot read the shim %s: %s; set INFPROF_SHIM to its path",
                          r->shim, strerror(errno));
                return -ENOENT;
        }
        if (strpbrk(r->shim, " :\t\n")) {
                cmd_error("record",
                          "the path of the shim, %s, has a space or colon in it, which LD_PRELOAD "
                          "cannot "
                          "hold; set INFPROF_SHIM to another",
                          r->shim);
                return -EINVAL;
        }
        return 0;
}

/* Says in one line when the shim will not get in. */
static void warn_about(const struct record *r)
{
        struct exe_check check;

        exe_check(&check, r->exe);
        if (check.verdict != EXE_OK && check.verdict != EXE_UNKNOWN)
                cmd_error("record", "nothing of it will be seen: %s %s; %s", check.path,
                          exe_verdict_text(check.verdict), exe_verdict_remedy(check.verdict));
        exe_check_done(&check);
}

/* Prepends the shim to what is preloaded already. */
static int set_environment(const struct record *r, const char *id)
{
        const char *old = getenv("LD_PRELOAD");
        char *preload;
        int e = 0;

        if (!old || !*old)
                e |= setenv("LD_PRELOAD", r->shim, 1);
        else if (!strstr(old, r->shim)) {
                if (asprintf(&preload, "%s:%s", r->shim, old) < 0)
                        return -ENOMEM;
                e |= setenv("LD_PRELOAD", preload, 1);
                free(preload);
        }
        e |= setenv("INFPROF_RUN", id, 1);
        if (r->kernels)
                e |= setenv("INFPROF_KERNELS", r->kernels, 1);
        if (r->level)
                e |= setenv("INFPROF_KERNELS_LEVEL", r->level, 1);
        if (!r->has_daemon) /* it has been tried and said; the shim need not do both again */
                e |= setenv("INFPROF_DAEMON", "off", 1);
        return e ? -ENOMEM : 0;
}

static void make_id(const struct record *r, pid_t pid, char *buf, size_t n)
{
        snprintf(buf, n, "%s-%ld", r->stamp, (long)pid);
}

__attribute__((noreturn)) static void become(const struct record *r, int go, int tell,
                                             const sigset_t *mask, const struct sigaction *chld)
{
        char id[64], byte;
        int error;

        make_id(r, getpid(), id, sizeof(id));
        if (read(go, &byte, 1) != 1) /* infprof itself is gone: so is the run */
                _exit(RECORD_FAILED);
        if (set_environment(r, id) < 0)
                _exit(RECORD_FAILED);
        sigaction(SIGCHLD, chld, NULL);
        sigprocmask(SIG_SETMASK, mask, NULL);
        execvp(r->exe, r->argv);
        error = errno;
        if (write(tell, &error, sizeof(error)) < 0)
                _exit(RECORD_FAILED);
        _exit(error == ENOENT ? RECORD_NOT_FOUND : RECORD_CANNOT_RUN);
}

/* Takes over what an answer tells of the run's file. */
static void note_answer(struct record *r, const json_t *answer)
{
        const char *file = text_string(answer, "file", NULL);
        const char *warning = text_string(answer, "warning", NULL);

        if (file) {
                free(r->file);
                r->file = strdup(file);
        }
        free(r->warning);
        r->warning = warning ? strdup(warning) : NULL;
}

/* Tells the daemon of the run that is about to begin. */
static void announce(struct record *r, pid_t pid)
{
        char id[64], *command = quote_command(r->argv), *why = NULL;
        json_t *body, *answer = NULL;
        int e;

        make_id(r, pid, id, sizeof(id));
        body = json_pack("{s:s, s:s*, s:I, s:s*}", "id", id, "command", command, "pid",
                         (json_int_t)pid, "file", r->file);
        if (!body) /* a command line that is not UTF-8 */
                body = json_pack("{s:s, s:s, s:I, s:s*}", "id", id, "command", "(not UTF-8)", "pid",
                                 (json_int_t)pid, "file", r->file);
        free(command);
        e = body ? api_send("POST", "/v1/runs", body, &answer, &why) : -EILSEQ;
        json_decref(body);
        r->registered = !e;
        if (!e)
                note_answer(r, answer);
        if (e)
                cmd_error("record", "no run will be kept: %s",
                          why ? why : strerror(e < 0 ? -e : EIO));
        else if (r->warning)
                cmd_error("record", "no run will be kept: %s", r->warning);
        r->kept = !e && !r->warning;
        json_decref(answer);
        free(why);
}

/* Tells the daemon how it ended. */
static void tell_exit(struct record *r, const char *id, int status)
{
        bool killed = WIFSIGNALED(status);
        char path[128], *why = NULL;
        json_t *body, *answer = NULL;
        int e;

        snprintf(path, sizeof(path), "/v1/runs/%s/exit", id);
        body = json_pack("{s:i}", killed ? "signal" : "code",
                         killed ? WTERMSIG(status) : WEXITSTATUS(status));
        e = api_send("PUT", path, body, &answer, &why);
        if (e == API_E_ABSENT || e == API_E_BROKEN) {
                /* It died in the midst of the run; the next one adopts what is left. */
                free(why);
                why = NULL;
                e = daemon_ensure(&why);
                if (!e)
                        e = api_send("PUT", path, body, &answer, &why);
        }
        if (e)
                cmd_error("record", "how the command ended could not be noted: %s",
                          why ? why : strerror(e < 0 ? -e : EIO));
        else
                note_answer(r, answer);
        json_decref(body);
        json_decref(answer);
        free(why);
}

/* The last word: where the run is. */
static void say_where(const struct record *r, const char *id)
{
        if (!r->kept)
                return;
        if (r->warning)
                cmd_error("record", "the run in %s is not complete: %s", r->file ? r->file : id,
                          r->warning);
        else
                fprintf(stderr, "infprof: the run is kept in %s; read it with: infprof report %s\n",
                        r->file ? r->file : "the state directory", r->output ? r->output : id);
}

/*
 * Waits for the end of the child and passes signals on to it. A signal of the
 * terminal reaches the child without us, for both are in the foreground group:
 * only what a process sent to us is passed on.
 */
static int attend(pid_t pid, const sigset_t *set)
{
        siginfo_t si;
        int status;

        for (;;) {
                if (waitpid(pid, &status, WNOHANG) == pid)
                        return status;
                if (sigwaitinfo(set, &si) < 0 || si.si_signo == SIGCHLD)
                        continue;
                if (si.si_code != SI_KERNEL && si.si_pid != pid)
                        kill(pid, si.si_signo);
        }
}

/* Ends as the command ended. */
static int end_like(int status)
{
        struct rlimit no_core = {0, 0};
        struct sigaction dfl = {.sa_handler = SIG_DFL};
        sigset_t one;

        if (!WIFSIGNALED(status))
                return WEXITSTATUS(status);
        setrlimit(RLIMIT_CORE, &no_core); /* the core was the command's */
        sigaction(WTERMSIG(status), &dfl, NULL);
        sigemptyset(&one);
        sigaddset(&one, WTERMSIG(status));
        fflush(NULL);
        raise(WTERMSIG(status));
        sigprocmask(SIG_UNBLOCK, &one, NULL);
        return 128 + WTERMSIG(status);
}

static int run(struct record *r)
{
        struct sigaction dfl = {.sa_handler = SIG_DFL}, chld;
        int go[2], tell[2], status, error = 0;
        char id[64], *why = NULL;
        sigset_t set, mask;
        pid_t pid;

        r->has_daemon = daemon_ensure(&why) == 0;
        if (!r->has_daemon)
                cmd_error("record", "no run will be kept: %s", why ? why : "out of memory");
        free(why);

        sigemptyset(&set);
        for (size_t i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
                sigaddset(&set, forwarded[i]);
        sigaddset(&set, SIGCHLD);
        sigprocmask(SIG_BLOCK, &set, &mask);
        sigaction(SIGCHLD, &dfl, &chld);
        if (pipe2(go, O_CLOEXEC) < 0 || pipe2(tell, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
                cmd_error("record", "cannot start a process: %s", strerror(errno));
                return RECORD_FAILED;
        }
        if (pid == 0) {
                close(go[1]);
                close(tell[0]);
                become(r, go[0], tell[1], &mask, &chld);
        }
        close(go[0]);
        close(tell[1]);
        if (r->has_daemon)
                announce(r, pid);
        if (write(go[1], "", 1) < 0)
                cmd_error("record", "cannot start the command: %s", strerror(errno));
        close(go[1]);
        if (read(tell[0], &error, sizeof(error)) == sizeof(error))
                cmd_error("record", "cannot run %s: %s", r->argv[0], strerror(error));
        close(tell[0]);
        status = attend(pid, &set);
        if (r->registered) {
                make_id(r, pid, id, sizeof(id));
                tell_exit(r, id, status);
                say_where(r, id);
        }
        return end_like(status);
}

/* Does each item read OBJECT:SYMBOL? (The shim says the same of the variable, and goes on.) */
static bool kernels_ok(const char *spec)
{
        for (const char *item = spec; *item; item += strcspn(item, ", \n")) {
                size_t n;

                item += strspn(item, ", \n");
                n = strcspn(item, ", \n");
                if (n) {
                        const char *colon = memchr(item, ':', n);

                        if (colon && colon != item && colon + 1 != item + n)
                                continue;
                        cmd_error("record",
                                  "--kernels: each item must read OBJECT:SYMBOL, as in "
                                  "libfoo.so*:conv_*; '%.*s' does not",
                                  (int)n, item);
                        return false;
                }
        }
        return true;
}

static int parse(struct record *r, int argc, char **argv)
{
        static const struct option options[] = {{"output", required_argument, NULL, 'o'},
                                                {"force", no_argument, NULL, 'f'},
                                                {"kernels", required_argument, NULL, 'k'},
                                                {"kernels-level", required_argument, NULL, 'l'},
                                                {"help", no_argument, NULL, 'h'},
                                                {}};
        int o;

        opterr = 0;
        while ((o = getopt_long(argc, argv, "+:o:fk:h", options, NULL)) != -1) {
                switch (o) {
                case 'o':
                        r->output = optarg;
                        break;
                case 'f':
                        r->force = true;
                        break;
                case 'k':
                        r->kernels = optarg;
                        break;
                case 'l':
                        r->level = optarg;
                        break;
                case 'h':
                        usage();
                        return CMD_DONE;
                default:
                        return cmd_bad_option(argc, argv, o);
                }
        }
        if (r->kernels && !kernels_ok(r->kernels))
                return CMD_USAGE;
        if (r->level && strcmp(r->level, "outer") != 0 && strcmp(r->level, "inner") != 0) {
                cmd_error("record", "--kernels-level is outer or inner, not %s", r->level);
                return CMD_USAGE;
        }
        if (r->output && !*r->output) {
                cmd_error("record", "-o needs the name of a file");
                return CMD_USAGE;
        }
        if (optind >= argc) {
                cmd_error("record", "which command? infprof record [OPTION...] [--] CMD [ARG...]");
                return CMD_USAGE;
        }
        r->argv = argv + optind;
        return -1; /* go on */
}

int cmd_record(int argc, char **argv)
{
        struct record r = {0};
        time_t now = time(NULL);
        struct tm tm;
        int code;

        code = parse(&r, argc, argv);
        if (code >= 0)
                return code;
        code = exe_find(r.argv[0], &r.exe);
        if (code < 0) {
                cmd_error("record", "cannot run %s: %s", r.argv[0],
                          code == -ENOENT ? "no such command" : strerror(-code));
                return code == -ENOENT ? RECORD_NOT_FOUND : RECORD_CANNOT_RUN;
        }
        localtime_r(&now, &tm);
        strftime(r.stamp, sizeof(r.stamp), "%Y%m%d-%H%M%S", &tm);
        code = RECORD_FAILED;
        if (prepare_output(&r) == 0 && prepare_shim(&r) == 0) {
                warn_about(&r);
                code = run(&r);
        }
        free(r.exe);
        free(r.shim);
        free(r.file);
        free(r.warning);
        return code;
}
