/* SPDX-License-Identifier: MIT */
/*
 * The process that becomes the command of a trial, and its standard error: a file in memory, of
 * which the end is kept.
 */
#include "cli/trial-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/record-run.h"

#define MAX_WORDS_BYTES (1 << 20) /* before the beginning is forgotten */

static const char *const refusals[] = {"environment", "affinity", "memory policy", "exec"};

const char *trial_refusal(int refused)
{
        return refusals[refused];
}

__attribute__((noreturn)) static void refuse(struct told *told, int error, int refused)
{
        told->error = error;
        told->refused = refused;
        _exit(127);
}

static void open_streams(const struct job *j)
{
        int null = open("/dev/null", O_RDWR);

        dup2(null, STDIN_FILENO);
        dup2(j->options->output ? j->words : null, STDOUT_FILENO);
        dup2(j->words >= 0 ? j->words : null, STDERR_FILENO);
        if (null > STDERR_FILENO)
                close(null);
}

void trial_become(const struct job *j)
{
        const struct trial_options *o = j->options;
        struct rusage ru;
        char byte;

        prctl(PR_SET_PDEATHSIG, SIGTERM); /* nothing goes on without anyone to stop it */
        setsid();
        if (read(j->go[0], &byte, 1) != 1)
                _exit(127);
        open_streams(j);
        for (char **e = o->env; e && *e; e++)
                if (putenv(*e) != 0)
                        refuse(j->told, errno, 0);
        if (j->record && record_run_enter(j->record) < 0)
                refuse(j->told, ENOMEM, 0);
        if (o->cpus && sched_setaffinity(0, o->cpus_size, o->cpus) < 0)
                refuse(j->told, errno, 1);
        if (o->numa_policy > 0 &&
            syscall(SYS_set_mempolicy, o->numa_policy, &o->numa_nodes, 64ul + 1) < 0)
                refuse(j->told, errno, 2);
        sigprocmask(SIG_SETMASK, trial_mask(), NULL);
        getrusage(RUSAGE_SELF, &ru);
        j->told->own_bytes = (uint64_t)ru.ru_maxrss * 1024;
        j->told->own_user_ns = trial_timeval_ns(&ru.ru_utime);
        j->told->own_system_ns = trial_timeval_ns(&ru.ru_stime);
        j->told->began_ns = trial_now_ns();
        execvp(o->argv[0], o->argv);
        refuse(j->told, errno, 3);
}

int trial_open_words(const struct trial_options *o)
{
        int fd;

        if (o->output) {
                fd = open(o->output, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOCTTY,
                          0666);
                return fd < 0 ? -errno : fd;
        }
        fd = memfd_create("stderr of a trial", MFD_CLOEXEC);
        if (fd >= 0)
                fcntl(fd, F_SETFL, O_APPEND);
        return fd; /* -1: it goes nowhere */
}

void trial_forget_old_words(const struct job *j)
{
        off_t end = j->options->output || j->words < 0 ? 0 : lseek(j->words, 0, SEEK_END);

        if (end > MAX_WORDS_BYTES)
                fallocate(j->words, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, end - 65536);
}

/* The last line on standard error that has anything in it. */
void trial_note_words(const struct job *j, struct trial *t)
{
        off_t end = j->words >= 0 ? lseek(j->words, 0, SEEK_END) : 0;
        char text[1024];
        ssize_t n = 0;
        size_t used = 0;
        char *line;

        if (end > 0) {
                off_t from = end > (off_t)sizeof(text) - 1 ? end - (off_t)sizeof(text) + 1 : 0;

                n = pread(j->words, text, sizeof(text) - 1, from);
        }
        while (n > 0 && (unsigned char)text[n - 1] <= ' ')
                n--;
        text[n > 0 ? n : 0] = '\0';
        line = n > 0 ? memrchr(text, '\n', (size_t)n) : NULL;
        line = line ? line + 1 : text;
        for (; *line && used < sizeof(t->last_words) - 1; line++)
                if ((unsigned char)*line >= ' ' && *line != 0x7f)
                        t->last_words[used++] = *line;
        t->last_words[used] = '\0';
}
