/* SPDX-License-Identifier: MIT */
/* daemon/waits.c, waits-entry.c, resume-waits.c and flush-waits.c: the table of waits, from a
 * segment to the rows of a run file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wait-rows.h"

static const uint64_t address = 0x1010;

static int setup(void **state)
{
        struct world *w = world_new(8);

        w->op = fake_op(&w->f, "mul_mat", IFP_KIND_KERNEL);
        w->ns_per_tick = 0.5;
        world_attach(w, false);
        *state = w;
        return 0;
}

static void a_wait_becomes_a_row(void **state)
{
        struct world *w = *state;
        uint32_t stack = fake_stack(&w->f, w->op, IFP_PHASE_DECODE, &address, 1), i;
        const struct wait_rows *r;

        w->f.seg->objects[0] = (struct ifp_object){.base = 0x500000,
                                                   .start = 0x500000,
                                                   .end = 0x600000,
                                                   .path = fake_name(&w->f, "/lib/engine.so"),
                                                   .opened = 1};
        w->f.seg->live.n_objects = 1;
        fake_lane_begin(&w->f, 0, 100);
        fake_lane_begin(&w->f, 1, 101);
        i = fake_wait(&w->f, 0, IFP_WAIT_MUTEX, 0x5f0010, stack, w->op, IFP_PHASE_DECODE);
        w->f.seg->waits[i].flags = IFP_WAIT_SPINS;
        fake_waited(&w->f, i, 1000, 1);
        fake_waited(&w->f, i, 1000, 1);
        fake_waited(&w->f, i, 50, -1);
        w->f.seg->waits[i].last = 7;
        w->f.seg->waits[i].timeouts = 1;
        world_tick(w);
        world_flush(w);
        r = wait_rows(w);
        assert_int_equal(r->n_waits, 1);
        assert_int_equal(r->waits[0].wait, i);
        assert_int_equal(r->waits[0].kind, IFP_WAIT_MUTEX);
        assert_int_equal(r->waits[0].op, w->op);
        assert_int_equal(r->waits[0].phase, IFP_PHASE_DECODE);
        assert_int_equal(r->waits[0].thread, 0);
        assert_int_equal(r->waits[0].object, 0x5f0010);
        assert_string_equal(r->libraries[0], "/lib/engine.so");
        assert_int_equal(r->waits[0].object_offset, 0xf0010);
        assert_true(r->waits[0].spins);
        assert_false(r->waits[0].shared);
        assert_string_equal(r->frames[0], "0");
        assert_int_equal(r->waits[0].count, 3);
        assert_int_equal(r->waits[0].total_ns, 1025);
        assert_int_equal(r->waits[0].min_ns, 25);
        assert_int_equal(r->waits[0].max_ns, 500);
        assert_int_equal(r->waits[0].last, 7);
        assert_int_equal(r->waits[0].timeouts, 1);
        assert_int_equal(r->waits[0].unknown, 1);
        assert_int_equal(r->waits[0].unknown_ns, 25);
        assert_int_equal(r->middle[0], 2);
        assert_int_equal(r->n_by, 1);
        assert_int_equal(r->by[0].thread, 1);
        assert_int_equal(r->by[0].count, 2);
        assert_int_equal(r->by[0].total_ns, 1000);
        assert_int_equal(r->n_threads, 1);
        assert_int_equal(r->threads[0].thread, 0);
        assert_int_equal(r->threads[0].kind, IFP_WAIT_MUTEX);
        assert_int_equal(r->threads[0].count, 3);
        assert_int_equal(r->threads[0].total_ns, 1025);
        /* its stack has names, and is none of those that memory was sampled at */
        assert_int_equal(r->n_stacks, 0);
        assert_int_equal(r->n_frames, 1);
}

