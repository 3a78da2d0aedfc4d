/* SPDX-License-Identifier: MIT */
/*
 * Memory counts of a process that are not by op: size classes over all lanes,
 * what the process as a whole counted, and what it had from before a fork.
 *
 * Lanes' counts stand for all threads that ever had the lane, so the sum over
 * lanes is the sum over threads, whoever lives. They are read one word after the other
 * while others write them: a free may be seen whose allocation is not. Who shows a
 * difference of two counts is prepared for that.
 */
#include "daemon/heap.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/frames.h"
#include "daemon/lane.h"
#include "daemon/process.h"
#include "daemon/words.h"

#define FRAMES_A_TICK 1000u /* units of time: 20 ms of each second; rings hold more than that */
#define END_NS        2000000000ull /* so long is looked for names at the end; others wait meanwhile */
#define RETRY_EVERY   10u           /* ticks */
#define SETTLE_TRIES  16

struct resumed {
        uint32_t process, n_frames;
};

void heap_done(struct heap *h)
{
        heap_stacks_done(h);
        frames_free(h->frames);
        free(h->allocator.library);
        free(h->tokens.calls_hist);
        free(h->tokens.bytes_hist);
        free(h->tokens.points);
        *h = (struct heap){0};
}

static bool crowd_has_memory(const struct process *p)
{
        uint64_t at = segment_lane_offset(p->segment.header.n_lanes - 1) +
                      offsetof(struct ifp_lane, memory);
        uint64_t from, to;

        return segment_next_data(&p->segment, at, at + sizeof(struct ifp_lane_memory), &from, &to);
}

/* Calls `fn` for the memory counts of every lane that was touched. */
static void each_lane(const struct process *p,
                      void (*fn)(const struct ifp_lane_memory *m, void *userdata), void *userdata)
{
        uint32_t n = lane_count_shared(p);

        for (uint32_t i = 0; i < n; i++)
                fn(&p->segment.map->lanes[i].memory, userdata);
        if (crowd_has_memory(p))
                fn(&p->segment.map->lanes[p->segment.header.n_lanes - 1].memory, userdata);
}

static void add_classes(const struct ifp_lane_memory *m, void *userdata)
{
        struct heap_class *classes = userdata;

        for (uint32_t i = 0; i < IFP_SIZE_CLASSES; i++) {
                classes[i].frees += heap_load(&m->frees[i]);
                classes[i].calls += heap_load(&m->calls[i]);
                classes[i].asked_bytes += heap_load(&m->asked_bytes[i]);
                classes[i].usable_bytes += heap_load(&m->usable_bytes[i]);
        }
}

static int take_classes(struct process *p, const char **ret_why)
{
        struct heap_class classes[IFP_SIZE_CLASSES] = {0};

        each_lane(p, add_classes, classes);
        if (words_run_back(classes, p->heap.classes, sizeof(classes))) {
                *ret_why = "its counts by size run backwards";
                return SEGMENT_E_BAD;
        }
        p->dirty |= memcmp(classes, p->heap.classes, sizeof(classes)) != 0;
        memcpy(p->heap.classes, classes, sizeof(classes));
        return 0;
}

static int take_counts(struct process *p, const char **ret_why)
{
        const struct ifp_live *live = &p->segment.map->live;
        struct heap_counts c = {
                .samples = p->heap.counts.samples, /* summed up with the stacks */
                .samples_other = p->heap.counts.samples_other,
                .samples_short = heap_bounded(heap_load(&live->samples_short)),
                .samples_untracked = heap_bounded(heap_load(&live->samples_untracked)),
                .unmaps = heap_bounded(heap_load(&live->unmaps)),
                .unmapped_bytes = heap_bounded(heap_load(&live->unmapped_bytes)),
                .maps_failed = heap_bounded(heap_load(&live->maps_failed)),
        };

        p->heap.unwinding = __atomic_load_n(&live->unwinding, __ATOMIC_RELAXED);
        if (p->heap.unwinding > 2) {
                p->heap.unwinding = 0;
                *ret_why = "it unwinds in a way that does not exist";
                return SEGMENT_E_BAD;
        }
        p->dirty |= memcmp(&c, &p->heap.counts, sizeof(c)) != 0;
        p->heap.counts = c;
        return 0;
}

