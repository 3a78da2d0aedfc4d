/* SPDX-License-Identifier: MIT */
/* daemon/process.c and what it stands on: figures of threads and of the process, from lanes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "daemon/process.h"
#include "fake-segment.h"

struct world {
        struct fake f;
        struct tally_scratch scratch;
        struct process *p;
        uint32_t op;
        uint64_t now;
};

static void attach(struct world *w, bool adopted)
{
        struct segment s;
        const char *why = NULL;

        assert_int_equal(segment_open(&s, dup(w->f.fd), &why), 0);
        assert_int_equal(process_new(&w->p, &s, getpid(), -1, adopted, &w->scratch, &why), 0);
        w->now = clock_mono_ns();
}

static int setup(void **state)
{
        struct world *w = calloc(1, sizeof(*w));

        fake_new(&w->f, 8);
        w->op = fake_op(&w->f, "mul_mat", IFP_KIND_KERNEL);
        attach(w, false);
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

static uint64_t round_once(struct world *w)
{
        uint64_t n, fullest;
        const char *why = NULL;

        assert_int_equal(process_round(w->p, w->now, &n, &fullest, &why), 0);
        return n;
}

static void tick(struct world *w)
{
        const char *why = NULL;

        w->now += 1000000000;
        assert_int_equal(process_tick(w->p, w->now, &why), 0);
}

/* The two ways to the same sum. */
static void assert_sums_agree(const struct process *p)
{
        uint64_t by_thread = 0, by_op = 0;

        for (uint32_t i = 0; i < p->n_threads; i++)
                by_thread += p->threads[i]->sum.timed;
        if (p->later)
                by_thread += p->later->sum.timed;
        for (uint32_t k = 0; k < p->n_ops * IFP_N_PHASES; k++)
                by_op += p->total[k].timed;
        assert_int_equal(by_thread, by_op);
        assert_int_equal(by_op, p->now.spans);
}

static void threads_on_one_lane_are_told_apart(void **state)
{
        struct world *w = *state;

        for (int i = 1; i <= 20; i++) {
                fake_lane_begin(&w->f, 0, 1000 + i);
                for (int k = 0; k < i; k++)
                        fake_span(&w->f, 0, w->op, 0, 100, 0);
                if (i % 3 == 0)
                        round_once(w);
                fake_lane_end(&w->f, 0);
                round_once(w);
                assert_int_equal(w->f.seg->lanes[0].state, IFP_LANE_FREE);
        }
        tick(w);
        assert_int_equal(w->p->n_threads, 20);
        for (int i = 1; i <= 20; i++) {
                assert_int_equal(w->p->threads[i - 1]->sum.timed, i);
                assert_int_equal(w->p->threads[i - 1]->tid, 1000 + i);
                assert_true(w->p->threads[i - 1]->ended);
                assert_string_equal(w->p->threads[i - 1]->name, "lane-0");
        }
        assert_int_equal(w->p->now.spans, 210);
        assert_int_equal(w->p->drained, 210);
        assert_int_equal(w->p->ops[w->op].n_threads, 20);
        assert_sums_agree(w->p);
}

static void a_lane_retaken_unseen_loses_nothing(void **state)
{
        struct world *w = *state;

        fake_lane_begin(&w->f, 0, 1);
        fake_span(&w->f, 0, w->op, 0, 100, 0);
        round_once(w);
        fake_span(&w->f, 0, w->op, 0, 100, 0);
        fake_lane_end(&w->f, 0);
        fake_lane_begin(&w->f, 0, 2); /* in want of lanes, before we looked */
        fake_span(&w->f, 0, w->op, 0, 100, 0);
        round_once(w);
        fake_span(&w->f, 0, w->op, 0, 100, 0);
        round_once(w);
        tick(w);
        assert_int_equal(w->p->n_threads, 2);
        assert_int_equal(w->p->now.spans, 4);
        assert_sums_agree(w->p);
}

