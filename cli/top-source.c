/* SPDX-License-Identifier: MIT */
/*
 * Where top's documents come from. It asks, waits `delay`, asks again; never
 * two questions at once. Which run is meant is settled by the daemon's status
 * where the user named none, and stays.
 */
#include "cli/top-source.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <infprof/handshake.h>

#include "cli/api-client.h"
#include "cli/daemon-start.h"
#include "cli/text.h"
#include "common/paths.h"

#define REVIVE_NS 5000000000u

struct top_source {
        struct api_feed *feed;
        char *run;     /* id or pid; NULL: not settled */
        char *after;   /* the run to go on from; NULL: the newest */
        bool settling; /* the question under way is for the status */
        uint64_t delay_ns, next_ns;
        char *crash_why;    /* why no other daemon could be started, or NULL */
        uint64_t revive_ns; /* no daemon is started before */
};

static uint64_t now_ns(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int source_new(struct top_source **ret, const char *run, double delay_s)
{
        struct top_source *s = calloc(1, sizeof(*s));

        if (!s || feed_new(&s->feed) < 0 || (run && !(s->run = strdup(run)))) {
                source_free(s);
                return -ENOMEM;
        }
        source_set_delay(s, delay_s);
        *ret = s;
        return 0;
}

struct top_source *source_free(struct top_source *s)
{
        if (s) {
                feed_free(s->feed);
                free(s->run);
                free(s->after);
                free(s->crash_why);
                free(s);
        }
        return NULL;
}

void source_set_delay(struct top_source *s, double delay_s)
{
        s->delay_ns = (uint64_t)(delay_s * 1e9);
        if (s->next_ns > now_ns() + s->delay_ns)
                s->next_ns = now_ns() + s->delay_ns;
}

double source_delay(const struct top_source *s)
{
        return (double)s->delay_ns / 1e9;
}

void source_next_run(struct top_source *s)
{
        free(s->after);
        s->after = s->run;
        s->run = NULL;
        s->next_ns = 0;
}

static int ask(struct top_source *s)
{
        bool is_pid = s->run && s->run[strspn(s->run, "0123456789")] == '\0';
        char *escaped = NULL, *path = NULL;
        int r = -ENOMEM;

        s->settling = !s->run;
        if (s->settling)
                return feed_ask(s->feed, "/v1/status");
        escaped = api_escape(s->run);
        if (escaped && asprintf(&path, "/v1/runs/%s%s/top", is_pid ? "pid:" : "", escaped) >= 0) {
                r = feed_ask(s->feed, path);
                free(path);
        }
        free(escaped);
        return r;
}

/* Chooses among the engines that live: the newest, or the next one after `after`, going around. */
static bool settle(struct top_source *s, const json_t *status)
{
        const json_t *processes = json_object_get(status, "processes"), *p;
        const char *run, *newest = NULL, *oldest = NULL, *next = NULL;
        size_t i;

        json_array_foreach(processes, i, p)
        {
                run = text_string(p, "run", NULL);
                if (!run || strcmp(text_string(p, "state", ""), "live") != 0)
                        continue;
                if (!newest || strcmp(run, newest) > 0)
                        newest = run;
                if (!oldest || strcmp(run, oldest) < 0)
                        oldest = run;
                if (s->after && strcmp(run, s->after) > 0 && (!next || strcmp(run, next) < 0))
                        next = run;
        }
        run = s->after ? (next ? next : oldest) : newest;
        if (!run && s->after) /* nothing else lives: stay */
                run = s->after;
        s->run = run ? strdup(run) : NULL;
        return s->run;
}

/* A daemon that ended in good order takes its socket with it. */
static bool has_crashed(void)
{
        char *dir, *path = NULL;
        bool is = false;

        if (ifp_runtime_dir(false, &dir, NULL) < 0)
                return false;
        if (asprintf(&path, "%s/" IFP_API_SOCKET, dir) >= 0) {
                is = access(path, F_OK) == 0;
                free(path);
        }
        free(dir);
        return is;
}

/* No daemon. After a crash another is started, but not in a tight circle. */
static enum source_event absent(struct top_source *s, char **ret_why)
{
        char *why = NULL;

        if (!has_crashed())
                return SOURCE_STOPPED;
        if (now_ns() >= s->revive_ns) {
                s->revive_ns = now_ns() + REVIVE_NS;
                free(s->crash_why);
                s->crash_why = NULL;
                if (daemon_ensure(&why) < 0 &&
                    asprintf(&s->crash_why, "infprofd has crashed; %s",
                             why ? why : "another cannot be started") < 0)
                        s->crash_why = NULL;
                free(why);
        }
        free(*ret_why);
        *ret_why = s->crash_why ? strdup(s->crash_why) : NULL;
        return SOURCE_CRASHED;
}

static enum source_event answered(struct top_source *s, int error, json_t *document,
                                  json_t **ret_document, char **ret_why)
{
        if (error == API_E_ABSENT)
                return absent(s, ret_why);
        if (error == API_E_NOT_FOUND && !s->settling)
                return SOURCE_NO_RUN;
        if (error)
                return SOURCE_TROUBLE;
        if (!s->settling) {
                *ret_document = document;
                return SOURCE_DOCUMENT;
        }
        s->next_ns = settle(s, document) ? 0 : now_ns() + s->delay_ns;
        json_decref(document);
        return s->run ? SOURCE_NOTHING : SOURCE_NO_ENGINE;
}

enum source_event source_wait(struct top_source *s, struct pollfd *fds, unsigned n, int timeout_ms,
                              json_t **ret_document, char **ret_why)
{
        uint64_t now = now_ns(), left;
        json_t *document = NULL;
        int error = 0;

        *ret_why = NULL;
        if (!feed_asking(s->feed) && now >= s->next_ns) {
                s->next_ns = now + s->delay_ns;
                error = ask(s);
                if (error) {
                        for (unsigned i = 0; i < n; i++)
                                fds[i].revents = 0;
                        return answered(s, error, NULL, ret_document, ret_why);
                }
        }
        left = s->next_ns > now ? s->next_ns - now : 0;
        if (!feed_asking(s->feed) && left / 1000000 + 1 < (uint64_t)timeout_ms)
                timeout_ms = (int)(left / 1000000) + 1;
        if (!feed_wait(s->feed, fds, n, timeout_ms, &error, &document, ret_why))
                return SOURCE_NOTHING;
        return answered(s, error, document, ret_document, ret_why);
}
