/* SPDX-License-Identifier: MIT */
/* Memory from second to second: what its counts were at the last two ticks. */
#pragma once

#include <stdint.h>

#include "daemon/tally.h"

#define RATES_SPARK 60u /* seconds */

struct process;

/* Two readings of the same counts. */
struct readings {
        struct figures at_tick, before;
};

/* struct ifp_tokens: decoded tokens, and what was allocated between them. */
struct token_counts {
        uint64_t n, calls, asked_bytes;
};

struct rates {
        struct readings phases[IFP_N_PHASES];
        int64_t live_bytes[RATES_SPARK]; /* the newest at process.spark_at; n_ticks are known */
        struct token_counts tokens;
        struct token_counts token_moved; /* in the last interval with a token in it */
        uint32_t token_tick;             /* when that was, in ticks */
};

/* What is less than before, has not moved. */
static inline uint64_t rates_moved(uint64_t now, uint64_t before)
{
        return now > before ? now - before : 0;
}

/* An interval is over: reads how all counts stand. */
void rates_take(struct process *p);

/* Adds what moved between the two readings. */
void rates_add_moved(struct figures *to, const struct readings *r);

/* What the newest tokens allocated; NULL: there were none in the last seconds. */
const struct token_counts *rates_tokens(const struct process *p);
