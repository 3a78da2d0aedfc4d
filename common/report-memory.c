/* SPDX-License-Identifier: MIT */
/*
 * From a run in memory to the document infprof.memory/1.
 */
#include "common/report-memory.h"

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/report-private.h"
#include "common/runfile-private.h"

DEFINE_CLEANUP(struct runfile *, runfile_close, runfile_closep);

static void put_alloc(json_t *o, const struct runfile_alloc *a)
{
        report_set(o, "calls", report_integer(a->calls));
        report_set(o, "asked_bytes", report_integer(a->asked_bytes));
        report_set(o, "usable_bytes", report_integer(a->usable_bytes));
        report_set(o, "frees", report_integer(a->frees));
        report_set(o, "freed_bytes", report_integer(a->freed_bytes));
        report_set(o, "failed_calls", report_integer(a->failed));
        report_set(o, "maps", report_integer(a->maps));
        report_set(o, "mapped_bytes", report_integer(a->mapped_bytes));
}

static json_t *build_totals(const struct model *m)
{
        struct runfile_alloc all = {0};
        json_t *o = json_object();
        int64_t peak = 0;

        for (int p = 0; p < IFP_N_PHASES; p++) {
                alloc_add(&all, &m->none[p].alloc);
                for (size_t i = 0; i < m->n_ops; i++)
                        alloc_add(&all, &m->ops[i]->phase[p].alloc);
        }
        for (size_t i = 0; i < m->n_processes; i++)
                if (m->processes[i].peak_bytes > peak)
                        peak = m->processes[i].peak_bytes;
        put_alloc(o, &all);
        report_set(o, "live_bytes", json_integer(report_net_bytes(&all)));
        report_set(o, "growth_bytes", json_integer(report_net_bytes(&all)));
        report_set(o, "peak_bytes", json_integer(peak));
        report_set(o, "unmaps", json_integer(0));
        report_set(o, "unmapped_bytes", json_integer(0));
        report_set(o, "maps_failed", json_integer(0));
        return o;
}

static json_t *build(const struct model *m)
{
        json_t *o = json_object();

        report_set(o, "schema", json_string(MEMORY_SCHEMA));
        report_set(o, "run", report_build_run(m));
        report_set(o, "heap_interval_bytes", json_null());
        report_set(o, "estimates", json_false());
        report_set(o, "window", json_null());
        report_set(o, "totals", build_totals(m));
        report_set(o, "per_token", json_null());
        report_set(o, "kv", json_null());
        report_set(o, "phases", json_object());
        report_set(o, "ops", json_array());
        report_set(o, "threads", json_array());
        report_set(o, "size_classes", json_array());
        report_set(o, "samples",
                   json_pack("{s:i,s:i,s:i,s:i,s:i,s:i,s:s}", "taken", 0, "other", 0, "one_frame",
                             0, "untracked", 0, "cut_stacks", 0, "stacks", 0, "unwinding", "off"));
        report_set(o, "stacks", json_array());
        report_set(o, "categories", json_array());
        report_set(o, "leaks", json_null());
        report_set(o, "allocator", json_null());
        report_set(o, "outside", json_null());
        report_set(o, "mapped_files", json_array());
        report_set(o, "timeline", json_array());
        report_set(o, "marks", json_array());
        report_set(o, "notes", json_array());
        return o;
}

int report_memory_new(json_t **ret, struct runfile *rf, const struct memory_options *o,
                      char **ret_why)
{
        struct model m;
        int r = model_load(&m, rf, ret_why);

        if (!r)
                *ret = build(&m);
        model_done(&m);
        return r;
}

int report_memory_file(json_t **ret, const char *path, const struct memory_options *o,
                       char **ret_why)
{
        _cleanup_(runfile_closep) struct runfile *rf = NULL;
        int r = runfile_open(&rf, path, ret_why);

        return r ? r : report_memory_new(ret, rf, o, ret_why);
}

int report_memory_categorize(json_t *memory, const struct categories *c)
{
        return 0;
}
