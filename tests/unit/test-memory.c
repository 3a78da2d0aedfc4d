/* SPDX-License-Identifier: MIT */
/*
 * The document of memory and the difference of two, held against what follows by hand from the
 * fixture's few figures, and from runs of a few rows made here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <infprof/segment.h>

#include "common/categories.h"
#include "common/report-diff-memory.h"
#include "common/report-memory.h"
#include "common/runfile.h"
#include "memory-fixture.h"
#include "run-folder.h"

#define SECOND 1000000000ull
#define MIB    1048576

/* "stacks.1.alloc_bytes" */
static json_t *at(json_t *o, const char *path)
{
        char key[64];
        size_t n;

        for (const char *p = path; *p; p += n + (p[n] == '.')) {
                n = strcspn(p, ".");
                snprintf(key, sizeof(key), "%.*s", (int)n, p);
                o = json_is_array(o) ? json_array_get(o, (size_t)atoi(key))
                                     : json_object_get(o, key);
                if (!o)
                        fail_msg("no %s", path);
        }
        return o;
}

static void is(json_t *o, const char *path, double expected)
{
        json_t *v = at(o, path);
        double got = json_number_value(v);

        if (!json_is_number(v) || fabs(got - expected) > 1e-9 * fabs(expected))
                fail_msg("%s is %.17g, not %.17g", path, json_is_number(v) ? got : NAN, expected);
}

static void is_null(json_t *o, const char *path)
{
        if (!json_is_null(at(o, path)))
                fail_msg("%s is not null", path);
}

static void is_text(json_t *o, const char *path, const char *expected)
{
        assert_string_equal(json_string_value(at(o, path)), expected);
}

static bool has_note(json_t *o, const char *text)
{
        json_t *note;
        size_t i;

        json_array_foreach(at(o, "notes"), i, note)
        {
                if (strstr(json_string_value(note), text))
                        return true;
        }
        return false;
}

/* Nothing in a document is NaN or endless, and no share is over 1, whatever the run holds. */
static void is_sane(const char *key, json_t *o)
{
        const char *name;
        json_t *v;
        size_t i;

        if (json_is_object(o)) {
                json_object_foreach(o, name, v) is_sane(name, v);
        } else if (json_is_array(o)) {
                json_array_foreach(o, i, v) is_sane(key, v);
        } else if (json_is_real(o)) {
                assert_true(isfinite(json_real_value(o)));
                if (strstr(key, "share") || strstr(key, "efficiency") || !strcmp(key, "r2") ||
                    !strcmp(key, "fragmentation")) {
                        assert_true(json_real_value(o) >= 0);
                        assert_true(json_real_value(o) <= 1);
                }
        }
}

static json_t *build_window(const char *from, const char *to)
{
        struct memory_options o = {.from = from, .to = to};
        json_t *document = NULL;
        char *why = NULL;

        if (report_memory_file(&document, file, &o, &why))
                fail_msg("%s", why);
        is_sane("", document);
        return document;
}

static json_t *fixture(const char *from, const char *to)
{
        assert_int_equal(memory_fixture_write(file, MEMORY_FIXTURE), 0);
        return build_window(from, to);
}

/* A run of one process, to be filled. */
static struct runfile *begin(struct runfile_process p)
{
        const struct runfile_run run = {.id = "20261121-090000-1",
                                        .command = "x",
                                        .pid = 1,
                                        .started_at_ns = 1795251600 * SECOND,
                                        .duration_ns = 100 * SECOND,
                                        .end = RUNFILE_END_CODE,
                                        .infprof_version = "0"};
        struct runfile *rf = NULL;
        char *why = NULL;

        assert_int_equal(runfile_create(&rf, file, &run, &why), 0);
        p.uuid = "01";
        p.pid = 1;
        p.command = p.exe = "x";
        p.started_at_ns = run.started_at_ns;
        p.duration_ns = run.duration_ns;
        p.ticks_per_second = 1000000000;
        p.end = RUNFILE_END_CODE;
        assert_int_equal(runfile_begin(rf), 0);
        assert_int_equal(runfile_put_process(rf, &p), 0);
        return rf;
}

static void commit(struct runfile *rf)
{
        char *why = NULL;

        if (runfile_commit(rf, &why))
                fail_msg("%s", why);
        runfile_close(rf);
}

