/* SPDX-License-Identifier: MIT */
/* What is arithmetic of the kernel's view: its histograms, elements that are read while they go on,
 * /proc's lines. */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include <infprof/hist.h>

#include "daemon/flush-private.h"
#include "daemon/kernel-private.h"
#include "daemon/process.h"

static void buckets_are_in_order_and_narrow(void **state)
{
        uint32_t last = 0;

        for (uint64_t v = 0; v < 1ull << 20; v++) {
                uint32_t i = view_hist_index(v);

                assert_true(i == last || i == last + 1);
                last = i;
        }
        for (unsigned bit = 0; bit < 64; bit++) {
                uint32_t i = view_hist_index(1ull << bit);

                assert_true(i < VIEW_HIST_BUCKETS);
                assert_true(bit >= VIEW_HIST_BITS ? i == VIEW_HIST_BUCKETS - 1
                                                  : i >= last || bit < 20);
        }
        assert_int_equal(view_hist_index((1ull << VIEW_HIST_BITS) - 1), VIEW_HIST_BUCKETS - 1);
        assert_int_equal(view_hist_index(UINT64_MAX), VIEW_HIST_BUCKETS - 1);
}

/* A value's bucket, told as one of ours, is at most 1/32 and half of our own bucket away. */
static void a_histogram_is_translated(void **state)
{
        static uint64_t from[VIEW_HIST_BUCKETS], to[IFP_HIST_BUCKETS];
        static uint32_t narrow[VIEW_HIST_BUCKETS];

        for (uint64_t v = 1; v < 1ull << 38; v += v / 7 + 1) {
                uint64_t all = 0;
                double middle = 0;

                memset(from, 0, sizeof(from));
                memset(narrow, 0, sizeof(narrow));
                from[view_hist_index(v)] = narrow[view_hist_index(v)] = 3;
                kernel_hist(from, to);
                for (uint32_t i = 0; i < IFP_HIST_BUCKETS; i++)
                        if (to[i]) {
                                all += to[i];
                                middle = (double)ifp_hist_floor(i) + (double)ifp_hist_width(i) / 2;
                        }
                assert_int_equal(all, 3);
                assert_true(middle > (double)v * 0.96 - 1 && middle < (double)v * 1.04 + 1);
                all = 0;
                kernel_hist32(narrow, to);
                for (uint32_t i = 0; i < IFP_HIST_BUCKETS; i++)
                        all += to[i];
                assert_int_equal(all, 3);
        }
}

static void what_goes_on_is_added(void **state)
{
        struct ifp_kernel_lane e = {.seq = 4,
                                    .since = 1000,
                                    .now = IFP_KERNEL_RUNNING,
                                    .cpu = 3,
                                    .running = 50,
                                    .runnable = {1, 2, 3, 4, 5, 6},
                                    .blocked = {10, 20, 30, 40, 50, 60},
                                    .syscall = {0, 0, 0, 7, 0, 0},
                                    .sys_since = 1200,
                                    .fault = {9}};
        struct kernel_figures f;
        uint32_t cpu;

        kernel_read_lane(&e, 1500, &f, &cpu);
        assert_int_equal(f.running, 550);
        assert_int_equal(f.runnable, 21);
        assert_int_equal(f.blocked[IFP_BLOCK_POLL], 50);
        assert_int_equal(f.syscall, 307);
        assert_int_equal(f.fault, 9);
        assert_int_equal(cpu, 3);

        e.now = IFP_KERNEL_BLOCKED;
        e.block = IFP_BLOCK_SLEEP;
        e.sys_since = 0;
        kernel_read_lane(&e, 1500, &f, &cpu);
        assert_int_equal(f.running, 50);
        assert_int_equal(f.blocked[IFP_BLOCK_SLEEP], 540);
        assert_int_equal(f.syscall, 7);

        e.block = 77; /* none that exists */
        kernel_read_lane(&e, 1500, &f, &cpu);
        assert_int_equal(f.blocked[IFP_BLOCK_SLEEP], 40);

        e.now = IFP_KERNEL_GONE;
        e.since = 0;
        kernel_read_lane(&e, 1500, &f, &cpu);
        assert_int_equal(f.running, 50);
        kernel_read_lane(&e, 10, &f, &cpu); /* a clock that is behind */
        assert_int_equal(f.running, 50);
}

