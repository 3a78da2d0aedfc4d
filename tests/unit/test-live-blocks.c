/* SPDX-License-Identifier: MIT */
/*
 * The table of sampled blocks: nothing is lost, nothing is found twice, with many more blocks than
 * its first part holds, and with threads that free what others put in.
 */
#include "preload/live.c"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N_BLOCKS  200000u
#define N_THREADS 4u
#define N_TURNS   20u

static void *block(uint64_t i)
{
        return (void *)(uintptr_t)(0x10000 + i * 48);
}

static uint64_t n_found, sum_found;

static void count(const struct ifp_sample *s)
{
        n_found++;
        sum_found += s->usable;
}

static void all_that_is_put_in_comes_out(void **state)
{
        struct ifp_sample s;

        (void)state;
        ifp_live_init();
        for (uint64_t i = 0; i < N_BLOCKS; i++)
                assert_true(ifp_live_add(block(i), &(struct ifp_sample){.usable = i, .stack = 9}));
        n_found = sum_found = 0;
        ifp_live_each(count);
        assert_int_equal(n_found, N_BLOCKS);
        assert_int_equal(sum_found, (uint64_t)N_BLOCKS * (N_BLOCKS - 1) / 2);
        assert_false(ifp_live_take(block(N_BLOCKS), &s));
        for (uint64_t i = N_BLOCKS; i-- > 0;) {
                assert_true(ifp_live_filter[ifp_live_home(block(i))] > 0);
                assert_true(ifp_live_take(block(i), &s));
                assert_int_equal(s.usable, i);
                assert_false(ifp_live_take(block(i), &s));
        }
        for (uint32_t h = 0; h < IFP_LIVE_HOMES; h++)
                assert_int_equal(ifp_live_filter[h], 0);
}

static pthread_barrier_t barrier;

/* Each thread puts its own in, and takes out those of the thread after it. */
static void *work(void *arg)
{
        uint64_t me = (uint64_t)(uintptr_t)arg, other = (me + 1) % N_THREADS, missing = 0;
        struct ifp_sample s;

        for (uint64_t t = 0; t < N_TURNS; t++) {
                for (uint64_t i = 0; i < 5000; i++)
                        missing += !ifp_live_add(block(i * N_THREADS + me),
                                                 &(struct ifp_sample){.usable = t + i});
                pthread_barrier_wait(&barrier);
                for (uint64_t i = 0; i < 5000; i++)
                        missing += !ifp_live_take(block(i * N_THREADS + other), &s) ||
                                   s.usable != t + i;
                pthread_barrier_wait(&barrier);
        }
        return (void *)(uintptr_t)missing;
}

static void threads_free_what_others_took(void **state)
{
        pthread_t threads[N_THREADS];
        void *missing;

        (void)state;
        pthread_barrier_init(&barrier, NULL, N_THREADS);
        for (uint64_t i = 0; i < N_THREADS; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)i), 0);
        for (uint64_t i = 0; i < N_THREADS; i++) {
                pthread_join(threads[i], &missing);
                assert_null(missing);
        }
        n_found = 0;
        ifp_live_each(count);
        assert_int_equal(n_found, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(all_that_is_put_in_comes_out),
                cmocka_unit_test(threads_free_what_others_took),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
