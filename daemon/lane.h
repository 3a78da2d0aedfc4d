/* SPDX-License-Identifier: MIT */
/* A process's lanes: whose each one is, what its thread did, when it is free again. */
#pragma once

#include "daemon/process.h"

/* Drains lane `i`, sees threads begin and end. Errors as process_round. */
int lane_round(struct process *p, uint32_t i, uint64_t now_ns, uint64_t *ret_n,
               const char **ret_why);

/* The process is dead: all that its lane still holds. */
int lane_finish(struct process *p, uint32_t i, const char **ret_why);

/* Brings the figures of the lane's thread up to date; without a thread nothing is done. */
int lane_refresh(struct process *p, struct lane *l, uint32_t i, const char **ret_why);

/* The crowd's lane: has a thread of its own for show as soon as anything stands there. */
int lane_refresh_crowd(struct process *p, const char **ret_why);

/* For a process taken over from a daemon before us: what stands there belongs to threads we did
 * not see. */
int lane_adopt(struct process *p, uint32_t i, const char **ret_why);

/* Lanes that threads have to themselves and have touched. */
static inline uint32_t lane_count_shared(const struct process *p)
{
        uint32_t own = p->segment.header.n_lanes - 1;

        return p->counts.n_lanes < own ? p->counts.n_lanes : own;
}

/* Of these, those that we have room for. (Counts are brought up to date in the midst of things.) */
static inline uint32_t lane_count(const struct process *p)
{
        uint32_t n = lane_count_shared(p);

        return n < p->n_lanes ? n : p->n_lanes;
}

void lane_identity(const struct ifp_lane *lane, struct thread *t);
