/* SPDX-License-Identifier: MIT */
/* daemon/heap.c, heap-told.c, mark.c and flush-heap.c: from a segment to the rows of a run file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/mark.h"
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

/* ---- counts ---- */

static void classes_are_summed_over_lanes_and_the_crowd(void **state)
{
        struct world *w = *state;
        struct heap_rows *r;

        for (int i = 0; i < 3; i++) { /* one lane, three threads */
                fake_lane_begin(&w->f, 0, 10 + i);
                fake_alloc(&w->f, 0, w->op, 0, 100, 104);
                fake_lane_end(&w->f, 0);
                world_tick(w);
        }
        fake_lane_begin(&w->f, 1, 20);
        fake_alloc(&w->f, 1, 0, IFP_PHASE_DECODE, 120, 127);
        fake_alloc(&w->f, 1, 0, IFP_PHASE_DECODE, 128, 128);
        fake_release(&w->f, 1, 0, IFP_PHASE_DECODE, 104);
        fake_alloc(&w->f, 7, 0, 0, 1, 24); /* the crowd's */
        world_tick(w);
        world_flush(w);
        r = heap_rows(w);
        assert_int_equal(r->n_classes, 3);
        assert_int_equal(r->classes[0].size_class, 4);
        assert_int_equal(r->classes[0].calls, 1);
        assert_int_equal(r->classes[1].size_class, 6);
        assert_int_equal(r->classes[1].calls, 4);
        assert_int_equal(r->classes[1].asked_bytes, 420);
        assert_int_equal(r->classes[1].usable_bytes, 439);
        assert_int_equal(r->classes[1].frees, 1);
        assert_int_equal(r->classes[2].size_class, 7);
        assert_int_equal(r->n_memory, 1);
        assert_int_equal(r->memory.calls, 6);
        assert_int_equal(r->memory.frees, 1);
        assert_int_equal(r->memory.asked_bytes, 549);
        assert_int_equal(r->memory.live_bytes, 3 * 104 + 127 + 128 + 24 - 104);
        assert_true(r->memory.rss == RUNFILE_NOT_TOLD || r->memory.rss > 0);
        assert_int_equal(r->memory.allocated, RUNFILE_NOT_TOLD);
}

static void maps_are_counted_by_op(void **state)
{
        struct world *w = *state;
        struct ifp_alloc_row *row = &w->f.seg->lanes[0].alloc[w->op][IFP_PHASE_LOAD];
        struct heap_rows *r;

        fake_lane_begin(&w->f, 0, 1);
        row->maps = 2;
        row->mapped_bytes = 8192;
        w->f.seg->live.unmaps = 1;
        w->f.seg->live.unmapped_bytes = 4096;
        w->f.seg->live.maps_failed = 3;
        world_tick(w);
        world_flush(w);
        r = heap_rows(w);
        assert_int_equal(r->op_phase.op, w->op);
        assert_int_equal(r->op_phase.alloc.maps, 2);
        assert_int_equal(r->op_phase.alloc.mapped_bytes, 8192);
        assert_int_equal(r->memory.mapped_bytes, 8192);
        assert_int_equal(r->process.unmaps, 1);
        assert_int_equal(r->process.unmapped_bytes, 4096);
        assert_int_equal(r->process.maps_failed, 3);
        assert_int_equal(r->process.heap_interval, 1000);
        row->mapped_bytes = 12288; /* mremap, growing */
        world_tick(w);
        world_flush(w);
        assert_int_equal(heap_rows(w)->op_phase.alloc.mapped_bytes, 12288);
}

/* ---- live ---- */

static void become_child(struct world *w, int64_t inherited)
{
        process_free(w->p);
        memset(w->f.seg->header.parent_uuid, 7, sizeof(w->f.seg->header.parent_uuid));
        w->f.seg->live.live_bytes = w->f.seg->live.peak_bytes = inherited;
        world_attach(w, false);
}

