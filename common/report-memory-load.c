/* SPDX-License-Identifier: MIT */
/*
 * Loading what a run file holds of memory, all but the stacks. Rows are added up as they
 * come: each row counts at the window's end, at its beginning, at both or not at all.
 */
#include "common/report-memory-private.h"

#include <errno.h>

#include "common/report-memory.h"
#include "common/runfile-private.h"

size_t memory_process(struct memory *m, const char *table, uint32_t process)
{
        return model_process_index(&m->model, m->rf, table, process, &m->why);
}

int memory_dangling(struct memory *m, const char *table, const char *what, uint32_t process,
                    uint32_t number)
{
        return model_dangling(m->rf, table, what, process, number, &m->why);
}

static int load_mark(const struct runfile_mark *row, void *userdata)
{
        struct memory *m = userdata;
        size_t process = memory_process(m, "mark", row->process);
        struct memory_mark *mark;

        if (process == SIZE_MAX)
                return RUNFILE_E_FOREIGN;
        mark = GROW(&m->marks, &m->n_marks, &m->room_marks);
        if (!mark)
                return -ENOMEM;
        *mark = (struct memory_mark){process, row->mark, strdup(row->name), row->at_ns,
                                     row->live_bytes};
        return mark->name ? 0 : -ENOMEM;
}

static struct memory_alloc *alloc_of(struct memory *m, uint32_t process, uint32_t op,
                                     uint32_t phase)
{
        const struct model_op *o = op ? model_op(&m->model, process, op) : NULL;
        size_t index = o ? o->index : m->model.n_ops;

        return op && !o ? NULL : &m->allocs[index * IFP_N_PHASES + phase];
}

static int load_op_phase(const struct runfile_op_phase *row, void *userdata)
{
        struct memory *m = userdata;
        size_t process = memory_process(m, "op_phase", row->process);
        struct memory_alloc *a = alloc_of(m, row->process, row->op, row->phase);

        if (process == SIZE_MAX)
                return RUNFILE_E_FOREIGN;
        if (!a)
                return memory_dangling(m, "op_phase", "op", row->process, row->op);
        if (bound_has_all(m->processes[process].to))
                alloc_add(&a->to, &row->alloc);
        if (bound_has_all(m->processes[process].from))
                alloc_add(&a->from, &row->alloc);
        m->processes[process].calls = sum_u64(m->processes[process].calls, row->alloc.calls);
        return 0;
}

static int load_mark_op(const struct runfile_mark_op *row, void *userdata)
{
        struct memory *m = userdata;
        size_t process = memory_process(m, "mark_op", row->process);
        struct memory_alloc *a = alloc_of(m, row->process, row->op, row->phase);

        if (process == SIZE_MAX)
                return RUNFILE_E_FOREIGN;
        if (!a)
                return memory_dangling(m, "mark_op", "op", row->process, row->op);
        if (bound_is_mark(m->processes[process].to, row->mark))
                alloc_add(&a->to, &row->alloc);
        if (bound_is_mark(m->processes[process].from, row->mark))
                alloc_add(&a->from, &row->alloc);
        return 0;
}

static uint64_t sub_u64(uint64_t a, uint64_t b)
{
        return a > b ? a - b : 0;
}

struct runfile_alloc memory_in_window(const struct memory_alloc *a)
{
        return (struct runfile_alloc){
                .calls = sub_u64(a->to.calls, a->from.calls),
                .asked_bytes = sub_u64(a->to.asked_bytes, a->from.asked_bytes),
                .usable_bytes = sub_u64(a->to.usable_bytes, a->from.usable_bytes),
                .frees = sub_u64(a->to.frees, a->from.frees),
                .freed_bytes = sub_u64(a->to.freed_bytes, a->from.freed_bytes),
                .failed = sub_u64(a->to.failed, a->from.failed),
                .maps = sub_u64(a->to.maps, a->from.maps),
                .mapped_bytes = sub_u64(a->to.mapped_bytes, a->from.mapped_bytes),
        };
}

