/* SPDX-License-Identifier: MIT */
/*
 * The documents on threads, waits, spawns and the ledger, held against what follows by hand from
 * the fixtures' few figures.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <unistd.h>

#include "common/report-ledger.h"
#include "common/report-spawns.h"
#include "common/report-threads.h"
#include "common/report-waits.h"
#include "common/syscall-names.h"
#include "document.h"
#include "run-folder.h"
#include "work-fixture.h"

#define MS 1000000.0
#define US 1000.0

typedef int (*build_fn)(json_t **ret, const char *path, char **ret_why);

static json_t *build(enum work_fixture which, build_fn fn)
{
        json_t *document = NULL;
        char *why = NULL;

        unlink(file);
        assert_int_equal(work_fixture_write(file, which), 0);
        if (fn(&document, file, &why))
                fail_msg("%s", why);
        return document;
}

static void threads(void **state)
{
        json_t *o = build(WORK_FIXTURE, report_threads_file);

        is_text(o, "schema", "infprof.threads/1");
        is(o, "cpus", 2);
        is_text(o, "kernel.view", "bpf");
        is_null(o, "kernel.why");
        is(o, "kernel.cost_share", 10 / 1782.0);
        is_size(o, "threads", 4);
        /* busiest first: 900 ms on a CPU each, then by lifetime, then as they came */
        is(o, "threads.0.tid", 6001);
        is_text(o, "threads.1.name", "pool\xef\xbf\xbd");
        is(o, "threads.0.lifetime_ns", 2000 * MS);
        is(o, "threads.0.cpu_ns", 900 * MS);
        is(o, "threads.0.blocked.futex_ns", 60 * MS);
        is(o, "threads.0.wait_ns.barrier", 180 * MS);
        is(o, "threads.0.wait_ns.lock", 50 * MS);
        is(o, "threads.0.wait_ns.other", 0);
        is(o, "threads.0.waits.mutex.count", 200);
        is_size(o, "threads.0.waits", 2);
        is(o, "threads.0.in_ops_ns", 600 * MS); /* the token lies across */
        is_null(o, "threads.0.site");
        is_null(o, "threads.0.spawn");
        is_null(o, "threads.0.waiting");
        is_text(o, "threads.1.site.function", "make_pool");
        is(o, "threads.1.spawn", 0);
        /* the one that waits */
        is_text(o, "threads.2.name", "io");
        is_null(o, "threads.2.blocked");
        is_text(o, "threads.2.waiting.kind", "condition");
        is_text(o, "threads.2.waiting.object", "0x5000");
        is(o, "threads.2.waiting.for_ns", 1200 * MS);
        /* of the other process nobody saw anything */
        is(o, "threads.3.pid", 6101);
        is_null(o, "threads.3.running_ns");
        json_decref(o);
}

static void groups_of_threads(void **state)
{
        json_t *o = build(WORK_FIXTURE, report_threads_file);

        is_size(o, "groups", 3); /* the engine's main thread and the other's are one group */
        is_text(o, "groups.0.name", "engine");
        is(o, "groups.0.threads", 2);
        is(o, "groups.0.lifetime_ns", 4000 * MS);
        is_null(o, "groups.0.running_ns"); /* of one of them it is not known */
        is(o, "groups.0.wait_ns.lock", 60 * MS);
        is(o, "groups.1.running_ns", 890 * MS);
        json_decref(o);

        o = build(WORK_PINNED, report_threads_file); /* a thread for each of 200 tokens */
        is_size(o, "threads", 201);
        is_size(o, "groups", 2);
        is(o, "groups.0.threads", 1);
        is(o, "groups.1.threads", 200);
        is_text(o, "groups.1.site.function", "ggml_graph_compute");
        is_text(o, "kernel.view", "none");
        is_text(o, "kernel.why", "no capability CAP_BPF");
        is_null(o, "kernel.lost");
        is_null(o, "io");
        is(o, "cpus", 1);
        assert_true(has_text(at(o, "notes"), "no capability CAP_BPF"));
        json_decref(o);
}

