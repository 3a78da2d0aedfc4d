/* SPDX-License-Identifier: MIT */
/* What a verb makes, written to where -o says. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Writes `data` to the file `path` ("-" or NULL: to stdout), whole or not at all: until it is
 * written, what stood there stays. CMD_DONE, or CMD_NO after one line on stderr.
 */
int out_file_write(const char *verb, const char *path, const void *data, size_t bytes);

/* Can `path` be written later on, as far as can be told before? CMD_DONE; or CMD_NO after one line.
 */
int out_file_can(const char *verb, const char *path);

/* May `path` be made? CMD_DONE; or CMD_NO after one line: something is there, and `force` was not
 * given. */
int out_file_check(const char *verb, const char *path, bool force);
