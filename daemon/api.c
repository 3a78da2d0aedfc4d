/* SPDX-License-Identifier: MIT */
/*
 * The API's outside: HTTP by libmicrohttpd on our own socket and in our own
 * loop, and who may ask. A question is answered as soon as it is read to its
 * end, by daemon/api-routes.c.
 *
 * What comes in is bounded before it is looked at.
 */
#include "daemon/api.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <infprof/handshake.h>

#include "daemon/api-private.h"
#include "daemon/intake.h"
#include "daemon/text.h"

#define MAX_BODY        65536u
#define MAX_URI         2048u
#define MAX_HEAD        (512u << 10) /* a request line up to here is still answered in our words */
#define MAX_CONNECTIONS 64u
#define TIMEOUT_S       30u

struct api {
        struct server *server;
        struct MHD_Daemon *http;
        int listener, epoll;
};

/* One request on its way in. */
struct question {
        char *body;
        size_t n_body;
        bool begun, too_big;
        size_t uri_bytes;
};

static enum MHD_Result reply(struct MHD_Connection *c, struct answer a)
{
        char *text = json_dumps(a.body, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
        struct MHD_Response *r;
        enum MHD_Result done;

        json_decref(a.body);
        if (!text)
                return MHD_NO;
        r = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
        if (!r) {
                free(text);
                return MHD_NO;
        }
        MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
        MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
        if (a.allow)
                MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, a.allow);
        done = MHD_queue_response(c, a.status, r);
        MHD_destroy_response(r);
        return done;
}

static bool is_own_user(struct MHD_Connection *c)
{
        const union MHD_ConnectionInfo *info =
                MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
        struct ucred peer;
        socklen_t n = sizeof(peer);

        return info && !getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) &&
               peer.uid == geteuid();
}

static bool is_json(struct MHD_Connection *c)
{
        const char *type =
                MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE);
        size_t n = strlen("application/json");

        return type && !strncasecmp(type, "application/json", n) &&
               (!type[n] || type[n] == ';' || type[n] == ' ');
}

/* One argument of the URL. MHD has undone the %XX. */
static enum MHD_Result take_argument(void *userdata, enum MHD_ValueKind kind, const char *key,
                                     const char *value)
{
        char *k = text_copy(key, strlen(key)), *v = value ? text_copy(value, strlen(value)) : NULL;

        if (k && v)
                json_object_set_new(userdata, k, json_string(v));
        free(k);
        free(v);
        return MHD_YES;
}

static json_t *arguments(struct MHD_Connection *c)
{
        json_t *args = json_object();

        if (args)
                MHD_get_connection_values(c, MHD_GET_ARGUMENT_KIND, take_argument, args);
        return args;
}

static struct answer answer(struct api *api, struct MHD_Connection *c, struct question *q,
                            const char *path, const char *method)
{
        bool sends = !strcmp(method, "POST") || !strcmp(method, "PUT");
        struct answer a;
        json_t *body = NULL, *args;
        json_error_t e;

        if (!is_own_user(c))
                return answer_error(403, "this daemon serves another user");
        if (q->uri_bytes > MAX_URI)
                return answer_error(414, "the request line is longer than %u bytes", MAX_URI);
        if (q->too_big)
                return answer_error(413, "the body is longer than %u bytes", MAX_BODY);
        if (sends && q->n_body) {
                if (!is_json(c))
                        return answer_error(415, "the body must be application/json");
                body = json_loadb(q->body, q->n_body, JSON_REJECT_DUPLICATES, &e);
                if (!body)
                        return answer_error(400, "the body is not JSON: %s", e.text);
        } else {
                body = json_object();
        }
        args = arguments(c);
        a = api_route(api->server, method, path, args, body);
        json_decref(args);
        json_decref(body);
        return a;
}

static void collect(struct question *q, const char *data, size_t n)
{
        char *body;

        if (q->too_big || n > MAX_BODY - q->n_body) {
                q->too_big = true;
                return;
        }
        body = realloc(q->body, q->n_body + n);
        if (!body) {
                q->too_big = true;
                return;
        }
        memcpy(body + q->n_body, data, n);
        q->body = body;
        q->n_body += n;
}

/* Called first of all for a request, with its whole URI. */
static void *begin(void *userdata, const char *uri, struct MHD_Connection *c)
{
        struct question *q = calloc(1, sizeof(*q));

        if (q)
                q->uri_bytes = strlen(uri);
        return q;
}

static enum MHD_Result handle(void *userdata, struct MHD_Connection *c, const char *path,
                              const char *method, const char *version, const char *data,
                              size_t *n_data, void **state)
{
        struct api *api = userdata;
        struct question *q = *state;

        if (!q)
                return MHD_NO;
        if (*n_data) {
                collect(q, data, *n_data);
                *n_data = 0;
                return MHD_YES;
        }
        /* The first call comes before the body; an answer then would end the request, unread. */
        if (!q->begun && q->uri_bytes <= MAX_URI) {
                q->begun = true;
                return MHD_YES;
        }
        api->server->active_ns = clock_mono_ns();
        return reply(c, answer(api, c, q, path, method));
}

static void done(void *userdata, struct MHD_Connection *c, void **state,
                 enum MHD_RequestTerminationCode code)
{
        struct question *q = *state;

        if (q)
                free(q->body);
        free(q);
        *state = NULL;
}

int api_open(struct api **ret, struct server *s, char **ret_why)
{
        struct api *api = calloc(1, sizeof(*api));
        const union MHD_DaemonInfo *info;

        if (!api)
                return -ENOMEM;
        api->server = s;
        api->listener = intake_listen(s->runtime_dir, IFP_API_SOCKET, SOCK_STREAM, ret_why);
        if (api->listener < 0) {
                int r = api->listener;

                free(api);
                return r;
        }
        api->http = MHD_start_daemon(
                MHD_USE_EPOLL, 0, NULL, NULL, handle, api, MHD_OPTION_LISTEN_SOCKET, api->listener,
                MHD_OPTION_CONNECTION_LIMIT, MAX_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
                TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MAX_HEAD,
                MHD_OPTION_URI_LOG_CALLBACK, begin, NULL, MHD_OPTION_NOTIFY_COMPLETED, done, NULL,
                MHD_OPTION_END);
        info = api->http ? MHD_get_daemon_info(api->http, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
        if (!info) {
                *ret_why =
                        text_format("cannot serve HTTP at %s/%s", s->runtime_dir, IFP_API_SOCKET);
                close(api->listener);
                api_close(api);
                return -EIO;
        }
        api->epoll = info->epoll_fd;
        *ret = api;
        return 0;
}

struct api *api_close(struct api *api)
{
        if (!api)
                return NULL;
        if (api->http) {
                char path[4096];

                snprintf(path, sizeof(path), "%s/%s", api->server->runtime_dir, IFP_API_SOCKET);
                unlink(path);
                MHD_stop_daemon(api->http); /* closes the listener too */
        }
        free(api);
        return NULL;
}

int api_fd(const struct api *api)
{
        return api->epoll;
}

void api_serve(struct api *api)
{
        MHD_UNSIGNED_LONG_LONG left;

        /* It says 0 as long as something it has read waits to be worked on. */
        for (int i = 0; i < 1000; i++) {
                MHD_run(api->http);
                if (MHD_get_timeout(api->http, &left) != MHD_YES || left)
                        break;
        }
}
