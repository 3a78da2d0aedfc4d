/* SPDX-License-Identifier: MIT */
/* The documents "infprof.status/1" and "infprof.runs/1". */
#include "daemon/api-private.h"

#include <string.h>
#include <unistd.h>

#include <infprof/version.h>

#include "common/report.h"
#include "daemon/clock.h"
#include "daemon/procfs.h"
#include "daemon/symboliser.h"

static const char *const phases[IFP_N_PHASES] = {"unknown", "load", "prefill", "decode", "idle"};

static json_t *number(uint64_t v)
{
        return json_integer(v <= INT64_MAX ? (json_int_t)v : INT64_MAX);
}

static json_t *text(const char *s)
{
        return s ? json_string(s) : json_null();
}

static json_t *process_entry(const struct process *p)
{
        static const char *const states[] = {"live", "ended", "cut"};

        return json_pack("{s:I, s:s, s:s, s:s, s:s, s:o, s:I, s:o}", "pid", (json_int_t)p->pid,
                         "run", p->run->id, "command", p->command, "state", states[p->state],
                         "phase", phases[p->now.phase], "spans", number(p->now.spans), "paused_ops",
                         (json_int_t)process_n_off(p), "reason", text(p->reason));
}

static json_t *refusals(const struct refusal *r)
{
        json_t *list = json_array();

        for (uint32_t i = 0; i < SERVER_REFUSALS; i++)
                if (r[i].reason)
                        json_array_append_new(list,
                                              json_pack("{s:I, s:s}", "pid", (json_int_t)r[i].pid,
                                                        "reason", r[i].reason));
        return list;
}

json_t *api_status_document(struct server *s)
{
        json_t *processes = json_array(), *troubles = json_array();

        for (struct process *p = s->processes; p; p = p->next)
                json_array_append_new(processes, process_entry(p));
        for (struct run *run = s->runs; run; run = run->next)
                if (run->trouble)
                        json_array_append_new(troubles, json_pack("{s:s, s:s}", "run", run->id,
                                                                  "reason", run->trouble));
        return json_pack("{s:s, s:{s:I, s:s, s:o, s:o, s:o, s:o, s:o}, s:o, s:o, s:o, s:o}",
                         "schema", "infprof.status/1", "daemon", "pid", (json_int_t)getpid(),
                         "version", IFP_VERSION, "uptime_ns",
                         number(clock_mono_ns() - s->started_ns), "cpu_ns",
                         number(clock_cpu_ns() + symboliser_cpu_ns()), "resident_bytes",
                         number(procfs_resident_bytes(getpid())), "spans_drained",
                         number(s->drained), "state_dir", text(s->state_dir), "processes",
                         processes, "not_adoptable", refusals(s->not_adoptable), "refused",
                         refusals(s->refused), "not_written", troubles);
}

/* The entry of the run with this id in `list`, made when missing. */
static json_t *entry_of(json_t *list, const struct run *run)
{
        json_t *e;
        size_t i;

        json_array_foreach(list, i, e)
        {
                const char *id = json_string_value(json_object_get(e, "id"));

                if (id && !strcmp(id, run->id))
                        return e;
        }
        e = json_object();
        json_array_append_new(list, e);
        return e;
}

/* By id, which begins with the time. */
static void sort_newest_first(json_t *list)
{
        for (size_t i = 1; i < json_array_size(list); i++)
                for (size_t k = i; k > 0; k--) {
                        json_t *a = json_array_get(list, k - 1), *b = json_array_get(list, k);
                        const char *x = json_string_value(json_object_get(a, "id"));
                        const char *y = json_string_value(json_object_get(b, "id"));

                        if (!x || !y || strcmp(x, y) >= 0)
                                break;
                        json_incref(a);
                        json_incref(b);
                        json_array_set_new(list, k - 1, b);
                        json_array_set_new(list, k, a);
                }
}

/* What the files say, brought up to date by what is in memory. */
/* Has it a file, that nobody has taken away since? */
static bool is_kept(const struct run *run)
{
        return run->path && (run->dirty || access(run->path, F_OK) == 0);
}

json_t *api_runs_document(struct server *s)
{
        json_t *doc = NULL, *list;

        if (!s->state_dir || report_list(s->state_dir, &doc, NULL))
                doc = json_pack("{s:s, s:[]}", "schema", RUNS_SCHEMA, "runs");
        list = json_object_get(doc, "runs");
        for (struct run *run = s->runs; run; run = run->next) {
                json_t *e;

                if (!run_is_live(run) && !is_kept(run))
                        continue;
                e = entry_of(list, run);
                json_object_set_new(e, "id", json_string(run->id));
                json_object_set_new(e, "command", json_string(run->command));
                json_object_set_new(e, "pid", json_integer(run->pid));
                if (!json_object_get(e, "started_at"))
                        json_object_set_new(e, "started_at", report_instant(run->started_at_ns));
                json_object_set_new(e, "duration_ns", number(run_duration_ns(run)));
                json_object_set_new(e, "end", json_string(report_end_name(run->end)));
                json_object_set_new(e, "exit", report_exit(run->end, run->end_value));
                json_object_set_new(e, "live", json_boolean(run_is_live(run)));
                json_object_set_new(e, "file", text(run->path));
                json_object_set_new(e, "processes", json_integer(run->n_processes));
        }
        sort_newest_first(list);
        return doc;
}
