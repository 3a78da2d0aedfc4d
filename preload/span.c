/* SPDX-License-Identifier: MIT */
/*
 * The way of a span inside the engine's thread: opened as the stub is entered,
 * closed as it is left, written as one record to the ring or, if that is full,
 * to the fold table. The op's exact row is brought up to date in either case.
 *
 * Invariants:
 * - Only this thread writes its lane, but a signal handler may come between
 *   any two instructions and do all of this itself. So what handlers share is
 *   claimed by single instructions, and a handler leaves the stack of open ops
 *   as it found it.
 * - No vector register is touched and no function outside is called, except
 *   through ifp_call_saved.
 * - A span that never returns (an exception, longjmp, cancellation) is closed,
 *   flagged as left, at the thread's next event on the same stack at or above
 *   its frame. A frame on another stack (a coroutine's) is set aside, not
 *   closed: it may go on later.
 */
#include "preload/shim.h"

#define NEAR_BYTES (1ull << 20) /* two frames of one foreign stack are taken to be this near */

__thread struct ifp_tls ifp_tls __attribute__((tls_model("initial-exec")));
struct ifp_stub ifp_stubs[IFP_MAX_STUBS] __attribute__((aligned(64)));

static inline bool on_own_stack(const struct ifp_tls *tls, uint64_t sp)
{
        return sp >= tls->stack_lo && sp < tls->stack_hi;
}

/* The record of a span whose row is up to date already, but whose ring seemed full. */
void ifp_full(struct ifp_lane *lane, const struct ifp_record *record)
{
        uint64_t position;

        if (ifp_ring_reserve(&lane->writer, &lane->reader, &position)) {
                ifp_ring_commit(lane->ring, position, record->start, record->dur_op, record->child,
                                record->arg);
                return;
        }
        ifp_local_add(&lane->n_folded, 1);
        ifp_fold(lane, ifp_record_op(record), ifp_record_phase(record), ifp_record_dur(record));
}

void ifp_span_write(struct ifp_lane *lane, uint32_t op, uint32_t phase, uint64_t start,
                    uint64_t dur, uint64_t child, uint32_t depth, uint32_t flags, uint32_t arg)
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
        record.child = child | (uint64_t)(depth & 0xff) << 48 | (uint64_t)phase << 56 |
                       (uint64_t)flags << 59;
        record.arg = arg;
        ifp_full(lane, &record);
}

/* The duration of a closed span counts as child of the op around it, if that is still open. */
void ifp_child_add(struct ifp_lane *lane, const struct ifp_open *o, uint64_t dur)
{
        struct ifp_open *p;

        if (!o->prev)
                return;
        p = ifp_open_at(lane, o->prev);
        if (p->state == IFP_OPEN_SET && p->start <= o->start)
                ifp_local_add(&p->child, dur);
}

/* Takes an entry out of use; it need not be the innermost. */
void ifp_open_pop(struct ifp_lane *lane, struct ifp_open *o)
{
        uint64_t offset = ifp_open_offset(lane, o);

        if (IFP_LIKELY(lane->top == offset)) {
                lane->top = o->prev;
        } else {
                for (uint64_t i = lane->top; i; i = ifp_open_at(lane, i)->prev) {
                        if (ifp_open_at(lane, i)->prev == offset) {
                                ifp_open_at(lane, i)->prev = o->prev;
                                break;
                        }
                }
        }
        o->state = IFP_OPEN_FREE;
        while (lane->high > offsetof(struct ifp_lane, open) &&
               ifp_open_at(lane, lane->high)[-1].state == IFP_OPEN_FREE)
                lane->high -= sizeof(*o);
}

static struct ifp_open *find_hole(struct ifp_lane *lane)
{
        for (uint32_t i = 0; i < IFP_MAX_OPEN; i++)
                if (lane->open[i].state == IFP_OPEN_FREE)
                        return &lane->open[i];
        return NULL;
}

/*
 * NULL: too deep; the call is then counted only. A handler that comes between
 * the load of `high` and its store leaves it as it was.
 */
