/* SPDX-License-Identifier: MIT */
/*
 * A segment as the daemon holds it: mapped, checked, and never trusted. See
 * <infprof/segment.h> for what lies where.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <infprof/segment.h>

struct segment {
        int fd;
        struct ifp_segment *map;
        uint64_t bytes; /* mapped */
        uint64_t device, inode;
        struct ifp_header header; /* our copy; its strings are terminated and clean */
};

/* How much of each table may be read: a checked copy of the counts in `live`. */
struct segment_counts {
        uint32_t n_ops, n_objects, n_sites, n_lanes, names_bytes;
};

enum {
        SEGMENT_E_BAD = 1,   /* refused, or caught in a lie: `ret_why` says which (a literal) */
        SEGMENT_E_TAKEN = 2, /* another daemon reads it */
};

/*
 * Maps and checks `fd`, and owns it on success only. It is ours then, as long as we live and no
 * descriptor of ours for the same memfd is closed.
 */
int segment_open(struct segment *ret, int fd, const char **ret_why);
void segment_close(struct segment *s);

/* After another descriptor for the same memfd was closed: it is ours again. */
void segment_lock(const struct segment *s);

/* Brings `counts` up to date. They never go backwards. */
int segment_count(const struct segment *s, struct segment_counts *counts, const char **ret_why);

/* The string at `offset` of names, cleaned, to be freed. */
int segment_name(const struct segment *s, const struct segment_counts *counts, uint32_t offset,
                 char **ret, const char **ret_why);

/* The first stretch of bytes within [from, to) that is not a hole; false: there is none. Reading
 * a hole would make the engine's memory grow. */
bool segment_next_data(const struct segment *s, uint64_t from, uint64_t to, uint64_t *ret_from,
                       uint64_t *ret_to);

/* It lies: `why`, a constant, says how. */
static inline int segment_bad(const char **ret_why, const char *why)
{
        *ret_why = why;
        return SEGMENT_E_BAD;
}

/* Copies whole words, each loaded once. */
static inline void segment_copy_words(void *to, const void *from, size_t bytes)
{
        typedef uint64_t __attribute__((may_alias)) word;

        for (size_t i = 0; i < bytes / sizeof(word); i++)
                ((word *)to)[i] = __atomic_load_n((const word *)from + i, __ATOMIC_RELAXED);
}

/* The same of words that are written under a sequence count (odd meanwhile). false: the writer was
 * at it each time. */
bool segment_copy_under(const uint32_t *seq, void *to, const void *from, size_t bytes);

/* Bytes of memory it really takes. */
uint64_t segment_resident(const struct segment *s);

/* Gives back the memory of a lane's ring, which nobody may be using. */
void segment_forget_ring(const struct segment *s, uint32_t lane);

static inline uint64_t segment_lane_offset(uint32_t lane)
{
        return sizeof(struct ifp_segment) + (uint64_t)lane * sizeof(struct ifp_lane);
}
