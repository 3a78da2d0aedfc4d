/* SPDX-License-Identifier: MIT */
/*
 * The stacks that allocations were sampled at. Each is taken once, when it is
 * complete; what was sampled there is read at each tick. Its addresses become logical frames
 * little by little, because a name may take long to find: so many lookups a tick,
 * and the rest when the process has ended.
 *
 * What is freed is read before what is allocated, as the shim adds the other way round: so
 * no more is ever seen to be freed than was allocated or inherited.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/frames.h"
#include "daemon/heap.h"
#include "daemon/process.h"
#include "daemon/words.h"

#define SHIM_NAME  "libinfprof.so"
#define AT_AN_ADDR 32u /* logical frames of one address */

void heap_stacks_done(struct heap *h)
{
        for (uint32_t i = 0; i < h->n_stacks; i++)
                free(h->stacks[i].frames);
        free(h->stacks);
        h->stacks = NULL;
        h->n_stacks = h->room = 0;
}

static int room_for(struct heap *h, uint32_t n)
{
        uint32_t room = h->room ? h->room : 64;
        struct heap_stack *new;

        while (room < n)
                room *= 2;
        if (room > h->room) {
                new = realloc(h->stacks, room * sizeof(*new));
                if (!new)
                        return -ENOMEM;
                memset(new + h->room, 0, (room - h->room) * sizeof(*new));
                h->stacks = new;
                h->room = room;
        }
        if (h->n_stacks < n)
                h->n_stacks = n;
        return 0;
}

/* What never changes, once the entry is complete. */
static int take_identity(struct process *p, const struct ifp_stack *from, struct heap_stack *to,
                         const char **ret_why)
{
        struct ifp_stack s = {
                .first_frame = __atomic_load_n(&from->first_frame, __ATOMIC_RELAXED),
                .n_frames = __atomic_load_n(&from->n_frames, __ATOMIC_RELAXED),
                .op = __atomic_load_n(&from->op, __ATOMIC_RELAXED),
                .phase = __atomic_load_n(&from->phase, __ATOMIC_RELAXED),
                .flags = __atomic_load_n(&from->flags, __ATOMIC_RELAXED),
                .epoch = __atomic_load_n(&from->epoch, __ATOMIC_RELAXED),
        };
        uint32_t n = __atomic_load_n(&p->segment.map->live.n_frames, __ATOMIC_RELAXED);
        int r;

        if (n > IFP_MAX_FRAMES)
                n = IFP_MAX_FRAMES;
        if (s.n_frames > IFP_STACK_DEPTH || (uint64_t)s.first_frame + s.n_frames > n)
                return segment_bad(ret_why, "the frames of a stack lie outside of their table");
        if (s.phase >= IFP_N_PHASES)
                return segment_bad(ret_why, "a stack is of a phase that does not exist");
        r = process_check_op(p, s.op, "a stack belongs to an op that does not exist", ret_why);
        if (r)
                return r;
        to->known = true;
        to->resolved = !s.n_frames;
        to->op = s.op;
        to->phase = s.phase;
        to->flags = s.flags;
        to->epoch = s.epoch;
        to->first_frame = s.first_frame;
        to->n_addresses = s.n_frames;
        return 0;
}