struct ifp_open *ifp_open_push(struct ifp_lane *lane, uint32_t op, uint32_t phase, uint64_t sp,
                               uint64_t start)
{
        struct ifp_open *o = ifp_open_at(lane, lane->high);
        uint64_t prev = lane->top;

        if (IFP_LIKELY(o < lane->open + IFP_MAX_OPEN)) {
                *(volatile uint64_t *)&lane->high += sizeof(*o);
        } else {
                o = find_hole(lane);
                if (!o)
                        return NULL;
        }
        o->sp = sp;
        o->child = 0;
        o->arg = 0;
        o->op = (uint16_t)op;
        o->prev = (uint16_t)prev;
        o->phase = (uint8_t)phase;
        o->flags = 0;
        o->depth = 0;
        if (prev) {
                uint8_t depth = ifp_open_at(lane, prev)->depth;

                o->depth = depth < 255 ? depth + 1 : 255;
        }
        o->start = start;
        o->state = IFP_OPEN_SET;
        lane->top = ifp_open_offset(lane, o);
        return o;
}

static void close_left(struct ifp_tls *tls, struct ifp_lane *lane, struct ifp_open *o)
{
        struct ifp_open copy = *o;
        uint64_t now = ifp_ticks();

        if (tls->paired == ifp_open_offset(lane, o)) {
                if (tls->paired_end) {
                        ifp_paired_finish(tls, lane);
                        return;
                }
                tls->paired = 0;
        }
        if (copy.state == IFP_OPEN_ASIDE && tls->n_aside)
                tls->n_aside--;
        ifp_open_pop(lane, o);
        if (copy.state == IFP_OPEN_FREE)
                return;
        ifp_local_add(&lane->n_left, 1);
        ifp_child_add(lane, &copy, now - copy.start);
        ifp_span_write(lane, copy.op, copy.phase, copy.start, now - copy.start, copy.child,
                       copy.depth, copy.flags | IFP_REC_LEFT, copy.arg);
}

/* Its frame is taken to lie just below that of the op around it: there it ends at the latest. */
void ifp_paired_begin(struct ifp_tls *tls, struct ifp_lane *lane, uint32_t op, uint32_t phase,
                      uint64_t sp, uint64_t start, const void *of)
{
        struct ifp_open *o;
        uint64_t at = sp + 4096;

        if (lane->top)
                at = ifp_open_at(lane, lane->top)->sp - 8;
        else if (on_own_stack(tls, sp))
                at = tls->stack_hi - 8;
        o = ifp_open_push(lane, op, phase, at, start);
        tls->paired = o ? (uint32_t)ifp_open_offset(lane, o) : 0;
        tls->paired_end = tls->paired_child = 0;
        tls->paired_of = of;
        if (!o)
                ifp_local_add(&lane->time[op][phase].untimed, 1);
}

/* Children that came after the mark (the last barrier) are those of the op around it. */
void ifp_paired_finish(struct ifp_tls *tls, struct ifp_lane *lane)
{
        struct ifp_open *o = ifp_open_at(lane, tls->paired), copy = *o;
        uint64_t dur = tls->paired_end - copy.start;

        if (!tls->paired_end) {
                close_left(tls, lane, o);
                return;
        }
        tls->paired = 0;
        ifp_open_pop(lane, o);
        ifp_child_add(lane, &copy, dur + (copy.child - tls->paired_child));
        ifp_span_write(lane, copy.op, copy.phase, copy.start, dur, tls->paired_child, copy.depth,
                       IFP_REC_LATE, copy.arg);
}

/* It was none: a direct span took its place. */
void ifp_paired_drop(struct ifp_tls *tls, struct ifp_lane *lane)
{
        struct ifp_open *o = ifp_open_at(lane, tls->paired), copy = *o;

        tls->paired = 0;
        ifp_open_pop(lane, o);
        ifp_child_add(lane, &copy, copy.child);
}

static void set_aside(struct ifp_tls *tls, struct ifp_lane *lane, struct ifp_open *o)
{
        o->state = IFP_OPEN_ASIDE;
        lane->top = o->prev;
        tls->n_aside++;
        tls->fast = NULL;
}

