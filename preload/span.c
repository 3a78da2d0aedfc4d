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
#include "preload/layer.h"
#include "preload/marker.h"
#include "preload/shape.h"
#include "preload/span-put.h"

#define NEAR_BYTES (1ull << 20) /* two frames of one foreign stack are taken to be this near */

__thread struct ifp_tls ifp_tls __attribute__((tls_model("initial-exec")));
struct ifp_stub ifp_stubs[IFP_MAX_STUBS] __attribute__((aligned(64)));

static inline bool on_own_stack(const struct ifp_tls *tls, uint64_t sp)
{
        return sp >= tls->stack_lo && sp < tls->stack_hi;
}

void ifp_full_fold(struct ifp_lane *lane, const struct ifp_record *record)
{
        ifp_local_add(&lane->n_folded, 1);
        ifp_fold(&lane->fold[ifp_record_op(record)][ifp_record_phase(record)],
                 ifp_record_dur(record), false);
}

/* The record of a span whose row is up to date already: to the ring, else to the fold table. */
void ifp_full(struct ifp_lane *lane, const struct ifp_record *record)
{
        if (IFP_UNLIKELY(!ifp_ring_push(&lane->writer, &lane->reader, lane->ring, record)))
                ifp_full_fold(lane, record);
}

void ifp_span_write(struct ifp_lane *lane, uint32_t op, uint32_t phase, uint64_t start,
                    uint64_t dur, uint64_t child, uint32_t depth, uint32_t flags, uint32_t arg)
{
        ifp_span_put(lane, op, phase, start, dur, child,
                     (uint64_t)(depth & 0xff) << 48 | (uint64_t)phase << 56 | (uint64_t)flags << 59,
                     arg);
}

static uint64_t open_child(const struct ifp_open *o)
{
        return o->child & IFP_TICKS_MASK;
}

static uint32_t open_depth(const struct ifp_open *o)
{
        return (uint32_t)(o->child >> 48) & 0xff;
}

/* The way in the .S file leaves these as they are. */
static void open_free(struct ifp_open *o)
{
        o->state = IFP_OPEN_FREE;
        o->skip = 0;
        o->flags = 0;
        o->shape = o->layer = 0;
        o->arg = 0;
}

/*
 * Entries lie one on the other, and those above go on: each moves into the place below, for the way
 * in the .S file takes that for the op around one. They are found by their frames, wherever they
 * lie.
 */
static void close_gap(struct ifp_lane *lane, struct ifp_open *o)
{
        struct ifp_open *top = ifp_open_at(lane, lane->top);

        for (; o < top; o++) {
                ifp_copy(o, o + 1, sizeof(*o));
                o->child -= 1ull << 48; /* the depth */
        }
        *(volatile uint64_t *)&lane->top -= sizeof(*top);
        open_free(top);
}

/* Takes an entry out of use; it need not be the innermost. */
void ifp_open_pop(struct ifp_lane *lane, struct ifp_open *o)
{
        uint64_t offset = ifp_open_offset(lane, o), around = ifp_open_prev(lane, o), i;

        if (IFP_UNLIKELY(lane->top != offset)) {
                if (ifp_tls.fast == lane) {
                        close_gap(lane, o);
                        return;
                }
                for (i = lane->top; i; i = ifp_open_prev(lane, ifp_open_at(lane, i))) {
                        struct ifp_open *above = ifp_open_at(lane, i);

                        if (ifp_open_prev(lane, above) != offset)
                                continue;
                        above->skip = (int16_t)((int64_t)(i - around) / (int64_t)sizeof(*o) - 1);
                        break;
                }
        }
        open_free(o);
        if (lane->top == offset)
                lane->top = around;
}

/* The nearest free entry above the innermost, else any; NULL: none. */
static struct ifp_open *find_free(struct ifp_tls *tls, struct ifp_lane *lane)
{
        struct ifp_open *top = ifp_open_at(lane, lane->top), *o;

        for (o = top + 1; o < lane->open + IFP_MAX_OPEN; o++)
                if (o->state == IFP_OPEN_FREE)
                        break;
        if (o == lane->open + IFP_MAX_OPEN) {
                if (!tls->uneven)
                        return NULL;
                for (o = lane->open + 1; o < top && o->state != IFP_OPEN_FREE; o++)
                        ;
                if (o == top)
                        return NULL;
        }
        if (o != top + 1) {
                tls->uneven = 1;
                tls->fast = NULL;
        }
        return o;
}