static json_t *finish(struct runfile *rf)
{
        commit(rf);
        return build_window(NULL, NULL);
}

static void counts(void **state)
{
        json_t *o = fixture(NULL, NULL);

        is_text(o, "schema", "infprof.memory/1");
        is(o, "heap_interval_bytes", 524288);
        is_null(o, "window");
        is(o, "totals.calls", 410 + 800 + 105);
        is(o, "totals.asked_bytes", 33595000 + 800000 + 15000);
        is(o, "totals.usable_bytes", 34419520);
        is(o, "totals.frees", 1203);
        is(o, "totals.live_bytes", 33655800); /* of the process that had most */
        is(o, "totals.growth_bytes", 34419520 - 759624);
        is(o, "totals.peak_bytes", 33800000);
        is(o, "totals.failed_calls", 1);
        is(o, "totals.mapped_bytes", 67108864);
        is(o, "totals.unmapped_bytes", 4096);
        is(o, "phases.decode.calls", 1300);
        is(o, "phases.load.asked_bytes", 33560000);
        assert_int_equal(json_object_size(at(o, "phases")), 2);
        assert_int_equal(json_array_size(at(o, "ops")), 3);
        is_text(o, "ops.0.name", "(not in any op)");
        is_null(o, "ops.0.kind");
        is_text(o, "ops.1.name", "graph");
        is(o, "ops.1.net_bytes", 100800);
        is(o, "ops.2.phases.decode.calls", 500); /* of both processes */
        is(o, "threads.2.process", 1);
        is(o, "threads.1.usable_bytes", 806400);
        is(o, "size_classes.0.from_bytes", 64);
        is(o, "size_classes.0.to_bytes", 127);
        is(o, "size_classes.1.frees", 703);
        is(o, "size_classes.2.calls", 1);
        json_decref(o);
}

static void stacks_of_two_processes(void **state)
{
        json_t *o = fixture(NULL, NULL);

        assert_true(json_is_true(at(o, "estimates")));
        assert_int_equal(json_array_size(at(o, "stacks")), 5);
        /* certain to be sampled: no error */
        is(o, "stacks.0.alloc_bytes", 33554432);
        is(o, "stacks.0.alloc_bytes_stderr", 0);
        is_null(o, "stacks.0.lifetime_ns");
        is_null(o, "stacks.0.short_share");
        is_text(o, "stacks.0.category", "model loading");
        /* the engine's and the worker's, of the same place: sums and variances add */
        is_text(o, "stacks.1.op", "graph");
        is_text(o, "stacks.1.phase", "decode");
        is(o, "stacks.1.samples", 15);
        is(o, "stacks.1.alloc_objects", 1500);
        is(o, "stacks.1.alloc_bytes", 1500000);
        is(o, "stacks.1.alloc_bytes_stderr", round(sqrt(4e10 + 3e10)));
        is(o, "stacks.1.inuse_objects", 600);
        is(o, "stacks.1.inuse_bytes", 600000);
        is(o, "stacks.1.inuse_bytes_stderr", round(sqrt(4e10 + 3e10 - 1.6e10 - 3e10)));
        is(o, "stacks.1.lifetime_ns", (4e6 + 5e6) / 9);
        is(o, "stacks.1.short_share", 450.0 / 900);
        is_text(o, "stacks.1.frames.0.function", "ggml_new_graph_custom");
        is_text(o, "stacks.1.frames.0.file", "ggml/src/ggml.c");
        is(o, "stacks.1.frames.0.line", 6512);
        is_null(o, "stacks.1.frames.1.file");
        is_text(o, "stacks.1.frames.2.function", "main");
        /* no room in the table */
        assert_true(json_is_true(at(o, "stacks.2.other")));
        assert_int_equal(json_array_size(at(o, "stacks.2.frames")), 0);
        is_null(o, "stacks.2.category");
        assert_true(json_is_true(at(o, "stacks.3.one")));
        is_null(o, "stacks.3.frames.0.function");
        /* inherited and allocated */
        assert_true(json_is_true(at(o, "stacks.4.cut")));
        is(o, "stacks.4.inuse_bytes", 8192 + 3072);
        is(o, "samples.taken", 22);
        is(o, "samples.stacks", 4);
        is(o, "samples.cut_stacks", 1);
        is_text(o, "samples.unwinding", "libunwind");
        is(o, "leaks.bytes", 33554432 + 600000 + 20000 + 11264);
        is(o, "leaks.stderr_bytes", round(sqrt(2.4e10 + 4e8 + 33554432)));
        assert_true(json_is_true(at(o, "leaks.ended")));
        is(o, "categories.1.alloc_share", 1500000.0 / 35132624);
        is_text(o, "categories.1.name", "graph building");
        is_null(o, "categories.2.name");
        is(o, "categories.2.alloc_bytes", 70000);
        is(o, "categories.2.alloc_bytes_stderr", round(sqrt(49749.0 * 49749 + 20000.0 * 20000)));
        is(o, "categories.2.stacks", 2);
        assert_true(has_note(o, "one sample in 512KiB"));
        assert_true(has_note(o, "table of stacks is full: 1 of 22"));
        assert_true(has_note(o, "3.00KiB in use were there already"));
        json_decref(o);
}

