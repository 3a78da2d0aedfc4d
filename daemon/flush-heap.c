/* SPDX-License-Identifier: MIT */
/*
 * What there is of memory beside the counts by op, as rows of the run file.
 * Units leave the segment's fixed point here. Like all of daemon/flush.c: a row is whole, and
 * what was written is only remembered when the commit is through.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/flush-private.h"
#include "daemon/frames.h"
#include "daemon/mark.h"

#define ONE 65536.0 /* the segment's fixed point */

void flush_heap_process(const struct process *p, struct runfile_process *row)
{
        const struct heap *h = &p->heap;

        row->heap_interval = flush_sane(p->segment.header.heap_interval);
        row->unwinding = h->unwinding;
        row->samples = h->counts.samples;
        row->samples_other = h->counts.samples_other;
        row->samples_short = h->counts.samples_short;
        row->samples_untracked = h->counts.samples_untracked;
        row->unmaps = h->counts.unmaps;
        row->unmapped_bytes = h->counts.unmapped_bytes;
        row->maps_failed = h->counts.maps_failed;
        row->allocator = h->allocator.kind;
        row->allocator_library = h->allocator.library;
        row->allocator_cost_ns = h->allocator.cost_ns;
        row->allocator_looks = h->allocator.n_looks;
}

/* ---- size classes ---- */

static bool is_used(const struct heap_class *c)
{
        return c->calls || c->frees;
}

static int put_classes(struct run *run, const struct process *p)
{
        const struct heap *h = &p->heap;
        int r = 0;

        for (uint32_t i = 0; !r && i < IFP_SIZE_CLASSES; i++) {
                const struct heap_class *c = &h->classes[i];
                struct runfile_size_class row = {
                        .process = p->index,
                        .size_class = i,
                        .calls = flush_sane(c->calls),
                        .asked_bytes = flush_sane(c->asked_bytes),
                        .usable_bytes = flush_sane(c->usable_bytes),
                        .frees = flush_sane(c->frees),
                };

                if (is_used(c) &&
                    (p->write_all || memcmp(c, &h->classes_written[i], sizeof(*c)) != 0))
                        r = runfile_put_size_class(run->file, &row);
        }
        return r;
}

/* ---- stacks ---- */

/* The sums as the file has them; what is freed never exceeds what there was. */
struct estimates {
        double alloc_objects, freed_objects, alloc_bytes, freed_bytes, asked_bytes, short_objects,
                lifetime_ns, alloc_objects_var, freed_objects_var, alloc_bytes_var, freed_bytes_var,
                inherited_objects, inherited_bytes;
};

static double at_most(double v, double most)
{
        return v < most ? v : most;
}

static struct estimates estimate(const struct process *p, const struct heap_sums *s)
{
        double interval = (double)p->segment.header.heap_interval;
        double square = interval * interval / ONE;
        struct estimates e = {
                .alloc_objects = (double)s->alloc_objects / ONE,
                .alloc_bytes = (double)s->alloc_bytes,
                .asked_bytes = (double)s->asked_bytes,
                .lifetime_ns = (double)s->lifetime_ticks * p->clock.ns_per_tick,
                .alloc_objects_var = (double)s->alloc_objects_var,
                .freed_objects_var = (double)s->freed_objects_var,
                .alloc_bytes_var = (double)s->alloc_bytes_var * square,
                .freed_bytes_var = (double)s->freed_bytes_var * square,
                .inherited_objects = (double)s->inherited_objects / ONE,
                .inherited_bytes = (double)s->inherited_bytes,
        };

        e.freed_objects =
                at_most((double)s->freed_objects / ONE, e.alloc_objects + e.inherited_objects);
        e.short_objects = at_most((double)s->short_objects / ONE, e.freed_objects);
        e.freed_bytes = at_most((double)s->freed_bytes, e.alloc_bytes + e.inherited_bytes);
        return e;
}

/* Changes whenever a stack's row would look different: sums only grow. */
static uint64_t mark_of(const struct heap_stack *s)
{
        const uint64_t *sums = (const uint64_t *)&s->sums;
        uint64_t mark = 1;

        for (size_t i = 0; i < sizeof(s->sums) / sizeof(*sums); i++)
                mark += sums[i];
        return mark;
}

/* An ended process has no names to wait for any more. */
static bool is_due(const struct process *p, const struct heap_stack *s)
{
        return s->known && heap_stack_is_used(s) && s->written != mark_of(s) &&
               (s->resolved || p->state != PROCESS_LIVE);
}

