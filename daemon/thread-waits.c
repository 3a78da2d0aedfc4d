/* SPDX-License-Identifier: MIT */
/*
 * What lanes have of waits and of decode steps, told apart by thread: as with their rows
 * (daemon/tally.c) a thread's own is the difference to what stood there when the thread
 * before it ended.
 *
 * A lane's part in decode steps is added by another thread, the one that decodes, when the step is
 * over; by then a thread that lived in it may have ended. What comes to a lane without a thread is
 * that of the last one it had.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/process.h"
#include "daemon/words.h"

static struct thread_waits read_waits(const struct ifp_lane *lane)
{
        const struct ifp_lane_waits *from = &lane->waits;
        struct thread_waits w;

        segment_copy_words(w.count, from->count, sizeof(w.count));
        segment_copy_words(w.ticks, from->ticks, sizeof(w.ticks));
        w.voluntary = heap_load(&from->voluntary);
        w.involuntary = heap_load(&from->involuntary);
        w.minor_faults = heap_load(&from->minor_faults);
        w.major_faults = heap_load(&from->major_faults);
        return w;
}

static struct thread_ledger read_ledger(const struct ifp_lane *lane)
{
        struct thread_ledger l;

        l.steps = heap_load(&lane->ledger.steps);
        segment_copy_words(l.rows, lane->ledger.rows, sizeof(l.rows));
        return l;
}

/* A wait that begins or ends while it is read is none. */
static struct wait_now read_now(const struct ifp_lane *lane, uint64_t *ret_by)
{
        const struct ifp_lane_waits *w = &lane->waits;
        struct wait_now now = {.since = __atomic_load_n(&w->since, __ATOMIC_ACQUIRE)};
        uint64_t at = ifp_ticks();

        if (!now.since)
                return now;
        now.kind = __atomic_load_n(&w->kind, __ATOMIC_RELAXED);
        now.entry = __atomic_load_n(&w->entry, __ATOMIC_RELAXED);
        now.object = heap_load(&w->object);
        *ret_by = heap_load(&w->by);
        now.ticks = at > now.since ? at - now.since : 0;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&w->since, __ATOMIC_RELAXED) != now.since)
                return (struct wait_now){0};
        return now;
}

/*
 * The thread of that pthread_t, where its lane was not there yet when the join began. What a lane
 * says of it are 32 bits: two that say the same are none.
 */
static int64_t joined(const struct process *p, uint64_t object)
{
        uint32_t thread = (uint32_t)(object >> 6);
        int64_t ret = -1;

        for (uint32_t i = 0; object && i < p->n_lanes; i++) {
                const struct ifp_lane *lane = &p->segment.map->lanes[i];

                if (!p->lanes[i].thread ||
                    __atomic_load_n(&lane->waits.thread, __ATOMIC_RELAXED) != thread ||
                    __atomic_load_n(&lane->state, __ATOMIC_ACQUIRE) != IFP_LANE_LIVE)
                        continue;
                if (ret >= 0 || __atomic_load_n(&lane->gen, __ATOMIC_RELAXED) != p->lanes[i].gen)
                        return -1;
                ret = p->lanes[i].thread->index;
        }
        return ret;
}

static int64_t whom_for(const struct process *p, const struct wait_now *now, uint64_t by)
{
        if ((uint32_t)by)
                return thread_of_lane(p, (uint32_t)(by >> 32), (uint32_t)by);
        return now->kind == IFP_WAIT_JOIN ? joined(p, now->object) : -1;
}

static int take_now(struct process *p, struct thread *t, const struct ifp_lane *lane,
                    const char **ret_why)
{
        uint64_t by = 0;
        struct wait_now now = read_now(lane, &by);

        if (now.kind >= IFP_N_WAIT_KINDS)
                return segment_bad(ret_why, "a wait in progress is of a kind that does not exist");
        if (now.entry >= IFP_MAX_WAITS)
                return segment_bad(ret_why, "a wait in progress is none of its waits");
        if (by >> 32 >= p->segment.header.n_lanes)
                return segment_bad(ret_why, "a wait in progress is for a lane that does not exist");
        if (now.kind)
                now.by = whom_for(p, &now, by);
        t->now = now;
        /* one that goes on is worth writing as it grows */
        p->dirty |= now.kind != t->written_now.kind || now.since != t->written_now.since ||
                    now.by != t->written_now.by ||
                    now.ticks > t->written_now.ticks + t->written_now.ticks / 8;
        return 0;
}

