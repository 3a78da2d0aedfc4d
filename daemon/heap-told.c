/* SPDX-License-Identifier: MIT */
/*
 * What the segment tells under a sequence count: the allocator's own figures, and live
 * bytes against tokens. The writer makes the count odd, writes, and makes it
 * even again; what was read in between is thrown away. A writer that was killed in the midst of it
 * leaves the count odd for ever: then what was read before stands.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/heap.h"
#include "daemon/process.h"

/* The segment's page with this may be a hole, which reading would fill. */
static bool is_touched(const struct process *p, size_t at, size_t bytes)
{
        uint64_t from, to;

        return segment_next_data(&p->segment, at, at + bytes, &from, &to);
}

/* ---- the allocator ---- */

_Static_assert(sizeof(struct ifp_allocator) % 8 == 0 && sizeof(struct ifp_token_point) % 8 == 0,
               "whole words");

static uint64_t told(uint64_t v)
{
        return v == IFP_NOT_TOLD ? RUNFILE_NOT_TOLD : heap_bounded(v);
}

static int name_allocator(struct process *p, uint32_t at, const char **ret_why)
{
        struct heap_allocator *a = &p->heap.allocator;
        char *name;
        int r;

        if (!at || (a->library && a->library_at == at))
                return 0;
        r = segment_name(&p->segment, &p->counts, at, &name, ret_why);
        if (r)
                return r;
        free(a->library);
        a->library = name;
        a->library_at = at;
        return 0;
}

int heap_take_allocator(struct process *p, const char **ret_why)
{
        static struct ifp_allocator now;
        const struct ifp_allocator *from = &p->segment.map->allocator;
        struct heap_allocator *a = &p->heap.allocator;
        int r;

        if (!is_touched(p, offsetof(struct ifp_segment, allocator), sizeof(*from)) ||
            !segment_copy_under(&from->seq, &now, from, sizeof(now)))
                return 0;
        if (now.kind >= IFP_N_ALLOCATORS)
                return segment_bad(ret_why, "its allocator is of a kind that does not exist");
        if (now.n_arenas > IFP_MAX_ARENAS)
                return segment_bad(ret_why, "it has more arenas than there is room for");
        r = segment_count(&p->segment, &p->counts, ret_why); /* the name may be newer */
        if (!r)
                r = name_allocator(p, now.library, ret_why);
        if (r)
                return r;
        p->dirty |= a->n_looks != now.n_looks || a->kind != now.kind;
        a->kind = now.kind;
        a->n_arenas = now.n_arenas;
        a->ticks = now.ticks;
        a->cost_ns = heap_bounded(now.cost_ns);
        a->n_looks = heap_bounded(now.n_looks);
        a->allocated = told(now.allocated);
        a->active = told(now.active);
        a->metadata = told(now.metadata);
        a->resident = told(now.resident);
        a->mapped = told(now.mapped);
        a->retained = told(now.retained);
        a->free_bytes = told(now.free_bytes);
        a->releasable = told(now.releasable);
        for (uint32_t i = 0; i < a->n_arenas; i++)
                a->arenas[i] = (struct ifp_arena){.allocated = told(now.arenas[i].allocated),
                                                  .active = told(now.arenas[i].active),
                                                  .resident = told(now.arenas[i].resident),
                                                  .mapped = told(now.arenas[i].mapped)};
        return 0;
}

/* ---- tokens ---- */

static int points_room(struct heap_tokens *t, uint32_t n)
{
        uint32_t room = t->room ? t->room : 64;
        void *new;

        while (room < t->n_points + n)
                room *= 2;
        if (room == t->room)
                return 0;
        new = realloc(t->points, room * sizeof(*t->points));
        if (!new)
                return -ENOMEM;
        t->points = new;
        t->room = room;
        return 0;
}

/* Points come in the order of their tokens, and those that are dropped when there are too many
 * were seen before. */
static int take_points(struct process *p, const char **ret_why)
{
        static struct ifp_token_point points[IFP_TOKEN_POINTS];
        const struct ifp_tokens *from = &p->segment.map->tokens;
        struct heap_tokens *t = &p->heap.tokens;
        uint32_t seq = __atomic_load_n(&from->seq, __ATOMIC_ACQUIRE);
        uint32_t n = __atomic_load_n(&from->n_points, __ATOMIC_ACQUIRE);
        int r;

        if (n > IFP_TOKEN_POINTS)
                return segment_bad(ret_why, "it has more points of tokens than there is room for");
        if ((seq == t->seq && n == t->n_taken) ||
            !segment_copy_under(&from->seq, points, from->points, n * sizeof(*points)))
                return 0;
        r = points_room(t, n);
        if (r)
                return r;
        for (uint32_t i = 0; i < n; i++) {
                if (points[i].token <= t->last || points[i].token > INT64_MAX)
                        continue;
                t->last = points[i].token;
                t->points[t->n_points++] = points[i];
        }
        t->seq = seq;
        t->n_taken = n;
        p->dirty = true;
        return 0;
}

static int take_hists(struct heap_tokens *t, const struct ifp_tokens *from)
{
        size_t bytes = IFP_HIST_BUCKETS * sizeof(uint64_t);

        if (!t->calls_hist)
                t->calls_hist = malloc(bytes);
        if (!t->bytes_hist)
                t->bytes_hist = malloc(bytes);
        if (!t->calls_hist || !t->bytes_hist)
                return -ENOMEM;
        segment_copy_words(t->calls_hist, from->calls_hist, bytes);
        segment_copy_words(t->bytes_hist, from->bytes_hist, bytes);
        for (uint32_t i = 0; i < IFP_HIST_BUCKETS; i++) {
                t->calls_hist[i] = heap_bounded(t->calls_hist[i]);
                t->bytes_hist[i] = heap_bounded(t->bytes_hist[i]);
        }
        return 0;
}

int heap_take_tokens(struct process *p, const char **ret_why)
{
        const struct ifp_tokens *from = &p->segment.map->tokens;
        struct heap_tokens *t = &p->heap.tokens;
        uint64_t n;
        int r;

        if (!is_touched(p, offsetof(struct ifp_segment, tokens), sizeof(*from)))
                return 0;
        n = heap_bounded(heap_load(&from->n));
        if (n < t->n)
                return segment_bad(ret_why, "the number of its tokens runs backwards");
        if (n != t->n) {
                r = take_hists(t, from);
                if (r)
                        return r;
                t->n = n;
                t->n_calls_zero = heap_bounded(heap_load(&from->n_calls_zero));
                t->calls = heap_bounded(heap_load(&from->calls));
                t->asked_bytes = heap_bounded(heap_load(&from->asked_bytes));
                p->dirty = true;
        }
        return take_points(p, ret_why);
}
