/* SPDX-License-Identifier: MIT */
/* Conditions: what they are worth on documents made up here, and where one that makes no sense is
 * wrong. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/check.h"

static const char *const documents[][2] = {
        {"report",
         "{\"run\": {\"id\": \"x\", \"duration_ns\": 2000000000, \"exit\": {\"code\": 3}}, "
         "\"self\": {\"lost\": 0, \"overhead_fraction\": 0.004},"
         "\"tokens\": {\"per_second\": 50.0, \"ttft_ns\": 120000000, \"p50_ns\": 19000000, "
         "\"p99_ns\": 25000000, \"mean_ns\": null}, \"requests\": null, \"counters\": "
         "[{\"name\": \"full\", \"value\": 9223372036854775807, \"bytes\": 9223372036854775807}], "
         "\"memory\": {\"peak_bytes\": 7, \"totals\": {\"calls\": 1}}, \"spawns\": {\"total\": 9}, "
         "\"threads\": [{\"share\": 0.5}], \"ops\": ["
         "{\"name\": \"MUL_MAT\", \"p99_ns\": 1500, \"calls\": 64, \"share\": 0.6, \"gflops\": "
         "null},"
         "{\"name\": \"RMS_NORM+MUL\", \"p99_ns\": 800, \"calls\": 32, \"share\": 0.1}]}"},
        {"memory",
         "{\"totals\": {\"peak_bytes\": 2097152, \"live_bytes\": 1024, \"failed_calls\": 0}, "
         "\"per_token\": {\"calls\": {\"mean\": 2.5}, \"bytes\": {\"mean\": 640}}}"},
        {"spawns", "{\"tokens\": 100, \"sites\": [{\"count\": 3}, {\"count\": 2}]}"},
        {"ledger",
         "{\"overhead_factor\": 1.5, \"own\": [{\"row\": \"barrier\", \"share\": 0.25}]}"},
        {"threads", "{\"cpus\": null, \"threads\": [{\"share\": 0.25}]}"},
        {"explain", "{\"findings\": [{\"id\": \"spin-wait\"}]}"},
};
#define N_DOCUMENTS (sizeof(documents) / sizeof(documents[0]))

static json_t *parsed[N_DOCUMENTS], *before;

static int set_up(void **state)
{
        (void)state;
        for (size_t i = 0; i < N_DOCUMENTS; i++)
                if (!(parsed[i] = json_loads(documents[i][1], 0, NULL)))
                        return -1;
        before = json_loads("{\"tokens\": {\"per_second\": 40.0, \"p99_ns\": 20000000}}", 0, NULL);
        return before ? 0 : -1;
}

static int tear_down(void **state)
{
        (void)state;
        for (size_t i = 0; i < N_DOCUMENTS; i++)
                json_decref(parsed[i]);
        json_decref(before);
        return 0;
}

static const json_t *get(void *userdata, enum check_run run, const char *document)
{
        (void)userdata;
        if (run == CHECK_BASELINE)
                return strcmp(document, "report") != 0 ? NULL : before;
        for (size_t i = 0; i < N_DOCUMENTS; i++)
                if (!strcmp(documents[i][0], document))
                        return parsed[i];
        return NULL;
}

static const char of_report[] =
        "{\"properties\": {\"requests\": {\"anyOf\": [{\"$ref\": \"#/$defs/requests\"}, {\"type\": "
        "\"null\"}]}, \"tokens\": {\"properties\": {\"p10_ns\": {}}}, \"run\": {\"properties\": "
        "{\"exit\": {\"oneOf\": [{\"properties\": {\"code\": {}}}, {\"properties\": {\"signal\": "
        "{}}}]}}}}, \"$defs\": {\"requests\": {\"properties\": {\"success_rate\": {\"type\": "
        "\"number\"}, \"by\": {\"additionalProperties\": {\"properties\": {\"total\": {}}}}, "
        "\"list\": "
        "{\"items\": {\"properties\": {\"total\": {}}}}}}}}";

static const json_t *schema(void *userdata, const char *document)
{
        static json_t *o;

        (void)userdata;
        if (strcmp(document, "report") != 0)
                return NULL;
        if (!o)
                o = json_loads(of_report, 0, NULL);
        assert_non_null(o);
        return o;
}

static struct check_source source = {get, NULL, true, schema};

static struct check_result result_of(const char *text)
{
        struct check_result result;
        struct check *c = NULL;
        char *why = NULL;

        if (check_parse(&c, text, &why))
                fail_msg("%s", why);
        if (check_run(&result, c, &source, &why))
                fail_msg("%s: %s", text, why);
        check_free(c);
        return result;
}

static void conditions_hold_or_not(void **state)
{
        static const struct {
                const char *text;
                enum check_verdict verdict;
                double left, right;
        } rows[] = {
                {"p99(decode) < 20ms", CHECK_FAILED, 25e6, 20e6},
                {"p99(decode) <= 25 ms", CHECK_PASSED, 25e6, 25e6},
                {"p50(decode) < 0.02s", CHECK_PASSED, 19e6, 20e6},
                {"tokens_per_second >= 50", CHECK_PASSED, 50, 50},
                {"tokens_per_second > baseline * 1.2", CHECK_PASSED, 50, 48},
                {"baseline * 1.2 < tokens_per_second", CHECK_PASSED, 48, 50},
                {"p99(decode) <= baseline + 1ms", CHECK_FAILED, 25e6, 21e6},
                {"p99(decode) / baseline(p99(decode)) < 130%", CHECK_PASSED, 1.25, 1.3},
                {"spawns.per_token < 0.01", CHECK_FAILED, 0.05, 0.01},
                {"spawns.count == 5", CHECK_PASSED, 5, 5},
                {"alloc.per_token == 0", CHECK_FAILED, 2.5, 0},
                {"memory.peak <= 2MiB", CHECK_PASSED, 2097152, 2097152},
                {"memory.totals.live_bytes != 1KiB", CHECK_FAILED, 1024, 1024},
                {"memory.peak - memory.live > 1MB", CHECK_PASSED, 2096128, 1e6},
                {"exit_code == 3", CHECK_PASSED, 3, 3},
                {"wall < 1 min", CHECK_PASSED, 2e9, 6e10},
                {"findings == 0", CHECK_FAILED, 1, 0},
                {"ledger.own[barrier].share < 30 %", CHECK_PASSED, 0.25, 0.3},
                {"share(MUL_MAT) > 1/2", CHECK_PASSED, 0.6, 0.5},
                {"p99('RMS_NORM+MUL') < 1us", CHECK_PASSED, 800, 1000},
                {"ops[\"RMS_NORM+MUL\"].calls * 2 == calls(MUL_MAT)", CHECK_PASSED, 64, 64},
                {"ops[1].calls == 32", CHECK_PASSED, 32, 32},
                {"report.self.lost == 0", CHECK_PASSED, 0, 0},
                {"-(2 - 5) * 2 - 1 == 1e1 / 2", CHECK_PASSED, 5, 5},
                {"2 - 3 - 4 == -5", CHECK_PASSED, -5, -5},
                {"ttft - 0 < 200ms", CHECK_PASSED, 120e6, 200e6},
                /* of the document, else of the report */
                {"memory.totals.live_bytes == 1KiB", CHECK_PASSED, 1024, 1024},
                {"memory.peak_bytes < 1MiB", CHECK_PASSED, 7, 0x1p20},
                {"spawns.total == 9", CHECK_PASSED, 9, 9},
                {"threads[0].share == 1/2", CHECK_PASSED, 0.5, 0.5},
                {"threads.threads[0].share == 1/4", CHECK_PASSED, 0.25, 0.25},
                {"report.memory.totals.calls == 1", CHECK_PASSED, 1, 1},
                /* what might be there */
                {"requests.success_rate >= 0.99", CHECK_UNKNOWN, NAN, 0.99},
                {"requests.by.anything.total >= 1", CHECK_UNKNOWN, NAN, 1},
                {"requests.list[3].total >= 1", CHECK_UNKNOWN, NAN, 1},
                {"run.exit.signal == 9", CHECK_UNKNOWN, NAN, 9},
                {"tokens.p10_ns < 1ms", CHECK_UNKNOWN, NAN, 1e6},
                /* not known */
                {"1e200 * 1e200 > 1", CHECK_UNKNOWN, NAN, 1},
                {"1e200 * 1e200 - 1e200 * 1e200 < 1", CHECK_UNKNOWN, NAN, 1},
                {"mean(decode) < 20ms", CHECK_UNKNOWN, NAN, 20e6},
                {"gflops(MUL_MAT) > 3", CHECK_UNKNOWN, NAN, 3},
                {"max('RMS_NORM+MUL') < 3ms", CHECK_UNKNOWN, NAN, 3e6},
                {"1 / findings - 1 / (findings - 1) < 3", CHECK_UNKNOWN, NAN, 3},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct check_result r = result_of(rows[i].text);

                if (r.verdict != rows[i].verdict)
                        fail_msg("%s: verdict %d (%g, %g)", rows[i].text, r.verdict, r.left.number,
                                 r.right.number);
                if (!isnan(rows[i].left) &&
                    fabs(r.left.number - rows[i].left) > 1e-9 * rows[i].left &&
                    fabs(r.left.number - rows[i].left) > 1e-9)
                        fail_msg("%s: left is %g", rows[i].text, r.left.number);
                if (fabs(r.right.number - rows[i].right) > 1e-9 * fabs(rows[i].right))
                        fail_msg("%s: right is %g", rows[i].text, r.right.number);
                assert_int_equal(r.verdict == CHECK_UNKNOWN, r.why[0] != '\0');
        }
}