static int put_stack(struct run *run, const struct process *p, uint32_t i)
{
        const struct heap_stack *s = &p->heap.stacks[i];
        struct estimates e = estimate(p, &s->sums);
        char frames[HEAP_MOST_FRAMES * 11 + 1];
        struct runfile_stack row = {
                .process = p->index,
                .stack = i,
                .op = s->op,
                .phase = s->phase,
                .cut = s->flags & IFP_STACK_CUT,
                .one = s->flags & IFP_STACK_ONE,
                .frames = frames,
                .samples = flush_sane(s->sums.samples),
                .samples_freed = flush_sane(s->sums.samples_freed),
                .alloc_objects = e.alloc_objects,
                .freed_objects = e.freed_objects,
                .alloc_bytes = e.alloc_bytes,
                .freed_bytes = e.freed_bytes,
                .asked_bytes = e.asked_bytes,
                .short_objects = e.short_objects,
                .lifetime_ns = e.lifetime_ns,
                .alloc_objects_var = e.alloc_objects_var,
                .freed_objects_var = e.freed_objects_var,
                .alloc_bytes_var = e.alloc_bytes_var,
                .freed_bytes_var = e.freed_bytes_var,
                .inherited_objects = e.inherited_objects,
                .inherited_bytes = e.inherited_bytes,
        };

        heap_frames_text(s, frames, sizeof(frames));
        return runfile_put_stack(run->file, &row);
}

static int put_stacks(struct run *run, const struct process *p)
{
        int r = 0;

        for (uint32_t i = 0; !r && i < p->heap.n_stacks; i++)
                if (is_due(p, &p->heap.stacks[i]))
                        r = put_stack(run, p, i);
        if (!r && p->heap.frames)
                r = frames_flush(p->heap.frames, run->file, p->index);
        return r;
}

/* ---- the second's row ---- */

static const struct outside_look unknown = {
        .rss = RUNFILE_NOT_TOLD,
        .pss = RUNFILE_NOT_TOLD,
        .anonymous = RUNFILE_NOT_TOLD,
        .file = RUNFILE_NOT_TOLD,
        .huge = RUNFILE_NOT_TOLD,
        .swap = RUNFILE_NOT_TOLD,
        .minor_faults = RUNFILE_NOT_TOLD,
        .major_faults = RUNFILE_NOT_TOLD,
};

static int put_memory(struct run *run, const struct process *p, uint64_t second)
{
        const struct heap_allocator *a = &p->heap.allocator;
        const struct outside_look *o = p->outside.known ? &p->outside.last : &unknown;
        bool told = a->n_looks;
        struct heap_totals t;
        struct runfile_memory row;

        heap_totals(p, &t);
        row = (struct runfile_memory){
                .process = p->index,
                .second = second,
                .rss = o->rss,
                .pss = o->pss,
                .anonymous = o->anonymous,
                .file = o->file,
                .huge = o->huge,
                .swap = o->swap,
                .minor_faults = o->minor_faults,
                .major_faults = o->major_faults,
                .live_bytes = t.live_bytes,
                .calls = flush_sane(t.calls),
                .asked_bytes = flush_sane(t.asked_bytes),
                .frees = flush_sane(t.frees),
                .mapped_bytes = flush_sane(t.mapped_bytes),
                .allocated = told ? a->allocated : RUNFILE_NOT_TOLD,
                .active = told ? a->active : RUNFILE_NOT_TOLD,
                .metadata = told ? a->metadata : RUNFILE_NOT_TOLD,
                .resident = told ? a->resident : RUNFILE_NOT_TOLD,
                .mapped = told ? a->mapped : RUNFILE_NOT_TOLD,
                .retained = told ? a->retained : RUNFILE_NOT_TOLD,
                .free_bytes = told ? a->free_bytes : RUNFILE_NOT_TOLD,
                .releasable = told ? a->releasable : RUNFILE_NOT_TOLD,
        };
        return runfile_put_memory(run->file, &row);
}

static int put_files(struct run *run, const struct process *p)
{
        int r = 0;

        for (uint32_t i = 0; !r && i < p->outside.n_files; i++) {
                const struct outside_file *f = &p->outside.files[i];
                struct runfile_mapped_file row = {
                        .process = p->index,
                        .path = f->path,
                        .size = f->size,
                        .mapped_bytes = f->mapped_bytes,
                        .resident_bytes = f->resident_bytes,
                        .nodes = f->nodes,
                };

                if (!f->written || p->write_all)
                        r = runfile_put_mapped_file(run->file, &row);
        }
        return r;
}

static int put_arenas(struct run *run, const struct process *p)
{
        const struct heap_allocator *a = &p->heap.allocator;
        int r = 0;

        for (uint32_t i = 0; !r && a->n_looks && i < a->n_arenas; i++) {
                struct runfile_arena row = {
                        .process = p->index,
                        .arena = i,
                        .allocated = a->arenas[i].allocated,
                        .active = a->arenas[i].active,
                        .resident = a->arenas[i].resident,
                        .mapped = a->arenas[i].mapped,
                };

                r = runfile_put_arena(run->file, &row);
        }
        return r;
}

/* ---- tokens ---- */

