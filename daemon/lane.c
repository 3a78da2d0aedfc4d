/* SPDX-License-Identifier: MIT */
/*
 * The life of a lane, seen from the reader's side.
 *
 *   FREE ──shim──► LIVE ──shim──► ENDED ──here, when all is read──► FREE
 *                                   └──shim, in want of lanes──► LIVE (retaken)
 *
 * `gen` grows with each thread, so a thread whose end we did not see is told
 * from its successor. Its figures then cannot be told apart any more: what
 * stands there when we notice is the earlier thread's, what comes after is
 * the later one's. The sum is exact in any case.
 */
#include "daemon/lane.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/procfs.h"
#include "daemon/text.h"
#include "daemon/thread.h"

#define STALL_NS      1000000000ull /* a slot that is not completed for so long is given up */
#define IN_FLIGHT_MAX 8u /* spans of one thread that can be half written when it is killed */
#define RINGS_KEPT_BYTES                                                                           \
        (24ull << 20)          /* a segment may take so much before rings are given back           \
                                */
#define GIVE_BACK_RECORDS 512u /* and then those of which so much is new */

void lane_identity(const struct ifp_lane *lane, struct thread *t)
{
        uint32_t site = lane->site;

        t->tid = lane->tid;
        t->parent_tid = lane->parent_tid;
        t->site = site && site <= IFP_MAX_SITES ? (int64_t)site - 1 : -1;
        t->start_ticks = lane->start_ticks;
}

/* It may take another one, and says its last when it ends; many do not live to be asked again. */
static void first_name(const struct process *p, struct thread *t)
{
        const char *base = p->exe ? strrchr(p->exe, '/') : NULL;

        if (p->segment.header.pid == p->pid &&
            procfs_thread_name(p->pid, t->tid, t->name, sizeof(t->name)))
                return;
        if (t->tid == p->segment.header.pid && base)
                snprintf(t->name, 16, "%s", base + 1);
}

static int lane_begin(struct process *p, struct lane *l, const struct ifp_lane *lane, uint32_t gen)
{
        struct thread *t;
        int r;

        r = thread_next(p, &t);
        if (r < 0)
                return r;
        lane_identity(lane, t);
        first_name(p, t);
        thread_ledger_settle(p, l, (uint32_t)(l - p->lanes));
        t->lane = (uint32_t)(l - p->lanes);
        t->gen = gen;
        l->thread = t;
        l->gen = gen;
        return thread_map_add(p, t);
}

int lane_refresh(struct process *p, struct lane *l, uint32_t i, const char **ret_why)
{
        struct thread *t = l->thread;
        struct thread_range *ranges;
        struct tally tally;
        struct figures before;
        int r;

        if (!t)
                return 0;
        r = tally_read(&tally, p->scratch, &p->segment, p->counts.n_ops, i, &l->base, ret_why);
        if (r)
                return r;
        ranges = malloc(tally.n_rows * sizeof(*ranges) + 1);
        if (!ranges) {
                tally_done(&tally);
                return -ENOMEM;
        }
        tally_done(&t->tally);
        free(t->ranges);
        t->tally = tally;
        t->ranges = ranges;
        t->folded = __atomic_load_n(&p->segment.map->lanes[i].n_folded, __ATOMIC_RELAXED) -
                    l->base_folded;
        thread_fill_ranges(p, l, i, t);
        before = t->sum;
        thread_add_up(p, t);
        kernel_refresh(p, t, i, &l->kernel_base);
        t->dirty |= memcmp(&before, &t->sum, sizeof(before)) != 0;
        return thread_waits_take(p, l, i, ret_why);
}

int lane_refresh_crowd(struct process *p, const char **ret_why)
{
        uint32_t i = p->segment.header.n_lanes - 1;
        int r;

        if (!p->crowd.thread) {
                struct tally t;
                uint32_t n;

                r = tally_read(&t, p->scratch, &p->segment, p->counts.n_ops, i, NULL, ret_why);
                if (r)
                        return r;
                n = t.n_rows;
                tally_done(&t);
                if (!n)
                        return 0;
                r = thread_next(p, &p->crowd.thread);
                if (r < 0)
                        return r;
                strcpy(p->crowd.thread->name, "(threads without a lane)");
                p->crowd.thread->named = true;
        }
        return lane_refresh(p, &p->crowd, i, ret_why);
}

/* The lane's thread is over: its figures are final, and where they stand is where the next
 * begins. */
