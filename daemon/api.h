/* SPDX-License-Identifier: MIT */
/* HTTP over a unix socket: see infprof-api(7). */
#pragma once

struct api;
struct server;

int api_open(struct api **ret, struct server *s, char **ret_why);
struct api *api_close(struct api *api);

int api_fd(const struct api *api); /* to be watched for reading */
void api_serve(struct api *api);
