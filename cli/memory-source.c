/* SPDX-License-Identifier: MIT */
/*
 * The daemon knows the built-in categories only, so other ones are held against its document here.
 */
#include "cli/memory-source.h"

#include <stdio.h>
#include <string.h>

#include "cli/api-client.h"
#include "cli/cmd.h"
#include "cli/run-find.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/report-memory.h"

static int build(const char *file, const void *userdata, json_t **ret, char **ret_why)
{
        const struct memory_request *request = userdata;
        const struct memory_options options = {
                .categories = request->categories, .from = request->from, .to = request->to};

        return report_memory_file(ret, file, &options, ret_why);
}

/* "memory?from=A&to=B", to be freed. */
static char *path_of(const struct memory_request *request)
{
        _cleanup_(freep) char *from = api_escape(request->from ? request->from : "");
        _cleanup_(freep) char *to = api_escape(request->to ? request->to : "");
        char *path;

        if (!from || !to ||
            asprintf(&path, "memory%s%s%s%s%s", request->from || request->to ? "?" : "",
                     request->from ? "from=" : "", from,
                     request->to ? (request->from ? "&to=" : "to=") : "", to) < 0)
                return NULL;
        return path;
}

int memory_source_get(const char *verb, const struct memory_request *request, json_t **ret)
{
        _cleanup_(json_decrefp) json_t *document = NULL;
        _cleanup_(freep) char *path = path_of(request);
        /* as for an unknown mark in a file */
        const struct run_document what = {
                .path = path, .build = build, .userdata = request, .refused_code = CMD_NOTHING};
        int r;

        if (!path) {
                cmd_error(verb, "out of memory");
                return CMD_NO;
        }
        r = run_find_document(verb, request->run, &what, &document);
        if (!r && request->categories && report_memory_categorize(document, request->categories)) {
                cmd_error(verb, "out of memory");
                return CMD_NO;
        }
        if (!r)
                *ret = steal_ptr(document);
        return r;
}

void memory_source_no_stacks(const char *verb, const json_t *document)
{
        const char *id = text_string(json_object_get(document, "run"), "id", "?");

        if (!json_is_integer(json_object_get(document, "heap_interval_bytes")))
                cmd_error(verb,
                          "run %s has no stacks: sampling was off; infprof record "
                          "--heap-interval 512K takes samples",
                          id);
        else
                cmd_error(verb,
                          "run %s has no stacks: nothing was sampled; infprof record "
                          "--heap-interval 1 takes each allocation",
                          id);
}
