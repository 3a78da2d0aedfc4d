/* SPDX-License-Identifier: MIT */
/* The document infprof.tokens/1, held against what follows by hand from a few round figures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <unistd.h>

#include <infprof/segment.h>

#include "common/report-tokens.h"
#include "common/runfile.h"
#include "document.h"
#include "run-folder.h"

#define SECOND 1000000000ull
#define MS     1000000ull
#define US     1000ull

enum { OP_TOKEN = 2, OP_TTFT, OP_MUL_MAT, OP_SOFT_MAX, OP_HOT, OP_COLD };

static struct runfile *rf;

static void put_phase(uint32_t process, uint32_t op, uint32_t phase, uint64_t timed, uint64_t total,
                      uint64_t child)
{
        struct runfile_op_phase row = {.process = process,
                                       .op = op,
                                       .phase = phase,
                                       .timed = timed,
                                       .total_ns = total,
                                       .child_ns = child,
                                       .min_ns = UINT64_MAX};

        assert_int_equal(runfile_put_op_phase(rf, &row), 0);
}

static void put_process(uint32_t index, uint64_t started_ns, uint64_t generated)
{
        static const struct runfile_op ops[] = {
                {.op = OP_TOKEN, .name = "token", .kind = IFP_KIND_TOKEN},
                {.op = OP_TTFT, .name = "time to first token", .kind = IFP_KIND_TTFT},
                {.op = OP_MUL_MAT, .name = "MUL_MAT", .kind = IFP_KIND_NODE},
                {.op = OP_SOFT_MAX, .name = "SOFT_MAX", .kind = IFP_KIND_NODE},
                {.op = OP_HOT, .name = "hot", .kind = IFP_KIND_KERNEL, .hot = true},
                {.op = OP_COLD, .name = "cold", .kind = IFP_KIND_KERNEL, .hot = true},
        };
        struct runfile_process p = {.index = index,
                                    .uuid = index ? "02" : "01",
                                    .pid = 7001 + index,
                                    .command = "./engine",
                                    .exe = "/opt/engine",
                                    .started_at_ns = 1000 * SECOND + started_ns,
                                    .ticks_per_second = SECOND,
                                    .end = RUNFILE_END_CODE,
                                    .waits = true,
                                    .sequences = 1,
                                    .generated_tokens = generated};

        assert_int_equal(runfile_put_process(rf, &p), 0);
        for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
                struct runfile_op op = ops[i];

                op.process = index;
                assert_int_equal(runfile_put_op(rf, &op), 0);
        }
}

static void put_kv_op(uint32_t bin, uint32_t op, uint64_t timed, uint64_t untimed, uint64_t total,
                      uint64_t child)
{
        struct runfile_kv_op row = {0, bin, op, timed, untimed, total, child};

        assert_int_equal(runfile_put_kv_op(rf, &row), 0);
}

/* Ten tokens of a length: 1 ms and 10 us a position; MUL_MAT 800 us, SOFT_MAX 5 us a position. */
static void put_bin(uint32_t length)
{
        uint32_t bin = ifp_kv_bin(length);
        struct runfile_kv_bin row = {0, bin, 10, 10ull * length, 10 * (MS + 10 * US * length)};

        assert_int_equal(runfile_put_kv_bin(rf, &row), 0);
        put_kv_op(bin, OP_MUL_MAT, 60, 0, 10 * 900 * US, 10 * 100 * US);
        put_kv_op(bin, OP_SOFT_MAX, 20, 0, 10 * 5 * US * length, 0);
        put_kv_op(bin, OP_HOT, 10, 90, 10 * US, 0); /* 100 us, were all timed */
        put_kv_op(bin, OP_COLD, 0, 90, 0, 0);
}

static void put_piece(uint32_t process, uint32_t piece, uint64_t prompt, uint64_t generated)
{
        assert_int_equal(runfile_put_kv_piece(
                                 rf, &(struct runfile_kv_piece){process, piece, prompt, generated}),
                         0);
}

static void begin(uint64_t generated)
{
        const struct runfile_run run = {.id = "20261120-194500-7001",
                                        .command = "./engine",
                                        .pid = 7001,
                                        .started_at_ns = 1000 * SECOND,
                                        .duration_ns = SECOND,
                                        .end = RUNFILE_END_CODE,
                                        .infprof_version = "0"};
        char *why = NULL;

        unlink(file);
        assert_int_equal(runfile_create(&rf, file, &run, &why), 0);
        assert_int_equal(runfile_begin(rf), 0);
        put_process(0, 0, generated);
}

