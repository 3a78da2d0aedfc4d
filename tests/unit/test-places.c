/* SPDX-License-Identifier: MIT */
/* daemon/places.c: which stacks are the same place, and what their samples come to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "daemon/frames.h"
#include "daemon/process.h"
#include "fake-segment.h"

/* In no object: a frame's name is its address. */
#define INNER  0x1000u
#define CALLER 0x2000u
#define OUTER  0x3000u

struct world {
        struct fake f;
        struct tally_scratch scratch;
        struct process *p;
        uint32_t op;
        uint64_t now;
};

static int setup(void **state)
{
        struct world *w = calloc(1, sizeof(*w));
        struct segment s;
        const char *why = NULL;

        fake_new(&w->f, 4);
        w->op = fake_op(&w->f, "mul_mat", IFP_KIND_KERNEL);
        w->f.seg->header.heap_interval = 1;
        w->f.seg->live.n_stacks = 1;
        assert_int_equal(segment_open(&s, dup(w->f.fd), &why), 0);
        assert_int_equal(process_new(&w->p, &s, getpid(), -1, false, &w->scratch, &why), 0);
        w->p->heap.frames = frames_new();
        assert_non_null(w->p->heap.frames);
        frames_hurry(w->p->heap.frames); /* addresses lie nowhere: no name is waited for */
        w->now = clock_mono_ns();
        *state = w;
        return 0;
}

static int teardown(void **state)
{
        struct world *w = *state;

        process_free(w->p);
        tally_scratch_done(&w->scratch);
        fake_free(&w->f);
        free(w);
        return 0;
}

static void tick(struct world *w)
{
        const char *why = NULL;

        w->now += 1000000000;
        assert_int_equal(process_tick(w->p, w->now, &why), 0);
}

static uint32_t stack(struct world *w, uint32_t op, uint32_t phase, uint64_t inner, uint64_t caller)
{
        struct ifp_segment *seg = w->f.seg;
        uint32_t i = seg->live.n_stacks++, at = seg->live.n_frames;

        seg->frames[at] = inner;
        seg->frames[at + 1] = caller;
        seg->live.n_frames += 2;
        seg->stacks[i].first_frame = at;
        seg->stacks[i].n_frames = 2;
        seg->stacks[i].op = (uint16_t)op;
        seg->stacks[i].phase = (uint8_t)phase;
        seg->stacks[i].epoch = 1;
        seg->stacks[i].hash = i;
        return i;
}

static void allocate(struct world *w, uint32_t i, uint64_t objects, uint64_t bytes)
{
        struct ifp_stack *s = &w->f.seg->stacks[i];

        s->samples += objects;
        s->alloc_objects += objects << 16;
        s->alloc_bytes += objects * bytes;
}

static void release(struct world *w, uint32_t i, uint64_t objects, uint64_t bytes)
{
        struct ifp_stack *s = &w->f.seg->stacks[i];

        s->freed_own.samples += objects;
        s->freed_own.objects += objects << 16;
        s->freed_own.bytes += objects * bytes;
}

static const struct place *place(const struct world *w, uint32_t op, const char *name)
{
        for (uint32_t i = 0; i < w->p->places.n; i++)
                if (w->p->places.list[i].op == op && !strcmp(w->p->places.list[i].name, name))
                        return &w->p->places.list[i];
        return NULL;
}

static void assert_sums(const struct place *p, double alloc, double inuse, double moved)
{
        assert_non_null(p);
        assert_true(p->sums.alloc_bytes == alloc);
        assert_true(p->sums.inuse_bytes == inuse);
        assert_true(p->sums.moved_bytes == moved);
}

static void stacks_of_one_function_caller_and_op_are_one(void **state)
{
        struct world *w = *state;
        uint32_t a = stack(w, IFP_OP_NONE, 1, INNER, CALLER);
        uint32_t b = stack(w, IFP_OP_NONE, 2, INNER, CALLER);
        uint32_t c = stack(w, w->op, 2, INNER, CALLER);
        uint32_t d = stack(w, w->op, 2, INNER, OUTER);

        allocate(w, a, 2, 100);
        allocate(w, b, 3, 1000);
        allocate(w, c, 1, 7);
        tick(w);
        assert_int_equal(w->p->places.n, 2); /* nothing happened at d */
        assert_sums(place(w, IFP_OP_NONE, "[jit]+0x1000"), 3200, 3200, 3200);
        assert_string_equal(place(w, IFP_OP_NONE, "[jit]+0x1000")->caller, "[jit]+0x2000");
        assert_true(place(w, IFP_OP_NONE, "[jit]+0x1000")->sums.alloc_objects == 5);
        assert_int_equal(place(w, IFP_OP_NONE, "[jit]+0x1000")->samples, 5);
        assert_sums(place(w, w->op, "[jit]+0x1000"), 7, 7, 7);
        allocate(w, d, 1, 9);
        tick(w);
        assert_int_equal(w->p->places.n, 3);
}

static void what_moves_is_of_the_last_interval(void **state)
{
        struct world *w = *state;
        uint32_t a = stack(w, w->op, 3, INNER, CALLER);
        const char *why = NULL;

        allocate(w, a, 4, 100);
        tick(w);
        release(w, a, 3, 100);
        allocate(w, a, 1, 50);
        tick(w);
        assert_sums(place(w, w->op, "[jit]+0x1000"), 450, 150, 50);
        assert_true(place(w, w->op, "[jit]+0x1000")->sums.moved_objects == 1);
        /* a look out of turn moves nothing */
        allocate(w, a, 1, 10);
        assert_int_equal(process_tick(w->p, w->now, &why), 0);
        assert_sums(place(w, w->op, "[jit]+0x1000"), 450, 150, 50);
        tick(w);
        assert_sums(place(w, w->op, "[jit]+0x1000"), 460, 160, 10);
        tick(w);
        assert_sums(place(w, w->op, "[jit]+0x1000"), 460, 160, 0);
}

static void what_found_no_room_and_what_is_inherited_count(void **state)
{
        struct world *w = *state;
        uint32_t a = stack(w, w->op, 3, INNER, CALLER);

        allocate(w, IFP_STACK_OTHER, 1, 64);
        w->f.seg->stacks[a].inherited_objects = 2 << 16;
        w->f.seg->stacks[a].inherited_bytes = 200;
        release(w, a, 1, 100);
        tick(w);
        assert_sums(place(w, IFP_OP_NONE, "(no room for its stack)"), 64, 64, 64);
        assert_sums(place(w, w->op, "[jit]+0x1000"), 0, 100, 0);
}

static void the_end_keeps_what_was(void **state)
{
        struct world *w = *state;
        uint32_t a = stack(w, w->op, 3, INNER, CALLER);

        allocate(w, a, 1, 100);
        tick(w);
        allocate(w, a, 1, 11);
        process_end(w->p, RUNFILE_END_CODE, 0, w->now);
        assert_int_equal(w->p->state, PROCESS_ENDED);
        assert_sums(place(w, w->op, "[jit]+0x1000"), 111, 111, 100);
        heap_written(w->p); /* frees the stacks */
        assert_sums(place(w, w->op, "[jit]+0x1000"), 111, 111, 100);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(stacks_of_one_function_caller_and_op_are_one, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(what_moves_is_of_the_last_interval, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(what_found_no_room_and_what_is_inherited_count,
                                                setup, teardown),
                cmocka_unit_test_setup_teardown(the_end_keeps_what_was, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
