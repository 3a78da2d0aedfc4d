/* SPDX-License-Identifier: MIT */
/*
 * Loading stacks, those of all processes merged: frames that say the same are one frame, stacks
 * of the same op, phase and frames are one stack. So two workers that run the same code have one
 * row.
 *
 * Rows of a table come in the order of their keys, so refs need no sorting.
 */
#include "common/report-memory-private.h"

#include <errno.h>

#include "common/cleanup.h"
#include "common/runfile-private.h"

static uint32_t mix(uint32_t h, uint64_t v)
{
        for (int i = 0; i < 8; i++, v >>= 8)
                h = (h ^ (uint8_t)v) * 16777619u;
        return h;
}

static uint32_t mix_text(uint32_t h, const char *s)
{
        for (; s && *s; s++)
                h = (h ^ (uint8_t)*s) * 16777619u;
        return (h ^ (s ? 0xfe : 0xff)) * 16777619u;
}

static bool same_text(const char *a, const char *b)
{
        return a && b ? !strcmp(a, b) : a == b;
}

static char *copy_text(const char *s, bool *failed)
{
        char *copy = s ? strdup(s) : NULL;

        *failed |= s && !copy;
        return copy;
}

static int add_ref(struct memory_refs *refs, uint32_t process, uint32_t number, size_t to)
{
        struct memory_ref *ref = GROW(&refs->at, &refs->n, &refs->room);

        if (!ref)
                return -ENOMEM;
        *ref = (struct memory_ref){process, number, (uint32_t)to};
        return 0;
}

static int compare_ref(const void *key, const void *item)
{
        const struct memory_ref *a = key, *b = item;

        if (a->process != b->process)
                return a->process < b->process ? -1 : 1;
        return a->number < b->number ? -1 : a->number > b->number;
}

static const struct memory_ref *find_ref(const struct memory_refs *refs, uint32_t process,
                                         uint32_t number)
{
        struct memory_ref key = {process, number, 0};

        return refs->n ? bsearch(&key, refs->at, refs->n, sizeof(key), compare_ref) : NULL;
}

/* Twice as many buckets as items; empty: the caller puts all items in again. */
static int grow_buckets(struct memory_buckets *b)
{
        size_t n = b->n ? b->n * 2 : 256;
        uint32_t *at = calloc(n, sizeof(*at));

        if (!at)
                return -ENOMEM;
        free(b->at);
        *b = (struct memory_buckets){at, n};
        return 0;
}

#define PUT_IN(buckets, items, i)                                                                  \
        do {                                                                                       \
                uint32_t *head_ = &(buckets)->at[(items)[i].hash & ((buckets)->n - 1)];            \
                (items)[i].next = *head_;                                                          \
                *head_ = (uint32_t)(i) + 1;                                                        \
        } while (0)

/* The last of so many items is new. */
#define PUT_NEW(buckets, items, n_items)                                                           \
        ({                                                                                         \
                int r_ = 0;                                                                        \
                if ((n_items)*2 > (buckets)->n) {                                                  \
                        r_ = grow_buckets(buckets);                                                \
                        for (size_t i_ = 0; !r_ && i_ + 1 < (n_items); i_++)                       \
                                PUT_IN(buckets, items, i_);                                        \
                }                                                                                  \
                if (!r_)                                                                           \
                        PUT_IN(buckets, items, (n_items)-1);                                       \
                r_;                                                                                \
        })

static int find_frame(struct memory_stacks *s, const struct runfile_frame *row, size_t *ret)
{
        uint32_t h =
                mix_text(mix_text(mix_text(2166136261u, row->function), row->library), row->file);
        struct memory_frame *f;
        bool failed = false;

        h = mix(mix(h, row->offset), ((uint64_t)row->line << 1) | row->inlined);
        for (uint32_t i = s->frame_buckets.n ? s->frame_buckets.at[h & (s->frame_buckets.n - 1)]
                                             : 0;
             i; i = s->frames[i - 1].next) {
                f = &s->frames[i - 1];
                if (f->hash == h && f->offset == row->offset && f->line == row->line &&
                    f->inlined == row->inlined && same_text(f->function, row->function) &&
                    same_text(f->library, row->library) && same_text(f->file, row->file)) {
                        *ret = i - 1;
                        return 0;
                }
        }
        f = GROW(&s->frames, &s->n_frames, &s->room_frames);
        if (!f)
                return -ENOMEM;
        *f = (struct memory_frame){
                .function = copy_text(row->function, &failed),
                .library = copy_text(row->library, &failed),
                .file = copy_text(row->file, &failed),
                .offset = row->offset,
                .line = row->line,
                .inlined = row->inlined,
                .hash = h,
        };
        *ret = s->n_frames - 1;
        return failed ? -ENOMEM : PUT_NEW(&s->frame_buckets, s->frames, s->n_frames);
}

