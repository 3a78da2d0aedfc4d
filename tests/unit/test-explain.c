/* SPDX-License-Identifier: MIT */
/*
 * The verdicts: each on the run that shows it, none on those that do not, and their numbers held
 * against what follows by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <unistd.h>

#include "common/report-explain.h"
#include "document.h"
#include "run-folder.h"
#include "work-fixture.h"

static json_t *explain(enum work_fixture which)
{
        json_t *document = NULL;
        char *why = NULL;

        unlink(file);
        assert_int_equal(work_fixture_write(file, which), 0);
        if (report_explain_file(&document, file, &why))
                fail_msg("%s", why);
        is_size(document, "looked_at", 25);
        return document;
}

/* NULL: it was not found. */
static json_t *find(json_t *array, const char *id)
{
        json_t *o;
        size_t i;

        json_array_foreach(array, i, o)
        {
                if (!strcmp(json_string_value(json_object_get(o, "id")), id))
                        return o;
        }
        return NULL;
}

static json_t *finding(json_t *o, const char *id)
{
        json_t *f = find(at(o, "findings"), id);

        if (!f)
                fail_msg("%s was not found: %s", id,
                         json_string_value(at(find(at(o, "looked_at"), id), "why")));
        return f;
}

/* Of the evidence whose text has this in it. */
static double evidence(json_t *f, const char *text)
{
        json_t *e;
        size_t i;

        json_array_foreach(at(f, "evidence"), i, e)
        {
                if (strstr(json_string_value(json_object_get(e, "text")), text))
                        return json_number_value(json_object_get(e, "value"));
        }
        fail_msg("no evidence \"%s\"", text);
        return NAN;
}

static void is_about(double got, double expected)
{
        if (!(fabs(got - expected) <= 1e-6 * fabs(expected)))
                fail_msg("%.17g is not %.17g", got, expected);
}

/* Exactly these, in this order. */
static void has_findings(json_t *o, size_t n, const char *const *ids)
{
        is_size(o, "findings", n);
        for (size_t i = 0; i < n; i++)
                assert_string_equal(json_string_value(json_object_get(
                                            json_array_get(at(o, "findings"), i), "id")),
                                    ids[i]);
}
#define HAS_FINDINGS(o, ...)                                                                       \
        do {                                                                                       \
                static const char *const ids_[] = {__VA_ARGS__};                                   \
                has_findings(o, sizeof(ids_) / sizeof(ids_[0]), ids_);                             \
        } while (0)

static const char *found(json_t *o, const char *id)
{
        json_t *v = at(find(at(o, "looked_at"), id), "found");

        return json_is_null(v) ? "null" : json_is_true(v) ? "true" : "false";
}

static void healthy_runs_have_no_findings(void **state)
{
        static const enum work_fixture healthy[] = {WORK_FIXTURE, WORK_LONE, WORK_HEALTHY};

        for (size_t i = 0; i < sizeof(healthy) / sizeof(healthy[0]); i++) {
                json_t *o = explain(healthy[i]), *v;
                size_t k;

                is_size(o, "findings", 0);
                /* an io thread waits for more */
                assert_false(has_text(at(o, "notes"), "had been in one wait"));
                assert_false(has_text(at(o, "notes"), "own stamps"));
                json_array_foreach(at(o, "looked_at"), k, v)
                {
                        assert_true(json_is_false(at(v, "found")) ||
                                    (k >= 8 && json_is_null(at(v, "found")))); /* rules: no ops */
                        assert_true(strlen(json_string_value(at(v, "why"))) > 10);
                }
                json_decref(o);
        }
}

/* Half of the threads that are made share a row, which is no third thread. */
static void threads_that_share_a_row(void **state)
{
        json_t *o = explain(WORK_SHARED);

        is_text(finding(o, "oversubscribed"), "title", "2 threads compute on 1 CPU");
        json_decref(o);
}

