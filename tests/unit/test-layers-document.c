/* SPDX-License-Identifier: MIT */
/* The document infprof.layers/1: experts of layers, by hand from a few rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <unistd.h>

#include <infprof/segment.h>

#include "common/report-layers.h"
#include "common/runfile.h"
#include "document.h"
#include "run-folder.h"

enum { OP_MUL_MAT_ID = 2 };

static struct runfile *rf;

static void put_process(uint32_t index)
{
        struct runfile_process p = {.index = index,
                                    .uuid = index ? "02" : "01",
                                    .pid = 7001 + index,
                                    .command = "./engine",
                                    .exe = "/opt/engine",
                                    .ticks_per_second = 1000000000,
                                    .end = RUNFILE_END_CODE,
                                    .waits = true};
        struct runfile_op op = {
                .process = index, .op = OP_MUL_MAT_ID, .name = "MUL_MAT_ID", .kind = IFP_KIND_NODE};

        assert_int_equal(runfile_put_process(rf, &p), 0);
        assert_int_equal(runfile_put_op(rf, &op), 0);
}

static void put_layer(uint32_t process, uint32_t layer)
{
        struct runfile_layer row = {.process = process,
                                    .entry = layer,
                                    .phase = IFP_PHASE_DECODE,
                                    .op = OP_MUL_MAT_ID,
                                    .layer = layer,
                                    .part = IFP_PART_MLP,
                                    .calls = 1,
                                    .total_ns = 1000};

        assert_int_equal(runfile_put_layer(rf, &row), 0);
}

static void begin(void)
{
        const struct runfile_run run = {.id = "20261120-194500-7001",
                                        .command = "./engine",
                                        .pid = 7001,
                                        .infprof_version = "0"};
        char *why = NULL;

        unlink(file);
        assert_int_equal(runfile_create(&rf, file, &run, &why), 0);
        assert_int_equal(runfile_begin(rf), 0);
        put_process(0);
}

/* Of `tokens`, one a step, each with two experts. */
static struct runfile_experts row_of(uint32_t process, uint32_t entry, uint32_t layer, uint32_t n,
                                     uint64_t tokens, const char *counts)
{
        return (struct runfile_experts){.process = process,
                                        .entry = entry,
                                        .phase = IFP_PHASE_DECODE,
                                        .layer = layer,
                                        .n_experts = n,
                                        .steps = tokens,
                                        .tokens = tokens,
                                        .choices = 2 * tokens,
                                        .steps_known = tokens,
                                        .distinct = 2 * tokens,
                                        .counts = counts};
}

static void put(struct runfile_experts row)
{
        assert_int_equal(runfile_put_experts(rf, &row), 0);
}

static int build(json_t **ret, char **why)
{
        assert_int_equal(runfile_commit(rf, why), 0);
        runfile_close(rf);
        return report_layers_file(ret, file, why);
}

static json_t *finish(void)
{
        json_t *document = NULL;
        char *why = NULL;

        if (build(&document, &why))
                fail_msg("%s", why);
        return document;
}

static void experts_of_a_layer(void **state)
{
        struct runfile_experts second = row_of(0, 2, 2, 4, 5, "1,2,2,3");
        json_t *o;

        second.unknown = 2;
        second.steps_known = 3;
        second.distinct = 9;
        second.all_tokens = 70;
        begin();
        put_layer(0, 1);
        put_layer(0, 2);
        put(row_of(0, 1, 1, 4, 10, "5,0,0,15"));
        put(second);
        o = finish();
        is(o, "phases.decode.layers.0.experts.n_experts", 4);
        is(o, "phases.decode.layers.0.experts.n_used", 2);
        is(o, "phases.decode.layers.0.experts.used_per_token", 2);
        is(o, "phases.decode.layers.0.experts.distinct_per_step", 2);
        is(o, "phases.decode.layers.0.experts.max_over_mean", 3);
        is(o, "phases.decode.layers.0.experts.counts.3", 15);
        is(o, "phases.decode.layers.1.experts.choices", 10);
        is(o, "phases.decode.layers.1.experts.unknown", 2);
        is(o, "phases.decode.layers.1.experts.distinct_per_step", 3);
        is(o, "phases.decode.layers.1.experts.max_over_mean", 1.5);
        is(o, "phases.decode.layers.1.experts.tokens_to_all", 70);
        is(o, "phases.decode.experts.layers", 2);
        is(o, "phases.decode.experts.n_experts", 8);
        is(o, "phases.decode.experts.n_used", 6);
        is(o, "phases.decode.experts.max_over_mean", 3);
        is_near(o, "phases.decode.experts.distinct_per_step", 29.0 / 13, 1e-6);
        is_size(o, "notes", 2);
        assert_non_null(strstr(json_string_value(at(o, "notes.0")), "2 choices of experts"));
        assert_non_null(strstr(json_string_value(at(o, "notes.1")), "70 tokens went to all"));
        json_decref(o);
}

