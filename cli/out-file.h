/* SPDX-License-Identifier: MIT */
/* What a verb makes, written to where -o says. */
#pragma once

#include <stddef.h>

/*
 * Writes `data` to the file `path` (made anew; "-" or NULL: to stdout). CMD_DONE, or CMD_NO after
 * one line on stderr; a regular file that could not be written whole is gone then.
 */
int out_file_write(const char *verb, const char *path, const void *data, size_t bytes);
