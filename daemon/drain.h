/* SPDX-License-Identifier: MIT */
/*
 * Reading rings: records in, distributions out. Counts and sums are not made
 * here, the lanes' rows have them exactly; see daemon/tally.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <infprof/segment.h>

enum {
        DRAIN_E_HEAD = 1,  /* head ran backwards, or further than the ring is long */
        DRAIN_E_OP = 2,    /* a record names an op that does not exist */
        DRAIN_E_PHASE = 3, /* ... or a phase */
};

/* The distribution of one op and phase, in ticks. */
struct drain_hist {
        uint64_t count, min, max; /* min UINT64_MAX, max 0: nothing yet */
        uint64_t left, folded;    /* folded: of count, those that were added from fold tables */
        double sumsq;
        uint64_t *octave[IFP_HIST_OCTAVES]; /* IFP_HIST_SUB counts each; NULL: all zero */
};

struct series;

/* All of one process. */
struct drain {
        struct series *series;     /* calls that are kept one by one; NULL: none are */
        struct drain_hist **hists; /* [op * IFP_N_PHASES + phase], NULL: no record yet */
        uint32_t n_ops;            /* room in hists */
};

/* What one thread adds to that: kept for as long as it lives. */
struct drain_cell {
        uint64_t count, min, max;
        struct drain_hist *hist;
};

struct drain_lane {
        uint64_t tail;             /* ours; the shared one is only ever written */
        uint64_t drained;          /* records read */
        uint64_t skipped;          /* positions given up */
        struct drain_cell **cells; /* [op * DRAIN_STRIDE + phase] */
        uint32_t n_ops;            /* room in cells */
        bool stalled;
        uint64_t stalled_since_ns;
};

#define DRAIN_STRIDE 8u /* phases are three bits in a record: all of them index safely */

void drain_init(struct drain *d);
void drain_done(struct drain *d);
void drain_lane_init(struct drain_lane *l, uint64_t tail);
void drain_lane_done(struct drain_lane *l);

/* Forgets what the lane's thread did, for the next thread of the lane. */
void drain_lane_reset(struct drain_lane *l);

/*
 * Reads what is complete, at most one ring's length, and gives the room back to
 * the writer. `n_ops` is the shared count of ops. `ret_n` records were read, also on
 * failure; 0 or DRAIN_E_* or -ENOMEM.
 */
int drain_lane(struct drain *d, struct drain_lane *l, struct ifp_lane *lane, const uint32_t *n_ops,
               uint64_t *ret_n);

/* Records that wait, complete or not. Meaningful after a drain_lane that succeeded. */
uint64_t drain_waiting(const struct drain_lane *l, const struct ifp_lane *lane);

/* Gives up the position at the tail, where a record was begun and not completed. */
void drain_skip(struct drain_lane *l, struct ifp_lane *lane);

/* Is there a complete record behind the one at the tail? */
bool drain_is_overtaken(const struct drain_lane *l, const struct ifp_lane *lane);

/* What a lane's thread knows of one op and phase: NULL = nothing was read. */
const struct drain_cell *drain_lane_cell(const struct drain_lane *l, uint32_t op, uint32_t phase);
const struct drain_hist *drain_find(const struct drain *d, uint32_t op, uint32_t phase);

/* Made when missing; NULL: no memory. */
struct drain_hist *drain_get(struct drain *d, uint32_t op, uint32_t phase);

/* Adds `n` values of bucket `index`. 0 or -ENOMEM. */
int drain_hist_add(struct drain_hist *h, uint32_t index, uint64_t n);

/* Adds to the flat array (IFP_HIST_BUCKETS counts). */
void drain_hist_flatten(const struct drain_hist *h, uint64_t *buckets);
