/* SPDX-License-Identifier: MIT */
/*
 * The ring of one thread: one writer (the thread, and signal handlers that
 * interrupt it), one reader (the daemon), no bus lock on either side.
 *
 *   position   counts records since the segment was made and never wraps;
 *              slot = position modulo IFP_RING_SLOTS
 *   head       next position to reserve. Writer only
 *   tail       next position to read. Reader only, on a line of its own
 *   tail_seen  the writer's last look at tail, so that it leaves the reader's
 *              line alone until the ring seems full
 *
 * To write: reserve a position with one compare-and-swap that is indivisible
 * against signal handlers only; fill the slot; store its lap last. A handler
 * in between takes the next position, so slots may complete out of order: the
 * reader stops at the first slot that is not complete. A full ring reserves
 * nothing and the caller folds.
 */
#pragma once

#include <infprof/arch.h>
#include <infprof/event.h>

#define IFP_RING_SLOTS 16384u /* 512 KiB */

/* The writer's line and the reader's line. */
struct ifp_ring_writer {
        uint64_t head;      /* writer; reader loads with acquire */
        uint64_t tail_seen; /* writer only */
};

struct ifp_ring_reader {
        uint64_t tail; /* reader; writer loads with acquire */
};

static inline uint32_t ifp_ring_lap(uint64_t position)
{
        return (uint32_t)(position / IFP_RING_SLOTS) + 1;
}

/* Takes one position; false: the ring is full. */
static inline bool ifp_ring_reserve(struct ifp_ring_writer *w, struct ifp_ring_reader *r,
                                    uint64_t *ret_position)
{
        uint64_t head;

        do {
                head = *(volatile uint64_t *)&w->head;
                if (__builtin_expect(head - w->tail_seen >= IFP_RING_SLOTS, 0)) {
                        uint64_t tail = __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);

                        /* A tail beyond head is a broken reader: treat as full. */
                        if (head - tail >= IFP_RING_SLOTS)
                                return false;
                        w->tail_seen = tail;
                }
        } while (!ifp_local_cas(&w->head, head, head + 1));
        *ret_position = head;
        return true;
}

/* Completes the slot of a reserved position. */
static inline void ifp_ring_commit(struct ifp_record *slots, uint64_t position, uint64_t start,
                                   uint64_t dur_op, uint64_t child, uint32_t arg)
{
        struct ifp_record *s = &slots[position % IFP_RING_SLOTS];

        s->start = start;
        s->dur_op = dur_op;
        s->child = child;
        /* arg and lap are one aligned word, so that they appear together */
        __atomic_store_n((uint64_t *)(void *)&s->arg, (uint64_t)ifp_ring_lap(position) << 32 | arg,
                         __ATOMIC_RELEASE);
}

/* Reader: copies the record at `position`; false: not complete yet. */
static inline bool ifp_ring_read(const struct ifp_record *slots, uint64_t position,
                                 struct ifp_record *ret_record)
{
        const struct ifp_record *s = &slots[position % IFP_RING_SLOTS];
        uint64_t last = __atomic_load_n((const uint64_t *)(const void *)&s->arg, __ATOMIC_ACQUIRE);

        if ((uint32_t)(last >> 32) != ifp_ring_lap(position))
                return false;
        ret_record->start = s->start;
        ret_record->dur_op = s->dur_op;
        ret_record->child = s->child;
        ret_record->arg = (uint32_t)last;
        ret_record->lap = (uint32_t)(last >> 32);
        return true;
}
