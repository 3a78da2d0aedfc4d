/* SPDX-License-Identifier: MIT */
/*
 * The arithmetic of the ledger: what a thread did in a step, told as it would be by hand; and that
 * the rows sum to the step's time whatever the lanes say.
 */
#include "preload/ledger.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

__thread struct ifp_tls ifp_tls;
struct ifp_segment *ifp_seg;
uint8_t ifp_wipe[4096] = {1};
uint32_t ifp_phase;

enum { OP_CALL = 2, OP_GRAPH, OP_NODE, OP_BARRIER, N_OPS };

static struct ifp_kernel_lane kernel[4];

static int set_up(void **state)
{
        static const uint8_t kinds[N_OPS] = {[OP_CALL] = IFP_KIND_CALL,
                                             [OP_GRAPH] = IFP_KIND_GRAPH,
                                             [OP_NODE] = IFP_KIND_NODE,
                                             [OP_BARRIER] = IFP_KIND_WAIT};

        (void)state;
        ifp_seg = mmap(NULL, ifp_segment_bytes(4), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        assert_ptr_not_equal(ifp_seg, MAP_FAILED);
        ifp_seg->header.flags = IFP_HEADER_WAITS;
        ifp_seg->header.ticks_per_second = 1000000000; /* a tick is a ns */
        ifp_seg->header.n_lanes = 4;
        ifp_seg->live.n_lanes_used = 2;
        n_special = 0;
        for (uint32_t op = OP_CALL; op < N_OPS; op++) {
                ifp_seg->ops[op].kind = kinds[op];
                ifp_ledger_op(op, kinds[op]);
        }
        for (uint32_t i = 0; i < 2; i++) {
                ifp_seg->lanes[i].state = IFP_LANE_LIVE;
                ifp_seg->lanes[i].gen = 1;
        }
        ifp_tls = (struct ifp_tls){.lane = &ifp_seg->lanes[0]};
        ifp_ledger_after_fork();
        memset(kernel, 0, sizeof(kernel));
        return 0;
}

static int tear_down(void **state)
{
        (void)state;
        return munmap(ifp_seg, ifp_segment_bytes(4));
}

/* A closed outermost op of `total` ticks, `child` of them in ops inside it. */
static void span(uint32_t lane, uint32_t op, uint64_t total, uint64_t child, bool outermost)
{
        struct ifp_time_row *row = &ifp_seg->lanes[lane].time[op][IFP_PHASE_DECODE];

        row->timed++;
        row->total += total;
        row->child += child;
        if (outermost)
                ifp_seg->lanes[lane].open[0].child += total;
}

static const struct ifp_token_record *step(uint64_t end)
{
        ifp_ledger_note(&ifp_tls, 1, end, 0, 0);
        note_ticks = 0;
        return &ifp_seg->token_ring[(ifp_seg->ledger.head - 1) % IFP_TOKEN_RING];
}

static void begin(uint64_t at)
{
        ifp_ledger_note(&ifp_tls, 0, at, 0, 0);
        note_ticks = 0; /* here time does not go on by itself */
}

static uint64_t sum(const uint64_t *rows)
{
        uint64_t n = 0;

        for (uint32_t r = 0; r < IFP_N_LEDGER; r++)
                n += rows[r];
        return n;
}

static void each_thing_has_its_row(void **state)
{
        const struct ifp_token_record *t;
        const uint64_t *own, *all;

        (void)state;
        ifp_seg->lanes[1].start_ticks = 1500;
        begin(1000);
        /* The call: 600 in all, of it a graph of 500; in that nodes of 300 and a barrier of 120. */
        span(0, OP_CALL, 600, 500, true);
        span(0, OP_GRAPH, 500, 420, false);
        span(0, OP_NODE, 300, 0, false);
        span(0, OP_BARRIER, 120, 0, false);
        ifp_seg->lanes[0].waits.in_state[IFP_STATE_COMPUTE][IFP_GROUP_LOCK] = 40;
        ifp_seg->lanes[0].waits.in_state[IFP_STATE_NONE][IFP_GROUP_OTHER] = 150;
        ifp_seg->lanes[0].waits.alloc_ticks[IFP_STATE_CALL] = 30;
        ifp_seg->lanes[0].waits.spawn_ticks[IFP_STATE_GRAPH] = 20;
        /* The worker: nodes of 280, a barrier of 140, and 80 of nothing known. */
        span(1, OP_NODE, 280, 0, true);
        span(1, OP_BARRIER, 140, 0, true);
        t = step(2000);
        own = t->rows[IFP_LEDGER_OWN];
        all = t->rows[IFP_LEDGER_ALL];
        assert_int_equal(own[IFP_LEDGER_COMPUTE], 260);
        assert_int_equal(own[IFP_LEDGER_BARRIER], 120);
        assert_int_equal(own[IFP_LEDGER_LOCK], 40);
        assert_int_equal(own[IFP_LEDGER_WAIT], 150);
        assert_int_equal(own[IFP_LEDGER_ALLOC], 30);
        assert_int_equal(own[IFP_LEDGER_SPAWN], 20);
        assert_int_equal(own[IFP_LEDGER_OUTSIDE], 70 + 250);
        assert_int_equal(own[IFP_LEDGER_UNACCOUNTED], 60);
        assert_int_equal(sum(own), 1000);
        assert_int_equal(t->all_ticks, 1500);
        assert_int_equal(all[IFP_LEDGER_COMPUTE], 540);
        assert_int_equal(all[IFP_LEDGER_BARRIER], 260);
        assert_int_equal(all[IFP_LEDGER_UNACCOUNTED], 60 + 80);
        assert_int_equal(sum(all), 1500);
        assert_int_equal(t->voluntary, UINT32_MAX);
        assert_int_equal(ifp_seg->lanes[1].ledger.rows[IFP_LEDGER_COMPUTE], 280);
        assert_int_equal(ifp_seg->ledger.wall_ticks, 1000);
}

static void what_is_under_way_counts_so_far(void **state)
{
        struct ifp_lane *lane = &ifp_seg->lanes[1];
        const struct ifp_token_record *t;

        (void)state;
        lane->start_ticks = 1000;
        begin(1000);
        /* In a node since 1700, which waits for a lock since 1900. */
        lane->top = sizeof(struct ifp_open);
        lane->open[1] = (struct ifp_open){
                .start = 1700, .op = (uint64_t)OP_NODE << 48, .state = IFP_OPEN_SET};
        lane->waits.kind = IFP_WAIT_MUTEX;
        lane->waits.since = 1900;
        t = step(2000);
        assert_int_equal(t->rows[IFP_LEDGER_ALL][IFP_LEDGER_COMPUTE], 200);
        assert_int_equal(t->rows[IFP_LEDGER_ALL][IFP_LEDGER_LOCK], 100);
        /* It gets the lock at 2050 and ends at 2100: 50 more of each. */
        lane->waits.since = 0;
        lane->waits.in_state[IFP_STATE_COMPUTE][IFP_GROUP_LOCK] = 150;
        lane->top = 0;
        span(1, OP_NODE, 400, 0, true);
        t = step(3000);
        assert_int_equal(t->rows[IFP_LEDGER_ALL][IFP_LEDGER_COMPUTE], 50);
        assert_int_equal(t->rows[IFP_LEDGER_ALL][IFP_LEDGER_LOCK], 50);
        assert_int_equal(sum(t->rows[IFP_LEDGER_ALL]), 2000);
}

static void critical_path_goes_through_those_waited_for(void **state)
{
        const struct ifp_token_record *t;
        const uint64_t *rows;

        (void)state;
        ifp_seg->lanes[1].start_ticks = 1500; /* all it did is compute and allocate, 4 to 1 */
        begin(1000);
        span(0, OP_NODE, 300, 0, true);
        span(0, OP_BARRIER, 600, 0, true);
        span(1, OP_NODE, 500, 0, true);
        ifp_seg->lanes[1].waits.alloc_ticks[IFP_STATE_COMPUTE] = 100;
        ifp_ledger_waited(1, 500);
        t = step(2000);
        rows = t->rows[IFP_LEDGER_CRITICAL];
        assert_in_range(rows[IFP_LEDGER_COMPUTE], 300 + 399, 300 + 401);
        assert_in_range(rows[IFP_LEDGER_ALLOC], 99, 101);
        assert_in_range(rows[IFP_LEDGER_BARRIER], 100, 103); /* for whom is not known; rounding */
        assert_int_equal(rows[IFP_LEDGER_OUTSIDE], 100);
        assert_int_equal(sum(rows), 1000);
}

static void the_kernel_tells_more(void **state)
{
        const struct ifp_token_record *t;
        const uint64_t *own;

        (void)state;
        ifp_kernel = kernel;
        begin(1000);
        span(0, OP_NODE, 500, 0, true);
        span(0, OP_BARRIER, 200, 0, true);
        kernel[0].runnable[IFP_STATE_COMPUTE] = 100;
        kernel[0].runnable[IFP_STATE_WAIT] = 50;
        kernel[0].fault[IFP_STATE_COMPUTE] = 70; /* 20 of it waiting for a CPU: in runnable */
        kernel[0].fault_runnable[IFP_STATE_COMPUTE] = 20;
        kernel[0].syscall[IFP_STATE_NONE] = 30;
        kernel[0].minor_faults = 7;
        t = step(2000);
        own = t->rows[IFP_LEDGER_OWN];
        assert_int_equal(own[IFP_LEDGER_COMPUTE], 500 - 100 - 50);
        assert_int_equal(own[IFP_LEDGER_BARRIER], 150);
        assert_int_equal(own[IFP_LEDGER_RUNNABLE], 150);
        assert_int_equal(own[IFP_LEDGER_FAULT], 50);
        assert_int_equal(own[IFP_LEDGER_SYSCALL], 30);
        assert_int_equal(own[IFP_LEDGER_OUTSIDE], 270);
        assert_int_equal(sum(own), 1000);
        assert_int_equal(t->minor_faults, 7);
        assert_int_equal(ifp_seg->ledger.kernel, 1);
}

/* Clocks of more than 2^32 ticks a second exist. */
static void a_fast_clock(void **state)
{
        const struct ifp_token_record *t;

        (void)state;
        ifp_seg->header.ticks_per_second = 5000000000; /* 5 ticks a ns */
        ifp_kernel = kernel;
        begin(1000);
        span(0, OP_NODE, 900, 0, true);
        kernel[0].runnable[IFP_STATE_COMPUTE] = 100;
        t = step(2000);
        assert_in_range(t->rows[IFP_LEDGER_OWN][IFP_LEDGER_RUNNABLE], 499, 500);
        assert_in_range(t->rows[IFP_LEDGER_OWN][IFP_LEDGER_COMPUTE], 400, 401);
}

/* Whatever stands in the lanes, the sums hold. */
static void rows_always_sum_to_the_time(void **state)
{
        uint64_t at = 1000;

        (void)state;
        srandom(1);
        ifp_kernel = kernel;
        begin(at);
        for (int round = 0; round < 20000; round++) {
                const struct ifp_token_record *t;

                for (uint32_t i = 0; i < 2; i++) {
                        struct ifp_lane *lane = &ifp_seg->lanes[i];
                        uint32_t s = (uint32_t)random() % IFP_N_STATES;
                        uint32_t op = OP_CALL + (uint32_t)random() % 4;
                        uint64_t n = (uint64_t)random() % 2000;

                        span(i, op, n, n ? (uint64_t)random() % n : 0, random() % 2);
                        lane->waits.in_state[s][random() % 3] += (uint64_t)random() % 900;
                        lane->waits.alloc_ticks[s] += (uint64_t)random() % 900;
                        lane->waits.spawn_ticks[s] += (uint64_t)random() % 900;
                        lane->waits.since = random() % 4 ? 0 : at;
                        lane->writer.head += (uint64_t)random() % 100;
                        lane->top = random() % 2 ? sizeof(struct ifp_open) : 0;
                        lane->open[1].start = at - (uint64_t)random() % 500;
                        lane->open[1].op = (uint64_t)op << 48;
                        kernel[i].runnable[s] += (uint64_t)random() % 900;
                        kernel[i].syscall[s] += (uint64_t)random() % 900;
                        kernel[i].fault[s] += (uint64_t)random() % 900;
                        ifp_ledger_waited(i, (uint64_t)random() % 2000);
                }
                ifp_seg->header.span_ticks = (uint64_t)random() % 20;
                ifp_seg->ledger.tail = ifp_seg->ledger.head;
                at += 1 + (uint64_t)random() % 5000;
                t = step(at);
                assert_int_equal(sum(t->rows[IFP_LEDGER_OWN]), t->end - t->start);
                assert_int_equal(sum(t->rows[IFP_LEDGER_CRITICAL]), t->end - t->start);
                assert_int_equal(sum(t->rows[IFP_LEDGER_ALL]), t->all_ticks);
                /* The path goes through threads that are in ALL: no row of work is longer than
                 * there. */
                for (uint32_t r = 0; r < IFP_N_LEDGER; r++)
                        if (r < IFP_LEDGER_BARRIER || r > IFP_LEDGER_WAIT)
                                assert_in_range(t->rows[IFP_LEDGER_CRITICAL][r], 0,
                                                t->rows[IFP_LEDGER_ALL][r]);
        }
        for (uint32_t i = 0; i < 2; i++)
                assert_int_equal(sum(ifp_seg->lanes[i].ledger.rows),
                                 ifp_seg->lanes[i].ledger.wall_ticks);
        assert_int_equal(sum(ifp_seg->ledger.rows[IFP_LEDGER_OWN]), ifp_seg->ledger.wall_ticks);
}

/* Its parent waited for a thread that had not been read yet. */
static void a_fork_child_has_waited_for_nobody(void **state)
{
        const struct ifp_token_record *t;

        (void)state;
        begin(1000);
        ifp_ledger_waited(2, 500);
        ifp_ledger_after_fork();
        begin(1000);
        ifp_seg->lanes[2].state = IFP_LANE_LIVE;
        ifp_seg->lanes[2].start_ticks = 1000;
        ifp_seg->live.n_lanes_used = 3;
        span(0, OP_BARRIER, 600, 0, true);
        span(2, OP_NODE, 800, 0, true);
        t = step(2000);
        assert_int_equal(t->rows[IFP_LEDGER_CRITICAL][IFP_LEDGER_COMPUTE], 0);
        assert_int_equal(t->rows[IFP_LEDGER_CRITICAL][IFP_LEDGER_BARRIER], 600);
}

/* Without a reader, the ring keeps what it has; the sums go on. */
static void steps_are_never_lost(void **state)
{
        uint64_t at = 1000;

        (void)state;
        begin(at);
        for (uint32_t i = 0; i < IFP_TOKEN_RING + 10; i++)
                step(at += 100);
        assert_int_equal(ifp_seg->ledger.steps, IFP_TOKEN_RING + 10);
        assert_int_equal(ifp_seg->ledger.head, IFP_TOKEN_RING);
        assert_int_equal(ifp_seg->ledger.dropped, 10);
        assert_int_equal(ifp_seg->token_ring[0].number, 1);
        assert_int_equal(ifp_seg->ledger.wall_ticks, 100 * (IFP_TOKEN_RING + 10));
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(each_thing_has_its_row),
                TEST(what_is_under_way_counts_so_far),
                TEST(critical_path_goes_through_those_waited_for),
                TEST(the_kernel_tells_more),
                TEST(a_fast_clock),
                TEST(rows_always_sum_to_the_time),
                TEST(a_fork_child_has_waited_for_nobody),
                TEST(steps_are_never_lost),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