static void add_class(struct runfile_size_class *to, uint64_t calls, uint64_t asked,
                      uint64_t usable, uint64_t frees)
{
        to->calls = sum_u64(to->calls, calls);
        to->asked_bytes = sum_u64(to->asked_bytes, asked);
        to->usable_bytes = sum_u64(to->usable_bytes, usable);
        to->frees = sum_u64(to->frees, frees);
}

static int load_class(const struct runfile_size_class *row, void *userdata)
{
        struct memory *m = userdata;
        size_t process = memory_process(m, "size_class", row->process);
        struct memory_class *c = &m->classes[row->size_class];

        if (process == SIZE_MAX)
                return RUNFILE_E_FOREIGN;
        if (bound_has_all(m->processes[process].to))
                add_class(&c->to, row->calls, row->asked_bytes, row->usable_bytes, row->frees);
        if (bound_has_all(m->processes[process].from))
                add_class(&c->from, row->calls, row->asked_bytes, row->usable_bytes, row->frees);
        return 0;
}

static int load_mark_class(const struct runfile_mark_class *row, void *userdata)
{
        struct memory *m = userdata;
        size_t process = memory_process(m, "mark_class", row->process);
        struct memory_class *c;

        if (process == SIZE_MAX)
                return RUNFILE_E_FOREIGN;
        if (row->size_class >= IFP_SIZE_CLASSES)
                return memory_dangling(m, "mark_class", "size class", row->process,
                                       row->size_class);
        c = &m->classes[row->size_class];
        if (bound_is_mark(m->processes[process].to, row->mark))
                add_class(&c->to, row->calls, row->asked_bytes, row->usable_bytes, row->frees);
        if (bound_is_mark(m->processes[process].from, row->mark))
                add_class(&c->from, row->calls, row->asked_bytes, row->usable_bytes, row->frees);
        return 0;
}

static int load_look(const struct runfile_memory *row, void *userdata)
{
        struct memory *m = userdata;
        size_t process = memory_process(m, "memory", row->process);
        struct memory_look *look;

        if (process == SIZE_MAX)
                return RUNFILE_E_FOREIGN;
        look = GROW(&m->looks, &m->n_looks, &m->room_looks);
        if (!look)
                return -ENOMEM;
        *look = (struct memory_look){process, *row};
        return 0;
}

static int load_arena(const struct runfile_arena *row, void *userdata)
{
        struct memory *m = userdata;
        struct runfile_arena *a;

        if (memory_process(m, "arena", row->process) == SIZE_MAX)
                return RUNFILE_E_FOREIGN;
        a = GROW(&m->arenas, &m->n_arenas, &m->room_arenas);
        if (!a)
                return -ENOMEM;
        *a = *row;
        return 0;
}

/* One file that several processes map is one. */
static int load_file(const struct runfile_mapped_file *row, void *userdata)
{
        struct memory *m = userdata;
        struct memory_file *f = NULL;

        for (size_t i = 0; i < m->n_files && !f; i++)
                if (!strcmp(m->files[i].path, row->path))
                        f = &m->files[i];
        if (!f) {
                f = GROW(&m->files, &m->n_files, &m->room_files);
                if (!f || !(f->path = strdup(row->path)))
                        return -ENOMEM;
                f->resident_bytes = RUNFILE_NOT_TOLD;
        }
        if (row->size > f->size)
                f->size = row->size;
        if (row->mapped_bytes > f->mapped_bytes)
                f->mapped_bytes = row->mapped_bytes;
        if (row->resident_bytes != RUNFILE_NOT_TOLD &&
            (f->resident_bytes == RUNFILE_NOT_TOLD || row->resident_bytes > f->resident_bytes))
                f->resident_bytes = row->resident_bytes;
        if (row->nodes && !f->nodes && !(f->nodes = strdup(row->nodes)))
                return -ENOMEM;
        return 0;
}

