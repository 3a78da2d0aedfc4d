/* SPDX-License-Identifier: MIT */
/* common/flops.c: each row of its table against what was worked out by hand; and shapes as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/flops.h"

/* Extents that are not given are 0 here, and 1 in the shape. */
#define TENSOR(type, block, bytes, ...)                                                            \
        {                                                                                          \
                type, block, bytes,                                                                \
                {                                                                                  \
                        __VA_ARGS__                                                                \
                }                                                                                  \
        }
#define F32(...)  TENSOR("f32", 1, 4, __VA_ARGS__)
#define F16(...)  TENSOR("f16", 1, 2, __VA_ARGS__)
#define I32(...)  TENSOR("i32", 1, 4, __VA_ARGS__)
#define I64(...)  TENSOR("i64", 1, 8, __VA_ARGS__)
#define Q8_0(...) TENSOR("q8_0", 32, 34, __VA_ARGS__)
#define Q4_0(...) TENSOR("q4_0", 32, 18, __VA_ARGS__)
#define Q4_K(...) TENSOR("q4_K", 256, 144, __VA_ARGS__)
#define Q6_K(...) TENSOR("q6_K", 256, 210, __VA_ARGS__)

static const struct golden {
        const char *op;
        struct shape_operand at[SHAPE_MAX]; /* up to one without extents */
        uint64_t flops, bytes;
        bool at_most;
} goldens[] = {
        /* 2 x 64 x 3 x 2; 3 rows of 2 blocks of 34, 2 of 64 floats, 6 */
        {"MUL_MAT", {F32(3, 2), Q8_0(64, 3), F32(64, 2)}, 768, 204 + 512 + 24},
        /* one head of keys for two of queries: 2 x 8 x 5 x 3 x 4 */
        {"MUL_MAT", {F32(5, 3, 4), F16(8, 5, 2), F32(8, 3, 4)}, 960, 160 + 384 + 240},
        {"MUL_MAT", {F32(2, 1), Q4_0(32, 2), F32(32, 1)}, 128, 36 + 128 + 8},
        {"MUL_MAT", {F32(1, 1), Q4_K(256, 1), F32(256, 1)}, 512, 144 + 1024 + 4},
        {"MUL_MAT", {F32(1, 1), Q6_K(256, 1), F32(256, 1)}, 512, 210 + 1024 + 4},
        /* two of eight experts, each 3 x 4: 2 x 4 x 3 x 2 */
        {"MUL_MAT_ID", {F32(3, 2), F32(4, 3, 8), F32(4, 1), I32(2, 1)}, 48, 96 + 16 + 8 + 24},
        /* five tokens take two each: all eight at most */
        {"MUL_MAT_ID",
         {F32(3, 2, 5), F32(4, 3, 8), F32(4, 1, 5), I32(2, 5)},
         240,
         384 + 80 + 40 + 120,
         .at_most = true},
        /* 2 x 2 x 3 x 4 */
        {"OUT_PROD", {F32(3, 4), F32(3, 2), F32(4, 2)}, 48, 24 + 32 + 48},
        /* 2 queries, 3 heads, 5 keys: 30 scores, each 2 x 4 for q k, 2 x 4 for v, 5, scale and mask
         */
        {"FLASH_ATTN_EXT",
         {F32(4, 3, 2), F32(4, 2, 3), F16(4, 5), F16(4, 5), F16(5, 2)},
         30 * 23,
         96 + 96 + 40 + 40 + 20},
        {"FLASH_ATTN_EXT",
         {F32(4, 3, 2), F32(4, 2, 3), F16(4, 5), F16(4, 5)},
         30 * 22,
         96 + 96 + 40 + 40},
        {"SOFT_MAX", {F32(5, 2), F32(5, 2)}, 50, 80},
        {"SOFT_MAX", {F32(5, 2), F32(5, 2), F16(5, 2)}, 60, 100},
        {"RMS_NORM", {F32(10, 2), F32(10, 2)}, 60 + 6, 160},
        {"RMS_NORM+MUL", {F32(10, 2), F32(10, 2), F32(10)}, 80 + 6, 80 + 80 + 40},
        {"NORM", {F32(10, 2), F32(10, 2)}, 100 + 8, 160},
        {"L2_NORM", {F32(10, 2), F32(10, 2)}, 60 + 6, 160},
        {"ROPE", {F32(8, 2, 3), F32(8, 2, 3), I32(3)}, 48 * 3, 192 + 192 + 12},
        /* two rows of 32: 2 blocks, 64 floats, 2 numbers; of the other 998 rows nothing */
        {"GET_ROWS", {F32(32, 2), Q8_0(32, 1000), I32(2)}, 64, 68 + 256 + 8},
        {"GET_ROWS", {F32(4, 3), F32(4, 10), I32(3)}, 0, 48 + 48 + 12},
        {"SET_ROWS", {F16(8, 100), F32(8, 2), I64(2), F16(8, 100)}, 0, 64 + 32 + 16},
        {"SET_ROWS", {Q8_0(32, 100), F32(32, 2), I64(2), Q8_0(32, 100)}, 192, 256 + 68 + 16},
        {"CPY", {Q8_0(32, 1), F32(32, 1), Q8_0(32, 1)}, 96, 128 + 34},
        {"CPY", {F32(32, 1), Q8_0(32, 1), F32(32, 1)}, 32, 128 + 34},
        {"CPY", {F16(32, 1), F32(32, 1), F16(32, 1)}, 0, 128 + 64},
        {"CONT", {F32(3, 2), F32(3, 2)}, 0, 48},
        {"DUP", {F32(3, 2), F32(3, 2)}, 0, 48},
        {"CONCAT", {F32(4, 5), F32(4, 2), F32(4, 3)}, 0, 80 + 32 + 48},
        {"REPEAT", {F32(2, 3), F32(2, 1)}, 0, 24 + 8},
        {"PAD", {F32(4), F32(2)}, 0, 16 + 8},
        {"DIAG_MASK_INF", {F32(4, 4), F32(4, 4)}, 0, 128},
        /* windows of 3 x 3 x 2, 3 x 3 of them; the kernel is not read */
        {"IM2COL", {F16(18, 3, 3), F16(3, 3, 2, 4), F32(5, 5, 2)}, 0, 324 + 200},
        /* 2 x 3 x 3 x 2 for each of 3 x 3 x 4 */
        {"CONV_2D", {F32(3, 3, 4), F32(3, 3, 2, 4), F32(5, 5, 2)}, 36 * 36, 144 + 288 + 200},
        {"CONV_2D_DW", {F32(3, 3, 4), F32(3, 3, 1, 4), F32(5, 5, 4)}, 18 * 36, 144 + 144 + 400},
        /* 2 x 3 x 2 for each of 5 x 4 */
        {"CONV_TRANSPOSE_1D", {F32(7, 2), F32(3, 2, 4), F32(5, 4)}, 12 * 20, 56 + 96 + 80},
        {"ADD", {F32(5, 2), F32(5, 2), F32(5, 1)}, 10, 40 + 40 + 20},
        {"SUB", {F32(5, 2), F32(5, 2), F32(5, 1)}, 10, 40 + 40 + 20},
        {"MUL", {F32(5, 2), F32(5, 2), F32(5, 1)}, 10, 40 + 40 + 20},
        {"DIV", {F32(5, 2), F32(5, 2), F32(5, 1)}, 10, 40 + 40 + 20},
        {"ADD1", {F32(5, 2), F32(5, 2), F32(1)}, 10, 84},
        {"SCALE", {F32(5, 2), F32(5, 2)}, 10, 80},
        {"SQR", {F32(5, 2), F32(5, 2)}, 10, 80},
        {"SQRT", {F32(5, 2), F32(5, 2)}, 10, 80},
        {"LOG", {F32(5, 2), F32(5, 2)}, 10, 80},
        {"SIN", {F32(5, 2), F32(5, 2)}, 10, 80},
        {"COS", {F32(5, 2), F32(5, 2)}, 10, 80},
        {"ABS", {F32(5, 2), F32(5, 2)}, 10, 80},
        {"NEG", {F32(5, 2), F32(5, 2)}, 10, 80},
        {"EXP", {F32(5, 2), F32(5, 2)}, 10, 80},
        {"TANH", {F32(5, 2), F32(5, 2)}, 10, 80},
        {"RELU", {F32(5, 2), F32(5, 2)}, 10, 80},
        {"CLAMP", {F32(5, 2), F32(5, 2)}, 20, 80},
        {"SIGMOID", {F32(5, 2), F32(5, 2)}, 40, 80},
        {"SILU", {F32(5, 2), F32(5, 2)}, 50, 80},
        {"GELU", {F32(5, 2), F32(5, 2)}, 90, 80},
        {"GELU_QUICK", {F32(5, 2), F32(5, 2)}, 60, 80},
        {"GELU_ERF", {F32(5, 2), F32(5, 2)}, 50, 80},
        {"SUM", {F32(1), F32(5, 2)}, 10, 44},
        {"SUM_ROWS", {F32(1, 2), F32(5, 2)}, 10, 48},
        {"MEAN", {F32(1, 2), F32(5, 2)}, 10, 48},
        {"ARGMAX", {I32(2), F32(5, 2)}, 10, 48},
        /* halves of one tensor, or two tensors */
        {"SWIGLU", {F32(5, 2), F32(10, 2)}, 60, 120},
        {"SWIGLU", {F32(5, 2), F32(5, 2), F32(5, 2)}, 60, 120},
        {"REGLU", {F32(5, 2), F32(10, 2)}, 20, 120},
        {"GEGLU", {F32(5, 2), F32(10, 2)}, 100, 120},
        {"GEGLU_QUICK", {F32(5, 2), F32(10, 2)}, 70, 120},
        {"GEGLU_ERF", {F32(5, 2), F32(10, 2)}, 60, 120},
};
#define N_GOLDENS (sizeof(goldens) / sizeof(goldens[0]))

