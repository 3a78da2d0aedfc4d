/* SPDX-License-Identifier: MIT */
/* preload/shape.c: each shape once. */
#include "preload/shape.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <cmocka.h>

__thread struct ifp_tls ifp_tls;
struct ifp_segment *ifp_seg;

static int setup(void **state)
{
        (void)state;
        ifp_seg = mmap(NULL, ifp_segment_bytes(2), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        assert_ptr_not_equal(ifp_seg, MAP_FAILED);
        ifp_seg->live.n_shapes = 1;
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        munmap(ifp_seg, ifp_segment_bytes(2));
        return 0;
}

static struct ifp_shape a_shape(uint64_t rows)
{
        struct ifp_shape s = {.op = 5, .parts = 1, .n_operands = 2};

        s.at[0].ne[0] = rows;
        s.at[1].ne[0] = 7;
        return s;
}

static void the_same_has_the_same_number(void **state)
{
        struct ifp_shape a = a_shape(3), b = a_shape(4);
        uint32_t i = ifp_shape(&a), k = ifp_shape(&b);

        (void)state;
        assert_int_not_equal(i, 0);
        assert_int_not_equal(i, k);
        assert_int_equal(ifp_shape(&a), i);
        assert_int_equal(ifp_shape(&b), k);
        assert_int_equal(ifp_seg->live.n_shapes, 3);
        assert_int_equal(ifp_seg->shapes[i].at[0].ne[0], 3);
        assert_true(ifp_seg->shapes[i].hash != 0);
}

static void all_of_it_counts(void **state)
{
        struct ifp_shape a = a_shape(3), b;
        uint32_t i = ifp_shape(&a);

        (void)state;
#define DIFFERS(field, value)                                                                      \
        do {                                                                                       \
                b = a;                                                                             \
                b.field = value;                                                                   \
                assert_int_not_equal(ifp_shape(&b), i);                                            \
        } while (0)
        DIFFERS(op, 6);
        DIFFERS(parts, 2);
        DIFFERS(n_operands, 1);
        DIFFERS(at[1].ne[3], 2);
        DIFFERS(at[1].nb[2], 2);
        DIFFERS(at[0].type, 1);
        DIFFERS(n_params, 1);
        a.n_params = 2;
        a.params[1] = 9;
        i = ifp_shape(&a);
        assert_int_equal(ifp_seg->shapes[i].params[1], 9);
        DIFFERS(params[1], -9);
        DIFFERS(n_params, 1);
        /* beyond its operands and parameters there is nothing */
        b = a;
        b.at[2].ne[0] = 9;
        b.params[2] = 9;
        assert_int_equal(ifp_shape(&b), i);
}

static void a_full_table_has_no_room(void **state)
{
        struct ifp_shape a = a_shape(3), b = a_shape(4);
        uint32_t i = ifp_shape(&a);

        (void)state;
        ifp_seg->live.n_shapes = IFP_MAX_SHAPES;
        assert_int_equal(ifp_shape(&b), 0);
        assert_int_equal(ifp_shape(&a), i);
}

static void a_call_is_in_its_row(void **state)
{
        struct ifp_lane *lane = &ifp_seg->lanes[1];

        (void)state;
        ifp_shape_count(lane, 3, IFP_PHASE_DECODE, 100, 30);
        ifp_shape_count(lane, 3, IFP_PHASE_DECODE, 100, 130); /* no more than all of it */
        assert_int_equal(lane->shapes[3][IFP_PHASE_DECODE].calls, 2);
        assert_int_equal(lane->shapes[3][IFP_PHASE_DECODE].total, 200);
        assert_int_equal(lane->shapes[3][IFP_PHASE_DECODE].child, 130);
        assert_int_equal(lane->shapes[3][IFP_PHASE_PREFILL].calls, 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(the_same_has_the_same_number),
                CASE(all_of_it_counts),
                CASE(a_full_table_has_no_room),
                CASE(a_call_is_in_its_row),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
