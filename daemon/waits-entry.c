/* SPDX-License-Identifier: MIT */
/*
 * What never changes of an entry of the table of waits: checked once, when it is complete; and what
 * is found out about it: the variable that its object is, and its place in words.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/places.h"
#include "daemon/process.h"

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

/* Of the crowd, which has the last lane, nobody is told from another. */
static bool is_anybodys(const struct process *p, uint32_t lane)
{
        return lane == IFP_STACK_SHARED || lane == p->segment.header.n_lanes - 1;
}

static void forget_threads(struct wait *w)
{
        w->thread = -1;
        for (uint32_t k = 0; k < IFP_WAIT_BY; k++)
                w->by[k].thread = -1;
}

/* What never changes, once the entry is complete. */
int waits_identify(struct process *p, const struct ifp_wait *from, struct wait *to,
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
                return segment_bad(ret_why, "a wait is of a kind that does not exist");
        if (w.phase >= IFP_N_PHASES)
                return segment_bad(ret_why, "a wait is of a phase that does not exist");
        if (w.lane != IFP_STACK_SHARED && w.lane >= p->segment.header.n_lanes)
                return segment_bad(ret_why, "a wait is of a lane that does not exist");
        if (!is_anybodys(p, w.lane) && w.lane >= p->n_lanes)
                return 0; /* taken since we looked how many there are */
        if (w.stack >= heap_n_stacks(p))
                return segment_bad(ret_why, "a wait is at a stack that does not exist");
        r = process_check_op(p, w.op, "a wait belongs to an op that does not exist", ret_why);
        if (r)
                return r;
        w.several |= is_anybodys(p, w.lane);
        if (!w.resumed)
                forget_threads(&w);
        find_file(p, &w);
        r = take_path(p, w.file, ret_why);
        if (r)
                return r;
        *to = w;
        return 0;
}

/* Where it was waited, in words. */
int waits_name_place(struct process *p, struct wait *w)
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
