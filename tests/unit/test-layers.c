/* SPDX-License-Identifier: MIT */
/* daemon/layers.c: ops in layers, from a segment to the rows of a run file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/runfile.h"
#include "fake-process.h"

struct rows {
        struct runfile_layer at[8];
        uint32_t n;
};

static int collect(const struct runfile_layer *row, void *userdata)
{
        struct rows *r = userdata;

        r->at[r->n++] = *row;
        return 0;
}

static const struct rows *read_rows(const struct world *w)
{
        static struct rows r;
        struct runfile *rf;
        char *why = NULL;

        memset(&r, 0, sizeof(r));
        assert_int_equal(runfile_open(&rf, w->path, &why), 0);
        assert_int_equal(runfile_each_layer(rf, collect, &r), 0);
        runfile_close(rf);
        return &r;
}

static int setup(void **state)
{
        struct world *w = world_new(8);

        w->op = fake_op(&w->f, "MUL_MAT", IFP_KIND_NODE);
        w->ns_per_tick = 0.5;
        world_attach(w, false);
        fake_lane_begin(&w->f, 0, 100);
        fake_lane_begin(&w->f, 1, 101);
        *state = w;
        return 0;
}

static void lanes_add_up(void **state)
{
        struct world *w = *state;
        uint32_t l = fake_layer(&w->f, w->op, 8, IFP_PART_MLP);
        const struct rows *r;

        fake_layered(&w->f, 0, l, IFP_PHASE_DECODE, 1000, 200);
        fake_layered(&w->f, 1, l, IFP_PHASE_DECODE, 3000, 0);
        fake_layered(&w->f, 1, l, IFP_PHASE_PREFILL, 500, 0);
        world_tick(w);
        world_flush(w);
        r = read_rows(w);
        assert_int_equal(r->n, 2);
        assert_int_equal(r->at[0].phase, IFP_PHASE_PREFILL);
        assert_int_equal(r->at[0].total_ns, 250);
        assert_int_equal(r->at[1].op, w->op);
        assert_int_equal(r->at[1].layer, 8);
        assert_int_equal(r->at[1].part, IFP_PART_MLP);
        assert_int_equal(r->at[1].calls, 2);
        assert_int_equal(r->at[1].total_ns, 2000);
        assert_int_equal(r->at[1].child_ns, 100);
}

static void rows_grow(void **state)
{
        struct world *w = *state;
        uint32_t l = fake_layer(&w->f, w->op, 1, IFP_PART_REST);

        fake_layered(&w->f, 0, l, IFP_PHASE_DECODE, 10, 0);
        world_tick(w);
        world_flush(w);
        fake_layered(&w->f, 0, l, IFP_PHASE_DECODE, 10, 0);
        world_tick(w);
        world_flush(w);
        assert_int_equal(read_rows(w)->n, 1);
        assert_int_equal(read_rows(w)->at[0].calls, 2);
}

static void what_is_not_ready_is_not_read(void **state)
{
        struct world *w = *state;
        uint32_t l = fake_layer(&w->f, w->op, 1, IFP_PART_REST);

        w->f.seg->layers[l].ready = 0;
        fake_layered(&w->f, 0, l, IFP_PHASE_DECODE, 10, 0);
        world_tick(w);
        world_flush(w);
        assert_int_equal(read_rows(w)->n, 0);
}

static void a_lie_is_found(void **state)
{
        struct world *w = *state;
        uint32_t l = fake_layer(&w->f, w->op, 1, IFP_PART_REST);
        const char *why = NULL;

        w->f.seg->layers[l].part = IFP_N_PARTS;
        assert_int_equal(layers_take(w->p, &why), SEGMENT_E_BAD);
        assert_non_null(strstr(why, "part"));
        w->f.seg->layers[l].part = 0;
        w->f.seg->layers[l].op = IFP_MAX_OPS - 1;
        assert_int_equal(layers_take(w->p, &why), SEGMENT_E_BAD);
        assert_non_null(strstr(why, "op"));
        w->f.seg->layers[l].op = (uint16_t)w->op;
        assert_int_equal(layers_take(w->p, &why), 0);
}

static void a_full_table_is_said(void **state)
{
        struct world *w = *state;
        const char *why = NULL;

        w->f.seg->live.n_layers = IFP_MAX_LAYERS + 7;
        assert_int_equal(layers_take(w->p, &why), 0);
        assert_true(w->p->layers.full);
        assert_int_equal(w->p->layers.n, IFP_MAX_LAYERS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(lanes_add_up),
                TEST(rows_grow),
                TEST(what_is_not_ready_is_not_read),
                TEST(a_lie_is_found),
                TEST(a_full_table_is_said),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
