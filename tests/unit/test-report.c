/* SPDX-License-Identifier: MIT */
/*
 * The document, held against what the fixture knows of the spans it made up,
 * and against runs with something wrong with them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/report.h"
#include "common/runfile.h"
#include "run-fixture.h"
#include "run-folder.h"

static json_t *build(void)
{
        json_t *report = NULL;
        char *why = NULL;

        if (report_build_file(file, &report, &why))
                fail_msg("%s", why);
        return report;
}

static const json_t *op(const json_t *report, const char *name)
{
        const json_t *o;
        size_t i;

        json_array_foreach(json_object_get(report, "ops"), i, o)
        {
                if (!strcmp(json_string_value(json_object_get(o, "name")), name))
                        return o;
        }
        fail_msg("no op %s", name);
        return NULL;
}

static json_int_t number(const json_t *o, const char *member)
{
        const json_t *v = json_object_get(o, member);

        if (!json_is_integer(v))
                fail_msg("%s is not an integer", member);
        return json_integer_value(v);
}

static bool is_null(const json_t *o, const char *member)
{
        return json_is_null(json_object_get(o, member));
}

static bool has_note(const json_t *report, const char *words)
{
        const json_t *note;
        size_t i;

        json_array_foreach(json_object_get(report, "notes"), i, note)
        {
                if (strstr(json_string_value(note), words))
                        return true;
        }
        return false;
}

#define assert_near(got, truth, fraction)                                                          \
        assert_true(fabs((double)(got) - (double)(truth)) <= (fraction) * (double)(truth))

static void figures_are_those_of_the_spans(void **state)
{
        struct fixture_truth truth;
        const json_t *o, *m;
        json_t *report;

        assert_int_equal(fixture_write(file, &truth), 0);
        report = build();
        o = op(report, "MUL_MAT");
        assert_int_equal(number(o, "calls"), truth.mul_mat_calls);
        assert_int_equal(number(o, "timed_calls"), truth.mul_mat_calls);
        assert_int_equal(number(o, "total_ns"), truth.mul_mat_total_ns);
        assert_int_equal(number(o, "min_ns"), truth.mul_mat_min_ns);
        assert_int_equal(number(o, "max_ns"), truth.mul_mat_max_ns);
        assert_int_equal(number(o, "mean_ns"),
                         llround((double)truth.mul_mat_total_ns / (double)truth.mul_mat_calls));
        assert_int_equal(number(o, "stddev_ns"), llround(truth.mul_mat_stddev_ns));
        assert_near(number(o, "p50_ns"), truth.mul_mat_p50_ns, 0.01);
        assert_near(number(o, "p95_ns"), truth.mul_mat_p95_ns, 0.01);
        assert_near(number(o, "p99_ns"), truth.mul_mat_p99_ns, 0.01);
        assert_int_equal(number(o, "threads"), 2);

        assert_int_equal(number(json_object_get(report, "self"), "spans"), truth.spans);
        assert_int_equal(number(json_object_get(report, "not_in_any_op"), "in_ops_ns"),
                         truth.in_ops_ns);
        m = json_object_get(report, "memory");
        assert_int_equal(number(m, "alloc_calls"), truth.alloc_calls);
        assert_int_equal(number(m, "alloc_bytes"), truth.alloc_bytes);
        assert_int_equal(number(m, "usable_bytes"), truth.usable_bytes);
        assert_int_equal(number(m, "free_calls"), truth.free_calls);
        assert_int_equal(number(m, "freed_bytes"), truth.freed_bytes);
        assert_int_equal(number(m, "live_bytes"), truth.usable_bytes - truth.freed_bytes);
        m = json_object_get(report, "tokens");
        assert_int_equal(number(m, "generated"), truth.generated + 1); /* and the first */
        assert_near(json_real_value(json_object_get(m, "per_second")),
                    (double)truth.generated * 1e9 / (double)truth.token_ns, 1e-9);
        json_decref(report);
}

static void add(json_int_t *sum, const json_t *o, const char *member)
{
        *sum += number(o, member);
}