/* Of what is wrong with it: the part behind "column ". */
static void is_wrong(const char *text, const char *what)
{
        struct check_result result;
        struct check *c = NULL;
        char *why = NULL;
        int r = check_parse(&c, text, &why);

        if (!r)
                r = check_run(&result, c, &source, &why);
        check_free(c);
        if (r != CHECK_E_MALFORMED)
                fail_msg("%s: %d", text, r);
        if (!strstr(why, what))
                fail_msg("%s: %s", text, why);
        free(why);
}

static void what_makes_no_sense_is_told_where_it_is(void **state)
{
        (void)state;
        is_wrong("", "column 1: a quantity or a number is expected");
        is_wrong("wall", "column 5: a comparison is expected");
        is_wrong("wall < 3s 4", "column 11: the end is expected");
        is_wrong("wall < 3parsecs", "column 9: 'parsecs' is no unit");
        is_wrong("wall < 1e400", "column 8: the number is too large");
        is_wrong("wall < 1e308 min", "column 8: the number is too large");
        is_wrong("wall < 0x3", "column 8: a number is expected");
        is_wrong("p99(decode < 3ms", "column 12: ')' is expected");
        is_wrong("p99('decode) < 3ms", "column 5: the quote is not closed");
        is_wrong("(1 + 2 < 3", "column 8: ')' is expected");
        is_wrong("ops[MUL_MAT.calls < 3", "column 12: ']' is expected");
        is_wrong("a.b.c.d.e.f.g.h.i < 3", "no more than 8 steps");
        is_wrong("wall < 3", "column 8: a time is compared with a number without unit");
        is_wrong("3 < wall", "column 5: a number without unit is compared with a time");
        is_wrong("wall + memory.peak < 3s", "column 6: a time and bytes do not go together");
        is_wrong("wall * wall < 3s", "column 6: a time cannot be multiplied by a time");
        is_wrong("1 / wall < 3", "column 3: a number without unit cannot be divided by a time");
        is_wrong("baseline < baseline", "column 1: baseline stands on both sides");
        is_wrong("run.id < 3", "column 1: run.id is no number");
        is_wrong("ops < 3", "column 1: ops is no number");
        is_wrong("p99(MUL_MAT) < baseline",
                 "column 16: there is no op 'MUL_MAT' in the baseline run");
        is_wrong("wall > 0s + baseline(p99(MUL_MAT))",
                 "column 22: there is no op 'MUL_MAT' in the");
        is_wrong("p98(MUL_MAT) < baseline", "column 1: there is no function 'p98'");
        is_wrong("p99(token) < baseline", "column 1: there is no op 'token'");
        source.has_baseline = false;
        is_wrong("wall < 2 * baseline", "column 12: there is no baseline");
        source.has_baseline = true;
}

