/* SPDX-License-Identifier: MIT */
/*
 * The rules: each on documents that show it, its gain held against what follows by hand; and silent
 * on those that do not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/explain-rules.h"
#include "document.h"

/* 1,000 tokens of 1 ms, on one thread. */
static struct facts a_run(void)
{
        struct facts f = {.tokens = 1000,
                          .wall = 1e9,
                          .team = 1,
                          .cpus = 4,
                          .has_ledger = true,
                          .threads_ns = 1e9,
                          .ideal = 0.98e9};

        f.own[IFP_LEDGER_ALLOC] = 1e6;
        f.own[IFP_LEDGER_COMPUTE] = f.all[IFP_LEDGER_COMPUTE] = 0.95e9;
        return f;
}

static json_t *parse(const char *text)
{
        json_error_t error;
        json_t *o = json_loads(text, 0, &error);

        if (!o)
                fail_msg("%s: %s", text, error.text);
        return o;
}

/* The third document, where a rule looks at it. */
static const char *roofline = "{}";

static struct judgement judge(const char *id, struct facts *f, const char *report,
                              const char *memory)
{
        struct judgement j = {0};
        size_t i = 0;

        while (i < EXPLAIN_RULES && strcmp(explain_rule_id(i), id) != 0)
                i++;
        assert_true(i < EXPLAIN_RULES);
        f->report = parse(report);
        f->memory = parse(memory);
        f->roofline = parse(roofline);
        explain_rule(i, f, &j);
        json_decref(f->report);
        json_decref(f->memory);
        json_decref(f->roofline);
        return j;
}

static void silent(const char *id, struct facts f, const char *report, const char *memory)
{
        struct judgement j = judge(id, &f, report, memory);

        if (j.judged != JUDGED_NO)
                fail_msg("%s: %s", id, j.why);
        assert_true(strlen(j.why) > 10);
        assert_null(j.finding);
}

static void unknown(const char *id, struct facts f, const char *report, const char *memory)
{
        struct judgement j = judge(id, &f, report, memory);

        if (j.judged != JUDGED_UNKNOWN)
                fail_msg("%s: %s", id, j.why);
        assert_true(strlen(j.why) > 10);
}

/* `factor`: 0: it is not known. */
static void fires(const char *id, struct facts f, const char *report, const char *memory,
                  double factor)
{
        struct judgement j = judge(id, &f, report, memory);

        if (j.judged != JUDGED_YES)
                fail_msg("%s: %s", id, j.why);
        assert_true(json_array_size(at(j.finding, "evidence")) > 0);
        for (const char *const *key =
                     (const char *const[]){"title", "cause", "remedy", "confidence", NULL};
             *key; key++)
                assert_true(strlen(json_string_value(at(j.finding, *key))) > 2);
        if (factor > 0)
                is_near(j.finding, "gain.factor", factor, 1e-9);
        else
                is_null(j.finding, "gain.factor");
        json_decref(j.finding);
}

#define TOKENS(p50, p95, p99, mean)                                                                \
        "{\"tokens\": {\"p50_ns\": " #p50 ", \"p95_ns\": " #p95 ", \"p99_ns\": " #p99              \
        ", \"mean_ns\": " #mean ", \"stddev_ns\": 1000, \"ttft_ns\": 5000000, \"prompt\": 10, "    \
        "\"sequences\": 1}}"

static void tail(void **state)
{
        struct facts few = a_run();

        (void)state;
        /* a mean of 1.1 ms where the usual one takes 0.9 */
        fires("tail-latency", a_run(), TOKENS(900000, 1000000, 9000000, 1100000), "{}", 1.1 / 0.9);
        silent("tail-latency", a_run(), TOKENS(900000, 1000000, 2600000, 1100000), "{}");
        silent("tail-latency", a_run(), TOKENS(1000000, 1000000, 9000000, 1010000), "{}");
        few.tokens = 99;
        unknown("tail-latency", few, TOKENS(900000, 1000000, 9000000, 1100000), "{}");
        unknown("tail-latency", a_run(), "{\"tokens\": {\"p50_ns\": null}}", "{}");
        unknown("tail-latency", a_run(), "{}", "{}");
}

