/* SPDX-License-Identifier: MIT */
/* By what a program or library is known, wherever its file lies: the build id in its notes. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#define BUILD_ID_SIZE 129 /* hex digits and the NUL */

/*
 * The build id of the file at `path`, if it is an ELF file that has one and has not changed since
 * `run` (of a document) began: else it may be another than the one that ran.
 */
bool build_id_of_file(char ret[BUILD_ID_SIZE], const char *path, const json_t *run);
