/* SPDX-License-Identifier: MIT */
/*
 * Merging the rows of several processes. Rows of a table come in the order of their keys, so refs
 * need no sorting.
 */
#include "common/report-merge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/report-model.h"

uint32_t merge_hash(uint32_t h, uint64_t v)
{
        for (int i = 0; i < 8; i++, v >>= 8)
                h = (h ^ (uint8_t)v) * 16777619u;
        return h;
}

uint32_t merge_hash_text(uint32_t h, const char *s)
{
        bool is_null = !s;

        for (; s && *s; s++)
                h = (h ^ (uint8_t)*s) * 16777619u;
        return (h ^ (is_null ? 0xff : 0xfe)) * 16777619u;
}

bool merge_same_text(const char *a, const char *b)
{
        return a && b ? !strcmp(a, b) : a == b;
}

char *merge_copy_text(const char *s, bool *failed)
{
        char *copy = s ? strdup(s) : NULL;

        *failed |= s && !copy;
        return copy;
}

int merge_add_ref(struct merge_refs *refs, uint32_t process, uint32_t number, size_t to)
{
        struct merge_ref *ref = GROW(&refs->at, &refs->n, &refs->room);

        if (!ref)
                return -ENOMEM;
        *ref = (struct merge_ref){process, number, (uint32_t)to};
        return 0;
}

static int compare_ref(const void *key, const void *item)
{
        const struct merge_ref *a = key, *b = item;

        if (a->process != b->process)
                return a->process < b->process ? -1 : 1;
        return a->number < b->number ? -1 : a->number > b->number;
}

const struct merge_ref *merge_find_ref(const struct merge_refs *refs, uint32_t process,
                                       uint32_t number)
{
        struct merge_ref key = {process, number, 0};

        return refs->n ? bsearch(&key, refs->at, refs->n, sizeof(key), compare_ref) : NULL;
}

int merge_grow_buckets(struct merge_buckets *b)
{
        size_t n = b->n ? b->n * 2 : 256;
        uint32_t *at = calloc(n, sizeof(*at));

        if (!at)
                return -ENOMEM;
        free(b->at);
        *b = (struct merge_buckets){at, n};
        return 0;
}
