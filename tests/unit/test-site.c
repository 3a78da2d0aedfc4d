/* SPDX-License-Identifier: MIT */
/* daemon/site.c: spawns, from a segment to the rows of a run file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

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

static void a_site_has_its_spawns(void **state)
{
        struct world *w = *state;
        uint32_t stack = fake_stack(&w->f, w->op, IFP_PHASE_DECODE, &address, 1), a, b;
        const struct wait_rows *r;

        a = fake_site(&w->f, IFP_SPAWN_THREAD, 0x1010, stack, w->op, IFP_PHASE_DECODE);
        b = fake_site(&w->f, IFP_SPAWN_OMP, 0x2020, 0, 0, 0);
        fake_spawn(&w->f, a, 500, 90000, 30000);
        fake_spawn(&w->f, a, 500, 90000, 30000);
        w->f.seg->sites[b].count = 5;
        w->f.seg->sites[b].team = 20;
        w->f.seg->sites[b].live = 1;
        world_tick(w);
        world_flush(w);
        r = wait_rows(w);
        assert_int_equal(r->n_spawns, 2);
        assert_int_equal(r->spawns[a].kind, IFP_SPAWN_THREAD);
        assert_int_equal(r->spawns[a].op, w->op);
        assert_int_equal(r->spawns[a].phase, IFP_PHASE_DECODE);
        assert_string_equal(r->spawn_frames[a], "0");
        assert_int_equal(r->spawns[a].count, 2);
        assert_int_equal(r->spawns[a].peak, 1);
        assert_int_equal(r->spawns[a].ended, 2);
        assert_int_equal(r->spawns[a].cost_ns, 500);
        assert_int_equal(r->spawns[a].life_ns, 90000);
        assert_int_equal(r->spawns[a].cpu_ns, 60000);
        assert_int_equal(r->cost_middle[a], 2);
        assert_int_equal(r->life_middle[a], 2);
        assert_int_equal(r->spawns[b].kind, IFP_SPAWN_OMP);
        assert_int_equal(r->spawns[b].count, 5);
        assert_int_equal(r->spawns[b].team, 20);
        assert_int_equal(r->spawns[b].live, 1);
        assert_int_equal(r->n_stacks, 0);
}

static void lies_of_a_site_are_caught(void **state)
{
        struct world *w = *state;
        struct ifp_site *s = &w->f.seg->sites[fake_site(&w->f, IFP_SPAWN_FORK, 16, 0, 0, 0)];
        struct ifp_site was = *s;
        const char *why;

        s->kind = IFP_N_SPAWN_KINDS;
        assert_int_equal(world_look(w, &why), SEGMENT_E_BAD);
        *s = was;
        s->phase = IFP_N_PHASES;
        assert_int_equal(world_look(w, &why), SEGMENT_E_BAD);
        *s = was;
        s->stack = 1;
        assert_int_equal(world_look(w, &why), SEGMENT_E_BAD);
        *s = was;
        s->op = (uint16_t)(w->op + 1);
        assert_int_equal(world_look(w, &why), SEGMENT_E_BAD);
        *s = was;
        world_tick(w);
        LIE(s->cost_fold, 1);
        LIE(s->life_fold, UINT32_MAX);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(a_site_has_its_spawns),
                CASE(lies_of_a_site_are_caught),
        };

        return cmocka_run_group_tests_name("site", tests, NULL, NULL);
}