static int load_tokens(const struct runfile_token_alloc *row, void *userdata)
{
        struct memory *m = userdata;
        struct memory_tokens *t = &m->tokens;

        t->n = sum_u64(t->n, row->n);
        t->n_calls_zero = sum_u64(t->n_calls_zero, row->n_calls_zero);
        t->calls = sum_u64(t->calls, row->calls);
        t->asked_bytes = sum_u64(t->asked_bytes, row->asked_bytes);
        for (uint32_t i = 0; i < IFP_HIST_BUCKETS; i++) {
                if (row->calls_hist)
                        t->calls_hist[i] = sum_u64(t->calls_hist[i], row->calls_hist[i]);
                if (row->bytes_hist)
                        t->bytes_hist[i] = sum_u64(t->bytes_hist[i], row->bytes_hist[i]);
        }
        return 0;
}

static int load_point(const struct runfile_token_point *row, void *userdata)
{
        struct memory *m = userdata;
        size_t process = memory_process(m, "token_point", row->process);
        struct memory_point *p;
        uint64_t at_ns;

        if (process == SIZE_MAX)
                return RUNFILE_E_FOREIGN;
        at_ns = sum_u64(m->processes[process].began_ns, row->at_ns);
        if (m->windowed && (at_ns < m->from_ns || at_ns > m->to_ns))
                return 0;
        p = GROW(&m->points, &m->n_points, &m->room_points);
        if (!p)
                return -ENOMEM;
        *p = (struct memory_point){process, row->token, at_ns, row->live_bytes};
        return 0;
}

static int load_rows(struct memory *m)
{
        struct runfile *rf = m->rf;
        int r = runfile_each_op_phase(rf, load_op_phase, m);

        if (!r && m->windowed)
                r = runfile_each_mark_op(rf, load_mark_op, m);
        if (!r)
                r = runfile_each_size_class(rf, load_class, m);
        if (!r && m->windowed)
                r = runfile_each_mark_class(rf, load_mark_class, m);
        if (!r)
                r = memory_load_stacks(m);
        if (!r)
                r = runfile_each_memory(rf, load_look, m);
        if (!r)
                r = runfile_each_arena(rf, load_arena, m);
        if (!r)
                r = runfile_each_mapped_file(rf, load_file, m);
        if (!r)
                r = runfile_each_token_alloc(rf, load_tokens, m);
        if (!r)
                r = runfile_each_token_point(rf, load_point, m);
        return r;
}

int memory_load(struct memory *m, struct runfile *rf, const struct memory_options *o,
                char **ret_why)
{
        int r;

        m->rf = rf;
        r = model_load(&m->model, rf, ret_why);
        if (r)
                return r;
        m->processes = calloc(m->model.n_processes + 1, sizeof(*m->processes));
        m->allocs = calloc((m->model.n_ops + 1) * IFP_N_PHASES, sizeof(*m->allocs));
        r = m->processes && m->allocs ? runfile_each_mark(rf, load_mark, m) : -ENOMEM;
        if (!r) {
                r = memory_find_window(m, o, ret_why);
                if (r > 0)
                        return r;
        }
        if (!r)
                r = load_rows(m);
        if (r)
                runfile_explain(ret_why, r, "%s",
                                m->why         ? m->why
                                : r == -ENOMEM ? strerror(ENOMEM)
                                               : runfile_why(rf));
        return r;
}

void memory_done(struct memory *m)
{
        for (size_t i = 0; i < m->n_marks; i++)
                free(m->marks[i].name);
        for (size_t i = 0; i < m->n_files; i++) {
                free(m->files[i].path);
                free(m->files[i].nodes);
        }
        memory_stacks_done(&m->stacks);
        free(m->processes);
        free(m->marks);
        free(m->allocs);
        free(m->looks);
        free(m->arenas);
        free(m->files);
        free(m->points);
        free(m->why);
        model_done(&m->model);
}