static void a_fork_child_has_what_its_parent_had(void **state)
{
        struct world *w = *state;

        become_child(w, 5000);
        fake_lane_begin(&w->f, 0, 1);
        world_tick(w);
        assert_int_equal(w->p->now.live_bytes, 5000);
        fake_alloc(&w->f, 0, w->op, 0, 100, 104);
        world_tick(w);
        assert_int_equal(w->p->now.live_bytes, 5104);
        fake_flush(&w->f, 0); /* known in two places now, and counted once */
        world_tick(w);
        assert_int_equal(w->p->now.live_bytes, 5104);
        fake_release(&w->f, 0, w->op, 0, 4000); /* of the parent's */
        world_tick(w);
        assert_int_equal(w->p->now.live_bytes, 1104);
        assert_int_equal(w->p->now.peak_bytes, 5104);
        process_end(w->p, RUNFILE_END_CODE, 0, w->now);
        assert_int_equal(w->p->now.live_bytes, 1104);
}

static void a_fork_child_seen_late_has_it_too(void **state)
{
        struct world *w = *state;

        become_child(w, 5000);
        fake_lane_begin(&w->f, 0, 1);
        fake_alloc(&w->f, 0, w->op, 0, 300, 300);
        fake_flush(&w->f, 0);
        fake_alloc(&w->f, 7, w->op, 0, 50, 50); /* the crowd's */
        fake_flush(&w->f, 7);
        fake_alloc(&w->f, 0, w->op, 0, 7, 7);
        process_free(w->p);
        world_attach(w, true);
        assert_int_equal(process_resume(w->p, NULL, 0, &(const char *){NULL}), 0);
        world_tick(w);
        assert_int_equal(w->p->now.live_bytes, 5357);
}

static void who_was_not_forked_has_nothing_from_before(void **state)
{
        struct world *w = *state;

        w->f.seg->live.live_bytes = 777; /* a lie that would not be one in a child */
        fake_lane_begin(&w->f, 0, 1);
        fake_alloc(&w->f, 0, w->op, 0, 100, 104);
        world_tick(w);
        assert_int_equal(w->p->now.live_bytes, 104);
}

static void a_thread_beyond_all_measure_is_written_too(void **state)
{
        struct world *w = *state;
        struct ifp_lane *l = &w->f.seg->lanes[0];

        fake_lane_begin(&w->f, 0, 1);
        l->start_ticks = UINT64_MAX - 1;
        l->time[w->op][0].timed = 1ull << 63;
        l->time[w->op][0].total = UINT64_MAX;
        fake_lane_end(&w->f, 0);
        l->cpu_ns = 1ull << 63;
        l->end_ticks = UINT64_MAX;
        process_end(w->p, RUNFILE_END_CODE, 0, w->now);
        world_flush(w);
        assert_int_equal(heap_rows(w)->process.spans, INT64_MAX);
        assert_int_equal(heap_rows(w)->process.lost, INT64_MAX);
}

/* ---- what is told under a sequence count ---- */

static void the_allocator_is_heard_when_it_has_finished(void **state)
{
        struct world *w = *state;
        struct ifp_allocator *a = &w->f.seg->allocator;
        struct heap_rows *r;

        tell_allocator(w);
        world_tick(w);
        a->seq = 1;
        a->allocated = 99;
        a->n_looks = 2;
        world_tick(w);
        world_flush(w);
        r = heap_rows(w);
        assert_int_equal(r->memory.allocated, 1000);
        assert_int_equal(r->memory.resident, 3000);
        assert_int_equal(r->memory.metadata, RUNFILE_NOT_TOLD);
        assert_int_equal(r->n_arenas, 2);
        assert_int_equal(r->arenas[1].active, 20);
        assert_int_equal(r->arenas[1].resident, RUNFILE_NOT_TOLD);
        assert_int_equal(r->process.allocator, IFP_ALLOCATOR_JEMALLOC);
        assert_int_equal(r->process.allocator_looks, 1);
        assert_int_equal(r->process.allocator_cost_ns, 1234);
        a->seq = 2;
        world_tick(w);
        world_flush(w);
        assert_int_equal(heap_rows(w)->memory.allocated, 99);
}

