/* SPDX-License-Identifier: MIT */
/* Tokens of functions that the user named: whose they are, above all in a fork child. */
#include "preload/marks.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

enum { OP_TTFT = 20, OP_TOKEN };

__thread struct ifp_tls ifp_tls;
struct ifp_segment *ifp_seg;

static struct ifp_open opened;
static uint32_t n_written, written_op; /* spans, and the op of the last one */
static uint64_t written_start;

uint32_t ifp_op(const char *name, const char *kernel, const char *library, enum ifp_kind kind,
                bool hot, uint32_t engine)
{
        return kind == IFP_KIND_TTFT ? OP_TTFT : OP_TOKEN;
}

uint64_t ifp_call_saved(uint64_t (*fn)(void *), void *arg)
{
        return fn(arg);
}

void ifp_phase_set(uint32_t phase)
{
}

struct ifp_open *ifp_hook_push(struct ifp_tls *tls, const struct ifp_stub *stub, uint64_t sp)
{
        opened.start = ifp_ticks();
        return &opened;
}

void ifp_span_write(struct ifp_lane *lane, uint32_t op, uint32_t phase, uint64_t start,
                    uint64_t dur, uint64_t child, uint32_t depth, uint32_t flags, uint32_t arg)
{
        n_written++;
        written_op = op;
        written_start = start;
}

void ifp_tokens_note(uint32_t n, uint64_t now)
{
}

static uint32_t last_length;

void ifp_kv_prefill(uint32_t n, uint64_t start, uint64_t end)
{
}

void ifp_kv_decoded(const struct ifp_tls *tls, uint32_t n, uint32_t length, uint64_t since,
                    uint64_t end)
{
        last_length = length;
}

uint64_t ifp_tokens_beside(uint64_t since, uint64_t end)
{
        return 0;
}

static void take_lane(uint32_t lane)
{
        ifp_tls = (struct ifp_tls){.lane = &ifp_seg->lanes[lane], .lane_number = (uint16_t)lane};
        ifp_tls.lane->gen++;
        ifp_tls.lane->start_ticks = ifp_ticks();
}

static int set_up(void **state)
{
        (void)state;
        ifp_seg = mmap(NULL, ifp_segment_bytes(4), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        assert_ptr_not_equal(ifp_seg, MAP_FAILED);
        ifp_marks_after_fork();
        take_lane(0);
        n_written = 0;
        return 0;
}

static int tear_down(void **state)
{
        (void)state;
        return munmap(ifp_seg, ifp_segment_bytes(4));
}

static void prefill(void)
{
        prefill_enter(&ifp_tls, NULL, NULL, 0);
        prefill_leave(&ifp_tls, NULL, &opened, ifp_ticks(), 0);
}

static void decode(void)
{
        decode_enter(&ifp_tls, NULL, NULL, 0);
        decode_leave(&ifp_tls, NULL, &opened, ifp_ticks(), 0);
}

static void a_prompt_and_its_tokens(void **state)
{
        (void)state;
        prefill();
        prefill();
        assert_int_equal(ifp_seg->live.n_sequences, 1);
        assert_int_equal(n_written, 0);
        decode();
        assert_int_equal(n_written, 2); /* the time to the first token, and this */
        decode();
        assert_int_equal(n_written, 3);
        assert_int_equal(written_op, OP_TOKEN);
        assert_true(written_start < opened.start);
        assert_int_equal(ifp_seg->live.generated_tokens, 2);
}

static void another_thread_goes_on(void **state)
{
        (void)state;
        prefill();
        take_lane(1);
        decode();
        assert_int_equal(n_written, 2);
        decode();
        assert_int_equal(n_written, 3);
}

/* Who has the lane now has not taken in what the one before it did. */
static void a_lane_is_taken_again(void **state)
{
        (void)state;
        prefill();
        take_lane(0);
        prefill();
        assert_int_equal(ifp_seg->live.n_sequences, 2);
}

/* A segment of its own, with the same numbers: lane 0, its first thread. */
static void a_fork_child_begins_anew(void **state)
{
        (void)state;
        prefill();
        decode();
        prefill();
        lock = 1; /* by a thread that is not in the child */
        n_written = 0;
        ifp_seg->lanes[0].gen = 0;
        ifp_marks_after_fork();
        take_lane(0);
        decode();
        assert_int_equal(n_written, 1);
        assert_int_equal(written_op, OP_TOKEN);
        assert_int_equal(written_start, opened.start);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(a_prompt_and_its_tokens),
                TEST(another_thread_goes_on),
                TEST(a_lane_is_taken_again),
                TEST(a_fork_child_begins_anew),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