/* A coroutine that was set aside goes on: its innermost open op is open again. */
static void take_up(struct ifp_tls *tls, struct ifp_lane *lane, uint64_t sp)
{
        struct ifp_open *best = NULL;

        for (struct ifp_open *o = lane->open; o < ifp_open_at(lane, lane->high); o++) {
                if (o->state == IFP_OPEN_ASIDE && o->sp > sp && o->sp - sp < NEAR_BYTES &&
                    (!best || o->sp < best->sp))
                        best = o;
        }
        if (!best)
                return;
        best->state = IFP_OPEN_SET;
        best->prev = (uint16_t)lane->top;
        lane->top = ifp_open_offset(lane, best);
        tls->n_aside--;
}

/*
 * Deals with open ops whose frames are gone, now that the thread is seen at
 * `sp`. all: the thread ends, so all of them are.
 */
void ifp_prune(struct ifp_tls *tls, struct ifp_lane *lane, uint64_t sp, bool all)
{
        while (lane->top) {
                struct ifp_open *o = ifp_open_at(lane, lane->top);
                bool own = on_own_stack(tls, o->sp);

                if (all || o->state != IFP_OPEN_SET) {
                        close_left(tls, lane, o);
                } else if (own != on_own_stack(tls, sp)) {
                        if (own)
                                break; /* a coroutine, called from o */
                        set_aside(tls, lane, o);
                } else if (o->sp > sp && (own || o->sp - sp < NEAR_BYTES)) {
                        break; /* o encloses us */
                } else if (own) {
                        close_left(tls, lane, o);
                } else {
                        set_aside(tls, lane, o);
                }
        }
        if (all)
                while (lane->high > offsetof(struct ifp_lane, open))
                        close_left(tls, lane, ifp_open_at(lane, lane->high) - 1);
        else if (tls->n_aside && !on_own_stack(tls, sp))
                take_up(tls, lane, sp);
        tls->fast = tls->n_aside || tls->crowd ? NULL : lane;
}

/* The first call of a stub gives its op a number; a thread's first call takes a lane. */
static uint64_t settle(void *arg)
{
        struct ifp_stub *stub = arg;
        struct ifp_tls *tls = &ifp_tls;
        uint16_t busy = tls->busy++;

        if (!ifp_alive())
                ifp_first_record();
        if (ifp_seg && !tls->lane)
                ifp_lane_take(tls, 0, 0);
        if (ifp_seg && !stub->op && stub->hook && stub->hook->names) {
                stub->op = IFP_OP_OTHER; /* its switch stays on: enter asks for each op's own */
        } else if (ifp_seg && !stub->op) {
                uint32_t path = ifp_seg->objects[stub->object].path;
                uint32_t op = ifp_op(stub->name, stub->name, ifp_seg->names + path, stub->kind,
                                     stub->hot, stub->engine);

                if (stub->hot) {
                        stub->hot_left = (uint32_t)(offsetof(struct ifp_lane, hot_left) + op * 4u);
                        stub->hot_row = (uint32_t)(offsetof(struct ifp_lane, time) +
                                                   op * sizeof(struct ifp_time_row) * IFP_N_PHASES +
                                                   offsetof(struct ifp_time_row, untimed));
                }
                stub->op = (uint16_t)op;
                if (!stub->hook && !stub->hot)
                        stub->plain_op = (uint16_t)op;
                stub->sw = &ifp_seg->switches[op];
        }
        tls->busy = busy;
        return 0;
}

/* Random gap with the mean header.hot_interval: uniform in 0 .. 2 (n - 1). */
static uint32_t next_gap(struct ifp_tls *tls)
{
        uint32_t x = tls->seed ? tls->seed : (uint32_t)ifp_ticks() | 1, n = ifp_config.hot_interval;

        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        tls->seed = x;
        return n > 1 ? (uint32_t)((uint64_t)x * (2 * (n - 1) + 1) >> 32) : 0;
}

static void count_in_crowd(struct ifp_lane *lane, uint32_t op)
{
        __atomic_fetch_add(&lane->time[op][ifp_phase].untimed, 1, __ATOMIC_RELAXED);
}

/*
 * Called by a stub before its kernel, where the way in the .S file is not
 * enough. Returns the open span, or NULL: this call is none, pass it through.
 */
struct ifp_open *ifp_enter(struct ifp_stub *stub, uint64_t sp, const struct ifp_args *args)
{
        struct ifp_tls *tls = &ifp_tls;
        struct ifp_lane *lane = tls->lane;
        uint32_t op, arg = 0;
        struct ifp_open *o;

