/* SPDX-License-Identifier: MIT */
/*
 * What /proc tells of threads, where our programs cannot look: time on a CPU and in the run queue
 * (schedstat), switches (status), page faults (stat). Only of threads that live at a tick, and only
 * up to then; a thread that came and went between two ticks is not there.
 *
 * The engine may number its threads otherwise than we do, in a pid namespace of its own: the line
 * NSpid has all numbers of a thread, the innermost last.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "daemon/kernel-private.h"
#include "daemon/lane.h"
#include "daemon/procfs.h"

#define THREADS_A_TICK 256u

static ssize_t read_file(pid_t pid, pid_t tid, const char *name, char *buf, size_t size)
{
        char path[96];

        snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", (int)pid, (int)tid, name);
        return procfs_read(path, buf, size);
}

/* The last number of the line that begins with `name`. */
static bool last_number(const char *text, const char *name, uint64_t *ret)
{
        const char *at = strstr(text, name), *end;
        bool found = false;

        if (!at)
                return false;
        at += strlen(name);
        end = at + strcspn(at, "\n");
        while (at < end) {
                char *next;
                uint64_t v = strtoull(at, &next, 10);

                if (next == at || next > end)
                        break;
                *ret = v;
                found = true;
                at = next;
        }
        return found;
}

static void read_stat(const char *text, struct kernel_proc_thread *ret)
{
        const char *at = strrchr(text, ')');
        uint64_t minor, major;
        unsigned cpu;

        if (!at)
                return;
        if (sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %" SCNu64 " %*u %" SCNu64, &minor,
                   &major) == 2) {
                ret->minor_faults = minor;
                ret->major_faults = major;
        }
        /* the 39th field; the state is the 3rd */
        for (int field = 2; at && field < 39; field++)
                at = strchr(at + 1, ' ');
        if (at && sscanf(at, " %u", &cpu) == 1)
                ret->cpu = cpu;
}

bool kernel_proc_thread(pid_t pid, pid_t tid, struct kernel_proc_thread *ret)
{
        struct kernel_proc_thread t = {.inner = tid,
                                       .running = RUNFILE_NOT_TOLD,
                                       .runnable = RUNFILE_NOT_TOLD,
                                       .voluntary = RUNFILE_NOT_TOLD,
                                       .involuntary = RUNFILE_NOT_TOLD,
                                       .minor_faults = RUNFILE_NOT_TOLD,
                                       .major_faults = RUNFILE_NOT_TOLD,
                                       .cpu = UINT32_MAX};
        char buf[4096];
        uint64_t inner;

        if (read_file(pid, tid, "status", buf, sizeof(buf)) <= 0)
                return false;
        if (last_number(buf, "\nNSpid:", &inner))
                t.inner = (int64_t)inner;
        (void)last_number(buf, "\nvoluntary_ctxt_switches:", &t.voluntary);
        (void)last_number(buf, "\nnonvoluntary_ctxt_switches:", &t.involuntary);
        if (read_file(pid, tid, "schedstat", buf, sizeof(buf)) > 0)
                (void)sscanf(buf, "%" SCNu64 " %" SCNu64, &t.running, &t.runnable);
        if (read_file(pid, tid, "stat", buf, sizeof(buf)) > 0)
                read_stat(buf, &t);
        *ret = t;
        return true;
}

static struct thread *thread_of(struct process *p, int64_t inner)
{
        for (uint32_t i = 0; i < lane_count(p); i++)
                if (p->lanes[i].thread && p->lanes[i].thread->tid == inner)
                        return p->lanes[i].thread;
        return NULL;
}

static void take_thread(struct process *p, pid_t tid)
{
        struct kernel_proc_thread now;
        struct thread *t;

        if (!kernel_proc_thread(p->pid, tid, &now))
                return;
        t = thread_of(p, now.inner);
        if (!t)
                return;
        memset(&t->kernel.f, 0xff, sizeof(t->kernel.f)); /* RUNFILE_NOT_TOLD */
        t->kernel.f.running = now.running;
        t->kernel.f.runnable = now.runnable;
        t->kernel.f.voluntary = now.voluntary;
        t->kernel.f.involuntary = now.involuntary;
        t->kernel.f.minor_faults = now.minor_faults;
        t->kernel.f.major_faults = now.major_faults;
        t->kernel.cpu = now.cpu;
        t->dirty |= !t->kernel.told || now.running != t->kernel_running;
        t->kernel_running = now.running;
        t->kernel.told = true;
}

void kernel_proc_take(struct process *p)
{
        char path[64];
        _cleanup_(closedirp) DIR *dir = NULL;
        uint32_t asked = 0;
        struct dirent *e;

        if (p->state != PROCESS_LIVE)
                return;
        snprintf(path, sizeof(path), "/proc/%d/task", (int)p->pid);
        dir = opendir(path);
        while (dir && asked < THREADS_A_TICK && (e = readdir(dir)))
                if (e->d_name[0] != '.') {
                        take_thread(p, atoi(e->d_name));
                        asked++;
                }
}
