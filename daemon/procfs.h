/* SPDX-License-Identifier: MIT */
/* What /proc tells of a process. Strings are clean, never NULL but for want of memory, to be freed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* In a pid namespace of our own, /proc may still be that of another one: the numbers in it are not
   those that we know processes by. What is asked of it by number is not known then. */
bool procfs_is_ours(void);

char *procfs_command(pid_t pid); /* as a shell would want it; "?" when it is gone */
char *procfs_exe(pid_t pid);
pid_t procfs_parent(pid_t pid); /* 0: not known */

/* false: gone, or not ours to see */
bool procfs_thread_name(pid_t pid, int64_t tid, char *ret, size_t size);
bool procfs_thread_state(pid_t pid, int64_t tid, char *ret); /* 'R', 'S', 'D', ... */
bool procfs_thread_cpu_ns(pid_t pid, int64_t tid, uint64_t *ret);

/* The wait status of a process that is dead and not yet reaped. */
bool procfs_zombie_status(pid_t pid, int *ret_status);

uint64_t procfs_resident_bytes(pid_t pid); /* 0: not known */

/* A file of at most `size` - 1 bytes, terminated; its length, or a negative errno. */
ssize_t procfs_read(const char *path, char *buf, size_t size);
