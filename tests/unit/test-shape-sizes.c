/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/amount.h"
#include "common/shape.h"

static void amounts_keep_what_they_cannot_tell(void **state)
{
        assert_true(amount_add(2, 3) == 5);
        assert_true(amount_mul3(2, 3, 4) == 24);
        assert_true(amount_mul((uint64_t)1 << 31, (uint64_t)1 << 31) == (uint64_t)1 << 62);
        assert_true(amount_mul((uint64_t)1 << 32, (uint64_t)1 << 31) == AMOUNT_MANY);
        assert_true(amount_add(INT64_MAX, 0) == INT64_MAX);
        assert_true(amount_add(INT64_MAX, 1) == AMOUNT_MANY);
        assert_true(amount_mul(AMOUNT_MANY, AMOUNT_MANY) == AMOUNT_MANY);
        assert_true(amount_add(AMOUNT_MANY, 1) == AMOUNT_MANY);
        assert_true(amount_add(AMOUNT_UNKNOWN, 1) == AMOUNT_UNKNOWN);
        assert_true(amount_mul(0, AMOUNT_UNKNOWN) == AMOUNT_UNKNOWN);
}

static void bytes_by_storage_type(void **state)
{
        static const struct {
                struct shape_operand o;
                uint64_t bytes;
        } cases[] = {
                {{"f32", 1, 4, {3, 5, 7, 2}}, 840},           /* 3*4*5*7*2 */
                {{"f16", 1, 2, {3, 5, 1, 1}}, 30},            /* 3*2*5 */
                {{"q4_0", 32, 18, {288, 768, 1, 1}}, 124416}, /* 288/32 = 9; 9*18 = 162; *768 */
                {{"q8_0", 32, 34, {64, 2, 1, 1}}, 136},       /* 2*34*2 */
                {{"q4_K", 256, 144, {512, 3, 1, 1}}, 864},    /* 2*144*3 */
                {{"q6_K", 256, 210, {256, 2, 2, 1}}, 840},    /* 210*4 */
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
                assert_int_equal(shape_bytes(&cases[i].o), cases[i].bytes);
}

static void what_cannot_be_is_not_known(void **state)
{
        static const struct shape_operand malformed[] = {
                {"f32", 1, 4, {0, 1, 1, 1}},
                {"f32", 1, 4, {1, 1, 1, 0}},
                {"f32", 1, 4, {1, UINT64_MAX, 1, 1}}, /* -1 */
                {"f32", 1, 4, {(uint64_t)INT64_MAX + 1, 1, 1, 1}},
                {"f32", 0, 4, {1, 1, 1, 1}},
                {"f32", 1, 0, {1, 1, 1, 1}},
                {"", 1, 4, {1, 1, 1, 1}},
                {"q4_0", 32, 18, {33, 1, 1, 1}},
                {"q4_0", 32, 18, {16, 1, 1, 1}},
        };
        const struct shape_operand large = {"f32", 1, 4, {INT64_MAX, INT64_MAX, 3, 3}};

        for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
                assert_true(shape_bytes(&malformed[i]) == AMOUNT_UNKNOWN);
        assert_true(shape_elements(&malformed[7]) == 33);
        assert_true(shape_elements(&malformed[0]) == AMOUNT_UNKNOWN);
        assert_true(shape_bytes(&large) == AMOUNT_MANY);
        assert_true(shape_elements(&large) == AMOUNT_MANY);
}

static void text_of(const struct shape *s, const char *expected)
{
        char buf[SHAPE_TEXT_SIZE];

        assert_string_equal(shape_text(buf, sizeof(buf), s), expected);
}

static void text(void **state)
{
        struct shape s = {.n = 3,
                          .at = {{"f32", 1, 4, {768, 1, 1, 1}},
                                 {"q4_0", 32, 18, {288, 768, 1, 1}},
                                 {"f32", 1, 4, {288, 1, 1, 1}}}};

        text_of(&s, "q4_0[288,768] x f32[288,1]");
        s.at[2].ne[3] = 5;
        text_of(&s, "q4_0[288,768] x f32[288,1,1,5]");
        s.at[2].ne[2] = 7;
        s.at[2].ne[3] = 1;
        text_of(&s, "q4_0[288,768] x f32[288,1,7]");
        s.at[2].type[0] = '\0';
        text_of(&s, "q4_0[288,768] x ?[288,1,7]");
        strcpy(s.at[2].type, "a\n\x80");
        text_of(&s, "q4_0[288,768] x a??[288,1,7]");
        s.n = 2;
        text_of(&s, "q4_0[288,768]");
        s.n = 1;
        text_of(&s, "f32[768,1]");
        s.n = 0;
        text_of(&s, "");
}

static void sources_that_are_not_there(void **state)
{
        struct shape s = {.n = 4,
                          .at = {{"f32", 1, 4, {2, 1, 1, 1}},
                                 {"f32", 1, 4, {3, 1, 1, 1}},
                                 {.type = ""},
                                 {"f16", 1, 2, {4, 1, 1, 1}}}};

        text_of(&s, "f32[3,1] x f16[4,1]");
        assert_null(shape_at(&s, 2));
        assert_null(shape_at(&s, 4));
        assert_ptr_equal(shape_at(&s, 3), &s.at[3]);
        s.n = UINT32_MAX;
        assert_null(shape_at(&s, SHAPE_MAX));
        text_of(&s, "f32[3,1] x f16[4,1]");
}

/* The longest text there is, in buffers of every size: on the heap, where a sanitizer sees its end.
 */
static void text_stays_in_its_buffer(void **state)
{
        struct shape s = {.n = SHAPE_MAX};
        char whole[SHAPE_TEXT_SIZE];
        size_t length;

        for (int i = 0; i < SHAPE_MAX; i++) {
                memset(s.at[i].type, 'x', sizeof(s.at[i].type)); /* and no NUL */
                for (int j = 0; j < 4; j++)
                        s.at[i].ne[j] = UINT64_MAX;
        }
        length = strlen(shape_text(whole, sizeof(whole), &s));
        assert_int_equal(length, 5 * (16 + 4 * 21 + 1) + 4 * 3);
        assert_true(length < SHAPE_TEXT_SIZE);
        for (size_t size = 0; size <= length + 1; size++) {
                char *buf = malloc(size ? size : 1);

                buf[0] = '!';
                shape_text(buf, size, &s);
                if (!size)
                        assert_int_equal(buf[0], '!');
                else if (size == length + 1)
                        assert_string_equal(buf, whole);
                else
                        assert_int_equal(strlen(buf), size - 1);
                if (size > 3 && size <= length)
                        assert_string_equal(buf + size - 4, "...");
                free(buf);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(amounts_keep_what_they_cannot_tell),
                cmocka_unit_test(bytes_by_storage_type),
                cmocka_unit_test(what_cannot_be_is_not_known),
                cmocka_unit_test(text),
                cmocka_unit_test(sources_that_are_not_there),
                cmocka_unit_test(text_stays_in_its_buffer),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