/*
 * NULL: too deep; the call is then counted only. A handler that comes in
 * between leaves `top` as it found it.
 */
struct ifp_open *ifp_open_push(struct ifp_tls *tls, struct ifp_lane *lane, uint32_t op,
                               uint32_t phase, uint64_t sp, uint64_t start)
{
        uint64_t around = lane->top;
        struct ifp_open *o = ifp_open_at(lane, around) + 1;

        if (IFP_UNLIKELY(o >= lane->open + IFP_MAX_OPEN || o->state != IFP_OPEN_FREE)) {
                o = find_free(tls, lane);
                if (!o)
                        return NULL;
        }
        *(volatile uint64_t *)&lane->top = ifp_open_offset(lane, o);
        o->sp = sp;
        o->op = (uint64_t)op << 48;
        o->arg = 0;
        o->shape = 0;
        o->layer = 0;
        o->skip = (int16_t)((int64_t)(ifp_open_offset(lane, o) - around) / (int64_t)sizeof(*o) - 1);
        o->flags = 0;
        o->phase = (uint8_t)phase;
        o->row = (uint32_t)((uintptr_t)&lane->time[op][phase] - (uintptr_t)lane);
        o->child = (uint64_t)phase << 56 | ifp_open_offset(lane, o) << 42;
        o->start = start;
        o->state = IFP_OPEN_SET;
        return o;
}

/* Back to the ordinary way, once nothing is out of the ordinary any more. */
void ifp_fast_again(struct ifp_tls *tls)
{
        struct ifp_lane *lane = tls->lane;

        if (!lane || tls->crowd || tls->n_aside || tls->paired)
                return;
        if (!lane->top)
                tls->uneven = 0;
        if (!tls->uneven)
                tls->fast = lane;
}

void ifp_close_left(struct ifp_tls *tls, struct ifp_lane *lane, struct ifp_open *o)
{
        struct ifp_open copy = *o;
        uint64_t around = ifp_open_prev(lane, o), now = ifp_ticks();

        if (tls->paired == ifp_open_offset(lane, o)) {
                if (tls->paired_end) {
                        ifp_paired_finish(tls, lane);
                        return;
                }
                tls->paired = 0;
                ifp_fast_again(tls);
        }
        if (copy.state == IFP_OPEN_ASIDE)
                tls->n_aside--;
        /* A handler may have been left in the midst of a record: its claim is void. */
        if (lane->writer.claim) {
                lane->writer.next = lane->writer.limit; /* look anew: by head */
                lane->writer.claim = 0;
        }
        ifp_open_pop(lane, o);
        if (copy.state == IFP_OPEN_FREE)
                return;
        ifp_local_add(&lane->n_left, 1);
        if (copy.state == IFP_OPEN_SET)
                ifp_child_add(lane, copy.start, around, now - copy.start);
        ifp_span_write(lane, ifp_open_op(&copy), copy.phase, copy.start, now - copy.start,
                       open_child(&copy), open_depth(&copy), copy.flags | IFP_REC_LEFT, copy.arg);
        if (ifp_seg->ops[ifp_open_op(&copy)].kind == IFP_KIND_MARKER)
                ifp_marker_left(lane, &copy, now - copy.start);
}

/* Its frame is taken to lie just below that of the op around it: there it ends at the latest. */
void ifp_paired_begin(struct ifp_tls *tls, struct ifp_lane *lane, struct ifp_open *o,
                      uint64_t start)
{
        uint64_t around = ifp_open_prev(lane, o);

        if (around)
                o->sp = ifp_open_at(lane, around)->sp - 8;
        else
                o->sp = on_own_stack(tls, o->sp) ? tls->stack_hi - 8 : o->sp + 4096;
        o->start = start;
        o->flags = IFP_REC_LATE;
        tls->paired = (uint32_t)ifp_open_offset(lane, o);
        tls->paired_end = tls->paired_child = 0;
        tls->fast = NULL; /* hooks have to see what comes */
}

