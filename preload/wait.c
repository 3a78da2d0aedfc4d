/* SPDX-License-Identifier: MIT */
/*
 * A wait from its beginning to its end. It is shown in lane->waits while it goes on, and added to
 * the lane's sums and to its entry in the segment's table when it is over.
 *
 * Waits lie one in the other where a signal handler waits during a wait; those around are kept
 * aside here, by lane, and the inner one's time is taken off. A wait that never returns (longjmp,
 * cancellation) is found by its frame at the thread's next wait, or at the thread's end, and
 * counted once, as left: its frame is gone if the stack stands above it, or if something else
 * stands where its return address was.
 *
 * While this thread is at work here it is busy: a handler that comes in between has its waits pass
 * by. So nothing here is entered twice on one thread. A handler that jumps out of that leaves the
 * thread busy; who comes next from further up the stack sees that, and sets it right.
 */
#include "preload/wait.h"

#include "preload/heap.h"

#define MAX_NESTED 4u
#define NEAR_BYTES (1ull << 20) /* as in span.c */

/* What became of a call to ifp_wait_begin. */
enum {
        PASSED = 0, /* not recorded */
        OPEN = 1,
        CROWD = 2, /* a thread without a lane: its sums alone */
};

struct waiting {
        uint64_t since, sp, back; /* back: the return address of its frame */
        uint64_t object, inner;
        uint32_t entry;
        uint8_t kind, state;
        bool own, told; /* on the thread's own stack; told by an op's row */
        struct ifp_who who;
};

bool ifp_waits_on;

/* Of a lane's thread; each on lines of its own, as all come by here at a barrier. */
static struct thread_waits {
        uint64_t at_work; /* the frame that is; 0: none */
        uint64_t met_at;  /* records that it had written when it last met others at a barrier */
        struct waiting open[MAX_NESTED];
} __attribute__((aligned(64))) threads[IFP_MAX_LANES];

static inline bool on_own_stack(const struct ifp_tls *tls, uint64_t sp)
{
        return sp >= tls->stack_lo && sp < tls->stack_hi;
}

static inline uint64_t back_at(uint64_t sp)
{
        return *(const volatile uint64_t *)(uintptr_t)(sp + 8);
}

/* Who woke a thread is known only now. */
static bool asks_who_woke(uint32_t kind)
{
        return kind == IFP_WAIT_COND || kind == IFP_WAIT_SEM || kind == IFP_WAIT_FUTEX;
}

/* ---- those under way --------------------------------------------------------- */

static struct waiting *innermost(const struct ifp_tls *tls)
{
        return &threads[tls->lane_number].open[tls->n_waiting - 1];
}

/* What the world sees of it. */
static void show(struct ifp_lane *lane, const struct waiting *w)
{
        struct ifp_lane_waits *s = &lane->waits;

        __atomic_store_n(&s->since, 0, __ATOMIC_RELEASE);
        __asm__ volatile("" : : : "memory");
        s->sp = w ? w->sp : 0;
        s->object = w ? w->object : 0;
        s->entry = w ? w->entry : 0;
        s->kind = w ? w->kind : 0;
        s->inner = w ? w->inner : 0;
        s->by = w ? w->who.gen | (uint64_t)w->who.lane << 32 : 0;
        if (w)
                __atomic_store_n(&s->since, w->since, __ATOMIC_RELEASE);
}

static void take_off(struct ifp_tls *tls)
{
        tls->n_waiting--;
        show(tls->lane, tls->n_waiting ? innermost(tls) : NULL);
}

/*
 * The innermost wait is over, and the one around it goes on. It is shown as gone before its time
 * counts: for an instant it may be missed, but it is never there twice.
 */
