/* SPDX-License-Identifier: MIT */
/* Which experts of a layer its tokens were sent to. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <infprof/segment.h>

struct process;

struct experts_layer {
        bool known;                /* what follows, which never changes */
        uint16_t layer, n_experts; /* layer + 1 */
        uint32_t first;
        struct ifp_moe_sums phase[IFP_N_PHASES];
        uint64_t *counts[IFP_N_PHASES]; /* of each expert; NULL: there were no choices */
        uint64_t written[IFP_N_PHASES]; /* experts_mark of what the file has, + 1; 0: nothing */
};

struct experts {
        struct experts_layer *list; /* by number; NULL: there are none */
        uint32_t n;
        uint32_t n_cells; /* experts of all of them */
        uint64_t refused, unplaced;
};

/* Grows with each step. */
static inline uint64_t experts_mark(const struct ifp_moe_sums *s)
{
        return s->steps + s->all_tokens;
}

/* Brings those of a process up to date. 0, -ENOMEM or SEGMENT_E_BAD. */
int experts_take(struct process *p, const char **ret_why);
/* What a reader must know of them, once the process has ended. */
void experts_note(struct process *p);
void experts_done(struct experts *e);
