/* SPDX-License-Identifier: MIT */
/*
 * What infprof does around a command that it records. The run's id has the pid in it, so the
 * process is there, held, before the daemon is told of the run.
 */
#include "cli/record-run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/api-client.h"
#include "cli/cmd.h"
#include "cli/daemon-start.h"
#include "cli/exe-check.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/secret.h"

__attribute__((format(printf, 2, 3))) static void complain(struct record_run *r, const char *format,
                                                           ...)
{
        _cleanup_(freep) char *line = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&line, format, ap) < 0)
                line = NULL;
        va_end(ap);
        if (r->verb)
                cmd_error(r->verb, "%s", line ? line : "out of memory");
        else if (!r->trouble)
                r->trouble = steal_ptr(line);
}

/* An argument as a shell would take it, its first `n` bytes. */
static void quote(FILE *f, const char *argument, size_t n)
{
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                    "_-+=./,:@%^";

        if (n && strspn(argument, plain) >= n) {
                fwrite(argument, 1, n, f);
                return;
        }
        putc('\'', f);
        for (size_t i = 0; i < n; i++) {
                if (argument[i] == '\'')
                        fputs("'\\''", f);
                else
                        putc(argument[i], f);
        }
        putc('\'', f);
}

char *record_run_quote(char **argv)
{
        char *line = NULL;
        size_t n;
        FILE *f = open_memstream(&line, &n);

        if (!f)
                return NULL;
        for (char **a = argv; *a; a++) {
                size_t hidden = secret_argument(a > argv ? a[-1] : NULL, *a);

                if (a > argv)
                        putc(' ', f);
                if (hidden != 1)
                        quote(f, *a, hidden ? hidden - 1 : strlen(*a));
                if (hidden)
                        fputs(SECRET_HIDDEN, f);
        }
        if (fclose(f) == EOF) {
                free(line);
                return NULL;
        }
        return line;
}

/* Settles where the run goes; what would fail after the run is refused before it. */
static int prepare_output(struct record_run *r)
{
        char *slash, *cwd = NULL;
        struct stat st;
        int n;

        if (!r->options->output)
                return 0;
        if (r->options->output[0] != '/')
                cwd = getcwd(NULL, 0);
        n = asprintf(&r->file, "%s%s%s", cwd ? cwd : "", cwd ? "/" : "", r->options->output);
        free(cwd);
        if (n < 0)
                return -ENOMEM;
        if (lstat(r->file, &st) == 0) {
                if (!S_ISREG(st.st_mode)) {
                        complain(r, "%s is not a regular file; choose another name",
                                 r->options->output);
                        return -EEXIST;
                }
                if (!r->options->force) {
                        complain(r, "%s exists; choose another name or give --force",
                                 r->options->output);
                        return -EEXIST;
                }
                if (unlink(r->file) < 0) {
                        complain(r, "cannot replace %s: %s", r->options->output, strerror(errno));
                        return -EEXIST;
                }
        }
        slash = strrchr(r->file, '/');
        *slash = '\0';
        n = access(slash == r->file ? "/" : r->file, W_OK | X_OK) < 0 ? -errno : 0;
        *slash = '/';
        if (n < 0)
                complain(r, "cannot write %s: %s; choose another place with -o", r->options->output,
                         strerror(-n));
        return n;
}

/* Says in one line when the shim will not get in. */
static void warn_about(struct record_run *r)
{
        struct exe_check check;

        exe_check(&check, r->exe);
        if (check.verdict != EXE_OK && check.verdict != EXE_UNKNOWN)
                complain(r, "nothing of it will be seen: %s %s; %s", check.path,
                         exe_verdict_text(check.verdict), exe_verdict_remedy(check.verdict));
        exe_check_done(&check);
}

void record_run_id(const struct record_run *r, pid_t pid, char *buf)
{
        snprintf(buf, 64, "%s-%ld", r->stamp, (long)pid);
}

/* Takes over what an answer tells of the run's file. */
static void note_answer(struct record_run *r, const json_t *answer)
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

