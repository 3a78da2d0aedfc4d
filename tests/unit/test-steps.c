/* SPDX-License-Identifier: MIT */
/* daemon/ledger.c and flush-ledger.c: decode steps, from a segment to the rows of a run file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/hist.h"
#include "daemon/ledger.h"
#include "fake-process.h"

static int setup(void **state)
{
        struct world *w = world_new(4);

        w->ns_per_tick = 0.7;
        world_attach(w, false);
        fake_lane_begin(&w->f, 0, 100);
        *state = w;
        return 0;
}

static bool step(struct world *w, uint64_t wall, uint64_t barrier, uint64_t outside)
{
        uint64_t rows[IFP_N_LEDGER] = {
                [IFP_LEDGER_BARRIER] = barrier, [IFP_LEDGER_OUTSIDE] = outside};

        return fake_step(&w->f, 0, wall, rows);
}

/* ---- what the file has ---- */

#define MOST 256

struct rows {
        struct runfile_ledger ledger;
        struct runfile_ledger_row rows[MOST];
        uint64_t wall[IFP_HIST_BUCKETS], values[MOST], zeros[MOST];
        struct runfile_ledger_thread threads[MOST];
        struct runfile_slow_token slow[MOST];
        struct runfile_slow_token_row slow_rows[LEDGER_SLOW * 3 * IFP_N_LEDGER + 1];
        uint32_t n_ledgers, n_rows, n_threads, n_slow, n_slow_rows;
};

static int collect_ledger(const struct runfile_ledger *row, void *userdata)
{
        struct rows *r = userdata;

        r->ledger = *row;
        if (row->hist)
                memcpy(r->wall, row->hist, sizeof(r->wall));
        r->n_ledgers++;
        return 0;
}

static int collect_row(const struct runfile_ledger_row *row, void *userdata)
{
        struct rows *r = userdata;

        r->values[r->n_rows] = row->hist ? hist_count(row->hist) : 0;
        r->zeros[r->n_rows] = row->hist ? row->hist[0] : 0;
        r->rows[r->n_rows++] = *row;
        return 0;
}

#define COLLECT(kind, array, count)                                                                \
        static int collect_##kind(const struct runfile_##kind *row, void *userdata)                \
        {                                                                                          \
                struct rows *r = userdata;                                                         \
                                                                                                   \
                r->array[r->count++] = *row;                                                       \
                return 0;                                                                          \
        }
COLLECT(ledger_thread, threads, n_threads)
COLLECT(slow_token, slow, n_slow)
COLLECT(slow_token_row, slow_rows, n_slow_rows)

static const struct rows *read_file(struct world *w)
{
        static struct rows r;
        struct runfile *rf;
        char *why = NULL;

        memset(&r, 0, sizeof(r));
        assert_int_equal(runfile_open(&rf, w->path, &why), 0);
        assert_int_equal(runfile_each_ledger(rf, collect_ledger, &r), 0);
        assert_int_equal(runfile_each_ledger_row(rf, collect_row, &r), 0);
        assert_int_equal(runfile_each_ledger_thread(rf, collect_ledger_thread, &r), 0);
        assert_int_equal(runfile_each_slow_token(rf, collect_slow_token, &r), 0);
        assert_int_equal(runfile_each_slow_token_row(rf, collect_slow_token_row, &r), 0);
        runfile_close(rf);
        return &r;
}

static void assert_rows_sum(const struct rows *r)
{
        uint64_t sums[IFP_N_LEDGER_WHO] = {0};

        assert_int_equal(r->n_rows, IFP_N_LEDGER_WHO * IFP_N_LEDGER);
        for (uint32_t i = 0; i < r->n_rows; i++)
                sums[r->rows[i].who] += r->rows[i].total_ns;
        assert_int_equal(sums[IFP_LEDGER_OWN], r->ledger.wall_ns);
        assert_int_equal(sums[IFP_LEDGER_CRITICAL], r->ledger.wall_ns);
        assert_int_equal(sums[IFP_LEDGER_ALL], r->ledger.all_ns);
}