static void variance(void **state)
{
        (void)state;
        fires("variable-latency", a_run(), TOKENS(800000, 1700000, 2000000, 1000000), "{}",
              1e9 / 0.8e9);
        silent("variable-latency", a_run(), TOKENS(1000000, 1900000, 2000000, 1000000), "{}");
        silent("variable-latency", a_run(), TOKENS(800000, 1700000, 2400000, 1000000), "{}");
        unknown("variable-latency", a_run(), "{}", "{}");
}

#define FIRST(ttft, prefill, decode)                                                               \
        "{\"tokens\": {\"p50_ns\": 1000000, \"mean_ns\": 1000000, \"ttft_ns\": " #ttft             \
        ", \"prompt\": 400, \"sequences\": 2}, \"phases\": {\"prefill\": "                         \
        "{\"duration_ns\": " #prefill "}, \"decode\": {\"duration_ns\": " #decode "}}}"

static void first_token(void **state)
{
        (void)state;
        fires("slow-first-token", a_run(), FIRST(50000000, 400000000, 1000000000), "{}", 0);
        silent("slow-first-token", a_run(), FIRST(50000000, 300000000, 1000000000), "{}");
        silent("slow-first-token", a_run(), FIRST(19000000, 900000000, 1000000000), "{}");
        unknown("slow-first-token", a_run(), FIRST(null, 900000000, 1000000000), "{}");
}

static void allocations(void **state)
{
        const char *memory = "{\"per_token\": {\"calls\": {\"mean\": 47}, \"bytes\": {\"mean\": "
                             "16000}}}";
        struct facts f = a_run();

        (void)state;
        silent("decode-allocations", f, "{}", memory); /* a thousandth */
        f.own[IFP_LEDGER_ALLOC] = 0.1e9;
        fires("decode-allocations", f, "{}", memory, 1 / 0.9);
        unknown("decode-allocations", f, "{}", "{\"per_token\": null}");
        f.own[IFP_LEDGER_ALLOC] = NAN;
        unknown("decode-allocations", f, "{}", memory);
}

#define KV(each, r2, live)                                                                         \
        "{\"kv\": {\"bytes_per_token\": " #each                                                    \
        ", \"stderr_bytes_per_token\": 1, \"from_token\": 0, "                                     \
        "\"to_token\": 1000, \"r2\": " #r2 "}, \"totals\": {\"live_bytes\": " #live "}}"

static void growth(void **state)
{
        (void)state;
        fires("memory-grows", a_run(), "{}", KV(4096, 0.99, 5000000), 0);
        silent("memory-grows", a_run(), "{}", KV(91, 0.99, 100000));   /* 3 MB at 32k */
        silent("memory-grows", a_run(), "{}", KV(4096, 0.3, 5000000)); /* no line */
        silent("memory-grows", a_run(), "{}", KV(4096, 0.99, 5000000000));
        silent("memory-grows", a_run(), "{}", KV(-4096, 0.99, 5000000));
        unknown("memory-grows", a_run(), "{}", "{\"kv\": null}");
}

static void overhead(void **state)
{
        struct facts f = a_run();

        (void)state;
        silent("thread-overhead", f, "{}", "{}");
        f.team = 4;
        f.threads_ns = 4e9;
        f.all[IFP_LEDGER_COMPUTE] = 1e9;
        f.ideal = 0.25e9;
        fires("thread-overhead", f, "{}", "{}", 4);
        f.said = "spin-wait";
        silent("thread-overhead", f, "{}", "{}");
        f.said = NULL;
        f.all[IFP_LEDGER_COMPUTE] = 3e9;
        silent("thread-overhead", f, "{}", "{}");
        f.has_ledger = false;
        unknown("thread-overhead", f, "{}", "{}");
}

#define NODE(name, calls, ns)                                                                      \
        "{\"name\": \"" name                                                                       \
        "\", \"kind\": \"node\", \"phases\": {\"decode\": {\"calls\": " #calls                     \
        ", \"total_ns\": " #ns ", \"threads\": 1}}}"

