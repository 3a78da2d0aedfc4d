/* SPDX-License-Identifier: MIT */
/* daemon/drain.c and daemon/fold.c: rings and fold tables in, distributions out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/drain.h"
#include "daemon/fold.h"
#include "fake-segment.h"

struct world {
        struct fake f;
        struct ifp_lane *lane;
        struct drain d;
        struct drain_lane l;
        uint32_t op;
};

static int setup(void **state)
{
        struct world *w = calloc(1, sizeof(*w));

        fake_new(&w->f, 2);
        w->op = fake_op(&w->f, "mul_mat", IFP_KIND_KERNEL);
        fake_lane_begin(&w->f, 0, 1);
        w->lane = &w->f.seg->lanes[0];
        drain_init(&w->d);
        drain_lane_init(&w->l, 0);
        *state = w;
        return 0;
}

static int teardown(void **state)
{
        struct world *w = *state;

        drain_lane_done(&w->l);
        drain_done(&w->d);
        fake_free(&w->f);
        free(w);
        return 0;
}

static int drain(struct world *w, uint64_t *ret_n)
{
        return drain_lane(&w->d, &w->l, w->lane, &w->f.seg->live.n_ops, ret_n);
}

static void every_record_is_counted_once(void **state)
{
        struct world *w = *state;
        const struct drain_hist *h;
        uint64_t n, all = 0;

        /* more than three laps, in pieces that do not divide a lap */
        for (int round = 0; round < 50; round++) {
                for (uint64_t i = 0; i < 1009; i++)
                        assert_true(fake_span(&w->f, 0, w->op, IFP_PHASE_DECODE, 100 + i, 10));
                assert_int_equal(drain(w, &n), 0);
                assert_int_equal(n, 1009);
                all += n;
        }
        h = drain_find(&w->d, w->op, IFP_PHASE_DECODE);
        assert_non_null(h);
        assert_int_equal(h->count, all);
        assert_int_equal(h->min, 100);
        assert_int_equal(h->max, 100 + 1008);
        assert_int_equal(h->left, 0);
        assert_int_equal(w->lane->reader.tail, all);
        assert_null(drain_find(&w->d, w->op, IFP_PHASE_PREFILL));
        assert_int_equal(drain_lane_cell(&w->l, w->op, IFP_PHASE_DECODE)->count, all);
}

static void buckets_and_squares_are_those_of_the_values(void **state)
{
        struct world *w = *state;
        uint64_t flat[IFP_HIST_BUCKETS] = {0}, n;
        double sumsq = 0;
        const struct drain_hist *h;

        for (uint64_t v = 1; v < 1ull << 40; v *= 3) {
                fake_span(&w->f, 0, w->op, 0, v, 0);
                sumsq += (double)v * (double)v;
        }
        assert_int_equal(drain(w, &n), 0);
        h = drain_find(&w->d, w->op, 0);
        drain_hist_flatten(h, flat);
        for (uint64_t v = 1; v < 1ull << 40; v *= 3)
                assert_true(flat[ifp_hist_index(v)] >= 1);
        n = 0;
        for (uint32_t i = 0; i < IFP_HIST_BUCKETS; i++)
                n += flat[i];
        assert_int_equal(n, h->count);
        assert_true(h->sumsq == sumsq);
}

static void a_slot_that_is_not_complete_stops_the_reader(void **state)
{
        struct world *w = *state;
        uint64_t hole = 0, n;

        fake_span(&w->f, 0, w->op, 0, 5, 0);
        assert_true(fake_reserve(w->lane, &hole));
        fake_span(&w->f, 0, w->op, 0, 6, 0);
        assert_int_equal(drain(w, &n), 0);
        assert_int_equal(n, 1);
        assert_int_equal(drain_waiting(&w->l, w->lane), 2);
        assert_true(drain_is_overtaken(&w->l, w->lane));
        assert_int_equal(drain(w, &n), 0);
        assert_int_equal(n, 0);
        /* completed late, it is read, and what is behind it too */
        fake_commit(w->lane, hole, 7 | (uint64_t)w->op << 48, 0);
        assert_int_equal(drain(w, &n), 0);
        assert_int_equal(n, 2);
        assert_int_equal(drain_find(&w->d, w->op, 0)->max, 7);
}