static void finish(struct ifp_tls *tls, uint64_t now, enum ifp_wait_how how, bool left)
{
        struct waiting w = *innermost(tls);
        uint64_t whole = now > w.since ? now - w.since : 0,
                 ticks = whole > w.inner ? whole - w.inner : 0;
        struct ifp_lane_waits *s = &tls->lane->waits;

        if (tls->n_waiting > 1)
                threads[tls->lane_number].open[tls->n_waiting - 2].inner += whole;
        take_off(tls);
        if (how == IFP_WAITED_NOT)
                return;
        ifp_local_add(&s->count[w.kind], 1);
        ifp_local_add(&s->ticks[w.kind], ticks);
        if (!w.told)
                ifp_local_add(&s->in_state[w.state][ifp_wait_group(w.kind)], ticks);
        if (!w.entry) {
                __atomic_fetch_add(&ifp_seg->live.waits_other, 1, __ATOMIC_RELAXED);
                return;
        }
        if (!left && !w.who.gen && how == IFP_WAITED && asks_who_woke(w.kind))
                w.who = ifp_who_woke(w.object, w.since, now);
        if (!left && !w.who.gen && how == IFP_WAITED && w.kind == IFP_WAIT_JOIN)
                w.who = ifp_who_joined(w.object, w.since, now);
        if (w.who.gen && tls->decodes)
                ifp_ledger_waited(w.who.lane, ticks);
        ifp_wait_count(w.entry, ticks, &w.who, how, left, false);
}

/* Is the frame of a wait gone, now that the thread is seen at `sp`? */
static bool is_gone(const struct ifp_tls *tls, const struct waiting *w, uint64_t sp)
{
        bool own = on_own_stack(tls, sp);

        if (w->own)
                return (own && sp >= w->sp) || back_at(w->sp) != w->back;
        return own || (sp >= w->sp && sp - w->sp < NEAR_BYTES);
}

void ifp_waits_prune(struct ifp_tls *tls, uint64_t sp, bool all)
{
        while (tls->n_waiting && (all || is_gone(tls, innermost(tls), sp)))
                finish(tls, ifp_ticks(), IFP_WAITED, true);
}

/* ---- where it is asked for ----------------------------------------------------- */

struct look {
        struct ifp_tls *tls;
        const struct ifp_wait_call *w;
        uint32_t op, phase, entry;
};

static uint64_t known_object(const struct ifp_wait_call *w)
{
        return w->one_of_many ? 0 : w->object;
}

static uint64_t look(void *arg)
{
        struct look *l = arg;
        struct ifp_frames frames;
        uint32_t stack;

        ifp_frames_here(l->tls, (const void *)(uintptr_t)back_at(l->w->sp), &frames);
        stack = ifp_stack(l->tls, true, l->op, l->phase, frames.at, frames.n, frames.flags);
        l->entry = ifp_wait_entry(l->tls, l->w, l->op, l->phase, stack, frames.flags);
        ifp_know(l->tls, l->w->sp, known_object(l->w), ifp_known_what(l->w->kind, l->op, l->phase),
                 &frames, l->entry);
        return 0;
}

static uint32_t entry_for(struct ifp_tls *tls, const struct ifp_wait_call *w, uint32_t op,
                          bool saved)
{
        struct look l = {.tls = tls, .w = w, .op = op, .phase = ifp_phase};
        uint32_t known =
                ifp_known(tls, w->sp, known_object(w), ifp_known_what(w->kind, op, l.phase));

        if (IFP_LIKELY(known))
                return known;
        if (saved)
                ifp_call_saved(look, &l);
        else
                look(&l);
        return l.entry;
}

/* ---- at work ------------------------------------------------------------------- */

/* Is the thread busy for a frame of this file's that is gone, now that it is seen at `sp`? */
static bool was_left(const struct ifp_tls *tls, uint64_t sp)
{
        uint64_t other = tls->lane && !tls->crowd ? threads[tls->lane_number].at_work : 0;

        return tls->busy == 1 && other && sp >= other && on_own_stack(tls, sp) &&
               on_own_stack(tls, other);
}

/* False: this call is to pass by. The frame is noted before the thread is busy, and as long. */
static inline bool begin_work(struct ifp_tls *tls, uint64_t sp, uint64_t *ret_before)
{
        if (!ifp_waits_on || ifp_off || !ifp_alive())
                return false;
        if (IFP_UNLIKELY(tls->busy)) {
                if (!was_left(tls, sp))
                        return false;
                tls->busy = 0;
        }
        if (IFP_UNLIKELY(!tls->lane)) {
                tls->busy++;
                ifp_lane_take(tls);
                tls->busy--;
        }
        *ret_before = threads[tls->lane_number].at_work;
        if (IFP_LIKELY(!tls->crowd))
                *(volatile uint64_t *)&threads[tls->lane_number].at_work = sp;
        __asm__ volatile("" : : : "memory");
        tls->busy++;
        __asm__ volatile("" : : : "memory");
        return true;
}