/* Whatever is added up in two ways comes out the same. */
static void surroundings_are_the_engines(void **state)
{
        struct fixture_truth truth;
        json_t *report, *s, *e, *l;

        assert_int_equal(fixture_write(file, &truth), 0);
        report = build();
        s = json_object_get(report, "surroundings");
        e = json_object_get(s, "environment");
        l = json_object_get(s, "libraries");
        assert_string_equal(json_string_value(json_object_get(s, "kernel")), "Linux 6.1");
        assert_true(json_is_true(json_object_get(s, "turbo")));
        assert_true(json_number_value(json_object_get(s, "load_5")) == 1.5);
        assert_true(is_null(s, "numa_balancing") && is_null(s, "cpu_pressure") &&
                    is_null(s, "libc"));
        assert_int_equal(number(s, "pid"), 4711);
        assert_int_equal(number(s, "nice"), -5);
        assert_string_equal(json_string_value(json_object_get(e, "OMP_NUM_THREADS")), "2");
        assert_true(is_null(e, "LLAMA_ARG_API_KEY"));
        assert_int_equal(json_array_size(json_object_get(s, "environment_differs")), 1);
        assert_int_equal(json_array_size(l), 3); /* one of them with two build-ids */
        assert_int_equal(number(json_array_get(l, 0), "processes"), 1);
        assert_int_equal(number(json_array_get(l, 1), "processes"), 2);
        assert_true(is_null(json_array_get(l, 1), "build_id"));
        assert_string_equal(json_string_value(json_object_get(json_array_get(l, 2), "build_id")),
                            "11ff");
        json_decref(report);
}

static void sums_agree(void **state)
{
        static const char *const members[] = {"calls",       "timed_calls", "total_ns",
                                              "self_ns",     "left",        "folded",
                                              "alloc_calls", "alloc_bytes", "usable_bytes",
                                              "free_calls",  "freed_bytes", "net_bytes"};
        struct fixture_truth truth;
        json_int_t allocs, in_ops = 0, lifetime = 0;
        const json_t *o, *thread;
        json_t *report, *phase;
        const char *name;
        double share = 0;
        size_t i, m;

        assert_int_equal(fixture_write(file, &truth), 0);
        report = build();
        allocs = number(json_object_get(report, "not_in_any_op"), "alloc_calls");
        json_array_foreach(json_object_get(report, "ops"), i, o)
        {
                for (m = 0; m < sizeof(members) / sizeof(members[0]); m++) {
                        json_int_t sum = 0;

                        json_object_foreach(json_object_get(o, "phases"), name, phase)
                        {
                                sum += number(phase, members[m]);
                        }
                        assert_int_equal(sum, number(o, members[m]));
                }
                allocs += number(o, "alloc_calls");
                if (!json_object_get(o, "estimated"))
                        share += json_real_value(json_object_get(o, "share"));
                assert_true(number(o, "min_ns") <= number(o, "p50_ns"));
                assert_true(number(o, "p50_ns") <= number(o, "p95_ns"));
                assert_true(number(o, "p95_ns") <= number(o, "p99_ns"));
                assert_true(number(o, "p99_ns") <= number(o, "max_ns"));
        }
        assert_int_equal(allocs, truth.alloc_calls);
        assert_true(share < 1 && share > 0.98); /* the rest is in the stamped calls of the hot op */

        allocs = 0;
        json_array_foreach(json_object_get(report, "threads"), i, thread)
        {
                json_int_t in = 0, estimated = 0;

                add(&in_ops, thread, "in_ops_ns");
                add(&lifetime, thread, "lifetime_ns");
                add(&allocs, thread, "alloc_calls");
                json_array_foreach(json_object_get(thread, "ops"), m, o)
                {
                        *(json_object_get(o, "estimated") ? &estimated : &in) +=
                                number(o, "self_ns");
                }
                assert_true(in <= number(thread, "in_ops_ns"));
                assert_int_equal(
                        number(thread, "in_ops_ns") +
                                number(json_object_get(thread, "not_in_any_op"), "self_ns"),
                        number(thread, "lifetime_ns"));
        }
        assert_int_equal(in_ops, truth.in_ops_ns);
        assert_int_equal(allocs, truth.alloc_calls);
        o = json_object_get(report, "not_in_any_op");
        assert_int_equal(lifetime, number(o, "thread_ns"));
        assert_int_equal(number(o, "in_ops_ns") + number(o, "self_ns"), lifetime);
        json_decref(report);
}

