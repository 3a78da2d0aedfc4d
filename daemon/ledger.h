/* SPDX-License-Identifier: MIT */
/*
 * Where the time of decode steps went: sums from the segment, distributions and slow steps from
 * its ring of records. Written to the run file by daemon/flush-ledger.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <infprof/segment.h>

#include "common/runfile.h"
#include "daemon/clock.h"
#include "daemon/drain.h"

struct process;

#define LEDGER_SLOW  RUNFILE_SLOW_TOKENS /* steps kept whole */
#define LEDGER_TIMES 3u                  /* of the median: slower is slow */
#define LEDGER_FIRST 8u                  /* steps before a median is believed */

/* What has been added up. Ticks; only grow. */
struct ledger_sums {
        uint64_t steps, tokens, dropped, wall_ticks, all_ticks;
        uint64_t rows[IFP_N_LEDGER_WHO][IFP_N_LEDGER];
};

struct ledger {
        uint64_t tail; /* records read */
        struct ledger_sums sums;
        uint64_t head;             /* records that are in the sums */
        struct ledger_sums beyond; /* those that were read and are not */
        bool kernel;
        struct drain_hist wall, rows[IFP_N_LEDGER_WHO][IFP_N_LEDGER];
        uint64_t median,
                median_at; /* of the wall time, and the number of steps to find it anew at */
        struct ifp_token_record first[LEDGER_FIRST]; /* to be looked at when there is a median */
        struct ifp_token_record slow[LEDGER_SLOW];
        uint64_t slow_median[LEDGER_SLOW]; /* that it was held against */
        bool slow_here[LEDGER_SLOW];       /* read by this daemon */
        uint64_t n_slow, written_slow;     /* ever; the newest is at (n_slow - 1) % LEDGER_SLOW */
        uint64_t written_steps, written_read;
        /* The newest interval that had a step in it. */
        struct ledger_sums at_tick, moved;
        uint32_t moved_tick;
        uint64_t moved_ns; /* when that was; 0: not yet */
};

struct ledger *ledger_free(struct ledger *l);

/* Makes the ledger, once something was written: reading a hole would make the engine's memory grow.
 * 0 or -ENOMEM. */
int ledger_look_for(struct process *p);

/* Reads the ring. 0; SEGMENT_E_BAD; -errno. */
int ledger_round(struct process *p, const char **ret_why);

/* The sums, too. */
int ledger_take(struct process *p, const char **ret_why);

/* A second is over. */
void ledger_interval(struct process *p);

/* Of a process that an earlier daemon read: distributions go on from those in its file. */
int ledger_resume(struct process *p, struct runfile *rf, uint32_t index);

/*
 * Rows as ns that sum up to clock_ns(wall), whatever the rounding: each is the difference of two
 * rounded running sums, so none is off by more than 1 ns. The last takes what is left of the whole.
 */
void ledger_rows_ns(const struct clock *c, const uint64_t *rows, uint64_t wall_ticks,
                    uint64_t *ret_ns);