/* Two threads on one CPU, no kernel's view: a token takes 10 ms, of which 2 x 450 us are compute.
 */
static void thread_per_token_that_spins(void **state)
{
        json_t *o = explain(WORK_PINNED), *f;
        double ideal = 190 + 5 + 900, all = 900 + 18500 + 5 + 45 + 190 + 5 + 155;

        HAS_FINDINGS(o, "oversubscribed", "spin-wait", "spawn-churn");
        f = finding(o, "oversubscribed");
        is_text(f, "title", "2 threads compute on 1 CPU");
        assert_non_null(strstr(json_string_value(at(f, "remedy")), "use 1 thread "));
        is(f, "gain.factor", 10000 / ideal);
        is_text(f, "confidence", "low"); /* nobody saw them stand in line */
        f = finding(o, "spin-wait");
        assert_non_null(strstr(json_string_value(at(f, "title")), "ggml_barrier"));
        assert_non_null(strstr(json_string_value(at(f, "cause")), "one of 200 threads 'engine'"));
        is_about(evidence(f, "was spent spinning"), 18500 / all);
        is_about(evidence(f, "the thread that decodes spun"), 0.93);
        is(f, "cost.ns_per_token", 18500000);
        is(f, "cost.tokens_per_second", 1e6 / ideal - 100);
        is(f, "gain.tokens_per_second", 1e6 / ideal);
        f = finding(o, "spawn-churn");
        is_text(f, "title", "a thread is made for each token: ggml_graph_compute in engine");
        is_about(evidence(f, "made a token"), 1);
        is_about(evidence(f, "making one"), 45000);
        is(f, "cost.ns_per_token", 45000);
        is(f, "cost.share", 0.0045);
        is(f, "gain.factor", 10000 / 9955.0); /* what they compute has to be done all the same */
        is_text(f, "confidence", "high");
        assert_string_equal(found(o, "imbalance"), "null");
        assert_string_equal(found(o, "preempted"), "null");
        json_decref(o);
}

/* 20 threads a token of 20 us each, on two CPUs: 500 us making them, 400 joining, 60 + 5 outside.
 */
static void threads_per_op(void **state)
{
        json_t *o = explain(WORK_FINE), *f;

        HAS_FINDINGS(o, "small-work-units", "spawn-churn");
        f = finding(o, "spawn-churn");
        is_about(evidence(f, "made a token"), 20);
        is_about(evidence(f, "waiting for threads to end"), 400000);
        is_about(evidence(f, "time making them"), 0.5);
        /* of the joining 200 us are what two threads compute at a time */
        is(f, "gain.factor", 1000 / (1000 - 500 - (400 - 200.0)));
        f = finding(o, "small-work-units");
        is_about(evidence(f, "computes in its life"), 20000);
        is_about(evidence(f, "making it"), 25000);
        is(f, "gain.factor", 1000 / ((65 + 400) / 2.0)); /* two texts side by side */
        assert_non_null(
                strstr(json_string_value(at(f, "remedy")), "min(cores, work / cache line)"));
        json_decref(o);
}

static void more_threads_than_cpus(void **state)
{
        json_t *o = explain(WORK_CROWDED), *f;

        HAS_FINDINGS(o, "oversubscribed", "spin-wait");
        f = finding(o, "oversubscribed");
        is_text(f, "title", "8 threads compute on 2 CPUs");
        is_about(evidence(f, "had none"), 8800 / (16040 - 600.0));
        is(f, "gain.factor", 2000 / (85 + 920 / 2.0));
        is_text(f, "confidence", "high");
        /* the threads' work is even, but nobody could tell */
        assert_string_equal(found(o, "imbalance"), "null");
        assert_string_equal(found(o, "small-work-units"), "null");
        json_decref(o);
}