static void an_entry_is_taken_when_it_is_complete(void **state)
{
        struct world *w = *state;
        uint32_t i;

        fake_lane_begin(&w->f, 0, 100);
        i = fake_wait(&w->f, 0, IFP_WAIT_COND, 0, 0, 0, 0);
        fake_waited(&w->f, i, 10, -1);
        w->f.seg->waits[i].hash = 0;
        w->f.seg->waits[i].kind = 99; /* not yet written */
        world_tick(w);
        world_flush(w);
        assert_int_equal(wait_rows(w)->n_waits, 0);
        w->f.seg->waits[i].kind = IFP_WAIT_COND;
        w->f.seg->waits[i].hash = 5;
        world_tick(w);
        world_flush(w);
        assert_int_equal(wait_rows(w)->n_waits, 1);
        w->f.seg->live.n_waits = IFP_MAX_WAITS + 100; /* some were refused */
        w->f.seg->live.waits_other = 3;
        world_tick(w);
        assert_int_equal(w->p->waits.n, IFP_MAX_WAITS);
        assert_int_equal(w->p->waits.other, 3);
}

static void only_what_moved_is_written_again(void **state)
{
        struct world *w = *state;
        uint32_t a, b;

        fake_lane_begin(&w->f, 0, 100);
        a = fake_wait(&w->f, 0, IFP_WAIT_COND, 0x10, 0, 0, 0);
        b = fake_wait(&w->f, 0, IFP_WAIT_COND, 0x20, 0, 0, 0);
        fake_waited(&w->f, a, 10, -1);
        fake_waited(&w->f, b, 10, -1);
        world_tick(w);
        world_flush(w);
        w->p->waits.list[a].object = 0x99; /* shows whether its row is put anew */
        w->p->waits.list[b].object = 0x99;
        fake_waited(&w->f, b, 10, -1);
        world_tick(w);
        world_flush(w);
        assert_int_equal(wait_rows(w)->waits[0].object, 0x10);
        assert_int_equal(wait_rows(w)->waits[1].object, 0x99);
}

static void waits_of_several_threads_are_nobodys(void **state)
{
        struct world *w = *state;
        uint32_t one, two, shared, late;

        /* a thread that lived between two looks: it alone can have waited */
        fake_lane_begin(&w->f, 0, 100);
        one = fake_wait(&w->f, 0, IFP_WAIT_COND, 0x10, 0, 0, 0);
        two = fake_wait(&w->f, 0, IFP_WAIT_COND, 0x20, 0, 0, 0);
        shared = fake_wait(&w->f, IFP_STACK_SHARED, IFP_WAIT_COND, 0x30, 0, 0, 0);
        fake_waited(&w->f, one, 10, -1);
        fake_waited(&w->f, two, 10, -1);
        fake_waited(&w->f, shared, 10, -1);
        fake_lane_end(&w->f, 0);
        world_tick(w);
        /* the next one has the lane */
        fake_lane_begin(&w->f, 0, 101);
        fake_waited(&w->f, two, 30, -1);
        late = fake_wait(&w->f, 0, IFP_WAIT_COND, 0x40, 0, 0, 0);
        fake_waited(&w->f, late, 10, -1);
        world_tick(w);
        world_tick(w);
        world_flush(w);
        assert_int_equal(wait_rows(w)->waits[0].thread, 0);
        assert_int_equal(wait_rows(w)->waits[1].thread, -1);
        assert_int_equal(wait_rows(w)->waits[2].thread, -1);
        assert_int_equal(wait_rows(w)->waits[3].thread, 1);
        assert_int_equal(wait_rows(w)->waits[1].count, 2);
        /* each thread has its own */
        assert_int_equal(wait_rows(w)->n_threads, 2);
        assert_int_equal(wait_rows(w)->threads[0].count, 2);
        assert_int_equal(wait_rows(w)->threads[0].total_ns, 10);
        assert_int_equal(wait_rows(w)->threads[1].count, 2);
        assert_int_equal(wait_rows(w)->threads[1].total_ns, 20);
}

