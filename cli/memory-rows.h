/* SPDX-License-Identifier: MIT */
/*
 * A document infprof.memory/1 arranged for a reader: of one phase, by one of the four values
 * of a stack.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

struct categories;

enum memory_by {
        MEMORY_BY_ALLOC,
        MEMORY_BY_INUSE,
        MEMORY_BY_ALLOC_OBJECTS,
        MEMORY_BY_INUSE_OBJECTS,
        MEMORY_N_BY,
};

/* "alloc", "inuse", "alloc-objects", "inuse-objects"; and the member of a stack. */
extern const char *const memory_by_names[MEMORY_N_BY];
extern const char *const memory_by_members[MEMORY_N_BY];

bool memory_by_is_bytes(enum memory_by by);
bool memory_by_is_inuse(enum memory_by by);

bool memory_is_phase(const char *name);

/*
 * Keeps what belongs to the phase: its stacks, what ops did in it, and the categories of those
 * stacks by `c` (NULL: the built-in rules). 0, or a negative errno.
 */
int memory_keep_phase(json_t *document, const char *phase, const struct categories *c);

/* Sorts the stacks by the value, the greatest first; those equal keep their order. 0 or -ENOMEM. */
int memory_sort_stacks(json_t *document, enum memory_by by);

/* The sum of a member over an array of objects. */
double memory_sum(const json_t *rows, const char *member);
