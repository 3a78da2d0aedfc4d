/* SPDX-License-Identifier: MIT */
/* daemon/shapes.c: shapes, from a segment to the rows of a run file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/runfile.h"
#include "fake-process.h"

struct rows {
        struct runfile_shape shapes[8];
        struct runfile_operand operands[24];
        char types[24][16];
        struct runfile_shape_param params[8];
        struct runfile_shape_phase phases[16];
        uint32_t n_shapes, n_operands, n_params, n_phases;
};

static int collect_shape(const struct runfile_shape *row, void *userdata)
{
        struct rows *r = userdata;

        r->shapes[r->n_shapes++] = *row;
        return 0;
}

static int collect_operand(const struct runfile_operand *row, void *userdata)
{
        struct rows *r = userdata;

        snprintf(r->types[r->n_operands], sizeof(r->types[0]), "%s", row->type ? row->type : "-");
        r->operands[r->n_operands++] = *row;
        return 0;
}

static int collect_param(const struct runfile_shape_param *row, void *userdata)
{
        struct rows *r = userdata;

        r->params[r->n_params++] = *row;
        return 0;
}

static int collect_phase(const struct runfile_shape_phase *row, void *userdata)
{
        struct rows *r = userdata;

        r->phases[r->n_phases++] = *row;
        return 0;
}

static const struct rows *read_rows(const struct world *w)
{
        static struct rows r;
        struct runfile *rf;
        char *why = NULL;

        memset(&r, 0, sizeof(r));
        assert_int_equal(runfile_open(&rf, w->path, &why), 0);
        assert_int_equal(runfile_each_shape(rf, collect_shape, &r), 0);
        assert_int_equal(runfile_each_operand(rf, collect_operand, &r), 0);
        assert_int_equal(runfile_each_shape_param(rf, collect_param, &r), 0);
        assert_int_equal(runfile_each_shape_phase(rf, collect_phase, &r), 0);
        runfile_close(rf);
        return &r;
}

static const uint64_t product[3][4] = {{4, 5, 1, 1}, {32, 4, 1, 1}, {32, 5, 1, 1}};

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

static void a_shape_becomes_rows(void **state)
{
        struct world *w = *state;
        uint32_t type = fake_type(&w->f, "q8_0", 32, 34);
        uint32_t s = fake_shape(&w->f, w->op, 2, type, 3, product);
        const struct rows *r;

        fake_shaped(&w->f, 0, s, IFP_PHASE_DECODE, 1000, 200);
        fake_shaped(&w->f, 1, s, IFP_PHASE_DECODE, 3000, 0);
        fake_shaped(&w->f, 1, s, IFP_PHASE_PREFILL, 500, 0);
        world_tick(w);
        world_flush(w);
        r = read_rows(w);
        assert_int_equal(r->n_shapes, 1);
        assert_int_equal(r->shapes[0].op, w->op);
        assert_int_equal(r->shapes[0].parts, 2);
        assert_int_equal(r->n_operands, 3);
        assert_string_equal(r->types[1], "q8_0");
        assert_int_equal(r->operands[1].block, 32);
        assert_int_equal(r->operands[1].block_bytes, 34);
        assert_int_equal(r->operands[1].ne0, 32);
        assert_int_equal(r->operands[1].ne1, 4);
        assert_int_equal(r->n_phases, 2);
        assert_int_equal(r->phases[0].phase, IFP_PHASE_PREFILL);
        assert_int_equal(r->phases[0].calls, 1);
        assert_int_equal(r->phases[1].calls, 2);
        assert_int_equal(r->phases[1].total_ns, 2000);
        assert_int_equal(r->phases[1].child_ns, 100);
}

/* The op was called with numbers, and one of its sources is not there. */
static void parameters_and_gaps(void **state)
{
        struct world *w = *state;
        uint32_t type = fake_type(&w->f, "f32", 1, 4);
        uint32_t i = fake_shape(&w->f, w->op, 1, type, 3, product);
        struct ifp_shape *s = &w->f.seg->shapes[i];
        const struct rows *r;

        s->at[1] = (struct ifp_operand){0};
        s->at[2].align = 6;
        s->n_params = 2;
        s->params[0] = -7;
        s->params[1] = INT64_MAX;
        fake_shaped(&w->f, 0, i, IFP_PHASE_DECODE, 10, 0);
        world_tick(w);
        world_flush(w);
        r = read_rows(w);
        assert_int_equal(r->n_operands, 2);
        assert_int_equal(r->operands[0].position, 0);
        assert_int_equal(r->operands[1].position, 2);
        assert_int_equal(r->operands[0].align, 0);
        assert_int_equal(r->operands[1].align, 32);
        assert_int_equal(r->n_params, 2);
        assert_int_equal(r->params[0].value, -7);
        assert_int_equal(r->params[1].position, 1);
        assert_true(r->params[1].value == INT64_MAX);
}

static void one_that_nobody_called_has_no_row(void **state)
{
        struct world *w = *state;

        fake_shape(&w->f, w->op, 1, 0, 3, product);
        world_tick(w);
        world_flush(w);
        assert_int_equal(read_rows(w)->n_shapes, 0);
}

static void a_type_may_be_unknown(void **state)
{
        struct world *w = *state;
        uint32_t s = fake_shape(&w->f, w->op, 1, 0, 2, product);

        fake_shaped(&w->f, 0, s, 0, 10, 0);
        world_tick(w);
        world_flush(w);
        assert_string_equal(read_rows(w)->types[0], "-");
        assert_int_equal(read_rows(w)->operands[0].block, 0);
}

