/* SPDX-License-Identifier: MIT */
/*
 * The record of one span, and the words it is made of. This header is shared
 * with programs in the kernel too, so it uses fixed-size integers and nothing
 * else.
 */
#pragma once

#include <stdint.h>

/* What the engine was doing around a span. */
enum ifp_phase {
        IFP_PHASE_UNKNOWN = 0, /* no engine knowledge told */
        IFP_PHASE_LOAD = 1,
        IFP_PHASE_PREFILL = 2,
        IFP_PHASE_DECODE = 3,
        IFP_PHASE_IDLE = 4,
        IFP_N_PHASES = 5,
};

/* What an op is. */
enum ifp_kind {
        IFP_KIND_KERNEL = 0, /* a hooked function, under its own name */
        IFP_KIND_NODE = 1,   /* one node of a compute graph, under the engine's name for it */
        IFP_KIND_GRAPH = 2,  /* the computation of a whole graph */
        IFP_KIND_CALL = 3,   /* an engine's API call around graphs (llama_decode); arg = tokens */
        IFP_KIND_WAIT = 4,   /* a barrier, lock, join */
        IFP_KIND_TOKEN = 5, /* from the end of the call before to the end of this one; arg = tokens.
                               Not nested in the op stack, not part of any op's children. Its child
                               is what lies in tokens of other threads too: self times sum to the
                               time in which tokens were made */
        IFP_KIND_TTFT = 6,  /* time to first token of one sequence; not nested either */
        IFP_KIND_MARKER = 7, /* named by the engine itself (infprof.h) */
        IFP_N_KINDS = 8,
};

/* Flags of a record. */
enum {
        IFP_REC_LEFT = 1u << 0,    /* did not return: closed at a later event of its thread */
        IFP_REC_SAMPLED = 1u << 1, /* one of many calls of a hot op; the others are only counted */
        IFP_REC_LATE = 1u << 2,    /* written after it ended, from marks around it */
};

/*
 * One span, 32 bytes, written by its thread and by nobody else.
 *
 *   start   ticks
 *   dur_op  duration in ticks, 48 bits (saturates) | op << 48
 *   child   ticks spent in ops called from it, 48 bits | depth << 48 |
 *           phase << 56 | flags << 59
 *   arg     shape (kernels, nodes), or number of tokens (calls, tokens); 0 = none
 *   lap     low 32 bits of (position / ring size) + 1, stored last with release: the
 *           slot is complete for that lap. Any other value: not written yet.
 */
struct ifp_record {
        uint64_t start;
        uint64_t dur_op;
        uint64_t child;
        uint32_t arg;
        uint32_t lap;
};
_Static_assert(sizeof(struct ifp_record) == 32, "a record is half a cache line");

#define IFP_TICKS_MASK ((1ull << 48) - 1)

static inline uint64_t ifp_record_dur(const struct ifp_record *r)
{
        return r->dur_op & IFP_TICKS_MASK;
}

static inline uint32_t ifp_record_op(const struct ifp_record *r)
{
        return (uint32_t)(r->dur_op >> 48);
}

static inline uint64_t ifp_record_child(const struct ifp_record *r)
{
        return r->child & IFP_TICKS_MASK;
}

static inline uint32_t ifp_record_depth(const struct ifp_record *r)
{
        return (uint32_t)(r->child >> 48) & 0xff;
}

static inline uint32_t ifp_record_phase(const struct ifp_record *r)
{
        return (uint32_t)(r->child >> 56) & 7;
}

static inline uint32_t ifp_record_flags(const struct ifp_record *r)
{
        return (uint32_t)(r->child >> 59);
}
