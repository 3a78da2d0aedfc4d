/* SPDX-License-Identifier: MIT */
/*
 * Documents about a run that come from its file, whether it lives (then the file is
 * brought up to date first) or is over. What is in them is decided in common/report*.c.
 */
#include "daemon/api-private.h"

#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/report-explain.h"
#include "common/report-layers.h"
#include "common/report-ledger.h"
#include "common/report-memory.h"
#include "common/report-roofline.h"
#include "common/report-spawns.h"
#include "common/report-threads.h"
#include "common/report-tokens.h"
#include "common/report-waits.h"
#include "common/report.h"
#include "daemon/text.h"

/* Which document. */
struct wanted {
        int (*build)(json_t **ret, const char *path, char **ret_why);
        const struct memory_options *memory; /* instead: that of memory */
};

static int build(const char *path, const struct wanted *w, json_t **ret, char **ret_why)
{
        return w->memory ? report_memory_file(ret, path, w->memory, ret_why)
                         : w->build(ret, path, ret_why);
}

static int build_report(json_t **ret, const char *path, char **ret_why)
{
        return report_build_file(path, ret, ret_why);
}

static struct answer from_file(const char *path, const char *trouble, const struct wanted *wanted)
{
        _cleanup_(freep) char *why = NULL;
        json_t *body;
        int r;

        r = build(path, wanted, &body, &why);
        if (r == MEMORY_E_WINDOW)
                return answer_error(400, "%s", why ? why : "there is no such mark");
        if (r)
                return answer_error(503, "%s",
                                    trouble ? trouble
                                    : why   ? why
                                            : "cannot read the run file");
        if (trouble && json_is_array(json_object_get(body, "notes"))) {
                char *note =
                        text_format("not up to date, since it could not be written: %s", trouble);

                if (note)
                        json_array_append_new(json_object_get(body, "notes"), json_string(note));
                free(note);
        }
        return answer_document(body);
}

/* The run is not in memory: a file of an earlier time. */
static struct answer from_disk(struct server *s, const char *id, const struct wanted *wanted)
{
        _cleanup_(json_decrefp) json_t *summary = NULL;
        _cleanup_(freep) char *path = NULL;
        json_t *runs, *newest;

        if (!s->state_dir)
                return answer_no_run(id);
        if (!strcmp(id, "latest")) {
                struct answer a = answer_no_run("latest");

                if (report_list(s->state_dir, &runs, NULL))
                        return a;
                newest = json_array_get(json_object_get(runs, "runs"), 0);
                if (newest) {
                        json_decref(a.body);
                        a = from_file(json_string_value(json_object_get(newest, "file")), NULL,
                                      wanted);
                }
                json_decref(runs);
                return a;
        }
        if (!text_is_id(id))
                return answer_no_run(id);
        path = text_format("%s/%s.infprof", s->state_dir, id);
        if (!path || access(path, F_OK) < 0 ||
            (!report_summary(path, &summary, NULL) && report_is_stale_link(path, summary)))
                return answer_no_run(id);
        return from_file(path, NULL, wanted);
}

static struct answer document(struct server *s, const char *id, const struct wanted *wanted)
{
        const struct process *only;
        struct run *run = api_find_run(s, id, &only);

        if (!run)
                return from_disk(s, id, wanted);
        server_refresh(s, run);
        if (!run->path)
                return answer_error(503, "run %s has no file%s%s", run->id,
                                    run->trouble ? ": " : " yet", run->trouble ? run->trouble : "");
        return from_file(run->path, run->trouble, wanted);
}

struct answer api_run_report(struct server *s, const char *id)
{
        return document(s, id, &(struct wanted){.build = build_report});
}

struct answer api_run_threads(struct server *s, const char *id)
{
        return document(s, id, &(struct wanted){.build = report_threads_file});
}

struct answer api_run_waits(struct server *s, const char *id)
{
        return document(s, id, &(struct wanted){.build = report_waits_file});
}

struct answer api_run_spawns(struct server *s, const char *id)
{
        return document(s, id, &(struct wanted){.build = report_spawns_file});
}

struct answer api_run_ledger(struct server *s, const char *id)
{
        return document(s, id, &(struct wanted){.build = report_ledger_file});
}

struct answer api_run_layers(struct server *s, const char *id)
{
        return document(s, id, &(struct wanted){.build = report_layers_file});
}

struct answer api_run_tokens(struct server *s, const char *id)
{
        return document(s, id, &(struct wanted){.build = report_tokens_file});
}

struct answer api_run_explain(struct server *s, const char *id)
{
        return document(s, id, &(struct wanted){.build = report_explain_file});
}

struct answer api_run_roofline(struct server *s, const char *id)
{
        return document(s, id, &(struct wanted){.build = report_roofline_file});
}

/* An empty mark is none: ?from=&to=NAME. */
static const char *mark_named(const json_t *args, const char *key)
{
        const char *name = json_string_value(json_object_get(args, key));

        return name && *name ? name : NULL;
}

struct answer api_run_memory(struct server *s, const char *id, const json_t *args)
{
        struct memory_options o = {.from = mark_named(args, "from"), .to = mark_named(args, "to")};

        return document(s, id, &(struct wanted){.memory = &o});
}