static int lane_end(struct process *p, struct lane *l, uint32_t i, uint64_t end_ticks,
                    const char **ret_why)
{
        const struct ifp_lane *lane = &p->segment.map->lanes[i];
        struct thread *t = l->thread;
        int r;

        r = segment_count(&p->segment, &p->counts, ret_why);
        if (!r)
                r = process_take_ops(p, ret_why);
        if (!r)
                r = lane_refresh(p, l, i, ret_why);
        if (r)
                return r;
        t->ended = true;
        t->dirty = true;
        t->end_ticks = end_ticks;
        if (end_ticks > t->start_ticks)
                p->ended_ticks += end_ticks - t->start_ticks;
        if (!t->named || lane->name[0]) {
                char name[sizeof(lane->name) + 1] = "";

                memcpy(name, lane->name, sizeof(lane->name));
                text_clean(name);
                if (name[0])
                        strcpy(t->name, name);
        }
        if (lane->cpu_ns && lane->gen == l->gen)
                t->cpu_ns = lane->cpu_ns;
        else
                t->cpu_ns = UINT64_MAX; /* what we saw last is not all of it */
        tally_add_to(&t->tally, p->retired, p->n_ops_room * IFP_N_PHASES);
        thread_count_callers(p, t);
        r = tally_merge(&l->base, &t->tally);
        if (r < 0)
                return r;
        l->base_folded += t->folded;
        thread_waits_end(p, l);
        kernel_figures_add(&l->kernel_base, &t->kernel);
        l->thread = NULL;
        drain_lane_reset(&l->drain);
        p->dirty = true;
        return t->index == PROCESS_MAX_THREADS ? thread_to_later(p, t) : 0;
}

/* A slot that was begun and is not completed holds all behind it up. */
static void unstall(struct process *p, struct lane *l, struct ifp_lane *lane, uint64_t now_ns)
{
        if (!drain_waiting(&l->drain, lane))
                return;
        if (!l->drain.stalled) {
                l->drain.stalled = true;
                l->drain.stalled_since_ns = now_ns;
        } else if (now_ns - l->drain.stalled_since_ns > STALL_NS &&
                   drain_is_overtaken(&l->drain, lane)) {
                drain_skip(&l->drain, lane);
                p->skipped++;
        }
}

static int drain_error(int r, const char **ret_why)
{
        switch (r) {
        case DRAIN_E_HEAD:
                *ret_why = "the head of a ring ran backwards, or past what it can hold";
                return SEGMENT_E_BAD;
        case DRAIN_E_OP:
                *ret_why = "a record names an op that does not exist";
                return SEGMENT_E_BAD;
        case DRAIN_E_PHASE:
                *ret_why = "a record names a phase that does not exist";
                return SEGMENT_E_BAD;
        default:
                return r;
        }
}

/* Everything up to the head, past what will never be completed. The writer has ended, so the head
 * stands still; one that does not will not keep us. */
static int drain_rest(struct process *p, struct lane *l, struct ifp_lane *lane, uint64_t *ret_n)
{
        uint64_t n, all = 0, to = l->drain.tail + drain_waiting(&l->drain, lane);
        int r = 0;

        if (to - l->drain.tail > IFP_RING_SLOTS)
                r = DRAIN_E_HEAD;
        while (!r && l->drain.tail < to) {
                r = drain_lane(&p->drain, &l->drain, lane, &p->segment.map->live.n_ops, &n);
                all += n;
                if (!r && !n) {
                        drain_skip(&l->drain, lane);
                        p->skipped++;
                }
        }
        *ret_n = all;
        return r;
}

/* Ends the thread that had the lane, if another has it by now; begins the one that has. */
static int lane_identify(struct process *p, uint32_t i, uint32_t gen, const char **ret_why)
{
        const struct ifp_lane *lane = &p->segment.map->lanes[i];
        struct lane *l = &p->lanes[i];
        int r;

        if (l->thread && gen != l->gen) { /* retaken: we did not see it end */
                r = lane_end(p, l, i, lane->start_ticks, ret_why);
                if (r)
                        return r;
        }
        return l->thread ? 0 : lane_begin(p, l, lane, gen);
}

/*
 * A ring is written once around before a page of it is used again, so an
 * engine that makes threads faster than we see them end would fill the rings
 * of hundreds of lanes. A lane that ended is ours alone, until the engine has
 * no fresh ones left and takes it back unread.
 */
static void give_back(struct process *p, struct lane *l, uint32_t i)
{
        if (p->segment_bytes < RINGS_KEPT_BYTES ||
            l->drain.tail - l->given_back < GIVE_BACK_RECORDS ||
            p->counts.n_lanes + 1 >= p->segment.header.n_lanes)
                return;
        segment_forget_ring(&p->segment, i);
        l->given_back = l->drain.tail;
}

/* The two as one word: whose end it is that we have read. */
static uint64_t *state_and_gen(struct ifp_lane *lane)
{
        _Static_assert(offsetof(struct ifp_lane, state) == 0 && offsetof(struct ifp_lane, gen) == 4,
                       "one word");
        return (uint64_t *)(void *)&lane->state;
}