static void entries_that_are_alike_add_up(void **state)
{
        json_t *o;

        begin();
        put_process(1);
        put_layer(0, 1);
        put_layer(1, 1);
        put(row_of(0, 1, 1, 3, 1, "1,1,0"));
        put(row_of(0, 2, 1, 3, 2, "0,2,2"));
        put(row_of(1, 1, 1, 3, 3, "3,0,3"));
        o = finish();
        is(o, "phases.decode.layers.0.experts.tokens", 6);
        is(o, "phases.decode.layers.0.experts.counts.0", 4);
        is(o, "phases.decode.layers.0.experts.counts.1", 3);
        is(o, "phases.decode.layers.0.experts.counts.2", 5);
        is_size(o, "notes", 0);
        json_decref(o);
}

static void of_two_models_the_busier_is_told(void **state)
{
        json_t *o;

        begin();
        put_layer(0, 1);
        put(row_of(0, 1, 1, 3, 1, "1,1,0"));
        put(row_of(0, 2, 1, 5, 7, "7,7,0,0,0"));
        o = finish();
        is(o, "phases.decode.layers.0.experts.n_experts", 5);
        is(o, "phases.decode.experts.layers", 1);
        is_size(o, "notes", 1);
        assert_non_null(strstr(json_string_value(at(o, "notes.0")), "several numbers of experts"));
        json_decref(o);
}

static void where_they_are_not_known(void **state)
{
        json_t *o;

        begin();
        put_layer(0, 1);
        o = finish();
        is_null(o, "phases.decode.layers.0.experts");
        is_null(o, "phases.decode.experts");
        is_size(o, "notes", 1);
        assert_non_null(strstr(json_string_value(at(o, "notes.0")), "MUL_MAT_ID"));
        json_decref(o);
}

static void damage_is_found(void **state)
{
        static const char *const counts[] = {"",
                                             "1,2",
                                             "1,2,3,4",
                                             "1,2,",
                                             "1,,3",
                                             "1,2,x",
                                             "-1,2,3",
                                             " 1,2,3",
                                             "1,2,3,",
                                             "1,2,9223372036854775808",
                                             "1,2,99999999999999999999999"};

        for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
                json_t *o = NULL;
                char *why = NULL;

                begin();
                put(row_of(0, 1, 1, 3, 1, counts[i]));
                if (build(&o, &why) != RUNFILE_E_FOREIGN)
                        fail_msg("\"%s\" was taken", counts[i]);
                assert_non_null(strstr(why, "no list of counts"));
                free(why);
        }
        for (uint32_t process = 0; process < 2; process++) {
                json_t *o = NULL;
                char *why = NULL;

                begin();
                put(row_of(process, 1, 1, process ? 3 : 0, 1, process ? "1,2,3" : ""));
                assert_int_equal(build(&o, &why), RUNFILE_E_FOREIGN);
                free(why);
        }
}

#define TEST(name) cmocka_unit_test_teardown(name, clean)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(experts_of_a_layer),
                TEST(entries_that_are_alike_add_up),
                TEST(of_two_models_the_busier_is_told),
                TEST(where_they_are_not_known),
                TEST(damage_is_found),
        };

        return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
