/* SPDX-License-Identifier: MIT */
/*
 * The ring of one thread: one writer (the thread, and signal handlers that
 * interrupt it), one reader (the daemon), no bus lock on either side.
 *
 *   position   counts records since the segment was made and never wraps;
 *              slot = position modulo IFP_RING_SLOTS
 *   head       next position to reserve. Writer only
 *   tail       next position to read. Reader only, on a line of its own
 *   next       byte offset of the slot at head. Writer only
 *   claim      1 while the writer is at it. Writer only
 *
 * To write: claim; only then look where; fill the slot; store its lap last;
 * move next and head on; let go. A signal handler that comes in between finds
 * the claim and folds instead, so slots complete in order; the reader
 * nevertheless stops at a slot whose lap is not the one it expects. A full
 * ring takes nothing and the caller folds. limit and lap say how far the
 * writer may go without looking at the reader's line.
 */
#pragma once

#include <infprof/arch.h>
#include <infprof/event.h>

#define IFP_RING_SLOTS 16384u /* 512 KiB */

/* The writer's half line and the reader's line. */
struct ifp_ring_writer {
        uint64_t head;  /* writer; reader loads with acquire */
        uint32_t next;  /* writer only */
        uint32_t limit; /* writer only: next may be used below this, never beyond a lap */
        uint64_t lap;   /* writer only: lap << 32 of the slots below limit */
        uint32_t claim; /* writer only */
        uint32_t reserved;
};

struct ifp_ring_reader {
        uint64_t tail; /* reader; writer loads with acquire */
};

static inline uint32_t ifp_ring_lap(uint64_t position)
{
        return (uint32_t)(position / IFP_RING_SLOTS) + 1;
}

/* How far the writer may go from head. The claim is held. */
static inline void ifp_ring_look(struct ifp_ring_writer *w, const struct ifp_ring_reader *r)
{
        uint64_t head = w->head, tail = __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);
        uint32_t slot = (uint32_t)(head % IFP_RING_SLOTS), room;

        /* A tail beyond head is a broken reader: the ring counts as full. */
        if (head - tail >= IFP_RING_SLOTS)
                return;
        room = IFP_RING_SLOTS - (uint32_t)(head - tail);
        if (room > IFP_RING_SLOTS - slot)
                room = IFP_RING_SLOTS - slot;
        w->next = slot * (uint32_t)sizeof(struct ifp_record);
        w->limit = w->next + room * (uint32_t)sizeof(struct ifp_record);
        w->lap = (uint64_t)ifp_ring_lap(head) << 32;
}

/* Writes one record; false: the ring is full, or this is a handler in the midst of a write. */
static inline bool ifp_ring_push(struct ifp_ring_writer *w, const struct ifp_ring_reader *r,
                                 struct ifp_record *slots, const struct ifp_record *record)
{
        struct ifp_record *s;
        bool room;

        if (*(volatile uint32_t *)&w->claim)
                return false;
        *(volatile uint32_t *)&w->claim = 1;
        __asm__ volatile("" : : : "memory");
        if (w->next >= w->limit)
                ifp_ring_look(w, r);
        room = w->next < w->limit;
        if (room) {
                s = (struct ifp_record *)(void *)((uint8_t *)slots + w->next);
                s->start = record->start;
                s->dur_op = record->dur_op;
                s->child = record->child;
                /* arg and lap are one aligned word, so that they appear together */
                __atomic_store_n((uint64_t *)(void *)&s->arg, w->lap | record->arg,
                                 __ATOMIC_RELEASE);
                w->next += (uint32_t)sizeof(*s);
                __atomic_store_n(&w->head, w->head + 1, __ATOMIC_RELEASE);
        }
        __asm__ volatile("" : : : "memory");
        *(volatile uint32_t *)&w->claim = 0;
        return room;
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