static void whom_it_waited_for_is_a_thread(void **state)
{
        struct world *w = *state;
        uint32_t i;

        fake_lane_begin(&w->f, 0, 100);
        i = fake_wait(&w->f, 0, IFP_WAIT_JOIN, 0, 0, 0, 0);
        for (int k = 0; k < 6; k++) { /* one lane, a thread after the other */
                fake_lane_begin(&w->f, 1, 200 + k);
                fake_waited(&w->f, i, 1000, 1);
                fake_lane_end(&w->f, 1);
                world_tick(w);
        }
        w->f.seg->waits[i].by[3].gen = 77; /* one that was never seen */
        w->f.seg->waits[i].by[3].lane = 3;
        w->p->waits.list[i].by[3].gen = 77;
        w->p->waits.list[i].by[3].lane = 3;
        w->p->waits.list[i].by[3].thread = -1;
        fake_waited(&w->f, i, 1, -1);
        world_tick(w);
        world_flush(w);
        assert_int_equal(wait_rows(w)->n_by, 4);
        for (int k = 0; k < 3; k++) {
                assert_int_equal(wait_rows(w)->by[k].thread, k + 1);
                assert_int_equal(wait_rows(w)->by[k].total_ns, 500);
        }
        assert_int_equal(wait_rows(w)->by[3].thread, -1);
        assert_int_equal(wait_rows(w)->waits[0].others, 2);
        assert_int_equal(wait_rows(w)->waits[0].others_ns, 1000);
}

static void a_place_may_go_to_another(void **state)
{
        struct world *w = *state;
        struct ifp_wait *e;
        uint32_t i;

        for (uint32_t k = 0; k < 7; k++)
                fake_lane_begin(&w->f, k, 100 + (int)k);
        i = fake_wait(&w->f, 0, IFP_WAIT_MUTEX, 0, 0, 0, 0);
        for (int k = 1; k < 5; k++)
                fake_waited(&w->f, i, 1000 * (uint64_t)k, k);
        world_tick(w);
        e = &w->f.seg->waits[i];
        e->by[0].gen = 0; /* on its way to the thread on lane 5 */
        e->others = 1;
        e->others_ticks = 1000;
        world_tick(w);
        assert_int_equal(w->p->waits.list[i].by[0].thread, 1);
        e->by[0].lane = 5;
        e->by[0].count = 1;
        e->by[0].ticks = 600;
        e->by[0].gen = w->f.seg->lanes[5].gen;
        e->count++;
        e->ticks += 600;
        world_tick(w);
        world_flush(w);
        assert_int_equal(w->p->waits.list[i].by_moved[0], 600);
        assert_int_equal(wait_rows(w)->n_by, 4);
        assert_int_equal(wait_rows(w)->by[0].thread, 5);
        assert_int_equal(wait_rows(w)->by[0].total_ns, 300);
        assert_int_equal(wait_rows(w)->by[1].thread, 2);
        assert_int_equal(wait_rows(w)->waits[0].others, 1);
}

static void a_lane_that_is_new_since_is_waited_for(void **state)
{
        struct world *w = *state;
        const char *why;
        uint32_t i;

        world_tick(w);
        fake_lane_begin(&w->f, 6, 100); /* seven lanes, and no round since */
        i = fake_wait(&w->f, 6, IFP_WAIT_COND, 0x77, 0, 0, 0);
        fake_waited(&w->f, i, 1000, -1);
        w->now += 1000000000;
        assert_int_equal(process_tick(w->p, w->now, &why), 0);
        world_tick(w);
        world_flush(w);
        assert_int_equal(wait_rows(w)->n_waits, 1);
        assert_int_equal(wait_rows(w)->waits[0].thread, 0);
}

/* ---- the end, and the next daemon ---- */

