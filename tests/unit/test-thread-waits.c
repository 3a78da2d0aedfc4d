/* SPDX-License-Identifier: MIT */
/* daemon/thread-waits.c and course.c: waits by thread, those in progress, and what moves from
 * second to second. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "wait-rows.h"

static int setup(void **state)
{
        struct world *w = world_new(8);

        w->op = fake_op(&w->f, "mul_mat", IFP_KIND_KERNEL);
        w->ns_per_tick = 0.5;
        world_attach(w, false);
        *state = w;
        return 0;
}

static int collect_last(const struct runfile_thread_wait *row, void *userdata)
{
        *(struct runfile_thread_wait *)userdata = *row;
        return 0;
}

static struct runfile_thread_wait last_thread(struct world *w)
{
        struct runfile_thread_wait last = {0};
        struct runfile *rf;
        char *why = NULL;

        assert_int_equal(runfile_open(&rf, w->path, &why), 0);
        assert_int_equal(runfile_each_thread_wait(rf, collect_last, &last), 0);
        runfile_close(rf);
        assert_int_equal(last.thread, PROCESS_MAX_THREADS);
        return last;
}

static void threads_beyond_the_table_share_their_waits(void **state)
{
        struct world *w = *state;
        uint64_t n, fullest, later = 0;
        const char *why;
        uint32_t i;

        fake_lane_begin(&w->f, 0, 1);
        i = fake_wait(&w->f, 1, IFP_WAIT_COND, 0, 0, 0, 0);
        w->now += 1;
        assert_int_equal(process_round(w->p, w->now, &n, &fullest, &why), 0);
        for (uint32_t k = 1; k < PROCESS_MAX_THREADS + 50; k++) {
                fake_lane_begin(&w->f, 1, (int)(100 + k));
                fake_waited(&w->f, i, 2, -1);
                fake_lane_end(&w->f, 1);
                assert_int_equal(process_round(w->p, w->now, &n, &fullest, &why), 0);
        }
        fake_lane_begin(&w->f, 1, 9999);
        fake_waited(&w->f, i, 2, -1);
        world_tick(w);
        world_flush(w);
        assert_int_equal(w->p->n_threads, PROCESS_MAX_THREADS);
        later = last_thread(w).count;
        assert_int_equal(later, 51);
        assert_int_equal(thread_of_lane(w->p, 1, PROCESS_MAX_THREADS + 45), PROCESS_MAX_THREADS);
        assert_int_equal(thread_of_lane(w->p, 1, PROCESS_MAX_THREADS - 5), PROCESS_MAX_THREADS - 5);
        world_resume(w);
        fake_waited(&w->f, i, 2, -1);
        world_tick(w);
        world_flush(w);
        assert_int_equal(last_thread(w).count, 52);
}

static void a_wait_in_progress_is_told(void **state)
{
        struct world *w = *state;
        const struct wait_rows *r;
        const char *why;
        uint32_t i;

        fake_lane_begin(&w->f, 0, 100);
        fake_lane_begin(&w->f, 1, 101);
        i = fake_wait(&w->f, 0, IFP_WAIT_COND, 0x77, 0, 0, 0);
        world_tick(w);
        fake_wait_begin(&w->f, 0, i);
        usleep(2000);
        world_tick(w);
        world_flush(w);
        r = wait_rows(w);
        assert_int_equal(r->n_now, 1);
        assert_int_equal(r->now[0].by_thread, -1);
        assert_int_equal(r->now[0].thread, 0);
        assert_int_equal(r->now[0].kind, IFP_WAIT_COND);
        assert_int_equal(r->now[0].object, 0x77);
        assert_int_equal(r->now[0].wait, i);
        assert_true(r->now[0].since_ns > 0);
        assert_true(r->now[0].for_ns > 500000);
        assert_int_equal(w->p->waits.list[i].n_waiting, 1);
        assert_true(w->p->waits.list[i].progress_ticks > 0);
        fake_wait_end(&w->f, 0);
        w->p->dirty = false;
        world_tick(w);
        assert_true(w->p->dirty);
        world_flush(w);
        r = wait_rows(w);
        assert_int_equal(r->n_now, 1);
        assert_int_equal(r->now[0].kind, 0);
        assert_int_equal(r->now[0].wait, -1);
        assert_int_equal(w->p->waits.list[i].n_waiting, 0);
        /* what nothing moves in is not written each second */
        w->p->dirty = false;
        w->now += 1000000000;
        assert_int_equal(process_tick(w->p, w->now, &why), 0);
        assert_false(w->p->dirty);
}