static void kernels_view(void **state)
{
        json_t *o = build(WORK_FIXTURE, report_threads_file);

        is(o, "run_queue.count", 1000);
        is(o, "run_queue.min_ns", 100);
        is(o, "run_queue.p50_ns", 100);
        is_near(o, "run_queue.p95_ns", 50000, 0.008);
        is_near(o, "run_queue.total_ns", 900 * 100 + 100 * 50000, 0.008);
        is_size(o, "preempted_by", 3);
        is(o, "preempted_by.0.pid", 6001);
        assert_true(json_is_true(at(o, "preempted_by.0.own")));
        is_text(o, "preempted_by.1.name", "cc1\xef\xbf\xbd");
        is_null(o, "preempted_by.2.pid");
        is(o, "syscalls.0.number", 202);
        is_text(o, "syscalls.0.name", "futex");
        is(o, "syscalls.0.failed", 3);
        is(o, "syscalls.0.total_ns", 698000);
        is_near(o, "syscalls.0.p99_ns", 2000, 0.008);
        is(o, "syscalls.0.max_ns", 501000);
        is_null(o, "syscalls.1.name");
        is_null(o, "syscalls.1.p50_ns");
        is(o, "io.bytes", 40960);
        is(o, "io.load.count", 8);
        is_text(o, "ops.0.phase", "load");
        is_null(o, "ops.0.op");
        is_text(o, "ops.1.op", "MUL_MAT");
        is(o, "ops.1.runnable_ns", 50 * MS);
        json_decref(o);
}

static void system_calls_have_names(void **state)
{
        assert_string_equal(syscall_name(0), "read");
        assert_string_equal(syscall_name(56), "clone");
        assert_string_equal(syscall_name(449), "futex_waitv");
        assert_null(syscall_name(400)); /* no such number */
        assert_null(syscall_name(1u << 31));
}

static void objects_and_sites(void **state)
{
        json_t *o = build(WORK_FIXTURE, report_waits_file);

        is_size(o, "kinds", 3);
        is_text(o, "kinds.0.kind", "mutex");
        is(o, "kinds.0.count", 250);
        is(o, "kinds.0.total_ns", 60 * MS);
        is(o, "kinds.0.now.waits", 0);
        is_text(o, "kinds.1.kind", "condition");
        is(o, "kinds.1.now.waits", 1);
        is(o, "kinds.1.now.total_ns", 1200 * MS);
        is(o, "kinds.2.spins_ns", 200 * MS);
        is_size(o, "objects", 4); /* the mutex of each process is one */
        is_text(o, "objects.0.kind", "condition");
        is(o, "objects.0.now.waits", 1);
        is(o, "objects.0.now.total_ns", 1200 * MS);
        is(o, "objects.1.now.waits", 0);
        is(o, "objects.0.timeouts", 2);
        is_text(o, "objects.1.kind", "barrier");
        is(o, "objects.1.threads", 2);
        is(o, "objects.1.count", 1000);
        is(o, "objects.1.total_ns", 200 * MS);
        is(o, "objects.1.min_ns", 1000);
        is(o, "objects.1.max_ns", 900 * US);
        assert_true(json_is_true(at(o, "objects.1.spins")));
        is(o, "objects.1.by.0.tid", 6002);
        is(o, "objects.1.by.0.share", 0.9);
        is_text(o, "objects.1.by.0.op", "MUL_MAT");
        is(o, "objects.2.pid", 6001);
        is_text(o, "objects.2.object", "0x404040");
        is_text(o, "objects.2.library", "/opt/engine/engine");
        is(o, "objects.2.offset", 0x40);
        is(o, "objects.2.left", 1);
        is(o, "objects.2.by.0.count", 150);
        is(o, "objects.2.by.0.threads", 1);
        is(o, "objects.2.unknown.count", 30);
        is(o, "objects.2.others.total_ns", 5 * MS);
        is(o, "objects.3.pid", 6101);
        is_null(o, "objects.3.library");
        assert_true(json_is_true(at(o, "objects.3.shared")));
        /* but the place is the same in both */
        is_size(o, "sites", 3);
        is_text(o, "sites.2.kind", "mutex");
        is(o, "sites.2.count", 250);
        is(o, "sites.2.objects", 2);
        is(o, "sites.2.threads", 2);
        is_text(o, "sites.2.frames.1.function", "take_request");
        is(o, "sites.2.frames.1.line", 7);
        is_size(o, "objects.2.sites", 1);
        is(o, "objects.2.sites.0", 2);
        is(o, "objects.3.sites.0", 2);
        assert_true(json_is_true(at(o, "sites.0.one")));
        is_size(o, "waiting", 1);
        is(o, "waiting.0.tid", 6003);
        is(o, "waiting.0.since_ns", 800 * MS);
        is(o, "waiting.0.site", 0);
        is_text(o, "waiting.0.by.name", "engine");
        json_decref(o);
}