static void the_end_keeps_histograms(void **state)
{
        struct world *w = *state;
        uint32_t i, site = fake_site(&w->f, IFP_SPAWN_THREAD, 0x1010, 0, 0, 0);
        uint32_t stack = fake_stack(&w->f, w->op, 0, &address, 1);
        const struct wait_rows *r;

        fake_lane_begin(&w->f, 0, 100);
        i = fake_wait(&w->f, 0, IFP_WAIT_BARRIER, 0x10, stack, 0, 0);
        fake_waited(&w->f, i, 1000, -1);
        world_tick(w);
        world_flush(w);
        fake_waited(&w->f, i, 1000, -1);
        fake_spawn(&w->f, site, 500, 90000, 1);
        process_end(w->p, RUNFILE_END_CODE, 0, w->now);
        assert_null(w->p->segment.map);
        world_flush(w);
        r = wait_rows(w);
        assert_int_equal(r->waits[0].count, 2);
        assert_int_equal(r->middle[0], 2);
        assert_int_equal(r->waits[0].min_ns, 500);
        assert_int_equal(r->life_middle[0], 1);
        assert_int_equal(r->threads[0].count, 2);
        assert_null(w->p->waits.list[i].hist.blob); /* let go, */
        world_flush(w);
        r = wait_rows(w);
        assert_int_equal(r->middle[0], 2); /* and yet there */
        assert_int_equal(r->life_middle[0], 1);
        assert_string_equal(r->frames[0], "0");
}

static void a_cut_keeps_what_it_had(void **state)
{
        struct world *w = *state;
        uint32_t i;

        fake_lane_begin(&w->f, 0, 100);
        i = fake_wait(&w->f, 0, IFP_WAIT_BARRIER, 0x10, 0, 0, 0);
        fake_waited(&w->f, i, 1000, -1);
        world_tick(w);
        process_cut(w->p, "a test");
        world_flush(w);
        assert_int_equal(wait_rows(w)->waits[0].count, 1);
        assert_int_equal(wait_rows(w)->middle[0], 1);
}

static void the_next_daemon_goes_on(void **state)
{
        struct world *w = *state;
        const struct wait_rows *r;
        uint32_t i, k;

        fake_lane_begin(&w->f, 0, 100); /* the lane's first, and lives on */
        fake_lane_begin(&w->f, 1, 101);
        fake_lane_end(&w->f, 1);
        world_tick(w);
        fake_lane_begin(&w->f, 1, 102); /* the second, lives on */
        i = fake_wait(&w->f, 1, IFP_WAIT_COND, 0x10, 0, 0, 0);
        k = fake_wait(&w->f, 0, IFP_WAIT_MUTEX, 0x20, 0, 0, 0);
        fake_waited(&w->f, i, 1000, 0);
        fake_waited(&w->f, k, 1000, -1);
        fake_lane_begin(&w->f, 2, 103);
        fake_wait_begin(&w->f, 2, i);
        world_tick(w);
        world_flush(w);
        assert_int_equal(wait_rows(w)->n_now, 1);

        /* nobody watches, and one more comes and goes */
        fake_waited(&w->f, i, 1000, 0);
        fake_wait_end(&w->f, 2);
        fake_lane_end(&w->f, 2);
        world_resume(w);
        fake_waited(&w->f, i, 1000, 0);
        world_tick(w);
        world_flush(w);
        r = wait_rows(w);
        assert_int_equal(r->n_waits, 2);
        assert_int_equal(r->waits[0].count, 3);
        assert_int_equal(r->waits[0].thread, 2);
        assert_int_equal(r->waits[1].count, 1);
        assert_int_equal(r->waits[1].thread, 0);
        assert_int_equal(r->middle[0], 3);
        assert_int_equal(r->by[0].thread, 0);
        assert_int_equal(r->by[0].count, 3);
        assert_int_equal(r->n_threads, 3);
        assert_int_equal(r->threads[0].thread, 0);
        assert_int_equal(r->threads[0].count, 1);
        assert_int_equal(r->threads[1].thread, 2);
        assert_int_equal(r->threads[1].count, 2);
        assert_int_equal(r->threads[2].count, 1); /* while no daemon watched */
        assert_int_equal(r->now[0].kind, 0);
}

