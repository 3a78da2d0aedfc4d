/* SPDX-License-Identifier: MIT */
/*
 * Where conditions have their figures from: documents of the run and of its baseline, fetched when
 * the first condition asks for them, and the schemas of these, which are compiled in.
 */
#include "cli/check.h"

#include <string.h>

#include "cli/run-find.h"
#include "common/report-explain.h"
#include "common/report-layers.h"
#include "common/report-ledger.h"
#include "common/report-memory.h"
#include "common/report-roofline.h"
#include "common/report-spawns.h"
#include "common/report-threads.h"
#include "common/report-waits.h"

typedef int (*build_fn)(json_t **ret, const char *path, char **ret_why);

static int memory_file(json_t **ret, const char *path, char **ret_why)
{
        return report_memory_file(ret, path, &(struct memory_options){0}, ret_why);
}

/* doc/NAME.schema.json (meson.build) */
extern const char schema_report_text[], schema_memory_text[], schema_spawns_text[],
        schema_waits_text[], schema_ledger_text[], schema_threads_text[], schema_layers_text[],
        schema_explain_text[], schema_roofline_text[];

static const struct {
        const char *name;
        build_fn build; /* NULL: run-find.c knows how */
        const char *schema;
} kinds[CHECK_KINDS] = {
        {"report", NULL, schema_report_text},
        {"memory", memory_file, schema_memory_text},
        {"spawns", report_spawns_file, schema_spawns_text},
        {"waits", report_waits_file, schema_waits_text},
        {"ledger", report_ledger_file, schema_ledger_text},
        {"threads", report_threads_file, schema_threads_text},
        {"layers", report_layers_file, schema_layers_text},
        {"explain", report_explain_file, schema_explain_text},
        {"roofline", report_roofline_file, schema_roofline_text},
};

static int build(const char *file, const void *userdata, json_t **ret, char **ret_why)
{
        const build_fn *fn = userdata;

        return (*fn)(ret, file, ret_why);
}

static size_t kind_of(const char *name)
{
        size_t i = 0;

        while (i < CHECK_KINDS && strcmp(kinds[i].name, name) != 0)
                i++;
        return i;
}

const json_t *check_documents_get(void *userdata, enum check_run run, const char *name)
{
        struct check_documents *d = userdata;
        const char *of = run == CHECK_RUN ? d->run : d->baseline;
        size_t i = kind_of(name);

        if (i == CHECK_KINDS)
                return NULL;
        if (!d->of[run][i] && !d->failed)
                d->failed = kinds[i].build ? run_find_document("check", of,
                                                               &(struct run_document){
                                                                       .path = name,
                                                                       .build = build,
                                                                       .userdata = &kinds[i].build},
                                                               &d->of[run][i])
                                           : run_find_report("check", of, &d->of[run][i]);
        return d->of[run][i];
}

const json_t *check_documents_schema(void *userdata, const char *name)
{
        struct check_documents *d = userdata;
        size_t i = kind_of(name);

        if (i < CHECK_KINDS && !d->schemas[i])
                d->schemas[i] = json_loads(kinds[i].schema, 0, NULL);
        return i < CHECK_KINDS ? d->schemas[i] : NULL;
}

void check_documents_done(struct check_documents *d)
{
        for (size_t i = 0; i < CHECK_KINDS; i++) {
                json_decref(d->of[CHECK_RUN][i]);
                json_decref(d->of[CHECK_BASELINE][i]);
                json_decref(d->schemas[i]);
        }
}