static int put_tokens(struct run *run, const struct process *p)
{
        const struct heap_tokens *t = &p->heap.tokens;
        struct runfile_token_alloc row = {
                .process = p->index,
                .n = t->n,
                .n_calls_zero = t->n_calls_zero,
                .calls = t->calls,
                .asked_bytes = t->asked_bytes,
                .calls_hist = t->calls_hist,
                .bytes_hist = t->bytes_hist,
        };
        int r = 0;

        if (t->n && (p->write_all || t->n != t->written_n))
                r = runfile_put_token_alloc(run->file, &row);
        for (uint32_t i = 0; !r && i < t->n_points; i++) {
                const struct ifp_token_point *point = &t->points[i];
                struct runfile_token_point at = {
                        .process = p->index,
                        .token = point->token,
                        .at_ns = flush_sane(clock_since_start_ns(&p->clock, point->ticks)),
                        .live_bytes = point->live_bytes,
                        .calls = flush_sane(point->calls),
                };

                r = runfile_put_token_point(run->file, &at);
        }
        return r;
}

/* ---- marks ---- */

static int put_mark_stack(struct run *run, const struct process *p, uint32_t mark,
                          const struct mark_stack *s)
{
        struct estimates e = estimate(p, &s->sums);
        struct runfile_mark_stack row = {
                .process = p->index,
                .mark = mark,
                .stack = s->stack,
                .samples = flush_sane(s->sums.samples),
                .samples_freed = flush_sane(s->sums.samples_freed),
                .alloc_objects = e.alloc_objects,
                .freed_objects = e.freed_objects,
                .alloc_bytes = e.alloc_bytes,
                .freed_bytes = e.freed_bytes,
                .asked_bytes = e.asked_bytes,
                .short_objects = e.short_objects,
                .lifetime_ns = e.lifetime_ns,
                .alloc_objects_var = e.alloc_objects_var,
                .freed_objects_var = e.freed_objects_var,
                .alloc_bytes_var = e.alloc_bytes_var,
                .freed_bytes_var = e.freed_bytes_var,
        };

        return runfile_put_mark_stack(run->file, &row);
}

static int put_mark_class(struct run *run, const struct process *p, const struct mark *m,
                          uint32_t i)
{
        const struct heap_class *c = &m->classes[i];
        struct runfile_mark_class row = {
                .process = p->index,
                .mark = m->number,
                .size_class = i,
                .calls = flush_sane(c->calls),
                .asked_bytes = flush_sane(c->asked_bytes),
                .usable_bytes = flush_sane(c->usable_bytes),
                .frees = flush_sane(c->frees),
        };

        return is_used(c) ? runfile_put_mark_class(run->file, &row) : 0;
}

static int put_mark(struct run *run, const struct process *p, const struct mark *m)
{
        struct runfile_mark row = {
                .process = p->index,
                .mark = m->number,
                .name = m->name,
                .at_ns = m->at_ns,
                .live_bytes = m->live_bytes,
        };
        int r;

        r = runfile_put_mark(run->file, &row);
        for (uint32_t i = 0; !r && i < m->n_rows; i++) {
                struct runfile_mark_op op = {
                        .process = p->index,
                        .mark = m->number,
                        .op = m->rows[i].key / IFP_N_PHASES,
                        .phase = m->rows[i].key % IFP_N_PHASES,
                        .alloc = flush_alloc_of(&m->rows[i].f),
                };

                r = runfile_put_mark_op(run->file, &op);
        }
        for (uint32_t i = 0; !r && i < IFP_SIZE_CLASSES; i++)
                r = put_mark_class(run, p, m, i);
        for (uint32_t i = 0; !r && i < m->n_stacks; i++)
                r = put_mark_stack(run, p, m->number, &m->stacks[i]);
        return r;
}

static int put_marks(struct run *run, const struct process *p)
{
        int r = 0;

        for (const struct mark *m = p->marks; !r && m; m = m->next)
                r = put_mark(run, p, m);
        return r;
}

int flush_heap(struct run *run, const struct process *p, uint64_t second)
{
        int r;

        r = put_classes(run, p);
        if (!r)
                r = put_stacks(run, p);
        if (!r)
                r = put_memory(run, p, second);
        if (!r)
                r = put_files(run, p);
        if (!r && (p->write_all || p->heap.allocator.n_looks != p->heap.allocator_written))
                r = put_arenas(run, p);
        if (!r)
                r = put_tokens(run, p);
        return r ? r : put_marks(run, p);
}

void flush_heap_written(struct process *p)
{
        struct heap *h = &p->heap;

        memcpy(h->classes_written, h->classes, sizeof(h->classes));
        for (uint32_t i = 0; i < h->n_stacks; i++)
                if (is_due(p, &h->stacks[i]))
                        h->stacks[i].written = mark_of(&h->stacks[i]);
        if (h->frames)
                frames_written(h->frames);
        for (uint32_t i = 0; i < p->outside.n_files; i++)
                p->outside.files[i].written = true;
        h->allocator_written = h->allocator.n_looks;
        h->tokens.written_n = h->tokens.n;
        h->tokens.n_points = 0;
        p->marks = mark_free_all(p->marks);
        heap_written(p);
}
