/* SPDX-License-Identifier: MIT */
/*
 * Loading stacks, those of all processes merged: stacks of the same op, phase and frames are one
 * stack. So two workers that run the same code have one row.
 */
#include "common/report-memory-private.h"

#include <errno.h>

#include "common/cleanup.h"
#include "common/runfile-private.h"

static bool same_stack(const struct memory_stack *a, const struct memory_stack *b)
{
        return a->hash == b->hash && a->phase == b->phase && a->cut == b->cut && a->one == b->one &&
               a->other == b->other && a->n_frames == b->n_frames &&
               merge_same_text(a->op, b->op) &&
               (!a->n_frames || !memcmp(a->frames, b->frames, a->n_frames * sizeof(*a->frames)));
}

/* Takes the frames of `key` over. */
static int find_stack(struct memory_stacks *s, struct memory_stack *key, size_t *ret)
{
        struct memory_stack *new;
        uint32_t h = merge_hash_text(MERGE_SEED, key->op);

        h = merge_hash(h, key->phase << 3 | key->cut << 2 | key->one << 1 | key->other);
        for (size_t i = 0; i < key->n_frames; i++)
                h = merge_hash(h, key->frames[i]);
        key->hash = h;
        for (uint32_t i = merge_first(&s->stack_buckets, h); i; i = s->stacks[i - 1].next)
                if (same_stack(&s->stacks[i - 1], key)) {
                        free(key->frames);
                        *ret = i - 1;
                        return 0;
                }
        new = GROW(&s->stacks, &s->n_stacks, &s->room_stacks);
        if (!new) {
                free(key->frames);
                return -ENOMEM;
        }
        *new = *key;
        *ret = s->n_stacks - 1;
        return MERGE_PUT_NEW(&s->stack_buckets, s->stacks, s->n_stacks);
}

/* Two kinds of row, the same columns. */
#define READ_SUMS(sums, row)                                                                       \
        do {                                                                                       \
                (sums)[SUM_SAMPLES] = (double)(row)->samples;                                      \
                (sums)[SUM_SAMPLES_FREED] = (double)(row)->samples_freed;                          \
                (sums)[SUM_ALLOC_OBJECTS] = (row)->alloc_objects;                                  \
                (sums)[SUM_FREED_OBJECTS] = (row)->freed_objects;                                  \
                (sums)[SUM_ALLOC_BYTES] = (row)->alloc_bytes;                                      \
                (sums)[SUM_FREED_BYTES] = (row)->freed_bytes;                                      \
                (sums)[SUM_ASKED_BYTES] = (row)->asked_bytes;                                      \
                (sums)[SUM_SHORT_OBJECTS] = (row)->short_objects;                                  \
                (sums)[SUM_LIFETIME_NS] = (row)->lifetime_ns;                                      \
                (sums)[SUM_ALLOC_OBJECTS_VAR] = (row)->alloc_objects_var;                          \
                (sums)[SUM_FREED_OBJECTS_VAR] = (row)->freed_objects_var;                          \
                (sums)[SUM_ALLOC_BYTES_VAR] = (row)->alloc_bytes_var;                              \
                (sums)[SUM_FREED_BYTES_VAR] = (row)->freed_bytes_var;                              \
        } while (0)

static void add_sums(struct memory_stack *to, const double *sums, int times)
{
        for (int i = 0; times && i < N_SUMS; i++)
                to->sums[i] += times * sums[i];
}

static int load_stack(const struct runfile_stack *row, void *userdata)
{
        struct memory *m = userdata;
        struct memory_stacks *s = &m->stacks;
        size_t process = memory_process(m, "stack", row->process), to = 0;
        const struct model_op *op = row->op ? model_op(&m->model, row->process, row->op) : NULL;
        struct memory_stack key = {.op = op ? op->name : NULL, .phase = row->phase};
        double sums[N_SUMS] = {0};
        int r;

        if (process == SIZE_MAX)
                return RUNFILE_E_FOREIGN;
        if (row->op && !op)
                return memory_dangling(m, "stack", "op", row->process, row->op);
        key.other = row->stack == IFP_STACK_OTHER;
        key.cut = row->cut;
        key.one = row->one;
        r = frames_read(&s->frames, m->rf, "stack", row->process, row->stack, row->frames,
                        &key.frames, &key.n_frames, &m->why);
        if (!r)
                r = find_stack(s, &key, &to);
        if (!r)
                r = merge_add_ref(&s->stack_refs, row->process, row->stack, to);
        if (r)
                return r;
        READ_SUMS(sums, row);
        if (!m->windowed) { /* growth begins at what was there */
                sums[SUM_INHERITED_OBJECTS] = row->inherited_objects;
                sums[SUM_INHERITED_BYTES] = row->inherited_bytes;
        }
        add_sums(&s->stacks[to], sums,
                 bound_has_all(m->processes[process].to) -
                         bound_has_all(m->processes[process].from));
        return 0;
}

static int load_mark_stack(const struct runfile_mark_stack *row, void *userdata)
{
        struct memory *m = userdata;
        struct memory_stacks *s = &m->stacks;
        size_t process = memory_process(m, "mark_stack", row->process);
        const struct merge_ref *ref = merge_find_ref(&s->stack_refs, row->process, row->stack);
        double sums[N_SUMS] = {0};

        if (process == SIZE_MAX)
                return RUNFILE_E_FOREIGN;
        if (!ref)
                return memory_dangling(m, "mark_stack", "stack", row->process, row->stack);
        READ_SUMS(sums, row);
        add_sums(&s->stacks[ref->to], sums,
                 bound_is_mark(m->processes[process].to, row->mark) -
                         bound_is_mark(m->processes[process].from, row->mark));
        return 0;
}

int memory_load_stacks(struct memory *m)
{
        int r = frames_load(&m->stacks.frames, m->rf, &m->model, &m->why);

        if (!r)
                r = runfile_each_stack(m->rf, load_stack, m);
        if (!r && m->windowed)
                r = runfile_each_mark_stack(m->rf, load_mark_stack, m);
        return r;
}

void memory_stacks_done(struct memory_stacks *s)
{
        for (size_t i = 0; i < s->n_stacks; i++)
                free(s->stacks[i].frames);
        frames_done(&s->frames);
        free(s->stacks);
        free(s->stack_buckets.at);
        free(s->stack_refs.at);
}
