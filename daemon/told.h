/* SPDX-License-Identifier: MIT */
/* What the engine tells of itself: markers' memory, counters, requests, instants, tiles. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <infprof/segment.h>

struct process;

struct told_counter {
        char *name;
        uint64_t counted, calls;
};

struct told_instant {
        struct told_instant *next;
        uint64_t number, ticks;
        int32_t tid;
        uint32_t kind;
        char text[IFP_INSTANT_BYTES];
};

struct told {
        struct ifp_marker_row *markers; /* by op, of all threads; NULL: there are none */
        uint64_t *markers_written;      /* by op: n of what the file has */
        uint32_t n_ops;                 /* room in these */
        struct told_counter *counters;
        uint32_t n_counters;
        struct ifp_tile_row tiles[IFP_N_TILE_LEVELS];
        uint64_t requests_ok, requests_failed, n_instants;
        uint64_t markers_refused, markers_left, markers_unmatched, counters_refused,
                tiles_unmatched, tiles_unended;
        struct told_instant *first, *last; /* not yet written */
        uint64_t n_waiting, next;          /* number of the instant that is looked for next */
        uint64_t mark, written;            /* changes with what the file has a row of; see told.c */
};

/* At each round: instants, before others take their place. 0 or -ENOMEM. */
int told_round(struct process *p);
/* Brings the rest up to date. 0, -ENOMEM or SEGMENT_E_BAD. */
int told_take(struct process *p, const char **ret_why);
void told_done(struct told *t);