static void add_flushed(const struct ifp_lane_memory *m, void *userdata)
{
        *(uint64_t *)userdata += (uint64_t)__atomic_load_n(&m->flushed_bytes, __ATOMIC_RELAXED);
}

/*
 * live_bytes began with what the parent had; everything since came from lanes,
 * which say how much. A thread that hands over more is between its two words for
 * an instant: two looks in a row that agree have not seen one.
 */
static void take_inherited(struct process *p)
{
        static const uint8_t none[16];
        const int64_t *live = &p->segment.map->live.live_bytes;
        uint64_t before = 0, now = 0;

        if (p->heap.has_inherited)
                return;
        p->heap.has_inherited = true;
        if (!memcmp(p->segment.header.parent_uuid, none, sizeof(none)))
                return;
        for (int i = 0; i < SETTLE_TRIES; i++, before = now) {
                uint64_t flushed = 0;

                now = (uint64_t)__atomic_load_n(live, __ATOMIC_ACQUIRE);
                each_lane(p, add_flushed, &flushed);
                now -= flushed;
                if (i && now == before)
                        break;
        }
        p->heap.inherited_bytes = (int64_t)now;
}

int heap_take(struct process *p, const char **ret_why)
{
        bool all;
        int r;

        r = take_classes(p, ret_why);
        if (!r)
                r = take_counts(p, ret_why);
        if (!r)
                r = heap_take_stacks(p, ret_why);
        if (!r)
                r = heap_take_allocator(p, ret_why);
        if (!r)
                r = heap_take_tokens(p, ret_why);
        if (r)
                return r;
        take_inherited(p);
        r = heap_resolve(p, FRAMES_A_TICK, &all, ret_why);
        if (!r && all && p->heap.frames && p->n_ticks % RETRY_EVERY == 0)
                (void)frames_retry(p->heap.frames, p, false, FRAMES_A_TICK);
        return r;
}

static int count_frame(const struct runfile_frame *row, void *userdata)
{
        struct resumed *x = userdata;

        if (row->process == x->process && row->frame >= x->n_frames && row->frame < UINT32_MAX / 2)
                x->n_frames = row->frame + 1;
        return 0;
}

int heap_resume(struct process *p, struct runfile *rf, uint32_t index)
{
        struct resumed x = {.process = index};

        if (runfile_each_frame(rf, count_frame, &x) < 0)
                return -ENOMEM;
        if (!p->heap.frames)
                p->heap.frames = frames_new();
        if (!p->heap.frames)
                return -ENOMEM;
        frames_begin_at(p->heap.frames, x.n_frames);
        return 0;
}

int heap_end(struct process *p, const char **ret_why)
{
        uint64_t until = clock_mono_ns() + END_NS;
        unsigned budget = FRAMES_A_TICK;
        bool all = false;
        int r = 0;

        while (!r && !all) {
                if (p->heap.frames && clock_mono_ns() > until) {
                        frames_hurry(p->heap.frames);
                        budget = UINT_MAX;
                }
                r = heap_resolve(p, budget, &all, ret_why);
        }
        while (!r && p->heap.frames && clock_mono_ns() < until &&
               !frames_retry(p->heap.frames, p, true, FRAMES_A_TICK))
                ;
        return r;
}

void heap_written(struct process *p)
{
        struct heap *h = &p->heap;

        if (p->state == PROCESS_LIVE)
                return;
        heap_stacks_done(h);
        h->frames = frames_free(h->frames);
        free(h->tokens.points);
        h->tokens.points = NULL;
        h->tokens.n_points = h->tokens.room = 0;
}

static struct figures sum_of(const struct process *p)
{
        struct figures sum = {0};

        for (uint32_t k = 0; k < p->n_ops * IFP_N_PHASES; k++)
                tally_figures_add(&sum, &p->total[k]);
        return sum;
}

void heap_totals(const struct process *p, struct heap_totals *ret)
{
        struct figures sum = sum_of(p);

        *ret = (struct heap_totals){
                .calls = sum.alloc_calls,
                .asked_bytes = sum.asked_bytes,
                .usable_bytes = sum.usable_bytes,
                .frees = sum.frees,
                .freed_bytes = sum.freed_bytes,
                .failed = sum.alloc_failed,
                .maps = sum.maps,
                .mapped_bytes = sum.mapped_bytes,
                .live_bytes = p->now.live_bytes,
                .peak_bytes = p->now.peak_bytes,
        };
}
