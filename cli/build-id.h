/* SPDX-License-Identifier: MIT */
/* The build id of a file that a run names, if it still is the one that ran. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "common/build-id.h"

/*
 * The build id of the file at `path`, if it is an ELF file that has one and has not changed since
 * `run` (of a document) began: else it may be another than the one that ran.
 */
bool build_id_of_file(char ret[BUILD_ID_SIZE], const char *path, const json_t *run);