int lane_round(struct process *p, uint32_t i, uint64_t now_ns, uint64_t *ret_n,
               const char **ret_why)
{
        struct ifp_lane *lane = &p->segment.map->lanes[i];
        struct lane *l = &p->lanes[i];
        uint64_t seen = __atomic_load_n(state_and_gen(lane), __ATOMIC_ACQUIRE);
        uint32_t state = (uint32_t)seen, gen = (uint32_t)(seen >> 32);
        int r;

        *ret_n = 0;
        if (state == IFP_LANE_FREE)
                return 0; /* only we set it free, so all of it is read; `gen` may be on its way */
        if (state > IFP_LANE_ENDED) {
                *ret_why = "the state of a lane is none";
                return SEGMENT_E_BAD;
        }
        r = lane_identify(p, i, gen, ret_why);
        if (r)
                return r;
        if (state == IFP_LANE_LIVE) {
                r = drain_lane(&p->drain, &l->drain, lane, &p->segment.map->live.n_ops, ret_n);
                if (!r && !*ret_n)
                        unstall(p, l, lane, now_ns);
                p->drained += *ret_n;
                return drain_error(r, ret_why);
        }
        r = drain_rest(p, l, lane, ret_n);
        p->drained += *ret_n;
        if (!r)
                r = lane_end(p, l, i, lane->end_ticks, ret_why);
        if (r)
                return drain_error(r, ret_why);
        give_back(p, l, i);
        /* not if it was retaken since, though that thread may have ended as well by now */
        __atomic_compare_exchange_n(state_and_gen(lane), &seen, (uint64_t)gen << 32 | IFP_LANE_FREE,
                                    false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
        return 0;
}

/* Spans of a killed thread that were counted and did not get as far as the ring. */
static void count_in_flight(struct process *p, const struct lane *l, const struct ifp_lane *lane)
{
        uint64_t timed = 0, written = l->drain.tail - l->drain.skipped + lane->n_folded;

        for (uint32_t k = 0; k < l->base.n_rows; k++)
                timed += l->base.rows[k].f.timed;
        if (timed > written && timed - written <= IN_FLIGHT_MAX)
                p->in_flight += timed - written;
}

static void count_open(struct process *p, const struct ifp_lane *lane)
{
        for (uint32_t i = 1; i < IFP_MAX_OPEN; i++) /* entry 0 is the floor */
                p->open += lane->open[i].state == IFP_OPEN_SET ||
                           lane->open[i].state == IFP_OPEN_ASIDE;
}

int lane_finish(struct process *p, uint32_t i, const char **ret_why)
{
        struct ifp_lane *lane = &p->segment.map->lanes[i];
        struct lane *l = &p->lanes[i];
        uint32_t state = lane->state;
        uint64_t n;
        int r;

        if (state == IFP_LANE_FREE && !l->thread)
                return 0;
        r = lane_identify(p, i, lane->gen, ret_why);
        if (r)
                return r;
        r = drain_rest(p, l, lane, &n);
        p->drained += n;
        if (r)
                return drain_error(r, ret_why);
        r = lane_end(p, l, i, state == IFP_LANE_LIVE ? p->end_ticks : lane->end_ticks, ret_why);
        if (r)
                return r;
        if (state == IFP_LANE_LIVE) {
                count_in_flight(p, l, lane);
                count_open(p, lane);
        }
        return 0;
}

int lane_adopt(struct process *p, uint32_t i, const char **ret_why)
{
        struct ifp_lane *lane = &p->segment.map->lanes[i];
        struct lane *l = &p->lanes[i];
        uint64_t tail = __atomic_load_n(&lane->reader.tail, __ATOMIC_RELAXED);
        uint32_t state = __atomic_load_n(&lane->state, __ATOMIC_ACQUIRE);
        uint32_t gen = __atomic_load_n(&lane->gen, __ATOMIC_ACQUIRE);
        int r;

        l->drain.tail = tail;
        p->drained_before += tail;
        if (drain_waiting(&l->drain, lane) > IFP_RING_SLOTS)
                return drain_error(DRAIN_E_HEAD, ret_why);
        l->gen = gen;
        /* The lane's first thread has all of it to itself. */
        if (state != IFP_LANE_FREE && gen == 1)
                return 0;
        r = tally_read(&l->base, p->scratch, &p->segment, p->counts.n_ops, i, NULL, ret_why);
        if (r)
                return r;
        tally_add_to(&l->base, p->retired, p->n_ops_room * IFP_N_PHASES);
        l->base_folded = lane->n_folded;
        thread_waits_adopt(p, l, i);
        return 0;
}
