/* SPDX-License-Identifier: MIT */
/*
 * The segment's table of waits. An entry is taken once it is complete; its sums are read at
 * each tick and only grow. It belongs to a lane, which one thread after the other may have: whose
 * waits it holds is known where only one thread can have had the lane since it moved last.
 *
 * For whom was waited is said as a lane and which of its threads; it becomes a thread's number
 * as soon as that thread has one (a thread that lived between two looks is seen at its end).
 *
 * Histograms stay where they are until they are written, or the segment goes.
 */
#include "daemon/waits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/fold.h"
#include "daemon/lane.h"
#include "daemon/process.h"
#include "daemon/text.h"
#include "daemon/words.h"

static void done(struct wait *w)
{
        kept_hist_done(&w->hist);
        free(w->name);
        free(w->caller);
        free(w->library);
}

void waits_done(struct waits *w)
{
        for (uint32_t i = 0; i < w->n; i++)
                done(&w->list[i]);
        for (uint32_t i = 0; i < w->n_paths; i++)
                free(w->paths[i]);
        free(w->list);
        free(w->over);
        free(w->paths);
        *w = (struct waits){0};
}

static int room_for(struct waits *w, uint32_t n)
{
        uint32_t room = w->room ? w->room : 64;
        struct wait *new;

        while (room < n)
                room *= 2;
        if (room > w->room) {
                new = realloc(w->list, room * sizeof(*new));
                if (!new)
                        return -ENOMEM;
                memset(new + w->room, 0, (room - w->room) * sizeof(*new));
                w->list = new;
                w->room = room;
        }
        if (w->n < n)
                w->n = n;
        return 0;
}

static struct wait_sums take_sums(const struct ifp_wait *w)
{
        return (struct wait_sums){
                .count = heap_load(&w->count),
                .ticks = heap_load(&w->ticks),
                .left = heap_load(&w->left),
                .timeouts = heap_load(&w->timeouts),
                .last = heap_load(&w->last),
                .unknown = heap_load(&w->unknown),
                .unknown_ticks = heap_load(&w->unknown_ticks),
                .others = heap_load(&w->others),
                .others_ticks = heap_load(&w->others_ticks),
        };
}

/* The place of one thread, whole; false: just now it is being given to another. */
static bool read_by(const struct ifp_wait_by *from, struct ifp_wait_by *ret)
{
        struct ifp_wait_by again;

        segment_copy_words(ret, from, sizeof(*ret));
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        segment_copy_words(&again, from, offsetof(struct ifp_wait_by, count));
        return ret->gen && again.gen == ret->gen && again.lane == ret->lane && again.op == ret->op;
}

/* A place may go to a thread that was waited for more; the one before is among the others then. */
static int take_by(struct process *p, const struct ifp_wait_by *from, struct wait *w, uint32_t k,
                   const char **ret_why)
{
        struct wait_by *to = &w->by[k], b = {.thread = -1};
        struct ifp_wait_by now;
        bool is_same;
        int r;

        if (!read_by(from, &now))
                return 0;
        if (now.lane >= p->segment.header.n_lanes)
                return segment_bad(ret_why,
                                   "a thread that was waited for has a lane that does not exist");
        r = process_check_op(p, now.op,
                             "a thread that was waited for has an op that does not exist", ret_why);
        if (r)
                return r;
        is_same = now.gen == to->gen && now.lane == to->lane;
        if (is_same || (!to->gen && now.count >= to->count)) /* or told by a daemon before us */
                b.thread = to->thread;
        b.gen = now.gen;
        b.lane = now.lane;
        b.op = now.op;
        b.count = now.count;
        b.ticks = now.ticks;
        if (b.thread < 0)
                b.thread = thread_of_lane(p, b.lane, b.gen);
        if (!is_same)
                w->by_at_tick[k] = 0;
        *to = b;
        return 0;
}

/* Whose waits are those that came since the last look: the lane had threads `from` to `to`. */
static void take_thread(const struct process *p, struct wait *w)
{
        uint32_t from, to;

        if (w->several)
                return;
        from = p->lanes[w->lane].waits_from ? p->lanes[w->lane].waits_from : 1;
        to = __atomic_load_n(&p->segment.map->lanes[w->lane].gen, __ATOMIC_RELAXED);
        if (from != to || (w->gen && w->gen != to))
                w->several = true;
        w->gen = to;
        w->thread = -1;
}