int thread_waits_take(struct process *p, struct lane *l, uint32_t i, const char **ret_why)
{
        const struct ifp_lane *lane = &p->segment.map->lanes[i];
        struct thread *t = l->thread;
        struct thread_waits waits, own;
        struct thread_ledger ledger, part;

        if (!waits_are_on(&p->segment.header))
                return 0;
        waits = read_waits(lane);
        ledger = read_ledger(lane);
        if (!words_subtract(&own, &waits, &l->base_waits, sizeof(own)) ||
            words_run_back(&own, &t->waits, sizeof(own)))
                return segment_bad(ret_why, "the waits of a thread run backwards");
        if (!words_subtract(&part, &ledger, &l->base_ledger, sizeof(part)) ||
            words_run_back(&part, &t->ledger, sizeof(part)))
                return segment_bad(ret_why, "a thread's part in decode steps runs backwards");
        p->dirty |= memcmp(&own, &t->waits, sizeof(own)) || memcmp(&part, &t->ledger, sizeof(part));
        t->waits = own;
        t->ledger = part;
        if (l == &p->crowd || __atomic_load_n(&lane->gen, __ATOMIC_RELAXED) != l->gen ||
            __atomic_load_n(&lane->state, __ATOMIC_RELAXED) != IFP_LANE_LIVE) {
                t->now = (struct wait_now){0};
                return 0;
        }
        return take_now(p, t, lane, ret_why);
}

void thread_waits_end(struct process *p, struct lane *l)
{
        struct thread *t = l->thread;

        words_add(&l->base_waits, &t->waits, sizeof(t->waits));
        words_add(&l->base_ledger, &t->ledger, sizeof(t->ledger));
        l->last = t->index == PROCESS_MAX_THREADS ? p->later : t;
}

void thread_ledger_settle(struct process *p, struct lane *l, uint32_t i)
{
        struct thread_ledger now, more;

        if (!waits_are_on(&p->segment.header) || !l->last)
                return;
        now = read_ledger(&p->segment.map->lanes[i]);
        if (!memcmp(&now, &l->base_ledger, sizeof(now)) ||
            !words_subtract(&more, &now, &l->base_ledger, sizeof(more)))
                return;
        words_add(&l->last->ledger, &more, sizeof(more));
        l->base_ledger = now;
        p->dirty = true;
}

void thread_waits_adopt(struct process *p, struct lane *l, uint32_t i)
{
        if (!waits_are_on(&p->segment.header))
                return;
        l->base_waits = read_waits(&p->segment.map->lanes[i]);
        l->base_ledger = read_ledger(&p->segment.map->lanes[i]);
}

void thread_waits_add(struct thread *to, const struct thread *t)
{
        words_add(&to->waits, &t->waits, sizeof(t->waits));
        words_add(&to->ledger, &t->ledger, sizeof(t->ledger));
}

/* ---- which thread had a lane -------------------------------------------------------- */

static uint32_t place_of(const struct process *p, uint32_t lane, uint32_t gen)
{
        uint64_t key = (uint64_t)lane << 32 | gen;

        return (uint32_t)(key * 0x9e3779b97f4a7c15ull >> 32) & (p->thread_map_room - 1);
}

static void map_put(struct process *p, uint32_t position)
{
        const struct thread *t = p->threads[position];
        uint32_t at = place_of(p, t->lane, t->gen);

        while (p->thread_map[at])
                at = (at + 1) & (p->thread_map_room - 1);
        p->thread_map[at] = position + 1;
}

static int map_grow(struct process *p)
{
        uint32_t room = p->thread_map_room ? 2 * p->thread_map_room : 64;
        uint32_t *map = calloc(room, sizeof(*map));

        if (!map)
                return -ENOMEM;
        free(p->thread_map);
        p->thread_map = map;
        p->thread_map_room = room;
        for (uint32_t i = 0; i < p->n_threads; i++)
                if (p->threads[i]->gen)
                        map_put(p, i);
        return 0;
}

/* The newest of the process's threads, which has its lane by now. */
int thread_map_add(struct process *p, struct thread *t)
{
        if (t->index == PROCESS_MAX_THREADS) {
                if (!p->lanes[t->lane].later_from)
                        p->lanes[t->lane].later_from = t->gen;
                return 0;
        }
        if (2 * ++p->n_thread_map > p->thread_map_room)
                return map_grow(p);
        map_put(p, p->n_threads - 1);
        return 0;
}

int64_t thread_of_lane(const struct process *p, uint32_t lane, uint32_t gen)
{
        if (lane == p->segment.header.n_lanes - 1)
                return p->crowd.thread ? (int64_t)p->crowd.thread->index : -1;
        if (lane < p->n_lanes && p->lanes[lane].later_from && gen >= p->lanes[lane].later_from)
                return PROCESS_MAX_THREADS;
        for (uint32_t at = p->thread_map_room ? place_of(p, lane, gen) : 0;
             at < p->thread_map_room && p->thread_map[at];
             at = (at + 1) & (p->thread_map_room - 1)) {
                const struct thread *t = p->threads[p->thread_map[at] - 1];

                if (t->lane == lane && t->gen == gen)
                        return t->index;
        }
        return -1;
}
