/* SPDX-License-Identifier: MIT */
/*
 * The arithmetic of samples, in fixed point, against the formulas in long double: gaps, weights,
 * variances; and that sums over samples have the true sums as their mean.
 */
#include "preload/heap.c"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N_DRAWS 400000

/* What heap.c needs of the rest of the shim. */
__thread struct ifp_tls ifp_tls;
struct ifp_segment *ifp_seg;
uint8_t ifp_wipe[4096];
uint32_t ifp_phase;
bool ifp_off;
uint16_t ifp_live_filter[IFP_LIVE_HOMES];

static struct ifp_sample last;
static bool refuse_live;

uint32_t ifp_stack(const struct ifp_tls *tls, bool shared, uint32_t op, uint32_t phase,
                   const uint64_t *frames, uint32_t n, uint32_t flags)
{
        (void)tls, (void)shared, (void)phase, (void)frames, (void)n, (void)flags;
        return op;
}

bool ifp_frames_here(struct ifp_tls *tls, const void *caller, struct ifp_frames *ret)
{
        (void)tls, (void)caller;
        ret->n = 1;
        ret->flags = 0;
        return true;
}

void ifp_live_init(void)
{
}

bool ifp_live_add(const void *p, const struct ifp_sample *s)
{
        (void)p;
        last = *s;
        return !refuse_live;
}

bool ifp_live_take(const void *p, struct ifp_sample *ret)
{
        (void)p;
        *ret = last;
        return true;
}

void ifp_live_each(void (*fn)(const struct ifp_sample *s))
{
        fn(&last);
}