static void hot_ops_are_estimates_and_say_so(void **state)
{
        struct fixture_truth truth;
        json_t *report;
        const json_t *o, *decode;

        assert_int_equal(fixture_write(file, &truth), 0);
        report = build();
        o = op(report, "ggml_vec_dot_q8_0_q8_0");
        assert_true(json_is_true(json_object_get(o, "estimated")));
        assert_int_equal(number(o, "calls"), truth.mul_mat_calls * 64);
        assert_int_equal(number(o, "timed_calls"), truth.mul_mat_calls * 2);
        decode = json_object_get(json_object_get(o, "phases"), "decode");
        assert_near(number(decode, "total_ns"), number(decode, "mean_ns") * number(decode, "calls"),
                    0.005);
        assert_true(json_real_value(json_object_get(o, "error_fraction")) < 0.01);
        assert_null(json_object_get(op(report, "MUL_MAT"), "estimated"));
        assert_true(has_note(report, "marked ~"));
        json_decref(report);
}

/* ---- small runs with something special about them ---- */

struct small {
        struct runfile_run run;
        struct runfile_process process;
        struct runfile_op op;
        struct runfile_op_phase row;
};

static struct small small_run(void)
{
        return (struct small){
                .run = {.id = "r",
                        .command = "c",
                        .pid = 5,
                        .started_at_ns = 1,
                        .duration_ns = 1000000},
                .process = {.uuid = "u",
                            .pid = 5,
                            .duration_ns = 1000000,
                            .ticks_per_second = 1000000000},
                .op = {.op = 2, .name = "step", .threads = 1},
                .row = {.op = 2, .timed = 10, .total_ns = 1000, .min_ns = 100, .max_ns = 100},
        };
}

static json_t *build_small(const struct small *s)
{
        struct runfile_thread thread = {
                .tid = 5, .name = "main", .ended_ns = UINT64_MAX, .site = -1, .cpu_ns = UINT64_MAX};
        struct runfile *rf = NULL;

        unlink(file);
        assert_int_equal(runfile_create(&rf, file, &s->run, NULL), 0);
        assert_int_equal(runfile_begin(rf), 0);
        assert_int_equal(runfile_put_process(rf, &s->process), 0);
        assert_int_equal(runfile_put_op(rf, &s->op), 0);
        assert_int_equal(runfile_put_op_phase(rf, &s->row), 0);
        assert_int_equal(runfile_put_thread(rf, &thread), 0);
        assert_int_equal(runfile_commit(rf, NULL), 0);
        runfile_close(rf);
        return build();
}

static void unknown_is_null(void **state)
{
        struct small s = small_run();
        json_t *report = build_small(&s);
        const json_t *o = op(report, "step"), *tokens = json_object_get(report, "tokens");

        assert_true(is_null(o, "p50_ns") && is_null(o, "p95_ns") && is_null(o, "p99_ns") &&
                    is_null(o, "stddev_ns"));
        assert_true(is_null(o, "kernel") && is_null(o, "library"));
        assert_true(is_null(tokens, "prompt") && is_null(tokens, "generated") &&
                    is_null(tokens, "per_second"));
        assert_true(is_null(tokens, "ttft_ns") && is_null(tokens, "p50_ns"));
        assert_true(is_null(json_object_get(report, "run"), "exit"));
        assert_string_equal(
                json_string_value(json_object_get(json_object_get(report, "run"), "end")), "live");
        assert_true(is_null(json_object_get(report, "self"), "overhead_ns_per_span"));
        json_decref(report);
}

