/* SPDX-License-Identifier: MIT */
/*
 * Questions to the daemon. libcurl speaks HTTP over the unix socket; what
 * comes back is JSON or an error. Proxies of the environment and redirects are
 * not ours: whatever is said is said to this one socket.
 */
#include "cli/api-client.h"

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include <infprof/handshake.h>

#include "cli/cmd.h"
#include "common/paths.h"

#define MAX_ANSWER_BYTES (256u << 20)
#define MAX_FEED_FDS     8u

/* One question under way and what has come of its answer. */
struct request {
        CURL *easy;
        struct curl_slist *headers;
        char *question;
        char *answer;
        size_t n_answer;
        bool too_long;
};

struct api_feed {
        CURLM *multi;
        struct request *request; /* NULL: nothing was asked */
};

__attribute__((format(printf, 3, 4))) static int fail(int error, char **ret_why, const char *format,
                                                      ...)
{
        va_list ap;

        if (ret_why) {
                va_start(ap, format);
                if (vasprintf(ret_why, format, ap) < 0)
                        *ret_why = NULL;
                va_end(ap);
        }
        return error;
}

static size_t take(char *data, size_t size, size_t n, void *userdata)
{
        struct request *r = userdata;
        char *grown;

        n *= size;
        if (r->n_answer + n > MAX_ANSWER_BYTES) {
                r->too_long = true;
                return 0;
        }
        grown = realloc(r->answer, r->n_answer + n + 1);
        if (!grown)
                return 0;
        memcpy(grown + r->n_answer, data, n);
        r->answer = grown;
        r->n_answer += n;
        r->answer[r->n_answer] = '\0';
        return n;
}

static struct request *request_free(struct request *r)
{
        if (!r)
                return NULL;
        curl_easy_cleanup(r->easy);
        curl_slist_free_all(r->headers);
        free(r->question);
        free(r->answer);
        free(r);
        return NULL;
}

static long patience_ms = 30000;

void api_hurry(long ms)
{
        patience_ms = ms;
}

/* The socket's path; the directory is checked to be ours first. */
static int find_socket(char **ret_path, char **ret_why)
{
        char *dir, *path;
        int r;

        r = ifp_runtime_dir(false, &dir, ret_why);
        if (r == -ENOENT) {
                if (ret_why)
                        free(*ret_why);
                return fail(API_E_ABSENT, ret_why, "no infprofd is running");
        }
        if (r < 0)
                return r;
        r = asprintf(&path, "%s/" IFP_API_SOCKET, dir);
        free(dir);
        if (r < 0)
                return -ENOMEM;
        if ((size_t)r >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
                r = fail(-ENAMETOOLONG, ret_why,
                         "%s is too long for a socket; set XDG_RUNTIME_DIR to a shorter one", path);
                free(path);
                return r;
        }
        *ret_path = path;
        return 0;
}

static int request_new(struct request **ret, const char *method, const char *path,
                       const json_t *body, char **ret_why)
{
        struct request *r;
        char *socket = NULL, url[4096];
        int e;

        if ((size_t)snprintf(url, sizeof(url), "http://infprof%s", path) >= sizeof(url))
                return fail(-ENAMETOOLONG, ret_why, "the name asked for is too long");
        e = find_socket(&socket, ret_why);
        if (e)
                return e;
        r = calloc(1, sizeof(*r));
        if (r)
                r->easy = curl_easy_init();
        if (!r || !r->easy) {
                free(socket);
                request_free(r);
                return -ENOMEM;
        }
        curl_easy_setopt(r->easy, CURLOPT_UNIX_SOCKET_PATH, socket);
        free(socket);
        curl_easy_setopt(r->easy, CURLOPT_URL, url);
        curl_easy_setopt(r->easy, CURLOPT_NOPROXY, "*");
        curl_easy_setopt(r->easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(r->easy, CURLOPT_CONNECTTIMEOUT_MS,
                         patience_ms < 2000 ? patience_ms : 2000L);
        curl_easy_setopt(r->easy, CURLOPT_TIMEOUT_MS, patience_ms);
        curl_easy_setopt(r->easy, CURLOPT_CUSTOMREQUEST, method);
        curl_easy_setopt(r->easy, CURLOPT_WRITEFUNCTION, take);
        curl_easy_setopt(r->easy, CURLOPT_WRITEDATA, r);
        curl_easy_setopt(r->easy, CURLOPT_PRIVATE, r);
        if (body || !strcmp(method, "POST")) {
                r->question = body ? json_dumps(body, JSON_COMPACT) : strdup("{}");
                r->headers = curl_slist_append(r->headers, "Content-Type: application/json");
                r->headers = curl_slist_append(r->headers, "Expect:");
                if (!r->question || !r->headers) {
                        request_free(r);
                        return -ENOMEM;
                }
                curl_easy_setopt(r->easy, CURLOPT_POSTFIELDS, r->question);
                curl_easy_setopt(r->easy, CURLOPT_POSTFIELDSIZE, (long)strlen(r->question));
        }
        curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers);
        *ret = r;
        return 0;
}

