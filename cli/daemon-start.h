/* SPDX-License-Identifier: MIT */
/*
 * Starts infprofd where a verb needs one.
 */
#pragma once

/*
 * Sees to it that a daemon listens. $INFPROF_DAEMON is auto (the default: start
 * the one that belongs to this infprof), off (never start one) or the path of another. 0, or a
 * negative errno with one line in `ret_why`, to be freed.
 */
int daemon_ensure(char **ret_why);

/* The daemon that daemon_ensure() would start; to be freed; NULL: there is none. */
char *daemon_find(void);
