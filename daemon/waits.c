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

#include "common/hist.h"
#include "daemon/fold.h"
#include "daemon/lane.h"
#include "daemon/places.h"
#include "daemon/process.h"
#include "daemon/text.h"

#define MOST_IN_A_BUCKET (1ull << 48) /* more were not counted, but made up */

static void done(struct wait *w)
{
        free(w->hist.blob);
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

static int bad(const char **ret_why, const char *why)
{
        *ret_why = why;
        return SEGMENT_E_BAD;
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

/* The file the object lies in. What lies in none is on a heap or a stack. */
static void find_file(const struct process *p, struct wait *w)
{
        for (uint32_t i = 0; w->object && i < p->counts.n_objects; i++) {
                const struct ifp_object *o = &p->segment.map->objects[i];
                uint64_t base = heap_load(&o->base);

                if (w->object < heap_load(&o->start) || w->object >= heap_load(&o->end) ||
                    __atomic_load_n(&o->closed, __ATOMIC_ACQUIRE))
                        continue;
                w->file = i + 1;
                w->offset = w->object - base;
                return;
        }
}

static int take_path(struct process *p, uint32_t file, const char **ret_why)
{
        struct waits *w = &p->waits;

        if (!file)
                return 0;
        if (w->n_paths < p->counts.n_objects) {
                char **paths = realloc(w->paths, p->counts.n_objects * sizeof(*paths));

                if (!paths)
                        return -ENOMEM;
                for (uint32_t i = w->n_paths; i < p->counts.n_objects; i++)
                        paths[i] = NULL;
                w->paths = paths;
                w->n_paths = p->counts.n_objects;
        }
        if (w->paths[file - 1])
                return 0;
        return segment_name(
                &p->segment, &p->counts,
                __atomic_load_n(&p->segment.map->objects[file - 1].path, __ATOMIC_RELAXED),
                &w->paths[file - 1], ret_why);
}

const char *waits_file(const struct process *p, const struct wait *w)
{
        return w->file && w->file <= p->waits.n_paths ? p->waits.paths[w->file - 1] : NULL;
}

static void forget_threads(struct wait *w)
{
        w->thread = -1;
        for (uint32_t k = 0; k < IFP_WAIT_BY; k++)
                w->by[k].thread = -1;
}

/* What never changes, once the entry is complete. */
static int take_identity(struct process *p, const struct ifp_wait *from, struct wait *to,
                         const char **ret_why)
{
        struct wait w = *to;
        int r;

        w.known = true;
        w.kind = __atomic_load_n(&from->kind, __ATOMIC_RELAXED);
        w.phase = __atomic_load_n(&from->phase, __ATOMIC_RELAXED);
        w.op = __atomic_load_n(&from->op, __ATOMIC_RELAXED);
        w.lane = __atomic_load_n(&from->lane, __ATOMIC_RELAXED);
        w.flags = __atomic_load_n(&from->flags, __ATOMIC_RELAXED);
        w.stack = __atomic_load_n(&from->stack, __ATOMIC_RELAXED);
        w.object = heap_load(&from->object);
        if (w.kind == IFP_WAIT_NONE || w.kind >= IFP_N_WAIT_KINDS)
                return bad(ret_why, "a wait is of a kind that does not exist");
        if (w.phase >= IFP_N_PHASES)
                return bad(ret_why, "a wait is of a phase that does not exist");
        if (w.lane != IFP_STACK_SHARED && w.lane >= p->segment.header.n_lanes)
                return bad(ret_why, "a wait is of a lane that does not exist");
        if (w.stack >= heap_n_stacks(p))
                return bad(ret_why, "a wait is at a stack that does not exist");
        r = process_check_op(p, w.op, "a wait belongs to an op that does not exist", ret_why);
        if (r)
                return r;
        w.several |= w.lane == IFP_STACK_SHARED;
        if (!w.resumed)
                forget_threads(&w);
        find_file(p, &w);
        r = take_path(p, w.file, ret_why);
        if (r)
                return r;
        *to = w;
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

static bool runs_back(const struct wait_sums *now, const struct wait_sums *before)
{
        const uint64_t *a = (const uint64_t *)now, *b = (const uint64_t *)before;
        bool back = false;

        for (size_t i = 0; i < sizeof(*now) / sizeof(*a); i++)
                back |= a[i] < b[i];
        return back;
}

static int take_by(struct process *p, const struct ifp_wait_by *from, struct wait_by *to,
                   const char **ret_why)
{
        uint32_t gen = __atomic_load_n(&from->gen, __ATOMIC_ACQUIRE);
        struct wait_by b = *to;
        int r;

        if (!gen)
                return to->gen ? bad(ret_why, "whom it waited for is forgotten") : 0;
        b.gen = gen;
        b.lane = __atomic_load_n(&from->lane, __ATOMIC_RELAXED);
        b.op = __atomic_load_n(&from->op, __ATOMIC_RELAXED);
        b.count = heap_load(&from->count);
        b.ticks = heap_load(&from->ticks);
        if (b.lane >= p->segment.header.n_lanes)
                return bad(ret_why, "a thread that was waited for has a lane that does not exist");
        if (to->gen && (b.gen != to->gen || b.lane != to->lane))
                return bad(ret_why, "whom it waited for changes");
        if (b.count < to->count || b.ticks < to->ticks)
                return bad(ret_why, "its waits for others run backwards");
        r = process_check_op(p, b.op, "a thread that was waited for has an op that does not exist",
                             ret_why);
        if (r)
                return r;
        if (b.thread < 0)
                b.thread = thread_of_lane(p, b.lane, b.gen);
        *to = b;
        return 0;
}

/* Whose waits are those that came since the last look: the lane had threads `from` to `to`. */
static void take_thread(const struct process *p, struct wait *w)
{
        uint32_t from, to;

        if (w->several || w->lane >= p->n_lanes)
                return;
        from = p->lanes[w->lane].waits_from;
        to = __atomic_load_n(&p->segment.map->lanes[w->lane].gen, __ATOMIC_RELAXED);
        if (from != to || (w->gen && w->gen != to))
                w->several = true;
        w->gen = to;
        w->thread = -1;
}

/* Where it was waited, in words. */
static int take_place(struct process *p, struct wait *w)
{
        const struct heap_stack *s = w->stack < p->heap.n_stacks ? &p->heap.stacks[w->stack] : NULL;
        struct runfile_frame f;
        int r;

        if (!w->stack || !s || !s->resolved || !s->n_frames || !p->heap.frames)
                return 0;
        r = places_name(p, s, &f, &w->name, &w->caller);
        if (r || !f.library)
                return r;
        w->library = strdup(f.library);
        return w->library ? 0 : -ENOMEM;
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
                r = take_identity(p, from, to, ret_why);
                if (r)
                        return r;
        }
        sums = take_sums(from);
        if (runs_back(&sums, &to->sums))
                return bad(ret_why, "its waits run backwards");
        if (!fold_is_there(&p->segment, __atomic_load_n(&from->fold, __ATOMIC_ACQUIRE)))
                return bad(ret_why, "a histogram of waits lies outside of the pool");
        for (uint32_t k = 0; k < IFP_WAIT_BY; k++) {
                r = take_by(p, &from->by[k], &to->by[k], ret_why);
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
        return to->name ? 0 : take_place(p, to);
}

/* The first thread of each lane that can have waited since this look. */
static void look_at_lanes(struct process *p, bool over)
{
        for (uint32_t i = 0; i < lane_count(p); i++) {
                const struct ifp_lane *lane = &p->segment.map->lanes[i];
                struct lane *l = &p->lanes[i];

                if (over) {
                        l->waits_from = l->waits_next;
                        continue;
                }
                if (!l->waits_from)
                        l->waits_from = 1;
                l->waits_next = __atomic_load_n(&lane->state, __ATOMIC_ACQUIRE) == IFP_LANE_LIVE;
                l->waits_next = __atomic_load_n(&lane->gen, __ATOMIC_RELAXED) + !l->waits_next;
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
                return bad(ret_why, "the number of its waits runs backwards");
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

/* ---- histograms ---- */

bool waits_hist(const struct process *p, const uint32_t *fold, const struct kept_hist *kept,
                uint64_t *buckets, struct fold *ret)
{
        struct fold f = {.min = UINT64_MAX};
        const char *why;

        memset(buckets, 0, IFP_HIST_BUCKETS * sizeof(*buckets));
        if (!p->segment.map) {
                if (!kept->blob || hist_decode(kept->blob, kept->bytes, buckets))
                        return false;
                *ret = (struct fold){.min = kept->min, .max = kept->max, .count = 1};
                return true;
        }
        if (fold_block(&p->segment, __atomic_load_n(fold, __ATOMIC_ACQUIRE), buckets, &f, &why) ||
            !f.count)
                return false;
        for (uint32_t i = 0; i < IFP_HIST_BUCKETS; i++)
                if (buckets[i] > MOST_IN_A_BUCKET)
                        return false;
        *ret = f;
        return true;
}

int waits_keep_hist(const struct process *p, const uint32_t *fold, struct kept_hist *ret)
{
        static uint64_t buckets[IFP_HIST_BUCKETS];
        struct fold f;

        if (ret->blob || !waits_hist(p, fold, ret, buckets, &f))
                return 0;
        ret->min = f.min;
        ret->max = f.max;
        return hist_encode(buckets, &ret->blob, &ret->bytes);
}

int waits_end(struct process *p)
{
        int r = 0;

        for (uint32_t i = 1; !r && i < p->waits.n; i++)
                if (p->waits.list[i].known)
                        r = waits_keep_hist(p, &p->segment.map->waits[i].fold,
                                            &p->waits.list[i].hist);
        return r;
}
