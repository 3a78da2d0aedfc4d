/* SPDX-License-Identifier: MIT */
/*
 * Questions to the daemon: the HTTP API of infprof-api(7) over its unix socket.
 *
 * 0 is success; API_E_* are part of the contract; a negative errno is fatal.
 * `ret_why`, which may be NULL, is set on any failure to one line for a
 * person, to be freed. Documents returned are owned by the caller.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

enum {
        API_E_ABSENT = 1,    /* no daemon listens */
        API_E_NOT_FOUND = 2, /* it knows no such run, process or path (404) */
        API_E_REFUSED = 3,   /* it would not, or could not: see `ret_why` */
        API_E_BROKEN = 4,    /* the conversation broke off, took too long, or was not ours */
};

/* From now on no question waits longer for its answer. */
void api_hurry(long ms);

int api_get(const char *path, json_t **ret, char **ret_why);

/* `body` may be NULL and is not consumed; so may `ret`. */
int api_send(const char *method, const char *path, const json_t *body, json_t **ret,
             char **ret_why);

/* `text` as one segment of a path; to be freed. */
char *api_escape(const char *text);

/*
 * The exit code for a failed question: nothing to answer from for an absent
 * daemon and an unknown run, else no. Says `why` (and frees it).
 */
int api_failed(const char *verb, int error, char *why);

/*
 * One question asked again and again without waiting for the answer, for a
 * screen that must stay awake. feed_wait() sleeps until an answer is there, `timeout_ms` have
 * passed (0) or one of the `n` descriptors in `fds` can be read (its revents is set).
 */
struct api_feed;
struct pollfd;

int feed_new(struct api_feed **ret);
struct api_feed *feed_free(struct api_feed *feed);

/* Asks; a question under way is dropped. */
int feed_ask(struct api_feed *feed, const char *path);
bool feed_asking(const struct api_feed *feed);

/* 1: answered: *ret_error is as of api_get(), *ret and *ret_why go with it. 0: not yet. */
int feed_wait(struct api_feed *feed, struct pollfd *fds, unsigned n, int timeout_ms, int *ret_error,
              json_t **ret, char **ret_why);