static void what_moved_is_written_again(void **state)
{
        struct world *w = *state;
        uint32_t s = fake_shape(&w->f, w->op, 1, 0, 2, product);

        fake_shaped(&w->f, 0, s, 0, 10, 0);
        world_tick(w);
        world_flush(w);
        assert_false(w->p->dirty);
        fake_shaped(&w->f, 0, s, 0, 10, 0);
        world_tick(w);
        assert_true(w->p->dirty);
        world_flush(w);
        assert_int_equal(read_rows(w)->phases[0].calls, 2);
}

/* A lane's rows are all of its threads', and a daemon that comes later finds them all. */
static void nothing_is_lost_nor_told_twice(void **state)
{
        struct world *w = *state;
        uint32_t s = fake_shape(&w->f, w->op, 1, 0, 2, product);

        fake_shaped(&w->f, 1, s, 0, 10, 0);
        world_tick(w);
        fake_lane_end(&w->f, 1);
        world_tick(w);
        fake_lane_begin(&w->f, 1, 102);
        fake_shaped(&w->f, 1, s, 0, 10, 0);
        world_tick(w);
        world_flush(w);
        fake_shaped(&w->f, 0, s, 0, 10, 0);
        world_resume(w);
        world_tick(w);
        world_flush(w);
        assert_int_equal(read_rows(w)->n_phases, 1);
        assert_int_equal(read_rows(w)->phases[0].calls, 3);
}

static void a_full_table_is_known(void **state)
{
        struct world *w = *state;

        world_tick(w);
        assert_false(w->p->shapes.full);
        w->f.seg->live.n_shapes = IFP_MAX_SHAPES;
        world_tick(w);
        assert_true(w->p->shapes.full);
        assert_int_equal(w->p->shapes.n, IFP_MAX_SHAPES);
}

static void what_is_not_known_is_said(void **state)
{
        struct world *w = *state;

        w->f.seg->live.shapes = IFP_SHAPES_UNKNOWN;
        world_tick(w);
        process_end(w->p, RUNFILE_END_CODE, 0, w->now);
        assert_int_equal(w->p->n_notes, 1);
        assert_non_null(strstr(w->p->notes[0], "was not found"));
}

static void sums_do_not_overflow(void **state)
{
        struct world *w = *state;
        uint32_t s = fake_shape(&w->f, w->op, 1, 0, 2, product);

        w->f.seg->lanes[0].shapes[s][0].calls = UINT64_MAX - 1;
        w->f.seg->lanes[1].shapes[s][0].calls = UINT64_MAX - 1;
        w->f.seg->lanes[0].shapes[s][0].total = UINT64_MAX;
        world_tick(w);
        world_flush(w);
        assert_int_equal(read_rows(w)->phases[0].calls, INT64_MAX);
}

static void lies_are_caught(void **state)
{
        struct world *w = *state;
        uint32_t type = fake_type(&w->f, "f32", 1, 4);
        uint32_t i = fake_shape(&w->f, w->op, 1, type, 3, product);
        struct ifp_shape *s = &w->f.seg->shapes[i], was = *s;
        const char *why;

        s->op = (uint16_t)(w->op + 1);
        assert_int_equal(world_look(w, &why), SEGMENT_E_BAD);
        *s = was;
        s->n_operands = 0;
        assert_int_equal(world_look(w, &why), SEGMENT_E_BAD);
        s->n_operands = IFP_SHAPE_OPERANDS + 1;
        assert_int_equal(world_look(w, &why), SEGMENT_E_BAD);
        *s = was;
        s->n_params = IFP_SHAPE_PARAMS + 1;
        assert_int_equal(world_look(w, &why), SEGMENT_E_BAD);
        *s = was;
        s->at[1].align = 8;
        assert_int_equal(world_look(w, &why), SEGMENT_E_BAD);
        *s = was;
        s->formula = UINT32_MAX;
        assert_int_equal(world_look(w, &why), SEGMENT_E_BAD);
        *s = was;
        s->parts = 0;
        assert_int_equal(world_look(w, &why), SEGMENT_E_BAD);
        *s = was;
        s->at[2].type = (uint16_t)(type + 1);
        assert_int_equal(world_look(w, &why), SEGMENT_E_BAD);
        *s = was;
        world_tick(w);
        fake_shape(&w->f, w->op, 1, type, 2, product);
        w->f.seg->live.n_types = IFP_MAX_TYPES + 1;
        assert_int_equal(world_look(w, &why), SEGMENT_E_BAD);
        w->f.seg->types[type + 1].name = UINT32_MAX;
        w->f.seg->live.n_types = type + 2;
        assert_int_equal(world_look(w, &why), SEGMENT_E_BAD);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(a_shape_becomes_rows),
                CASE(parameters_and_gaps),
                CASE(one_that_nobody_called_has_no_row),
                CASE(a_type_may_be_unknown),
                CASE(what_moved_is_written_again),
                CASE(nothing_is_lost_nor_told_twice),
                CASE(a_full_table_is_known),
                CASE(what_is_not_known_is_said),
                CASE(sums_do_not_overflow),
                CASE(lies_are_caught),
        };

        return cmocka_run_group_tests_name("shapes", tests, NULL, NULL);
}