static void whom_a_wait_in_progress_is_for(void **state)
{
        struct world *w = *state;
        struct ifp_lane_waits *l = &w->f.seg->lanes[0].waits;
        const struct wait_rows *r;
        uint32_t i;

        fake_lane_begin(&w->f, 0, 100);
        fake_lane_begin(&w->f, 1, 101);
        i = fake_wait(&w->f, 0, IFP_WAIT_MUTEX, 0x77, 0, 0, 0);
        l->by = w->f.seg->lanes[1].gen | 1ull << 32;
        fake_wait_begin(&w->f, 0, i);
        world_tick(w);
        world_flush(w);
        r = wait_rows(w);
        assert_int_equal(r->n_now, 1);
        assert_int_equal(r->now[0].by_thread, 1);
        /* a thread that had the lane before, and is not known */
        fake_wait_end(&w->f, 0);
        l->by = (w->f.seg->lanes[1].gen + 7) | 1ull << 32;
        fake_wait_begin(&w->f, 0, i);
        world_tick(w);
        assert_int_equal(w->p->threads[0]->now.by, -1);
        /* a join that began before the lane was there */
        fake_wait_end(&w->f, 0);
        l->by = 0;
        w->f.seg->lanes[1].waits.thread = 0x7000 >> 6;
        fake_wait_begin(&w->f, 0, i);
        l->object = 0x7000;
        world_tick(w);
        assert_int_equal(w->p->threads[0]->now.by, -1);
        l->kind = IFP_WAIT_JOIN;
        world_tick(w);
        assert_int_equal(w->p->threads[0]->now.by, 1);
        l->thread = 0x7000 >> 6; /* which of the two is not known */
        world_tick(w);
        assert_int_equal(w->p->threads[0]->now.by, -1);
}

static void a_thread_that_dies_in_a_wait_is_seen_in_it(void **state)
{
        struct world *w = *state;
        uint32_t i;

        fake_lane_begin(&w->f, 0, 100);
        fake_lane_begin(&w->f, 1, 101);
        i = fake_wait(&w->f, 0, IFP_WAIT_COND, 0x77, 0, 0, 0);
        fake_wait_begin(&w->f, 0, i);
        fake_wait_begin(&w->f, 1, i);
        world_tick(w);
        fake_lane_end(&w->f, 1); /* ended, and so did its wait */
        process_end(w->p, RUNFILE_END_SIGNAL, 9, w->now);
        world_flush(w);
        assert_int_equal(wait_rows(w)->n_now, 2 - 1);
        assert_int_equal(wait_rows(w)->now[0].thread, 0);
        assert_int_equal(wait_rows(w)->now[0].kind, IFP_WAIT_COND);
}

static void what_moves_is_known_with_what_goes_on(void **state)
{
        struct world *w = *state;
        const struct wait *e;
        const struct thread *t;
        const struct wait_course *kind;
        uint32_t i;

        fake_lane_begin(&w->f, 0, 100);
        fake_lane_begin(&w->f, 1, 101);
        i = fake_wait(&w->f, 0, IFP_WAIT_COND, 0x77, 0, 0, 0);
        fake_waited(&w->f, i, 1000, 1);
        world_tick(w);
        fake_waited(&w->f, i, 300, 1);
        fake_waited(&w->f, i, 50, -1);
        world_tick(w);
        e = &w->p->waits.list[i];
        t = w->p->threads[0];
        kind = &w->p->kinds[IFP_WAIT_COND];
        assert_int_equal(e->course.count_at_tick - e->course.count_before, 2);
        assert_int_equal(e->course.ticks_at_tick - e->course.ticks_before, 350);
        assert_int_equal(e->by_moved[0], 300);
        assert_int_equal(t->course.waited[IFP_WAIT_COND], 350);
        assert_int_equal(kind->count_at_tick - kind->count_before, 2);
        fake_wait_begin(&w->f, 0, i);
        usleep(1000);
        world_tick(w);
        assert_true(t->course.waited[IFP_WAIT_COND] > 100000);
        assert_int_equal(kind->count_at_tick - kind->count_before, 0);
        /* it turns out shorter than it looked: nothing moved, and nothing runs backwards */
        fake_wait_end(&w->f, 0);
        fake_waited(&w->f, i, 5, -1);
        world_tick(w);
        assert_int_equal(t->course.waited[IFP_WAIT_COND], 0);
        assert_int_equal(kind->count_at_tick - kind->count_before, 1);
}

