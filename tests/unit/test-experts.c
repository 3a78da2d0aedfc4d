/* SPDX-License-Identifier: MIT */
/* daemon/experts.c: choices of experts, from a segment to the rows of a run file. */
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
        struct runfile_experts at[8];
        char counts[8][64];
        uint32_t n;
};

static int collect(const struct runfile_experts *row, void *userdata)
{
        struct rows *r = userdata;

        r->at[r->n] = *row;
        snprintf(r->counts[r->n++], sizeof(r->counts[0]), "%s", row->counts);
        return 0;
}

static const struct rows *read_rows(const struct world *w)
{
        static struct rows r;
        struct runfile *rf;
        char *why = NULL;

        memset(&r, 0, sizeof(r));
        assert_int_equal(runfile_open(&rf, w->path, &why), 0);
        assert_int_equal(runfile_each_experts(rf, collect, &r), 0);
        runfile_close(rf);
        return &r;
}

static int setup(void **state)
{
        struct world *w = world_new(8);

        world_attach(w, false);
        fake_lane_begin(&w->f, 0, 100);
        *state = w;
        return 0;
}

static void choices_come_to_the_file(void **state)
{
        static const uint32_t a[] = {0, 3}, b[] = {3, 1};
        struct world *w = *state;
        uint32_t first = fake_moe_layer(&w->f, 8, 4), second = fake_moe_layer(&w->f, 9, 4);
        const struct rows *r;

        fake_choices(&w->f, first, IFP_PHASE_DECODE, a, 2);
        fake_choices(&w->f, first, IFP_PHASE_DECODE, b, 2);
        fake_choices(&w->f, second, IFP_PHASE_PREFILL, b, 2);
        w->f.seg->moe_layers[second].phase[IFP_PHASE_DECODE].all_tokens = 7;
        world_tick(w);
        world_flush(w);
        r = read_rows(w);
        assert_int_equal(r->n, 3);
        assert_int_equal(r->at[0].layer, 8);
        assert_int_equal(r->at[0].phase, IFP_PHASE_DECODE);
        assert_int_equal(r->at[0].n_experts, 4);
        assert_int_equal(r->at[0].steps, 2);
        assert_int_equal(r->at[0].tokens, 2);
        assert_int_equal(r->at[0].choices, 4);
        assert_int_equal(r->at[0].unknown, 0);
        assert_int_equal(r->at[0].steps_known, 2);
        assert_int_equal(r->at[0].distinct, 4);
        assert_string_equal(r->counts[0], "1,1,0,2");
        assert_int_equal(r->at[1].phase, IFP_PHASE_PREFILL);
        assert_string_equal(r->counts[1], "0,1,0,1");
        assert_int_equal(r->at[2].all_tokens, 7);
        assert_string_equal(r->counts[2], "0,0,0,0");
}

/* As all segments begin. */
static void none_are_none(void **state)
{
        struct world *w = *state;

        w->f.seg->live.n_moe_layers = 1;
        world_tick(w);
        world_flush(w);
        assert_int_equal(read_rows(w)->n, 0);
        assert_int_equal(w->p->experts.n, 1);
}

static void rows_grow(void **state)
{
        static const uint32_t a[] = {2};
        struct world *w = *state;
        uint32_t l = fake_moe_layer(&w->f, 1, 3);

        for (int i = 0; i < 3; i++) {
                fake_choices(&w->f, l, IFP_PHASE_DECODE, a, 1);
                world_tick(w);
                world_flush(w);
        }
        assert_int_equal(read_rows(w)->n, 1);
        assert_string_equal(read_rows(w)->counts[0], "0,0,3");
}

static void counts_are_kept_in_full(void **state)
{
        struct world *w = *state;
        uint32_t l = fake_moe_layer(&w->f, 1, IFP_MAX_EXPERTS);

        for (uint32_t i = 0; i < IFP_MAX_EXPERTS; i++)
                w->f.seg->expert_choices[IFP_PHASE_DECODE][i] = UINT64_MAX;
        w->f.seg->moe_layers[l].phase[IFP_PHASE_DECODE].steps = UINT64_MAX - 2;
        world_tick(w);
        world_flush(w);
        assert_int_equal(read_rows(w)->at[0].steps, INT64_MAX);
        assert_memory_equal(read_rows(w)->counts[0], "9223372036854775807,9", 21);
}

static void what_is_not_ready_is_not_read(void **state)
{
        struct world *w = *state;
        uint32_t l = fake_moe_layer(&w->f, 1, 3);

        w->f.seg->moe_layers[l].ready = 0;
        w->f.seg->moe_layers[l].phase[IFP_PHASE_DECODE].steps = 1;
        world_tick(w);
        world_flush(w);
        assert_int_equal(read_rows(w)->n, 0);
}

static void lie(struct world *w, uint32_t layer, uint32_t n, uint32_t first)
{
        struct ifp_moe_layer *l = &w->f.seg->moe_layers[2];
        const char *why = NULL;

        l->layer = (uint16_t)layer;
        l->n_experts = (uint16_t)n;
        l->first = first;
        assert_int_equal(experts_take(w->p, &why), SEGMENT_E_BAD);
        assert_non_null(strstr(why, "experts"));
}

static void a_lie_is_found(void **state)
{
        struct world *w = *state;
        const char *why = NULL;

        fake_moe_layer(&w->f, 1, 3);
        fake_moe_layer(&w->f, 2, 3);
        w->f.seg->moe_layers[2].ready = 0;
        assert_int_equal(experts_take(w->p, &why), 0);
        w->f.seg->moe_layers[2].ready = 1;
        lie(w, 0, 3, 3);
        lie(w, 1, 0, 3);
        lie(w, 1, IFP_MAX_EXPERTS + 1, 3);
        lie(w, 1, 3, IFP_EXPERT_CELLS - 2);
        lie(w, 1, 3, UINT32_MAX);
        w->f.seg->moe_layers[2].first = IFP_EXPERT_CELLS - 3;
        assert_int_equal(experts_take(w->p, &why), 0);
        w->f.seg->live.n_moe_layers = IFP_MAX_MOE_LAYERS + 1;
        assert_int_equal(experts_take(w->p, &why), SEGMENT_E_BAD);
}

/* More than there are together, on the same cells. */
static void entries_have_no_more_than_there_is(void **state)
{
        struct world *w = *state;
        const char *why = NULL;

        for (uint32_t i = 0; i <= IFP_EXPERT_CELLS / IFP_MAX_EXPERTS; i++) {
                assert_int_equal(experts_take(w->p, &why), 0);
                w->f.seg->live.n_expert_cells = 0;
                fake_moe_layer(&w->f, 1, IFP_MAX_EXPERTS);
        }
        assert_int_equal(experts_take(w->p, &why), SEGMENT_E_BAD);
}

static void what_is_in_no_count_is_said(void **state)
{
        struct world *w = *state;

        w->f.seg->live.moe_refused = 7;
        w->f.seg->live.moe_unplaced = 9;
        world_tick(w);
        experts_note(w->p);
        assert_int_equal(w->p->n_notes, 2);
        assert_non_null(strstr(w->p->notes[0], "7 products"));
        assert_non_null(strstr(w->p->notes[1], "9 products"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(choices_come_to_the_file),
                TEST(none_are_none),
                TEST(rows_grow),
                TEST(counts_are_kept_in_full),
                TEST(what_is_not_ready_is_not_read),
                TEST(a_lie_is_found),
                TEST(entries_have_no_more_than_there_is),
                TEST(what_is_in_no_count_is_said),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
