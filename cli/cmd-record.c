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
#include "cli/record-env.h"
#include "cli/record-options.h"
#include "cli/text.h"
#include "common/cleanup.h"

static const int forwarded[] = {SIGINT,  SIGTERM, SIGHUP,   SIGQUIT,
                                SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT};

struct record {
        struct record_options options;
        struct record_env env;
        char *file; /* absolute, or NULL: the daemon chooses */
        char *exe;
        char stamp[32]; /* the run's id without the pid */
        char *warning;  /* of the daemon, about the run's file; NULL: none */
        bool has_daemon;
        bool registered; /* the daemon knows the run */
        bool kept;
};

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

        if (!r->options.output)
                return 0;
        if (r->options.output[0] != '/')
                cwd = getcwd(NULL, 0);
        n = asprintf(&r->file, "%s%s%s", cwd ? cwd : "", cwd ? "/" : "", r->options.output);
        free(cwd);
        if (n < 0)
                return -ENOMEM;
        if (lstat(r->file, &st) == 0) {
                if (!S_ISREG(st.st_mode)) {
                        cmd_error("record", "%s is not a regular file; choose another name",
                                  r->options.output);
                        return -EEXIST;
                }
                if (!r->options.force) {
                        cmd_error("record", "%s exists; choose another name or give --force",
                                  r->options.output);
                        return -EEXIST;
                }
                if (unlink(r->file) < 0) {
                        cmd_error("record", "cannot replace %s: %s", r->options.output,
                                  strerror(errno));
                        return -EEXIST;
                }
        }
        slash = strrchr(r->file, '/');
        *slash = '\0';
        n = access(slash == r->file ? "/" : r->file, W_OK | X_OK) < 0 ? -errno : 0;
        *slash = '/';
        if (n < 0)
                cmd_error("record", "cannot write %s: %s; choose another place with -o",
                          r->options.output, strerror(-n));
        return n;
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
        if (record_env_set(&r->env, &r->options, id, r->has_daemon) < 0)
                _exit(RECORD_FAILED);
        sigaction(SIGCHLD, chld, NULL);
        sigprocmask(SIG_SETMASK, mask, NULL);
        execvp(r->exe, r->options.argv);
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
        char id[64], *command = quote_command(r->options.argv), *why = NULL;
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
        _cleanup_(freep) char *name =
                r->options.output ? quote_command((char *[]){(char *)r->options.output, NULL})
                                  : NULL;

        if (!r->kept)
                return;
        if (r->warning)
                cmd_error("record", "the run in %s is not complete: %s", r->file ? r->file : id,
                          r->warning);
        else
                fprintf(stderr, "infprof: the run is kept in %s; read it with: infprof report %s\n",
                        r->file ? r->file : "the state directory", name ? name : id);
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
                cmd_error("record", "cannot run %s: %s", r->options.argv[0], strerror(error));
        close(tell[0]);
        status = attend(pid, &set);
        if (r->registered) {
                make_id(r, pid, id, sizeof(id));
                tell_exit(r, id, status);
                say_where(r, id);
        }
        return end_like(status);
}

int cmd_record(int argc, char **argv)
{
        struct record r = {0};
        time_t now = time(NULL);
        struct tm tm;
        int code;

        code = record_parse(&r.options, argc, argv);
        if (code >= 0) {
                record_options_done(&r.options);
                return code;
        }
        code = exe_find(r.options.argv[0], &r.exe);
        if (code < 0) {
                record_options_done(&r.options);
                cmd_error("record", "cannot run %s: %s", r.options.argv[0],
                          code == -ENOENT ? "no such command" : strerror(-code));
                return code == -ENOENT ? RECORD_NOT_FOUND : RECORD_CANNOT_RUN;
        }
        localtime_r(&now, &tm);
        strftime(r.stamp, sizeof(r.stamp), "%Y%m%d-%H%M%S", &tm);
        code = RECORD_FAILED;
        if (record_env_init(&r.env, &r.options) == 0 && prepare_output(&r) == 0) {
                warn_about(&r);
                code = run(&r);
        }
        free(r.exe);
        record_env_done(&r.env);
        record_options_done(&r.options);
        free(r.file);
        free(r.warning);
        return code;
}