static struct shape shape_of(const char *op, const struct shape_operand *at)
{
        struct shape s = {0};

        snprintf(s.op, sizeof(s.op), "%s", op);
        for (; s.n < SHAPE_MAX && at[s.n].ne[0]; s.n++) {
                s.at[s.n] = at[s.n];
                for (int i = 0; i < 4; i++)
                        s.at[s.n].ne[i] += !s.at[s.n].ne[i];
        }
        return s;
}

static void each_row_is_right(void **state)
{
        (void)state;
        for (size_t i = 0; i < N_GOLDENS; i++) {
                const struct golden *g = &goldens[i];
                struct shape s = shape_of(g->op, g->at);
                struct work_amount w = flops_of(&s);
                char text[SHAPE_TEXT];

                if (!w.flops_known || w.flops != g->flops || !w.bytes_known ||
                    w.bytes != g->bytes || w.bytes_at_most != g->at_most || w.saturated)
                        fail_msg("%s of %s: %d %llu flops, %d %llu bytes, wanted %llu and %llu",
                                 g->op, shape_text(text, sizeof(text), &s), w.flops_known,
                                 (unsigned long long)w.flops, w.bytes_known,
                                 (unsigned long long)w.bytes, (unsigned long long)g->flops,
                                 (unsigned long long)g->bytes);
        }
}