static int begin(void **state)
{
        (void)state;
        ifp_seg = mmap(NULL, sizeof(*ifp_seg), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (ifp_seg == MAP_FAILED)
                return -1;
        ifp_wipe[0] = 1;
        refuse_live = false;
        ifp_tls.random = 1;
        ifp_seg->header.ticks_per_second = 1000000000;
        ifp_seg->header.heap_interval = 1;
        ifp_heap_init();
        return 0;
}

static int end(void **state)
{
        (void)state;
        return munmap(ifp_seg, sizeof(*ifp_seg));
}

static void assert_near(long double value, long double right, long double relative)
{
        if (fabsl(value - right) > relative * fabsl(right))
                fail_msg("%Lg, should be %Lg", value, right);
}

static void weights_are_those_of_the_formula(void **state)
{
        static const uint64_t intervals[] = {2, 3, 100, 4096, 524288, 1u << 30};

        (void)state;
        for (unsigned k = 0; k < sizeof(intervals) / sizeof(intervals[0]); k++) {
                ifp_seg->header.heap_interval = intervals[k];
                for (uint64_t u = 1; u < 1ull << 40; u = u * 9 / 8 + 1) {
                        long double x = (long double)u / (long double)intervals[k];
                        long double w = 1 / -expm1l(-x);
                        struct weight have = weigh(u);

                        assert_near((long double)have.w / ONE, w, 2e-6L);
                        assert_true(fabsl((long double)have.bytes - w * (long double)u) <
                                    0.51L + 3e-6L * w * (long double)u);
                        assert_true(fabsl((long double)have.objects_var - w * (w - 1)) <
                                    1 + 1e-5L * w * w);
                        assert_true(fabsl((long double)have.bytes_var / 65536 -
                                          x * x * w * (w - 1)) < 1e-3L);
                }
        }
}

static void at_interval_1_each_counts_once(void **state)
{
        struct weight w = weigh(24);

        (void)state;
        assert_int_equal(w.w, ONE);
        assert_int_equal(w.bytes, 24);
        assert_int_equal(w.objects_var, 0);
        assert_int_equal(w.bytes_var, 0);
}

static void gaps_are_exponential(void **state)
{
        long double sum = 0, square = 0, beyond = 0;

        (void)state;
        ifp_seg->header.heap_interval = 524288;
        for (int i = 0; i < N_DRAWS; i++) {
                long double g = ifp_heap_gap(&ifp_tls) / 524288.0L;

                sum += g;
                square += g * g;
                beyond += g > 3;
        }
        assert_near(sum / N_DRAWS, 1, 0.01L); /* its standard error is 0.0016 */
        assert_near(square / N_DRAWS, 2, 0.03L);
        assert_near(beyond / N_DRAWS, expl(-3), 0.03L);
}

/* Blocks of all sizes along the line of bytes, as the hooks do it. */
static void sums_over_samples_are_unbiased(void **state)
{
        struct ifp_stack *stack = &ifp_seg->stacks[3];
        uint64_t at = 0, next, objects = 0, seed = 7;
        long double error, bytes = 0;

        (void)state;
        ifp_seg->header.heap_interval = 65536;
        next = ifp_heap_gap(&ifp_tls);
        for (int i = 0; i < 4 * N_DRAWS; i++) {
                uint64_t usable;

                seed = seed * 6364136223846793005ull + 1442695040888963407ull;
                usable = 24 + (seed >> 33 & 4095) * (seed >> 60 ? 1 : 100);
                at += usable;
                bytes += (long double)usable;
                objects++;
                if (at < next)
                        continue;
                next = at + ifp_heap_gap(&ifp_tls);
                ifp_heap_sample(&ifp_tls, 3, NULL, &at, usable, usable);
        }
        assert_true(stack->samples > 1000);
        error = sqrtl((long double)stack->alloc_bytes_var / 65536) * 65536;
        assert_near((long double)stack->alloc_bytes, bytes, 0.02L);
        assert_true(fabsl((long double)stack->alloc_bytes - bytes) < 5 * error);
        assert_true(error < 0.01L * bytes && error > 0.0001L * bytes);
        error = sqrtl((long double)stack->alloc_objects_var);
        assert_true(fabsl((long double)stack->alloc_objects / 65536 - (long double)objects) <
                    5 * error);
        assert_int_equal(stack->asked_bytes, stack->alloc_bytes);
}

static void what_is_freed_leaves_nothing(void **state)
{
        struct ifp_stack *stack = &ifp_seg->stacks[5];

        (void)state;
        ifp_seg->header.heap_interval = 4096;
        for (uint64_t u = 1; u < 10000000; u = u * 3 + 1) {
                ifp_heap_sample(&ifp_tls, 5, NULL, &u, u, u);
                ifp_heap_gone(&u);
        }
        assert_int_equal(stack->samples, stack->freed_else.samples);
        assert_int_equal(stack->alloc_bytes, stack->freed_else.bytes);
        assert_int_equal(stack->alloc_objects, stack->freed_else.objects);
        assert_int_equal(stack->alloc_bytes_var, stack->freed_else.bytes_var);
        assert_int_equal(stack->alloc_objects_var, stack->freed_else.objects_var);
}

static void one_that_cannot_be_followed_is_said(void **state)
{
        (void)state;
        refuse_live = true;
        ifp_heap_sample(&ifp_tls, 4, NULL, &refuse_live, 100, 104);
        assert_int_equal(ifp_seg->live.samples_untracked, 1);
        assert_int_equal(ifp_seg->stacks[4].freed_else.bytes, 104);
}

static void a_fork_child_inherits_what_is_in_use(void **state)
{
        (void)state;
        ifp_heap_sample(&ifp_tls, 6, NULL, &state, 100, 104);
        ifp_heap_inherit();
        assert_int_equal(ifp_seg->stacks[6].inherited_bytes, 104);
        assert_int_equal(ifp_seg->stacks[6].inherited_objects, 65536);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(weights_are_those_of_the_formula, begin, end),
                cmocka_unit_test_setup_teardown(at_interval_1_each_counts_once, begin, end),
                cmocka_unit_test_setup_teardown(gaps_are_exponential, begin, end),
                cmocka_unit_test_setup_teardown(sums_over_samples_are_unbiased, begin, end),
                cmocka_unit_test_setup_teardown(what_is_freed_leaves_nothing, begin, end),
                cmocka_unit_test_setup_teardown(one_that_cannot_be_followed_is_said, begin, end),
                cmocka_unit_test_setup_teardown(a_fork_child_inherits_what_is_in_use, begin, end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