static void a_program_that_keeps_no_waits_has_none(void **state)
{
        struct world *w = *state;

        w->p->segment.header.flags = 0;
        fake_lane_begin(&w->f, 0, 100);
        w->f.seg->live.n_waits = 500; /* not even looked at */
        world_tick(w);
        world_flush(w);
        assert_int_equal(wait_rows(w)->n_waits, 0);
        assert_int_equal(w->p->waits.n, 0);
        assert_null(w->p->ledger);
}

/* ---- lies ---- */

static void lies_are_caught(void **state)
{
        struct world *w = *state;
        struct ifp_segment *seg = w->f.seg;
        struct ifp_wait *e;
        uint32_t i;

        fake_lane_begin(&w->f, 0, 1);
        fake_lane_begin(&w->f, 1, 2);
        i = fake_wait(&w->f, 0, IFP_WAIT_MUTEX, 0x10, 0, w->op, 0);
        fake_waited(&w->f, i, 1000, 1);
        e = &seg->waits[i];
        world_tick(w);
        LIE(e->count, 0);
        LIE(e->ticks, 999);
        LIE(e->fold, seg->live.n_blocks + 1);
        LIE(e->by[0].lane, 8);
        LIE(e->by[0].op, w->op + 1);
        LIE(seg->live.n_waits, 1);
        LIE(seg->lanes[0].waits.count[IFP_WAIT_MUTEX], 0);
        LIE(seg->lanes[0].waits.ticks[IFP_WAIT_MUTEX], 1);
        seg->lanes[0].waits.since = 1;
        LIE(seg->lanes[0].waits.kind, IFP_N_WAIT_KINDS);
        LIE(seg->lanes[0].waits.entry, IFP_MAX_WAITS);
        LIE(seg->lanes[0].waits.by, 1ull | 1ull << 63);
        LIE(seg->lanes[0].waits.by, 1 | (uint64_t)seg->header.n_lanes << 32);
}

static void lies_of_a_new_entry_are_caught(void **state)
{
        struct world *w = *state;
        struct ifp_segment *seg = w->f.seg;
        const char *why;
        struct {
                size_t at, bytes;
                uint64_t value;
        } lies[] = {
#define FIELD(f, v) {offsetof(struct ifp_wait, f), sizeof(seg->waits[0].f), v}
                FIELD(kind, 0),
                FIELD(kind, IFP_N_WAIT_KINDS),
                FIELD(phase, IFP_N_PHASES),
                FIELD(op, w->op + 1u),
                FIELD(lane, 8),
                FIELD(lane, UINT16_MAX - 1),
                FIELD(stack, 1),
                FIELD(stack, UINT32_MAX),
        };
        uint32_t i = fake_wait(&w->f, 0, IFP_WAIT_MUTEX, 0x10, 0, w->op, 0);
        struct ifp_wait was = seg->waits[i];

        fake_lane_begin(&w->f, 0, 1);
        for (size_t k = 0; k < sizeof(lies) / sizeof(lies[0]); k++) {
                memcpy((char *)&seg->waits[i] + lies[k].at, &lies[k].value, lies[k].bytes);
                assert_int_equal(world_look(w, &why), SEGMENT_E_BAD);
                assert_non_null(why);
                seg->waits[i] = was;
        }
        world_tick(w);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(a_wait_becomes_a_row),
                CASE(an_entry_is_taken_when_it_is_complete),
                CASE(only_what_moved_is_written_again),
                CASE(waits_of_several_threads_are_nobodys),
                CASE(whom_it_waited_for_is_a_thread),
                CASE(a_place_may_go_to_another),
                CASE(a_lane_that_is_new_since_is_waited_for),
                CASE(the_end_keeps_histograms),
                CASE(a_cut_keeps_what_it_had),
                CASE(the_next_daemon_goes_on),
                CASE(a_program_that_keeps_no_waits_has_none),
                CASE(lies_are_caught),
                CASE(lies_of_a_new_entry_are_caught),
        };

        return cmocka_run_group_tests_name("waits", tests, NULL, NULL);
}
