/* SPDX-License-Identifier: MIT */
/* daemon/heap-stacks.c: sampled stacks, from a segment to the rows of a run file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/frames.h"
#include "daemon/mark.h"
#include "daemon/run.h"
#include "heap-rows.h"

static int setup(void **state)
{
        struct world *w = world_new(8);

        w->f.seg->header.heap_interval = 1000;
        w->op = fake_op(&w->f, "mul_mat", IFP_KIND_KERNEL);
        world_attach(w, false);
        *state = w;
        return 0;
}

static void sums_leave_their_fixed_point(void **state)
{
        static const uint64_t addresses[] = {0x1010, 0x2020, 0x3030};
        struct world *w = *state;
        uint32_t i = fake_stack(&w->f, w->op, IFP_PHASE_DECODE, addresses, 3);
        struct ifp_stack *s = &w->f.seg->stacks[i];
        struct heap_rows *r;

        s->flags = IFP_STACK_CUT;
        s->samples = 4;
        s->freed_own.samples = 1;
        s->freed_else.samples = 1;
        s->alloc_objects = 40 << 16 | 0x8000;
        s->freed_own.objects = 10 << 16;
        s->freed_else.objects = 5 << 16;
        s->alloc_bytes = 4000;
        s->freed_own.bytes = 1000;
        s->freed_else.bytes = 500;
        s->asked_bytes = 3900;
        s->freed_own.short_objects = 10 << 16;
        s->freed_else.lifetime_ticks = w->f.seg->header.ticks_per_second / 1000;
        s->alloc_objects_var = 90;
        s->alloc_bytes_var = 3 << 16;
        s->freed_own.bytes_var = s->freed_else.bytes_var = 1 << 14;
        s->inherited_objects = 2 << 16;
        s->inherited_bytes = 64;
        w->f.seg->stacks[0].samples = 2;
        w->f.seg->stacks[0].flags = IFP_STACK_ONE;
        w->f.seg->live.unwinding = 1;
        world_tick(w);
        world_flush(w);
        r = heap_rows(w);
        assert_int_equal(r->n_stacks, 2);
        r->stacks[0] = r->stacks[1];
        strcpy(r->frames[0], r->frames[1]);
        assert_int_equal(r->stacks[0].stack, i);
        assert_int_equal(r->stacks[0].op, w->op);
        assert_int_equal(r->stacks[0].phase, IFP_PHASE_DECODE);
        assert_true(r->stacks[0].cut && !r->stacks[0].one);
        assert_string_equal(r->frames[0], "0,1,2");
        assert_int_equal(r->n_frames, 3);
        assert_int_equal(r->stacks[0].samples, 4);
        assert_true(r->stacks[0].alloc_objects == 40.5);
        assert_int_equal(r->stacks[0].samples_freed, 2);
        assert_true(r->stacks[0].freed_objects == 15);
        assert_true(r->stacks[0].alloc_bytes == 4000);
        assert_true(r->stacks[0].freed_bytes == 1500);
        assert_true(r->stacks[0].asked_bytes == 3900);
        assert_true(r->stacks[0].short_objects == 10);
        assert_true(r->stacks[0].lifetime_ns > 0.9e6 && r->stacks[0].lifetime_ns < 1.1e6);
        assert_true(r->stacks[0].alloc_objects_var == 90);
        assert_true(r->stacks[0].alloc_bytes_var == 3e6);
        assert_true(r->stacks[0].freed_bytes_var == 0.5e6);
        assert_true(r->stacks[0].inherited_objects == 2);
        assert_true(r->stacks[0].inherited_bytes == 64);
        assert_int_equal(r->process.samples, 6);
        assert_int_equal(r->process.samples_other, 2);
        assert_int_equal(r->process.unwinding, 1);
}

static void an_entry_is_taken_when_it_is_complete(void **state)
{
        static const uint64_t address = 0x1010;
        struct world *w = *state;
        uint32_t i = fake_stack(&w->f, w->op, 0, &address, 1);
        struct ifp_stack *s = &w->f.seg->stacks[i];

        s->hash = 0;
        s->phase = 99; /* nobody looks at it yet */
        world_tick(w);
        assert_false(w->p->heap.stacks[i].known);
        s->phase = 1;
        s->samples = 1;
        s->hash = 5;
        world_tick(w);
        assert_true(w->p->heap.stacks[i].known);
        assert_int_equal(w->p->heap.stacks[i].sums.samples, 1);
        assert_true(w->p->heap.stacks[i].resolved);
}