void record_run_announce(struct record_run *r, pid_t pid)
{
        char id[64], *command, *why = NULL;
        json_t *body, *answer = NULL;
        int e;

        if (!r->has_daemon)
                return;
        command = record_run_quote(r->options->argv);
        record_run_id(r, pid, id);
        body = json_pack("{s:s, s:s*, s:I, s:s*, s:s*}", "id", id, "command", command, "pid",
                         (json_int_t)pid, "file", r->file, "series", r->options->series);
        if (!body) /* a command line that is not UTF-8 */
                body = json_pack("{s:s, s:s, s:I, s:s*, s:s*}", "id", id, "command", "(not UTF-8)",
                                 "pid", (json_int_t)pid, "file", r->file, "series",
                                 r->options->series);
        free(command);
        e = body ? api_send("POST", "/v1/runs", body, &answer, &why) : -EILSEQ;
        json_decref(body);
        r->registered = !e;
        if (!e)
                note_answer(r, answer);
        if (e)
                complain(r, "no run will be kept: %s", why ? why : strerror(e < 0 ? -e : EIO));
        else if (r->warning)
                complain(r, "no run will be kept: %s", r->warning);
        r->kept = !e && !r->warning;
        json_decref(answer);
        free(why);
}

void record_run_end(struct record_run *r, pid_t pid, int status)
{
        bool killed = WIFSIGNALED(status);
        char id[64], path[128], *why = NULL;
        json_t *body, *answer = NULL;
        int e;

        if (!r->registered)
                return;
        record_run_id(r, pid, id);
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
                complain(r, "how the command ended could not be noted: %s",
                         why ? why : strerror(e < 0 ? -e : EIO));
        else
                note_answer(r, answer);
        json_decref(body);
        json_decref(answer);
        free(why);
}

void record_run_say_where(const struct record_run *r, pid_t pid)
{
        char id[64];
        _cleanup_(freep) char *name =
                r->options->output ? record_run_quote((char *[]){(char *)r->options->output, NULL})
                                   : NULL;

        if (!r->registered || !r->kept)
                return;
        record_run_id(r, pid, id);
        if (r->warning)
                cmd_error("record", "the run in %s is not complete: %s", r->file ? r->file : id,
                          r->warning);
        else
                fprintf(stderr, "infprof: the run is kept in %s; read it with: infprof report %s\n",
                        r->file ? r->file : "the state directory", name ? name : id);
}

void record_run_reach(struct record_run *r)
{
        _cleanup_(freep) char *why = NULL;

        r->has_daemon = daemon_ensure(&why) == 0;
        if (!r->has_daemon)
                complain(r, "no run will be kept: %s", why ? why : "out of memory");
}

int record_run_enter(const struct record_run *r)
{
        char id[64];

        record_run_id(r, getpid(), id);
        return record_env_set(&r->env, r->options, id, r->has_daemon);
}

int record_run_init(struct record_run *ret, const struct record_options *options, const char *verb)
{
        time_t now = time(NULL);
        struct tm tm;
        int r;

        *ret = (struct record_run){.verb = verb, .options = options};
        r = exe_find(options->argv[0], &ret->exe);
        if (r < 0) {
                complain(ret, "cannot run %s: %s", options->argv[0],
                         r == -ENOENT ? "no such command" : strerror(-r));
                return r == -ENOENT ? RECORD_NOT_FOUND : RECORD_CANNOT_RUN;
        }
        localtime_r(&now, &tm);
        strftime(ret->stamp, sizeof(ret->stamp), "%Y%m%d-%H%M%S", &tm);
        if (record_env_init(&ret->env, options) != 0 || prepare_output(ret) != 0)
                return RECORD_FAILED;
        warn_about(ret);
        return -1;
}

void record_run_done(struct record_run *r)
{
        free(r->exe);
        record_env_done(&r->env);
        free(r->file);
        free(r->warning);
        free(r->trouble);
}
