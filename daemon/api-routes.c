/* SPDX-License-Identifier: MIT */
/*
 * The API's inside: what paths and methods there are, and the answer to each.
 * An answer is a status of HTTP and a document; errors are documents too.
 */
#include "daemon/api-private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "daemon/series.h"
#include "daemon/text.h"

struct answer answer_error(unsigned status, const char *format, ...)
{
        struct answer a = {.status = status};
        char message[1024];
        va_list ap;

        va_start(ap, format);
        vsnprintf(message, sizeof(message), format, ap);
        va_end(ap);
        text_clean(message);
        a.body = json_pack("{s:{s:i,s:s}}", "error", "status", (int)status, "message", message);
        return a;
}

struct answer answer_document(json_t *body)
{
        if (!body)
                return answer_error(500, "out of memory");
        return (struct answer){.status = 200, .body = body};
}

struct run *api_find_run(struct server *s, const char *id, const struct process **ret_only)
{
        *ret_only = NULL;
        if (!strncmp(id, "pid:", 4)) {
                pid_t pid = (pid_t)atoi(id + 4);
                const struct process *p = server_find_pid(s, pid);

                if (p) {
                        *ret_only = p;
                        return p->run;
                }
                for (struct run *run = s->runs; run; run = run->next)
                        if (run->pid == pid)
                                return run;
                return NULL;
        }
        if (!strcmp(id, "latest")) {
                struct run *best = NULL;

                for (struct run *run = s->runs; run; run = run->next)
                        if (!best || (run_is_live(run) && !run_is_live(best)) ||
                            (run_is_live(run) == run_is_live(best) &&
                             run->started_at_ns > best->started_at_ns))
                                best = run;
                return best;
        }
        return runs_find(s, id);
}

struct answer answer_no_run(const char *id)
{
        if (!strncmp(id, "pid:", 4))
                return answer_error(404,
                                    "no process %s is being profiled; `infprof status` lists "
                                    "those that are",
                                    id + 4);
        return answer_error(404, "no run named %s; `infprof runs` lists them", id);
}

static struct answer get_top(struct server *s, const char *id)
{
        const struct process *only;
        struct run *run = api_find_run(s, id, &only);

        if (!run)
                return answer_no_run(id);
        return answer_document(api_top_document(s, run, only));
}

static struct answer post_switch(struct server *s, const json_t *q)
{
        const char *glob = "*", *run_id = NULL;
        uint32_t changed = 0, matching = 0, n;
        int on = -1, r;
        json_int_t pid = 0;
        json_error_t e;
        bool found = false;

        r = json_unpack_ex((json_t *)q, &e, 0, "{s:b, s?I, s?s, s?s !}", "on", &on, "pid", &pid,
                           "run", &run_id, "op", &glob);
        if (r)
                return answer_error(400, "not an order to switch: %s", e.text);
        for (struct process *p = s->processes; p; p = p->next) {
                if (p->state != PROCESS_LIVE || (pid && p->pid != pid) ||
                    (run_id && strcmp(p->run->id, run_id)))
                        continue;
                found = true;
                changed += process_switch(p, glob, on, &n);
                matching += n;
        }
        if (!found && !pid && !run_id)
                return answer_error(404, "no engine is being profiled; infprof record CMD... "
                                         "starts one");
        if (!found && pid)
                return answer_error(404,
                                    "no process %" JSON_INTEGER_FORMAT " is being profiled; "
                                    "`infprof status` lists those that are",
                                    pid);
        if (!found && run_id)
                return answer_error(404, "no live run named %s; `infprof status` lists them",
                                    run_id);
        return answer_document(json_pack("{s:I,s:I}", "changed", (json_int_t)changed, "ops",
                                         (json_int_t)matching));
}

static struct answer post_run(struct server *s, const json_t *q)
{
        const char *id, *command, *file, *series = NULL;
        json_t *name = NULL;
        struct answer a;
        json_error_t e;
        json_int_t pid;
        struct run *run;
        int r;

