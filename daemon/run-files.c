/* SPDX-License-Identifier: MIT */
/*
 * Where runs are kept: their files are made, written, closed when nobody lives
 * in them any more, and found again by a daemon that takes over. A file that
 * cannot be written is said once, and tried again at each writing; the run goes on in memory.
 */
#include "daemon/server.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "daemon/flush.h"
#include "daemon/machine.h"
#include "daemon/mark.h"
#include "daemon/text.h"

/* The file at `path` if it has the process; else NULL. */
static struct runfile *file_with(const char *path, const struct process *p,
                                 struct runfile_process *ret)
{
        struct runfile *rf;

        if (runfile_open(&rf, path, NULL))
                return NULL;
        return runfile_find_process(rf, p->uuid, ret) ? rf : runfile_close(rf);
}

static struct runfile *find_file(struct server *s, const struct process *p, char **ret_path,
                                 struct runfile_process *ret)
{
        const char *named = p->segment.header.run;
        _cleanup_(closedirp) DIR *d = s->state_dir ? opendir(s->state_dir) : NULL;
        struct runfile *rf = NULL;
        struct dirent *e;

        if (d && text_is_id(named)) {
                *ret_path = text_format("%s/%s.infprof", s->state_dir, named);
                rf = *ret_path ? file_with(*ret_path, p, ret) : NULL;
        }
        while (!rf && d && (e = readdir(d))) {
                size_t n = strlen(e->d_name);

                if (n < 8 || strcmp(e->d_name + n - 8, ".infprof"))
                        continue;
                free(*ret_path);
                *ret_path = text_format("%s/%s", s->state_dir, e->d_name);
                rf = *ret_path ? file_with(*ret_path, p, ret) : NULL;
        }
        return rf;
}

static int count_process(const struct runfile_process *row, void *userdata)
{
        struct run *run = userdata;

        if (row->index >= run->n_processes)
                run->n_processes = row->index + 1;
        return 0;
}

static int count_mark(const struct runfile_mark *row, void *userdata)
{
        struct run *run = userdata;

        if (row->mark >= run->n_marks && row->mark < MARK_MAX)
                run->n_marks = row->mark + 1;
        return 0;
}

/* The run as its file has it, in memory again. */
static int run_from_file(struct server *s, struct runfile *rf, const char *path, struct run **ret)
{
        struct runfile_run row;
        struct run *run;
        int r;

        r = runfile_get_run(rf, &row);
        if (r)
                return r;
        run = text_is_id(row.id) ? runs_find(s, row.id) : NULL;
        if (!run) {
                r = runs_add(s, row.id, row.command ? row.command : "?", (pid_t)row.pid,
                             row.started_at_ns, &run);
                if (r)
                        return r;
                run->path = realpath(path, NULL);
                run->n_adoptions = row.n_adoptions + 1;
                run->cpu_ns = row.daemon_cpu_ns;
                if (runfile_each_process(rf, count_process, run))
                        run->n_processes += 1000; /* damaged: stay clear of what may be there */
                (void)runfile_each_mark(rf, count_mark, run);
        }
        *ret = run;
        return 0;
}

struct run *runs_revive(struct server *s, const char *id)
{
        _cleanup_(freep) char *path = NULL;
        struct runfile *rf;
        struct run *run = NULL;

        if (!s->state_dir || !text_is_id(id))
                return NULL;
        path = text_format("%s/%s.infprof", s->state_dir, id);
        if (!path || runfile_open(&rf, path, NULL))
                return NULL;
        if (run_from_file(s, rf, path, &run))
                run = NULL;
        runfile_close(rf);
        return run;
}

/* A process that an earlier daemon read: the run it was in goes on, in the same file. */
int runs_resume(struct server *s, struct process *p, const char **ret_why)
{
        _cleanup_(freep) char *path = NULL;
        struct runfile_process row;
        struct runfile *rf = find_file(s, p, &path, &row);
        bool is_in_file = false;
        struct run *run;
        int r;

        if (rf && !run_from_file(s, rf, path, &run)) {
                is_in_file = true;
                p->run = run;
                p->index = row.index;
                p->in_file.spans = row.spans;
                p->in_file.prompt_tokens = row.prompt_tokens;
                p->in_file.generated_tokens = row.generated_tokens;
                p->in_file.spawns = row.spawns;
        }
        if (!p->run && text_is_id(p->segment.header.run)) {
                /* killed before it had written of this process */
                p->run = runs_revive(s, p->segment.header.run);
                if (p->run)
                        p->index = p->run->n_processes++;
        }
        r = process_resume(p, is_in_file ? rf : NULL, p->index, ret_why);
        runfile_close(rf);
        return r;
}

/* Where runs with a file elsewhere are found: a link beside the others. */
static void link_from_state_dir(struct server *s, const struct run *run)
{
        _cleanup_(freep) char *link = NULL;

        if (!s->state_dir || !strncmp(run->path, s->state_dir, strlen(s->state_dir)))
                return;
        link = text_format("%s/%s.infprof", s->state_dir, run->id);
        if (link)
                (void)symlink(run->path, link);
}

static void trouble(struct run *run, const char *why)
{
        if (!run->trouble || strcmp(run->trouble, why))
                fprintf(stderr, "infprofd: run %s: %s\n", run->id, why);
        free(run->trouble);
        run->trouble = strdup(why);
}

static bool run_open(struct server *s, struct run *run)
{
        _cleanup_(freep) char *why = NULL;
        struct runfile_run row;
        int r;

        if (run->file)
                return true;
        if (!run->path) {
                if (!s->state_dir) {
                        trouble(run, s->state_why ? s->state_why : "no directory for run files");
                        return false;
                }
                run->path = text_format("%s/%s.infprof", s->state_dir, run->id);
                if (!run->path)
                        return false;
        }
        run_describe(run, &row);
        r = runfile_create(&run->file, run->path, &row, &why);
        if (r) {
                run->file = NULL;
                trouble(run, why ? why : strerror(r < 0 ? -r : EIO));
                return false;
        }
        link_from_state_dir(s, run);
        return true;
}

/* Names are looked up and the file is written for this run alone. No tick comes after the last. */
static void charge_writing(struct server *s, struct run *run)
{
        struct runfile_run row;

        run->cpu_ns += runs_cpu_ns(s);
        if (run_is_live(run) || runfile_begin(run->file))
                return;
        run_describe(run, &row);
        if (runfile_put_run(run->file, &row))
                runfile_abort(run->file);
        else
                (void)runfile_commit(run->file, NULL);
}

void runs_flush(struct server *s, struct run *run)
{
        _cleanup_(freep) char *why = NULL;
        bool dirty = run->dirty;
        int r;

        for (struct process *p = s->processes; p; p = p->next)
                if (p->run == run) {
                        p->trivial = runs_is_trivial(p);
                        dirty |= p->dirty;
                }
        if (!dirty || !runs_is_worth_a_file(s, run) || !run_open(s, run))
                return;
        runs_charge(s);
        r = flush_run(run, s->processes, &why);
        if (r) {
                trouble(run, why ? why : strerror(r < 0 ? -r : EIO));
                return;
        }
        run->machine_told = run->machine_told || machine_tell(run->file, !run_is_live(run));
        charge_writing(s, run);
        if (run->trouble)
                fprintf(stderr, "infprofd: run %s: is written again\n", run->id);
        free(run->trouble);
        run->trouble = NULL;
        /* Nobody lives in it any more: leave one plain file behind. */
        if (!run_is_live(run))
                run->file = runfile_close(run->file);
}
