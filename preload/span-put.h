/* SPDX-License-Identifier: MIT */
/* A span that is over: added to its op's row, and its record written. For those on the hot path. */
#pragma once

#include "preload/shim.h"

static inline void ifp_span_put(struct ifp_lane *lane, uint32_t op, uint32_t phase, uint64_t start,
                                uint64_t dur, uint64_t child, uint64_t depth_phase_flags,
                                uint32_t arg)
{
        struct ifp_time_row *row = &lane->time[op][phase];
        struct ifp_record record;

        if (IFP_UNLIKELY(dur > IFP_TICKS_MASK))
                dur = (int64_t)dur < 0 ? 0 : IFP_TICKS_MASK;
        if (IFP_UNLIKELY(child > dur))
                child = dur;
        ifp_local_add(&row->timed, 1);
        ifp_local_add(&row->total, dur);
        ifp_local_add(&row->child, child);
        record.start = start;
        record.dur_op = dur | (uint64_t)op << 48;
        record.child = child | depth_phase_flags;
        record.arg = arg;
        if (IFP_UNLIKELY(!ifp_ring_push(&lane->writer, &lane->reader, lane->ring, &record)))
                ifp_full_fold(lane, &record);
}
