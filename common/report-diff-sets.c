/* SPDX-License-Identifier: MIT */
/*
 * The sides of a difference: runs, from their files or from what `infprof ab` wrote down of them.
 * The latter is read as somebody else's word: what is not of the form that it should have is said,
 * and not used.
 */
#include "common/report-diff-sets.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/report-diff-private.h"
#include "common/report-diff-run.h"
#include "common/report-private.h"
#include "common/runfile-private.h"

int diff_set_init(struct diff_set *set)
{
        *set = (struct diff_set){.left_out = json_array(), .trials = json_array()};
        return set->left_out && set->trials ? 0 : -ENOMEM;
}

void diff_set_done(struct diff_set *set)
{
        for (size_t i = 0; i < set->n; i++)
                diff_run_free(set->at[i]);
        free(set->at);
        json_decref(set->left_out);
        json_decref(set->trials);
        *set = (struct diff_set){0};
}

#define NO_FILE "a run without a file"

void diff_set_leave_out(struct diff_set *set, const char *file, const char *why)
{
        json_t *o = json_object();

        report_set(o, "file", report_text(file));
        report_set(o, "why", report_text(why));
        json_array_append_new(set->left_out, o);
}

static int take(struct diff_set *set, struct diff_run *run)
{
        struct diff_run **slot = GROW(&set->at, &set->n, &set->room);

        if (!slot)
                return diff_run_free(run), -ENOMEM;
        *slot = run;
        return 0;
}

static bool is_left_out(const struct diff_set *set, const char *file)
{
        const json_t *o;
        size_t i;

        json_array_foreach(set->left_out, i, o)
        {
                const char *have = json_string_value(json_object_get(o, "file"));

                if (have && !strcmp(have, file))
                        return true;
        }
        return false;
}

static bool is_there(const struct diff_set *set, const struct diff_run *run)
{
        for (size_t i = 0; i < set->n; i++)
                if (diff_run_is(set->at[i], run))
                        return true;
        return false;
}

int diff_set_add(struct diff_set *set, const char *path, bool many, char **ret_why)
{
        _cleanup_(freep) char *why = NULL;
        struct diff_run *run;
        int r = diff_run_load(&run, path, &why);

        if (!r && is_there(set, run)) {
                set->n_again++;
                diff_run_free(run);
                return 0;
        }
        if (!r)
                return take(set, run);
        if (many && r > 0) {
                if (!is_left_out(set, path))
                        diff_set_leave_out(set, path, why ? why : "it cannot be read");
                return 0;
        }
        if (ret_why)
                *ret_why = steal_ptr(why);
        return r;
}

int diff_set_name(struct diff_set *set, const char *name)
{
        char *copy = strdup(name);

        if (!copy || !set->n)
                return free(copy), -ENOMEM;
        free(set->at[set->n - 1]->file);
        set->at[set->n - 1]->file = copy;
        return 0;
}

/* --- what was seen from outside --- */

/* What the trials were read from, without links in it, and what they are about. */
struct trials {
        const char *path, *command;
};

/* Is a file of that name in the folder of the trials? Files of another one may be named so, too. */
static bool is_of(const struct trials *of, const char *path, const char *name)
{
        const char *slash = strrchr(path, '/'), *end = strrchr(of->path, '/');
        _cleanup_(freep) char *folder = slash ? strndup(path, (size_t)(slash + 1 - path)) : NULL;
        _cleanup_(freep) char *real = NULL;
        size_t n = end ? (size_t)(end - of->path) : 0;

        if (strcmp(slash ? slash + 1 : path, name) != 0)
                return false;
        real = realpath(folder ? folder : ".", NULL);
        return real && strlen(real) == n && !strncmp(real, of->path, n);
}

static struct diff_run *find(const struct diff_set *set, const struct trials *of, const char *file)
{
        for (size_t i = 0; file && i < set->n; i++)
                if (set->at[i]->file && is_of(of, set->at[i]->file, file))
                        return set->at[i];
        return NULL;
}

/* One that has no file: nothing but what is seen from outside. */
static struct diff_run *bare_run(const struct trials *of, size_t number)
{
        struct diff_run *run = calloc(1, sizeof(*run));
        char id[32];

        if (!run)
                return NULL;
        snprintf(id, sizeof(id), "run %zu", number);
        if (asprintf(&run->identity, "%s %zu", of->path, number) < 0)
                run->identity = NULL;
        run->head = json_object();
        run->figures = json_array();
        run->surroundings = json_object();
        report_set(run->head, "id", json_string(id));
        report_set(run->head, "command", report_text(of->command));
        report_set(run->head, "started_at", json_null());
        report_set(run->head, "duration_ns", json_null());
        report_set(run->surroundings, "command", report_text(of->command));
        run->wall_ns = run->tokens = run->token_ns = run->typical_ns = NAN;
        for (int b = 0; b < DIFF_N_BASES; b++)
                run->rows[b].whole_ns = NAN;
        return run;
}

