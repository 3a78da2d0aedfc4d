/* SPDX-License-Identifier: MIT */
/*
 * What a run had around it that may make another one faster or slower, each by name and as text:
 * command, program, environment, libraries, machine, kernel. What a file does not hold is left out;
 * what is another figure each time (loads) is no text, but among the figures. Of several processes
 * it is the one that did most.
 */
#include "common/report-diff-run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/report-private.h"
#include "common/report-work-private.h"
#include "common/runfile.h"

struct look {
        struct diff_run *run;
        uint32_t process;
};

static void put(json_t *o, const char *what, const char *value)
{
        if (value && *value)
                report_set(o, what, report_text(value));
}

static void put_named(json_t *o, const char *kind, const char *name, const char *value)
{
        _cleanup_(freep) char *what = NULL;

        if (asprintf(&what, "%s %s", kind, name) >= 0)
                put(o, what, value);
}

static void put_number(json_t *o, const char *what, int64_t value)
{
        char text[24];

        snprintf(text, sizeof(text), "%lld", (long long)value);
        put(o, what, text);
}

static void put_switch(json_t *o, const char *what, uint64_t value)
{
        if (value != RUNFILE_NOT_TOLD)
                put(o, what, value ? "on" : "off");
}

static int take_machine(const struct runfile_machine *row, void *userdata)
{
        struct diff_run *run = ((struct look *)userdata)->run;
        _cleanup_(json_decrefp) json_t *doc = json_loads(row->document, 0, NULL);
        const json_t *topology = json_object_get(doc, "topology");

        free(run->machine);
        run->machine = strdup(row->fingerprint);
        put(run->surroundings, "CPU", json_string_value(json_object_get(doc, "model")));
        if (json_is_integer(json_object_get(topology, "usable_cpus")))
                put_number(run->surroundings, "CPUs", report_get_integer(topology, "usable_cpus"));
        return run->machine ? 0 : -1;
}

static void put_load(json_t *figures, const char *name, uint64_t thousandths)
{
        if (thousandths != RUNFILE_NOT_TOLD)
                json_array_append_new(figures, json_pack("{s:s, s:s, s:s, s:f}", "group", "load",
                                                         "name", name, "unit", "rate", "value",
                                                         (double)thousandths / 1000));
}

static int take_state(const struct runfile_surroundings *row, void *userdata)
{
        struct diff_run *run = ((struct look *)userdata)->run;
        json_t *o = run->surroundings;

        put(o, "kernel", row->kernel);
        put(o, "system", row->os);
        put(o, "libc", row->libc);
        put(o, "governor", row->governor);
        put(o, "huge pages", row->huge_pages);
        put_switch(o, "turbo", row->turbo);
        put_switch(o, "NUMA balancing", row->numa_balancing);
        put_load(run->figures, "load average at its start", row->load_1);
        put_load(run->figures, "CPU pressure at its start", row->cpu_pressure);
        return 0;
}

static int take_confines(const struct runfile_confines *row, void *userdata)
{
        const struct look *l = userdata;

        if (row->process != l->process)
                return 0;
        put(l->run->surroundings, "CPUs it may use", row->cpus);
        put(l->run->surroundings, "memory nodes it may use", row->memory_nodes);
        put_number(l->run->surroundings, "nice", row->nice);
        return 0;
}

static int take_variable(const struct runfile_environment *row, void *userdata)
{
        const struct look *l = userdata;

        if (row->process == l->process)
                put_named(l->run->surroundings, "environment", row->name,
                          !row->value   ? "(left out, it looks like a secret)"
                          : *row->value ? row->value
                                        : "(empty)");
        return 0;
}

/* By file name: the same one elsewhere is the same. Without a build-id, its path has to do. */
static int take_library(const struct runfile_library *row, void *userdata)
{
        const struct look *l = userdata;
        const char *slash = strrchr(row->path, '/'),
                   *is = row->build_id ? row->build_id : row->path;

        if (row->process != l->process)
                return 0;
        if (!row->object)
                put(l->run->surroundings, DIFF_BUILD_ID, row->build_id);
        else
                put_named(l->run->surroundings, "library", slash ? slash + 1 : row->path, is);
        return 0;
}

static bool did_more(const struct runfile_process *p, const struct runfile_process *than)
{
        if (p->spans != than->spans)
                return p->spans > than->spans;
        if (p->trivial != than->trivial)
                return than->trivial;
        return p->duration_ns > than->duration_ns;
}

const struct runfile_process *diff_main_process(const struct work *w)
{
        const struct runfile_process *most = NULL;

        for (size_t i = 0; i < w->model.n_processes; i++)
                if (!most || did_more(&w->model.processes[i], most))
                        most = &w->model.processes[i];
        return most;
}

int diff_surroundings_load(struct diff_run *run, struct runfile *rf, const struct work *w)
{
        const struct runfile_process *p = diff_main_process(w);
        struct look look = {.run = run, .process = p ? p->index : UINT32_MAX};
        json_t *o = run->surroundings;
        int r;

        put(o, "command", w->model.run.command);
        put(o, "infprof", w->model.run.infprof_version);
        if (p) {
                put(o, "program", p->exe);
                put(o, "allocator", p->allocator_library);
                put(o, "BLAS core", p->blas_core);
        }
        r = runfile_each_machine(rf, take_machine, &look);
        if (!r)
                r = runfile_each_surroundings(rf, take_state, &look);
        if (!r)
                r = runfile_each_confines(rf, take_confines, &look);
        if (!r)
                r = runfile_each_environment(rf, take_variable, &look);
        return r ? r : runfile_each_library(rf, take_library, &look);
}