static void each_row_has_its_case_and_its_source(void **state)
{
        const char *op;

        (void)state;
        for (size_t i = 0; (op = flops_op(i)); i++) {
                size_t k = 0;

                while (k < N_GOLDENS && strcmp(goldens[k].op, op))
                        k++;
                if (k == N_GOLDENS)
                        fail_msg("%s is held against nothing", op);
                assert_non_null(flops_source(op));
                assert_true(strlen(flops_source(op)) > 10);
                for (size_t j = 0; j < i; j++)
                        assert_string_not_equal(flops_op(j), op);
        }
        assert_null(flops_source("POOL_2D"));
}

static void what_has_no_row_is_not_known(void **state)
{
        struct shape s =
                shape_of("SSM_SCAN", (struct shape_operand[]){F32(5, 2), F32(5, 2), F32(0)});
        struct work_amount w = flops_of(&s);

        (void)state;
        assert_false(w.flops_known || w.bytes_known || w.flops || w.bytes);
        s.op[0] = '\0';
        assert_false(flops_of(&s).flops_known);
}

/* Each is right, and then is not. */
static void what_does_not_fit_its_row_is_not_known(void **state)
{
        const struct shape good =
                shape_of("MUL_MAT", (struct shape_operand[]){F32(5, 3, 4), F16(8, 5, 2),
                                                             F32(8, 3, 4), F32(0)});
        struct shape s;

        (void)state;
        assert_true(flops_of(&good).flops_known);
#define SPOILED(change)                                                                            \
        do {                                                                                       \
                s = good;                                                                          \
                change;                                                                            \
                assert_false(flops_of(&s).flops_known);                                            \
        } while (0)
        SPOILED(s.n = 2);
        SPOILED(s.n = 0);
        SPOILED(s.n = SHAPE_MAX + 1);
        SPOILED(s.at[1].ne[0] = 9);
        SPOILED(s.at[1].ne[1] = 9);
        SPOILED(s.at[0].ne[1] = 9);
        SPOILED(s.at[1].ne[2] = 3);
        SPOILED(s.at[0].ne[3] = 2);
        SPOILED(s.at[2].ne[3] = 0);
        SPOILED(s.at[2].ne[3] = UINT64_MAX);
        s = good;
        s.at[1].block = 0; /* an unknown type: the work is known, the bytes are not */
        assert_true(flops_of(&s).flops_known);
        assert_false(flops_of(&s).bytes_known);
        s.at[1].block = 32; /* rows of 8 elements are no rows of blocks of 32 */
        assert_false(flops_of(&s).bytes_known);
}