static int take_one(struct process *p, uint32_t i, const char **ret_why)
{
        const struct ifp_wait *from = &p->segment.map->waits[i];
        struct wait *to = &p->waits.list[i];
        struct wait_sums sums;
        int r;

        if (!to->known) {
                if (!__atomic_load_n(&from->hash, __ATOMIC_ACQUIRE))
                        return 0;
                r = waits_identify(p, from, to, ret_why);
                if (r || !to->known)
                        return r;
        }
        sums = take_sums(from);
        if (words_run_back(&sums, &to->sums, sizeof(sums)))
                return segment_bad(ret_why, "its waits run backwards");
        if (!fold_is_there(&p->segment, __atomic_load_n(&from->fold, __ATOMIC_ACQUIRE)))
                return segment_bad(ret_why, "a histogram of waits lies outside of the pool");
        for (uint32_t k = 0; k < IFP_WAIT_BY; k++) {
                r = take_by(p, &from->by[k], to, k, ret_why);
                if (r)
                        return r;
        }
        if (memcmp(&sums, &to->sums, sizeof(sums)) != 0) {
                to->sums = sums;
                if (sums.count != to->resumed - 1)
                        take_thread(p, to);
                to->resumed = 0;
                p->dirty = true;
        }
        if (!to->several && to->gen && to->thread < 0)
                to->thread = thread_of_lane(p, to->lane, to->gen);
        return to->name ? 0 : waits_name_place(p, to);
}

/* The first thread of each lane that can have waited since this look. */
static void look_at_lanes(struct process *p, bool over)
{
        for (uint32_t i = 0; i < lane_count(p); i++) {
                const struct ifp_lane *lane = &p->segment.map->lanes[i];
                struct lane *l = &p->lanes[i];
                bool is_live;

                if (over) {
                        l->waits_from = l->waits_next;
                        continue;
                }
                is_live = __atomic_load_n(&lane->state, __ATOMIC_ACQUIRE) == IFP_LANE_LIVE;
                l->waits_next = __atomic_load_n(&lane->gen, __ATOMIC_RELAXED) + !is_live;
        }
}

static void add_progress(struct process *p, const struct thread *t)
{
        struct wait *w;

        if (!t || !t->now.kind || !t->now.entry || t->now.entry >= p->waits.n)
                return;
        w = &p->waits.list[t->now.entry];
        w->progress_ticks += t->now.ticks;
        w->n_waiting++;
}

static void take_progress(struct process *p)
{
        for (uint32_t i = 0; i < p->waits.n; i++) {
                p->waits.list[i].progress_ticks = 0;
                p->waits.list[i].n_waiting = 0;
        }
        for (uint32_t i = 0; i < p->n_lanes; i++)
                add_progress(p, p->lanes[i].thread);
}

static uint32_t n_waits(const struct process *p)
{
        uint32_t n = __atomic_load_n(&p->segment.map->live.n_waits, __ATOMIC_ACQUIRE);

        return n < IFP_MAX_WAITS ? n : IFP_MAX_WAITS; /* some were refused */
}

int waits_room(struct process *p)
{
        return room_for(&p->waits, n_waits(p));
}

int waits_take(struct process *p, const char **ret_why)
{
        uint32_t n = n_waits(p);
        int r;

        if (!waits_are_on(&p->segment.header))
                return 0;
        if (n < p->waits.n)
                return segment_bad(ret_why, "the number of its waits runs backwards");
        look_at_lanes(p, false);
        r = room_for(&p->waits, n);
        for (uint32_t i = 1; !r && i < n; i++)
                r = take_one(p, i, ret_why);
        if (r)
                return r;
        look_at_lanes(p, true);
        p->waits.other = heap_bounded(heap_load(&p->segment.map->live.waits_other));
        take_progress(p);
        return 0;
}

void waits_note(struct process *p)
{
        char *line;

        if (!p->waits.other)
                return;
        line = text_format(
                "%llu waits found no room in the table of waits: they are in the sums of "
                "their threads, and with no object or place",
                (unsigned long long)p->waits.other);
        if (line)
                p->notes[p->n_notes++] = line;
}

int waits_end(struct process *p)
{
        int r = 0;

        for (uint32_t i = 1; !r && i < p->waits.n; i++) {
                if (!p->waits.list[i].name)
                        r = waits_name_place(p, &p->waits.list[i]);
                if (!r && p->waits.list[i].known)
                        r = kept_hist_keep(p, &p->segment.map->waits[i].fold,
                                           &p->waits.list[i].hist);
        }
        return r;
}
