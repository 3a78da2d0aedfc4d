/* SPDX-License-Identifier: MIT */
/* daemon/rates.c: what allocations move between two ticks, by op, by phase and for tokens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

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

static int setup(void **state)
{
        struct world *w = calloc(1, sizeof(*w));
        struct segment s;
        const char *why = NULL;

        fake_new(&w->f, 4);
        w->op = fake_op(&w->f, "mul_mat", IFP_KIND_KERNEL);
        fake_lane_begin(&w->f, 0, 4711);
        assert_int_equal(segment_open(&s, dup(w->f.fd), &why), 0);
        assert_int_equal(process_new(&w->p, &s, getpid(), -1, false, &w->scratch, &why), 0);
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
        uint64_t n, fullest;

        w->now += 1000000000;
        assert_int_equal(process_round(w->p, w->now, &n, &fullest, &why), 0);
        assert_int_equal(process_tick(w->p, w->now, &why), 0);
}

static void allocate(struct world *w, uint32_t phase, uint64_t calls, uint64_t bytes,
                     uint64_t frees)
{
        struct ifp_alloc_row *row = &w->f.seg->lanes[0].alloc[w->op][phase];

        row->calls += calls;
        row->asked_bytes += calls * bytes;
        row->usable_bytes += calls * bytes;
        row->frees += frees;
        row->freed_bytes += frees * bytes;
}

static struct figures moved(const struct readings *r)
{
        struct figures f = {0};

        rates_add_moved(&f, r);
        return f;
}

static void an_interval_moves_what_came_in_it(void **state)
{
        struct world *w = *state;
        const struct op *op;
        struct figures f;

        allocate(w, IFP_PHASE_LOAD, 100, 64, 0);
        tick(w);
        allocate(w, IFP_PHASE_DECODE, 7, 64, 5);
        allocate(w, IFP_PHASE_LOAD, 1, 64, 0);
        tick(w);
        op = &w->p->ops[w->op];
        f = moved(&op->readings);
        assert_int_equal(f.alloc_calls, 8);
        assert_int_equal(f.asked_bytes, 512);
        assert_int_equal(f.frees, 5);
        assert_int_equal(op->alloc_spark[w->p->spark_at], 8);
        assert_int_equal(moved(&w->p->rates.phases[IFP_PHASE_DECODE]).alloc_calls, 7);
        assert_int_equal(moved(&w->p->rates.phases[IFP_PHASE_LOAD]).alloc_calls, 1);
        assert_int_equal(w->p->rates.live_bytes[w->p->spark_at], 103 * 64);
        tick(w);
        assert_int_equal(moved(&op->readings).alloc_calls, 0);
        assert_int_equal(op->alloc_spark[w->p->spark_at], 0);
}

static void tokens_stand_for_some_seconds(void **state)
{
        struct world *w = *state;
        struct ifp_tokens *t = &w->f.seg->tokens;
        const struct token_counts *got;

        tick(w);
        assert_null(rates_tokens(w->p));
        t->n = 4;
        t->calls = 520;
        t->asked_bytes = 4096;
        tick(w);
        got = rates_tokens(w->p);
        assert_non_null(got);
        assert_int_equal(got->n, 4);
        assert_int_equal(got->calls, 520);
        t->n = 5;
        t->calls = 523;
        tick(w);
        got = rates_tokens(w->p);
        assert_int_equal(got->n, 1);
        assert_int_equal(got->calls, 3);
        assert_int_equal(got->asked_bytes, 0);
        for (int i = 0; i < 5; i++)
                tick(w);
        assert_non_null(rates_tokens(w->p));
        for (int i = 0; i < 6; i++)
                tick(w);
        assert_null(rates_tokens(w->p));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(an_interval_moves_what_came_in_it, setup, teardown),
                cmocka_unit_test_setup_teardown(tokens_stand_for_some_seconds, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
