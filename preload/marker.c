/* SPDX-License-Identifier: MIT */
/*
 * Markers: ops that the engine begins and ends itself (<infprof/infprof.h>). They lie on the
 * thread's stack of open ops as any other does, and so have its times, children and allocations.
 *
 * A marker has no frame of its own: it may be begun in one function and ended in another. It is
 * taken to lie just inside the op around it, and without one at the end of the thread's stack; so
 * it is open until its own end, or that of what is around it. One that ends closes the markers
 * above it, which were forgotten; ops above it stay.
 */
#include "preload/marker.h"
#include "preload/span-put.h"

#include <infprof/infprof.h>

#undef infprof_begin
#undef infprof_end

#define FAR_BYTES 4096u /* where the end of a stack is not known, it is taken to be so far */

/* Markers open on the thread that forks, so that the child may end what it did not begin. */
static uint32_t open_at_fork, inherited;

#define HERE ((uint64_t)(uintptr_t)__builtin_frame_address(0))

/* What other threads have not told yet is missing. */
static int64_t live_here(const struct ifp_lane *lane)
{
        return __atomic_load_n(&ifp_seg->live.live_bytes, __ATOMIC_RELAXED) +
               ifp_pending(&lane->memory);
}

static int64_t peak_here(void)
{
        return __atomic_load_n(&ifp_seg->live.peak_bytes, __ATOMIC_RELAXED);
}

/* Where a marker that is begun now ends at the latest. */
static uint64_t reach_of(const struct ifp_tls *tls, struct ifp_lane *lane, uint64_t sp)
{
        if (lane->top)
                return ifp_open_at(lane, lane->top)->sp - 1;
        return sp >= tls->stack_lo && sp < tls->stack_hi ? tls->stack_hi - 8 : sp + FAR_BYTES;
}

static void prune(struct ifp_tls *tls, struct ifp_lane *lane, uint64_t sp)
{
        if (IFP_UNLIKELY((lane->top && ifp_open_at(lane, lane->top)->sp <= sp) || tls->n_aside))
                ifp_prune(tls, lane, sp, false);
}

/* Of the thread that has the lane now: its number is in the upper half. */
static void too_deep(struct ifp_lane *lane)
{
        if (lane->markers_deep >> 32 != lane->gen)
                lane->markers_deep = (uint64_t)lane->gen << 32;
        lane->markers_deep++;
}

static bool was_too_deep(struct ifp_lane *lane)
{
        if (lane->markers_deep >> 32 != lane->gen || !(uint32_t)lane->markers_deep)
                return false;
        lane->markers_deep--;
        return true;
}

static void begin(struct ifp_tls *tls, struct ifp_lane *lane, uint32_t op, uint64_t sp)
{
        struct ifp_open *o;

        if (IFP_UNLIKELY(op == ifp_marker_other))
                __atomic_fetch_add(&ifp_seg->live.markers_refused, 1, __ATOMIC_RELAXED);
        if (IFP_UNLIKELY(tls->crowd)) {
                __atomic_fetch_add(&lane->time[op][ifp_phase].untimed, 1, __ATOMIC_RELAXED);
                return;
        }
        prune(tls, lane, sp);
        o = ifp_open_push(tls, lane, op, ifp_phase, reach_of(tls, lane, sp), 0);
        if (IFP_UNLIKELY(!o)) {
                ifp_local_add(&lane->time[op][ifp_phase].untimed, 1);
                too_deep(lane);
                return;
        }
        o->live = live_here(lane);
        lane->markers[op].peak_before = peak_here();
        *(volatile uint64_t *)&o->start = ifp_ticks();
}

/*
 * The same for a thread of which nothing is out of the ordinary: the entry above the innermost is
 * free. As in the stub, `top` goes first, so that a handler that comes in between takes the next
 * one, and takes this one for one that is being opened. NULL: the other way.
 */
static inline struct ifp_open *push_fast(struct ifp_tls *tls, struct ifp_lane *lane, uint32_t op,
                                         uint64_t sp)
{
        uint64_t around = lane->top, offset = around + sizeof(struct ifp_open), reach;
        struct ifp_open *o = ifp_open_at(lane, offset);

        if (IFP_UNLIKELY(tls->fast != lane || op == ifp_marker_other ||
                         offset >= IFP_MAX_OPEN * sizeof(*o)))
                return NULL;
        if (around) {
                reach = o[-1].sp - 1;
                if (IFP_UNLIKELY(reach < sp || o[-1].state != IFP_OPEN_SET))
                        return NULL;
        } else {
                if (IFP_UNLIKELY(sp >= tls->stack_hi || sp < tls->stack_lo))
                        return NULL;
                reach = tls->stack_hi - 8;
        }
        *(volatile uint64_t *)&lane->top = offset;
        o->sp = reach;
        o->op = (uint64_t)op << 48;
        o->child = ifp_phase_child | offset << 42;
        return o;
}

