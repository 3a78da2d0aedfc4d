/* SPDX-License-Identifier: MIT */
/* How a process ended. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "common/runfile.h"

/* A pidfd, or a negative errno. */
int ending_watch(pid_t pid);

/* Is it dead? (The pidfd can be polled for that too.) */
bool ending_is_dead(int pidfd);

/* Of a dead process. RUNFILE_END_UNKNOWN when nobody can tell. */
enum runfile_end ending_read(int pidfd, pid_t pid, int *ret_value);