static void window_of_two_marks(void **state)
{
        json_t *o = fixture("steady", "warm"); /* the last "warm", of 4 s */

        is_text(o, "window.from", "steady");
        is(o, "window.from_ns", 3e9);
        is(o, "window.to_ns", 4e9);
        is(o, "totals.calls", 100 + 300 + 50);
        is(o, "totals.asked_bytes", 10000 + 300000 + 5000);
        is(o, "totals.frees", 100 + 150 + 1 + 50);
        is(o, "totals.failed_calls", 1);
        is(o, "totals.maps", 0);
        is(o, "totals.growth_bytes", 318000 - 167824);
        is(o, "totals.live_bytes", 33756600);
        is_null(o, "totals.peak_bytes");
        is_null(o, "totals.unmaps");
        is_null(o, "threads");
        is_null(o, "per_token");
        is(o, "phases.load.frees", 1);
        is(o, "ops.0.calls", 300);
        is(o, "ops.2.net_bytes", -1024);
        is(o, "size_classes.0.calls", 150);
        assert_int_equal(json_array_size(at(o, "size_classes")), 2);
        /* what moved: the graph's, and the worker's one */
        assert_int_equal(json_array_size(at(o, "stacks")), 2);
        is(o, "stacks.0.samples", 4);
        is(o, "stacks.0.alloc_bytes", 400000);
        is(o, "stacks.0.alloc_bytes_stderr", round(sqrt(2.8e10 - 1.2e10)));
        is(o, "stacks.0.inuse_bytes", 400000 - 400000 - 200000);
        is_null(o, "stacks.0.inuse_bytes_stderr");
        is(o, "stacks.1.inuse_bytes", 8192); /* not what was inherited */
        is_null(o, "categories.0.inuse_share");
        is_null(o, "leaks.stderr_bytes");
        is(o, "kv.points", 21);
        is(o, "kv.bytes_per_token", 2048);
        is(o, "timeline.0.second", 3);
        assert_int_equal(json_array_size(at(o, "timeline")), 2);
        is(o, "outside.minor_faults", 5000 + 300 - 3000 - 100);
        json_decref(o);
}

/* The worker began after the first "warm" and was over before a mark of its own at the end. */
static void windows_with_one_mark(void **state)
{
        json_t *o = fixture("warm", NULL);

        is(o, "totals.calls", 200 + 300 + 40);
        is(o, "window.to_ns", 6e9);
        is_null(o, "window.to");
        json_decref(o);
        o = build_window(NULL, "steady");
        is(o, "totals.calls", 310 + 15);
        is(o, "totals.growth_bytes", 33605400 + 5120);
        is(o, "stacks.0.alloc_bytes", 33554432);
        is(o, "stacks.1.alloc_bytes", 300000 + 200000);
        json_decref(o);
        o = build_window("steady", "steady");
        is(o, "totals.calls", 0);
        assert_int_equal(json_array_size(at(o, "stacks")), 0);
        json_decref(o);
}