static inline void begin_fast(struct ifp_lane *lane, struct ifp_open *o, uint32_t op)
{
        /* row, shape, state and phase in one, as the stub writes them */
        uint64_t row = offsetof(struct ifp_lane, time) +
                       (uint64_t)op * IFP_N_PHASES * sizeof(struct ifp_time_row);

        o->live = live_here(lane);
        lane->markers[op].peak_before = peak_here();
        *(volatile uint64_t *)&o->start = ifp_ticks();
        *(volatile uint64_t *)(void *)&o->row = ifp_phase_open + row;
}

static __attribute__((noinline)) void keep_change(struct ifp_marker_row *row, int64_t begin_bytes,
                                                  int64_t change)
{
        if (!row->n) {
                row->first_bytes = begin_bytes;
                row->least_change = row->most_change = change;
                row->highest = begin_bytes;
        }
        row->change_bytes += change;
        if (change < row->least_change)
                row->least_change = change;
        if (change > row->most_change)
                row->most_change = change;
}

/* Most calls leave what is live as it was. */
static inline void keep_bytes(struct ifp_marker_row *row, int64_t begin_bytes, int64_t end_bytes)
{
        int64_t peak = peak_here(), highest = begin_bytes > end_bytes ? begin_bytes : end_bytes;

        if (peak > row->peak_before && peak > highest)
                highest = peak;
        if (IFP_UNLIKELY(end_bytes != begin_bytes || !row->n))
                keep_change(row, begin_bytes, end_bytes - begin_bytes);
        row->begin_bytes += begin_bytes;
        row->last_bytes = end_bytes;
        if (highest > row->highest)
                row->highest = highest;
        ifp_local_add(&row->n, 1);
}

static inline void over(struct ifp_lane *lane, uint32_t op, int64_t live, uint64_t dur,
                        uint64_t child)
{
        ifp_local_add(&lane->marker_self, dur > child ? dur - child : 0);
        keep_bytes(&lane->markers[op], live, live_here(lane));
}

void ifp_marker_left(struct ifp_lane *lane, const struct ifp_open *o, uint64_t dur)
{
        over(lane, ifp_open_op(o), o->live, dur, o->child & IFP_TICKS_MASK);
        __atomic_fetch_add(&ifp_seg->live.markers_left, 1, __ATOMIC_RELAXED);
}

static bool is_marker(const struct ifp_open *o)
{
        return ifp_seg->ops[ifp_open_op(o) % IFP_MAX_OPS].kind == IFP_KIND_MARKER;
}

static struct ifp_open *find_open(struct ifp_lane *lane, uint32_t op)
{
        for (uint64_t i = lane->top; i; i = ifp_open_prev(lane, ifp_open_at(lane, i))) {
                struct ifp_open *o = ifp_open_at(lane, i);

                if (ifp_open_op(o) == op && o->state == IFP_OPEN_SET)
                        return o;
        }
        return NULL;
}

static void close_markers_above(struct ifp_tls *tls, struct ifp_lane *lane,
                                const struct ifp_open *until)
{
        for (uint64_t i = lane->top; i;) {
                struct ifp_open *o = ifp_open_at(lane, i);

                if (o == until)
                        return;
                i = ifp_open_prev(lane, o);
                if (is_marker(o))
                        ifp_close_left(tls, lane, o);
        }
}

/* An end of what is not open here: begun too deep, by the parent before it forked, or a mistake. */
static void not_open(struct ifp_lane *lane, uint32_t op)
{
        if (was_too_deep(lane))
                return;
        if (inherited)
                inherited--;
        else if (!op || ifp_seg->switches[op])
                __atomic_fetch_add(&ifp_seg->live.markers_unmatched, 1, __ATOMIC_RELAXED);
}

static void end(struct ifp_tls *tls, struct ifp_lane *lane, uint32_t op, uint64_t sp)
{
        uint64_t now = ifp_ticks(), around, dur, start, child;
        struct ifp_open *o;
        uint32_t phase;
        int64_t live;

        if (IFP_UNLIKELY(tls->crowd))
                return;
        prune(tls, lane, sp);
        o = ifp_open_at(lane, lane->top);
        if (IFP_UNLIKELY(!op || !lane->top || ifp_open_op(o) != op || o->state != IFP_OPEN_SET)) {
                o = op ? find_open(lane, op) : NULL;
                if (!o) {
                        not_open(lane, op);
                        return;
                }
                close_markers_above(tls, lane, o);
        }
        /* member by member: they were just written so, and a wider load would wait for them */
        start = o->start;
        child = o->child;
        phase = o->phase;
        live = o->live;
        around = ifp_open_prev(lane, o);
        if (IFP_LIKELY(tls->fast && o == ifp_open_at(lane, lane->top))) {
                o->state = IFP_OPEN_FREE; /* all else that has to be 0 is, as after a stub */
                lane->top = around;
        } else {
                ifp_open_pop(lane, o);
        }
        dur = now - start;
        dur = dur > ifp_stamp ? dur - ifp_stamp : 1;
        ifp_child_add(lane, start, around, dur);
        ifp_span_put(lane, op, phase, start, dur, child & IFP_TICKS_MASK, child & ~IFP_TICKS_MASK,
                     0);
        over(lane, op, live, dur, child & IFP_TICKS_MASK);
        if (IFP_UNLIKELY(!tls->fast))
                ifp_fast_again(tls);
}

