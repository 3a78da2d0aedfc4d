/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* What the thread is about, as the engine's memory says. */
#pragma once

#include "find.h"

static __always_inline bool get(void *to, __u32 size, __u64 from)
{
        return bpf_probe_read_user(to, size, (const void *)from) == 0;
}

static __always_inline __u32 state_of_kind(__u8 kind)
{
        switch (kind) {
        case KIND_KERNEL:
        case KIND_NODE:
                return STATE_COMPUTE;
        case KIND_GRAPH:
                return STATE_GRAPH;
        case KIND_CALL:
        case KIND_MARKER:
                return STATE_CALL;
        case KIND_WAIT:
                return STATE_WAIT;
        default:
                return STATE_NONE;
        }
}

/* Its lane: the address, and the number. Where its memory cannot be read, the thread stays what it
 * was. */
static __always_inline bool lane_of(struct task_struct *task, const struct view_proc *p,
                                    __u64 *ret_at, __u32 *ret_lane)
{
        __u64 at = 0, offset;

        *ret_at = 0;
        *ret_lane = p->n_lanes - 1;
        if (!p->tls_offset)
                return true;
        if (!get(&at, sizeof(at), task->thread.fsbase + p->tls_offset))
                return false;
        offset = at - p->lanes_at;
        if (at < p->lanes_at || !p->lane_bytes || offset / p->lane_bytes >= p->n_lanes ||
            offset % p->lane_bytes)
                return true;
        *ret_lane = offset / p->lane_bytes;
        *ret_at = at;
        return true;
}

struct waits_head {
        __u64 since, sp, object;
        __u32 entry, kind;
        __u64 inner;
        __u32 in_alloc, reserved;
};

static __always_inline void read_open(struct view_task *t, const struct view_proc *p, __u64 lane)
{
        struct {
                __u8 rest[7], phase;
                __u64 op;
        } open;
        struct waits_head waits;
        __u64 top = 0;
        __u32 phase = 0;
        __u8 kind = 255;

        t->op = 0;
        t->state = STATE_NONE;
        if (lane && get(&top, sizeof(top), lane + VIEW_LANE_TOP) && top &&
            top % VIEW_OPEN_BYTES == 0 && top < 256 * VIEW_OPEN_BYTES &&
            get(&open, sizeof(open), lane + VIEW_LANE_OPEN + top + VIEW_OPEN_PHASE - 7)) {
                __u32 op = open.op >> 48;

                phase = open.phase;
                t->op = op < VIEW_OPS ? op : 0;
                if (t->kind_of != t->op + 1u &&
                    get(&kind, sizeof(kind), p->ops_at + t->op * VIEW_OP_BYTES + VIEW_OP_KIND)) {
                        t->kind_of = t->op + 1u; /* it never changes */
                        t->kind_state = state_of_kind(kind);
                }
                t->state = t->kind_of == t->op + 1u ? t->kind_state : STATE_NONE;
        } else {
                get(&phase, sizeof(phase), p->phase_at);
        }
        t->phase = phase < VIEW_PHASES ? phase : 0;
        if (!lane || !p->waits || !get(&waits, sizeof(waits), lane + p->waits_offset))
                return;
        if (waits.since)
                t->state = STATE_WAIT;
        else if (waits.in_alloc)
                t->state = STATE_ALLOC;
}
