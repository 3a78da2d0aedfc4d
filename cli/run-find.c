/* SPDX-License-Identifier: MIT */
#include "cli/run-find.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/api-client.h"
#include "cli/bundle.h"
#include "cli/cmd.h"
#include "cli/daemon-start.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/paths.h"
#include "common/report.h"
#include "common/runfile.h"

/* Says why a run file cannot be read; the exit code. */
static int failed(const char *verb, int r, const char *why)
{
        cmd_error(verb, "%s", why ? why : r < 0 ? strerror(-r) : "the run cannot be read");
        return r > 0 ? CMD_NOTHING : CMD_NO;
}

static int ask(const struct run_document *what, const char *id, json_t **ret, char **ret_why)
{
        _cleanup_(freep) char *escaped = api_escape(id), *path = NULL;

        if (!escaped || asprintf(&path, "/v1/runs/%s/%s", escaped, what->path) < 0)
                return -ENOMEM;
        return api_get(path, ret, ret_why);
}

/* Does the process that the file thinks of as running do so? */
static bool may_live(const json_t *summary)
{
        double pid = text_number(summary, "pid");

        return pid > 0 && (!kill((pid_t)pid, 0) || errno == EPERM);
}

/*
 * A file that says that its run goes on: the daemon has what is not written
 * yet. Where none runs, but the engine does, one is started, and adopts it.
 */
static bool ask_about_live(const struct run_document *what, const json_t *summary, json_t **ret)
{
        const char *id = text_string(summary, "id", "");
        _cleanup_(freep) char *why = NULL;
        int r = ask(what, id, ret, &why);

        if (r != API_E_ABSENT || !may_live(summary))
                return !r;
        free(why);
        why = NULL;
        if (daemon_ensure(&why))
                return false;
        return !ask(what, id, ret, NULL);
}

/* Nobody told the file: the daemon was killed, and then the engine ended. */
static void end_unseen(json_t *report)
{
        json_t *run = json_object_get(report, "run"), *process;
        size_t i;

        json_object_set_new(run, "end", json_string("unknown"));
        json_array_foreach(json_object_get(run, "processes"), i, process)
        {
                if (!strcmp(text_string(process, "end", ""), "live"))
                        json_object_set_new(process, "end", json_string("unknown"));
        }
        json_array_append_new(json_object_get(report, "notes"),
                              json_string("the collector died before the engine did: what came "
                                          "after, and how it ended, is not known"));
}

/* Whatever it says of itself, its run does not live here. */
static int document_of_bundle(const char *verb, const char *file, const struct run_document *what,
                              json_t **ret)
{
        _cleanup_(freep) char *why = NULL;
        struct bundle b;
        int r = bundle_open(&b, file, &why);

        if (r)
                return failed(verb, r, why);
        r = what->build(b.path, what->userdata, ret, &why);
        why = bundle_why(&b, why);
        bundle_close(&b);
        return r ? failed(verb, r, why) : CMD_DONE;
}

static int document_of_file(const char *verb, const char *file, const struct run_document *what,
                            json_t **ret)
{
        _cleanup_(json_decrefp) json_t *summary = NULL;
        _cleanup_(freep) char *why = NULL;
        int r;

        if (bundle_is(file))
                return document_of_bundle(verb, file, what, ret);
        r = report_summary(file, &summary, &why);
        if (r)
                return failed(verb, r, why);
        if (json_is_true(json_object_get(summary, "live")) && ask_about_live(what, summary, ret))
                return CMD_DONE;
        r = what->build(file, what->userdata, ret, &why);
        if (r)
                return failed(verb, r, why);
        if (json_is_true(json_object_get(summary, "live")) && !may_live(summary))
                end_unseen(*ret);
        return CMD_DONE;
}