/* A thread's figures are what came to its lane's element since the thread before. */
static void lanes_have_threads_one_after_the_other(void **state)
{
        struct ifp_kernel_lane elements[2] = {
                {.seq = 2, .now = IFP_KERNEL_GONE, .running = 700, .voluntary = 7}};
        struct process p = {0};
        struct thread t = {0};
        struct kernel_figures base = {0};
        struct runfile_thread row = {.running_ns = RUNFILE_NOT_TOLD, .cpu = RUNFILE_NOT_TOLD};

        kernel_refresh(&p, &t, 0, &base); /* nobody watches it */
        assert_false(t.kernel.told);
        kernel_thread_figures(&p, &t, &row);
        assert_true(row.running_ns == RUNFILE_NOT_TOLD);

        p.kernel.proc.number = 1;
        p.kernel.proc.n_lanes = 2;
        p.kernel.lanes = elements;
        kernel_refresh(&p, &t, 0, &base);
        kernel_thread_figures(&p, &t, &row);
        assert_int_equal(row.running_ns, 700);
        assert_int_equal(row.voluntary, 7);
        kernel_figures_add(&base, &t.kernel);
        elements[0].running = 1000;
        t = (struct thread){0};
        kernel_refresh(&p, &t, 0, &base);
        assert_int_equal(t.kernel.f.running, 300);
        assert_int_equal(t.kernel.f.voluntary, 0);
        elements[0].running = 900; /* what was under way counted elsewhere in the end */
        kernel_refresh(&p, &t, 0, &base);
        assert_int_equal(t.kernel.f.running, 300);
        kernel_refresh(&p, &t, 5, &base); /* a lane that is none */
        assert_int_equal(t.kernel.f.running, 300);
}

static void proc_tells_of_this_thread(void **state)
{
        struct kernel_proc_thread t;

        assert_true(kernel_proc_thread(getpid(), (pid_t)syscall(SYS_gettid), &t));
        assert_int_equal(t.inner, syscall(SYS_gettid));
        assert_true(t.minor_faults > 0 && t.minor_faults != RUNFILE_NOT_TOLD);
        assert_true(t.voluntary != RUNFILE_NOT_TOLD && t.involuntary != RUNFILE_NOT_TOLD);
        assert_true(t.cpu < 65536);
        assert_false(kernel_proc_thread(getpid(), 1, &t)); /* no thread of ours */
}

/* Something else woke us: the programs are still being loaded. */
static void who_loads_is_waited_for(void **state)
{
        struct kernel_bpf b;
        char *why = NULL;
        int pair[2];

        if (!INFPROF_BPF)
                skip();
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(kernel_bpf_loaded(pair[0], &b, &why), -EAGAIN);
        assert_null(why);
        close(pair[1]);
        assert_int_equal(kernel_bpf_loaded(pair[0], &b, &why), -EIO);
        assert_non_null(why);
        free(why);
        close(pair[0]);
}

static int add_preempt(const struct runfile_preempt *row, void *userdata)
{
        uint64_t *n = userdata;

        n[0]++;
        n[1] += row->count;
        return 0;
}

/* Who was once after "all others", who have nothing, comes before them: he is there once. */
static void culprits_are_there_once(void **state)
{
        static struct process p;
        struct kernel_preempt_row rows[] = {
                {.key = {.pid = 0}},
                {.key = {.pid = 77}, .v = {.count = 1, .name = "hog"}},
        };
        char path[64], *why = NULL;
        struct run *run = run_new("20261120-194500-1", "test", getpid(), clock_real_ns());
        struct runfile_run row;
        uint64_t n[2] = {0};

        snprintf(path, sizeof(path), "/tmp/test-kernel-view-%d.infprof", (int)getpid());
        unlink(path);
        run_describe(run, &row);
        assert_int_equal(runfile_create(&run->file, path, &row, &why), 0);
        p.kernel.view = RUNFILE_VIEW_BPF;
        p.kernel.preempts = rows;
        p.kernel.n_preempts = 2;
        p.kernel.moved = true;
        assert_int_equal(runfile_begin(run->file), 0);
        assert_int_equal(flush_kernel(run, &p), 0);
        for (int i = 0; i < 2; i++)
                if (rows[i].key.pid)
                        rows[i].v.total = 5;
        assert_int_equal(flush_kernel(run, &p), 0);
        assert_int_equal(runfile_commit(run->file, &why), 0);
        assert_int_equal(runfile_each_preempt(run->file, add_preempt, n), 0);
        assert_int_equal(n[0], 1);
        assert_int_equal(n[1], 1);
        run_free(run);
        unlink(path);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(buckets_are_in_order_and_narrow),
                cmocka_unit_test(a_histogram_is_translated),
                cmocka_unit_test(what_goes_on_is_added),
                cmocka_unit_test(lanes_have_threads_one_after_the_other),
                cmocka_unit_test(proc_tells_of_this_thread),
                cmocka_unit_test(who_loads_is_waited_for),
                cmocka_unit_test(culprits_are_there_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