/* Ten equal calls: the deviation is nothing at all, with sums and without. */
static void deviation_of_equals_is_zero(void **state)
{
        uint64_t hist[IFP_HIST_BUCKETS] = {0};
        struct small s = small_run();
        json_t *report;

        s.row.total_ns = 10 * 123456789;
        s.row.min_ns = s.row.max_ns = 123456789;
        hist[ifp_hist_index(123456789)] = 10;
        s.row.hist = hist;
        for (int known = 0; known < 2; known++) {
                s.row.sum_ns = known ? 1234567890.0 : 0;
                s.row.sumsq_ns2 = known ? 10 * 123456789.0 * 123456789.0 : 0;
                report = build_small(&s);
                assert_int_equal(number(op(report, "step"), "stddev_ns"), 0);
                assert_int_equal(number(op(report, "step"), "p50_ns"), 123456789);
                json_decref(report);
        }
}

static void ways_to_end(void **state)
{
        static const struct {
                enum runfile_end end;
                int value;
                const char *name, *exit;
        } cases[] = {
                {RUNFILE_END_CODE, 3, "code", "{\"code\":3}"},
                {RUNFILE_END_SIGNAL, 11, "signal", "{\"signal\":11,\"name\":\"SIGSEGV\"}"},
                {RUNFILE_END_UNKNOWN, 0, "unknown", "null"},
                {RUNFILE_END_CUT, 0, "cut", "null"},
                {RUNFILE_END_EXEC, 0, "exec", "null"},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct small s = small_run();
                json_t *report;
                char *text;

                s.run.end = s.process.end = cases[i].end;
                s.run.end_value = s.process.end_value = cases[i].value;
                s.process.reason =
                        cases[i].end == RUNFILE_END_CUT ? "its head ran backwards" : NULL;
                report = build_small(&s);
                text = json_dumps(json_object_get(json_object_get(report, "run"), "exit"),
                                  JSON_COMPACT | JSON_ENCODE_ANY);
                assert_string_equal(text, cases[i].exit);
                assert_string_equal(
                        json_string_value(json_object_get(json_object_get(report, "run"), "end")),
                        cases[i].name);
                assert_int_equal(has_note(report, "its head ran backwards"),
                                 cases[i].end == RUNFILE_END_CUT);
                free(text);
                json_decref(report);
        }
}

static void everything_odd_is_noted(void **state)
{
        struct small s = small_run();
        json_t *report;

        s.process.folded = 1;
        s.process.lost = 1;
        s.process.left = 1;
        s.process.open = 1;
        s.process.unseen = 1;
        s.process.fold_refused = 1;
        s.process.stubs_refused = 1;
        s.process.ops_refused = 1;
        s.process.lanes_retaken = 1;
        s.run.n_adoptions = 2;
        s.row.untimed = 5;
        report = build_small(&s);
        assert_true(has_note(report, "folded"));
        assert_true(has_note(report, "lost"));
        assert_true(has_note(report, "did not return"));
        assert_true(has_note(report, "open"));
        assert_true(has_note(report, "collector that died"));
        assert_true(has_note(report, "fold tables full"));
        assert_true(has_note(report, "no stub"));
        assert_true(has_note(report, "table of ops full"));
        assert_true(has_note(report, "ended before they were seen"));
        assert_true(has_note(report, "replaced 2 times"));
        assert_true(has_note(report, "nested too deep"));
        json_decref(report);
}

static void times_that_do_not_add_up_are_not_shown(void **state)
{
        struct small s = small_run();
        json_t *report;

        s.row.child_ns = 2000; /* more than the whole */
        report = build_small(&s);
        assert_true(is_null(op(report, "step"), "self_ns"));
        assert_true(is_null(op(report, "step"), "share"));
        assert_true(is_null(json_object_get(report, "not_in_any_op"), "self_ns"));
        assert_true(has_note(report, "self time of step is not known"));
        json_decref(report);

        s.row.child_ns = 0;
        s.row.total_ns = 2000000; /* more than the thread lived */
        report = build_small(&s);
        assert_int_equal(number(op(report, "step"), "self_ns"), 2000000);
        assert_true(is_null(json_object_get(report, "not_in_any_op"), "self_ns"));
        assert_true(has_note(report, "time outside ops is not known"));
        json_decref(report);
}

static void names_of_strangers_become_utf8(void **state)
{
        struct small s = small_run();
        json_t *report;

        s.op.name = "bad\xff\x1b[31m";
        s.run.command = "caf\xe9";
        report = build_small(&s);
        assert_non_null(op(report, "bad\xef\xbf\xbd\x1b[31m"));
        json_decref(report);
}