/* A process counts wholly where it was over before the mark, and not at all where it came after. */
static void processes_without_the_mark(void **state)
{
        struct runfile *rf = begin((struct runfile_process){.heap_interval = 1});
        struct runfile_process p = {.uuid = "02",
                                    .pid = 2,
                                    .command = "y",
                                    .exe = "y",
                                    .started_at_ns = 1795251600 * SECOND,
                                    .duration_ns = 10 * SECOND,
                                    .ticks_per_second = 1,
                                    .end = RUNFILE_END_CODE};
        json_t *o;

        for (uint32_t i = 1; i <= 2; i++) {
                p.index = i;
                runfile_put_process(rf, &p);
                p.started_at_ns += 50 * SECOND;
        }
        for (uint32_t i = 0; i < 3; i++)
                runfile_put_op_phase(rf, &(struct runfile_op_phase){.process = i,
                                                                    .phase = IFP_PHASE_LOAD,
                                                                    .alloc = {.calls = 1u << i}});
        runfile_put_mark(rf, &(struct runfile_mark){0, 0, "m", 20 * SECOND, 0});
        commit(rf);
        o = build_window(NULL, "m"); /* what the first had then is not there: nothing */
        is(o, "totals.calls", 2);
        json_decref(o);
        o = build_window("m", NULL);
        is(o, "totals.calls", 1 + 4);
        json_decref(o);
}

static void check_refused(const char *from, const char *to, const char *expected)
{
        struct memory_options o = {.from = from, .to = to};
        json_t *document = NULL;
        char *why = NULL;

        assert_int_equal(report_memory_file(&document, file, &o, &why), MEMORY_E_WINDOW);
        assert_null(document);
        assert_string_equal(why, expected);
        free(why);
}

static void marks_that_are_not_there(void **state)
{
        json_decref(fixture(NULL, NULL));
        check_refused("cold", NULL, "no mark 'cold' in this run; there are 'warm', 'steady'");
        check_refused("warm", "steady",
                      "mark 'warm' comes after mark 'steady'; ask for the time from 'steady' to "
                      "'warm'");
        check_refused(NULL, "a\nb", "no mark 'a?b' in this run; there are 'warm', 'steady'");
        unlink(file);
        commit(begin((struct runfile_process){0}));
        check_refused("x", NULL,
                      "no mark 'x': this run has no marks; put one with 'infprof mark NAME' while "
                      "it runs");
}

static void tokens(void **state)
{
        json_t *o = fixture(NULL, NULL);

        is(o, "per_token.tokens", 100);
        is(o, "per_token.calls.mean", 11.92); /* of the sums, not of the buckets */
        is(o, "per_token.calls.p50", 8);
        is(o, "per_token.calls.p99", 8); /* the 99th of 100 */
        assert_true(llabs(json_integer_value(at(o, "per_token.calls.max")) - 400) <= 3);
        is(o, "per_token.bytes.mean", 1199.92);
        assert_true(llabs(json_integer_value(at(o, "per_token.bytes.p50")) - 808) <= 6);
        is(o, "per_token.tokens_without_allocation", 0);
        is(o, "kv.points", 100);
        is(o, "kv.from_token", 21);
        is(o, "kv.to_token", 120);
        is(o, "kv.bytes_per_token", 2048);
        is(o, "kv.stderr_bytes_per_token", 0);
        is(o, "kv.r2", 1);
        json_decref(o);
}

static void put_point(struct runfile *rf, uint64_t token, int64_t live)
{
        assert_int_equal(
                runfile_put_token_point(
                        rf, &(struct runfile_token_point){0, token, token * 1000, live, 0}),
                0);
}

/* Anscombe's first set (The American Statistician 27, 1973), times 100: slope 0.5001, standard
 * error 0.1179, r2 0.6665. */
static void fit_of_known_slope(void **state)
{
        static const int x[] = {10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5};
        static const int y[] = {804, 695, 758, 881, 833, 996, 724, 426, 1084, 482, 568};
        struct runfile *rf = begin((struct runfile_process){0});
        json_t *o;

        for (size_t i = 0; i < sizeof(x) / sizeof(x[0]); i++)
                put_point(rf, (uint64_t)x[i], 4000000000 + y[i]);
        o = finish(rf);
        is(o, "kv.points", 11);
        assert_true(fabs(json_number_value(at(o, "kv.bytes_per_token")) - 50.01) < 0.005);
        assert_true(fabs(json_number_value(at(o, "kv.stderr_bytes_per_token")) - 11.79) < 0.005);
        assert_true(fabs(json_number_value(at(o, "kv.r2")) - 0.6665) < 0.00005);
        is(o, "kv.resets", 0);
        json_decref(o);
}