static void add_point(struct world *w, uint64_t token)
{
        struct ifp_tokens *t = &w->f.seg->tokens;

        t->points[t->n_points] = (struct ifp_token_point){.token = token,
                                                          .ticks = ifp_ticks(),
                                                          .live_bytes = (int64_t)token * -10,
                                                          .calls = token * 2};
        t->n_points++;
}

static void points_are_written_once(void **state)
{
        struct world *w = *state;
        struct ifp_tokens *t = &w->f.seg->tokens;
        struct heap_rows *r;

        t->n = 4;
        t->calls = 12;
        t->asked_bytes = 160;
        t->calls_hist[3] = t->bytes_hist[40] = 4;
        for (uint64_t i = 1; i <= 4; i++)
                add_point(w, i);
        world_tick(w);
        world_flush(w);
        assert_int_equal(w->p->heap.tokens.n_points, 0);
        t->seq = 1; /* every second goes */
        t->points[0] = t->points[1];
        t->points[1] = t->points[3];
        t->n_points = 2;
        world_tick(w);
        t->seq = 2;
        add_point(w, 6);
        world_tick(w);
        assert_int_equal(w->p->heap.tokens.n_points, 1);
        world_flush(w);
        r = heap_rows(w);
        assert_int_equal(r->n_points, 5);
        assert_int_equal(r->points[4].token, 6);
        assert_int_equal(r->points[4].live_bytes, -60);
        assert_int_equal(r->points[4].calls, 12);
        assert_true(r->points[4].at_ns > r->points[0].at_ns);
        assert_int_equal(r->n_tokens, 1);
        assert_int_equal(r->tokens.n, 4);
        assert_int_equal(r->tokens.calls, 12);
        assert_int_equal(r->tokens.asked_bytes, 160);
}

/* ---- marks ---- */

static void a_mark_keeps_its_instant(void **state)
{
        static const uint64_t address = 0x1010;
        struct world *w = *state;
        uint32_t i = fake_stack(&w->f, w->op, 0, &address, 1);
        struct heap_rows *r;

        fake_lane_begin(&w->f, 0, 1);
        fake_alloc(&w->f, 0, w->op, IFP_PHASE_DECODE, 100, 104);
        w->f.seg->stacks[i].samples = 1;
        w->f.seg->stacks[i].alloc_bytes = 1040;
        world_tick(w);
        assert_int_equal(mark_take(w->p, 0, "before", 5), 0);
        fake_alloc(&w->f, 0, w->op, IFP_PHASE_DECODE, 100, 104);
        w->f.seg->stacks[i].alloc_bytes = 2080;
        world_tick(w);
        assert_int_equal(mark_take(w->p, 1, "before", 6), 0);
        assert_int_equal(mark_count(w->p), 2);
        world_flush(w);
        assert_int_equal(mark_count(w->p), 0);
        r = heap_rows(w);
        assert_int_equal(r->n_marks, 2);
        assert_string_equal(r->names[0], "before");
        assert_int_equal(r->marks[0].at_ns, 5);
        assert_int_equal(r->marks[0].live_bytes, 104);
        assert_int_equal(r->marks[1].mark, 1);
        assert_int_equal(r->marks[1].live_bytes, 208);
        assert_int_equal(r->n_mark_ops, 2);
        assert_int_equal(r->mark_ops[0].op, w->op);
        assert_int_equal(r->mark_ops[0].phase, IFP_PHASE_DECODE);
        assert_int_equal(r->mark_ops[0].alloc.calls, 1);
        assert_int_equal(r->mark_ops[1].alloc.calls, 2);
        assert_int_equal(r->n_mark_classes, 2);
        assert_int_equal(r->mark_classes[1].calls, 2);
        assert_int_equal(r->n_mark_stacks, 2);
        assert_true(r->mark_stacks[0].alloc_bytes == 1040);
        assert_true(r->mark_stacks[1].alloc_bytes == 2080);
}

