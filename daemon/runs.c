/* SPDX-License-Identifier: MIT */
/*
 * Which run a process belongs to, and what is kept in memory of those that are
 * over. A run is the tree of processes under one command:
 *
 *   1. the run it names itself ($INFPROF_RUN, set by `record`)
 *   2. that of the image which the same process was before
 *   3. that of the image it was forked from
 *   4. that of its nearest ancestor which has one
 *   5. a new one
 *
 * The file of a run that nobody registered is made when one of its processes
 * has done something worth a row: a shell with the shim preloaded would
 * otherwise leave a file for each `ls`.
 */
#include "daemon/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "daemon/clock.h"
#include "daemon/procfs.h"
#include "daemon/symboliser.h"
#include "daemon/text.h"

#define SHORT_NS        1000000000ull /* a process that lived so long is worth a row in any case */
#define KEEP_ENDED_RUNS 16u           /* in memory, for `top` */
#define KEEP_ENDED      32u           /* processes of one run */
#define MAX_ANCESTORS   64

struct run *runs_find(struct server *s, const char *id)
{
        for (struct run *run = s->runs; run; run = run->next)
                if (!strcmp(run->id, id))
                        return run;
        return NULL;
}

int runs_add(struct server *s, const char *id, const char *command, pid_t pid,
             uint64_t started_at_ns, struct run **ret)
{
        struct run *run = run_new(id, command, pid, started_at_ns);

        if (!run)
                return -ENOMEM;
        run->next = s->runs;
        s->runs = run;
        *ret = run;
        return 0;
}

static struct run *run_of_pid(struct server *s, pid_t pid)
{
        for (struct process *p = s->processes; p; p = p->next)
                if (p->pid == pid && p->state == PROCESS_LIVE)
                        return p->run;
        for (struct run *run = s->runs; run; run = run->next)
                if (run->registered && run->pid == pid && run_is_live(run))
                        return run;
        return NULL;
}

static struct run *run_of_image(struct server *s, const char *uuid)
{
        for (struct process *p = s->processes; p; p = p->next)
                if (!strcmp(p->uuid, uuid))
                        return p->run;
        return NULL;
}

static struct run *run_of_ancestor(struct server *s, pid_t pid)
{
        for (int i = 0; i < MAX_ANCESTORS && pid > 1; i++) {
                struct run *run = run_of_pid(s, pid);

                if (run && run_is_live(run))
                        return run;
                pid = procfs_parent(pid);
        }
        return NULL;
}

/* A free id for a run that begins with `p`. */
static void make_id(struct server *s, const struct process *p, char *ret)
{
        size_t n;

        run_make_id(ret, p->segment.header.start_real_ns, p->pid);
        n = strlen(ret);
        for (int i = 2; runs_find(s, ret) && i < 100; i++)
                snprintf(ret + n, 64 - n, "-%d", i);
}

uint64_t runs_cpu_ns(struct server *s)
{
        uint64_t cpu = clock_cpu_ns() + symboliser_cpu_ns();
        uint64_t used = cpu > s->cpu_ns ? cpu - s->cpu_ns : 0; /* two clocks of a symboliser */

        s->cpu_ns = cpu;
        return used;
}

/* What the daemon has used since the last time is divided among the runs that live now. */
void runs_charge(struct server *s)
{
        uint64_t used = runs_cpu_ns(s), n = 0;

        for (struct run *run = s->runs; run; run = run->next)
                n += run->n_live != 0;
        for (struct run *run = s->runs; run; run = run->next)
                if (run->n_live)
                        run->cpu_ns += used / n;
}

static void join(struct server *s, struct run *run, struct process *p)
{
        runs_charge(s); /* what was used before it */
        p->run = run;
        run->n_live++;
        run->end = run->told_end ? run->end : RUNFILE_END_LIVE;
        run->dirty = true;
}

int runs_assign(struct server *s, struct process *p, const char **ret_why)
{
        const char *named = p->segment.header.run;
        struct run *run = NULL;
        char id[64];
        int r;

        if (p->adopted) {
                r = runs_resume(s, p, ret_why);
                if (r)
                        return r;
                if (p->run) {
                        join(s, p->run, p);
                        return 0;
                }
        }
        if (text_is_id(named)) {
                run = runs_find(s, named);
                if (!run) {
                        r = runs_add(s, named, p->command, p->pid, p->segment.header.start_real_ns,
                                     &run);
                        if (r)
                                return r;
                }
        }
        if (!run)
                run = run_of_pid(s, p->pid);
        if (!run)
                run = run_of_image(s, p->parent_uuid);
        if (!run)
                run = run_of_ancestor(s, p->ppid);
        if (!run) {
                make_id(s, p, id);
                r = runs_add(s, id, p->command, p->pid, p->segment.header.start_real_ns, &run);
                if (r)
                        return r;
        }
        p->index = run->n_processes++;
        join(s, run, p);
        return 0;
}

void runs_tell_end(struct run *run, enum runfile_end end, int value)
{
        run->told_end = true;
        run->end = end;
        run->end_value = value;
        run->ended_mono_ns = clock_mono_ns();
        run->dirty = true;
}