/* A counter at the end of its range is at least so much. */
static void bounds_are_not_taken_for_figures(void **state)
{
        static const struct {
                const char *text;
                enum check_verdict verdict;
                enum check_bound left, right;
        } rows[] = {
                {"counters[full].value > 5", CHECK_PASSED, CHECK_AT_LEAST, 0},
                {"counters[full].value < 5", CHECK_FAILED, CHECK_AT_LEAST, 0},
                {"counters[full].value < 1e19", CHECK_UNKNOWN, CHECK_AT_LEAST, 0},
                {"counters[full].value > 1e19", CHECK_UNKNOWN, CHECK_AT_LEAST, 0},
                {"counters[full].value >= counters[full].value", CHECK_UNKNOWN, CHECK_AT_LEAST,
                 CHECK_AT_LEAST},
                {"counters[full].value != 5", CHECK_PASSED, CHECK_AT_LEAST, 0},
                {"counters[full].value == 5", CHECK_FAILED, CHECK_AT_LEAST, 0},
                {"counters[full].value == 1e19", CHECK_UNKNOWN, CHECK_AT_LEAST, 0},
                {"5 < counters[full].value", CHECK_PASSED, 0, CHECK_AT_LEAST},
                {"1e19 < counters[full].value / 2 + 1", CHECK_UNKNOWN, 0, CHECK_AT_LEAST},
                {"1 - counters[full].value < 0", CHECK_PASSED, CHECK_AT_MOST, 0},
                {"-counters[full].value > -1e19", CHECK_UNKNOWN, CHECK_AT_MOST, 0},
                {"counters[full].value * -2 > 0", CHECK_FAILED, CHECK_AT_MOST, 0},
                {"1 / counters[full].value < 1", CHECK_PASSED, CHECK_AT_MOST, 0},
                {"1 / counters[full].value > 1e-30", CHECK_UNKNOWN, CHECK_AT_MOST, 0},
                {"counters[full].value - counters[full].value < 5", CHECK_UNKNOWN, 0, 0},
                {"counters[full].bytes > 1TiB", CHECK_PASSED, CHECK_AT_LEAST, 0},
        };
        char buf[CHECK_VALUE_SIZE];

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct check_result r = result_of(rows[i].text);

                if (r.verdict != rows[i].verdict || r.left.bound != rows[i].left ||
                    r.right.bound != rows[i].right)
                        fail_msg("%s: verdict %d, bounds %d and %d", rows[i].text, r.verdict,
                                 r.left.bound, r.right.bound);
                assert_int_equal(r.verdict == CHECK_UNKNOWN, r.why[0] != '\0');
        }
        assert_string_equal(
                check_value_text(buf, (struct check_value){3, CHECK_PLAIN, CHECK_AT_LEAST}),
                "at least 3");
        assert_string_equal(
                check_value_text(buf, (struct check_value){-1536, CHECK_BYTES, CHECK_AT_MOST}),
                "at most -1.50KiB");
}