/* The file of a run in the state directory, to be freed; NULL: there is none. */
static char *file_of_id(const char *id)
{
        _cleanup_(json_decrefp) json_t *summary = NULL;
        _cleanup_(freep) char *dir = NULL;
        char *file = NULL;

        if (ifp_state_dir(false, &dir, NULL) < 0 || asprintf(&file, "%s/%s.infprof", dir, id) < 0)
                return NULL;
        if (access(file, F_OK) < 0 ||
            (!report_summary(file, &summary, NULL) && report_is_stale_link(file, summary))) {
                free(file);
                return NULL;
        }
        return file;
}

static bool is_number(const char *s)
{
        size_t n = strspn(s, "0123456789");

        return n && !s[n];
}

static int unknown_run(const char *verb, const char *run)
{
        if (is_number(run))
                cmd_error(verb,
                          "no engine with pid %s is being profiled; infprof status lists those "
                          "that are",
                          run);
        else
                cmd_error(verb, "no run named %s; infprof runs lists them", run);
        return CMD_NOTHING;
}

static int document_of_daemon(const char *verb, const char *run, const struct run_document *what,
                              json_t **ret)
{
        _cleanup_(freep) char *id = NULL, *why = NULL;
        int r;

        if (asprintf(&id, "%s%s", is_number(run) ? "pid:" : "", run) < 0)
                return CMD_NO;
        r = ask(what, id, ret, &why);
        if (r == API_E_ABSENT || r == API_E_NOT_FOUND || r == -ENOENT)
                return unknown_run(verb, run);
        if (!r)
                return CMD_DONE;
        if (r != API_E_REFUSED || !what->refused_code)
                return api_failed(verb, r, steal_ptr(why));
        api_failed(verb, r, steal_ptr(why));
        return what->refused_code;
}

bool run_find_unkept(const char *verb)
{
        _cleanup_(json_decrefp) json_t *status = NULL;
        _cleanup_(freep) char *why = NULL;
        const json_t *first;

        if (api_get("/v1/status", &status, &why))
                return false;
        first = json_array_get(json_object_get(status, "not_written"), 0);
        if (first)
                cmd_error(verb, "run %s could not be kept: %s", text_string(first, "run", "?"),
                          text_string(first, "reason", "?"));
        return first != NULL;
}

static int document_of_latest(const char *verb, const struct run_document *what, json_t **ret)
{
        _cleanup_(json_decrefp) json_t *list = NULL;
        const json_t *newest;
        const char *file;
        int r = run_find_all(verb, &list);

        if (r)
                return r;
        newest = json_array_get(json_object_get(list, "runs"), 0);
        if (!newest) {
                if (!run_find_unkept(verb))
                        cmd_error(verb, "there is no run yet; infprof record CMD… makes one");
                return CMD_NOTHING;
        }
        file = text_string(newest, "file", NULL);
        return file ? document_of_file(verb, file, what, ret)
                    : document_of_daemon(verb, text_string(newest, "id", ""), what, ret);
}

int run_find_document(const char *verb, const char *run, const struct run_document *what,
                      json_t **ret)
{
        _cleanup_(freep) char *file = NULL;

        if (!run || !strcmp(run, "latest"))
                return document_of_latest(verb, what, ret);
        if (!strchr(run, '/')) {
                file = file_of_id(run);
                if (file)
                        return document_of_file(verb, file, what, ret);
                if (access(run, F_OK) < 0)
                        return document_of_daemon(verb, run, what, ret);
        }
        return document_of_file(verb, run, what, ret);
}

/* The run of all that is meant by a pid, or (NULL) the newest. */
static const json_t *among(const json_t *list, const char *pid)
{
        const json_t *run;
        size_t i;

        json_array_foreach(json_object_get(list, "runs"), i, run)
        {
                if (!pid || (json_is_true(json_object_get(run, "live")) &&
                             text_number(run, "pid") == strtod(pid, NULL)))
                        return run;
        }
        return NULL;
}

