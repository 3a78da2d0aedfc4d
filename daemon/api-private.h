/* SPDX-License-Identifier: MIT */
/* Between the parts of the API: a question, and what is answered. */
#pragma once

#include <jansson.h>

#include "daemon/server.h"

/* A status of HTTP and a document, which the caller owns. */
struct answer {
        unsigned status;
        json_t *body;
        const char *allow; /* with 405 */
};

struct answer answer_error(unsigned status, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

struct answer answer_document(json_t *body); /* NULL: there was no memory for it */
struct answer answer_no_run(const char *id);

/* daemon/api-routes.c; `args` are those of the URL, all strings; `q` is the body. Both are empty
 * objects where there was none. */
struct answer api_route(struct server *s, const char *method, const char *path, const json_t *args,
                        const json_t *q);

/* "latest", "pid:N" (then *ret_only is the process) or an id. NULL: not in memory. */
struct run *api_find_run(struct server *s, const char *id, const struct process **ret_only);

/* daemon/api-run.c: documents built from a run's file */
struct answer api_run_report(struct server *s, const char *id);
struct answer api_run_memory(struct server *s, const char *id, const json_t *args);
struct answer api_run_threads(struct server *s, const char *id);
struct answer api_run_waits(struct server *s, const char *id);
struct answer api_run_spawns(struct server *s, const char *id);
struct answer api_run_ledger(struct server *s, const char *id);
struct answer api_run_layers(struct server *s, const char *id);
struct answer api_run_tokens(struct server *s, const char *id);
struct answer api_run_explain(struct server *s, const char *id);
struct answer api_run_roofline(struct server *s, const char *id);

/* daemon/api-mark.c */
struct answer api_mark(struct server *s, const json_t *args);

/* daemon/api-status.c */
json_t *api_status_document(struct server *s);
json_t *api_runs_document(struct server *s);

/* daemon/api-top.c */
json_t *api_top_document(struct server *s, struct run *run, const struct process *only);
