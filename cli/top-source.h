/* SPDX-License-Identifier: MIT */
/*
 * Where top's documents come from: one run, asked for every so often, over
 * ends and comebacks of the daemon.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct top_source;
struct pollfd;

enum source_event {
        SOURCE_NOTHING,   /* time, or a descriptor that can be read */
        SOURCE_DOCUMENT,  /* *ret_document is new, and the caller's */
        SOURCE_NO_ENGINE, /* no run was named, and nothing is being profiled */
        SOURCE_NO_RUN,    /* the daemon does not know the run */
        SOURCE_STOPPED,   /* no daemon: it ended in good order */
        SOURCE_CRASHED,   /* no daemon: it left its socket behind. Another was started */
        SOURCE_TROUBLE,
};

/* `run`: an id, a pid, or NULL for the newest engine that lives. */
int source_new(struct top_source **ret, const char *run, double delay_s);
struct top_source *source_free(struct top_source *s);

void source_set_delay(struct top_source *s, double delay_s);
double source_delay(const struct top_source *s);

/* Asks at once, about the next engine that lives. */
void source_next_run(struct top_source *s);

/* Sleeps as feed_wait() does. *ret_why, for all but the first two, may be NULL; to be freed. */
enum source_event source_wait(struct top_source *s, struct pollfd *fds, unsigned n, int timeout_ms,
                              json_t **ret_document, char **ret_why);