static void one_thread_has_more_to_do(void **state)
{
        json_t *o = explain(WORK_UNEVEN), *f = finding(o, "imbalance");

        is_text(f, "title",
                "MUL_MAT is unevenly spread: thread 6002 'pool' works 1.50 times the mean");
        is_about(evidence(f, "over the mean"), 1.5);
        is_about(evidence(f, "came last"), 1);
        is(f, "cost.ns_per_token", 300000);
        is(f, "gain.factor", 1000 / 700.0);
        json_decref(o);
}

static void a_lock_that_all_need(void **state)
{
        json_t *o = explain(WORK_CONVOY), *f;

        HAS_FINDINGS(o, "lock-convoy");
        f = finding(o, "lock-convoy");
        is_about(evidence(f, "waiting for it"), 0.4);
        is_about(evidence(f, "threads waited"), 4);
        is_about(evidence(f, "of the waiting thread 6004 'pool' held it"), 0.75);
        is(f, "cost.ns_per_token", 1600000);
        is(f, "gain.factor", 1000 / 600.0);
        assert_non_null(strstr(json_string_value(at(f, "title")), "take_request"));
        json_decref(o);
}

static void another_process_has_the_cpu(void **state)
{
        json_t *o = explain(WORK_OUSTED), *f;

        HAS_FINDINGS(o, "preempted");
        f = finding(o, "preempted");
        is_text(f, "title", "stress (process 77) takes the CPU from the threads");
        is_about(evidence(f, "for other processes"), 500 / 2600.0);
        is_about(evidence(f, "after stress had come"), 1);
        assert_non_null(strstr(json_string_value(at(f, "cost.text")), "until they ran again"));
        is(f, "cost.ns_per_token", round(300000 * 500 / 501.0));
        json_decref(o);
}

static void work_that_is_too_small(void **state)
{
        json_t *o = explain(WORK_SMALL), *f;

        HAS_FINDINGS(o, "small-work-units", "spin-wait");
        f = finding(o, "small-work-units");
        is_about(evidence(f, "of work between two meetings"), 2000);
        is_about(evidence(f, "of waiting at each"), 6000);
        is_about(evidence(f, "that part works on"), 100);
        is_about(evidence(f, "by that rule"), 1); /* 200 bytes / 128 */
        is(f, "gain.factor", 100 / ((10 + 1 + 40) / 2.0));
        json_decref(o);
}

/* 50 us of the 1,000 us of a token: no finding, since it is not the engine's doing. */
static void infprof_takes_much_of_the_time(void **state)
{
        json_t *o = explain(WORK_STAMPED);

        is_size(o, "findings", 0);
        assert_true(has_text(at(o, "notes"),
                             "infprof's own stamps took about 50.00us of thread time a token, 5.0% "
                             "of it: name fewer kernels (INFPROF_KERNELS), or mark inner ones hot "
                             "with ~"));
        json_decref(o);
}

static void what_is_not_known_is_not_found(void **state)
{
        json_t *o = explain(WORK_BARE), *v;
        size_t i;

        is_size(o, "findings", 0);
        json_array_foreach(at(o, "looked_at"), i, v) assert_true(json_is_null(at(v, "found")));
        json_decref(o);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(healthy_runs_have_no_findings, clean),
                cmocka_unit_test_teardown(thread_per_token_that_spins, clean),
                cmocka_unit_test_teardown(threads_that_share_a_row, clean),
                cmocka_unit_test_teardown(threads_per_op, clean),
                cmocka_unit_test_teardown(more_threads_than_cpus, clean),
                cmocka_unit_test_teardown(one_thread_has_more_to_do, clean),
                cmocka_unit_test_teardown(a_lock_that_all_need, clean),
                cmocka_unit_test_teardown(another_process_has_the_cpu, clean),
                cmocka_unit_test_teardown(work_that_is_too_small, clean),
                cmocka_unit_test_teardown(infprof_takes_much_of_the_time, clean),
                cmocka_unit_test_teardown(what_is_not_known_is_not_found, clean),
        };

        return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