/* Two processes with clocks of different speed are one op, and quantiles hold in ns. */
static void processes_are_merged(void **state)
{
        struct runfile_run run = {.id = "r", .command = "c", .duration_ns = 1000000};
        uint64_t fast[IFP_HIST_BUCKETS] = {0}, slow[IFP_HIST_BUCKETS] = {0};
        struct runfile *rf = NULL;
        json_t *report;
        const json_t *o;

        fast[ifp_hist_index(4000)] = 30; /* 1000 ns at 4 GHz */
        slow[ifp_hist_index(2000)] = 10; /* 2000 ns at 1 GHz */
        assert_int_equal(runfile_create(&rf, file, &run, NULL), 0);
        for (unsigned p = 0; p < 2; p++) {
                assert_int_equal(
                        runfile_put_process(rf,
                                            &(struct runfile_process){
                                                    .index = p,
                                                    .uuid = p ? "a" : "b",
                                                    .ticks_per_second = p ? 4000000000 : 1000000000,
                                                    .duration_ns = 1000000,
                                            }),
                        0);
                /* not under the same number */
                assert_int_equal(runfile_put_op(rf, &(struct runfile_op){.process = p,
                                                                         .op = 5 - p,
                                                                         .name = "f",
                                                                         .kernel = "f",
                                                                         .threads = 1}),
                                 0);
                assert_int_equal(runfile_put_op_phase(rf,
                                                      &(struct runfile_op_phase){
                                                              .process = p,
                                                              .op = 5 - p,
                                                              .timed = p ? 30 : 10,
                                                              .total_ns = p ? 30000 : 20000,
                                                              .min_ns = p ? 1000 : 2000,
                                                              .max_ns = p ? 1000 : 2000,
                                                              .hist = p ? fast : slow,
                                                      }),
                                 0);
        }
        assert_int_equal(runfile_put_op(rf,
                                        &(struct runfile_op){
                                                .process = 1, .op = 7, .name = "f", .kernel = "g"}),
                         0);
        assert_int_equal(runfile_put_op_phase(rf, &(struct runfile_op_phase){.process = 1,
                                                                             .op = 7,
                                                                             .timed = 1,
                                                                             .total_ns = 1,
                                                                             .min_ns = 1,
                                                                             .max_ns = 1}),
                         0);
        runfile_close(rf);
        report = build();
        assert_int_equal(json_array_size(json_object_get(report, "ops")), 2);
        o = op(report, "f");
        assert_int_equal(number(o, "calls"), 40);
        assert_int_equal(number(o, "total_ns"), 50000);
        assert_int_equal(number(o, "threads"), 2);
        assert_near(number(o, "p50_ns"), 1000, 0.01);
        assert_near(number(o, "p95_ns"), 2000, 0.01);
        json_decref(report);
}

static void missing_halves_are_damage(void **state)
{
        static const char *const changes[] = {
                "DELETE FROM process",
                "DELETE FROM op",
                "DELETE FROM thread",
                "DELETE FROM run",
                "DROP TABLE op_phase",
                "ALTER TABLE op_phase RENAME COLUMN total_ns TO gone",
                "UPDATE op_phase SET hist = x'00'",
        };
        struct fixture_truth truth;
        json_t *report;

        for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
                char *why = NULL;
                sqlite3 *db;

                unlink(file);
                assert_int_equal(fixture_write(file, &truth), 0);
                assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
                if (sqlite3_exec(db,
                                 "DROP VIEW v_ops; DROP VIEW v_threads; DROP VIEW v_seconds;"
                                 " DROP VIEW v_stacks;",
                                 NULL, NULL, NULL) ||
                    sqlite3_exec(db, changes[i], NULL, NULL, NULL))
                        fail_msg("%s: %s", changes[i], sqlite3_errmsg(db));
                sqlite3_close(db);
                assert_int_equal(report_build_file(file, &report, &why), RUNFILE_E_FOREIGN);
                assert_non_null(strstr(why, "damaged"));
                assert_null(strchr(why, '\n'));
                free(why);
        }
}