static void fit_between_resets(void **state)
{
        struct runfile *rf = begin((struct runfile_process){0});
        uint64_t token = 0;
        json_t *o;

        /* 20, 50 and 30 points; a context of some MiB is freed in between */
        for (int stretch = 0; stretch < 3; stretch++)
                for (int i = 0; i < (stretch == 0 ? 20 : stretch == 1 ? 50 : 30); i++)
                        put_point(rf, ++token, 8000000 + 131072 * i + i % 2 * 100);
        o = finish(rf);
        is(o, "kv.points", 50);
        is(o, "kv.from_token", 21);
        is(o, "kv.to_token", 70);
        is(o, "kv.resets", 2);
        assert_true(fabs(json_number_value(at(o, "kv.bytes_per_token")) - 131072) < 2);
        assert_true(has_note(o, "fell 2 times at once"));
        json_decref(o);
}

static void fit_of_too_little(void **state)
{
        struct runfile *rf = begin((struct runfile_process){0});
        json_t *o;

        for (uint64_t i = 0; i < 7; i++)
                put_point(rf, i, 1000);
        o = finish(rf);
        is_null(o, "kv");
        is_null(o, "per_token");
        json_decref(o);
        unlink(file);
        rf = begin((struct runfile_process){0});
        for (uint64_t i = 0; i < 8; i++)
                put_point(rf, i, 1000);
        o = finish(rf);
        is(o, "kv.bytes_per_token", 0); /* live bytes do not move */
        is(o, "kv.stderr_bytes_per_token", 0);
        is_null(o, "kv.r2");
        json_decref(o);
}

static void allocator_and_outside(void **state)
{
        json_t *o = fixture(NULL, NULL);

        is_text(o, "allocator.kind", "glibc");
        /* at the engine's last look, when the worker was gone */
        is(o, "allocator.allocated", 33600000 + 5 * 20160);
        is(o, "allocator.held", 65 * MIB);
        is(o, "allocator.efficiency", 33700800.0 / (65 * MIB));
        is(o, "allocator.fragmentation", 1 - 33700800.0 / (48 * MIB));
        is_null(o, "allocator.resident");
        is(o, "allocator.arenas.1.active", 8 * MIB);
        is(o, "allocator.looks", 9);
        is(o, "allocator.cost_ns", 90000);
        is(o, "allocator.mean_efficiency",
           (6 * 33600000.0 + 15 * 20160 + 3 * MIB) / ((60 * 6 + 15 + 3 * 4) * (double)MIB));
        is(o, "outside.rss", 105 * MIB);
        is(o, "outside.rss_peak", 124 * MIB);
        is(o, "outside.minor_faults", 6000 + 300);
        is(o, "timeline.1.rss", 101 * MIB);
        is(o, "timeline.2.rss", 122 * MIB);
        is(o, "timeline.4.calls", 970 + 105);
        is(o, "timeline.5.calls", 1210 + 105); /* what is gone has still allocated */
        is(o, "timeline.3.efficiency", (33660480.0 + MIB) / (67 * MIB));
        assert_int_equal(json_array_size(at(o, "mapped_files")), 1);
        is(o, "mapped_files.0.mapped_bytes", 64 * MIB);
        is(o, "mapped_files.0.resident_bytes", 48 * MIB);
        is_text(o, "mapped_files.0.nodes", "N0=12288");
        is_text(o, "marks.1.name", "steady");
        assert_int_equal(json_array_size(at(o, "marks")), 5);
        assert_true(has_note(o, "over anonymous memory"));
        json_decref(o);
}

static struct runfile_memory look(uint64_t second, uint64_t rss)
{
        const uint64_t no = RUNFILE_NOT_TOLD;

        return (struct runfile_memory){.second = second,
                                       .rss = rss,
                                       .pss = no,
                                       .anonymous = rss,
                                       .file = no,
                                       .huge = no,
                                       .swap = no,
                                       .minor_faults = no,
                                       .major_faults = no,
                                       .live_bytes = 1000,
                                       .calls = second,
                                       .allocated = no,
                                       .active = no,
                                       .metadata = no,
                                       .resident = no,
                                       .mapped = no,
                                       .retained = no,
                                       .free_bytes = no,
                                       .releasable = no};
}