static void steps_become_rows(void **state)
{
        struct world *w = *state;
        const struct rows *r;
        uint64_t sum = 0;

        world_tick(w);
        world_flush(w);
        assert_int_equal(read_file(w)->n_ledgers, 0);
        for (int i = 0; i < 7; i++)
                step(w, 1001, i ? 333 : 0, 111);
        world_tick(w);
        world_flush(w);
        r = read_file(w);
        assert_int_equal(r->n_ledgers, 1);
        assert_int_equal(r->ledger.steps, 7);
        assert_int_equal(r->ledger.tokens, 7);
        assert_int_equal(r->ledger.dropped, 0);
        assert_int_equal(r->ledger.wall_ns, (7 * 1001 * 7 + 5) / 10);
        assert_int_equal(hist_count(r->wall), 7);
        assert_int_equal(r->wall[ifp_hist_index(1001)], 7);
        assert_rows_sum(r);
        assert_int_equal(r->rows[IFP_LEDGER_BARRIER].total_ns, (6 * 333 * 7 + 5) / 10);
        for (uint32_t i = 0; i < r->n_rows; i++)
                assert_int_equal(r->values[i], 7); /* one value a step */
        assert_int_equal(r->zeros[IFP_LEDGER_BARRIER], 1);
        assert_int_equal(r->zeros[IFP_LEDGER_LOCK], 7);
        assert_int_equal(r->n_threads, IFP_N_LEDGER);
        for (uint32_t i = 0; i < r->n_threads; i++) {
                assert_int_equal(r->threads[i].steps, 7);
                sum += r->threads[i].total_ns;
        }
        assert_int_equal(sum, r->ledger.all_ns);
        assert_int_equal(r->n_slow, 0);
}

static void sums_need_no_record(void **state)
{
        struct world *w = *state;
        const struct rows *r;
        uint32_t dropped = 0;

        for (int i = 0; i < 3000; i++)
                dropped += !step(w, 1000, 10, 10);
        world_tick(w);
        world_flush(w);
        r = read_file(w);
        assert_int_equal(dropped, 3000 - IFP_TOKEN_RING);
        assert_int_equal(r->ledger.steps, 3000);
        assert_int_equal(r->ledger.dropped, dropped);
        assert_int_equal(r->ledger.wall_ns, 2100000);
        assert_int_equal(hist_count(r->wall), IFP_TOKEN_RING);
        assert_rows_sum(r);
        assert_true(step(w, 1000, 10, 10)); /* there is room again */
}

static void slow_steps_are_kept_whole(void **state)
{
        struct world *w = *state;
        const struct rows *r;

        step(w, 100000, 1, 1); /* before there is a median: found out later */
        for (int i = 0; i < 30; i++)
                step(w, 1000, 10, 10);
        step(w, 2900, 10, 10);
        step(w, 3500, 1234, 10);
        world_tick(w);
        world_flush(w);
        r = read_file(w);
        assert_int_equal(r->n_slow, 2);
        assert_int_equal(r->slow[0].number, 1);
        assert_int_equal(r->slow[0].wall_ns, 70000);
        assert_int_equal(r->slow[1].number, 33);
        assert_int_equal(r->slow[1].wall_ns, 2450);
        assert_int_equal(r->slow[1].tokens, 1);
        assert_true(r->slow[1].minor_faults == RUNFILE_NOT_TOLD);
        assert_int_equal(r->slow[1].major_faults, 0);
        assert_int_equal(r->n_slow_rows, 2 * 3 * IFP_N_LEDGER);
        for (uint32_t slot = 0; slot < 2; slot++)
                for (uint32_t who = 0; who < IFP_N_LEDGER_WHO; who++) {
                        uint64_t sum = 0;

                        for (uint32_t i = 0; i < IFP_N_LEDGER; i++)
                                sum += r->slow_rows[slot * 3 * IFP_N_LEDGER + who * IFP_N_LEDGER +
                                                    i]
                                               .ns;
                        assert_int_equal(sum, r->slow[slot].wall_ns);
                }
        assert_int_equal(r->slow_rows[3 * IFP_N_LEDGER + IFP_LEDGER_BARRIER].ns,
                         (1234 * 7 + 5) / 10);
        for (int i = 0; i < 40; i++) { /* the last sixteen */
                step(w, 1000, 10, 10);
                step(w, 1000, 10, 10);
                if (i >= 20)
                        step(w, 5000 + (uint64_t)i, 10, 10);
        }
        world_tick(w);
        world_flush(w);
        r = read_file(w);
        assert_int_equal(r->n_slow, LEDGER_SLOW);
        for (uint32_t i = 0; i < LEDGER_SLOW; i++)
                assert_true(r->slow[i].wall_ns >= 5024 * 7 / 10);
}

static void a_step_in_the_making_is_not_looked_at(void **state)
{
        struct world *w = *state;

        step(w, 1000, 10, 10);
        world_tick(w);
        step(w, 1000, 10, 10);
        w->f.seg->ledger.seq = 1;
        w->f.seg->ledger.rows[0][0] += 5; /* and the rest not yet */
        world_tick(w);
        assert_int_equal(w->p->ledger->sums.steps, 1);
        process_end(w->p, RUNFILE_END_SIGNAL, 9, w->now); /* killed in the midst of it */
        world_flush(w);
        assert_rows_sum(read_file(w));
        assert_int_equal(read_file(w)->ledger.steps, 2);
        assert_int_equal(read_file(w)->ledger.wall_ns, 1400);
}