        if (IFP_UNLIKELY(tls->busy || ifp_off))
                return NULL;
        if (IFP_UNLIKELY(!lane || !stub->op || !ifp_alive())) {
                ifp_call_saved(settle, stub);
                lane = tls->lane;
                if (!lane || !stub->op || !*stub->sw)
                        return NULL;
        }
        op = stub->op;
        if (IFP_UNLIKELY(tls->crowd)) {
                count_in_crowd(lane, op);
                return NULL;
        }
        if (IFP_UNLIKELY((lane->top && ifp_open_at(lane, lane->top)->sp <= sp) || tls->n_aside))
                ifp_prune(tls, lane, sp, false);
        if (stub->hook && stub->hook->enter) {
                op = stub->hook->enter(tls, stub, args, sp, &arg);
                if (!op)
                        return NULL;
        }
        o = ifp_open_push(lane, op, ifp_phase, sp, 0);
        if (IFP_UNLIKELY(!o)) {
                ifp_local_add(&lane->time[op][ifp_phase].untimed, 1);
                return NULL;
        }
        o->arg = arg;
        if (IFP_UNLIKELY(stub->hot_row)) {
                lane->hot_left[stub->op] = next_gap(tls);
                o->flags = IFP_REC_SAMPLED;
        }
        o->start = ifp_ticks();
        return o;
}

/* Closes what was opened above `o` on its stack and never returned. */
static void close_above(struct ifp_tls *tls, struct ifp_lane *lane, struct ifp_open *o)
{
        bool own = on_own_stack(tls, o->sp);
        uint64_t offset = ifp_open_offset(lane, o);

        for (uint64_t i = lane->top; i && i != offset;) {
                struct ifp_open *above = ifp_open_at(lane, i);

                i = above->prev;
                if (above->state != IFP_OPEN_SET ||
                    (own == on_own_stack(tls, above->sp) && above->sp < o->sp &&
                     (own || o->sp - above->sp < NEAR_BYTES)))
                        close_left(tls, lane, above);
        }
}

/* Called by a stub after its kernel, where the way in the .S file is not enough. */
void ifp_leave(struct ifp_stub *stub, struct ifp_open *o, uint64_t rax, uint64_t sp, uint64_t end)
{
        struct ifp_tls *tls = &ifp_tls;
        struct ifp_lane *lane = tls->lane;
        struct ifp_open copy;
        uint64_t dur;

        /* A fork child that comes back out of its parent's span; a lane that ended meanwhile. */
        if (IFP_UNLIKELY(!lane || tls->crowd || !ifp_alive() || o < lane->open ||
                         o >= lane->open + IFP_MAX_OPEN))
                return;
        if (IFP_UNLIKELY(o->sp != sp || o->state == IFP_OPEN_FREE))
                return;
        if (IFP_UNLIKELY(lane->top != ifp_open_offset(lane, o))) {
                if (o->state == IFP_OPEN_ASIDE) {
                        tls->n_aside--;
                        tls->fast = tls->n_aside ? NULL : lane;
                        o->prev = 0;
                        o->state = IFP_OPEN_SET;
                } else {
                        close_above(tls, lane, o);
                }
        }
        copy = *o;
        ifp_open_pop(lane, o);
        if (stub->hook && stub->hook->leave && !stub->hook->leave(tls, stub, &copy, end, rax))
                return;
        dur = end - copy.start;
        if (copy.flags & IFP_REC_SAMPLED) {
                uint64_t stamp = ifp_seg->header.stamp_ticks;

                dur = dur > stamp ? dur - stamp : 1;
        }
        ifp_child_add(lane, &copy, dur);
        ifp_span_write(lane, copy.op, copy.phase, copy.start, dur, copy.child, copy.depth,
                       copy.flags, copy.arg);
}

/*
 * How many of the `n` bytes from `from` can be read: for stacks whose end is
 * not known. Whole pages beyond the first are asked for by mincore.
 */
uint64_t ifp_readable(uint64_t from, uint64_t n)
{
        uint64_t page = (from | 4095) + 1;
        uint8_t in_core[1];

        while (page < from + n) {
                if (ifp_sys_failed(IFP_SYS(mincore, page, 4096, in_core)))
                        return (page - from) & ~7ull;
                page += 4096;
        }
        return n;
}