static void long_runs_are_thinned(void **state)
{
        struct runfile *rf = begin((struct runfile_process){0});
        bool peak = false;
        json_t *o, *point;
        size_t i;

        for (uint64_t second = 0; second < 10000; second++) {
                struct runfile_memory m = look(second, second == 4711 ? 9000000 : 1000000);

                assert_int_equal(runfile_put_memory(rf, &m), 0);
        }
        o = finish(rf);
        assert_true(json_array_size(at(o, "timeline")) <= 600);
        assert_true(json_array_size(at(o, "timeline")) > 500);
        json_array_foreach(at(o, "timeline"), i, point) peak |=
                json_integer_value(at(point, "rss")) == 9000000;
        assert_true(peak);
        is(o, "outside.rss_peak", 9000000);
        point = json_array_get(at(o, "timeline"), json_array_size(at(o, "timeline")) - 1);
        is(point, "second", 9999);
        is(point, "calls", 9999);
        is_null(point, "pss");
        json_decref(o);
}

/* An engine that frees all before it ends: what was resident a moment before is not held for that.
 */
static void efficiency_is_of_one_instant(void **state)
{
        struct runfile *rf = begin((struct runfile_process){0}); /* over after 100 s */
        struct runfile_memory m = look(98, 4 << 20);
        json_t *o;

        m.live_bytes = m.allocated = 3 << 20;
        runfile_put_memory(rf, &m);
        m.second = 99;
        m.live_bytes = m.allocated = 1 << 20;
        runfile_put_memory(rf, &m);
        m.second = 100;
        m.live_bytes = m.allocated = 4096;
        runfile_put_memory(rf, &m);
        o = finish(rf);
        is(o, "allocator.allocated", 4096);
        is(o, "allocator.efficiency", 0.25);
        is(o, "timeline.0.efficiency", 0.75);
        json_decref(o);
}

/* What is resident is told from the second look on: what was anonymous before is something else. */
static void held_means_one_thing(void **state)
{
        struct runfile *rf = begin((struct runfile_process){0});
        struct runfile_memory m = look(1, 4096);
        json_t *o;

        m.live_bytes = 3 << 20;
        runfile_put_memory(rf, &m);
        m.second = 2;
        m.allocated = 3 << 20;
        m.resident = 4 << 20;
        runfile_put_memory(rf, &m);
        o = finish(rf);
        is(o, "allocator.efficiency", 0.75);
        is(o, "allocator.mean_efficiency", 0.75);
        is_null(o, "timeline.0.efficiency");
        json_decref(o);
}

/* More in blocks than is resident: said, not divided. */
static void memory_never_touched(void **state)
{
        struct runfile *rf = begin((struct runfile_process){0});
        struct runfile_memory m = look(1, 4096);
        json_t *o;

        m.live_bytes = 1 << 30;
        runfile_put_memory(rf, &m);
        o = finish(rf);
        is_null(o, "allocator.efficiency");
        is_null(o, "allocator.mean_efficiency");
        is(o, "allocator.useful", 1 << 30);
        assert_true(has_note(o, "not touched"));
        json_decref(o);
}

static void nothing_was_sampled(void **state)
{
        struct runfile *rf = begin((struct runfile_process){0});
        json_t *o = finish(rf);

        is_null(o, "heap_interval_bytes");
        assert_true(json_is_false(at(o, "estimates")));
        is_null(o, "leaks.bytes");
        is_null(o, "allocator");
        is_null(o, "outside");
        assert_int_equal(json_array_size(at(o, "categories")), 0);
        assert_true(has_note(o, "heap interval 0"));
        json_decref(o);
        unlink(file);
        rf = begin((struct runfile_process){.heap_interval = 1, .unwinding = 2});
        o = finish(rf);
        is(o, "heap_interval_bytes", 1);
        assert_true(json_is_false(at(o, "estimates")));
        assert_false(has_note(o, "estimates"));
        is_text(o, "samples.unwinding", "missing");
        assert_true(has_note(o, "libunwind was not found"));
        json_decref(o);
}

