/* SPDX-License-Identifier: MIT */
/*
 * A stack finds its place once, when its frames are known; from then on a tick adds up
 * numbers only. Until then it counts at a place of those that are not resolved yet. What a
 * stack moved in an interval is kept by stack, so that one that changes its place brings its
 * history along, but not as if it had happened in this interval.
 */
#include "daemon/places.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/function-name.h"
#include "daemon/frames.h"
#include "daemon/process.h"
#include "daemon/text.h"

#define BUCKETS 4096u

/* What makes two stacks the same place; strings are somebody else's. */
struct key {
        const char *name, *function, *library, *caller;
        uint32_t op;
};

void places_done(struct places *p)
{
        for (uint32_t i = 0; i < p->n; i++) {
                free(p->list[i].name);
                free(p->list[i].function);
                free(p->list[i].library);
                free(p->list[i].caller);
        }
        free(p->list);
        free(p->buckets);
        free(p->stacks);
        *p = (struct places){0};
}

static uint32_t hash_text(uint32_t h, const char *s)
{
        for (; s && *s; s++)
                h = (h ^ (uint8_t)*s) * 16777619u;
        return (h ^ 0xff) * 16777619u;
}

static bool is_same(const char *a, const char *b)
{
        return a == b || (a && b && !strcmp(a, b));
}

static int copy(char **ret, const char *s)
{
        *ret = s ? strdup(s) : NULL;
        return s && !*ret ? -ENOMEM : 0;
}

static int add(struct places *p, const struct key *k, uint32_t *bucket)
{
        struct place *place;

        if (p->n == p->room) {
                uint32_t room = p->room ? 2 * p->room : 64;
                struct place *list = realloc(p->list, room * sizeof(*list));

                if (!list)
                        return -ENOMEM;
                p->list = list;
                p->room = room;
        }
        place = &p->list[p->n++];
        *place = (struct place){.op = k->op, .next = *bucket};
        *bucket = p->n;
        if (copy(&place->name, k->name) || copy(&place->function, k->function) ||
            copy(&place->library, k->library) || copy(&place->caller, k->caller))
                return -ENOMEM;
        return 0;
}

/* The place's index + 1. */
static int find(struct places *p, const struct key *k, uint32_t *ret)
{
        uint32_t h = hash_text(hash_text(hash_text(k->op, k->name), k->library), k->caller);
        uint32_t *bucket;
        int r;

        if (!p->buckets)
                p->buckets = calloc(BUCKETS, sizeof(*p->buckets));
        if (!p->buckets)
                return -ENOMEM;
        bucket = &p->buckets[h % BUCKETS];
        for (*ret = *bucket; *ret; *ret = p->list[*ret - 1].next) {
                const struct place *q = &p->list[*ret - 1];

                if (q->op == k->op && is_same(q->name, k->name) &&
                    is_same(q->function, k->function) && is_same(q->library, k->library) &&
                    is_same(q->caller, k->caller))
                        return 0;
        }
        r = add(p, k, bucket);
        *ret = p->n;
        return r;
}

/* A frame's name for a narrow column; to be freed. */
static char *frame_name(const struct runfile_frame *f)
{
        if (f->function)
                return function_brief(f->function);
        return text_format("%s%s0x%llx", f->library ? function_library(f->library) : "",
                           f->library ? "+" : "", (unsigned long long)f->offset);
}

/* The first frame from `i` on that says something and is not called `but`; n_frames: none. */
static uint32_t find_frame(const struct process *p, const struct heap_stack *s, uint32_t i,
                           const char *but, char **ret_name)
{
        struct runfile_frame f;

        for (*ret_name = NULL; i < s->n_frames; i++) {
                if (!frames_get(p->heap.frames, s->frames[i], &f) ||
                    function_is_plumbing(f.function, f.library))
                        continue;
                *ret_name = frame_name(&f);
                if (!*ret_name || !but || strcmp(*ret_name, but) != 0)
                        return i;
                free(*ret_name);
                *ret_name = NULL;
        }
        return i;
}