static inline void end_work(struct ifp_tls *tls, uint64_t before)
{
        __asm__ volatile("" : : : "memory");
        tls->busy--;
        __asm__ volatile("" : : : "memory");
        if (IFP_LIKELY(!tls->crowd))
                *(volatile uint64_t *)&threads[tls->lane_number].at_work = before;
}

/* ---- begin and end ------------------------------------------------------------- */

static void meet(const struct ifp_tls *tls, uint32_t kind)
{
        if (kind == IFP_WAIT_BARRIER)
                threads[tls->lane_number].met_at = tls->lane->writer.head;
}

static bool computes(uint32_t op)
{
        uint8_t kind = ifp_seg->ops[op % IFP_MAX_OPS].kind;

        return op >= IFP_OP_FIRST && (kind == IFP_KIND_KERNEL || kind == IFP_KIND_NODE);
}

/*
 * The op that a barrier ends, where none is open: the last one that this thread did since it met
 * the others before, or began. So a pool's waiting for its next job, after which nothing was done,
 * belongs to no op; and where the last span was folded, to none either.
 */
static uint32_t op_of(struct ifp_tls *tls, struct ifp_wait_call *w)
{
        uint32_t here = w->has_op ? w->op : ifp_op_here(tls, w->sp), op;
        uint64_t head = tls->lane->writer.head;

        if (w->kind != IFP_WAIT_BARRIER || w->has_op || head == threads[tls->lane_number].met_at ||
            computes(here))
                return here;
        op = ifp_record_op(&tls->lane->ring[(head - 1) % IFP_RING_SLOTS]);
        if (!computes(op))
                return here;
        w->flags |= IFP_WAIT_BEHIND;
        return op;
}

static bool begin(struct ifp_wait_call *w, bool saved)
{
        struct ifp_tls *tls = &ifp_tls;
        struct waiting *o;
        uint64_t before;
        uint32_t op;

        w->state = PASSED;
        if (!begin_work(tls, w->sp, &before))
                return false;
        if (IFP_UNLIKELY(tls->crowd)) {
                w->state = CROWD;
                w->since = ifp_ticks();
                end_work(tls, before);
                return true;
        }
        if (IFP_UNLIKELY(tls->n_waiting))
                ifp_waits_prune(tls, w->sp, false);
        if (IFP_LIKELY(tls->n_waiting < MAX_NESTED)) {
                op = op_of(tls, w);
                o = &threads[tls->lane_number].open[tls->n_waiting];
                *o = (struct waiting){.sp = w->sp,
                                      .back = back_at(w->sp),
                                      .object = w->object,
                                      .entry = entry_for(tls, w, op, saved),
                                      .kind = w->kind,
                                      .state = (uint8_t)ifp_state_here(tls->lane),
                                      .own = on_own_stack(tls, w->sp),
                                      .told = w->has_op,
                                      .who = w->who};
                w->state = OPEN;
                tls->n_waiting++;
                w->since = o->since = ifp_ticks();
                show(tls->lane, o);
        }
        end_work(tls, before);
        return w->state == OPEN;
}

void ifp_wait_begin(struct ifp_wait_call *w)
{
        IFP_KEEP_ERRNO;

        begin(w, false);
}

bool ifp_wait_begin_saved(struct ifp_wait_call *w)
{
        return begin(w, true);
}

static void end_in_crowd(const struct ifp_wait_call *w, uint64_t now)
{
        struct ifp_lane_waits *s = &ifp_crowd()->waits;

        __atomic_fetch_add(&s->count[w->kind], 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&s->ticks[w->kind], now - w->since, __ATOMIC_RELAXED);
}

