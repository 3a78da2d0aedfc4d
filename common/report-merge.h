/* SPDX-License-Identifier: MIT */
/*
 * What merging the rows of several processes needs: a hash, buckets of items, and which item a row
 * became. Private to common/report*.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MERGE_SEED 2166136261u

uint32_t merge_hash(uint32_t h, uint64_t v);
uint32_t merge_hash_text(uint32_t h, const char *s);
bool merge_same_text(const char *a, const char *b); /* NULL is like NULL only */
char *merge_copy_text(const char *s, bool *failed); /* NULL for NULL */

/* Row `number` of process `process` is item `to`. */
struct merge_ref {
        uint32_t process, number, to;
};

/* To be added in the order of process and number, as a table is read. */
struct merge_refs {
        struct merge_ref *at;
        size_t n, room;
};

int merge_add_ref(struct merge_refs *refs, uint32_t process, uint32_t number, size_t to);
const struct merge_ref *merge_find_ref(const struct merge_refs *refs, uint32_t process,
                                       uint32_t number);

/* Items have `hash` and `next`, the index + 1 of the next in the same bucket. */
struct merge_buckets {
        uint32_t *at; /* index + 1 of the first item */
        size_t n;     /* a power of two */
};

/* Twice as many buckets, all empty: the caller puts all items in again. */
int merge_grow_buckets(struct merge_buckets *b);

static inline uint32_t merge_first(const struct merge_buckets *b, uint32_t hash)
{
        return b->n ? b->at[hash & (b->n - 1)] : 0;
}

#define MERGE_PUT(buckets, items, i)                                                               \
        do {                                                                                       \
                uint32_t *head_ = &(buckets)->at[(items)[i].hash & ((buckets)->n - 1)];            \
                (items)[i].next = *head_;                                                          \
                *head_ = (uint32_t)(i) + 1;                                                        \
        } while (0)

/* The last of so many items is new. */
#define MERGE_PUT_NEW(buckets, items, n_items)                                                     \
        ({                                                                                         \
                int r_ = 0;                                                                        \
                if ((n_items)*2 > (buckets)->n) {                                                  \
                        r_ = merge_grow_buckets(buckets);                                          \
                        for (size_t i_ = 0; !r_ && i_ + 1 < (n_items); i_++)                       \
                                MERGE_PUT(buckets, items, i_);                                     \
                }                                                                                  \
                if (!r_)                                                                           \
                        MERGE_PUT(buckets, items, (n_items)-1);                                    \
                r_;                                                                                \
        })
