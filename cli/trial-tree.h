/* SPDX-License-Identifier: MIT */
/*
 * The processes of a trial, looked at from outside: all that descends from us and was not there
 * before. Private to cli/trial*.c.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct trial_tree {
        pid_t *pids;
        size_t n, room;
        pid_t *before; /* children that we had already */
        size_t n_before, room_before;
};

/* To be called before the command is there. */
void trial_tree_init(struct trial_tree *ret);
void trial_tree_done(struct trial_tree *t);

/* Finds them anew. `command` is one of them in any case, 0: it is over. */
void trial_tree_look(struct trial_tree *t, pid_t command);

/* Resident memory of those found; what several share counts for each. */
uint64_t trial_tree_resident(const struct trial_tree *t);

/* Those found that are more than a zombie. */
size_t trial_tree_living(const struct trial_tree *t);

void trial_tree_signal(const struct trial_tree *t, int number);
