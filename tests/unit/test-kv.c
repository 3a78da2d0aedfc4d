/* SPDX-License-Identifier: MIT */
/* Which bin a token goes into, what of the lanes goes with it, and which tokens go into none. */
#include "preload/kv.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

enum { N_LANES = 4, OP = 5, CALL = 6, TOKEN = 7 };

__thread struct ifp_tls ifp_tls;
struct ifp_segment *ifp_seg;

static int set_up(void **state)
{
        (void)state;
        ifp_kv_after_fork();
        ifp_seg = mmap(NULL, ifp_segment_bytes(N_LANES), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (ifp_seg == MAP_FAILED)
                return -1;
        ifp_seg->header.n_lanes = N_LANES;
        ifp_seg->header.ticks_per_second = 128000; /* a piece has 1001 ticks */
        ifp_seg->live.n_ops = 8;
        ifp_seg->live.n_lanes_used = 2;
        ifp_seg->ops[CALL].kind = IFP_KIND_CALL;
        ifp_seg->ops[TOKEN].kind = IFP_KIND_TOKEN;
        for (uint32_t i = 0; i < N_LANES; i++) {
                ifp_seg->lanes[i].state = IFP_LANE_LIVE;
                ifp_seg->lanes[i].gen = 1;
        }
        ifp_tls = (struct ifp_tls){.lane = &ifp_seg->lanes[0]};
        return 0;
}

static int tear_down(void **state)
{
        (void)state;
        munmap(ifp_seg, ifp_segment_bytes(N_LANES));
        return 0;
}

static void work(uint32_t lane, uint32_t op, uint32_t phase, uint64_t ticks)
{
        ifp_seg->lanes[lane].time[op][phase].timed++;
        ifp_seg->lanes[lane].time[op][phase].total += ticks;
}

/* Every length has one bin, bins come in order, and none is beyond the table. */
static void bins(void **state)
{
        uint32_t before = 0;

        (void)state;
        assert_int_equal(ifp_kv_bin(0), 0);
        assert_int_equal(ifp_kv_bin(7), 0);
        assert_int_equal(ifp_kv_bin(8), 1);
        assert_int_equal(ifp_kv_bin(63), 7);
        assert_int_equal(ifp_kv_bin(64), 8);
        assert_int_equal(ifp_kv_bin(127), 15);
        assert_int_equal(ifp_kv_bin(128), 16);
        assert_int_equal(ifp_kv_bin(143), 16);
        assert_int_equal(ifp_kv_bin(144), 17);
        assert_int_equal(ifp_kv_bin(UINT32_MAX), IFP_KV_BINS - 1);
        for (uint32_t n = 0; n < 1u << 20; n++) {
                uint32_t bin = ifp_kv_bin(n);

                assert_true(bin == before || bin == before + 1);
                before = bin;
        }
}

static void a_token_has_what_ops_did_since_the_one_before(void **state)
{
        const struct ifp_kv *kv = &ifp_seg->kv;

        (void)state;
        work(0, OP, IFP_PHASE_DECODE, 1000); /* before anything was known */
        work(0, OP, IFP_PHASE_PREFILL, 500);
        ifp_kv_prefill(10, 100, 200);
        work(0, OP, IFP_PHASE_DECODE, 30);
        work(1, OP, IFP_PHASE_DECODE, 40);
        work(0, OP, IFP_PHASE_PREFILL, 500);
        work(0, TOKEN, IFP_PHASE_DECODE, 99);
        ifp_kv_decoded(&ifp_tls, 1, 11, 200, 300);
        assert_int_equal(kv->bins[1].tokens, 1);
        assert_int_equal(kv->bins[1].lengths, 11);
        assert_int_equal(kv->bins[1].ticks, 100);
        assert_int_equal(kv->ops[1][OP].timed, 2);
        assert_int_equal(kv->ops[1][OP].total, 70);
        assert_int_equal(kv->ops[1][TOKEN].timed, 0);
        work(1, OP, IFP_PHASE_DECODE, 5);
        ifp_kv_decoded(&ifp_tls, 1, 64, 300, 350);
        assert_int_equal(kv->bins[8].tokens, 1);
        assert_int_equal(kv->ops[8][OP].total, 5);
        assert_int_equal(kv->ops[1][OP].total, 70);
        assert_int_equal(kv->seq % 2, 0);
        assert_int_equal(kv->prefills, 1);
        assert_int_equal(kv->prompt_tokens, 10);
        assert_int_equal(kv->prefill_ticks, 100);
}

static uint64_t in_bins(void)
{
        uint64_t n = 0;

        for (uint32_t i = 0; i < IFP_KV_BINS; i++)
                n += ifp_seg->kv.bins[i].tokens;
        return n;
}

static void what_was_not_alone_is_in_no_bin(void **state)
{
        const struct ifp_kv *kv = &ifp_seg->kv;
        struct ifp_lane *other = &ifp_seg->lanes[1];

        (void)state;
        ifp_kv_decoded(&ifp_tls, 1, 11, 100, 200); /* nobody knows what was before it */
        assert_int_equal(kv->beside, 1);
        ifp_kv_decoded(&ifp_tls, 3, 0, 200, 300); /* sequences side by side */
        assert_int_equal(kv->beside, 4);
        ifp_kv_decoded(&ifp_tls, 1, 0, 300, 400);
        assert_int_equal(kv->no_length, 1);
        work(0, OP, IFP_PHASE_DECODE, 7);
        ifp_kv_decoded(&ifp_tls, 1, 12, 350, 450); /* another ended at 400 */
        assert_int_equal(kv->beside, 5);
        other->top = sizeof(struct ifp_open) * 2;
        other->open[1].op = (uint64_t)CALL << 48;
        other->open[2].op = (uint64_t)OP << 48;
        ifp_kv_decoded(&ifp_tls, 1, 13, 450, 500); /* another is in a call */
        assert_int_equal(kv->beside, 6);
        assert_int_equal(in_bins(), 0);
        other->open[1].op = (uint64_t)OP << 48;
        ifp_kv_decoded(&ifp_tls, 1, 14, 500, 550);
        assert_int_equal(in_bins(), 1);
        assert_int_equal(kv->ops[1][OP].timed, 0); /* what was done before was dropped */
}

/* A lane that was taken anew goes on from the same rows. */
static void lanes_come_and_go(void **state)
{
        const struct ifp_kv *kv = &ifp_seg->kv;
        struct ifp_lane *lane = &ifp_seg->lanes[1];

        (void)state;
        ifp_kv_prefill(1, 0, 100);
        work(1, OP, IFP_PHASE_DECODE, 10);
        lane->state = IFP_LANE_ENDED;
        ifp_kv_decoded(&ifp_tls, 1, 2, 100, 200);
        ifp_kv_decoded(&ifp_tls, 1, 3, 200, 300);
        assert_int_equal(kv->ops[0][OP].total, 10);
        lane->gen++; /* one that came and went between two tokens */
        work(1, OP, IFP_PHASE_DECODE, 20);
        ifp_kv_decoded(&ifp_tls, 1, 4, 300, 400);
        assert_int_equal(kv->ops[0][OP].total, 30);
        lane->state = IFP_LANE_LIVE;
        lane->gen++;
        work(1, OP, IFP_PHASE_DECODE, 40);
        ifp_kv_decoded(&ifp_tls, 1, 5, 400, 500);
        assert_int_equal(kv->ops[0][OP].total, 70);
        assert_int_equal(kv->bins[0].tokens, 4);
}

static void prompts_side_by_side_take_their_time_once(void **state)
{
        (void)state;
        ifp_kv_prefill(5, 100, 200);
        ifp_kv_prefill(5, 150, 260);
        ifp_kv_prefill(0, 120, 240);
        assert_int_equal(ifp_seg->kv.prefill_ticks, 160);
        assert_int_equal(ifp_seg->kv.prompt_tokens, 10);
        assert_int_equal(ifp_seg->kv.flags, IFP_KV_NO_PROMPT);
}

static void pieces_become_wider(void **state)
{
        const struct ifp_kv *kv = &ifp_seg->kv;
        uint64_t sum = 0, at = 5000;

        (void)state;
        ifp_kv_prefill(3, 5000, 5500);
        for (uint32_t i = 0; i < 1000; i++, at += 500)
                ifp_kv_decoded(&ifp_tls, 1, 1 + i, at, at + 500);
        assert_int_equal(kv->width, 4004); /* 500 000 ticks in 128 pieces at most */
        assert_int_equal(kv->pieces[0].prompt, 3);
        assert_int_equal(kv->pieces[0].generated, 8);
        for (uint32_t i = 0; i < IFP_KV_PIECES; i++)
                sum += kv->pieces[i].generated;
        assert_int_equal(sum, 1000);
        /* a day later */
        ifp_kv_decoded(&ifp_tls, 1, 2000, at, at + 128000ull * 86400);
        assert_int_equal(kv->pieces[0].generated, 1000);
        sum = 0;
        for (uint32_t i = 0; i < IFP_KV_PIECES; i++)
                sum += kv->pieces[i].generated;
        assert_int_equal(sum, 1001);
}

static void a_fork_child_begins_anew(void **state)
{
        (void)state;
        ifp_kv_prefill(1, 0, 100);
        work(0, OP, IFP_PHASE_DECODE, 10);
        ifp_kv_decoded(&ifp_tls, 1, 2, 100, 200);
        tear_down(NULL);
        set_up(NULL); /* its own segment */
        ifp_kv_prefill(1, 250, 300);
        work(0, OP, IFP_PHASE_DECODE, 3);
        ifp_kv_decoded(&ifp_tls, 1, 2, 300, 400);
        assert_int_equal(ifp_seg->kv.ops[0][OP].total, 3);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(bins),
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
                TEST(a_token_has_what_ops_did_since_the_one_before),
                TEST(what_was_not_alone_is_in_no_bin),
                TEST(lanes_come_and_go),
                TEST(prompts_side_by_side_take_their_time_once),
                TEST(pieces_become_wider),
                TEST(a_fork_child_begins_anew),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