        if (json_unpack_ex((json_t *)q, &e, 0, "{s:s, s:s, s:I, s?o, s?s !}", "id", &id, "command",
                           &command, "pid", &pid, "file", &name, "series", &series) ||
            (name && !json_is_null(name) && !json_is_string(name)))
                return answer_error(400, "not a run to register: %s",
                                    e.text[0] ? e.text : "file is neither a string nor null");
        file = json_string_value(name);
        if (!text_is_id(id))
                return answer_error(400, "%s cannot be the id of a run", id);
        if (pid <= 0 || pid > INT32_MAX)
                return answer_error(400, "%" JSON_INTEGER_FORMAT " cannot be a pid", pid);
        if (file && file[0] != '/')
                return answer_error(400, "the file must be an absolute path, not %s", file);
        if (series && !series_is_wish(series))
                return answer_error(400, "series is token, graph, op:NAME or marker:NAME, not %s",
                                    series);
        r = runs_register(s, id, command, (pid_t)pid, file, &run);
        if (r == -EEXIST)
                return answer_error(409, "there is a run named %s already", id);
        if (r)
                return answer_error(500, "%s", strerror(-r));
        text_clean(run->command);
        run->series = series ? strdup(series) : NULL;
        runs_flush(s, run); /* what is wrong with its file should be known now */
        a = answer_document(json_pack("{s:s, s:s?, s:s?}", "id", run->id, "file", run->path,
                                      "warning", run->trouble));
        if (a.status == 200)
                a.status = 201;
        return a;
}

static struct answer put_exit(struct server *s, const char *id, const json_t *q)
{
        json_int_t code = -1, sig = -1;
        struct run *run = runs_find(s, id);
        json_error_t e;

        if (!run)
                run = runs_revive(s, id); /* `record` saw a daemon die in between */
        if (!run)
                return answer_no_run(id);
        if (json_unpack_ex((json_t *)q, &e, 0, "{s?I, s?I !}", "code", &code, "signal", &sig))
                return answer_error(400, "not an exit: %s", e.text);
        if ((code < 0) == (sig < 0) || code > 255 || sig > 64)
                return answer_error(400,
                                    "an exit is either {\"code\": 0..255} or {\"signal\": 1..64}");
        runs_tell_end(run, code >= 0 ? RUNFILE_END_CODE : RUNFILE_END_SIGNAL,
                      (int)(code >= 0 ? code : sig));
        server_refresh(s, run);
        return answer_document(json_pack("{s:s, s:s?, s:s?}", "id", run->id, "file", run->path,
                                         "warning", run->trouble));
}

static struct answer post_stop(struct server *s)
{
        s->stopping = true;
        return answer_document(json_pack("{s:b}", "stopping", 1));
}

enum route {
        ROUTE_STATUS,
        ROUTE_RUNS,
        ROUTE_SWITCH,
        ROUTE_MARK,
        ROUTE_STOP,
        ROUTE_REPORT,
        ROUTE_MEMORY,
        ROUTE_THREADS,
        ROUTE_WAITS,
        ROUTE_SPAWNS,
        ROUTE_LEDGER,
        ROUTE_LAYERS,
        ROUTE_TOKENS,
        ROUTE_EXPLAIN,
        ROUTE_ROOFLINE,
        ROUTE_TOP,
        ROUTE_EXIT,
        N_ROUTES,
};