/* Of a pid, or (NULL) the newest of all. */
static int file_in_list(const char *verb, const char *pid, char **ret)
{
        _cleanup_(json_decrefp) json_t *list = NULL;
        const char *file;
        int r = run_find_all(verb, &list);

        if (r)
                return r;
        file = text_string(among(list, pid), "file", NULL);
        if (!file && pid)
                return unknown_run(verb, pid);
        if (!file) {
                cmd_error(verb, "there is no run yet; infprof record CMD… makes one");
                return CMD_NOTHING;
        }
        *ret = strdup(file);
        return *ret ? CMD_DONE : CMD_NO;
}

int run_find_file(const char *verb, const char *run, char **ret)
{
        if (!run || !strcmp(run, "latest"))
                return file_in_list(verb, NULL, ret);
        *ret = strchr(run, '/') ? NULL : file_of_id(run);
        if (*ret)
                return CMD_DONE;
        if (!strchr(run, '/') && access(run, F_OK) < 0)
                return is_number(run) ? file_in_list(verb, run, ret) : unknown_run(verb, run);
        *ret = strdup(run);
        return *ret ? CMD_DONE : CMD_NO;
}

static int build_report(const char *file, const void *userdata, json_t **ret, char **ret_why)
{
        return report_build_file(file, ret, ret_why);
}

int run_find_report(const char *verb, const char *run, json_t **ret)
{
        static const struct run_document what = {.path = "report", .build = build_report};

        return run_find_document(verb, run, &what, ret);
}

static const json_t *find_id(const json_t *runs, const char *id)
{
        const json_t *run;
        size_t i;

        json_array_foreach(runs, i, run)
        {
                if (!strcmp(text_string(run, "id", ""), id))
                        return run;
        }
        return NULL;
}

/* Puts what only the daemon knows (runs kept elsewhere, runs that live) before and into the list.
 */
static void merge(json_t *runs, const json_t *theirs)
{
        const json_t *run;
        size_t i, n_new = 0;

        json_array_foreach(theirs, i, run)
        {
                json_t *ours = (json_t *)find_id(runs, text_string(run, "id", ""));

                if (!ours) {
                        json_array_insert(runs, n_new++, (json_t *)run);
                        continue;
                }
                json_object_update_existing(ours, (json_t *)run);
        }
}

/* Nobody told the file when a run ended whose daemon was killed. */
static void doubt_living(json_t *runs)
{
        json_t *run;
        size_t i;

        json_array_foreach(runs, i, run)
        {
                if (json_is_true(json_object_get(run, "live")) && !may_live(run))
                        json_object_set_new(run, "live", json_false());
        }
}

static int compare_started(const void *a, const void *b)
{
        return strcmp(text_string(*(json_t *const *)b, "started_at", ""),
                      text_string(*(json_t *const *)a, "started_at", ""));
}

static void sort_newest_first(json_t *runs)
{
        size_t n = json_array_size(runs);
        json_t **items = calloc(n + 1, sizeof(*items));

        if (!items)
                return;
        for (size_t i = 0; i < n; i++)
                items[i] = json_incref(json_array_get(runs, i));
        qsort(items, n, sizeof(*items), compare_started);
        for (size_t i = 0; i < n; i++)
                json_array_set_new(runs, i, items[i]);
        free(items);
}

int run_find_all(const char *verb, json_t **ret)
{
        _cleanup_(freep) char *dir = NULL, *why = NULL;
        _cleanup_(json_decrefp) json_t *list = NULL, *theirs = NULL;
        int r = ifp_state_dir(false, &dir, &why);

        if (!r)
                r = report_list(dir, &list, &why);
        if (r)
                return failed(verb, r, why);
        if (!api_get("/v1/runs", &theirs, NULL)) {
                merge(json_object_get(list, "runs"), json_object_get(theirs, "runs"));
                sort_newest_first(json_object_get(list, "runs"));
        } else {
                doubt_living(json_object_get(list, "runs"));
        }
        *ret = steal_ptr(list);
        return CMD_DONE;
}