static void a_thread_that_came_and_went_has_moved(void **state)
{
        struct world *w = *state;
        const struct wait_course *kind = &w->p->kinds[IFP_WAIT_COND];
        uint32_t i;

        fake_lane_begin(&w->f, 0, 100);
        world_tick(w);
        fake_lane_begin(&w->f, 1, 101);
        i = fake_wait(&w->f, 1, IFP_WAIT_COND, 0x77, 0, 0, 0);
        fake_waited(&w->f, i, 300, 0);
        fake_lane_end(&w->f, 1);
        world_tick(w);
        assert_int_equal(kind->count_at_tick - kind->count_before, 1);
        assert_int_equal(kind->ticks_at_tick - kind->ticks_before, 300);
        world_tick(w);
        assert_int_equal(kind->count_at_tick - kind->count_before, 0);
        assert_int_equal(kind->ticks_at_tick - kind->ticks_before, 0);
}

static int add_told(const struct runfile_thread *row, void *userdata)
{
        struct runfile_thread *sum = userdata;

        if (row->voluntary == RUNFILE_NOT_TOLD)
                return 0;
        sum->voluntary += row->voluntary;
        sum->involuntary += row->involuntary;
        sum->minor_faults += row->minor_faults;
        sum->major_faults += row->major_faults;
        return 0;
}

static void end_telling(struct world *w, uint32_t lane, uint64_t n)
{
        struct ifp_lane_waits *l = &w->f.seg->lanes[lane].waits;

        l->voluntary += n;
        l->involuntary += 2 * n;
        l->minor_faults += 3 * n;
        l->major_faults += 4 * n;
        fake_lane_end(&w->f, lane);
}

static void what_threads_told_at_their_end_counts_once(void **state)
{
        struct world *w = *state;
        struct runfile_thread sum = {0};
        struct runfile *rf;
        char *why = NULL;
        uint32_t i;

        fake_lane_begin(&w->f, 1, 101);
        i = fake_wait(&w->f, 1, IFP_WAIT_COND, 0, 0, 0, 0);
        world_tick(w);
        end_telling(w, 1, 10);
        world_tick(w);
        world_flush(w);
        /* nobody watches */
        fake_lane_begin(&w->f, 1, 102);
        fake_waited(&w->f, i, 1000, -1);
        end_telling(w, 1, 1);
        world_resume(w);
        world_tick(w);
        world_flush(w);
        assert_int_equal(runfile_open(&rf, w->path, &why), 0);
        assert_int_equal(runfile_each_thread(rf, add_told, &sum), 0);
        runfile_close(rf);
        assert_int_equal(sum.voluntary, 11);
        assert_int_equal(sum.involuntary, 22);
        assert_int_equal(sum.minor_faults, 33);
        assert_int_equal(sum.major_faults, 44);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(threads_beyond_the_table_share_their_waits),
                CASE(a_wait_in_progress_is_told),
                CASE(whom_a_wait_in_progress_is_for),
                CASE(a_thread_that_dies_in_a_wait_is_seen_in_it),
                CASE(what_moves_is_known_with_what_goes_on),
                CASE(a_thread_that_came_and_went_has_moved),
                CASE(what_threads_told_at_their_end_counts_once),
        };

        return cmocka_run_group_tests_name("thread-waits", tests, NULL, NULL);
}