static void threads_beyond_the_table_share_a_row(void **state)
{
        struct world *w = *state;

        for (uint32_t i = 0; i < PROCESS_MAX_THREADS + 500; i++) {
                fake_lane_begin(&w->f, i % 5, (int)i);
                fake_span(&w->f, i % 5, w->op, 0, 100, 0);
                fake_lane_end(&w->f, i % 5);
                round_once(w);
        }
        tick(w);
        assert_int_equal(w->p->n_threads, PROCESS_MAX_THREADS);
        assert_non_null(w->p->later);
        assert_int_equal(w->p->later->sum.timed, 500);
        assert_int_equal(w->p->now.spans, PROCESS_MAX_THREADS + 500);
        assert_int_equal(w->p->ops[w->op].n_threads, PROCESS_MAX_THREADS + 500);
        assert_sums_agree(w->p);
}

static void the_crowd_counts_too(void **state)
{
        struct world *w = *state;
        struct ifp_lane *crowd = &w->f.seg->lanes[7];

        tick(w);
        assert_int_equal(w->p->n_threads, 0);
        crowd->time[w->op][0].untimed = 12;
        crowd->alloc[IFP_OP_NONE][0].calls = 5;
        crowd->alloc[IFP_OP_NONE][0].usable_bytes = 500;
        crowd->alloc[IFP_OP_NONE][0].freed_bytes = 100;
        tick(w);
        assert_int_equal(w->p->n_threads, 1);
        assert_int_equal(w->p->now.untimed, 12);
        assert_int_equal(w->p->now.live_bytes, 400);
        assert_int_equal(w->p->threads[0]->sum.alloc_calls, 5);
}

static void the_end_finds_all_that_is_left(void **state)
{
        struct world *w = *state;
        struct process_hist h;
        uint64_t buckets[IFP_HIST_BUCKETS], position, n = 0;

        fake_lane_begin(&w->f, 0, 1);
        fake_lane_begin(&w->f, 1, 2);
        for (int i = 0; i < 30000; i++)
                fake_span(&w->f, 0, w->op, 0, 50, 0);
        for (int i = 0; i < 10; i++)
                fake_span(&w->f, 1, w->op, 0, 70, 0);
        fake_lane_end(&w->f, 1);
        /* killed between its row and its record */
        w->f.seg->lanes[0].time[w->op][0].timed++;
        w->f.seg->lanes[0].time[w->op][0].total += 50;
        w->f.seg->lanes[0].open[1].state = IFP_OPEN_SET;
        assert_false(fake_reserve(&w->f.seg->lanes[0], &position));
        process_end(w->p, RUNFILE_END_SIGNAL, 9, w->now);

        assert_int_equal(w->p->state, PROCESS_ENDED);
        assert_int_equal(w->p->now.spans, 30011);
        assert_int_equal(w->p->drained, IFP_RING_SLOTS + 10);
        assert_int_equal(w->p->now.folded, 30000 - IFP_RING_SLOTS);
        assert_int_equal(w->p->in_flight, 1);
        assert_int_equal(w->p->open, 1);
        assert_int_equal(process_lost(w->p), 0);
        process_hist(w->p, w->op, 0, buckets, &h);
        for (uint32_t i = 0; i < IFP_HIST_BUCKETS; i++)
                n += buckets[i];
        assert_int_equal(n, 30010);
        assert_int_equal(h.count, 30010);
        assert_int_equal(h.folded, 30000 - IFP_RING_SLOTS);
        assert_int_equal(h.min, 50);
        assert_int_equal(h.max, 70);
        assert_sums_agree(w->p);
}

static void what_is_lost_is_said(void **state)
{
        struct world *w = *state;

        fake_lane_begin(&w->f, 0, 1);
        fake_span(&w->f, 0, w->op, 0, 50, 0);
        w->f.seg->lanes[0].time[w->op][0].timed += 100; /* and nothing for them in the ring */
        process_end(w->p, RUNFILE_END_CODE, 0, w->now);
        assert_int_equal(process_lost(w->p), 100);
}