/* ---- one daemon after the other ---- */

static void the_next_daemon_adds_nothing_twice(void **state)
{
        static const uint64_t addresses[] = {0x1010, 0x2020};
        struct world *w = *state;
        uint32_t i = fake_stack(&w->f, w->op, 0, addresses, 2);
        struct heap_rows *r;

        fake_lane_begin(&w->f, 0, 1);
        fake_alloc(&w->f, 0, w->op, 0, 100, 104);
        w->f.seg->stacks[i].samples = 1;
        world_tick(w);
        assert_int_equal(mark_take(w->p, 0, "first", 5), 0);
        world_flush(w);
        world_resume(w);
        fake_alloc(&w->f, 0, w->op, 0, 100, 104);
        w->f.seg->stacks[i].samples = 2;
        world_tick(w);
        assert_int_equal(mark_take(w->p, 1, "second", 9), 0);
        world_flush(w);
        r = heap_rows(w);
        assert_int_equal(r->n_marks, 2);
        assert_string_equal(r->names[0], "first");
        assert_int_equal(r->mark_ops[0].alloc.calls, 1);
        assert_int_equal(r->mark_ops[1].alloc.calls, 2);
        assert_int_equal(r->n_classes, 1);
        assert_int_equal(r->classes[0].calls, 2);
        assert_int_equal(r->n_stacks, 1);
        assert_int_equal(r->stacks[0].samples, 2);
        /* what the first one wrote keeps its meaning until its row is written anew */
        assert_string_equal(r->frames[0], "2,3");
        assert_int_equal(r->least_frame, 0);
        assert_int_equal(r->n_frames, 4);
}

/* ---- lies ---- */

static void lies_are_caught(void **state)
{
        static const uint64_t address = 0x1010;
        struct world *w = *state;
        struct ifp_segment *seg = w->f.seg;
        uint32_t i = fake_stack(&w->f, w->op, 0, &address, 1);

        fake_lane_begin(&w->f, 0, 1);
        fake_alloc(&w->f, 0, w->op, 0, 100, 104);
        seg->stacks[i].samples = seg->stacks[i].freed_own.bytes = 5;
        seg->tokens.n = 4;
        seg->tokens.calls_hist[3] = seg->tokens.bytes_hist[40] = 4;
        tell_allocator(w);
        world_tick(w);
        LIE(seg->lanes[0].memory.calls[6], 0);
        LIE(seg->lanes[0].memory.usable_bytes[6], 103);
        LIE(seg->stacks[i].samples, 4);
        LIE(seg->stacks[i].freed_own.bytes, 4);
        LIE(seg->tokens.n, 3);
        LIE(seg->live.n_stacks, 1);
        LIE(seg->live.unwinding, 3);
        LIE(seg->allocator.kind, IFP_N_ALLOCATORS);
        LIE(seg->allocator.n_arenas, IFP_MAX_ARENAS + 1);
        LIE(seg->allocator.library, IFP_NAMES_BYTES);
        LIE(seg->tokens.n_points, IFP_TOKEN_POINTS + 1);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(classes_are_summed_over_lanes_and_the_crowd),
                CASE(maps_are_counted_by_op),
                CASE(a_fork_child_has_what_its_parent_had),
                CASE(a_fork_child_seen_late_has_it_too),
                CASE(who_was_not_forked_has_nothing_from_before),
                CASE(a_thread_beyond_all_measure_is_written_too),
                CASE(the_allocator_is_heard_when_it_has_finished),
                CASE(points_are_written_once),
                CASE(a_mark_keeps_its_instant),
                CASE(the_next_daemon_adds_nothing_twice),
                CASE(lies_are_caught),
        };

        return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
