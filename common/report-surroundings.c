/* SPDX-License-Identifier: MIT */
/*
 * A run may have many processes; a reader wants to know of the engine. So what belongs to a process
 * is that of one of them: that with the most calls of ops, else the first that did something worth
 * a row, else the first. Names of variables that others have otherwise are listed. Libraries are
 * those of all.
 */
#include "common/report-surroundings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/fmt.h"
#include "common/report-private.h"
#include "common/runfile-private.h"

#define THOUSANDTHS 1e-3

struct loading {
        json_t *o;                   /* the document */
        uint32_t subject;            /* the process; UINT32_MAX: none so far */
        bool is_trivial;             /* it is */
        uint64_t calls;              /* of ops in it */
        int64_t pid;                 /* of it */
        json_t *variables;           /* NULL: none known */
        json_t *differ;              /* names, as of a set */
        json_t *libraries, *by_path; /* one list; the other leads into it */
};

static json_t *truth(uint64_t v)
{
        return v == RUNFILE_NOT_TOLD ? json_null() : json_boolean(v != 0);
}

static json_t *thousandths(uint64_t v)
{
        return v == RUNFILE_NOT_TOLD ? json_null() : json_real((double)v * THOUSANDTHS);
}

static int take_state(const struct runfile_surroundings *s, void *userdata)
{
        json_t *o = ((struct loading *)userdata)->o;

        report_set(o, "kernel", report_text(s->kernel));
        report_set(o, "os", report_text(s->os));
        report_set(o, "libc", report_text(s->libc));
        report_set(o, "governor", report_text(s->governor));
        report_set(o, "turbo", truth(s->turbo));
        report_set(o, "huge_pages", report_text(s->huge_pages));
        report_set(o, "numa_balancing", truth(s->numa_balancing));
        report_set(o, "memory_bytes", report_told(s->memory_bytes));
        report_set(o, "available_bytes", report_told(s->available_bytes));
        report_set(o, "load_1", thousandths(s->load_1));
        report_set(o, "load_5", thousandths(s->load_5));
        report_set(o, "load_15", thousandths(s->load_15));
        report_set(o, "runnable", report_told(s->runnable));
        report_set(o, "cpu_pressure", thousandths(s->cpu_pressure));
        report_set(o, "daemon_build_id", report_text(s->daemon_build_id));
        return 0;
}

static int take_machine(const struct runfile_machine *row, void *userdata)
{
        json_t *o = ((struct loading *)userdata)->o, *doc = json_loads(row->document, 0, NULL);
        json_t *model = json_object_get(doc, "model");

        if (json_is_string(model))
                json_object_set(o, "cpu", model);
        report_set(o, "machine", report_text(row->fingerprint));
        json_decref(doc);
        return 0;
}

static int choose(const struct runfile_process *p, void *userdata)
{
        struct loading *l = userdata;
        uint64_t calls = sum_u64(p->spans, p->untimed);

        if (l->subject != UINT32_MAX && calls <= l->calls && (p->trivial || !l->is_trivial))
                return 0;
        l->calls = calls;
        l->subject = p->index;
        l->is_trivial = p->trivial;
        l->pid = p->pid;
        return 0;
}

static int take_confines(const struct runfile_confines *c, void *userdata)
{
        struct loading *l = userdata;

        if (c->process != l->subject)
                return 0;
        report_set(l->o, "cpus", report_text(c->cpus));
        report_set(l->o, "memory_nodes", report_text(c->memory_nodes));
        report_set(l->o, "nice", json_integer(c->nice));
        return 0;
}

/* Names come from the file. */
static void name_value(json_t *object, const char *name, json_t *value)
{
        _cleanup_(freep) char *clean = fmt_utf8(name);

        report_set(object, clean ? clean : "", value);
}

static int take_variable(const struct runfile_environment *v, void *userdata)
{
        struct loading *l = userdata;

        if (v->process != l->subject)
                return 0;
        if (!l->variables)
                l->variables = json_object();
        name_value(l->variables, v->name, report_text(v->value));
        return 0;
}