static void a_full_table_is_no_lie(void **state)
{
        struct world *w = *state;
        struct heap_rows *r;

        w->f.seg->live.n_stacks = IFP_MAX_STACKS + 10;
        w->f.seg->live.n_frames = IFP_MAX_FRAMES + 10;
        w->f.seg->stacks[0].samples = 9;
        w->f.seg->stacks[0].alloc_bytes = 900;
        world_tick(w);
        world_flush(w);
        r = heap_rows(w);
        assert_int_equal(r->n_stacks, 1);
        assert_int_equal(r->stacks[0].stack, 0);
        assert_string_equal(r->frames[0], "");
        assert_int_equal(r->process.samples_other, 9);
}

static void only_what_moved_is_written_again(void **state)
{
        static const uint64_t addresses[] = {0x1010, 0x2020};
        struct world *w = *state;
        uint32_t a = fake_stack(&w->f, w->op, 0, addresses, 1);
        uint32_t b = fake_stack(&w->f, w->op, 0, addresses, 2);

        w->f.seg->stacks[a].samples = w->f.seg->stacks[b].samples = 1;
        world_tick(w);
        world_flush(w);
        assert_int_equal(heap_rows(w)->n_stacks, 2);
        assert_string_equal(heap_rows(w)->frames[1], "0,1");
        w->f.seg->stacks[b].freed_else.samples = 1;
        w->p->heap.stacks[a].sums.alloc_bytes = 1; /* so that a row written in vain would show */
        w->p->heap.stacks[a].written++;
        w->f.seg->stacks[a].alloc_bytes = 1;
        world_tick(w);
        world_flush(w);
        assert_true(heap_rows(w)->stacks[0].alloc_bytes == 0);
        assert_int_equal(heap_rows(w)->stacks[1].samples_freed, 1);
}

static void frames_of_a_writing_that_failed_are_written_again(void **state)
{
        static const uint64_t address = 0x1010;
        struct world *w = *state;

        w->f.seg->stacks[fake_stack(&w->f, w->op, 0, &address, 1)].samples = 1;
        world_tick(w);
        assert_int_equal(runfile_begin(w->run->file), 0);
        assert_int_equal(frames_flush(w->p->heap.frames, w->run->file, 0), 0);
        runfile_abort(w->run->file);
        world_flush(w);
        assert_int_equal(heap_rows(w)->n_frames, 1);
}

static void the_shim_is_not_on_stacks(void **state)
{
        static const uint64_t addresses[] = {0x50010, 0x2020};
        struct world *w = *state;
        uint32_t i;

        w->f.seg->objects[0] =
                (struct ifp_object){.start = 0x50000,
                                    .end = 0x60000,
                                    .path = fake_name(&w->f, "/usr/lib/libinfprof.so"),
                                    .opened = 1};
        w->f.seg->live.n_objects = 1;
        i = fake_stack(&w->f, w->op, 0, addresses, 2);
        w->f.seg->stacks[i].samples = 1;
        world_tick(w);
        assert_true(w->p->heap.stacks[i].resolved);
        assert_int_equal(w->p->heap.stacks[i].n_frames, 1);
}