static void a_slot_can_be_given_up(void **state)
{
        struct world *w = *state;
        uint64_t hole = 0, n;

        assert_true(fake_reserve(w->lane, &hole));
        fake_span(&w->f, 0, w->op, 0, 6, 0);
        drain(w, &n);
        drain_skip(&w->l, w->lane);
        assert_int_equal(drain(w, &n), 0);
        assert_int_equal(n, 1);
        assert_int_equal(w->l.skipped, 1);
        assert_int_equal(w->l.drained, 1);
}

static void a_stale_slot_of_the_last_lap_is_not_read_again(void **state)
{
        struct world *w = *state;
        uint64_t n, position = 0;

        for (uint32_t i = 0; i < IFP_RING_SLOTS; i++)
                fake_span(&w->f, 0, w->op, 0, 1, 0);
        drain(w, &n);
        assert_int_equal(n, IFP_RING_SLOTS);
        fake_reserve(w->lane, &position);
        assert_int_equal(drain(w, &n), 0);
        assert_int_equal(n, 0);
}

static void a_full_ring_folds_and_nothing_is_lost(void **state)
{
        struct world *w = *state;
        uint64_t flat[IFP_HIST_BUCKETS] = {0}, n, in_ring = 0, sum = 0;
        struct fold fold = {.min = UINT64_MAX};
        struct segment s = {.map = w->f.seg};
        const char *why = NULL;

        for (uint64_t i = 0; i < IFP_RING_SLOTS + 5000; i++)
                in_ring += fake_span(&w->f, 0, w->op, 2, 1000 + i % 700, 0);
        assert_int_equal(in_ring, IFP_RING_SLOTS);
        assert_int_equal(drain(w, &n), 0);
        assert_int_equal(n, in_ring);
        /* the table is cumulative: a second reading shows the same */
        for (int twice = 0; twice < 2; twice++) {
                memset(flat, 0, sizeof(flat));
                fold = (struct fold){.min = UINT64_MAX};
                assert_int_equal(fold_read(&s, w->lane, w->op, 2, flat, &fold, &why), 0);
                assert_int_equal(fold.count, 5000);
        }
        drain_hist_flatten(drain_find(&w->d, w->op, 2), flat);
        for (uint32_t i = 0; i < IFP_HIST_BUCKETS; i++)
                sum += flat[i];
        assert_int_equal(sum, w->lane->time[w->op][2].timed);
        assert_true(fold.min >= 1000 && fold.max <= 1699);
}

static void equal_folded_spans_have_no_deviation(void **state)
{
        struct world *w = *state;
        struct fold fold = {.min = UINT64_MAX};
        struct segment s = {.map = w->f.seg};
        const char *why = NULL;
        double mean = 123457, sumsq;

        for (uint64_t i = 0; i < IFP_RING_SLOTS + 100; i++)
                fake_span(&w->f, 0, w->op, 0, 123457, 0);
        assert_int_equal(fold_read(&s, w->lane, w->op, 0, NULL, &fold, &why), 0);
        sumsq = mean * mean * 100;
        assert_true(fold.sumsq > sumsq * 0.999999 && fold.sumsq < sumsq * 1.000001);
}

static void a_head_that_runs_backwards_is_refused(void **state)
{
        struct world *w = *state;
        uint64_t n;

        for (int i = 0; i < 10; i++)
                fake_span(&w->f, 0, w->op, 0, 1, 0);
        drain(w, &n);
        w->lane->writer.head = 3;
        assert_int_equal(drain(w, &n), DRAIN_E_HEAD);
        w->lane->writer.head = 10 + IFP_RING_SLOTS + 1;
        assert_int_equal(drain(w, &n), DRAIN_E_HEAD);
        w->lane->writer.head = UINT64_MAX;
        assert_int_equal(drain(w, &n), DRAIN_E_HEAD);
}