/* Nothing may say anything: then the innermost frame stands for it. */
int places_name(const struct process *p, const struct heap_stack *s, struct runfile_frame *ret,
                char **ret_name, char **ret_caller)
{
        uint32_t at = find_frame(p, s, 0, NULL, ret_name);

        *ret = (struct runfile_frame){0};
        *ret_caller = NULL;
        if (at == s->n_frames)
                at = 0;
        if (frames_get(p->heap.frames, s->frames[at], ret) && !*ret_name)
                *ret_name = frame_name(ret);
        if (!*ret_name)
                return -ENOMEM;
        find_frame(p, s, at + 1, *ret_name, ret_caller);
        return 0;
}

static int find_resolved(struct process *p, const struct heap_stack *s, uint32_t *ret)
{
        _cleanup_(freep) char *name = NULL, *caller = NULL;
        struct runfile_frame f;
        int r = places_name(p, s, &f, &name, &caller);

        if (r)
                return r;
        return find(&p->places, &(struct key){name, f.function, f.library, caller, s->op}, ret);
}

static int find_place(struct process *p, uint32_t i, uint32_t *ret)
{
        const struct heap_stack *s = &p->heap.stacks[i];
        struct key k = {.op = s->op};

        if (s->resolved && s->n_frames && p->heap.frames)
                return find_resolved(p, s, ret);
        k.name = i == IFP_STACK_OTHER ? "(no room for its stack)"
                 : s->resolved        ? "(not known)"
                                      : "(not resolved yet)";
        return find(&p->places, &k, ret);
}

static double less(uint64_t inherited, uint64_t allocated, uint64_t freed)
{
        double v = (double)inherited + (double)allocated - (double)freed;

        return v > 0 ? v : 0;
}

static int take_one(struct process *p, uint32_t i, bool interval_over)
{
        const struct heap_stack *s = &p->heap.stacks[i];
        struct place_stack *at = &p->places.stacks[i];
        struct place *place;
        uint32_t to = at->place;
        int r = 0;

        if (!s->known || !heap_stack_is_used(s))
                return 0;
        if (!to)
                r = find_place(p, i, &to);
        if (r)
                return r;
        if (s->resolved)
                at->place = to;
        place = &p->places.list[to - 1];
        place->samples += s->sums.samples;
        place->sums.alloc_bytes += (double)s->sums.alloc_bytes;
        place->sums.alloc_objects += (double)s->sums.alloc_objects / 65536;
        place->sums.inuse_bytes +=
                less(s->sums.inherited_bytes, s->sums.alloc_bytes, s->sums.freed_bytes);
        place->sums.inuse_objects +=
                less(s->sums.inherited_objects, s->sums.alloc_objects, s->sums.freed_objects) /
                65536;
        if (!interval_over)
                return 0;
        place->sums.moved_bytes += (double)rates_moved(s->sums.alloc_bytes, at->alloc_bytes);
        place->sums.moved_objects +=
                (double)rates_moved(s->sums.alloc_objects, at->alloc_objects) / 65536;
        at->alloc_bytes = s->sums.alloc_bytes;
        at->alloc_objects = s->sums.alloc_objects;
        return 0;
}

static int room_for(struct places *p, uint32_t n)
{
        struct place_stack *stacks;

        if (n <= p->n_stacks)
                return 0;
        n = n < 32 ? 64 : 2 * n;
        stacks = realloc(p->stacks, n * sizeof(*stacks));
        if (!stacks)
                return -ENOMEM;
        memset(stacks + p->n_stacks, 0, (n - p->n_stacks) * sizeof(*stacks));
        p->stacks = stacks;
        p->n_stacks = n;
        return 0;
}

int places_take(struct process *p, bool interval_over)
{
        struct places *x = &p->places;
        int r = room_for(x, p->heap.n_stacks);

        for (uint32_t i = 0; i < x->n; i++) {
                struct place_sums *s = &x->list[i].sums;

                x->list[i].samples = 0;
                *s = (struct place_sums){
                        .moved_bytes = interval_over ? 0 : s->moved_bytes,
                        .moved_objects = interval_over ? 0 : s->moved_objects,
                };
        }
        for (uint32_t i = 0; !r && i < p->heap.n_stacks; i++)
                r = take_one(p, i, interval_over);
        return r;
}
