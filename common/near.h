/* SPDX-License-Identifier: MIT */
/* How far two names are from each other, for what is offered to somebody who mistyped one. */
#pragma once

#include <stddef.h>

/* Changes of a letter that make one of the other (Levenshtein, Binary codes capable of correcting
 * deletions, insertions and reversals, 1966). SIZE_MAX: one is longer than 64 bytes. */
size_t near_distance(const char *a, const char *b);