static void fusion(void **state)
{
        struct facts f = a_run();

        (void)state;
        /* half of 60 ms and a third of 90 */
        fires("fusion", f,
              "{\"ops\": [" NODE("SILU", 6000, 60000000) ", " NODE("MUL", 6000, 90000000) "]}",
              "{}", 1e9 / (1e9 - 60e6));
        silent("fusion", f,
               "{\"ops\": [" NODE("SILU", 6000, 6000000) ", " NODE("MUL", 6000, 9000000) "]}",
               "{}");
        silent("fusion", f, "{\"ops\": [" NODE("SWIGLU", 6000, 60000000) "]}", "{}");
        silent("fusion", f,
               "{\"ops\": [" NODE("SILU", 6, 60000000) ", " NODE("MUL", 6000, 90000000) "]}", "{}");
        f.wall = NAN;
        unknown("fusion", f, "{}", "{}");
}

#define PRODUCT(n, gflops, ns)                                                                     \
        "{\"shape\": \"q8_0[4096,4096] x f32[4096," #n "]\", \"gflops\": " #gflops                 \
        ", \"phases\": {\"decode\": {\"total_ns\": " #ns "}}}"
#define PRODUCTS(a, b)                                                                             \
        "{\"ops\": [{\"name\": \"MUL_MAT\", \"kind\": \"node\", \"threads\": 1, \"shapes\": [" a   \
        ", " b "]}]}"

static void batch(void **state)
{
        (void)state;
        /* 800 of 1,000 ms could be 200 */
        fires("batch", a_run(), PRODUCTS(PRODUCT(1, 10, 800000000), PRODUCT(32, 40, 0)), "{}",
              1 / 0.4);
        silent("batch", a_run(), PRODUCTS(PRODUCT(1, 20, 800000000), PRODUCT(32, 40, 0)), "{}");
        unknown("batch", a_run(), PRODUCTS(PRODUCT(1, 10, 800000000), PRODUCT(2, 40, 0)), "{}");
        unknown("batch", a_run(), "{\"ops\": []}", "{}");
}

#define ROW(phase, bound, wall, at_roof)                                                           \
        "{\"op\": \"MUL_MAT\", \"shape\": \"q8_0[4096,4096] x f32[4096,1]\", \"phase\": \"" phase  \
        "\", \"bound\": \"" bound "\", \"wall_ns\": " #wall ", \"at_roof_ns\": " #at_roof          \
        ", \"gflops\": 3, \"gbps\": 2, \"compute_type\": \"f32\", \"compute_gflops\": 100, "       \
        "\"level\": \"" bound "\", \"level_gbps\": 10, \"cache\": {\"weights_bytes\": 17825792, "  \
        "\"whole_bytes\": 20000000, \"levels\": [{\"level\": \"L2\", \"room_bytes\": 1048576, "    \
        "\"fits_up_to\": {\"batch\": 16}}, {\"level\": \"L3\", \"room_bytes\": 8388608}]}}"
#define ROWS(rows) "{\"rows\": [" rows "]}"

static void with(const char *document)
{
        roofline = document;
}

static void far_from_roof(void **state)
{
        struct facts f = a_run();

        (void)state;
        /* 500 of 1,000 ms could be 50 */
        with(ROWS(ROW("decode", "compute", 500000000, 50000000)));
        fires("far-from-roof", f, "{}", "{}", 1 / 0.55);
        with(ROWS(ROW("decode", "compute", 300000000, 20000000) ", " ROW("decode", "memory",
                                                                         200000000, 30000000)));
        fires("far-from-roof", f, "{}", "{}", 1 / 0.55);
        with(ROWS(ROW("decode", "compute", 500000000, 100000001)));
        silent("far-from-roof", f, "{}", "{}");
        with(ROWS(ROW("decode", "overhead", 500000000, 50000000)));
        silent("far-from-roof", f, "{}", "{}");
        with(ROWS(ROW("prefill", "compute", 500000000, 50000000)));
        silent("far-from-roof", f, "{}", "{}");
        with(ROWS(ROW("decode", "compute", 20000000, 1000000))); /* less than 3 % */
        silent("far-from-roof", f, "{}", "{}");
        with("{\"rows\": []}");
        unknown("far-from-roof", f, "{}", "{}");
        with("{\"rows\": [], \"machine\": {\"ceilings_from\": \"run\"}}");
        unknown("far-from-roof", f, "{}", "{}");
        f.wall = NAN;
        unknown("far-from-roof", f, "{}", "{}");
}

