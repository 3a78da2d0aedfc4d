/* SPDX-License-Identifier: MIT */
/* What the programs in the kernel cost, and whose it is: a kernel that is made up counts, by a
 * clock that is made up. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/kernel-private.h"
#include "daemon/process.h"

#define MS 1000000ull

static struct {
        bool may, counts;
        uint64_t now_ns, events, ns;
} kernel;

uint64_t clock_mono_ns(void)
{
        return kernel.now_ns;
}

bool kernel_bpf_measure(struct kernel_bpf *b, bool on)
{
        return kernel.counts = on && kernel.may;
}

void kernel_bpf_cost(struct kernel_bpf *b, uint64_t *ret_events, uint64_t *ret_ns,
                     uint64_t *ret_missed)
{
        *ret_events = kernel.events;
        *ret_ns = kernel.ns;
        *ret_missed = 0;
}

/* A thousand runs of 50 ns each in a ms, of which the kernel counts those it is told to. */
static void pass(unsigned ms)
{
        kernel.now_ns += ms * MS;
        if (kernel.counts) {
                kernel.events += ms * 1000;
                kernel.ns += ms * 50000;
        }
        kernel_tick(kernel.now_ns);
}

static uint64_t events(void)
{
        uint64_t n, ns, missed;

        assert_true(kernel_cost(kernel.now_ns, &n, &ns, &missed));
        assert_true(ns + 50 >= n * 50 && ns <= n * 50 + 50);
        return n;
}

static void each_has_his_part(void **state)
{
        struct kernel_bpf b;
        uint64_t first, second;

        kernel.may = true;
        kernel_cost_begin(&b);
        kernel_cost_watched(kernel.now_ns, 1);
        first = events();
        pass(100);
        assert_int_equal(events() - first, 100000);
        kernel_cost_watched(kernel.now_ns, 2);
        second = events();
        pass(100);
        assert_int_equal(events() - first, 150000);
        assert_int_equal(events() - second, 50000);
        kernel_cost_watched(kernel.now_ns, 1); /* the first is over */
        pass(10);
        assert_int_equal(events() - second, 60000);
        kernel_cost_watched(kernel.now_ns, 0);
        kernel_cost_end();
        assert_true(kernel_deadline() == UINT64_MAX);
}

static void what_is_not_measured_is_like_what_was(void **state)
{
        struct kernel_bpf b;
        uint64_t before;

        kernel.may = true;
        kernel_cost_begin(&b);
        kernel_cost_watched(kernel.now_ns, 1);
        before = events();
        for (int i = 0; i < 1000; i++)
                pass(10);
        assert_in_range(events() - before, 9990000, 10010000);
        kernel_cost_watched(kernel.now_ns, 0);
        kernel_cost_end();
}

static void nobody_may_measure(void **state)
{
        struct kernel_bpf b;
        uint64_t n, ns, missed;

        kernel.may = false;
        kernel_cost_begin(&b);
        kernel_cost_watched(kernel.now_ns, 1);
        pass(500);
        assert_false(kernel_cost(kernel.now_ns, &n, &ns, &missed));
        assert_true(kernel_deadline() == UINT64_MAX);
        kernel_cost_watched(kernel.now_ns, 0);
        kernel_cost_end();
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_has_his_part),
                cmocka_unit_test(what_is_not_measured_is_like_what_was),
                cmocka_unit_test(nobody_may_measure),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
