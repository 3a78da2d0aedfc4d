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

/* daemon/api-routes.c; `q` is the body, an empty object where there was none */
struct answer api_route(struct server *s, const char *method, const char *path, const json_t *q);

/* daemon/api-status.c */
json_t *api_status_document(struct server *s);
json_t *api_runs_document(struct server *s);

/* daemon/api-top.c */
json_t *api_top_document(struct server *s, struct run *run, const struct process *only);
