/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/fmt.h"

static void times(void **state)
{
        static const struct {
                uint64_t ns;
                const char *text;
        } cases[] = {
                {0, "0ns"},
                {999, "999ns"},
                {1000, "1.000us"},
                {12345, "12.35us"},
                {123456, "123.5us"},
                {999949, "999.9us"},
                {999950, "1.000ms"},
                {1000000, "1.000ms"},
                {999949999, "999.9ms"},
                {999950000, "1.000s"},
                {12500000000, "12.50s"},
                {99994999999, "99.99s"},
                {99995000000, "1m40s"},
                {119500000000, "2m00s"},
                {3599499999999, "59m59s"},
                {3599500000000, "1h00m"},
                {94200000000000, "26h10m"},
                {UINT64_MAX, "5124095h34m"},
        };
        char buf[FMT_SIZE];

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
                assert_string_equal(fmt_ns(buf, cases[i].ns), cases[i].text);
}

static void counts(void **state)
{
        char buf[FMT_SIZE];

        assert_string_equal(fmt_count(buf, 0), "0");
        assert_string_equal(fmt_count(buf, 999), "999");
        assert_string_equal(fmt_count(buf, 1000), "1,000");
        assert_string_equal(fmt_count(buf, 1234567), "1,234,567");
        assert_string_equal(fmt_count(buf, UINT64_MAX), "18,446,744,073,709,551,615");
}

static void sizes(void **state)
{
        char buf[FMT_SIZE];

        assert_string_equal(fmt_bytes(buf, 0), "0B");
        assert_string_equal(fmt_bytes(buf, 1023), "1023B");
        assert_string_equal(fmt_bytes(buf, -1023), "-1023B");
        assert_string_equal(fmt_bytes(buf, 1024), "1.00KiB");
        assert_string_equal(fmt_bytes(buf, 1536), "1.50KiB");
        assert_string_equal(fmt_bytes(buf, 1048575), "1.00MiB");
        assert_string_equal(fmt_bytes(buf, 24536678), "23.4MiB");
        assert_string_equal(fmt_bytes(buf, -24536678), "-23.4MiB");
        assert_string_equal(fmt_bytes(buf, INT64_MAX), "8.00EiB");
        assert_string_equal(fmt_bytes(buf, INT64_MIN), "-8.00EiB");
}

static void shares(void **state)
{
        char buf[FMT_SIZE];

        assert_string_equal(fmt_share(buf, 0), "0.0%");
        assert_string_equal(fmt_share(buf, 0.0004), "<0.1%");
        assert_string_equal(fmt_share(buf, 0.0005), "0.1%");
        assert_string_equal(fmt_share(buf, 0.1234), "12.3%");
        assert_string_equal(fmt_share(buf, 1), "100.0%");
}

static void signals(void **state)
{
        char buf[FMT_SIZE];

        assert_string_equal(fmt_signal(buf, sizeof(buf), SIGSEGV), "SIGSEGV");
        assert_string_equal(fmt_signal(buf, sizeof(buf), SIGRTMIN + 3), "SIGRTMIN+3");
        assert_string_equal(fmt_signal(buf, sizeof(buf), 99), "signal 99");
        assert_string_equal(fmt_signal(buf, sizeof(buf), -5), "signal -5");
}

static void text_becomes_utf8(void **state)
{
        static const struct {
                const char *in, *out;
        } cases[] = {
                {"", ""},
                {"plain\ttext", "plain\ttext"},
                {"κάτι 語 \xf0\x9f\x98\x80", "κάτι 語 \xf0\x9f\x98\x80"},
                {"a\xff"
                 "b",
                 "a\xef\xbf\xbd"
                 "b"},
                {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},                 /* overlong */
                {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* a surrogate */
                {"\xf4\x90\x80\x80",
                 "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* beyond */
                {"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"},             /* cut off */
                {"\xf0\x9f\x98", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
                {"\xce", "\xef\xbf\xbd"},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                char *clean = fmt_utf8(cases[i].in);

                assert_string_equal(clean, cases[i].out);
                free(clean);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(times),   cmocka_unit_test(counts),
                cmocka_unit_test(sizes),   cmocka_unit_test(shares),
                cmocka_unit_test(signals), cmocka_unit_test(text_becomes_utf8),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
