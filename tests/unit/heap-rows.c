/* SPDX-License-Identifier: MIT */
/* Rows are kept as they come, in the order of the file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "heap-rows.h"

#define COLLECT(kind, array, count)                                                                \
        static int collect_##kind(const struct runfile_##kind *row, void *userdata)                \
        {                                                                                          \
                struct heap_rows *r = userdata;                                                    \
                                                                                                   \
                r->array[r->count++] = *row;                                                       \
                return 0;                                                                          \
        }
COLLECT(size_class, classes, n_classes)
COLLECT(arena, arenas, n_arenas)
COLLECT(token_point, points, n_points)
COLLECT(mark_op, mark_ops, n_mark_ops)
COLLECT(mark_stack, mark_stacks, n_mark_stacks)
COLLECT(mark_class, mark_classes, n_mark_classes)

static int collect_stack(const struct runfile_stack *row, void *userdata)
{
        struct heap_rows *r = userdata;

        snprintf(r->frames[r->n_stacks], sizeof(r->frames[0]), "%s", row->frames);
        r->stacks[r->n_stacks++] = *row;
        return 0;
}

static int collect_mark(const struct runfile_mark *row, void *userdata)
{
        struct heap_rows *r = userdata;

        snprintf(r->names[r->n_marks], sizeof(r->names[0]), "%s", row->name);
        r->marks[r->n_marks++] = *row;
        return 0;
}

static int collect_memory(const struct runfile_memory *row, void *userdata)
{
        struct heap_rows *r = userdata;

        r->memory = *row;
        r->n_memory++;
        return 0;
}

static int collect_token_alloc(const struct runfile_token_alloc *row, void *userdata)
{
        struct heap_rows *r = userdata;

        r->tokens = *row;
        r->n_tokens++;
        assert_int_equal(row->calls_hist[3], 4);
        assert_int_equal(row->bytes_hist[40], 4);
        return 0;
}

static int collect_frame(const struct runfile_frame *row, void *userdata)
{
        struct heap_rows *r = userdata;

        if (!r->n_frames++)
                r->least_frame = row->frame;
        r->last_frame = row->frame;
        return 0;
}

static int collect_process(const struct runfile_process *row, void *userdata)
{
        struct heap_rows *r = userdata;

        r->process = *row;
        return 0;
}

static int collect_op_phase(const struct runfile_op_phase *row, void *userdata)
{
        struct heap_rows *r = userdata;

        r->op_phase = *row;
        return 0;
}

struct heap_rows *heap_rows(const struct world *w)
{
        static struct heap_rows r;
        struct runfile *rf;
        char *why = NULL;

        memset(&r, 0, sizeof(r));
        assert_int_equal(runfile_open(&rf, w->path, &why), 0);
        assert_int_equal(runfile_each_size_class(rf, collect_size_class, &r), 0);
        assert_int_equal(runfile_each_stack(rf, collect_stack, &r), 0);
        assert_int_equal(runfile_each_frame(rf, collect_frame, &r), 0);
        assert_int_equal(runfile_each_memory(rf, collect_memory, &r), 0);
        assert_int_equal(runfile_each_arena(rf, collect_arena, &r), 0);
        assert_int_equal(runfile_each_token_alloc(rf, collect_token_alloc, &r), 0);
        assert_int_equal(runfile_each_token_point(rf, collect_token_point, &r), 0);
        assert_int_equal(runfile_each_mark(rf, collect_mark, &r), 0);
        assert_int_equal(runfile_each_mark_op(rf, collect_mark_op, &r), 0);
        assert_int_equal(runfile_each_mark_stack(rf, collect_mark_stack, &r), 0);
        assert_int_equal(runfile_each_mark_class(rf, collect_mark_class, &r), 0);
        assert_int_equal(runfile_each_process(rf, collect_process, &r), 0);
        assert_int_equal(runfile_each_op_phase(rf, collect_op_phase, &r), 0);
        runfile_close(rf);
        return &r;
}

void tell_allocator(struct world *w)
{
        struct ifp_allocator *a = &w->f.seg->allocator;

        a->kind = IFP_ALLOCATOR_JEMALLOC;
        a->library = fake_name(&w->f, "/usr/lib/libjemalloc.so.2");
        a->n_arenas = 2;
        a->ticks = ifp_ticks();
        a->n_looks++;
        a->cost_ns = 1234;
        a->allocated = 1000;
        a->active = 2000;
        a->metadata = a->mapped = a->retained = a->free_bytes = a->releasable = IFP_NOT_TOLD;
        a->resident = 3000;
        a->arenas[1] = (struct ifp_arena){10, 20, IFP_NOT_TOLD, 40};
}