/* It was none: a direct span takes its place. NULL: other ops lie on it. */
struct ifp_open *ifp_paired_take(struct ifp_tls *tls, struct ifp_lane *lane, uint64_t sp)
{
        struct ifp_open *o = ifp_open_at(lane, tls->paired);

        if (tls->paired_end || lane->top != tls->paired)
                return NULL;
        tls->paired = 0;
        ifp_fast_again(tls);
        o->sp = sp;
        o->flags = 0;
        return o;
}

/* Children that came after the mark (the last barrier) are those of the op around it. */
void ifp_paired_finish(struct ifp_tls *tls, struct ifp_lane *lane)
{
        struct ifp_open *o = ifp_open_at(lane, tls->paired), copy = *o;
        uint64_t around = ifp_open_prev(lane, o), dur = tls->paired_end - copy.start;

        if (!tls->paired_end) {
                ifp_close_left(tls, lane, o);
                return;
        }
        tls->paired = 0;
        ifp_fast_again(tls);
        ifp_open_pop(lane, o);
        ifp_child_add(lane, copy.start, around, dur + (open_child(&copy) - tls->paired_child));
        ifp_span_write(lane, ifp_open_op(&copy), copy.phase, copy.start, dur, tls->paired_child,
                       open_depth(&copy), IFP_REC_LATE, copy.arg);
        if (copy.shape)
                ifp_shape_count(lane, copy.shape, copy.phase, dur, tls->paired_child);
        if (copy.layer)
                ifp_layer_count(lane, copy.layer, copy.phase, dur, tls->paired_child);
}

static void set_aside(struct ifp_tls *tls, struct ifp_lane *lane, struct ifp_open *o)
{
        o->state = IFP_OPEN_ASIDE;
        lane->top = ifp_open_prev(lane, o);
        tls->n_aside++;
        tls->uneven = 1;
        tls->fast = NULL;
}

/* A coroutine that was set aside goes on: its innermost open op is open again. */
static void take_up(struct ifp_tls *tls, struct ifp_lane *lane, uint64_t sp)
{
        struct ifp_open *best = NULL;

        for (struct ifp_open *o = lane->open + 1; o < lane->open + IFP_MAX_OPEN; o++) {
                if (o->state == IFP_OPEN_ASIDE && o->sp > sp && o->sp - sp < NEAR_BYTES &&
                    (!best || o->sp < best->sp))
                        best = o;
        }
        if (!best)
                return;
        best->skip = (int16_t)((int64_t)(ifp_open_offset(lane, best) - lane->top) /
                                       (int64_t)sizeof(*best) -
                               1);
        best->state = IFP_OPEN_SET;
        lane->top = ifp_open_offset(lane, best);
        tls->n_aside--;
}

/* A new frame where one was set aside: that one is gone, a handler's that jumped off its stack. */
static void close_overlaid(struct ifp_tls *tls, struct ifp_lane *lane, uint64_t sp)
{
        for (struct ifp_open *o = lane->open + 1; o < lane->open + IFP_MAX_OPEN; o++)
                if (o->state == IFP_OPEN_ASIDE && o->sp == sp)
                        ifp_close_left(tls, lane, o);
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

                if (all) {
                        ifp_close_left(tls, lane, o);
                } else if (o->state != IFP_OPEN_SET) {
                        break; /* being opened: we are a handler in the midst of it */
                } else if (own != on_own_stack(tls, sp)) {
                        if (own)
                                break; /* a coroutine, called from o */
                        set_aside(tls, lane, o);
                } else if (o->sp > sp && (own || o->sp - sp < NEAR_BYTES)) {
                        break; /* o encloses us */
                } else if (own) {
                        ifp_close_left(tls, lane, o);
                } else {
                        set_aside(tls, lane, o);
                }
        }
        if (all && tls->n_aside) {
                for (struct ifp_open *o = lane->open + 1; o < lane->open + IFP_MAX_OPEN; o++)
                        if (o->state == IFP_OPEN_ASIDE)
                                ifp_close_left(tls, lane, o);
        } else if (tls->n_aside && !on_own_stack(tls, sp)) {
                close_overlaid(tls, lane, sp);
                take_up(tls, lane, sp);
        }
        ifp_fast_again(tls);
}

