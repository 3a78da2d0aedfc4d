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
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/record-options.h"
#include "cli/record-run.h"

static const int forwarded[] = {SIGINT,  SIGTERM, SIGHUP,   SIGQUIT,
                                SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT};

__attribute__((noreturn)) static void become(const struct record_run *r, int go, int tell,
                                             const sigset_t *mask, const struct sigaction *chld)
{
        char byte;
        int error;

        if (read(go, &byte, 1) != 1) /* infprof itself is gone: so is the run */
                _exit(RECORD_FAILED);
        if (record_run_enter(r) < 0)
                _exit(RECORD_FAILED);
        sigaction(SIGCHLD, chld, NULL);
        sigprocmask(SIG_SETMASK, mask, NULL);
        execvp(r->exe, r->options->argv);
        error = errno;
        if (write(tell, &error, sizeof(error)) < 0)
                _exit(RECORD_FAILED);
        _exit(error == ENOENT ? RECORD_NOT_FOUND : RECORD_CANNOT_RUN);
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

static int run(struct record_run *r)
{
        struct sigaction dfl = {.sa_handler = SIG_DFL}, chld;
        int go[2], tell[2], status, error = 0;
        sigset_t set, mask;
        pid_t pid;

        record_run_reach(r);
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
        record_run_announce(r, pid);
        if (write(go[1], "", 1) < 0)
                cmd_error("record", "cannot start the command: %s", strerror(errno));
        close(go[1]);
        if (read(tell[0], &error, sizeof(error)) == sizeof(error))
                cmd_error("record", "cannot run %s: %s", r->options->argv[0], strerror(error));
        close(tell[0]);
        status = attend(pid, &set);
        record_run_end(r, pid, status);
        record_run_say_where(r, pid);
        return end_like(status);
}

int cmd_record(int argc, char **argv)
{
        struct record_options options;
        struct record_run r;
        int code;

        code = record_parse(&options, argc, argv);
        if (code < 0) {
                code = record_run_init(&r, &options, "record");
                if (code < 0)
                        code = run(&r);
                record_run_done(&r);
        }
        record_options_done(&options);
        return code;
}
