/* SPDX-License-Identifier: MIT */
/*
 * The frames of a run, those of all its processes merged: frames that say the same are one, so that
 * two workers at the same place have the same stack. Private to common/report*.c.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/report-merge.h"

struct model;
struct runfile;

struct frame {
        char *function, *library, *file;
        uint64_t offset;
        uint32_t line;
        bool inlined;
        uint32_t hash, next;
        json_t *json; /* shared by all stacks it is on */
};

struct frames {
        struct frame *at;
        size_t n, room;
        struct merge_buckets buckets;
        struct merge_refs refs;
};

/* `why`, on damage: one line; as it was where the file itself can say. */
int frames_load(struct frames *f, struct runfile *rf, const struct model *m, char **why);

/* "12,7,3" of row `row` in `table`: indices of merged frames, to be freed. */
int frames_read(const struct frames *f, const struct runfile *rf, const char *table,
                uint32_t process, uint32_t row, const char *list, uint32_t **ret, size_t *ret_n,
                char **why);

/* A JSON array of these. */
json_t *frames_build(struct frames *f, const uint32_t *at, size_t n);

void frames_done(struct frames *f);
