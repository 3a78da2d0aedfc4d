/* SPDX-License-Identifier: MIT */
/*
 * POST /v1/mark: a named instant in every process that lives (or in those of one run). First all of
 * them are read, then all are marked, so that the instant is one as nearly as
 * reading allows; then the files are written, so that the mark is there when the answer is.
 */
#include "daemon/api-private.h"

#include <string.h>

#include "daemon/mark.h"
#include "daemon/text.h"

static bool is_meant(const struct process *p, const struct run *run, const struct process *only)
{
        return p->state == PROCESS_LIVE && (!run || p->run == run) && (!only || p == only);
}

/* Why a process cannot be marked; NULL: it can. */
static const char *obstacle(const struct process *p)
{
        if (p->run->n_marks >= MARK_MAX)
                return "it has as many marks as a run can have (1000)";
        if (mark_count(p) >= MARK_WAITING)
                return "its file cannot be written, and marks wait for it already";
        return NULL;
}

static bool is_run_marked(const struct server *s, const struct run *run, const struct run *only_run,
                          const struct process *only)
{
        for (const struct process *p = s->processes; p; p = p->next)
                if (p->run == run && is_meant(p, only_run, only))
                        return true;
        return false;
}

static struct answer mark(struct server *s, const char *name, struct run *only_run,
                          const struct process *only)
{
        json_t *marked = json_array();
        bool failed = !marked;

        for (struct run *run = s->runs; run; run = run->next) {
                uint64_t at_ns = run_duration_ns(run);

                if (!is_run_marked(s, run, only_run, only))
                        continue;
                for (struct process *p = s->processes; p; p = p->next) {
                        if (p->run != run || !is_meant(p, only_run, only))
                                continue;
                        failed |= mark_take(p, run->n_marks, name, at_ns) < 0;
                        json_array_append_new(marked,
                                              json_pack("{s:s, s:I, s:I, s:s, s:I}", "run", run->id,
                                                        "process", (json_int_t)p->index, "pid",
                                                        (json_int_t)p->pid, "name", name, "at_ns",
                                                        (json_int_t)at_ns));
                }
                run->n_marks++;
                runs_flush(s, run);
        }
        if (failed) {
                json_decref(marked);
                return answer_document(NULL);
        }
        return answer_document(
                json_pack("{s:s, s:o}", "schema", "infprof.mark/1", "marked", marked));
}

struct answer api_mark(struct server *s, const json_t *args)
{
        const char *name = json_string_value(json_object_get(args, "name"));
        const char *id = json_string_value(json_object_get(args, "run"));
        const struct process *only = NULL;
        struct run *run = NULL;
        bool found = false;

        if (!name || !*name)
                return answer_error(400, "a mark needs a name: POST /v1/mark?name=NAME");
        if (strlen(name) > MARK_MAX_NAME)
                return answer_error(400, "the name of a mark is %u bytes at most", MARK_MAX_NAME);
        if (id && !(run = api_find_run(s, id, &only)))
                return answer_no_run(id);
        server_look(s, run);
        for (const struct process *p = s->processes; p; p = p->next) {
                const char *why = is_meant(p, run, only) ? obstacle(p) : NULL;

                found |= is_meant(p, run, only);
                if (why)
                        return answer_error(409, "run %s: %s", p->run->id, why);
        }
        if (!found && id)
                return answer_error(404, "run %s has ended; a mark needs an engine that runs", id);
        if (!found)
                return answer_error(404, "no engine is being profiled; infprof record CMD... "
                                         "starts one");
        return mark(s, name, run, only);
}