/* Of a second in all. */
static void rules_of_roofs_without_tokens(void **state)
{
        struct facts f = a_run();

        (void)state;
        f.wall = f.tokens = NAN;
        f.run_ns = 1e9;
        with(ROWS(ROW("unknown", "compute", 500000000, 50000000)));
        fires("far-from-roof", f, "{}", "{}", 1 / 0.55);
        silent("memory-bound", f, "{}", "{}");
        with(ROWS(ROW("unknown", "memory", 800000000, 640000000)));
        fires("memory-bound", f, "{}", "{}", 1 / 0.6);
        silent("far-from-roof", f, "{}", "{}");
        fires("beyond-cache", f, "{}", "{}", 0);
        with(ROWS(ROW("prefill", "compute", 800000000, 640000000)));
        fires("compute-bound", f, "{}", "{}", 0);
        /* on more threads than one: two seconds of ops in one of the run, and 0.8 of them in these
         */
        with(ROWS(ROW("unknown", "memory", 1600000000, 1600000000) ", " ROW("unknown", "compute",
                                                                            400000000, 400000000)));
        fires("memory-bound", f, "{}", "{}", 1 / 0.6);
        f.run_ns = 0;
        silent("far-from-roof", f, "{}", "{}");
}

static void memory_bound(void **state)
{
        (void)state;
        with(ROWS(ROW("decode", "memory", 800000000, 640000000)));
        fires("memory-bound", a_run(), "{}", "{}", 1 / 0.6);
        silent("compute-bound", a_run(), "{}", "{}");
        with(ROWS(ROW("decode", "memory", 800000000, 390000000)));
        silent("memory-bound", a_run(), "{}", "{}");
        with(ROWS(ROW("decode", "memory", 200000000, 180000000)));
        silent("memory-bound", a_run(), "{}", "{}");
        with("{}");
        unknown("memory-bound", a_run(), "{}", "{}");
}

static void compute_bound(void **state)
{
        (void)state;
        with(ROWS(ROW("decode", "compute", 800000000, 640000000)));
        fires("compute-bound", a_run(), "{}", "{}", 0);
        silent("memory-bound", a_run(), "{}", "{}");
        with("{}");
        unknown("compute-bound", a_run(), "{}", "{}");
}

static void beyond_cache(void **state)
{
        (void)state;
        with(ROWS(ROW("decode", "memory", 800000000, 640000000)));
        fires("beyond-cache", a_run(), "{}", "{}", 0); /* how fast L3 is is not known */
        with(ROWS(ROW(
                "decode", "memory", 800000000,
                640000000) ", {\"op\": \"ADD\", \"phase\": "
                           "\"decode\", \"bound\": \"L3\", \"wall_ns\": 1000, \"at_roof_ns\": 900, "
                           "\"level\": \"L3\", \"level_gbps\": 20}"));
        fires("beyond-cache", a_run(), "{}", "{}", 1 / 0.6);
        with(ROWS(ROW("decode", "L3", 800000000, 640000000)));
        silent("beyond-cache", a_run(), "{}", "{}");
        with("{}");
        unknown("beyond-cache", a_run(), "{}", "{}");
}

static void batch_overflow(void **state)
{
        (void)state;
        with(ROWS(ROW("prefill", "L3", 800000000, 640000000)));
        fires("batch-overflow", a_run(), "{}", "{}", 0);
        with(ROWS(ROW("prefill", "compute", 800000000, 640000000)));
        silent("batch-overflow", a_run(), "{}", "{}");
        with(ROWS(ROW("prefill", "L3", 200000000, 100000000) ", " ROW("prefill", "compute",
                                                                      800000000, 640000000)));
        silent("batch-overflow", a_run(), "{}", "{}");
        with(ROWS(ROW("decode", "L3", 800000000, 640000000)));
        unknown("batch-overflow", a_run(), "{}", "{}");
}