static void numbers_beyond_all_measure_are_bounded(void **state)
{
        static const uint64_t address = 0x1010;
        struct world *w = *state;
        uint32_t i = fake_stack(&w->f, w->op, 0, &address, 1);
        struct heap_rows *r;

        memset(&w->f.seg->stacks[i].samples, 0xff,
               sizeof(struct ifp_stack) - offsetof(struct ifp_stack, samples));
        w->f.seg->stacks[i].alloc_objects = 5; /* and less than was freed */
        w->f.seg->stacks[0].samples = UINT64_MAX;
        fake_lane_begin(&w->f, 0, 1);
        memset(w->f.seg->lanes[0].memory.calls, 0xee, sizeof(uint64_t) * 4 * IFP_SIZE_CLASSES);
        memset(&w->f.seg->lanes[0].alloc[w->op][0], 0xee, sizeof(struct ifp_alloc_row));
        memset(&w->f.seg->live.samples_short, 0xff, 5 * sizeof(uint64_t));
        world_tick(w);
        assert_int_equal(mark_take(w->p, 0, "m", 1), 0);
        world_flush(w);
        r = heap_rows(w);
        assert_int_equal(r->process.samples, INT64_MAX);
        assert_int_equal(r->process.samples_other, INT64_MAX);
        assert_int_equal(r->stacks[0].samples, INT64_MAX);
        r->stacks[0] = r->stacks[1];
        assert_true(r->stacks[0].freed_objects <=
                    r->stacks[0].alloc_objects + r->stacks[0].inherited_objects);
        assert_int_equal(r->classes[0].calls, INT64_MAX);
}

static void the_end_lets_go_of_what_is_written(void **state)
{
        static const uint64_t address = 0x1010;
        struct world *w = *state;
        uint32_t i = fake_stack(&w->f, w->op, 0, &address, 1);

        w->f.seg->stacks[i].samples = 3;
        process_end(w->p, RUNFILE_END_CODE, 0, w->now);
        assert_int_equal(w->p->heap.n_stacks, 2);
        world_flush(w);
        assert_int_equal(w->p->heap.n_stacks, 0);
        assert_int_equal(heap_rows(w)->stacks[0].samples, 3);
        assert_string_equal(heap_rows(w)->frames[0], "0");
        world_flush(w);
        assert_int_equal(heap_rows(w)->n_stacks, 1);
}

static void lies_of_a_new_stack_are_caught(void **state)
{
        static const uint64_t address = 0x1010;
        struct world *w = *state;
        struct ifp_stack *s = &w->f.seg->stacks[fake_stack(&w->f, w->op, 0, &address, 1)], was = *s;
        const char *why;

        s->n_frames = IFP_STACK_DEPTH + 1;
        assert_int_equal(world_look(w, &why), SEGMENT_E_BAD);
        *s = was;
        s->first_frame = IFP_MAX_FRAMES;
        assert_int_equal(world_look(w, &why), SEGMENT_E_BAD);
        *s = was;
        s->first_frame = UINT32_MAX;
        assert_int_equal(world_look(w, &why), SEGMENT_E_BAD);
        *s = was;
        s->n_frames = 2; /* one of them is not handed out */
        assert_int_equal(world_look(w, &why), SEGMENT_E_BAD);
        *s = was;
        s->op = (uint16_t)(w->op + 1);
        assert_int_equal(world_look(w, &why), SEGMENT_E_BAD);
        *s = was;
        s->phase = IFP_N_PHASES;
        assert_int_equal(world_look(w, &why), SEGMENT_E_BAD);
        *s = was;
        w->f.seg->objects[0] =
                (struct ifp_object){.start = 0x1000, .end = 0x2000, .path = IFP_NAMES_BYTES};
        w->f.seg->live.n_objects = 1;
        assert_int_equal(world_look(w, &why), SEGMENT_E_BAD);
        assert_non_null(why);
        w->f.seg->objects[0].path = 0;
        world_tick(w);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(sums_leave_their_fixed_point),
                CASE(an_entry_is_taken_when_it_is_complete),
                CASE(a_full_table_is_no_lie),
                CASE(only_what_moved_is_written_again),
                CASE(frames_of_a_writing_that_failed_are_written_again),
                CASE(the_shim_is_not_on_stacks),
                CASE(numbers_beyond_all_measure_are_bounded),
                CASE(the_end_lets_go_of_what_is_written),
                CASE(lies_of_a_new_stack_are_caught),
        };

        return cmocka_run_group_tests_name("heap-stacks", tests, NULL, NULL);
}