/* In what is the shim's own nothing is recorded. NULL: not now. */
static inline struct ifp_lane *lane_for(struct ifp_tls *tls)
{
        if (IFP_UNLIKELY(tls->busy || ifp_off || !ifp_seg))
                return NULL;
        return IFP_LIKELY(tls->lane && ifp_alive()) ? tls->lane : ifp_settle(tls);
}

/* Nothing of a child's own is closed by it, so none is opened for it either. */
static inline bool is_of_parent(void)
{
        if (IFP_LIKELY(ifp_alive()))
                return false;
        if (inherited)
                inherited--;
        return true;
}

static inline bool is_off(const struct infprof_site *site)
{
        const struct ifp_segment *seg = ifp_seg;

        return !seg || (site->number && !seg->switches[site->number % IFP_MAX_OPS]);
}

/* The segment stays mapped, in a fork child at the same address. */
static void note_at(struct infprof_site *site, uint32_t op)
{
        __atomic_store_n(&site->number, op, __ATOMIC_RELAXED);
        if (op)
                __atomic_store_n(&site->on, &ifp_seg->switches[op], __ATOMIC_RELAXED);
}

static uint32_t op_at(struct ifp_tls *tls, struct infprof_site *site)
{
        uint32_t op = __atomic_load_n(&site->number, __ATOMIC_RELAXED);

        if (IFP_LIKELY(op && op < IFP_MAX_OPS))
                return op;
        op = ifp_marker_op(tls, site->name);
        note_at(site, op);
        return ifp_seg->switches[op] ? op : 0;
}

/* The same for an end: of a name that was begun. What was begun nowhere yet is looked for again. */
static uint32_t op_ended_at(struct infprof_site *site)
{
        uint32_t op = __atomic_load_n(&site->number, __ATOMIC_RELAXED);

        if (IFP_LIKELY(op && op < IFP_MAX_OPS))
                return op;
        op = ifp_marker_op_begun(site->name);
        if (op != ifp_marker_other)
                note_at(site, op);
        return op;
}

static __attribute__((noinline)) void end_at(struct infprof_site *site)
{
        struct ifp_tls *tls = &ifp_tls;
        struct ifp_lane *lane = tls->lane;

        if (IFP_LIKELY(ifp_seg && lane && !tls->busy && !ifp_off && !is_of_parent()))
                end(tls, lane, op_ended_at(site), HERE);
}

/* Who calls it has looked at the switch. */
IFP_EXPORT void infprof_site_begin(struct infprof_site *site)
{
        struct ifp_tls *tls = &ifp_tls;
        struct ifp_lane *lane = lane_for(tls);
        uint32_t op = lane ? op_at(tls, site) : 0;
        struct ifp_open *o;

        if (IFP_UNLIKELY(!op))
                return;
        o = push_fast(tls, lane, op, HERE);
        if (IFP_LIKELY(o != NULL))
                begin_fast(lane, o, op);
        else
                begin(tls, lane, op, HERE);
}

IFP_EXPORT void infprof_site_end(struct infprof_site *site)
{
        /* one that was begun before it was switched off is ended */
        if (!is_off(site) || (ifp_tls.lane && ifp_tls.lane->top))
                end_at(site);
}

IFP_EXPORT void infprof_begin(const char *name)
{
        struct ifp_tls *tls = &ifp_tls;
        struct ifp_lane *lane = lane_for(tls);
        uint32_t op = lane ? ifp_marker_op(tls, name) : 0;

        if (lane && ifp_seg->switches[op])
                begin(tls, lane, op, HERE);
}

IFP_EXPORT void infprof_end(const char *name)
{
        struct ifp_tls *tls = &ifp_tls;
        struct ifp_lane *lane = tls->lane;

        if (!ifp_seg || !lane || tls->busy || ifp_off || is_of_parent())
                return;
        end(tls, lane, ifp_marker_op_begun(name), HERE);
}

struct ifp_lane *ifp_told_lane(struct ifp_tls *tls)
{
        return lane_for(tls);
}

uint64_t ifp_marker_since(struct ifp_lane *lane, uint64_t after)
{
        uint64_t since = 0;

        for (uint64_t i = lane->top; i; i = ifp_open_prev(lane, ifp_open_at(lane, i))) {
                struct ifp_open *o = ifp_open_at(lane, i);

                if (is_marker(o) && o->state == IFP_OPEN_SET && o->start > after)
                        since = o->start; /* the further out, the earlier */
        }
        return since;
}

/* In the parent, as it forks; and after it. */
void ifp_markers_fork(bool about_to)
{
        struct ifp_lane *lane = ifp_tls.lane;

        open_at_fork = 0;
        if (!about_to || !ifp_seg || !lane || ifp_tls.crowd || !ifp_alive())
                return;
        for (uint64_t i = lane->top; i; i = ifp_open_prev(lane, ifp_open_at(lane, i)))
                open_at_fork += is_marker(ifp_open_at(lane, i));
}

void ifp_markers_after_fork(void)
{
        ifp_marker_names_after_fork();
        inherited += open_at_fork; /* this may be called twice */
        open_at_fork = 0;
}
