/* SPDX-License-Identifier: MIT */
/*
 * The machine is looked at by a child: hwloc loads what plugins it finds, and those load drivers.
 * The child writes what it saw into a pipe and is gone; nobody waits for it while engines run. What
 * was measured (`infprof machine`) is read from where it is kept as a run's file is first written,
 * so that the run can be judged by it wherever its file goes.
 */
#include "daemon/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/machine-look.h"
#include "common/machine.h"
#include "common/runfile.h"

#define MOST_BYTES 65536
#define CHILD_S    10
#define WAIT_MS    1000

static struct {
        pid_t pid; /* 0: none */
        int fd;
        char text[MOST_BYTES];
        size_t n;
        json_t *seen; /* NULL: not yet, or nothing */
} it = {.fd = -1};

_Noreturn static void look(int fd)
{
        struct machine_places places;
        cpu_set_t all;
        json_t *o = json_object();

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(CHILD_S);
        if (dup2(fd, STDOUT_FILENO) < 0)
                _exit(1);
        close_range(STDERR_FILENO + 1, ~0u, 0);
        memset(&all, 0xff, sizeof(all)); /* whoever started us may have been bound */
        (void)sched_setaffinity(0, sizeof(all), &all);
        json_object_set_new(o, "schema", json_string(MACHINE_SCHEMA));
        _exit(machine_look(o, &places) || json_dumpfd(o, STDOUT_FILENO, JSON_COMPACT));
}

void machine_open(void)
{
        int pair[2];

        if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0)
                return;
        it.pid = fork();
        if (!it.pid) {
                (void)fcntl(pair[1], F_SETFL, 0);
                look(pair[1]);
        }
        close(pair[1]);
        it.fd = pair[0];
        if (it.pid < 0)
                machine_close();
}

static void end_child(void)
{
        if (it.fd >= 0)
                close(it.fd);
        it.fd = -1;
        if (it.pid > 0) {
                kill(it.pid, SIGKILL); /* it has said all that it will */
                while (waitpid(it.pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        }
        it.pid = 0;
}

void machine_close(void)
{
        end_child();
        json_decref(it.seen);
        it.seen = NULL;
}

/* What the child has said by now. */
static void hear(int wait_ms)
{
        struct pollfd p = {.fd = it.fd, .events = POLLIN};
        ssize_t n = -1;

        while (it.fd >= 0 && poll(&p, 1, wait_ms) > 0) {
                n = read(it.fd, it.text + it.n, sizeof(it.text) - it.n);
                if (n <= 0)
                        break;
                it.n += (size_t)n;
        }
        if (n)
                return;
        end_child();
        it.seen = json_loadb(it.text, it.n, 0, NULL);
        if (it.seen && machine_fault(it.seen, NULL, false)) {
                json_decref(it.seen);
                it.seen = NULL;
        }
}

/* With its ceilings, where they are kept; else as it was seen. */
static char *document(const char *fingerprint)
{
        _cleanup_(freep) char *path = NULL, *why = NULL;
        json_t *kept = NULL;
        char *text;

        if (machine_path(false, fingerprint, &path, &why) ||
            machine_load(path, fingerprint, &kept, &why))
                kept = NULL;
        if (kept) /* one that an older infprof measured has none */
                json_object_set(kept, "layout", json_object_get(it.seen, "layout"));
        text = json_dumps(kept ? kept : it.seen, JSON_COMPACT);
        json_decref(kept);
        return text;
}

bool machine_tell(struct runfile *rf, bool last)
{
        _cleanup_(freep) char *text = NULL;
        struct runfile_machine row;

        hear(last ? WAIT_MS : 0);
        if (!it.seen)
                return it.fd < 0;
        row.fingerprint = json_string_value(json_object_get(it.seen, "fingerprint"));
        text = document(row.fingerprint);
        row.document = text;
        if (!text || runfile_begin(rf))
                return false;
        (void)runfile_put_machine(rf, &row);
        return !runfile_commit(rf, NULL);
}