/* An op whose operands would be kept in L2 with less of that extent; 20 GB/s come from L2. */
#define LARGE(bound, extent, room, wall, at_roof)                                                  \
        "{\"rows\": [{\"op\": \"X\", \"shape\": \"f32[1]\", \"phase\": \"decode\", \"bound\": "    \
        "\"" bound "\", \"wall_ns\": " #wall ", \"at_roof_ns\": " #at_roof ", \"level\": \"" bound \
        "\", \"level_gbps\": 10, \"cache\": {\"whole_bytes\": 3000000, \"levels\": [{\"level\": "  \
        "\"L2\", "                                                                                 \
        "\"room_bytes\": " #room ", \"fits_up_to\": {\"" extent "\": 100}}]}}, {\"op\": \"Y\", "   \
        "\"phase\": \"decode\", \"bound\": \"L2\", \"wall_ns\": 1000, \"at_roof_ns\": 900, "       \
        "\"level\": "                                                                              \
        "\"L2\", \"level_gbps\": 20}]}"

static void context_and_weights_overflow(void **state)
{
        (void)state;
        /* 800 of 1,000 ms could be 400 */
        with(LARGE("L3", "sequence", 1000000, 800000000, 400000000));
        fires("context-overflow", a_run(), "{}", "{}", 1 / 0.6);
        silent("weights-overflow", a_run(), "{}", "{}");
        with(LARGE("memory", "sequence", 1000000, 800000000, 400000000));
        fires("context-overflow", a_run(), "{}", "{}", 1 / 0.6);
        with(LARGE("L3", "d_ff", 1000000, 800000000, 400000000));
        fires("weights-overflow", a_run(), "{}", "{}", 1 / 0.6);
        silent("context-overflow", a_run(), "{}", "{}");
        with(LARGE("memory", "d_ff", 1000000, 800000000, 400000000)); /* beyond-cache's */
        silent("weights-overflow", a_run(), "{}", "{}");
        with(LARGE("L3", "d_ff", 4000000, 800000000, 400000000)); /* it fits */
        silent("weights-overflow", a_run(), "{}", "{}");
        with(LARGE("L3", "d_ff", 1000000, 190000000, 100000000));
        silent("weights-overflow", a_run(), "{}", "{}");
        with(LARGE("L3", "sequence", 1000000, 800000000, 100000000)); /* something else is slower */
        silent("context-overflow", a_run(), "{}", "{}");
        with(LARGE("compute", "sequence", 1000000, 800000000, 400000000));
        silent("context-overflow", a_run(), "{}", "{}");
        with("{}");
        unknown("context-overflow", a_run(), "{}", "{}");
        unknown("weights-overflow", a_run(), "{}", "{}");
}

#define BUILT(name) "{\"ops\": [{\"library\": \"/x/libggml-cpu-" name ".so\"}]}"

static void variant(void **state)
{
        struct facts f = a_run();

        (void)state;
        f.machine = parse("{\"isa\": {\"features\": [\"avx\", \"avx2\", \"fma\", \"avx512f\", "
                          "\"avx512bw\"]}}");
        fires("slower-variant", f, BUILT("haswell"), "{}", 0);
        fires("slower-variant", f, BUILT("sandybridge"), "{}", 0);
        silent("slower-variant", f, BUILT("zen4"), "{}");
        unknown("slower-variant", f, BUILT("haswellx"), "{}");
        f.blas_core = "Haswell";
        fires("slower-variant", f, BUILT("haswellx"), "{}", 0);
        silent("slower-variant", f, BUILT("zen4"), "{}");
        f.blas_core = "skylakex"; /* OPENBLAS_CORETYPE may be written so */
        silent("slower-variant", f, BUILT("haswellx"), "{}");
        f.blas_core = "Unknown";
        unknown("slower-variant", f, BUILT("haswellx"), "{}");
        f.blas_core = NULL;
        json_decref(f.machine);
        f.machine = parse("{\"isa\": {\"features\": [\"avx\", \"avx2\", \"fma\", 7]}}");
        silent("slower-variant", f, BUILT("haswell"), "{}");
        fires("slower-variant", f, BUILT("x64"), "{}", 0);
        json_decref(f.machine);
        f.machine = NULL;
        unknown("slower-variant", f, BUILT("haswell"), "{}");
}