static void put(struct diff_run *run, const json_t *trial, const char *member, const char *group,
                const char *name, const char *unit)
{
        double v = diff_member(trial, member);

        if (isfinite(v) && v >= 0)
                json_array_append_new(run->figures,
                                      json_pack("{s:s, s:s, s:s, s:f}", "group", group, "name",
                                                name, "unit", unit, "value", v));
}

/* The command's own time, as the verdict has it: its process's has the profiler's start in it. */
static void replace_wall(struct diff_run *run, double wall)
{
        json_t *figure;
        size_t i;

        run->wall_ns = wall;
        json_array_foreach(run->figures, i, figure)
        {
                if (!strcmp(json_string_value(json_object_get(figure, "name")), "wall"))
                        json_object_set_new(figure, "value", json_real(wall));
        }
}

static int add_trial(struct diff_set *set, const struct trials *of, const json_t *trial,
                     size_t number)
{
        const char *file = json_string_value(json_object_get(trial, "file"));
        const char *how = json_string_value(json_object_get(trial, "failed"));
        struct diff_run *run = find(set, of, file);
        double wall = diff_member(trial, "wall_ns");

        if (how && !run) {
                diff_set_leave_out(set, file ? file : NO_FILE, how);
                return 0;
        }
        if (file && !run)
                return 0; /* said already, or taken away since */
        if (!run) {
                run = bare_run(of, number);
                if (!run || take(set, run))
                        return -ENOMEM;
                put(run, trial, "wall_ns", "time", "wall", "ns");
                put(run, trial, "peak_bytes", "memory", "resident at most", "bytes");
        }
        if (how)
                run->how = "failed";
        if (wall > 0)
                replace_wall(run, wall);
        put(run, trial, "user_ns", "time", "CPU, user", "ns");
        put(run, trial, "system_ns", "time", "CPU, system", "ns");
        put(run, trial, "others", "load", "CPUs taken by others", "rate");
        put(run, trial, "stolen", "load", "CPUs stolen", "rate");
        return 0;
}

/* Was that document read already? Then its runs that have no files are named again. */
static bool read_before(struct diff_set *set, const json_t *trials, const char *name)
{
        _cleanup_(json_decrefp) json_t *text = report_text(name);
        const json_t *trial;
        json_t *have;
        bool found = false;
        size_t i;

        json_array_foreach(set->trials, i, have)
        {
                found |= json_equal(have, text);
        }
        if (!found) {
                json_array_append(set->trials, text);
                return false;
        }
        json_array_foreach(trials, i, trial)
        {
                set->n_again += json_is_object(trial) &&
                                !json_is_string(json_object_get(trial, "file")) &&
                                !json_is_string(json_object_get(trial, "failed"));
        }
        return true;
}

int diff_set_add_trials(struct diff_set *set, const char *path, char **ret_why)
{
        json_error_t error;
        _cleanup_(json_decrefp) json_t *o = json_load_file(path, 0, &error);
        _cleanup_(freep) char *real = realpath(path, NULL);
        const char *schema = json_string_value(json_object_get(o, "schema"));
        const struct trials of = {real ? real : path,
                                  json_string_value(json_object_get(o, "command"))};
        const json_t *list = json_object_get(o, "trials"), *trial;
        size_t i;
        int r = 0;

        if (!o)
                return runfile_explain(ret_why, -EINVAL, "'%s' cannot be read: %s", path,
                                       error.text);
        if (!schema || strcmp(schema, DIFF_TRIALS_SCHEMA) != 0 || !of.command)
                return runfile_explain(ret_why, -EINVAL, "'%s' is no document %s", path,
                                       DIFF_TRIALS_SCHEMA);
        if (read_before(set, list, of.path))
                return 0;
        json_array_foreach(list, i, trial)
        {
                if (!r && json_is_object(trial))
                        r = add_trial(set, &of, trial, i + 1);
        }
        return r;
}

void diff_set_settle(struct diff_set *set)
{
        size_t n_good = 0, n = 0;

        for (size_t i = 0; i < set->n; i++)
                n_good += !set->at[i]->how;
        for (size_t i = 0; n_good && i < set->n; i++) {
                struct diff_run *run = set->at[i];

                if (!run->how) {
                        set->at[n++] = run;
                        continue;
                }
                diff_set_leave_out(set, run->file ? run->file : NO_FILE, run->how);
                diff_run_free(run);
        }
        if (n_good)
                set->n = n;
}