/* The largest that a file can hold. */
static void endless_figures(void **state)
{
        struct runfile *rf = begin((struct runfile_process){.heap_interval = 2});
        const uint64_t most = INT64_MAX;
        struct runfile_stack s = {.frames = "",
                                  .samples = most,
                                  .samples_freed = 1,
                                  .alloc_objects = DBL_MAX,
                                  .freed_objects = DBL_MAX,
                                  .alloc_bytes = DBL_MAX,
                                  .alloc_bytes_var = DBL_MAX,
                                  .short_objects = DBL_MAX,
                                  .lifetime_ns = DBL_MAX,
                                  .inherited_bytes = DBL_MAX};
        struct runfile_memory m = look(most, most);

        runfile_put_frame(rf, &(struct runfile_frame){.frame = UINT32_MAX, .function = "\xff\n"});
        for (s.stack = 0; s.stack < 3; s.stack++) {
                s.frames = s.stack ? "4294967295,4294967295" : "";
                s.one = s.stack == 2;
                assert_int_equal(runfile_put_stack(rf, &s), 0);
        }
        m.live_bytes = INT64_MIN;
        m.allocated = m.active = m.calls = most;
        runfile_put_memory(rf, &m);
        for (uint64_t i = 0; i < 9; i++)
                put_point(rf, most / 10000 - i, i % 2 ? INT64_MIN : INT64_MAX);
        runfile_put_op_phase(rf, &(struct runfile_op_phase){.alloc = {most, most, most, most, most,
                                                                      most, most, most}});
        json_decref(finish(rf));
}

static void check_damaged(struct runfile *rf, const char *expected)
{
        json_t *document = NULL;
        char *why = NULL;

        commit(rf);
        assert_int_equal(report_memory_file(&document, file, NULL, &why), RUNFILE_E_FOREIGN);
        if (!strstr(why, expected))
                fail_msg("%s", why);
        free(why);
        unlink(file);
}

static void damage_is_refused(void **state)
{
        static const char *const lists[] = {"1",  "0,", ",0",          "0,,0", "x",
                                            "0 ", "-0", "99999999999", "0;0"};
        struct runfile *rf = begin((struct runfile_process){0});

        runfile_put_stack(rf, &(struct runfile_stack){.process = 7, .frames = ""});
        check_damaged(rf, "table stack speaks of process 7");
        rf = begin((struct runfile_process){0});
        runfile_put_stack(rf, &(struct runfile_stack){.op = 9, .frames = ""});
        check_damaged(rf, "table stack speaks of op 9");
        for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
                rf = begin((struct runfile_process){0});
                runfile_put_frame(rf, &(struct runfile_frame){.function = "f"});
                runfile_put_stack(rf, &(struct runfile_stack){.frames = lists[i]});
                check_damaged(rf, i ? "table stack holds no list" : "speaks of frame 1");
        }
}

static void other_rules(void **state)
{
        static const char text[] = "all = ?*\n";
        json_t *o = fixture(NULL, NULL);
        struct categories *c = NULL;

        assert_int_equal(categories_parse(&c, "test", text, strlen(text), NULL), 0);
        assert_int_equal(report_memory_categorize(o, c), 0);
        categories_free(c);
        is_text(o, "categories.0.name", "all");
        is(o, "categories.0.alloc_bytes", 33554432 + 1500000 + 8192);
        is(o, "categories.0.inuse_share", (33554432 + 600000 + 11264) / 34185696.0);
        is_text(o, "stacks.4.category", "all");
        is_null(o, "stacks.3.category"); /* a function without a name */
        json_decref(o);
}

static json_t *diff(void)
{
        json_t *a = fixture(NULL, NULL), *b, *o = NULL;
        char *why = NULL;

        unlink(file);
        assert_int_equal(memory_fixture_write(file, MEMORY_FIXTURE_IMPROVED), 0);
        b = build_window(NULL, NULL);
        assert_int_equal(report_diff_memory(&o, a, b, &why), 0);
        is_sane("", at(o, "notes"));
        json_decref(a);
        json_decref(b);
        return o;
}