/* What a finished request means. */
static int request_result(struct request *r, CURLcode code, json_t **ret, char **ret_why)
{
        const char *message = NULL;
        json_error_t error;
        json_t *document;
        long status = 0;
        int e;

        if (code == CURLE_COULDNT_CONNECT)
                return fail(API_E_ABSENT, ret_why, "no infprofd is running");
        if (code == CURLE_OPERATION_TIMEDOUT)
                return fail(API_E_BROKEN, ret_why,
                            "infprofd does not answer; infprof stop ends it");
        if (r->too_long)
                return fail(API_E_BROKEN, ret_why, "infprofd's answer is longer than %u MiB",
                            MAX_ANSWER_BYTES >> 20);
        if (code != CURLE_OK)
                return fail(API_E_BROKEN, ret_why, "infprofd broke off: %s",
                            curl_easy_strerror(code));
        curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
        document = r->answer ? json_loadb(r->answer, r->n_answer, 0, &error) : NULL;
        if (status < 300 && !document && status != 204)
                return fail(API_E_BROKEN, ret_why, "infprofd's answer is not JSON: %s",
                            r->answer ? error.text : "it is empty");
        if (status >= 300) {
                json_unpack(document, "{s:{s:s}}", "error", "message", &message);
                e = status == 404 ? API_E_NOT_FOUND : API_E_REFUSED;
                if (message)
                        e = fail(e, ret_why, "%s", message);
                else
                        e = fail(e, ret_why, "infprofd answered with status %ld", status);
                json_decref(document);
                return e;
        }
        if (ret)
                *ret = document;
        else
                json_decref(document);
        return 0;
}

int api_send(const char *method, const char *path, const json_t *body, json_t **ret, char **ret_why)
{
        struct request *r;
        int e;

        if (ret_why)
                *ret_why = NULL;
        e = request_new(&r, method, path, body, ret_why);
        if (e)
                return e;
        e = request_result(r, curl_easy_perform(r->easy), ret, ret_why);
        request_free(r);
        return e;
}

int api_get(const char *path, json_t **ret, char **ret_why)
{
        return api_send("GET", path, NULL, ret, ret_why);
}

char *api_escape(const char *text)
{
        char *escaped = curl_easy_escape(NULL, text, 0), *copy = escaped ? strdup(escaped) : NULL;

        curl_free(escaped);
        return copy;
}

int api_failed(const char *verb, int error, char *why)
{
        if (why)
                cmd_error(verb, "%s", why);
        else
                cmd_error(verb, "cannot ask infprofd: %s",
                          error < 0 ? strerror(-error) : "it refused");
        free(why);
        return error == API_E_REFUSED ? CMD_NO : CMD_NOTHING;
}

int feed_new(struct api_feed **ret)
{
        struct api_feed *f = calloc(1, sizeof(*f));

        if (f)
                f->multi = curl_multi_init();
        if (!f || !f->multi) {
                free(f);
                return -ENOMEM;
        }
        *ret = f;
        return 0;
}

static void drop_request(struct api_feed *f)
{
        if (f->request)
                curl_multi_remove_handle(f->multi, f->request->easy);
        f->request = request_free(f->request);
}

struct api_feed *feed_free(struct api_feed *f)
{
        if (f) {
                drop_request(f);
                curl_multi_cleanup(f->multi);
                free(f);
        }
        return NULL;
}

int feed_ask(struct api_feed *f, const char *path)
{
        int e;

        drop_request(f);
        e = request_new(&f->request, "GET", path, NULL, NULL);
        if (e)
                return e;
        if (curl_multi_add_handle(f->multi, f->request->easy) != CURLM_OK) {
                f->request = request_free(f->request);
                return -ENOMEM;
        }
        return 0;
}

bool feed_asking(const struct api_feed *f)
{
        return f->request;
}

int feed_wait(struct api_feed *f, struct pollfd *fds, unsigned n, int timeout_ms, int *ret_error,
              json_t **ret, char **ret_why)
{
        struct curl_waitfd extra[MAX_FEED_FDS];
        struct CURLMsg *msg;
        int running, left;

        for (unsigned i = 0; i < n && i < MAX_FEED_FDS; i++)
                extra[i] = (struct curl_waitfd){.fd = fds[i].fd, .events = CURL_WAIT_POLLIN};
        for (unsigned i = 0; i < n; i++)
                fds[i].revents = 0;
        curl_multi_perform(f->multi, &running);
        msg = curl_multi_info_read(f->multi, &left);
        if (!msg) {
                curl_multi_poll(f->multi, extra, n, timeout_ms, NULL);
                for (unsigned i = 0; i < n && i < MAX_FEED_FDS; i++)
                        fds[i].revents = extra[i].revents ? POLLIN : 0;
                curl_multi_perform(f->multi, &running);
                msg = curl_multi_info_read(f->multi, &left);
        }
        if (!msg || msg->msg != CURLMSG_DONE)
                return 0;
        *ret_why = NULL;
        *ret = NULL;
        *ret_error = request_result(f->request, msg->data.result, ret, ret_why);
        drop_request(f);
        return 1;
}
