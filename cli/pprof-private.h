/* SPDX-License-Identifier: MIT */
/*
 * What stacks are made of in a profile, each written once and then named by number. Private to
 * pprof*.c.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Things of one kind, which the table owns. */
struct pprof_table {
        json_t *numbers; /* by what tells them apart: the place in `items` */
        void **items;
        size_t n;
};

struct pprof_builder {
        const json_t *document;
        struct pprof_table strings, mappings, functions, locations, samples;
        bool failed; /* no memory: what follows is not done */
};

/* Takes `item` over; `key`, by which it is found again, may be NULL. Its place. */
size_t pprof_put(struct pprof_builder *b, struct pprof_table *t, const char *key, void *item);
void pprof_table_done(struct pprof_table *t, void (*free_item)(void *));

/* Of all tables but the samples. */
void pprof_builder_done(struct pprof_builder *b);

/* The number of a text. */
int64_t pprof_string(struct pprof_builder *b, const char *s);

/* Ids; 0: none. The path of an object; a frame that is a word of ours: an op, a remark (NULL: no
 * memory); the location that begins with frame *at, which moves behind it: those inlined, and the
 * one they are inlined into. */
uint64_t pprof_mapping(struct pprof_builder *b, const char *library);
uint64_t pprof_logical(struct pprof_builder *b, const char *name);
uint64_t pprof_physical(struct pprof_builder *b, const json_t *frames, size_t *at);