/* Of another process. */
static int compare_variable(const struct runfile_environment *v, void *userdata)
{
        struct loading *l = userdata;
        json_t *theirs;

        if (v->process == l->subject || !l->variables)
                return 0;
        theirs = report_text(v->value);
        if (!json_equal(json_object_get(l->variables, v->name), theirs))
                name_value(l->differ, v->name, json_true());
        json_decref(theirs);
        return 0;
}

/* A path with two build-ids is two libraries. */
static int take_library(const struct runfile_library *row, void *userdata)
{
        struct loading *l = userdata;
        _cleanup_(freep) char *key = NULL;
        json_t *item;

        if (asprintf(&key, "%s %s", row->build_id ? row->build_id : "", row->path) < 0)
                return -ENOMEM;
        item = json_object_get(l->by_path, key);
        if (!item) {
                item = json_object();
                report_set(item, "path", report_text(row->path));
                report_set(item, "build_id", report_text(row->build_id));
                report_set(item, "processes", json_integer(0));
                report_set(item, "seen", json_integer(-1));
                json_array_append(l->libraries, item);
                if (json_object_set_new_nocheck(l->by_path, key, item))
                        return -ENOMEM;
        }
        if (report_get_integer(item, "seen") != row->process)
                report_set(item, "processes",
                           json_integer(report_get_integer(item, "processes") + 1));
        report_set(item, "seen", json_integer(row->process));
        return 0;
}

static json_t *empty(void)
{
        static const char *const names[] = {"kernel",
                                            "os",
                                            "libc",
                                            "cpu",
                                            "machine",
                                            "governor",
                                            "turbo",
                                            "huge_pages",
                                            "numa_balancing",
                                            "memory_bytes",
                                            "available_bytes",
                                            "load_1",
                                            "load_5",
                                            "load_15",
                                            "runnable",
                                            "cpu_pressure",
                                            "pid",
                                            "cpus",
                                            "memory_nodes",
                                            "nice",
                                            "environment",
                                            "daemon_build_id"};
        json_t *o = json_object();

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                report_set(o, names[i], json_null());
        return o;
}

static json_t *names_of(json_t *set)
{
        json_t *list = json_array(), *value;
        const char *name;

        json_object_foreach(set, name, value)
        {
                json_array_append_new(list, json_string(name));
        }
        return list;
}

static int load(struct loading *l, struct runfile *rf)
{
        int r = runfile_each_process(rf, choose, l);

        if (!r)
                r = runfile_each_surroundings(rf, take_state, l);
        if (!r)
                r = runfile_each_machine(rf, take_machine, l);
        if (!r)
                r = runfile_each_confines(rf, take_confines, l);
        if (!r)
                r = runfile_each_environment(rf, take_variable, l);
        if (!r)
                r = runfile_each_environment(rf, compare_variable, l);
        return r ? r : runfile_each_library(rf, take_library, l);
}

int report_surroundings(json_t **ret, struct runfile *rf, char **ret_why)
{
        struct loading l = {
                .o = empty(),
                .subject = UINT32_MAX,
                .differ = json_object(),
                .libraries = json_array(),
                .by_path = json_object(),
        };
        json_t *item;
        size_t i;
        int r = load(&l, rf);

        json_decref(l.by_path);
        json_array_foreach(l.libraries, i, item)
        {
                json_object_del(item, "seen");
        }
        if (l.subject != UINT32_MAX)
                report_set(l.o, "pid", json_integer(l.pid));
        if (l.variables)
                report_set(l.o, "environment", l.variables);
        report_set(l.o, "environment_differs", names_of(l.differ));
        json_decref(l.differ);
        report_set(l.o, "libraries", l.libraries);
        if (r) {
                json_decref(l.o);
                return runfile_explain(ret_why, r, "%s", runfile_why(rf));
        }
        *ret = l.o;
        return 0;
}