/* A thread's first event takes a lane, a fork child's first one a segment. */
struct ifp_lane *ifp_settle(struct ifp_tls *tls)
{
        uint16_t busy = tls->busy++;

        if (!ifp_alive())
                ifp_first_record();
        if (ifp_seg && !tls->lane)
                ifp_lane_take(tls);
        tls->busy = busy;
        return ifp_seg ? tls->lane : NULL;
}

static uint32_t unsettled[IFP_MAX_STUBS]; /* calls by handlers, before the op had a number */

/* The first call of a stub gives its op a number. */
static uint64_t settle(void *arg)
{
        struct ifp_stub *stub = arg;
        struct ifp_tls *tls = &ifp_tls;
        uint16_t busy = tls->busy++;
        uint32_t early;

        ifp_settle(tls);
        if (ifp_seg && !stub->op && stub->hook && stub->hook->names) {
                stub->op = IFP_OP_OTHER; /* its switch stays on: enter asks for each op's own */
        } else if (ifp_seg && !stub->op) {
                uint32_t path = ifp_seg->objects[stub->object].path;
                uint32_t op = ifp_op(stub->name, stub->name, ifp_seg->names + path, stub->kind,
                                     stub->hot, stub->engine);

                stub->row = (uint32_t)(offsetof(struct ifp_lane, time) +
                                       op * sizeof(struct ifp_time_row) * IFP_N_PHASES);
                stub->sw = &ifp_seg->switches[op];
                if (stub->hot)
                        stub->hot_left = (uint32_t)(offsetof(struct ifp_lane, hot_left) + op * 4u);
                else if (!stub->hook || stub->hook->rare)
                        stub->plain_op = (uint64_t)op << 48;
                __atomic_store_n(&stub->op, (uint16_t)op, __ATOMIC_RELEASE);
                early = __atomic_exchange_n(&unsettled[stub - ifp_stubs], 0, __ATOMIC_RELAXED);
                if (early)
                        __atomic_fetch_add(&ifp_crowd()->time[op][ifp_phase].untimed, early,
                                           __ATOMIC_RELAXED);
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

/* This is a handler that interrupted the shim itself. */
static void count_in_between(struct ifp_stub *stub)
{
        if (stub->op)
                count_in_crowd(ifp_crowd(), stub->op);
        else
                __atomic_fetch_add(&unsettled[stub - ifp_stubs], 1, __ATOMIC_RELAXED);
}

/* Opens a span of the stub's own op; NULL: too deep, it is counted only. */
struct ifp_open *ifp_hook_push(struct ifp_tls *tls, const struct ifp_stub *stub, uint64_t sp)
{
        struct ifp_open *o = ifp_open_push(tls, tls->lane, stub->op, ifp_phase, sp, 0);

        if (IFP_UNLIKELY(!o))
                ifp_local_add(&tls->lane->time[stub->op][ifp_phase].untimed, 1);
        return o;
}

/*
 * Called by a stub before its kernel, where the way in the .S file is not
 * enough. Returns the open span, or NULL: this call is none, pass it through.
 */
struct ifp_open *ifp_enter(struct ifp_stub *stub, uint64_t sp, const struct ifp_args *args)
{
        struct ifp_tls *tls = &ifp_tls;
        struct ifp_lane *lane = tls->lane;
        struct ifp_open *o;

        if (IFP_UNLIKELY(tls->busy || ifp_off)) {
                if (!ifp_off && !stub->hook && ifp_alive())
                        count_in_between(stub);
                return NULL;
        }
        if (IFP_UNLIKELY(!lane || !stub->op || !ifp_alive())) {
                ifp_call_saved(settle, stub);
                lane = tls->lane;
                if (!lane || !stub->op || !*stub->sw)
                        return NULL;
        }
        if (IFP_UNLIKELY(tls->crowd)) {
                count_in_crowd(lane, stub->op);
                return NULL;
        }
        if (IFP_UNLIKELY((lane->top && ifp_open_at(lane, lane->top)->sp <= sp) || tls->n_aside))
                ifp_prune(tls, lane, sp, false);
        if (stub->hook && stub->hook->enter)
                o = stub->hook->enter(tls, stub, args, sp);
        else
                o = ifp_hook_push(tls, stub, sp);
        if (IFP_UNLIKELY(stub->hot_left)) {
                lane->hot_left[stub->op] = next_gap(tls); /* also where there is no room for it */
                if (o)
                        o->flags = IFP_REC_SAMPLED;
        }
        return o; /* the stub stamps its start */
}

/* Closes what was opened above `o` on its stack and never returned. */
static void close_above(struct ifp_tls *tls, struct ifp_lane *lane, struct ifp_open *o)
{
        bool own = on_own_stack(tls, o->sp);
        uint64_t offset = ifp_open_offset(lane, o);

        for (uint64_t i = lane->top; i && i != offset;) {
                struct ifp_open *above = ifp_open_at(lane, i);

                i = ifp_open_prev(lane, above);
                if (above->state != IFP_OPEN_SET ||
                    (own == on_own_stack(tls, above->sp) && above->sp < o->sp &&
                     (own || o->sp - above->sp < NEAR_BYTES)))
                        ifp_close_left(tls, lane, above);
        }
}

/* The open entry of the frame `sp`; NULL: it was closed as left, or is another process's. */
static struct ifp_open *find_open(struct ifp_tls *tls, struct ifp_lane *lane, uint64_t sp)
{
        struct ifp_open *o = ifp_open_at(lane, lane->top);

        if (IFP_LIKELY(o->sp == sp && o->state == IFP_OPEN_SET))
                return o;
        for (uint64_t i = lane->top; i; i = ifp_open_prev(lane, o)) {
                o = ifp_open_at(lane, i);
                if (o->sp == sp && o->state == IFP_OPEN_SET) {
                        close_above(tls, lane, o);
                        return o;
                }
        }
        for (o = lane->open + 1; tls->n_aside && o < lane->open + IFP_MAX_OPEN; o++) {
                if (o->sp != sp || o->state != IFP_OPEN_ASIDE)
                        continue;
                tls->n_aside--;
                o->state = IFP_OPEN_SET; /* not on the stack any more: of no op around it */
                o->skip = (int16_t)(o - lane->open - 1);
                return o;
        }
        return NULL;
}

/* Called by a stub after its kernel, where the way in the .S file is not enough. */
void ifp_leave(struct ifp_stub *stub, uint64_t rax, uint64_t sp, uint64_t end)
{
        struct ifp_tls *tls = &ifp_tls;
        struct ifp_lane *lane = tls->lane;
        uint64_t dur, around, start, child;
        uint32_t op, phase, depth, flags, arg, shape, layer;
        struct ifp_open *o;

        /* A fork child that comes back out of its parent's span; a lane that ended meanwhile. */
        if (IFP_UNLIKELY(!lane || tls->crowd || !ifp_alive()))
                return;
        o = find_open(tls, lane, sp);
        if (IFP_UNLIKELY(!o))
                return;
        if (stub->hook && stub->hook->leave && !stub->hook->leave(tls, stub, o, end, rax))
                return;
        start = o->start;
        child = open_child(o);
        depth = open_depth(o);
        op = ifp_open_op(o);
        phase = o->phase;
        flags = o->flags;
        arg = o->arg;
        shape = o->shape;
        layer = o->layer;
        around = ifp_open_prev(lane, o);
        ifp_open_pop(lane, o);
        dur = end - start;
        dur = dur > ifp_stamp ? dur - ifp_stamp : 1;
        ifp_child_add(lane, start, around, dur);
        ifp_span_write(lane, op, phase, start, dur, child, depth, flags, arg);
        if (shape)
                ifp_shape_count(lane, shape, phase, dur, child);
        if (layer)
                ifp_layer_count(lane, layer, phase, dur, child);
        if (IFP_UNLIKELY(!tls->fast))
                ifp_fast_again(tls);
}

/*
 * How many of the `n` bytes from `from` can be read: for stacks whose end is
 * not known. Whole pages beyond the first are asked for: rt_sigprocmask reads its argument before
 * it finds that -1 is nothing to do. (mincore would take a guard page for readable.)
 */
uint64_t ifp_readable(uint64_t from, uint64_t n)
{
        uint64_t page = (from | 4095) + 1;

        while (page < from + n) {
                if (IFP_SYS(rt_sigprocmask, -1, page, NULL, 8) == -EFAULT)
                        return (page - from) & ~7ull;
                page += 4096;
        }
        return n;
}