static int load_frame(const struct runfile_frame *row, void *userdata)
{
        struct memory *m = userdata;
        size_t to = 0;
        int r;

        if (memory_process(m, "frame", row->process) == SIZE_MAX)
                return RUNFILE_E_FOREIGN;
        r = find_frame(&m->stacks, row, &to);
        return r ? r : add_ref(&m->stacks.frame_refs, row->process, row->frame, to);
}

/* "12,7,3": the merged frames of a stack. */
static int read_frames(struct memory *m, const struct runfile_stack *row, uint32_t **ret,
                       size_t *ret_n)
{
        _cleanup_(freep) uint32_t *frames = NULL;
        size_t n = 0, room = 0;

        for (const char *p = row->frames; *p;) {
                const struct memory_ref *ref;
                uint32_t *frame;
                uint64_t v = 0;
                bool digits = false;

                for (; *p >= '0' && *p <= '9' && v <= UINT32_MAX; p++, digits = true)
                        v = v * 10 + (uint64_t)(*p - '0');
                if (!digits || v > UINT32_MAX || (*p && (*p != ',' || !p[1])))
                        return runfile_explain(
                                &m->why, RUNFILE_E_FOREIGN,
                                "'%s' is damaged: table stack holds no list of "
                                "frames in stack %u of process %u; it cannot be used",
                                m->rf->path, row->stack, row->process);
                p += *p == ',';
                ref = find_ref(&m->stacks.frame_refs, row->process, (uint32_t)v);
                if (!ref)
                        return memory_dangling(m, "stack", "frame", row->process, (uint32_t)v);
                frame = GROW(&frames, &n, &room);
                if (!frame)
                        return -ENOMEM;
                *frame = ref->to;
        }
        *ret = steal_ptr(frames);
        *ret_n = n;
        return 0;
}

static bool same_stack(const struct memory_stack *a, const struct memory_stack *b)
{
        return a->hash == b->hash && a->phase == b->phase && a->cut == b->cut && a->one == b->one &&
               a->other == b->other && a->n_frames == b->n_frames && same_text(a->op, b->op) &&
               (!a->n_frames || !memcmp(a->frames, b->frames, a->n_frames * sizeof(*a->frames)));
}

/* Takes the frames of `key` over. */
static int find_stack(struct memory_stacks *s, struct memory_stack *key, size_t *ret)
{
        struct memory_stack *new;
        uint32_t h = mix_text(2166136261u, key->op);

        h = mix(h, key->phase << 3 | key->cut << 2 | key->one << 1 | key->other);
        for (size_t i = 0; i < key->n_frames; i++)
                h = mix(h, key->frames[i]);
        key->hash = h;
        for (uint32_t i = s->stack_buckets.n ? s->stack_buckets.at[h & (s->stack_buckets.n - 1)]
                                             : 0;
             i; i = s->stacks[i - 1].next)
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
        return PUT_NEW(&s->stack_buckets, s->stacks, s->n_stacks);
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
        r = read_frames(m, row, &key.frames, &key.n_frames);
        if (!r)
                r = find_stack(s, &key, &to);
        if (!r)
                r = add_ref(&s->stack_refs, row->process, row->stack, to);
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
        const struct memory_ref *ref = find_ref(&s->stack_refs, row->process, row->stack);
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
        int r = runfile_each_frame(m->rf, load_frame, m);

        if (!r)
                r = runfile_each_stack(m->rf, load_stack, m);
        if (!r && m->windowed)
                r = runfile_each_mark_stack(m->rf, load_mark_stack, m);
        return r;
}

void memory_stacks_done(struct memory_stacks *s)
{
        for (size_t i = 0; i < s->n_frames; i++) {
                free(s->frames[i].function);
                free(s->frames[i].library);
                free(s->frames[i].file);
                json_decref(s->frames[i].json);
        }
        for (size_t i = 0; i < s->n_stacks; i++)
                free(s->stacks[i].frames);
        free(s->frames);
        free(s->frame_buckets.at);
        free(s->frame_refs.at);
        free(s->stacks);
        free(s->stack_buckets.at);
        free(s->stack_refs.at);
}