static void more_than_can_be_told_is_said(void **state)
{
        struct shape s = shape_of(
                "MUL_MAT", (struct shape_operand[]){F32(1 << 30, 1 << 30), F32(1 << 30, 1 << 30),
                                                    F32(1 << 30, 1 << 30), F32(0)});
        struct work_amount w = flops_of(&s);

        (void)state;
        assert_true(w.flops_known && w.saturated);
        assert_true(w.flops == INT64_MAX);
        for (int i = 0; i < 3; i++)
                s.at[i].ne[0] = s.at[i].ne[1] = s.at[i].ne[2] = s.at[i].ne[3] = INT64_MAX;
        w = flops_of(&s);
        assert_true(w.flops_known && w.saturated && w.flops == INT64_MAX && w.bytes == INT64_MAX);
}

static void text_is(const char *op, const struct shape_operand *at, const char *wanted)
{
        struct shape s = shape_of(op, at);
        char text[SHAPE_TEXT];

        assert_string_equal(shape_text(text, sizeof(text), &s), wanted);
}

static void shapes_as_text(void **state)
{
        char text[SHAPE_TEXT], small[12];
        struct shape s;

        (void)state;
        text_is("MUL_MAT",
                (struct shape_operand[]){F32(768, 1), Q4_0(288, 768), F32(288, 1), F32(0)},
                "q4_0[288,768] x f32[288,1]");
        text_is("SILU", (struct shape_operand[]){F32(5, 2), F32(5, 2, 3), F32(0)}, "f32[5,2,3]");
        text_is("SILU", (struct shape_operand[]){F32(5, 2), F32(5, 1, 1, 3), F32(0)},
                "f32[5,1,1,3]");
        text_is("ARANGE", (struct shape_operand[]){F32(7), F32(0)}, "f32[7,1]");
        text_is("ADD", (struct shape_operand[]){F32(7), TENSOR("", 0, 0, 7), F32(0)}, "?[7,1]");
        s = (struct shape){0};
        assert_string_equal(shape_text(text, sizeof(text), &s), "");
        s = shape_of("MUL_MAT", (struct shape_operand[]){F32(7), F32(7), F32(7), F32(0)});
        shape_text(small, sizeof(small), &s);
        assert_true(strlen(small) < sizeof(small));
        assert_int_equal(strncmp(small, "f32[7,1] x ", strlen(small)), 0);
        memset(&s, 0xff, sizeof(s)); /* whatever is in it, it ends */
        shape_text(text, sizeof(text), &s);
        assert_true(strlen(text) < sizeof(text));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_row_is_right),
                cmocka_unit_test(each_row_has_its_case_and_its_source),
                cmocka_unit_test(what_has_no_row_is_not_known),
                cmocka_unit_test(what_does_not_fit_its_row_is_not_known),
                cmocka_unit_test(more_than_can_be_told_is_said),
                cmocka_unit_test(shapes_as_text),
        };

        return cmocka_run_group_tests_name("flops", tests, NULL, NULL);
}