static json_t *finish(void)
{
        json_t *document = NULL;
        char *why = NULL;

        assert_int_equal(runfile_commit(rf, &why), 0);
        runfile_close(rf);
        if (report_tokens_file(&document, file, &why))
                fail_msg("%s", why);
        return document;
}

static void put_kv(struct runfile_kv row)
{
        assert_int_equal(runfile_put_kv(rf, &row), 0);
}

static void prefill_and_decode(void **state)
{
        json_t *o;

        begin(30);
        put_process(1, 10 * MS, 5);
        put_kv((struct runfile_kv){.process = 0,
                                   .prefills = 2,
                                   .prompt_tokens = 100,
                                   .prefill_ns = 50 * MS,
                                   .beside = 30,
                                   .width_ns = 10 * MS});
        put_kv((struct runfile_kv){.process = 1,
                                   .prefills = 1,
                                   .prompt_tokens = 20,
                                   .prefill_ns = 10 * MS,
                                   .beside = 5,
                                   .width_ns = 20 * MS});
        put_phase(0, OP_TOKEN, IFP_PHASE_DECODE, 30, 100 * MS, 0);
        put_phase(1, OP_TOKEN, IFP_PHASE_DECODE, 5, 20 * MS, 10 * MS);
        put_phase(0, OP_TTFT, IFP_PHASE_PREFILL, 2, 50 * MS, 0);
        put_phase(0, OP_MUL_MAT, IFP_PHASE_DECODE, 100, 40 * MS, 10 * MS);
        put_phase(1, OP_SOFT_MAX, IFP_PHASE_DECODE, 100, 10 * MS, 0);
        put_phase(0, OP_MUL_MAT, IFP_PHASE_PREFILL, 10, 30 * MS, 0);
        put_piece(0, 0, 100, 0);
        put_piece(0, 1, 0, 10);
        put_piece(0, 2, 0, 20);
        put_piece(1, 0, 20, 0);
        put_piece(1, 1, 0, 5);
        o = finish();
        is(o, "prefill.calls", 3);
        is(o, "prefill.tokens", 120);
        is(o, "prefill.time_ns", 60 * MS);
        is(o, "prefill.per_second", 2000);
        is(o, "prefill.first_token.count", 2);
        is(o, "prefill.first_token.mean_ns", 25 * MS);
        is_null(o, "prefill.first_token.p50_ns");
        is_size(o, "prefill.ops", 1);
        is(o, "prefill.ops.0.share", 1);
        is(o, "decode.tokens", 35);
        is(o, "decode.time_ns", 110 * MS); /* 10 ms lie in the time of others */
        is(o, "decode.per_second", 35 / 0.11);
        is_text(o, "decode.ops.0.name", "MUL_MAT");
        is(o, "decode.ops.0.self_ns", 30 * MS);
        is(o, "decode.ops.0.share", 0.75);
        is(o, "decode.ops.1.share", 0.25);
        /* pieces of 20 ms, the wider: 5, 15 | 25, and 10 ms later 10 | 30 */
        is(o, "course.from_ns", 0);
        is(o, "course.width_ns", 20 * MS);
        is_size(o, "course.pieces", 3);
        is(o, "course.pieces.0.prompt", 100);
        is(o, "course.pieces.0.generated", 10);
        is(o, "course.pieces.0.per_second", 500);
        is(o, "course.pieces.1.prompt", 20);
        is(o, "course.pieces.1.generated", 20);
        is(o, "course.pieces.2.generated", 5);
        is_null(o, "course.pieces.2.per_second");
        is(o, "kv.tokens", 0);
        is(o, "kv.beside", 30);
        is_text(o, "kv.token.why", "few-lengths");
        assert_true(has_text(at(o, "notes"), "of 30 tokens 30 have no part"));
        assert_true(has_text(at(o, "notes"), "2 processes decode"));
        json_decref(o);
}

