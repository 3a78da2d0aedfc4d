/* SPDX-License-Identifier: MIT */
/* Arrivals at barriers: who was the last, also where one is missed or a place is another's. */
#include "preload/barrier.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

__thread struct ifp_tls ifp_tls;
struct ifp_segment *ifp_seg;
uint8_t ifp_wipe[4096] = {1};
bool ifp_waits_on = true;

static uint32_t self; /* gen of the thread that is arriving */

struct ifp_who ifp_who_self(const struct ifp_tls *tls)
{
        return (struct ifp_who){.gen = self};
}

void ifp_wait_last(struct ifp_wait_call *w, bool saved)
{
}

bool ifp_wait_begin_saved(struct ifp_wait_call *w)
{
        return true;
}

void ifp_wait_end(struct ifp_wait_call *w, enum ifp_wait_how how)
{
}

static int object;

static struct ifp_arrival arrive(uint32_t gen, uint32_t n)
{
        self = gen;
        return ifp_barrier_arrive(&ifp_tls, &object, n, 0);
}

static int tear_down(void **state)
{
        ifp_barrier_gone(&object);
        return 0;
}

static void the_last_is_known_to_all(void **state)
{
        for (uint32_t episode = 0; episode < 5; episode++) {
                struct ifp_arrival a = arrive(1, 3), b = arrive(2, 3), c = arrive(3 + episode, 3);

                assert_false(a.last || b.last);
                assert_true(c.last);
                assert_int_equal(ifp_barrier_last(&a).gen, 3 + episode);
                assert_int_equal(ifp_barrier_last(&b).gen, 3 + episode);
        }
}

/* It is over though only one was seen to come: nobody is known, and the next is right again. */
static void an_arrival_that_is_missed(void **state)
{
        struct ifp_arrival a = arrive(1, 2);

        assert_int_equal(ifp_barrier_last(&a).gen, 0);
        a = arrive(1, 2);
        assert_true(arrive(2, 2).last);
        assert_int_equal(ifp_barrier_last(&a).gen, 2);
}

static void the_number_of_threads_changes(void **state)
{
        struct ifp_arrival a = arrive(1, 2);

        assert_true(arrive(2, 2).last);
        assert_int_equal(ifp_barrier_last(&a).gen, 2);
        a = arrive(1, 3);
        assert_false(arrive(2, 3).last);
        assert_true(arrive(3, 3).last);
        assert_int_equal(ifp_barrier_last(&a).gen, 3);
}

/* One at the same address, later: the last of the one before is none of its. */
static void a_place_that_was_another_s(void **state)
{
        struct ifp_arrival a = arrive(1, 2);

        assert_true(arrive(2, 2).last);
        ifp_barrier_gone(&object);
        assert_int_equal(ifp_barrier_last(&a).gen, 2); /* asked late, and known all the same */
        a = arrive(1, 2);
        assert_false(a.last);
        assert_int_equal(ifp_barrier_last(&a).gen, 0);
}

/* What was before it on its way to its place is gone: it stays where it is. */
static void a_barrier_stays_where_it_is(void **state)
{
        uint64_t before = 4096, at = before + 64;
        struct ifp_arrival a;

        while (slot_of(at) != slot_of(before))
                at += 64;
        ifp_barrier_known((const void *)before, 2, false);
        self = 1;
        a = ifp_barrier_arrive(&ifp_tls, (const void *)at, 2, 0);
        ifp_barrier_gone((const void *)before);
        self = 2;
        assert_true(ifp_barrier_arrive(&ifp_tls, (const void *)at, 2, 0).last);
        assert_int_equal(ifp_barrier_last(&a).gen, 2);
        ifp_barrier_gone((const void *)at);
        assert_null(ifp_barrier_arrive(&ifp_tls, (const void *)at, 0, 0).barrier);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_teardown(fn, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(the_last_is_known_to_all),      TEST(an_arrival_that_is_missed),
                TEST(the_number_of_threads_changes), TEST(a_place_that_was_another_s),
                TEST(a_barrier_stays_where_it_is),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
