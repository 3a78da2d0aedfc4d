/* SPDX-License-Identifier: MIT */
/* infprof.roofline/1 and what infprof.report/1 says of roofs, of runs that never were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "document.h"
#include "roof-fixture.h"

#include "common/machine.h"
#include "common/report-roofline.h"
#include "common/report.h"

static char dir[] = "/tmp/test-roofline-XXXXXX";

/* A state directory of our own, with nothing kept. */
static int set_up(void **state)
{
        if (!mkdtemp(dir))
                return -1;
        return setenv("XDG_STATE_HOME", dir, 1);
}

static int build_report(json_t **ret, const char *path, char **ret_why)
{
        return report_build_file(path, ret, ret_why);
}

static json_t *build(enum roof_fixture which,
                     int (*builder)(json_t **ret, const char *path, char **ret_why))
{
        char path[64], *why = NULL;
        json_t *o = NULL;

        snprintf(path, sizeof(path), "%s/run", dir);
        assert_int_equal(roof_fixture_write(path, which), 0);
        if (builder(&o, path, &why))
                fail_msg("%s", why);
        unlink(path);
        return o;
}

/* NULL: none */
static json_t *row(json_t *doc, const char *op, const char *shape)
{
        json_t *o;
        size_t i;

        json_array_foreach(at(doc, "rows"), i, o)
        {
                if (!strcmp(json_string_value(at(o, "op")), op) &&
                    !strcmp(json_string_value(at(o, "shape")), shape))
                        return o;
        }
        fail_msg("no row of %s %s", op, shape);
        return NULL;
}

#define SMALL "f32[1024,1024] x f32[1024,1024]"
#define LARGE "q8_0[4096,4096] x f32[4096,1]"

static void rows_against_their_roofs(void **state)
{
        json_t *o = build(ROOF_WHOLE, report_roofline_file), *r;

        is_text(o, "machine.ceilings_from", "run");
        is_text(o, "machine.model", "Abacus 7");
        is(o, "decode.tokens_per_second", 100);
        is_size(o, "rows", 8);
        r = row(o, "MUL_MAT", SMALL);
        is_text(r, "bound", "compute");
        is_text(r, "compute_type", "f32");
        is(r, "roof_gflops", 100);
        is_near(r, "roof_share", 0.7158, 1e-3);
        is_null(r, "tokens_per_second_at_roof"); /* it is prefill */
        r = row(o, "MUL_MAT", LARGE);
        is_text(r, "bound", "memory");
        is(r, "threads", 2);
        is(r, "calls", 20);
        is(r, "wall_ns", 20e6);
        is(r, "at_roof_ns", 11161600);
        is(r, "level_gbps", 16);
        is_near(r, "roof_share", 0.55808, 1e-6);
        is_near(r, "tokens_per_second_at_roof", 10 / (0.1 - 0.0088384), 1e-6);
        is_text(r, "working_set.tier", "macro");
        is_text(row(o, "ADD", "f32[64,1] x f32[64,1]"), "bound", "overhead");
        is_text(row(o, "SOFT_MAX", "f32[1024,1024]"), "bound", "waiting");
        is_size(o, "notes", 0);
        json_decref(o);
}

/* Faster than the one thread that called it can be: it had more. */
static void a_library_has_threads_of_its_own(void **state)
{
        json_t *o = build(ROOF_WHOLE, report_roofline_file), *r = row(o, "my_gemm", SMALL);

        is(r, "threads", 1);
        is(r, "roof_threads", 2);
        is(r, "compute_gflops", 200);
        is_text(r, "bound", "compute");
        is_near(r, "roof_share", 2147483648.0 / 200 / 12e6, 1e-6);
        is(row(o, "MUL_MAT", LARGE), "roof_threads", 2);
        json_decref(o);
}

static void what_cannot_be_judged_is_null(void **state)
{
        static const char *const all[] = {
                "bound", "roof_gflops", "roof_share", "at_roof_ns", "tokens_per_second_at_roof",
                "level"};
        json_t *o = build(ROOF_WHOLE, report_roofline_file);
        json_t *rows[] = {row(o, "MUL_MAT",
                              "f32[1099511627776,1099511627776] x "
                              "f32[1099511627776,1099511627776]"),
                          row(o, "ADD", "f32[32,1] x f32[32,1]"), row(o, "SSM_SCAN", "f32[8,8]")};

        for (size_t i = 0; i < 3; i++)
                for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++)
                        is_null(rows[i], all[k]);
        assert_true(json_is_true(at(rows[0], "saturated")));
        is_null(rows[0], "cache");
        is_null(rows[0], "working_set.bytes");
        json_decref(o);
}

static void caches_of_a_row(void **state)
{
        json_t *o = build(ROOF_WHOLE, report_roofline_file), *r = row(o, "MUL_MAT", LARGE);

        is(r, "cache.weights_bytes", 17825792);
        is(r, "cache.activations_bytes", 16384);
        is_text(r, "cache.levels.0.level", "L1");
        is(r, "cache.levels.0.room_bytes", 32768); /* of two threads */
        is(r, "cache.levels.0.over.weights_bytes", 17825792 - 32768);
        is(r, "cache.levels.0.over.activations_bytes", 0);
        is(r, "cache.levels.2.over.weights_bytes", 17825792 - 16777216);
        is(r, "cache.levels.2.fits_up_to.batch", 0);
        is(r, "cache.levels.2.fits_up_to.d_ff", 3847); /* (16777216 - 16384) / (4352 + 4) */
        json_decref(o);
}

