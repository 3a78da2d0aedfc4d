/* SPDX-License-Identifier: MIT */
/* Where shims knock: see <infprof/handshake.h>. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct intake;
struct server;

int intake_open(struct intake **ret, struct server *s, char **ret_why);
struct intake *intake_close(struct intake *in);

int intake_fd(const struct intake *in); /* to be watched for reading */
void intake_serve(struct intake *in);

/* Those who connected and say nothing. */
uint64_t intake_deadline(const struct intake *in); /* UINT64_MAX: there are none */
void intake_expire(struct intake *in, uint64_t now_ns);

/*
 * Takes the sockets' names away, so that nobody knocks any more. True: somebody did
 * just before; he is served and the names are back.
 */
bool intake_retreat(struct intake *in);

/* A listening unix socket at DIR/NAME, mode 0600, in place of a stale one; its descriptor or a
 * negative errno with `ret_why`. */
int intake_listen(const char *dir, const char *name, int type, char **ret_why);