#define ALIGNED(type, bytes, ns)                                                                   \
        "{\"ops\": [{\"name\": \"ADD\", \"kind\": \"node\", \"shapes\": [{\"shape\": "             \
        "\"f32[7,1]\", "                                                                           \
        "\"operands\": [null, {\"type\": \"" type "\", \"alignment\": " #bytes                     \
        "}], \"phases\": {\"decode\": {\"total_ns\": " #ns "}}}]}]}"

static void unaligned(void **state)
{
        struct facts f = a_run();

        (void)state;
        f.machine = parse("{\"isa\": {\"features\": [\"avx512f\", \"avx512bw\"]}}");
        fires("unaligned", f, ALIGNED("f32", 16, 200000000), "{}", 0);
        silent("unaligned", f, ALIGNED("f32", 64, 200000000), "{}");
        silent("unaligned", f, ALIGNED("f32", 16, 20000000), "{}");
        unknown("unaligned", f, ALIGNED("q8_0", 16, 200000000), "{}");
        unknown("unaligned", f, ALIGNED("f32", null, 200000000), "{}");
        json_decref(f.machine);
        f.machine = parse("{\"isa\": {\"features\": [\"avx2\", \"fma\"]}}");
        silent("unaligned", f, ALIGNED("f32", 16, 200000000), "{}");
        json_decref(f.machine);
        f.machine = NULL;
        unknown("unaligned", f, ALIGNED("f32", 16, 200000000), "{}");
}

/* Members of other types than they should be, as of a document that another version wrote. */
static void what_makes_no_sense_is_not_found(void **state)
{
        static const char *const odd[] = {
                "{}",
                "{\"tokens\": []}",
                "{\"tokens\": {\"p50_ns\": \"1\"}, \"ops\": 7}",
                "{\"ops\": [7, null, {}, {\"name\": 3, \"kind\": \"node\"}], \"phases\": 3}",
                "{\"ops\": [{\"name\": \"MUL_MAT\", \"kind\": \"node\", \"shapes\": [{\"shape\": "
                "\" x "
                "[,]\"}, {\"shape\": \"a x b[1,-5]\"}, 3]}]}",
                "{\"tokens\": {\"p50_ns\": 0, \"p99_ns\": 5, \"p95_ns\": 7}}"};

        (void)state;
        with("{\"rows\": [7, {}, {\"phase\": \"decode\", \"wall_ns\": 5, \"bound\": 3}, "
             "{\"phase\": "
             "\"decode\", \"wall_ns\": -5, \"bound\": \"memory\", \"at_roof_ns\": 9}]}");
        for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
                for (size_t k = 0; k < EXPLAIN_RULES; k++) {
                        struct facts f = a_run();
                        struct judgement j = judge(explain_rule_id(k), &f, odd[i], odd[i]);

                        assert_true(j.judged != JUDGED_YES);
                        assert_true(strlen(j.why) > 10);
                }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(tail),
                cmocka_unit_test(variance),
                cmocka_unit_test(first_token),
                cmocka_unit_test(allocations),
                cmocka_unit_test(growth),
                cmocka_unit_test(overhead),
                cmocka_unit_test(fusion),
                cmocka_unit_test(batch),
                cmocka_unit_test(far_from_roof),
                cmocka_unit_test(rules_of_roofs_without_tokens),
                cmocka_unit_test(memory_bound),
                cmocka_unit_test(compute_bound),
                cmocka_unit_test(beyond_cache),
                cmocka_unit_test(batch_overflow),
                cmocka_unit_test(context_and_weights_overflow),
                cmocka_unit_test(variant),
                cmocka_unit_test(unaligned),
                cmocka_unit_test(what_makes_no_sense_is_not_found),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