static uint64_t load_first(const uint64_t *p)
{
        return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void add_freed(struct heap_sums *sums, const struct ifp_stack_freed *f)
{
        sums->samples_freed += load_first(&f->samples);
        sums->freed_objects += load_first(&f->objects);
        sums->freed_bytes += load_first(&f->bytes);
        sums->freed_objects_var += load_first(&f->objects_var);
        sums->freed_bytes_var += load_first(&f->bytes_var);
        sums->short_objects += load_first(&f->short_objects);
        sums->lifetime_ticks += load_first(&f->lifetime_ticks);
}

static struct heap_sums take_sums(const struct ifp_stack *s)
{
        struct heap_sums sums = {0};

        add_freed(&sums, &s->freed_own);
        add_freed(&sums, &s->freed_else);
        sums.samples = heap_load(&s->samples);
        sums.alloc_objects = heap_load(&s->alloc_objects);
        sums.alloc_bytes = heap_load(&s->alloc_bytes);
        sums.asked_bytes = heap_load(&s->asked_bytes);
        sums.alloc_objects_var = heap_load(&s->alloc_objects_var);
        sums.alloc_bytes_var = heap_load(&s->alloc_bytes_var);
        sums.inherited_objects = heap_load(&s->inherited_objects);
        sums.inherited_bytes = heap_load(&s->inherited_bytes);
        return sums;
}

static int take_one(struct process *p, uint32_t i, const char **ret_why)
{
        const struct ifp_stack *from = &p->segment.map->stacks[i];
        struct heap_stack *to = &p->heap.stacks[i];
        struct heap_sums sums;
        int r;

        if (!to->known) {
                if (i != IFP_STACK_OTHER && !__atomic_load_n(&from->hash, __ATOMIC_ACQUIRE))
                        return 0;
                r = take_identity(p, from, to, ret_why);
                if (r)
                        return r;
        }
        sums = take_sums(from);
        if (words_run_back(&sums, &to->sums, sizeof(sums)))
                return segment_bad(ret_why, "what it sampled runs backwards");
        p->dirty |= memcmp(&sums, &to->sums, sizeof(sums)) != 0;
        to->sums = sums;
        return 0;
}

uint32_t heap_n_stacks(const struct process *p)
{
        uint32_t n = __atomic_load_n(&p->segment.map->live.n_stacks, __ATOMIC_ACQUIRE);

        return n < IFP_MAX_STACKS ? n : IFP_MAX_STACKS; /* some were refused */
}

int heap_take_stacks(struct process *p, const char **ret_why)
{
        uint32_t n = heap_n_stacks(p);
        int r;

        if (n < p->heap.n_stacks)
                return segment_bad(ret_why, "the number of its stacks runs backwards");
        r = room_for(&p->heap, n);
        p->heap.counts.samples = p->heap.counts.samples_other = 0;
        for (uint32_t i = 0; !r && i < n; i++) {
                r = take_one(p, i, ret_why);
                p->heap.counts.samples = heap_bounded(p->heap.counts.samples +
                                                      heap_bounded(p->heap.stacks[i].sums.samples));
        }
        if (n)
                p->heap.counts.samples_other =
                        heap_bounded(p->heap.stacks[IFP_STACK_OTHER].sums.samples);
        return r;
}

/* ---- frames ---- */

static bool ends_with(const char *s, size_t n, const char *end)
{
        size_t m = strlen(end);

        return n >= m && !memcmp(s + n - m, end, m);
}

/* Of the shim itself: that is how an allocation was seen, not where it was asked for. */
bool heap_is_shim(struct process *p, uint64_t address)
{
        struct heap *h = &p->heap;

        for (; h->shim_looked < p->counts.n_objects; h->shim_looked++) {
                const volatile struct ifp_object *o = &p->segment.map->objects[h->shim_looked];
                const char *why;
                char *path;

                if (segment_name(&p->segment, &p->counts, o->path, &path, &why))
                        continue;
                if (ends_with(path, strlen(path), "/" SHIM_NAME)) {
                        h->shim_start = o->start;
                        h->shim_end = o->end;
                }
                free(path);
        }
        return address > h->shim_start && address <= h->shim_end;
}

static int resolve(struct process *p, struct heap_stack *s, unsigned *budget, int *ret_done,
                   const char **ret_why)
{
        static uint32_t ids[HEAP_MOST_FRAMES];
        uint32_t n = 0;

        *ret_done = 0;
        for (uint32_t i = 0; i < s->n_addresses && n + AT_AN_ADDR <= HEAP_MOST_FRAMES; i++) {
                uint64_t address = heap_load(&p->segment.map->frames[s->first_frame + i]);
                int k;

                if (heap_is_shim(p, address))
                        continue;
                k = frames_find(p->heap.frames, p, address, s->epoch, ids + n, AT_AN_ADDR, budget,
                                ret_why);
                if (k <= 0)
                        return k == -EBADMSG ? SEGMENT_E_BAD : k;
                n += (uint32_t)k;
        }
        s->frames = malloc(n * sizeof(*ids) + 1);
        if (!s->frames)
                return -ENOMEM;
        if (n)
                memcpy(s->frames, ids, n * sizeof(*ids));
        s->n_frames = n;
        s->resolved = true;
        *ret_done = 1;
        return 0;
}

int heap_resolve(struct process *p, unsigned budget, bool *ret_all, const char **ret_why)
{
        struct heap *h = &p->heap;
        int r = 0, done = 1;

        for (uint32_t i = 0; !r && done && i < h->n_stacks; i++) {
                struct heap_stack *s = &h->stacks[i];

                if (!s->known || s->resolved)
                        continue;
                if (!h->frames)
                        h->frames = frames_new();
                if (!h->frames)
                        return -ENOMEM;
                r = resolve(p, s, &budget, &done, ret_why);
                p->dirty |= done;
        }
        *ret_all = done;
        return r;
}

void heap_frames_text(const struct heap_stack *s, char *ret, size_t size)
{
        size_t n = 0;

        *ret = '\0';
        for (uint32_t i = 0; s->resolved && i < s->n_frames && n + 12 <= size; i++)
                n += (size_t)sprintf(ret + n, n ? ",%u" : "%u", s->frames[i]);
}