static void a_line_through_three_lengths(void **state)
{
        json_t *o;

        begin(30);
        put_kv((struct runfile_kv){.process = 0});
        put_bin(100);
        put_bin(200);
        put_bin(400);
        o = finish();
        is(o, "kv.pid", 7001);
        is(o, "kv.tokens", 30);
        is_text(o, "kv.counts", "all");
        is_size(o, "kv.bins", 3);
        is(o, "kv.bins.0.from", 96);
        is(o, "kv.bins.0.to", 103);
        is(o, "kv.bins.1.length", 200);
        is(o, "kv.bins.2.mean_ns", 5 * MS);
        is(o, "kv.token.a_ns", MS);
        is(o, "kv.token.b_ns", 10 * US);
        is(o, "kv.token.r2", 1);
        assert_true(json_is_true(at(o, "kv.token.depends")));
        is_null(o, "kv.token.bends");
        is(o, "kv.token.forecasts.0.length", 8192);
        is(o, "kv.token.forecasts.0.ns", 82920000);
        is_near(o, "kv.token.forecasts.0.high_ns", 82920000, 1e-6);
        is_null(o, "kv.token.forecasts.1.ns"); /* more than 100 times 300 beyond 400 */
        is_text(o, "kv.token.forecasts.1.why", "too-far");
        is_size(o, "kv.ops", 4);
        is_text(o, "kv.ops.0.name", "SOFT_MAX"); /* 1.17 ms on average */
        is_near(o, "kv.ops.0.b_ns", 5 * US, 1e-9);
        is_text(o, "kv.ops.1.name", "MUL_MAT");
        is(o, "kv.ops.1.mean_ns", 800 * US);
        is(o, "kv.ops.1.a_ns", 800 * US);
        is(o, "kv.ops.1.b_ns", 0);
        is_null(o, "kv.ops.1.r2");
        assert_true(json_is_false(at(o, "kv.ops.1.depends")));
        is(o, "kv.ops.1.forecasts.0.ns", 800 * US);
        is_text(o, "kv.ops.2.name", "hot");
        is(o, "kv.ops.2.mean_ns", 10 * US);
        is_text(o, "kv.ops.3.name", "cold");
        is_text(o, "kv.ops.3.why", "not-timed");
        is_null(o, "kv.ops.3.mean_ns");
        is_text(o, "kv.ops.3.forecasts.0.why", "not-timed");
        assert_true(has_text(at(o, "notes"), "one sequence was decoded"));
        json_decref(o);
}

static void two_lengths_are_no_line(void **state)
{
        json_t *o;

        begin(20);
        put_kv((struct runfile_kv){.process = 0, .no_prompt = true, .prefills = 1});
        put_bin(100);
        put_bin(200);
        o = finish();
        is_text(o, "kv.counts", "generated");
        is_null(o, "prefill.tokens");
        is_null(o, "prefill.per_second");
        is_null(o, "kv.token.a_ns");
        is_null(o, "kv.token.depends");
        is(o, "kv.token.mean_ns", 2.5 * MS);
        is_text(o, "kv.token.forecasts.0.why", "few-lengths");
        assert_true(has_text(at(o, "notes"), "what was generated behind them only"));
        json_decref(o);
}

static void nothing_is_not_zero(void **state)
{
        json_t *o;

        begin(0);
        o = finish();
        is(o, "decode.tokens", 0);
        is_null(o, "decode.time_ns");
        is_null(o, "decode.per_second");
        is_null(o, "decode.token");
        is_null(o, "prefill.time_ns");
        is_null(o, "prefill.first_token");
        is_null(o, "course");
        is_null(o, "kv");
        json_decref(o);
}

static void lengths_in_the_wrong_bin_are_damage(void **state)
{
        json_t *o = NULL;
        char *why = NULL;

        begin(10);
        assert_int_equal(runfile_put_kv_bin(rf, &(struct runfile_kv_bin){0, 20, 10, 10, MS}), 0);
        assert_int_equal(runfile_commit(rf, &why), 0);
        runfile_close(rf);
        assert_int_equal(report_tokens_file(&o, file, &why), RUNFILE_E_FOREIGN);
        assert_null(o);
        assert_non_null(strstr(why, "KV lengths in bin 20"));
        assert_null(strchr(why, '\n'));
        free(why);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(prefill_and_decode, clean),
                cmocka_unit_test_teardown(a_line_through_three_lengths, clean),
                cmocka_unit_test_teardown(two_lengths_are_no_line, clean),
                cmocka_unit_test_teardown(nothing_is_not_zero, clean),
                cmocka_unit_test_teardown(lengths_in_the_wrong_bin_are_damage, clean),
        };

        return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