static void the_shared_tail_is_not_believed(void **state)
{
        struct world *w = *state;
        uint64_t n;

        for (int i = 0; i < 10; i++)
                fake_span(&w->f, 0, w->op, 0, 1, 0);
        w->lane->reader.tail = 1ull << 60;
        assert_int_equal(drain(w, &n), 0);
        assert_int_equal(n, 10);
        assert_int_equal(w->lane->reader.tail, 10);
}

static void lying_records_are_refused(void **state)
{
        struct world *w = *state;
        uint64_t n, position = 0;

        fake_reserve(w->lane, &position);
        fake_commit(w->lane, position, 1 | (uint64_t)(w->op + 1) << 48, 0);
        assert_int_equal(drain(w, &n), DRAIN_E_OP);
        fake_commit(w->lane, position, 1 | 0xffffull << 48, 0);
        assert_int_equal(drain(w, &n), DRAIN_E_OP);
        for (uint64_t phase = IFP_N_PHASES; phase < 8; phase++) {
                fake_commit(w->lane, position, 1 | (uint64_t)w->op << 48, phase << 56);
                assert_int_equal(drain(w, &n), DRAIN_E_PHASE);
        }
        assert_null(drain_find(&w->d, w->op, 0));
}

static void a_fold_table_that_points_outside_is_refused(void **state)
{
        struct world *w = *state;
        struct fold fold = {.min = UINT64_MAX};
        struct segment s = {.map = w->f.seg};
        const char *why = NULL;

        w->lane->fold[w->op][0] = 1; /* no block was handed out */
        assert_int_equal(fold_read(&s, w->lane, w->op, 0, NULL, &fold, &why), SEGMENT_E_BAD);
        assert_non_null(why);
        w->f.seg->live.n_blocks = UINT32_MAX;
        w->lane->fold[w->op][0] = IFP_POOL_BLOCKS + 1;
        assert_int_equal(fold_read(&s, w->lane, w->op, 0, NULL, &fold, &why), SEGMENT_E_BAD);
        w->lane->fold[w->op][0] = IFP_POOL_BLOCKS;
        w->f.seg->pool[IFP_POOL_BLOCKS - 1].fold.octave[3] = UINT32_MAX;
        assert_int_equal(fold_read(&s, w->lane, w->op, 0, NULL, &fold, &why), SEGMENT_E_BAD);
}

static void ops_that_appear_later_are_taken(void **state)
{
        struct world *w = *state;
        uint64_t n;

        for (int i = 0; i < 500; i++) {
                char name[32];
                uint32_t op;

                snprintf(name, sizeof(name), "op-%d", i);
                op = fake_op(&w->f, name, IFP_KIND_NODE);
                fake_span(&w->f, 0, op, i % IFP_N_PHASES, 10, 0);
                assert_int_equal(drain(w, &n), 0);
                assert_int_equal(n, 1);
                assert_int_equal(drain_find(&w->d, op, i % IFP_N_PHASES)->count, 1);
        }
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(every_record_is_counted_once),
                CASE(buckets_and_squares_are_those_of_the_values),
                CASE(a_slot_that_is_not_complete_stops_the_reader),
                CASE(a_slot_can_be_given_up),
                CASE(a_stale_slot_of_the_last_lap_is_not_read_again),
                CASE(a_full_ring_folds_and_nothing_is_lost),
                CASE(equal_folded_spans_have_no_deviation),
                CASE(a_head_that_runs_backwards_is_refused),
                CASE(the_shared_tail_is_not_believed),
                CASE(lying_records_are_refused),
                CASE(a_fold_table_that_points_outside_is_refused),
                CASE(ops_that_appear_later_are_taken),
        };

        return cmocka_run_group_tests_name("drain", tests, NULL, NULL);
}
