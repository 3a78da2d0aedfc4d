/* SPDX-License-Identifier: MIT */
/*
 * Two runs beside each other for people: a view of infprof.diff-memory/1.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* At most `rows` of each list (0: all); lines of `width` columns (0: no limit). False: no memory.
 */
bool diff_memory_print(const json_t *document, size_t rows, unsigned width, FILE *f);
