/* SPDX-License-Identifier: MIT */
/* daemon/text.c and common/demangle.c: names, made fit to be shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/demangle.h"
#include "daemon/text.h"

static void assert_cleaned(const char *from, const char *to)
{
        char *s = strdup(from);

        text_clean(s);
        assert_string_equal(s, to);
        free(s);
}

static void only_printable_utf8_is_left(void **state)
{
        assert_cleaned("", "");
        assert_cleaned("plain", "plain");
        assert_cleaned("\xe2\x82\xac \xf0\x9f\x98\x80", "\xe2\x82\xac \xf0\x9f\x98\x80");
        assert_cleaned("a\tb\nc\x7f", "a?b?c?");
        assert_cleaned("\xff\xfe", "??");
        assert_cleaned("\xc0\x80", "??");           /* overlong */
        assert_cleaned("\xed\xa0\x80", "???");      /* half a surrogate pair */
        assert_cleaned("\xf4\x90\x80\x80", "????"); /* beyond Unicode */
        assert_cleaned("\xe2\x82", "??");           /* cut off */
        assert_cleaned("\xc2\x9b", "??");           /* a control character of eight bits */
}

static void ids_are_names_of_files(void **state)
{
        assert_true(text_is_id("20261120-194500-4711"));
        assert_true(text_is_id("my.run_2"));
        assert_false(text_is_id(""));
        assert_false(text_is_id("../x"));
        assert_false(text_is_id("a/b"));
        assert_false(text_is_id(".hidden"));
        assert_false(text_is_id("-option"));
        assert_false(text_is_id("a b"));
        assert_false(
                text_is_id("0123456789012345678901234567890123456789012345678901234567890123"));
}

static void words_are_quoted_for_a_shell(void **state)
{
        static const char words[] = "./a\0-n\0two words\0it's\0";
        char *s = text_shell_words(words, sizeof(words) - 1);

        assert_string_equal(s, "./a -n 'two words' 'it'\\''s'");
        free(s);
}

static void secrets_are_not_told(void **state)
{
        static const char words[] = "./a\0--api-key\0my secret\0x\0HF_TOKEN=abc\0-v\0";
        char *s = text_shell_words(words, sizeof(words) - 1);

        assert_string_equal(s, "./a --api-key *** x HF_TOKEN=*** -v");
        free(s);
}

static void assert_demangled(const char *from, const char *to)
{
        char *s = ifp_demangle(from);

        assert_string_equal(s, to);
        free(s);
}

static void names_are_demangled(void **state)
{
        assert_demangled("cblas_sgemm", "cblas_sgemm");
        assert_demangled("_Z3fooi", "foo(int)");
        assert_demangled("_ZN2at4_ops3add4callEv", "at::_ops::add::call()");
        assert_demangled("_Znotaname", "_Znotaname");
        assert_demangled("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE",
                         "core::fmt::Write::write_fmt");
        assert_demangled("_ZN60_$LT$alloc..string..String$u20$as$u20$core..fmt..Display$GT$"
                         "3fmt17h0123456789abcdefE",
                         "<alloc::string::String as core::fmt::Display>::fmt");
        assert_demangled("_RNvCs1234_7mycrate3foo", "mycrate::foo");
        assert_demangled("_RNvMs_Cs4Cv8Wi1oAIB_7mycrateNtB4_6Matrix3mul", "<mycrate::Matrix>::mul");
        assert_demangled("_RINvNtC3std3mem8align_ofdE", "std::mem::align_of::<f64>");
        assert_demangled("_RNvXs_C7mycrateNtB4_1ANtB4_1T1f", "<mycrate::A as mycrate::T>::f");
        assert_demangled("_RNCNvC7mycrate4main0B3_", "mycrate::main::{closure#0}");
        assert_demangled("_RINvC7mycrate3fooRSlAhj10_TxyEE",
                         "mycrate::foo::<&[i32], [u8; 16], (i64, u64)>");
        assert_demangled("_RNvB_3foo", "_RNvB_3foo"); /* refers to itself */
        assert_demangled("_R", "_R");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(only_printable_utf8_is_left),
                cmocka_unit_test(ids_are_names_of_files),
                cmocka_unit_test(words_are_quoted_for_a_shell),
                cmocka_unit_test(secrets_are_not_told),
                cmocka_unit_test(names_are_demangled),
        };

        return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
