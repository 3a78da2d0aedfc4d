/* SPDX-License-Identifier: MIT */
/*
 * The stacks of an infprof.memory/1 document as a profile for pprof: the four values of Go's heap
 * profiles for each.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The profile, compressed as pprof wants it. `default_type` is the value that pprof shows unasked,
 * as "inuse_space". 0, or -ENOMEM; *ret is to be freed.
 */
int pprof_encode(const json_t *document, const char *default_type, uint8_t **ret,
                 size_t *ret_bytes);
