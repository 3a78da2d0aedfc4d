/* SPDX-License-Identifier: MIT */
/* Calls in time as a run file has them, and statistics as documents have them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "common/report-series.h"
#include "common/runfile.h"
#include "common/stats-json.h"
#include "run-folder.h"

#define SECOND 1000000000ull

static void put_process(struct runfile *rf, uint32_t index, uint64_t later_ns)
{
        struct runfile_process p = {.index = index,
                                    .uuid = index ? "02" : "01",
                                    .command = "./engine",
                                    .exe = "/opt/engine",
                                    .started_at_ns = 1000 * SECOND + later_ns,
                                    .ticks_per_second = SECOND,
                                    .phase = 0};
        struct runfile_op ops[] = {{.process = index, .op = 2, .name = "asked for"},
                                   {.process = index, .op = 3, .name = "other"}};

        assert_int_equal(runfile_put_process(rf, &p), 0);
        for (int i = 0; i < 2; i++) {
                struct runfile_op_phase row = {.process = index,
                                               .op = ops[i].op,
                                               .phase = IFP_PHASE_DECODE,
                                               .timed = 4,
                                               .untimed = 1,
                                               .min_ns = UINT64_MAX};

                assert_int_equal(runfile_put_op(rf, &ops[i]), 0);
                assert_int_equal(runfile_put_op_phase(rf, &row), 0);
        }
}

static void put_span(struct runfile *rf, uint32_t process, uint32_t number, uint64_t start,
                     uint64_t took)
{
        struct runfile_span row = {process, number, 2, IFP_PHASE_DECODE, start, took};

        assert_int_equal(runfile_put_span(rf, &row), 0);
}

static void calls_of_all_processes_are_in_order(void **state)
{
        struct runfile_run run = {.id = "20261120-194500-7",
                                  .command = "./engine",
                                  .pid = 7,
                                  .started_at_ns = 1000 * SECOND,
                                  .infprof_version = "0"};
        const char *path = file;
        struct report_series s;
        struct runfile *rf;
        static const double took[] = {10, 12, 11, 13};
        char *why = NULL;

        assert_int_equal(runfile_create(&rf, path, &run, &why), 0);
        assert_int_equal(runfile_begin(rf), 0);
        assert_int_equal(runfile_put_run(rf, &run), 0);
        put_process(rf, 0, 0);
        put_process(rf, 1, 500);
        put_span(rf, 0, 0, 100, 10);
        put_span(rf, 0, 1, 700, 11);
        put_span(rf, 1, 0, 0, 12);   /* 500 after the run's start */
        put_span(rf, 1, 1, 300, 13); /* 800 */
        put_span(rf, 9, 0, 0, 14);   /* of nobody */
        assert_int_equal(runfile_commit(rf, &why), 0);
        runfile_close(rf);

        assert_int_equal(report_series_file(&s, path, &why), 0);
        assert_int_equal(s.n, 4);
        for (uint32_t i = 0; i < 4; i++)
                assert_true(s.calls[i].duration_ns == took[i]);
        assert_true(s.calls[1].start_ns == 500);
        assert_int_equal(s.made[IFP_PHASE_DECODE], 10); /* of what was asked for alone */
        report_series_done(&s);

        assert_int_equal(report_series_file(&s, "/nonexistent/run", &why), RUNFILE_E_ABSENT);
        assert_non_null(why);
        free(why);
        report_series_done(&s);
}

static json_t *at(json_t *o, const char *a, const char *b)
{
        return json_object_get(json_object_get(o, a), b);
}

static void what_is_not_known_is_null(void **state)
{
        double values[400] = {0};
        json_t *o = stats_json(values, 0, 0.95, 1);

        assert_true(json_is_null(json_object_get(o, "median")));
        assert_true(json_is_null(json_object_get(o, "intervals")));
        json_decref(o);
        for (int i = 0; i < 400; i++)
                values[i] = 100 + (i * 7919) % 101;
        o = stats_json(values, 1, 0.95, 1);
        assert_int_equal(json_integer_value(json_object_get(o, "count")), 1);
        assert_true(json_is_null(json_object_get(o, "stddev")));
        assert_true(json_is_null(json_object_get(o, "intervals")));
        json_decref(o);
        for (size_t n = 71; n <= 368; n = n == 71 ? 72 : n == 72 ? 367 : n + 1) {
                o = stats_json(values, n, 0.95, 1);
                assert_true(json_is_object(at(o, "intervals", "median")));
                assert_int_equal(json_is_null(at(o, "intervals", "p95")), n < 72);
                assert_int_equal(json_is_null(at(o, "intervals", "p99")), n < 368);
                json_decref(o);
        }
        o = stats_json_interval((struct stats_interval){NAN, 1});
        assert_true(json_is_null(o));
        json_decref(o);
}

/* Of two levels, the lower near 0: 0 is not reached below, and of few values nothing far beyond. */
static void bounds_of_times_are_possible(void **state)
{
        static const char *const figures[] = {"mean", "median", "stddev"};
        size_t at_zero = 0, unknown = 0;
        double values[32];

        for (size_t n = 5; n <= 32; n++) {
                json_t *o, *i;

                for (size_t k = 0; k < n; k++)
                        values[k] = (k * 7919 % 13) < 6 ? 1e6 + (double)k : 9e6;
                o = stats_json(values, n, 0.95, 1);
                for (size_t f = 0; f < 3; f++) {
                        i = at(o, "intervals", figures[f]);
                        unknown += json_is_null(i);
                        if (json_is_null(i))
                                continue;
                        assert_true(json_number_value(json_object_get(i, "low")) >= 0);
                        at_zero += json_number_value(json_object_get(i, "low")) == 0;
                        assert_true(n > 5 || f == 2 ||
                                    json_number_value(json_object_get(i, "high")) <= 17e6 + 10);
                }
                json_decref(o);
        }
        assert_true(at_zero > 0);
        assert_true(unknown > 0);
        for (size_t k = 0; k < 20; k++) /* what can be below 0 may */
                values[k] = k % 2 ? -1 : 1;
        json_t *o = stats_json(values, 20, 0.95, 1);
        assert_true(json_number_value(json_object_get(at(o, "intervals", "median"), "low")) < 0);
        json_decref(o);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(calls_of_all_processes_are_in_order, clean),
                cmocka_unit_test(what_is_not_known_is_null),
                cmocka_unit_test(bounds_of_times_are_possible),
        };

        return cmocka_run_group_tests_name("report-series", tests, make_folder, remove_folder);
}