static void the_report_has_it_too(void **state)
{
        json_t *o = build(ROOF_WHOLE, build_report), *op = NULL, *found = NULL;
        size_t i;

        json_array_foreach(at(o, "ops"), i, op)
        {
                if (!strcmp(json_string_value(at(op, "name")), "MUL_MAT"))
                        found = op;
        }
        assert_non_null(found);
        /* 20 ms in decode and 30 ms in prefill: most of it is bound by compute */
        is_text(found, "bound", "compute");
        is_near(found, "roof_share", (11161600 + 21474836.48) / 50e6, 1e-6);
        is_near(found, "tokens_per_second_at_roof", 10 / (0.1 - 0.0088384), 1e-6);
        json_array_foreach(at(found, "shapes"), i, op)
        {
                if (strcmp(json_string_value(at(op, "shape")), LARGE) != 0)
                        continue;
                is_text(op, "bound", "memory");
                is_text(op, "phases.decode.bound", "memory");
        }
        assert_false(has_text(at(o, "notes"), "ceiling"));
        json_decref(o);
}

/* Of another machine, of none, or of one that was not measured: nothing is judged. */
static void without_ceilings(void **state)
{
        static const enum roof_fixture kinds[] = {ROOF_UNMEASURED, ROOF_NOWHERE, ROOF_DAMAGED,
                                                  ROOF_FOREIGN};
        static const char *const says[] = {"are not known", "is not known", "is damaged",
                                           "is another machine's"};

        for (size_t i = 0; i < 4; i++) {
                json_t *o = build(kinds[i], report_roofline_file);
                json_t *report = build(kinds[i], build_report), *r = row(o, "MUL_MAT", LARGE);

                is_null(r, "bound");
                is_null(r, "roof_gflops");
                is_null(r, "roof_share");
                is(r, "bytes", 178585600);
                is_null(report, "ops.0.bound");
                is_size(o, "notes", 1);
                if (!has_text(at(o, "notes"), says[i]) ||
                    !has_text(at(o, "notes"), "infprof machine"))
                        fail_msg("%s", json_string_value(at(o, "notes.0")));
                assert_true(has_text(at(report, "notes"), says[i]));
                if (kinds[i] == ROOF_UNMEASURED) {
                        is_null(o, "machine.ceilings_from");
                        is_text(r, "working_set.tier", "macro"); /* caches are known */
                        is(r, "cache.levels.0.room_bytes", 32768);
                } else {
                        is_null(o, "machine");
                        is_null(r, "working_set.tier");
                }
                json_decref(report);
                json_decref(o);
        }
}

static void more_threads_than_cpus(void **state)
{
        json_t *o = build(ROOF_CROWDED, report_roofline_file);

        is_text(row(o, "MUL_MAT", LARGE), "bound", "memory");
        is_size(o, "notes", 1);
        assert_true(has_text(at(o, "notes"),
                             "2 threads did ops together where their process may use 1"));
        json_decref(o);
}

static char *keep(const char *fingerprint)
{
        json_t *doc = roof_fixture_machine();
        char *path = NULL, *why = NULL;

        json_object_set_new(doc, "fingerprint", json_string(fingerprint));
        assert_int_equal(machine_path(true, fingerprint, &path, &why), 0);
        assert_int_equal(json_dump_file(doc, path, 0), 0);
        json_decref(doc);
        return path;
}

/* Only that very machine's. */
static void ceilings_that_are_kept(void **state)
{
        char *other = keep("aaaaaaaaaaaaaaaa"), *own;
        json_t *o = build(ROOF_UNMEASURED, report_roofline_file);

        is_null(row(o, "MUL_MAT", LARGE), "bound");
        json_decref(o);
        own = keep(ROOF_FINGERPRINT);
        o = build(ROOF_UNMEASURED, report_roofline_file);
        is_text(o, "machine.ceilings_from", "kept");
        is_text(row(o, "MUL_MAT", LARGE), "bound", "memory");
        is_size(o, "notes", 0);
        json_decref(o);
        o = build(ROOF_NOWHERE, report_roofline_file); /* whose run it was is not known */
        is_null(row(o, "MUL_MAT", LARGE), "bound");
        json_decref(o);
        o = build(ROOF_FOREIGN, report_roofline_file);
        is_null(row(o, "MUL_MAT", LARGE), "bound");
        json_decref(o);
        unlink(own);
        unlink(other);
        free(own);
        free(other);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(rows_against_their_roofs),
                cmocka_unit_test(a_library_has_threads_of_its_own),
                cmocka_unit_test(what_cannot_be_judged_is_null),
                cmocka_unit_test(caches_of_a_row),
                cmocka_unit_test(the_report_has_it_too),
                cmocka_unit_test(without_ceilings),
                cmocka_unit_test(more_threads_than_cpus),
                cmocka_unit_test(ceilings_that_are_kept),
        };

        return cmocka_run_group_tests(tests, set_up, NULL);
}