/* Any bytes wrong anywhere: a report or one line, never a crash. */
static void corrupted_bytes_are_survived(void **state)
{
        struct fixture_truth truth;
        unsigned char *good, *bad;
        uint64_t seed = 7;
        struct stat st;
        int fd;

        assert_int_equal(fixture_write(file, &truth), 0);
        assert_int_equal(stat(file, &st), 0);
        good = malloc((size_t)st.st_size);
        bad = malloc((size_t)st.st_size);
        fd = open(file, O_RDWR);
        assert_int_equal(read(fd, good, (size_t)st.st_size), st.st_size);
        for (int round = 0; round < 400; round++) {
                json_t *report = NULL;
                char *why = NULL;
                int r;

                memcpy(bad, good, (size_t)st.st_size);
                for (int k = 0; k <= round % 20; k++) {
                        seed = seed * 6364136223846793005u + 1442695040888963407u;
                        bad[(seed >> 20) % (uint64_t)(round % 2 ? st.st_size : 4096)] =
                                (unsigned char)(seed >> 55);
                }
                assert_int_equal(pwrite(fd, bad, (size_t)st.st_size, 0), st.st_size);
                r = report_build_file(file, &report, &why);
                assert_int_equal(!r, report != NULL);
                assert_true(!r || (why && !strchr(why, '\n')));
                json_decref(report);
                free(why);
        }
        close(fd);
        free(good);
        free(bad);
}

static void runs_are_listed_newest_first(void **state)
{
        struct small s = small_run();
        char path[3][300], *why = NULL;
        json_t *list, *runs;
        FILE *f;

        for (int i = 0; i < 2; i++) {
                struct runfile *rf = NULL;

                snprintf(path[i], sizeof(path[i]), "%s/%d.infprof", folder, i);
                s.run.id = i ? "new" : "old";
                s.run.started_at_ns = (uint64_t)(i + 1) * 1000000000;
                s.run.end = i ? RUNFILE_END_LIVE : RUNFILE_END_CODE;
                assert_int_equal(runfile_create(&rf, path[i], &s.run, NULL), 0);
                runfile_close(rf);
        }
        snprintf(path[2], sizeof(path[2]), "%s/junk.infprof", folder);
        f = fopen(path[2], "w");
        fputs("junk", f);
        fclose(f);

        assert_int_equal(report_list(folder, &list, &why), 0);
        runs = json_object_get(list, "runs");
        assert_int_equal(json_array_size(runs), 2);
        assert_string_equal(json_string_value(json_object_get(json_array_get(runs, 0), "id")),
                            "new");
        assert_true(json_is_true(json_object_get(json_array_get(runs, 0), "live")));
        assert_true(json_is_false(json_object_get(json_array_get(runs, 1), "live")));
        assert_int_equal(json_array_size(json_object_get(list, "unreadable")), 1);
        json_decref(list);
        for (int i = 0; i < 3; i++)
                unlink(path[i]);
        assert_int_equal(report_list("/nonexistent/directory", &list, &why), 0);
        assert_int_equal(json_array_size(json_object_get(list, "runs")), 0);
        json_decref(list);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(figures_are_those_of_the_spans, clean),
                cmocka_unit_test_teardown(surroundings_are_the_engines, clean),
                cmocka_unit_test_teardown(sums_agree, clean),
                cmocka_unit_test_teardown(hot_ops_are_estimates_and_say_so, clean),
                cmocka_unit_test_teardown(unknown_is_null, clean),
                cmocka_unit_test_teardown(deviation_of_equals_is_zero, clean),
                cmocka_unit_test_teardown(ways_to_end, clean),
                cmocka_unit_test_teardown(everything_odd_is_noted, clean),
                cmocka_unit_test_teardown(times_that_do_not_add_up_are_not_shown, clean),
                cmocka_unit_test_teardown(names_of_strangers_become_utf8, clean),
                cmocka_unit_test_teardown(processes_are_merged, clean),
                cmocka_unit_test_teardown(missing_halves_are_damage, clean),
                cmocka_unit_test_teardown(corrupted_bytes_are_survived, clean),
                cmocka_unit_test_teardown(runs_are_listed_newest_first, clean),
        };

        return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
