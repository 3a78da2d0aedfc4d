/* SPDX-License-Identifier: MIT */
/*
 * Runs in short: what the list of runs shows of each. Reads the run and its
 * processes only, so that a long list stays quick.
 */
#include "common/report.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/report-private.h"
#include "common/runfile-private.h"

#define SUFFIX ".infprof"

DEFINE_CLEANUP(struct runfile *, runfile_close, runfile_closep);

struct tally {
        uint64_t n_processes, decoded, n_first, token_ns;
};

static int tally_process(const struct runfile_process *p, void *userdata)
{
        struct tally *t = userdata;

        t->n_processes++;
        t->decoded = sum_u64(t->decoded, p->generated_tokens);
        return 0;
}

json_t *report_run_head(const struct runfile_run *run)
{
        json_t *o = json_object();

        report_set(o, "id", report_text(run->id));
        report_set(o, "command", report_text(run->command));
        report_set(o, "pid", json_integer(run->pid));
        report_set(o, "started_at", report_instant(run->started_at_ns));
        report_set(o, "duration_ns", report_integer(run->duration_ns));
        report_set(o, "end", json_string(report_end_name((int)run->end)));
        report_set(o, "exit", report_exit((int)run->end, run->end_value));
        return o;
}

int report_summary(const char *path, json_t **ret, char **ret_why)
{
        _cleanup_(runfile_closep) struct runfile *rf = NULL;
        struct tally tally = {0};
        struct runfile_run run;
        json_t *o;
        int r = runfile_open(&rf, path, ret_why);

        if (r)
                return r;
        r = runfile_get_run(rf, &run);
        if (!r)
                r = runfile_each_process(rf, tally_process, &tally);
        if (!r)
                r = runfile_token_ns(rf, &tally.token_ns, &tally.n_first);
        if (r)
                return runfile_explain(ret_why, r, "%s", runfile_why(rf));
        o = report_run_head(&run);
        report_set(o, "live", json_boolean(run.end == RUNFILE_END_LIVE));
        report_set(o, "file", report_text(path));
        report_set(o, "processes", report_integer(tally.n_processes));
        report_set(o, "generated",
                   report_integer_or_null(tally.token_ns, sum_u64(tally.decoded, tally.n_first)));
        report_set(o, "tokens_per_second",
                   report_fraction(tally.token_ns
                                           ? (double)tally.decoded * 1e9 / (double)tally.token_ns
                                           : NAN));
        *ret = o;
        return 0;
}

bool report_is_stale_link(const char *path, const json_t *summary)
{
        const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
        const char *id = json_string_value(json_object_get(summary, "id"));
        size_t n = id ? strlen(id) : 0;
        struct stat st;

        return id && !lstat(path, &st) && S_ISLNK(st.st_mode) &&
               (strncmp(name, id, n) || strcmp(name + n, SUFFIX));
}

/* Newest first; of one instant, by id. */
static int compare_runs(const void *a, const void *b)
{
        const json_t *p = *(json_t *const *)a, *q = *(json_t *const *)b;
        int c = strcmp(json_string_value(json_object_get(q, "started_at")),
                       json_string_value(json_object_get(p, "started_at")));

        return c ? c
                 : strcmp(json_string_value(json_object_get(q, "id")),
                          json_string_value(json_object_get(p, "id")));
}

static int compare_files(const void *a, const void *b)
{
        return strcmp(json_string_value(json_object_get(*(json_t *const *)a, "file")),
                      json_string_value(json_object_get(*(json_t *const *)b, "file")));
}

static bool is_run_file(const struct dirent *d)
{
        size_t n = strlen(d->d_name);

        return n > strlen(SUFFIX) && d->d_name[0] != '.' &&
               !strcmp(d->d_name + n - strlen(SUFFIX), SUFFIX);
}

/* Run files are put into one of two lists: those that can be read, and others with the reason. */
struct listing {
        json_t **runs, **unreadable;
        size_t n_runs, n_unreadable, room;
};

static int list_file(struct listing *l, const char *path)
{
        _cleanup_(freep) char *why = NULL;
        json_t *o;
        int r;

        if (l->n_runs == l->room || l->n_unreadable == l->room) {
                size_t room = l->room ? l->room * 2 : 64;
                json_t **runs = reallocarray(l->runs, room, sizeof(*runs)), **other;

                if (!runs)
                        return -ENOMEM;
                l->runs = runs;
                other = reallocarray(l->unreadable, room, sizeof(*other));
                if (!other)
                        return -ENOMEM;
                l->unreadable = other;
                l->room = room;
        }
        r = report_summary(path, &o, &why);
        if (r == -ENOMEM)
                return r;
        if (r == RUNFILE_E_ABSENT)
                return 0; /* removed in this instant */
        if (!r && report_is_stale_link(path, o)) {
                json_decref(o);
                return 0;
        }
        if (!r) {
                l->runs[l->n_runs++] = o;
                return 0;
        }
        o = json_object();
        report_set(o, "file", report_text(path));
        report_set(o, "reason", report_text(why ? why : strerror(r < 0 ? -r : EIO)));
        l->unreadable[l->n_unreadable++] = o;
        return 0;
}

int report_list(const char *dir, json_t **ret, char **ret_why)
{
        _cleanup_(closedirp) DIR *d = opendir(dir);
        struct listing l = {0};
        struct dirent *entry;
        int r = 0;

        if (!d && errno != ENOENT) {
                r = -errno;
                return runfile_explain(ret_why, r, "cannot read %s: %s", dir, strerror(-r));
        }
        while (d && !r && (entry = readdir(d))) {
                _cleanup_(freep) char *path = NULL;

                if (!is_run_file(entry))
                        continue;
                r = asprintf(&path, "%s/%s", dir, entry->d_name) < 0 ? -ENOMEM : 0;
                if (!r)
                        r = list_file(&l, path);
        }
        if (!r) {
                *ret = json_object();
                report_set(*ret, "schema", json_string(RUNS_SCHEMA));
                report_set(*ret, "runs", report_sorted(l.runs, l.n_runs, compare_runs));
                report_set(*ret, "unreadable",
                           report_sorted(l.unreadable, l.n_unreadable, compare_files));
        } else {
                for (size_t i = 0; i < l.n_runs; i++)
                        json_decref(l.runs[i]);
                for (size_t i = 0; i < l.n_unreadable; i++)
                        json_decref(l.unreadable[i]);
                runfile_explain(ret_why, r, "%s: %s", dir, strerror(-r));
        }
        free(l.runs);
        free(l.unreadable);
        return r;
}