/* A thread of a step may be over before the step is. */
static void what_comes_late_is_the_last_threads(void **state)
{
        struct world *w = *state;
        uint64_t rows[IFP_N_LEDGER] = {0};
        const struct rows *r;

        fake_lane_begin(&w->f, 1, 101);
        world_tick(w);
        fake_lane_end(&w->f, 1);
        world_tick(w);
        fake_step(&w->f, 1, 100, rows);
        fake_lane_begin(&w->f, 1, 102);
        world_tick(w);
        fake_step(&w->f, 1, 1000, rows);
        fake_lane_end(&w->f, 1);
        world_tick(w);
        fake_step(&w->f, 1, 10000, rows);
        world_tick(w);
        world_flush(w);
        r = read_file(w);
        assert_int_equal(r->n_threads, 2 * IFP_N_LEDGER);
        assert_int_equal(r->threads[0].thread, 1);
        assert_int_equal(r->threads[0].total_ns, 70);
        assert_int_equal(r->threads[IFP_N_LEDGER].thread, 2);
        assert_int_equal(r->threads[IFP_N_LEDGER].steps, 2);
        assert_int_equal(r->threads[IFP_N_LEDGER].total_ns, 7700);
}

static void the_next_daemon_goes_on(void **state)
{
        struct world *w = *state;
        const struct rows *r;
        uint64_t sum = 0;

        for (int i = 0; i < 20; i++)
                step(w, 1000, 10, 10);
        step(w, 9000, 10, 10);
        world_tick(w);
        world_flush(w);
        step(w, 1000, 10, 10);
        world_tick(w); /* read, not written: its record is lost */
        step(w, 1000, 10, 10);
        world_resume(w);
        step(w, 8000, 10, 10);
        world_tick(w);
        world_flush(w);
        r = read_file(w);
        assert_int_equal(r->ledger.steps, 24);
        assert_int_equal(hist_count(r->wall), 23);
        assert_rows_sum(r);
        assert_int_equal(r->n_slow, 2);
        assert_int_equal(r->slow[0].number, 21);
        assert_int_equal(r->slow[1].number, 24);
        for (uint32_t i = 0; i < r->n_threads; i++) {
                assert_int_equal(r->threads[i].steps, 24);
                sum += r->threads[i].total_ns;
        }
        assert_int_equal(r->n_threads, IFP_N_LEDGER);
        assert_int_equal(sum, r->ledger.all_ns);
}

static void rows_sum_whatever_they_are(void **state)
{
        static const uint64_t odd[][IFP_N_LEDGER] = {
                {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
                {UINT64_MAX, UINT64_MAX, 3},
                {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, UINT64_MAX},
                {7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1},
        };
        static const uint64_t walls[] = {0, 1, 11, 12345, UINT64_MAX};
        struct world *w = *state;

        for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
                for (size_t k = 0; k < sizeof(walls) / sizeof(walls[0]); k++) {
                        uint64_t ns[IFP_N_LEDGER], sum = 0;

                        ledger_rows_ns(&w->p->clock, odd[i], walls[k], ns);
                        for (uint32_t r = 0; r < IFP_N_LEDGER; r++)
                                sum += ns[r];
                        assert_int_equal(sum, clock_ns(&w->p->clock, walls[k]));
                }
}

/* ---- lies ---- */

static void lies_are_caught(void **state)
{
        struct world *w = *state;
        struct ifp_segment *seg = w->f.seg;

        step(w, 1000, 10, 10);
        world_tick(w);
        LIE(seg->ledger.head, 0);
        LIE(seg->ledger.head, 1 + IFP_TOKEN_RING + 1);
        LIE(seg->ledger.steps, 0);
}

static void lies_of_a_record_are_caught(void **state)
{
        struct world *w = *state;
        struct ifp_token_record *t = &w->f.seg->token_ring[0], was;
        const char *why;

        step(w, 1000, 10, 10);
        was = *t;
        t->number = 2;
        assert_int_equal(world_look(w, &why), SEGMENT_E_BAD);
        *t = was;
        t->end = t->start - 1;
        assert_int_equal(world_look(w, &why), SEGMENT_E_BAD);
        *t = was;
        t->lane = 4;
        assert_int_equal(world_look(w, &why), SEGMENT_E_BAD);
        assert_non_null(why);
        *t = was;
        world_tick(w);
        assert_int_equal(w->p->ledger->wall.count, 1);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(steps_become_rows),
                CASE(sums_need_no_record),
                CASE(slow_steps_are_kept_whole),
                CASE(a_step_in_the_making_is_not_looked_at),
                CASE(what_comes_late_is_the_last_threads),
                CASE(the_next_daemon_goes_on),
                CASE(rows_sum_whatever_they_are),
                CASE(lies_are_caught),
                CASE(lies_of_a_record_are_caught),
        };

        return cmocka_run_group_tests_name("steps", tests, NULL, NULL);
}