void ifp_wait_end(struct ifp_wait_call *w, enum ifp_wait_how how)
{
        struct ifp_tls *tls = &ifp_tls;
        uint64_t now = ifp_ticks(), before;

        if (w->state == PASSED || !begin_work(tls, w->sp, &before))
                return;
        if (w->state == CROWD) {
                if (how != IFP_WAITED_NOT)
                        end_in_crowd(w, now);
        } else if (!tls->crowd) { /* else its lane was given up meanwhile, and all was counted */
                while (tls->n_waiting && innermost(tls)->since > w->since)
                        finish(tls, now, IFP_WAITED, true); /* left within it */
                if (tls->n_waiting && innermost(tls)->sp == w->sp) {
                        innermost(tls)->who = w->who;
                        finish(tls, now, how, false);
                        meet(tls, w->kind);
                }
        }
        end_work(tls, before);
}

void ifp_wait_last(struct ifp_wait_call *w, bool saved)
{
        struct ifp_tls *tls = &ifp_tls;
        struct ifp_wait *e;
        uint64_t before;
        uint32_t entry;

        if (!begin_work(tls, w->sp, &before))
                return;
        entry = tls->crowd ? 0 : entry_for(tls, w, op_of(tls, w), saved);
        if (!tls->crowd)
                meet(tls, w->kind);
        if (entry) {
                e = &ifp_seg->waits[entry];
                ifp_lane_add(&e->last, 1, e->lane == IFP_STACK_SHARED);
        }
        end_work(tls, before);
}

/* ---- waits that another thread sees the end of ------------------------------------ */

void ifp_wait_part_begin(struct ifp_tls *tls, const struct ifp_wait_call *w,
                         struct ifp_wait_part *ret)
{
        struct waiting shown = {.sp = w->sp, .object = w->object, .kind = w->kind};
        uint64_t before;

        ret->lane = IFP_STACK_SHARED;
        if (tls->n_waiting || !begin_work(tls, w->sp, &before))
                return;
        if (tls->crowd) {
                end_work(tls, before);
                return;
        }
        ret->lane = tls->lane_number;
        ret->state = (uint8_t)ifp_state_here(tls->lane);
        ret->entry = shown.entry = entry_for(tls, w, ifp_op_here(tls, w->sp), false);
        shown.since = ret->since = ifp_ticks();
        show(tls->lane, &shown);
        end_work(tls, before);
}

/* Its lane is another thread's, so all is added with locked instructions. */
void ifp_wait_part_end(const struct ifp_wait_part *part, uint64_t now, const struct ifp_who *who)
{
        uint64_t ticks = now > part->since ? now - part->since : 0, since = part->since;
        struct ifp_lane_waits *s;

        if (part->lane == IFP_STACK_SHARED)
                return;
        s = &ifp_seg->lanes[part->lane].waits;
        __atomic_compare_exchange_n(&s->since, &since, 0, false, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED);
        ifp_lane_add(&s->count[IFP_WAIT_BARRIER], 1, true);
        ifp_lane_add(&s->ticks[IFP_WAIT_BARRIER], ticks, true);
        ifp_lane_add(&s->in_state[part->state][IFP_GROUP_BARRIER], ticks, true);
        if (part->entry)
                ifp_wait_count(part->entry, ticks, who, IFP_WAITED, false, true);
        else
                __atomic_fetch_add(&ifp_seg->live.waits_other, 1, __ATOMIC_RELAXED);
}

void ifp_wait_woke(struct ifp_tls *tls, uint64_t since)
{
        uint64_t ticks = ifp_ticks() - since;

        if (!ifp_waits_on || tls->busy || ifp_off || !ifp_alive() || !tls->lane || tls->crowd)
                return;
        ticks = ticks > ifp_stamp ? ticks - ifp_stamp : 0;
        ifp_local_add(&tls->lane->waits.in_state[ifp_state_here(tls->lane)][IFP_GROUP_BARRIER],
                      ticks);
}

void ifp_waits_init(void)
{
        ifp_waits_on = (ifp_seg->header.flags & IFP_HEADER_WAITS) != 0;
}

void ifp_waits_lane(struct ifp_tls *tls)
{
        tls->n_waiting = 0;
        threads[tls->lane_number].at_work = 0;
        threads[tls->lane_number].met_at = tls->lane->writer.head;
}

void ifp_waits_anew(void)
{
        ifp_known_forget();
        ifp_who_anew();
        ifp_sites_anew();
}