static void differences(void **state)
{
        json_t *o = diff();

        is_text(o, "schema", "infprof.diff-memory/1");
        is_text(o, "a.id", "20261121-090000-5001");
        is_text(o, "b.id", "20261121-100000-5001");
        is(o, "memory.totals.calls.a", 1315);
        is(o, "memory.totals.calls.b", 595);
        is(o, "memory.totals.calls.delta", -720);
        is(o, "memory.phases.decode.calls.ratio", 580.0 / 1300);
        is(o, "memory.per_token.calls.mean.delta", 0);
        is(o, "memory.kv.bytes_per_token.delta", 0);
        is_text(o, "memory.ops.0.name", "graph"); /* differs most */
        is(o, "memory.ops.0.calls.ratio", 0.1);
        is_null(o, "memory.ops.0.mapped_bytes.ratio"); /* 0 of 0 */
        is_text(o, "memory.allocator.kind.a", "glibc");
        is_text(o, "memory.allocator.kind.b", "jemalloc");
        is(o, "memory.allocator.efficiency.a", 33700800.0 / (65 * MIB));
        is(o, "memory.allocator.efficiency.b", 33700800.0 / (50 * MIB));
        is_null(o, "memory.allocator.resident.a");
        is_null(o, "memory.allocator.resident.delta");
        /* 1.5 MB and 0.6 MB: 900,000 is 2.8 of sqrt(7e10 + 3.4e10) */
        is_text(o, "memory.stacks.0.in", "both");
        is(o, "memory.stacks.0.alloc_bytes.delta", -900000);
        is(o, "memory.stacks.0.alloc_bytes.stderr", hypot(264575, 184391));
        assert_true(json_is_false(at(o, "memory.stacks.0.alloc_bytes.significant")));
        /* 600,000 and nothing: 3.9 of sqrt(2.4e10) */
        assert_true(json_is_true(at(o, "memory.stacks.0.inuse_bytes.significant")));
        is_text(o, "memory.stacks.1.in", "a"); /* gone */
        is(o, "memory.stacks.1.alloc_bytes.b", 0);
        is_text(o, "memory.stacks.2.in", "b"); /* new */
        is_text(o, "memory.stacks.2.frames.1.function", "llama_tokenize");
        is_null(o, "memory.stacks.2.alloc_bytes.ratio");
        assert_int_equal(json_array_size(at(o, "memory.stacks")), 6);
        is_text(o, "memory.categories.0.name", "graph building");
        is(o, "memory.size_classes.0.from_bytes", 64);
        is(o, "memory.leaks.bytes.delta", -600000);
        is(o, "memory.outside.rss_peak.delta", 0);
        json_decref(o);
}

static void differences_of_other_things(void **state)
{
        json_t *a = fixture(NULL, NULL), *b = json_pack("{s:s}", "schema", "infprof.report/1"),
               *o = NULL;
        char *why = NULL;

        assert_int_equal(report_diff_memory(&o, a, b, &why), DIFF_E_FOREIGN);
        assert_string_equal(why, "the second of the two is no document infprof.memory/1");
        free(why);
        json_decref(b);
        b = build_window("steady", "warm");
        assert_int_equal(report_diff_memory(&o, a, b, &why), 0);
        is_null(o, "memory.per_token");
        is_null(o, "memory.stacks.1.inuse_bytes.stderr"); /* not known of one */
        is_null(o, "memory.totals.peak_bytes.b");
        assert_true(has_note(o, "between marks"));
        json_decref(o);
        json_decref(b);
        json_decref(a);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(counts, clean),
                cmocka_unit_test_teardown(stacks_of_two_processes, clean),
                cmocka_unit_test_teardown(window_of_two_marks, clean),
                cmocka_unit_test_teardown(windows_with_one_mark, clean),
                cmocka_unit_test_teardown(processes_without_the_mark, clean),
                cmocka_unit_test_teardown(marks_that_are_not_there, clean),
                cmocka_unit_test_teardown(tokens, clean),
                cmocka_unit_test_teardown(fit_of_known_slope, clean),
                cmocka_unit_test_teardown(fit_between_resets, clean),
                cmocka_unit_test_teardown(fit_of_too_little, clean),
                cmocka_unit_test_teardown(allocator_and_outside, clean),
                cmocka_unit_test_teardown(long_runs_are_thinned, clean),
                cmocka_unit_test_teardown(efficiency_is_of_one_instant, clean),
                cmocka_unit_test_teardown(held_means_one_thing, clean),
                cmocka_unit_test_teardown(memory_never_touched, clean),
                cmocka_unit_test_teardown(nothing_was_sampled, clean),
                cmocka_unit_test_teardown(endless_figures, clean),
                cmocka_unit_test_teardown(damage_is_refused, clean),
                cmocka_unit_test_teardown(other_rules, clean),
                cmocka_unit_test_teardown(differences, clean),
                cmocka_unit_test_teardown(differences_of_other_things, clean),
        };

        return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