static void barrier_of_a_pool(void **state)
{
        json_t *o = build(WORK_FIXTURE, report_waits_file);

        is_size(o, "barriers", 1);
        is_text(o, "barriers.0.op", "MUL_MAT");
        is_text(o, "barriers.0.object", "0x7000");
        is(o, "barriers.0.threads", 2);
        is(o, "barriers.0.episodes", 1000);
        is(o, "barriers.0.busy_ns", 1300 * MS); /* ggml_barrier is an op: self is without it */
        is(o, "barriers.0.wait_ns", 200 * MS);
        is(o, "barriers.0.imbalance", 750 / 650.0);
        is(o, "barriers.0.efficiency", 1300 / 1500.0);
        is_size(o, "barriers.0.last", 2);
        is(o, "barriers.0.last.0.tid", 6002);
        is(o, "barriers.0.last.0.times", 900);
        is(o, "barriers.0.last.0.share", 0.9);
        is(o, "barriers.0.last.0.others_waited_ns", 180 * MS);
        /* 100 tokens in 1 s, of which the thread that decodes waited 180 ms */
        is(o, "barriers.0.price.tokens_per_second", 100 / 0.82 - 100);
        is(o, "barriers.0.price.share_of_token", 0.18);
        json_decref(o);
}

/* Who came last are 200 threads, of which a lane says no more than that there were several. */
static void barrier_of_threads_that_come_and_go(void **state)
{
        json_t *o = build(WORK_PINNED, report_waits_file);

        is(o, "barriers.0.threads", 2); /* at one time */
        is_null(o, "objects.0.threads");
        is_null(o, "sites.0.threads");
        is(o, "barriers.0.episodes", 2000);
        is(o, "barriers.0.busy_ns", 180 * MS);
        is(o, "barriers.0.imbalance", 1);
        is_size(o, "barriers.0.last", 2);
        is_null(o, "barriers.0.last.0.tid");
        is(o, "barriers.0.last.0.threads", 200);
        is_text(o, "barriers.0.last.0.site.function", "ggml_graph_compute");
        is(o, "barriers.0.last.0.times", 1000);
        is(o, "barriers.0.last.0.others_waited_ns", 1860 * MS);
        is(o, "barriers.0.last.1.tid", 6001);
        is(o, "objects.0.others.count", 1000);
        json_decref(o);
}

/* Half of these have one row together: they are no third thread, and no hundred at a time. */
static void barrier_of_threads_that_share_a_row(void **state)
{
        json_t *o = build(WORK_SHARED, report_waits_file);

        is(o, "barriers.0.threads", 2);
        is(o, "barriers.0.busy_ns", 180 * MS);
        is(o, "barriers.0.imbalance", 1);
        json_decref(o);
}

/* Each has its row, so that they are known one by one; but two at a time meet. */
static void barrier_of_threads_one_after_the_other(void **state)
{
        json_t *o = build(WORK_PASSING, report_waits_file);

        is(o, "objects.0.threads", 13);
        is(o, "sites.0.threads", 13);
        is(o, "barriers.0.threads", 2);
        is(o, "barriers.0.episodes", 180);
        is(o, "barriers.0.last.0.threads", 12);
        is(o, "barriers.0.last.0.times", 120); /* most often, though not waited for longest */
        is(o, "barriers.0.last.1.times", 60);
        is(o, "barriers.0.last.1.others_waited_ns", 6 * MS);
        is_null(o, "barriers.0.price");
        json_decref(o);
}

static void spawns(void **state)
{
        json_t *o = build(WORK_FIXTURE, report_spawns_file);

        is(o, "tokens", 100);
        is_size(o, "sites", 3);
        is_text(o, "sites.0.function", "make_pool");
        is_text(o, "sites.0.class", "pool");
        is_text(o, "sites.0.frames.0.function", "pthread_create");
        is_null(o, "sites.0.lifetime");
        is_null(o, "sites.0.per_token"); /* not in decode */
        is(o, "sites.0.rate_per_second", 0.5);
        is_null(o, "sites.1.function");
        is_text(o, "sites.2.kind", "fork");
        is_null(o, "sites.2.class");
        json_decref(o);

        o = build(WORK_PINNED, report_spawns_file);
        is_text(o, "sites.0.class", "short-lived");
        is(o, "sites.0.per_token", 1);
        is(o, "sites.0.peak", 1);
        is(o, "sites.0.cost.mean_ns", 45 * US);
        is_near(o, "sites.0.lifetime.p50_ns", 9700 * US, 0.008);
        is(o, "sites.0.cpu.mean_ns", 5 * MS);
        is(o, "sites.0.share_of_token", 45.0 / 10000);
        is_text(o, "sites.0.op", "graph");
        json_decref(o);

        o = build(WORK_BARE, report_spawns_file);
        is(o, "sites.0.count", 2);
        is_null(o, "sites.0.live");
        is_null(o, "sites.0.cost");
        is_null(o, "sites.0.class");
        is_null(o, "tokens");
        json_decref(o);
}