static const struct {
        const char *path; /* ID stands for one segment */
        const char *get, *post, *put, *allow;
} routes[N_ROUTES] = {
        [ROUTE_STATUS] = {"/v1/status", "y", NULL, NULL, "GET"},
        [ROUTE_RUNS] = {"/v1/runs", "y", "y", NULL, "GET, POST"},
        [ROUTE_SWITCH] = {"/v1/switch", NULL, "y", NULL, "POST"},
        [ROUTE_MARK] = {"/v1/mark", NULL, "y", NULL, "POST"},
        [ROUTE_STOP] = {"/v1/stop", NULL, "y", NULL, "POST"},
        [ROUTE_REPORT] = {"/v1/runs/ID/report", "y", NULL, NULL, "GET"},
        [ROUTE_MEMORY] = {"/v1/runs/ID/memory", "y", NULL, NULL, "GET"},
        [ROUTE_THREADS] = {"/v1/runs/ID/threads", "y", NULL, NULL, "GET"},
        [ROUTE_WAITS] = {"/v1/runs/ID/waits", "y", NULL, NULL, "GET"},
        [ROUTE_SPAWNS] = {"/v1/runs/ID/spawns", "y", NULL, NULL, "GET"},
        [ROUTE_LEDGER] = {"/v1/runs/ID/ledger", "y", NULL, NULL, "GET"},
        [ROUTE_LAYERS] = {"/v1/runs/ID/layers", "y", NULL, NULL, "GET"},
        [ROUTE_TOKENS] = {"/v1/runs/ID/tokens", "y", NULL, NULL, "GET"},
        [ROUTE_EXPLAIN] = {"/v1/runs/ID/explain", "y", NULL, NULL, "GET"},
        [ROUTE_ROOFLINE] = {"/v1/runs/ID/roofline", "y", NULL, NULL, "GET"},
        [ROUTE_TOP] = {"/v1/runs/ID/top", "y", NULL, NULL, "GET"},
        [ROUTE_EXIT] = {"/v1/runs/ID/exit", NULL, NULL, "y", "PUT"},
};

static bool matches(const char *pattern, const char *path, char *ret_id, size_t size)
{
        const char *hole = strstr(pattern, "ID"), *rest, *end;
        size_t n;

        if (!hole)
                return !strcmp(pattern, path);
        n = (size_t)(hole - pattern);
        if (strncmp(path, pattern, n))
                return false;
        rest = path + n;
        end = strchr(rest, '/');
        if (!end || end == rest || (size_t)(end - rest) >= size || strcmp(end, hole + 2))
                return false;
        memcpy(ret_id, rest, (size_t)(end - rest));
        ret_id[end - rest] = '\0';
        return true;
}

struct answer api_route(struct server *s, const char *method, const char *path, const json_t *args,
                        const json_t *q)
{
        bool get = !strcmp(method, "GET") || !strcmp(method, "HEAD");
        char id[256] = "";
        int i = 0;

        while (i < N_ROUTES && !matches(routes[i].path, path, id, sizeof(id)))
                i++;
        if (i == N_ROUTES)
                return answer_error(404, "there is no %s; infprof-api(7) lists what there is",
                                    path);
        if (!(get && routes[i].get) && !(!strcmp(method, "POST") && routes[i].post) &&
            !(!strcmp(method, "PUT") && routes[i].put)) {
                struct answer a = answer_error(405, "%s does not go with %s; %s does", method, path,
                                               routes[i].allow);

                a.allow = routes[i].allow;
                return a;
        }
        switch ((enum route)i) {
        case ROUTE_STATUS:
                return answer_document(api_status_document(s));
        case ROUTE_RUNS:
                return get ? answer_document(api_runs_document(s)) : post_run(s, q);
        case ROUTE_SWITCH:
                return post_switch(s, q);
        case ROUTE_MARK:
                return api_mark(s, args);
        case ROUTE_STOP:
                return post_stop(s);
        case ROUTE_REPORT:
                return api_run_report(s, id);
        case ROUTE_MEMORY:
                return api_run_memory(s, id, args);
        case ROUTE_THREADS:
                return api_run_threads(s, id);
        case ROUTE_WAITS:
                return api_run_waits(s, id);
        case ROUTE_SPAWNS:
                return api_run_spawns(s, id);
        case ROUTE_LEDGER:
                return api_run_ledger(s, id);
        case ROUTE_LAYERS:
                return api_run_layers(s, id);
        case ROUTE_TOKENS:
                return api_run_tokens(s, id);
        case ROUTE_EXPLAIN:
                return api_run_explain(s, id);
        case ROUTE_ROOFLINE:
                return api_run_roofline(s, id);
        case ROUTE_TOP:
                return get_top(s, id);
        case ROUTE_EXIT:
                return put_exit(s, id, q);
        case N_ROUTES:
                break;
        }
        return answer_error(500, "no such route");
}