static void a_process_taken_over_keeps_its_sums(void **state)
{
        struct world *w = *state;
        const char *why = NULL;

        /* lane 0: its first thread, alive; lane 1: the second one; lane 2: free again */
        fake_lane_begin(&w->f, 0, 1);
        fake_lane_begin(&w->f, 1, 2);
        fake_lane_begin(&w->f, 2, 3);
        for (int i = 0; i < 10; i++)
                for (uint32_t lane = 0; lane < 3; lane++)
                        fake_span(&w->f, lane, w->op, 0, 100, 0);
        round_once(w);
        fake_lane_end(&w->f, 1);
        fake_lane_end(&w->f, 2);
        round_once(w);
        fake_lane_begin(&w->f, 1, 4);
        fake_span(&w->f, 1, w->op, 0, 100, 0);
        process_free(w->p);

        attach(w, true);
        assert_int_equal(process_resume(w->p, NULL, 0, &why), 0);
        assert_int_equal(w->p->drained_before, 30);
        assert_int_equal(w->p->unseen, 30);
        round_once(w);
        tick(w);
        assert_int_equal(w->p->now.spans, 31);
        assert_sums_agree(w->p);
        fake_span(&w->f, 1, w->op, 0, 100, 0);
        process_end(w->p, RUNFILE_END_CODE, 0, w->now);
        assert_int_equal(w->p->now.spans, 32);
        assert_int_equal(process_lost(w->p), 0);
        assert_sums_agree(w->p);
}

static void switches_follow_the_last_order(void **state)
{
        struct world *w = *state;
        const uint8_t *switches = w->f.seg->switches;
        uint32_t add = fake_op(&w->f, "add", IFP_KIND_KERNEL), late, n;

        round_once(w);
        assert_int_equal(process_switch(w->p, "mul_*", false, &n), 1);
        assert_int_equal(n, 1);
        assert_int_equal(switches[w->op], 0);
        assert_int_equal(switches[add], 1);
        assert_int_equal(process_n_off(w->p), 1);
        late = fake_op(&w->f, "mul_late", IFP_KIND_KERNEL);
        round_once(w);
        assert_int_equal(switches[late], 0);
        assert_int_equal(process_switch(w->p, "*", true, &n), 2);
        assert_int_equal(n, 3);
        assert_int_equal(process_n_off(w->p), 0);
        assert_int_equal(process_switch(w->p, "*", false, &n), 3);
        assert_int_equal(w->f.seg->live.daemon_default_switch, 1);
}

static int round_fails(struct world *w, const char **ret_why)
{
        uint64_t n, fullest;
        int r;

        *ret_why = NULL;
        r = process_round(w->p, w->now, &n, &fullest, ret_why);
        return r ? r : process_tick(w->p, w->now, ret_why);
}

static void lies_are_caught(void **state)
{
        struct world *w = *state;
        const char *why;

        fake_lane_begin(&w->f, 0, 1);
        fake_span(&w->f, 0, w->op, 0, 100, 0);
        fake_lane_end(&w->f, 0);
        round_once(w);
        fake_lane_begin(&w->f, 0, 2);
        round_once(w);
        w->f.seg->lanes[0].time[w->op][0].timed = 0;
        assert_int_equal(round_fails(w, &why), SEGMENT_E_BAD);
        assert_non_null(why);
        w->f.seg->lanes[0].time[w->op][0].timed = 1;
        assert_int_equal(round_fails(w, &why), 0);
        w->f.seg->lanes[0].state = 77;
        assert_int_equal(round_fails(w, &why), SEGMENT_E_BAD);
        assert_non_null(why);
        w->f.seg->lanes[0].state = IFP_LANE_LIVE;
        fake_op(&w->f, "odd", 99);
        assert_int_equal(round_fails(w, &why), SEGMENT_E_BAD);
        process_cut(w->p, why);
        assert_int_equal(w->p->state, PROCESS_CUT);
        assert_int_equal(w->p->now.spans, 1);
        assert_null(w->p->segment.map);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(threads_on_one_lane_are_told_apart),
                CASE(a_lane_retaken_unseen_loses_nothing),
                CASE(threads_beyond_the_table_share_a_row),
                CASE(the_crowd_counts_too),
                CASE(the_end_finds_all_that_is_left),
                CASE(what_is_lost_is_said),
                CASE(a_process_taken_over_keeps_its_sums),
                CASE(switches_follow_the_last_order),
                CASE(lies_are_caught),
        };

        return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