static void ledger(void **state)
{
        json_t *o = build(WORK_FIXTURE, report_ledger_file);

        is(o, "steps", 100);
        is(o, "wall.total_ns", 1000 * MS);
        is(o, "wall.mean_ns", 10 * MS);
        is_near(o, "wall.p50_ns", 10 * MS, 0.008);
        is(o, "wall.max_ns", 40 * MS); /* of the slowest, exactly */
        is(o, "thread_ns", 3000 * MS);
        is(o, "useful_ns", 1380 * MS);
        is(o, "overhead_factor", 3000 / 1380.0);
        is_text(o, "own.0.row", "compute");
        is(o, "own.0.total_ns", 600 * MS);
        is(o, "own.0.mean_ns", 6 * MS);
        is(o, "own.0.share", 0.6);
        is_near(o, "own.0.p99_ns", 6 * MS, 0.008);
        is(o, "critical.0.total_ns", 800 * MS);
        is(o, "all.3.share", 1 / 3.0);
        is(o, "all.4.mean_ns", 800 * US);
        is_size(o, "threads", 2);
        is(o, "threads.0.tid", 6001);
        is(o, "threads.0.wall_ns", 800 * MS);
        is(o, "threads.0.rows.barrier", 200 * MS);
        json_decref(o);
}

static void slow_steps(void **state)
{
        json_t *o = build(WORK_FIXTURE, report_ledger_file);

        is_size(o, "slow", 1);
        is(o, "slow.0.number", 42);
        is_near(o, "slow.0.times_median", 4, 0.008);
        is(o, "slow.0.own.unaccounted", 100 * US); /* 10 us were missing */
        is(o, "slow.0.all.unaccounted", 100 * MS); /* nothing of it was in the file */
        assert_true(json_array_size(at(o, "slow.0.different")) >= 3);
        is_text(o, "slow.0.different.0", "page faults 25.10ms against 100.0us");
        assert_true(has_text(at(o, "slow.0.different"), "6,000 minor page faults against 10.0"));
        assert_true(has_text(at(o, "slow.0.different"), "system calls against 1.0"));
        assert_true(has_text(at(o, "slow.0.different"), "3 times a thread was put off its CPU"));
        assert_false(has_text(at(o, "slow.0.different"), "compute"));
        json_decref(o);
}

static void no_kernels_view_no_ledger(void **state)
{
        json_t *o = build(WORK_PINNED, report_ledger_file);

        assert_true(json_is_false(at(o, "kernel")));
        is_text(o, "own.4.row", "runnable");
        is_null(o, "own.4.total_ns");
        is_null(o, "own.4.p50_ns");
        is_null(o, "threads.0.rows.fault");
        is(o, "own.1.share", 0.93);
        assert_true(has_text(at(o, "notes"), "the kernel's view was not there"));
        json_decref(o);

        o = build(WORK_BARE, report_ledger_file);
        is(o, "steps", 0);
        is_null(o, "wall");
        is_null(o, "overhead_factor");
        is_size(o, "own", 0);
        assert_true(has_text(at(o, "notes"), "INFPROF_WAITS=off"));
        json_decref(o);
        o = build(WORK_BARE, report_threads_file);
        is_null(o, "threads.0.waits");
        is_null(o, "threads.0.wait_ns");
        is(o, "cpus", 2); /* of the machine */
        json_decref(o);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(threads, clean),
                cmocka_unit_test_teardown(groups_of_threads, clean),
                cmocka_unit_test_teardown(kernels_view, clean),
                cmocka_unit_test(system_calls_have_names),
                cmocka_unit_test_teardown(objects_and_sites, clean),
                cmocka_unit_test_teardown(barrier_of_a_pool, clean),
                cmocka_unit_test_teardown(barrier_of_threads_that_come_and_go, clean),
                cmocka_unit_test_teardown(barrier_of_threads_that_share_a_row, clean),
                cmocka_unit_test_teardown(barrier_of_threads_one_after_the_other, clean),
                cmocka_unit_test_teardown(spawns, clean),
                cmocka_unit_test_teardown(ledger, clean),
                cmocka_unit_test_teardown(slow_steps, clean),
                cmocka_unit_test_teardown(no_kernels_view_no_ledger, clean),
        };

        return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