static void names_that_are_near_are_offered(void **state)
{
        char deep[300];

        (void)state;
        is_wrong("spawn.per_token < 1", "'spawn.per_token'; near: spawns.per_token");
        is_wrong("token_per_second < 1", "near: tokens_per_second");
        is_wrong("p98(decode) < 1ms", "no function 'p98'; near: p95, p99, p50");
        is_wrong("p99(MULMAT) < 1ms", "no op 'MULMAT'; near: MUL_MAT");
        is_wrong("memory.totals.peek_bytes < 1B", "near: peak_bytes");
        is_wrong("ledger.own[barier].share < 1", "near: barrier");
        is_wrong("xyzzy < 1", "there is no quantity 'xyzzy'");
        is_wrong("memory.peek_bytes < 1B", "there is no member 'peek_bytes'; near: peak_bytes");
        is_wrong("spawns.totl < 1", "near: total");
        is_wrong("requests.sucess_rate > 0", "no member 'sucess_rate'; near: success_rate");
        is_wrong("requests.list[0].totl > 0", "no member 'totl'; near: total");
        is_wrong("requests.by.x.totl > 0", "no member 'totl'; near: total");
        is_wrong("requests.success_rate.x > 0", "no member 'x'");
        is_wrong("run.exit.sgnal == 9", "no member 'sgnal'; near: signal");
        memset(deep, '(', sizeof(deep) - 1);
        deep[sizeof(deep) - 1] = '\0';
        is_wrong(deep, "nested too deeply");
        memset(deep, '-', sizeof(deep) - 1);
        is_wrong(deep, "nested too deeply");
        memset(deep, 'a', sizeof(deep) - 1);
        memcpy(deep + sizeof(deep) - 5, " < 1", 4);
        is_wrong(deep, "there is no quantity");
        is_wrong(deep, "aaa...'");
}

static void values_are_told_with_their_unit(void **state)
{
        char buf[CHECK_VALUE_SIZE];

        (void)state;
        assert_string_equal(check_value_text(buf, (struct check_value){2.5e7, CHECK_NS}),
                            "25.00ms");
        assert_string_equal(check_value_text(buf, (struct check_value){-2.5e7, CHECK_NS}),
                            "-25.00ms");
        assert_string_equal(check_value_text(buf, (struct check_value){2.5, CHECK_NS}), "2.5ns");
        assert_string_equal(check_value_text(buf, (struct check_value){1536, CHECK_BYTES}),
                            "1.50KiB");
        assert_string_equal(check_value_text(buf, (struct check_value){0.97, CHECK_PLAIN}), "0.97");
        assert_string_equal(check_value_text(buf, (struct check_value){NAN, CHECK_NS}),
                            "not known");
        assert_string_equal(check_value_text(buf, (struct check_value){1e300, CHECK_NS}),
                            "1e+300ns");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(conditions_hold_or_not),
                cmocka_unit_test(what_makes_no_sense_is_told_where_it_is),
                cmocka_unit_test(bounds_are_not_taken_for_figures),
                cmocka_unit_test(names_that_are_near_are_offered),
                cmocka_unit_test(values_are_told_with_their_unit),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