bool runs_is_trivial(const struct process *p)
{
        return p->state != PROCESS_CUT && !p->now.spans && !p->now.untimed && !p->now.spawns &&
               !p->marks && process_duration_ns(p) < SHORT_NS;
}

bool runs_is_worth_a_file(struct server *s, const struct run *run)
{
        if (run->registered || run->file || run->n_adoptions)
                return true;
        for (struct process *p = s->processes; p; p = p->next)
                if (p->run == run && !runs_is_trivial(p))
                        return true;
        return false;
}

static void drop_process(struct server *s, struct process *p)
{
        struct process **at = &s->processes;

        while (*at && *at != p)
                at = &(*at)->next;
        if (*at)
                *at = p->next;
        process_free(p);
}

static void drop_run(struct server *s, struct run *run)
{
        struct run **at = &s->runs;

        for (struct process *p = s->processes, *next; p; p = next) {
                next = p->next;
                if (p->run == run)
                        drop_process(s, p);
        }
        while (*at && *at != run)
                at = &(*at)->next;
        if (*at)
                *at = run->next;
        run_free(run);
}

/* Runs that are over and whose file another is about to be written to. */
static void forget_replaced(struct server *s, const char *path)
{
        for (struct run *run = s->runs, *next; run; run = next) {
                next = run->next;
                if (run->path && !strcmp(run->path, path) && !run_is_live(run))
                        drop_run(s, run);
        }
}

int runs_register(struct server *s, const char *id, const char *command, pid_t pid,
                  const char *path, struct run **ret)
{
        struct run *run;
        int r;

        if (runs_find(s, id))
                return -EEXIST;
        r = runs_add(s, id, command, pid, clock_real_ns(), &run);
        if (r)
                return r;
        run->registered = true;
        if (path) {
                forget_replaced(s, path);
                run->path = strdup(path);
                if (!run->path)
                        return -ENOMEM;
        }
        *ret = run;
        return 0;
}

/* Of a run's ended processes, the written ones beyond so many (the list has the newest first), and
 * all that are trivial. */
static void trim_processes(struct server *s, struct run *run)
{
        uint32_t n = 0;

        for (struct process *p = s->processes, *next; p; p = next) {
                next = p->next;
                if (p->run != run || p->state == PROCESS_LIVE || p->dirty)
                        continue;
                if (p->trivial && run->n_processes > 1) {
                        run->n_trivial++;
                        drop_process(s, p);
                } else if (++n > KEEP_ENDED) {
                        drop_process(s, p);
                }
        }
}

static void trim_runs(struct server *s)
{
        uint32_t n = 0;

        for (struct run *run = s->runs, *next; run; run = next) {
                next = run->next;
                if (run_is_live(run))
                        continue;
                if (!runs_is_worth_a_file(s, run)) {
                        s->n_trivial++;
                        drop_run(s, run);
                } else if (++n > (run->dirty ? 4 * KEEP_ENDED_RUNS : KEEP_ENDED_RUNS)) {
                        drop_run(s, run);
                }
        }
}

void runs_process_ended(struct server *s, struct process *p)
{
        struct run *run = p->run;

        runs_charge(s); /* while it is one of those that live */
        run->n_live--;
        run->dirty = true;
        if (p->end != RUNFILE_END_EXEC)
                run->ended_mono_ns = clock_mono_ns();
        if (p->pid == run->pid && p->end != RUNFILE_END_EXEC && !run->told_end) {
                run->end = p->end;
                run->end_value = p->end_value;
        }
        runs_flush(s, run);
        s->trim_due = true;
}

void runs_trim(struct server *s)
{
        s->trim_due = false;
        for (struct run *run = s->runs; run; run = run->next)
                trim_processes(s, run);
        trim_runs(s);
}

/* `record` is gone and has not told the end of its command. */
static void miss_the_teller(struct run *run)
{
        if (!run->registered || run->told_end || run->n_live)
                return;
        if (kill(run->pid, 0) < 0 && errno == ESRCH)
                runs_tell_end(run, run->end == RUNFILE_END_LIVE ? RUNFILE_END_UNKNOWN : run->end,
                              run->end_value);
}

void runs_tick(struct server *s)
{
        for (struct run *run = s->runs; run; run = run->next) {
                miss_the_teller(run);
                runs_flush(s, run);
        }
        s->trim_due = true;
}

void runs_close(struct server *s)
{
        /* Who reads the file later cannot know; a daemon that goes on with it will write it anew.
         */
        for (struct process *p = s->processes; p; p = p->next) {
                if (p->state != PROCESS_LIVE)
                        continue;
                p->end = RUNFILE_END_UNKNOWN;
                p->dirty = true;
                if (!p->reason)
                        p->reason = strdup("the collector was stopped while it ran");
        }
        for (struct run *run = s->runs; run; run = run->next)
                if (run->end == RUNFILE_END_LIVE)
                        run->end = RUNFILE_END_UNKNOWN;
        for (struct run *run = s->runs; run; run = run->next) {
                run->dirty = true;
                runs_flush(s, run);
                run->file = runfile_close(run->file);
        }
}
